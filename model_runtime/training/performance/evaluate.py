"""How well beats, barlines, lengths and staves are read on works that were not trained on, beside the rules.

    python -m model_runtime.training.performance.evaluate --data CORPUS --run RUN [--renditions 24]

Dev scores are played at random, each the same way every time. Beats and barlines count where one is found within 70 ms
(`mir_eval.beat.f_measure`). Lengths and staves are read with the true beats given.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.modality import Note
from model_runtime.notation.beats import track_beats
from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.tempo import TempoMap
from model_runtime.training.performance.corpus import DEV
from model_runtime.training.performance.dataset import Renditions
from model_runtime.training.performance.playing import Rendition, draw_excerpt, play
from model_runtime.training.performance.scores import (
    DENOMINATOR,
    LEAD,
    LENGTH,
    NUMERATOR,
    START,
    Score,
    loaded,
)
from model_runtime.training.performance.train import NETWORKS, load_networks, measured
from model_runtime.unified.notation_reading import NotationReading
from model_runtime.unified.performance_reader import PerformanceReader

Floats = npt.NDArray[np.float64]
_SEED = 4711
_ONSETS = 400


@dataclass(frozen=True)
class Beats:
    """Where beats and barlines are, in seconds."""

    beats: Floats
    bars: Floats


def true_beats(rendition: Rendition, score: Score) -> Beats:
    """Those of the score at the times at which they were played, between the first and the last note."""
    beats, bars = [], []
    for row in score.measures.tolist():
        compound = row[DENOMINATOR] == 8 and row[NUMERATOR] % 3 == 0
        beat = 3 * TICKS_PER_QUARTER // 2 if compound else TICKS_PER_QUARTER
        start = row[START] - row[LEAD]
        beats += [tick for tick in range(start, row[START] + row[LENGTH], beat) if tick >= row[START]]
        bars += [row[START]] if not row[LEAD] else []
    return Beats(*(_heard(rendition.seconds(ticks), rendition) for ticks in (beats, bars)))


def found_beats(tempo_map: TempoMap, rendition: Rendition) -> Beats:
    """Those of a map of one metre."""
    meter = tempo_map.meters[0]
    beat = 1.5 if meter.denominator == 8 and meter.numerator % 3 == 0 else 1.0
    end = tempo_map.quarters[-1]
    first = np.floor((tempo_map.quarters[0] - meter.quarter) / meter.measure_quarters) * meter.measure_quarters
    beats = tempo_map.times_at(np.arange(meter.quarter + first, end, beat))
    bars = tempo_map.times_at(np.arange(meter.quarter + first, end, meter.measure_quarters))
    return Beats(_heard(beats, rendition), _heard(bars, rendition))


def _heard(times: Floats, rendition: Rendition) -> Floats:
    first, last = rendition.onset_s[0] - 0.05, rendition.onset_s[-1] + 0.05
    found: Floats = np.unique(times[(times >= first) & (times <= last)])
    return found


def notes_of(rendition: Rendition) -> list[Note]:
    """As the trackers take them."""
    rows = zip(rendition.onset_s, rendition.offset_s, rendition.pitch, rendition.velocity, strict=True)
    return [Note(float(on), float(off), int(pitch), int(velocity)) for on, off, pitch, velocity in rows]


def compared(scores: list[Score], weights: Path | None, count: int) -> dict[str, float]:
    """Mean F1 of beats and of barlines, of the reader and of the rules, over so many renditions."""
    from mir_eval.beat import f_measure

    reading = NotationReading(PerformanceReader(weights))
    sums: dict[str, list[float]] = {}
    for number in range(count):
        rng = np.random.default_rng((_SEED, number))
        score = scores[int(rng.integers(len(scores)))]
        excerpt = draw_excerpt(score, _ONSETS, rng)
        rendition = play(excerpt, rng)
        truth = true_beats(rendition, excerpt.score)
        notes = notes_of(rendition)
        pedal = [(float(a), float(b)) for a, b in rendition.pedal] if rendition.pedal_known else []
        maps = {"reader": reading.track_beats(notes, pedal), "rules": track_beats(notes)}
        for name, found in maps.items():
            own = found_beats(found, rendition)
            sums.setdefault(f"beat_f1_{name}", []).append(f_measure(truth.beats, own.beats))
            sums.setdefault(f"bar_f1_{name}", []).append(f_measure(truth.bars, own.bars))
    return {name: round(float(np.mean(values)), 4) for name, values in sums.items()}


def main() -> None:
    """Command line."""
    from model_runtime.training.performance.export import export

    parser = argparse.ArgumentParser(description="Measure the performance reader on dev scores.")
    parser.add_argument("--data", type=Path, required=True, help="folder that corpus built")
    parser.add_argument("--run", type=Path, required=True, help="folder of a training run")
    parser.add_argument("--renditions", type=int, default=24)
    arguments = parser.parse_args()
    scores = [score for _, score in loaded(arguments.data / f"{DEV}.npz")]
    networks = load_networks(arguments.run / "checkpoint.pt")
    result = measured(networks, Renditions([(scores, 1.0)], _SEED, arguments.renditions), arguments.renditions)
    with tempfile.TemporaryDirectory() as folder:
        export(networks, Path(folder), {"networks": list(NETWORKS)})
        result |= compared(scores, Path(folder), arguments.renditions)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
