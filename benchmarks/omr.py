"""How well score images are read.

    python -m benchmarks.omr --data DIR --json FILE [--lines 300] [--melodies 40]

`ser_reengraved` is the symbol error rate in per cent (edits over true LMX tokens) on lines of the OLiMPiC test ids,
engraved again by MuseScore 3 (`benchmarks/olimpic.py`): every n-th line, so that `--lines` are read. `ser_melody` and
`note_f1_melody` are the same of `--melodies` lines of those songs' voices, one staff each, with their words; beams are
left out on both sides there, for MuseScore joins the flags of sung notes to beams that the score has not.
`note_f1_scan_systems` and `note_f1_scan_pages` are on real printed editions, cut into systems and as whole pages: a
note is right where its measure, its onset in it, its duration and its pitch are. Which measure is which is found by the
alignment that serves best, so that one lost barline does not fail all that follows. `ser_scan_systems` leaves out the
metre that a cut-out system does not print. `omr_ned_scan_systems` is OMR-NED (Martinez-Sevilla et al. 2025), edits of
the notation over its symbols in per cent, through the package `musicdiff` where it is installed. `load_s` is how long
the model takes to load, `page_peak_mb` the most memory that a process holds which reads the largest of the pages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import report
from benchmarks.olimpic import PrintedLine, picture, printed_lines, printed_melodies, score_ids
from model_runtime.modality import GreyPage
from model_runtime.notation.score_notes import WrittenMeasure, read_measures
from model_runtime.tokens.distance import edit_distance
from model_runtime.tokens.lmx import lmx_measures
from model_runtime.tokens.lmx_reader import read_lmx
from model_runtime.tokens.score import drop_unprinted_tuplets, visible_part
from model_runtime.tokens.vocabulary import ids_of
from model_runtime.training.parts import single_staff, staves_of
from model_runtime.unified.image_reader import ImageReader
from model_runtime.unified.inference import TrunkRuntime
from model_runtime.unified.page_reading import read_score

_PAGE_PATIENCE_S = 600
Key = tuple[Fraction, int, Fraction]
Reader = Callable[[GreyPage], bytes | None]
Printed = Callable[[Path, Sequence[str], Path], Iterator[PrintedLine]]


@dataclass(frozen=True)
class Sample:
    """A picture with its music."""

    name: str
    pixels: npt.NDArray[np.uint8]
    truth: bytes  # MusicXML
    measures: tuple[int, int]  # of the truth: first, and behind the last


def scan_systems(folder: Path) -> Iterator[Sample]:
    """Systems cut out of printed editions."""
    for entry in json.loads((folder / "manifest.json").read_text("utf-8")):
        truth = (folder / f"{entry['id']}.musicxml").read_bytes()
        yield Sample(entry["id"], _grey(folder / f"{entry['id']}.png"), truth, (0, 10**6))


def scan_pages(folder: Path) -> Iterator[Sample]:
    """Whole pages of the same editions; what of a page has no system in the manifest is not counted."""
    spans: dict[tuple[str, int], tuple[int, int]] = {}
    for entry in json.loads((folder / "manifest.json").read_text("utf-8")):
        key = entry["id"].partition("/")[0], entry["page"]
        first, last = spans.get(key, (10**6, 0))
        spans[key] = min(first, entry["measures"][0]), max(last, entry["measures"][1])
    for (piece, page), span in spans.items():
        picture_file = folder / piece / f"page{page:02d}.png"
        if picture_file.is_file():
            truth = (folder / piece / f"{piece}.musicxml").read_bytes()
            yield Sample(f"{piece}/page{page:02d}", _grey(picture_file), truth, span)


def _grey(path: Path) -> npt.NDArray[np.uint8]:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def measure_notes(measures: Sequence[WrittenMeasure]) -> list[Counter[Key]]:
    """Onset, pitch and duration of the notes of each measure, with how often each occurs; grace notes too."""
    return [Counter((n.onset, n.pitch, n.duration) for n in m.notes) for m in measures]


def aligned(ours: Sequence[Counter[Key]], theirs: Sequence[Counter[Key]]) -> int:
    """Most notes that agree when measures are matched in order."""
    best = np.zeros((len(ours) + 1, len(theirs) + 1), np.int64)
    for i, own in enumerate(ours, 1):
        for j, other in enumerate(theirs, 1):
            shared = (own & other).total()
            best[i, j] = max(best[i - 1, j], best[i, j - 1], best[i - 1, j - 1] + shared)
    return int(best[-1, -1])


def lmx_of(musicxml: bytes) -> list[str]:
    """LMX of a score's first part, without metres that are written at its start."""
    part = ET.fromstring(musicxml).find("part")
    if part is None:
        return []
    visible = visible_part(single_staff(part) if staves_of(part) == 1 else part)
    drop_unprinted_tuplets(visible)
    tokens = [token for measure in lmx_measures(visible) for token in measure.tokens]
    return without_opening_meter(tokens)


