"""Key and enharmonic spelling: which of F♯ and G♭ a pitch is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from model_runtime.notation.quantised import ScoreKey
from model_runtime.notation.stems import PlacedNote

STEPS = "FCGDAEB"  # the line of fifths from F (-1) to B (5)
STEP_PITCH = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def name_of_fifth(fifth: int) -> tuple[str, int]:
    """Letter and alteration of a place on the line of fifths, on which C is 0 and G is 1."""
    return STEPS[(fifth + 1) % 7], (fifth + 1) // 7


def key_alteration(step: str, fifths: int) -> int:
    """What a key signature does to a letter: 1 sharpens it, -1 flattens it."""
    return (fifths - STEPS.index(step) + 6) // 7


def spell(notes: Sequence[PlacedNote], keys: Sequence[tuple[int, int]]) -> None:
    """Set `step`, `alter` and `octave` of every note.

    Args:
        notes: Sorted by onset.
        keys: (from tick, fifths), sorted, at least one.
    """
    index = 0
    for note in notes:
        while index + 1 < len(keys) and keys[index + 1][0] <= note.onset:
            index += 1
        set_name(note, _plain_fifth(note.pitch, keys[index][1]))


def _plain_fifth(pitch: int, fifths: int) -> int:
    """Place on the line of fifths nearest to the key: from its minor third to its raised fourth and fifth."""
    lowest = fifths - 3
    return lowest + (pitch * 7 - lowest) % 12


def set_name(note: PlacedNote, fifth: int) -> None:
    """Write a place on the line of fifths into a note."""
    note.step, note.alter = name_of_fifth(fifth)
    note.octave = (note.pitch - note.alter - STEP_PITCH[note.step]) // 12 - 1


def find_keys(notes: Sequence[PlacedNote]) -> list[tuple[int, ScoreKey]]:
    """The key of the music: (from tick, key)."""
    return [(0, ScoreKey(Fraction(0), 0, ""))]
