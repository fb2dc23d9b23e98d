"""Enharmonic spelling: which of F♯ and G♭ a pitch is.

D. Meredith, "The ps13 pitch spelling algorithm", Journal of New Music Research 35 (2006), stage 1: every pitch in a
note's neighbourhood counts as a possible tonic, gives the note the letter that it has in that tonic's chromatic
scale, and the letter with most votes wins. The paper names tonics by the first note; here the key signature names
them, so that a piece in G♭ major is not spelt in F♯.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model_runtime.notation.stems import PlacedNote

FIFTHS = "FCGDAEB"  # the line of fifths from F (-1) to B (5)
LETTERS = "CDEFGAB"
LETTER_PITCH = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

_CONTEXT = 20  # notes before and after that vote
# Letters above the tonic for each interval in semitones: the harmonic chromatic scale.
_LETTERS_ABOVE = np.array([0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6])


def key_alteration(step: str, fifths: int) -> int:
    """What a key signature does to a letter: 1 sharpens it, -1 flattens it."""
    return (fifths - FIFTHS.index(step) + 6) // 7


def spell(notes: Sequence[PlacedNote], keys: Sequence[tuple[int, int]]) -> None:
    """Set `step`, `alter` and `octave` of every note.

    Args:
        notes: Sorted by onset.
        keys: (from tick, fifths), sorted, at least one.
    """
    if not notes:
        return
    starts = [start for start, _ in keys]
    fifths = np.array([keys[max(0, bisect_right(starts, note.onset) - 1)][1] for note in notes])
    classes = np.array([note.pitch % 12 for note in notes])
    letters = _vote(classes, fifths)
    for note, letter, key in zip(notes, letters, fifths, strict=True):
        _name(note, LETTERS[letter], int(key))


def _vote(classes: npt.NDArray[np.int64], fifths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Index into `LETTERS` for each pitch class, shape (n,)."""
    count = len(classes)
    heard = np.zeros((count + 1, 12))
    heard[np.arange(1, count + 1), classes] = 1
    heard = heard.cumsum(axis=0)
    here = np.arange(count)
    context = heard[np.minimum(here + _CONTEXT, count)] - heard[np.maximum(here - _CONTEXT, 0)]  # (n, tonic)
    letters = np.zeros(count, np.int64)
    for key in np.unique(fifths):
        table = _letter_table(int(key))
        mine = np.flatnonzero(fifths == key)
        votes = np.einsum("nt,ntl->nl", context[mine], table[classes[mine]])
        letters[mine] = votes.argmax(axis=1)
    return letters


def _letter_table(fifths: int) -> npt.NDArray[np.float64]:
    """1 where a pitch class has a letter in a tonic's chromatic scale, shape (pitch class, tonic, letter)."""
    table = np.zeros((12, 12, 7))
    for place in range(fifths - 5, fifths + 7):
        tonic, letter = 7 * place % 12, LETTERS.index(FIFTHS[(place + 1) % 7])
        for pitch_class in range(12):
            table[pitch_class, tonic, (letter + _LETTERS_ABOVE[(pitch_class - tonic) % 12]) % 7] = 1
    return table


def _name(note: PlacedNote, letter: str, fifths: int) -> None:
    """Write a letter into a note, unless that would take a double accidental which the key does not ask for."""
    alter = (note.pitch - LETTER_PITCH[letter] + 6) % 12 - 6
    if abs(alter) > 1 and (abs(alter) > 2 or key_alteration(letter, fifths) * alter <= 0):
        lowest = fifths - 3  # from the key's minor third to its raised fourth and fifth
        place = lowest + (note.pitch * 7 - lowest) % 12
        letter = FIFTHS[(place + 1) % 7]
        alter = (place + 1) // 7
    note.step, note.alter = letter, alter
    note.octave = (note.pitch - alter - LETTER_PITCH[letter]) // 12 - 1