def lmx_notes(tokens: Sequence[str]) -> list[Counter[Key]]:
    """Onset, pitch and duration of the notes of each measure of LMX."""
    return [Counter((n.onset, n.midi_pitch, n.duration) for n in m.notes if n.pitch) for m in read_lmx(tokens)]


def without_opening_meter(tokens: Sequence[str]) -> list[str]:
    """LMX without the metre of its first measure."""
    tokens = list(tokens)
    head = tokens[:10]
    if "time" in head:
        at = head.index("time")
        return tokens[:at] + tokens[at + 3 :]
    return tokens


@dataclass
class Tally:
    """Sums over samples."""

    samples: int = 0
    wrong: int = 0
    symbols: int = 0
    right: int = 0
    read: int = 0
    true: int = 0
    seconds: float = 0.0
    unread: int = 0

    def add_symbols(self, ours: Sequence[str], theirs: Sequence[str]) -> None:
        self.wrong += edit_distance(ids_of(ours), ids_of(theirs))
        self.symbols += len(theirs)

    def add_notes(self, ours: Sequence[WrittenMeasure], theirs: Sequence[WrittenMeasure]) -> None:
        self.count_notes(measure_notes(ours), measure_notes(theirs))

    def count_notes(self, own: Sequence[Counter[Key]], other: Sequence[Counter[Key]]) -> None:
        self.right += aligned(own, other)
        self.read += sum(c.total() for c in own)
        self.true += sum(c.total() for c in other)

    @property
    def ser(self) -> float:
        return 100.0 * self.wrong / max(self.symbols, 1)

    @property
    def note_f1(self) -> float:
        return 2.0 * self.right / max(self.read + self.true, 1)


