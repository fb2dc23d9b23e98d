"""The pedal in seconds and on the grid."""

from __future__ import annotations

from fractions import Fraction

from model_runtime.modality import Control
from model_runtime.notation.pedals import down_at, pedal_spans, pedals_on_grid


def test_a_pedal_is_down_from_sixty_four() -> None:
    controls = [Control(0.0, 64, 63), Control(1.0, 64, 64), Control(1.5, 64, 127), Control(2.0, 64, 10)]
    assert pedal_spans(controls, 5.0) == [(1.0, 2.0)]


def test_a_pedal_that_is_never_lifted_ends_with_the_music() -> None:
    assert pedal_spans([Control(1.0, 64, 127)], 5.0) == [(1.0, 5.0)]


def test_other_controllers_are_no_pedal() -> None:
    assert pedal_spans([Control(1.0, 67, 127), Control(2.0, 1, 127)], 5.0) == []


def test_down_at_knows_the_gaps() -> None:
    down = down_at([(1.0, 2.0), (3.0, 4.0)])
    assert [down(t) for t in (0.5, 1.0, 1.9, 2.0, 2.5, 3.5, 4.5)] == [False, True, True, False, False, True, False]


def test_marks_lie_on_eighths_and_do_not_overlap() -> None:
    marks = pedals_on_grid([(0.05, 1.02), (1.1, 2.4), (2.41, 2.5)], lambda t: t, Fraction(0))
    assert [(m.onset, m.release) for m in marks] == [(0, 1), (1, Fraction(5, 2))]
