"""Notation → performance: how like a person's playing it is. `python -m benchmarks.expression --data DIR --json FILE`

The scores of DIR/eval/asap, and POP909's piano parts that no training saw, are played by the unified model, by the
rules alone (`performer`) and deadpan, and by MuseScore 3; each note is compared with what a person made of it
(`benchmarks.played_scores`). Every engine plays in its own tempo. Figures, means over pieces, `asap` or `pop909`:

    velocity_r_<engine>_<data>        correlation of the velocities with the person's
    voicing_r_<engine>_<data>         the same after a running mean over about four quarter notes is taken from both:
                                      what is brought out of a chord and of a measure, not how loud the passage is
    voicing_slope_unified_<data>      of a line through the person's values over ours, for the same: above 1 where the
                                      person goes further
    length_error_<engine>_<data>      mean distance of log2(sounding length / written length)
    length_r_<engine>_<data>          correlation of the same
    chord_ms_<engine>_asap            mean distance of onsets about their chord's mean
    onset_ms_<engine>_asap            mean distance of onsets about the beats (the person's annotated, the engine's own)
    tempo_r_<engine>_asap             correlation of the beats' lengths; 0 where they are all the same
    kept_<engine>                     notes of the rules that the engine plays, per cent, and none beside
    seconds_a_piece_<engine>          to play a piece of ASAP

A correlation is 0 where the engine's values are all the same. What a person does on another day correlates with
this one's by far less than 1.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import report
from benchmarks.musescore_playback import musescore_midi
from benchmarks.played_scores import FARTHEST_RENDERED_S, PlayedScore, asap_pieces, matched, pop_songs
from model_runtime.engines.base import Context
from model_runtime.engines.performer import Performer
from model_runtime.engines.unified_performer import UnifiedPerformer
from model_runtime.files.midi import read_midi
from model_runtime.modality import Performance
from model_runtime.options import Options
from model_runtime.tempo import TempoMap

Floats = npt.NDArray[np.float64]
RUNNING_QUARTERS = 4.0
SONGS = 12
DATA = ("asap", "pop909")
HIGHER = ("velocity_r", "voicing_r", "length_r", "tempo_r")  # is better
LOWER = ("length_error", "chord_ms", "onset_ms")


@dataclass(frozen=True)
class Rendering:
    """What an engine played of a score, and how long it took."""

    performance: Performance
    seconds: float


def compared(score: PlayedScore, performance: Performance) -> dict[str, float]:
    """Figures of one engine's performance of one score; those of a person's onsets only where the score has them."""
    tempo_map = performance.tempo_map
    if tempo_map is None:
        raise ValueError("what was played has no tempo map")
    first = tempo_map.quarter_at(0.0)
    expected = tempo_map.times_at(score.onset + first)
    found = matched(expected, score.pitch, performance.notes, FARTHEST_RENDERED_S)
    kept = np.flatnonzero(found >= 0)
    notes = [performance.notes[i] for i in found[kept]]
    onset, velocity = score.onset[kept], score.velocity[kept]
    own = np.array([float(note.velocity) for note in notes])
    written_s = tempo_map.times_at(score.onset[kept] + score.quarters[kept] + first) - expected[kept]
    length = np.log2(np.array([note.duration_s for note in notes]) / written_s)
    voiced, persons = about_mean(onset, own), about_mean(onset, velocity)
    figures = {
        "found": 100.0 * len(kept) / len(score.onset),
        "velocity_r": correlation(own, velocity),
        "voicing_r": correlation(voiced, persons),
        "voicing_slope": float(voiced @ persons) / max(float(voiced @ voiced), 1e-9),
        "length_error": float(np.abs(length - score.length[kept]).mean()),
        "length_r": correlation(length, score.length[kept]),
    }
    if len(score.late_s):
        late = np.array([note.onset_s for note in notes]) - expected[kept]
        figures |= onset_figures(onset, late, score.late_s[kept])
    if len(score.beats) > 2:
        lasts = np.diff(tempo_map.times_at(score.beats[:, None] + first + np.array([0.0, 1.0])), axis=1)[:, 0]
        figures["tempo_r"] = correlation(np.log(lasts), np.log(score.beat_s))
    return figures


def onset_figures(onset: Floats, late_s: Floats, persons_s: Floats) -> dict[str, float]:
    """Mean distance of onsets in milliseconds: about each chord's mean, and about the beats."""
    _, chord, size = np.unique(np.round(onset * 96), return_inverse=True, return_counts=True)
    apart = [late - (np.bincount(chord, late) / size)[chord] for late in (late_s, persons_s)]
    together = size[chord] > 1
    chords = np.abs(apart[0] - apart[1])[together]
    beats = np.abs(late_s - np.median(late_s) - persons_s + np.median(persons_s))
    return {"chord_ms": 1000 * float(chords.mean()) if len(chords) else 0.0, "onset_ms": 1000 * float(beats.mean())}


