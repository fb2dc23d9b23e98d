"""Few tempo marks, where they are worth reading."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from model_runtime.notation.tempo_marks import tempo_marks

BARLINES = [Fraction(4 * i) for i in range(25)]


def times_of(tempos: list[float]) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum([240.0 / tempo for tempo in tempos])])


def test_an_uneven_tempo_has_one_mark() -> None:
    tempos = [100.0 + 8.0 * (-1) ** i for i in range(24)]
    assert [mark.onset for mark in tempo_marks(BARLINES, times_of(tempos))] == [0]


def test_a_lasting_change_has_a_mark_of_its_own() -> None:
    marks = tempo_marks(BARLINES, times_of([100.0] * 12 + [150.0] * 12))
    assert [(m.onset, m.quarters_per_minute) for m in marks] == [(0, 100.0), (48, 150.0)]


def test_a_ritardando_of_two_measures_has_none() -> None:
    marks = tempo_marks(BARLINES, times_of([100.0] * 10 + [60.0] * 2 + [100.0] * 12))
    assert len(marks) == 1