def read_lines(
    reader: Reader,
    data: Path,
    work: Path,
    count: int,
    split: str,
    printed: Printed = printed_lines,
    *,
    beams: bool = True,
) -> Tally:
    """Lines of OLiMPiC, engraved again; `beams` are counted or left out on both sides."""
    lines = list(printed(data, score_ids(data, split), work)) if count else []
    tally = Tally()
    for line in lines[:: max(len(lines) // max(count, 1), 1)][:count]:
        started = time.perf_counter()
        result = reader(picture(line))
        tally.seconds += time.perf_counter() - started
        tally.samples += 1
        tally.unread += result is None
        ours, gold = lmx_of(result) if result else [], without_opening_meter(line.gold)
        counted = [[t for t in tokens if beams or not t.startswith("beam:")] for tokens in (ours, gold)]
        tally.add_symbols(*counted)
        tally.count_notes(lmx_notes(ours), lmx_notes(gold))
    return tally


def read_samples(reader: Reader, samples: Iterator[Sample], *, symbols: bool, diff: list[float] | None) -> Tally:
    """Scanned music."""
    tally = Tally()
    for sample in samples:
        started = time.perf_counter()
        result = reader(sample.pixels)
        tally.seconds += time.perf_counter() - started
        tally.samples += 1
        tally.unread += result is None
        truth = read_measures(sample.truth)[slice(*sample.measures)]
        tally.add_notes(read_measures(result) if result else [], truth)
        if symbols:
            tally.add_symbols(lmx_of(result) if result else [], lmx_of(sample.truth))
        if diff is not None and result:
            diff.append(omr_ned(result, sample.truth))
        print(f"{sample.name}: {tally.note_f1:.3f} so far", file=sys.stderr)
    return tally


def omr_ned(ours: bytes, theirs: bytes) -> float:
    """OMR-NED in per cent: edits of the notation over its symbols."""
    from music21 import converter, stream
    from musicdiff.annotation import AnnScore
    from musicdiff.comparison import Comparison

    def annotated(musicxml: bytes) -> Any:
        parsed = converter.parse(musicxml, format="musicxml")
        if not isinstance(parsed, stream.Score):
            raise TypeError(f"music21 made a {type(parsed).__name__} of a score")
        return AnnScore(parsed)

    scores = [annotated(data) for data in (ours, theirs)]
    _, cost = Comparison.annotated_scores_diff(*scores)
    return 100.0 * float(cost) / max(sum(int(score.notation_size()) for score in scores), 1)


def unified() -> Reader:
    """The product's own reader."""
    reader, trunk = ImageReader(), TrunkRuntime()

    def read(pixels: GreyPage) -> bytes | None:
        result = read_score([pixels], reader, trunk)
        return result.notation.musicxml if result else None

    return read


def load_and_memory(folder: Path) -> dict[str, float]:
    """Seconds to load the model, and megabytes that reading the largest page of a folder takes."""
    page = max(folder.glob("*/page*.png"), key=lambda path: path.stat().st_size)
    command = [sys.executable, "-m", "benchmarks.page_memory", str(page)]
    root = Path(__file__).parent.parent
    finished = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=_PAGE_PATIENCE_S)
    figures: dict[str, float] = json.loads(finished.stdout)
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds data/lieder and eval/omr_scans")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--lines", type=int, default=300, help="lines of OLiMPiC to read")
    parser.add_argument("--melodies", type=int, default=40, help="lines of their voices to read")
    parser.add_argument("--split", default="test", help="of OLiMPiC")
    parser.add_argument("--work", type=Path, help="keeps what MuseScore engraved for the next run")
    arguments = parser.parse_args()
    reader = unified()
    try:
        import musicdiff  # noqa: F401

        diffs: list[float] | None = []
    except ImportError:
        diffs = None
    scans = arguments.data / "eval" / "omr_scans"
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        lines = read_lines(reader, arguments.data / "data", work, arguments.lines, arguments.split)
        melodies = read_lines(
            reader, arguments.data / "data", work, arguments.melodies, arguments.split, printed_melodies, beams=False
        )
    systems = read_samples(reader, scan_systems(scans), symbols=True, diff=diffs)
    pages = read_samples(reader, scan_pages(scans), symbols=False, diff=None)
    figures = {
        "ser_reengraved": lines.ser,
        "lines_reengraved": float(lines.samples),
        "ser_melody": melodies.ser,
        "note_f1_melody": melodies.note_f1,
        "lines_melody": float(melodies.samples),
        "ser_scan_systems": systems.ser,
        "note_f1_scan_systems": systems.note_f1,
        "note_f1_scan_pages": pages.note_f1,
        "page_s": pages.seconds / max(pages.samples, 1),
        "unread": float(lines.unread + melodies.unread + systems.unread + pages.unread),
    }
    figures |= load_and_memory(scans.resolve())
    if diffs:
        figures["omr_ned_scan_systems"] = float(np.mean(diffs))
    rows = [
        {"what": "OLiMPiC lines, MuseScore 3", "samples": lines.samples, "SER %": lines.ser, "s each": _each(lines)},
        {"what": "lines of their voices", "samples": melodies.samples, "SER %": melodies.ser}
        | {"note F1": melodies.note_f1, "s each": _each(melodies)},
        {"what": "systems of printed editions", "samples": systems.samples, "SER %": systems.ser}
        | {"note F1": systems.note_f1, "s each": _each(systems)},
        {"what": "whole pages", "samples": pages.samples, "note F1": pages.note_f1, "s each": _each(pages)},
    ]
    report.write(figures, rows, arguments.json, "Score image → notation")


def _each(tally: Tally) -> float:
    return tally.seconds / max(tally.samples, 1)


if __name__ == "__main__":
    main()