def about_mean(onset: Floats, values: Floats) -> Floats:
    """Values about their running mean: weights fall as a bell over `RUNNING_QUARTERS`."""
    cells = np.floor((onset - onset.min()) * 2).astype(np.int64)
    sums, counts = np.bincount(cells, values), np.bincount(cells).astype(float)
    reach = np.arange(-6 * RUNNING_QUARTERS, 6 * RUNNING_QUARTERS + 1)
    bell = np.exp(-0.5 * (reach / (2 * RUNNING_QUARTERS)) ** 2)
    smooth = [np.convolve(np.pad(each, len(bell) // 2), bell, "valid") for each in (sums, counts)]
    result: Floats = values - smooth[0][cells] / smooth[1][cells]
    return result


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's; 0 where either does not vary."""
    if len(one) < 2 or one.std() < 1e-9 or other.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def kept_percent(rules: Performance, other: Performance) -> float:
    """Notes that both play, by pitch, channel and track, of all notes of either."""
    counts = [Counter((n.pitch, n.channel, n.track) for n in each.notes) for each in (rules, other)]
    return 100.0 * (counts[0] & counts[1]).total() / max((counts[0] | counts[1]).total(), 1)


def engines_of(weights: Path | None) -> dict[str, tuple[Performer, Options]]:
    """Ours, by the names in the figures."""
    return {
        "unified": (UnifiedPerformer(weights), Options()),
        "rules": (Performer(), Options()),
        "deadpan": (Performer(), Options(deadpan=True)),
    }


def renderings(score: PlayedScore, engines: dict[str, tuple[Performer, Options]]) -> dict[str, Rendering]:
    """What our engines play."""
    made = {}
    for name, (engine, options) in engines.items():
        start = time.perf_counter()
        made[name] = Rendering(engine.translate(score.notation, options, Context()), time.perf_counter() - start)
    return made


def by_musescore(scores: Sequence[PlayedScore]) -> dict[str, Performance]:
    """What MuseScore 3 plays."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = musescore_midi({score.name: score.notation for score in scores}, Path(scratch))
        return {name: replace(read_midi(path), tempo_map=tempo_map_of(path)) for name, path in paths.items()}


def tempo_map_of(path: Path) -> TempoMap:
    """The tempos of a MIDI file, whether or not its notes keep to its beats."""
    import mido

    file = mido.MidiFile(path)
    tempos: dict[int, int] = {0: 500_000}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                tempos[tick] = message.tempo
    ticks = [*sorted(tempos), max(tempos) + file.ticks_per_beat]
    quarters = [tick / file.ticks_per_beat for tick in ticks]
    times = [0.0]
    for here, there, tick in zip(quarters, quarters[1:], ticks, strict=False):
        times.append(times[-1] + (there - here) * tempos[tick] / 1e6)
    return TempoMap(tuple(times), tuple(quarters))


def measured(data: Path, weights: Path | None, songs: int, *, musescore: bool) -> list[dict[str, object]]:
    """A row of figures for each engine and piece."""
    engines = engines_of(weights)
    for engine, _ in engines.values():
        engine.load()
    rows: list[dict[str, object]] = []
    scores = list(asap_pieces(data / "eval" / "asap"))
    theirs = by_musescore(scores) if musescore else {}
    for kind, source in (("asap", scores), ("pop909", pop_songs(data / "data" / "pop909", songs))):
        for score in source:
            made = renderings(score, engines)
            for name, rendering in made.items():
                about = {"engine": name, "data": kind, "piece": score.name, "seconds": rendering.seconds}
                kept = kept_percent(made["rules"].performance, rendering.performance)
                rows.append(about | compared(score, rendering.performance) | {"kept": kept})
            if kind == "asap" and score.name in theirs:
                about = {"engine": "musescore", "data": kind, "piece": score.name}
                rows.append(about | compared(score, theirs[score.name]))
    return rows


def figures_of(rows: Sequence[dict[str, object]]) -> dict[str, float]:
    """Means over pieces; of `kept` the smallest."""
    figures: dict[str, float] = {}
    for kind in DATA:
        for name in (*HIGHER, *LOWER):
            for engine in dict.fromkeys(str(row["engine"]) for row in rows):
                own = _values(rows, name, engine=engine, data=kind)
                if own:
                    figures[f"{name}_{engine}_{kind}"] = float(np.mean(own))
        figures[f"voicing_slope_unified_{kind}"] = float(
            np.mean(_values(rows, "voicing_slope", engine="unified", data=kind))
        )
    figures["kept_unified"] = min(_values(rows, "kept", engine="unified"))
    for engine in ("unified", "rules"):
        figures[f"seconds_a_piece_{engine}"] = float(np.mean(_values(rows, "seconds", engine=engine, data="asap")))
    return figures


def _values(rows: Sequence[dict[str, object]], name: str, **about: str) -> list[float]:
    return [
        float(str(row[name])) for row in rows if name in row and all(row[key] == value for key, value in about.items())
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How like a person's playing ours is.")
    parser.add_argument("--data", type=Path, required=True, help="folder with eval/asap and data/pop909")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--weights", type=Path, help="folder of the trunk; else the shipped one")
    parser.add_argument("--songs", type=int, default=SONGS, help="of POP909")
    parser.add_argument("--without-musescore", action="store_true")
    arguments = parser.parse_args()
    rows = measured(arguments.data, arguments.weights, arguments.songs, musescore=not arguments.without_musescore)
    report.write(figures_of(rows), rows, arguments.json, "Notation → performance: likeness to a person's playing")


if __name__ == "__main__":
    main()
