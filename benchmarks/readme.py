"""Puts the figures of `benchmarks/results/*.json` into `benchmarks/README.md`: `python -m benchmarks.readme`.

Between `<!-- figures: NAME -->` and `<!-- end of figures -->` stands what NAME.json holds: command, date, machine,
which aims are missed, and a table. Figures that differ only in the engine's name share a line. `--check` writes nothing
and says whether the file is up to date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import doors, expression, live, musescore_dialog, reaper

README = Path(__file__).with_name("README.md")
RESULTS = Path(__file__).with_name("results")
ENGINES: Mapping[str, tuple[str, ...]] = {
    "transcription": ("reader", "refined", "basic-pitch", "basic_pitch_package", "transkun"),
    "notation": ("unified", "scorebridge", "musescore", "music21"),
    "playback": ("fluidsynth", "rustysynth"),
    "live_notation": ("live", "offline"),
    "expression": ("unified", "rules", "deadpan", "musescore"),
    "multitask": ("alone", "both", "longer"),
    "image_codes": ("codes", "glyphs"),
}
"""Benchmark → names in its figures that become columns; for `transcription` and `notation` ours comes first."""

READER_AIMS = (("onset_f1", "stereo_sample"), ("onset_agreement", "cut_bach"), ("onset_f1", "bach10_mean"))
"""Where the reader must be above basic-pitch: the piano files and the mean of the chorales."""

_BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
_SIGNS = {"≤": float.__le__, "≥": float.__ge__, "=": float.__eq__}


@dataclass(frozen=True)
class Aim:
    """What a figure should be: `sign` is "≤", "≥" or "="; `bound` a number, or the name of another figure."""

    sign: str
    bound: float | str

    def is_met(self, name: str, figures: Mapping[str, float]) -> bool:
        """Whether the figure `name` is as it should be."""
        bound = figures[self.bound] if isinstance(self.bound, str) else self.bound
        return bool(_SIGNS[self.sign](float(figures[name]), float(bound)))

    def shown(self, figures: Mapping[str, float]) -> str:
        """For instance "≤ 5" or "≥ 0.54 (musescore)"."""
        if isinstance(self.bound, str):
            return f"{self.sign} {number(figures[self.bound])} (`{self.bound}`)"
        return f"{self.sign} {self.bound:g}"


def aims(benchmark: str, figures: Mapping[str, float]) -> dict[str, list[Aim]]:
    """Figure → its aims."""
    found: dict[str, list[Aim]] = {}
    if benchmark == "doors":
        found = {name: [Aim("≤", bound)] for name, bound in doors.AIMS.items()}
    elif benchmark == "transcription":
        found = {"basic_pitch_speed_ratio": [Aim("≥", 1.0)], "hour_peak_extra_mb": [Aim("≤", 300.0)]}
        found["hour_time_ratio"] = [Aim("≤", 1.1)]
        for name in figures:
            other = name.replace("basic-pitch", "basic_pitch_package")
            if name.startswith("onset_f1_basic-pitch") and other in figures:
                found[name] = [Aim("≥", other)]
        found["reader_x_real_time"] = [Aim("≥", 30.0)]
        for measure, file in READER_AIMS:
            found[f"{measure}_reader_{file}"] = [Aim("≥", f"{measure}_basic-pitch_{file}")]
    elif benchmark == "omr":
        found = {"ser_reengraved": [Aim("≤", 15.9)], "page_s": [Aim("≤", 5.0)]}
        found |= {"note_f1_scan_systems": [Aim("≥", 0.8)], "note_f1_scan_pages": [Aim("≥", 0.75)]}
        found |= {"load_s": [Aim("≤", 1.0)], "page_peak_mb": [Aim("≤", 1000.0)]}
    elif benchmark == "notation":
        for task in ("with_map", "without_map"):
            names = [f"note_f1_{engine}_{task}" for engine in ENGINES["notation"]]
            for ours in (0, 1):
                found[names[ours]] = [Aim("≥", other) for other in names[ours + 1 :]]
        found |= {"full_measures": [Aim("=", 100.0)], "full_measures_unified": [Aim("=", 100.0)]}
        found["x_real_time_unified"] = [Aim("≥", 20.0)]
    elif benchmark == "expression":
        found = {"kept_unified": [Aim("=", 100.0)]}
        signs = dict.fromkeys(expression.HIGHER, "≥") | dict.fromkeys(expression.LOWER, "≤")
        for name, sign in signs.items():
            for data in expression.DATA:
                found[f"{name}_unified_{data}"] = [Aim(sign, f"{name}_rules_{data}")]
    elif benchmark == "live":
        found = {name: [Aim(sign, bound)] for name, (sign, bound) in live.AIMS.items()}
    elif benchmark == "live_notation":
        found = {
            f"bars_{late}_longest_{kind}": [Aim("≤", 2.0)]
            for late in ("unwritten", "behind")
            for kind in ("lieder", "asap")
        }
    elif benchmark == "musescore":
        found = {name: [Aim("≥", 99.0)] for name in ("round_trip_equal_percent", "cursor_equal_percent")}
        found |= {name: [Aim("≥", 30.0)] for name in ("round_trip_scores", "musescore4_scores")}
        found |= {f"insert_400_bars_{way}_s": [Aim("≤", 3.0)] for way in ("cursor", "paste")}
        found |= {"read_400_bars_s": [Aim("≤", 1.0)], "longest_slice_ms": [Aim("≤", 100.0)]}
        found["undone_scores"] = [Aim("=", 60.0)]
    elif benchmark == "musescore_dialog":
        found = {name: [Aim("≤", bound)] for name, bound in musescore_dialog.AIMS.items()}
    elif benchmark == "reaper":
        found = {name: [Aim("≤", bound)] for name, bound in reaper.AIMS.items()}
    elif benchmark == "load":
        found = {name: [Aim("=", 0.0)] for name in ("jobs_lost", "jobs_doubled", "jobs_lost_after_malformed")}
        found["malformed_survived"] = [Aim("=", "malformed_sent")]
    return {name: listed for name, listed in found.items() if name in figures}


def block(benchmark: str, document: Mapping[str, Any]) -> str:
    """What stands between the markers."""
    figures: Mapping[str, float] = document["figures"]
    wanted = aims(benchmark, figures)
    machine = document["machine"]
    where = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}, Python {machine['python']}"
    )
    lines = [f"`{document['command']}`  ", f"{document['date'][:10]}, {where}", "", verdict(wanted, figures), ""]
    return "\n".join([*lines, *table(ENGINES.get(benchmark, ()), wanted, figures), ""])


def verdict(wanted: Mapping[str, Sequence[Aim]], figures: Mapping[str, float]) -> str:
    """Which aims are missed, in a sentence."""
    if not wanted:
        return "No aims were set for these."
    missed = [
        f"`{name}` is {number(figures[name])}, the aim {aim.shown(figures)}"
        for name, listed in wanted.items()
        for aim in listed
        if not aim.is_met(name, figures)
    ]
    if missed:
        return f"**Missed:** {'; '.join(missed)}. All other aims are met."
    return "All aims are met."


def table(engines: Sequence[str], wanted: Mapping[str, Sequence[Aim]], figures: Mapping[str, float]) -> list[str]:
    """Lines of Markdown: first what several engines were measured by, then the rest."""
    shared: dict[str, dict[str, str]] = {}
    single: list[str] = []
    for name in figures:
        engine = next((e for e in engines if re.search(rf"(^|_){re.escape(e)}(_|$)", name)), None)
        if engine is None:
            single.append(name)
        else:
            shared.setdefault(name.replace(engine, "<engine>", 1), {})[engine] = name
    lines: list[str] = []
    if shared:
        lines += _lines(["figure", *engines])
        for line, names in shared.items():
            cells = [
                number(figures[names[e]]) + _mark(names[e], wanted, figures) if e in names else "" for e in engines
            ]
            lines.append(_row([f"`{line}`", *cells]))
        lines.append("")
    if single:
        has_aims = any(name in wanted for name in single)
        lines += _lines(["figure", "measured", *(["aim"] if has_aims else [])])
        for name in single:
            aim = "; ".join(each.shown(figures) for each in wanted.get(name, ()))
            cells = [number(figures[name]) + _mark(name, wanted, figures), *([aim] if has_aims else [])]
            lines.append(_row([f"`{name}`", *cells]))
    return lines


def _mark(name: str, wanted: Mapping[str, Sequence[Aim]], figures: Mapping[str, float]) -> str:
    return "" if all(aim.is_met(name, figures) for aim in wanted.get(name, ())) else " **missed**"


def _lines(columns: Sequence[str]) -> list[str]:
    return [_row(columns), "|" + "|".join(["---"] + ["---:"] * (len(columns) - 1)) + "|"]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def number(value: float) -> str:
    """As many digits as a reader needs."""
    if float(value).is_integer():
        return f"{value:.0f}"
    size = abs(value)
    return (
        f"{value:.0f}"
        if size >= 100
        else f"{value:.1f}"
        if size >= 10
        else f"{value:.2f}"
        if size >= 2
        else f"{value:.3f}"
    )


def renewed(text: str, results: Path) -> str:
    """The text with every block as the results are now.

    Raises:
        FileNotFoundError: a block's results are missing.
    """

    def replace(match: re.Match[str]) -> str:
        document = json.loads((results / f"{match[2]}.json").read_text(encoding="utf-8"))
        return f"{match[1]}{block(match[2], document)}{match[3]}"

    return _BLOCK.sub(replace, text)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Puts the figures into benchmarks/README.md.")
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    arguments = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    new = renewed(text, RESULTS)
    if arguments.check:
        sys.exit(0 if new == text else "benchmarks/README.md is stale: run python -m benchmarks.readme")
    README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
