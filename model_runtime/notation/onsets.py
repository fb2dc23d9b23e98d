"""Notes that start together, and what a listener hears of such a chord before knowing the beat."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.modality import Note

CHORD_GAP_S = 0.022
"""Onsets closer than this to the one before belong together, whatever the rhythm says."""

CHORD_SPAN_S = 0.045
"""A chord gathered by `CHORD_GAP_S` is never wider than this."""


@dataclass(frozen=True, slots=True)
class Chord:
    """Notes struck together.

    Attributes:
        time_s: Mean onset.
        notes: Sorted by onset.
    """

    time_s: float
    notes: tuple[Note, ...]


def gather_chords(notes: Sequence[Note]) -> list[Chord]:
    """Chords of notes that are sorted by onset, in order of time."""
    chords: list[Chord] = []
    group: list[Note] = []
    for note in notes:
        if group and not _joins(note, group):
            chords.append(_chord(group))
            group = []
        group.append(note)
    if group:
        chords.append(_chord(group))
    return chords


def _joins(note: Note, group: Sequence[Note]) -> bool:
    near = note.onset_s - group[-1].onset_s <= CHORD_GAP_S and note.onset_s - group[0].onset_s <= CHORD_SPAN_S
    return near and all(other.pitch != note.pitch or other.track != note.track for other in group)


def _chord(group: Sequence[Note]) -> Chord:
    return Chord(sum(note.onset_s for note in group) / len(group), tuple(group))


def size_class(notes: int) -> int:
    """0 to 3: one, two, three, more notes."""
    return min(notes, 4) - 1


def bass_low(lowest_pitches: Sequence[int], index: int) -> int:
    """1 where a chord's lowest note is lower than those of the two chords before and the two after it, else 0."""
    lowest = lowest_pitches[index]
    before = lowest_pitches[max(0, index - 2) : index]
    after = lowest_pitches[index + 1 : index + 3]
    return int(all(lowest < other for other in before) and all(lowest < other for other in after))


def length_class(times: npt.NDArray[np.float64], index: int, longest: float) -> int:
    """0 to 3: how many further chords start while the longest note of a chord sounds: none, one, two or three, more."""
    end = times[index] + longest * 0.9
    further = bisect_left(times, end, lo=index + 1) - index - 1
    return 0 if further == 0 else 1 if further == 1 else 2 if further <= 3 else 3


def novelty_class(pitch_classes: Sequence[frozenset[int]], index: int) -> int:
    """0 to 2: how many pitch classes of a chord and the next one were not heard in the four chords before it."""
    new = pitch_classes[index].union(*pitch_classes[index + 1 : index + 2])
    known = frozenset[int]().union(*pitch_classes[max(0, index - 4) : index])
    return min(len(new - known), 2)
