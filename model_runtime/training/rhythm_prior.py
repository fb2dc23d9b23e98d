"""Counts rhythms in a folder of MusicXML scores and writes the quantiser's prior.

    python -m model_runtime.training.rhythm_prior LIEDER

LIEDER holds `index.csv` (columns `id` and `split`) and one `.mxl` an id; only splits that begin with "train" are read.
"""

from __future__ import annotations

import csv
import sys
import zipfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.notation.onsets import bass_low, length_class, novelty_class, size_class
from model_runtime.notation.rhythm_prior import (
    BASS,
    END,
    LARGEST_SUBDIVISION,
    LENGTHS,
    METERS,
    NOVELTY,
    PRIOR_FILE,
    SIZES,
    START,
    SUBDIVISIONS,
    TICKS,
    positions_of,
    subdivision_of,
)
from model_runtime.notation.score_notes import (
    WrittenMeasure,
    WrittenNote,
    measure_starts,
    notes_in_order,
    read_measures,
)

Counts = dict[str, npt.NDArray[np.float64]]


def count_rhythms(scores: Iterator[Sequence[WrittenMeasure]]) -> Counts:
    """All counts that `rhythm_prior.npz` holds, over the given scores."""
    counts = _empty()
    for measures in scores:
        _count_measures(measures, counts)
        _count_beats(measures, counts)
    return counts


def _empty() -> Counts:
    counts: Counts = {}
    for n, d in METERS:
        size = len(positions_of(n, d))
        counts[f"advance_{n}_{d}"] = np.zeros((2, size, size))
        counts[f"accent_{n}_{d}"] = np.zeros((size, SIZES, BASS, LENGTHS, NOVELTY))
        counts[f"start_{n}_{d}"] = np.zeros(size)
        counts[f"pieces_{n}_{d}"] = np.zeros(())
    side = LARGEST_SUBDIVISION + 2
    for name in ("simple", "compound"):
        counts[f"follow_{name}"] = np.zeros((len(SUBDIVISIONS),) * 2)
        counts[f"chain_{name}"] = np.zeros((len(SUBDIVISIONS), side, side))
    return counts


def _count_measures(measures: Sequence[WrittenMeasure], counts: Counts) -> None:
    """Adds a score's onsets by their place in the measure. 2/2 counts as 4/4; other metres are passed over."""
    starts = measure_starts(measures)
    meters = [(4, 4) if m.beats == (2, 2) else m.beats for m in measures]
    if meters and meters[0] in METERS:
        counts["pieces_{}_{}".format(*meters[0])] += 1
    chords: dict[Fraction, list[WrittenNote]] = {}
    for note in notes_in_order(measures):
        if not note.grace:
            chords.setdefault(note.onset, []).append(note)
    onsets = sorted(chords)
    lowest = [min(note.pitch for note in chords[onset]) for onset in onsets]
    harmony = [frozenset(note.pitch % 12 for note in chords[onset]) for onset in onsets]
    times = np.array([float(onset) for onset in onsets])
    index, previous = 0, None
    for i, onset in enumerate(onsets):
        while index + 1 < len(measures) and starts[index + 1] <= onset:
            index += 1
        meter = meters[index]
        # A short first measure is a pickup: it ends where a full one would.
        lead = measures[index].nominal - measures[index].length if index == 0 else Fraction(0)
        place = (onset - starts[index] + lead) * TICKS
        found = _position(place, meter)
        if found is None:
            previous = None
            continue
        longest = max(float(note.duration) for note in chords[onset])
        length = length_class(times, i, longest)
        kind = (size_class(len(chords[onset])), bass_low(lowest, i), length, novelty_class(harmony, i))
        counts["accent_{}_{}".format(*meter)][(found, *kind)] += 1
        if i == 0:
            counts["start_{}_{}".format(*meter)][found] += 1
        if previous is not None and previous[0] == meter:
            measures_passed = int((onset - previous[2]) / measures[index].nominal)
            if measures_passed < 2:
                counts["advance_{}_{}".format(*meter)][measures_passed, previous[1], found] += 1
        previous = (meter, found, onset)


def _position(place: Fraction, meter: tuple[int, int]) -> int | None:
    if meter not in METERS or place.denominator != 1:
        return None
    positions = positions_of(*meter)
    found = int(np.searchsorted(positions, int(place)))
    return found if found < len(positions) and positions[found] == int(place) else None


def _count_beats(measures: Sequence[WrittenMeasure], counts: Counts) -> None:
    """Adds how each beat of a score divides."""
    previous: tuple[str, int] | None = None
    for measure in measures:
        n, d = measure.beats
        compound = d >= 8 and n % 3 == 0
        unit = Fraction(12, d) if compound else Fraction(4, max(d, 4))
        name = "compound" if compound else "simple"
        beats: dict[int, set[Fraction]] = {}
        for note in measure.notes:
            if not note.grace and not note.tie_stop:
                beat = int(note.onset // unit)
                beats.setdefault(beat, set()).add(note.onset / unit - beat)
        for beat in sorted(beats):
            phases = sorted(beats[beat])
            subdivision = subdivision_of(phases)
            if subdivision is None:
                continue
            if previous is not None and previous[0] == name:
                counts[f"follow_{name}"][previous[1], subdivision] += 1
            previous = (name, subdivision)
            steps = [int(phase * SUBDIVISIONS[subdivision]) for phase in phases]
            for row, column in zip([START, *steps], [*steps, END], strict=True):
                counts[f"chain_{name}"][subdivision, row, column] += 1


def _training_scores(folder: Path) -> Iterator[Sequence[WrittenMeasure]]:
    with (folder / "index.csv").open(encoding="utf-8") as table:
        names = [row["id"] for row in csv.DictReader(table) if row["split"].startswith("train")]
    for name in names:
        with zipfile.ZipFile(folder / f"{name}.mxl") as archive:
            inner = next(n for n in archive.namelist() if n.endswith("xml") and not n.startswith("META-INF"))
            yield read_measures(archive.read(inner))


def main() -> None:
    """Reads the folder named on the command line."""
    counts = count_rhythms(_training_scores(Path(sys.argv[1])))
    tables = {name: table.astype(np.float32) for name, table in counts.items()}
    np.savez_compressed(PRIOR_FILE, allow_pickle=False, **tables)


if __name__ == "__main__":
    main()
