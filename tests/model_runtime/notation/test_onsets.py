"""Chords out of onsets, and what is heard of them."""

from __future__ import annotations

import numpy as np

from model_runtime.modality import Note
from model_runtime.notation.onsets import bass_low, gather_chords, length_class, novelty_class, size_class


def test_notes_within_a_chords_spread_belong_together() -> None:
    notes = [Note(0.0, 1, 48), Note(0.015, 1, 60), Note(0.03, 1, 64), Note(0.2, 1, 67)]
    assert [len(chord.notes) for chord in gather_chords(notes)] == [3, 1]


def test_a_repeated_key_starts_a_new_chord() -> None:
    assert len(gather_chords([Note(0.0, 0.01, 60), Note(0.015, 1, 60)])) == 2


def test_what_is_heard_of_a_chord() -> None:
    assert [size_class(n) for n in (1, 2, 3, 4, 9)] == [0, 1, 2, 3, 3]
    assert [bass_low([60, 55, 40, 52, 58], i) for i in range(5)] == [0, 0, 1, 0, 0]
    assert [length_class(np.arange(8.0), 0, length) for length in (1.0, 2.0, 3.0, 6.0)] == [0, 1, 2, 3]
    harmony = [frozenset({0}), frozenset({4}), frozenset({7}), frozenset({2}), frozenset({11})]
    assert [novelty_class(harmony, i) for i in (0, 3, 4)] == [2, 2, 1]
