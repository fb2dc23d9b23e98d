"""Engraving practice: which lengths one symbol may show where, and how notes and rests are cut."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import pairwise

import pytest

from model_runtime.notation.durations import (
    NOTE_VALUES,
    SHORTEST,
    TICKS_PER_QUARTER,
    meter_grid,
    nearest_writable,
)


def ticks(quarters: float) -> int:
    return round(quarters * TICKS_PER_QUARTER)


def shown(pieces: tuple[tuple[int, int], ...]) -> str:
    """Pieces as words, for instance "quarter. eighth"."""
    values = [NOTE_VALUES[end - start] for start, end in pieces]
    return " ".join(kind + "." * dots for kind, dots in values)


@pytest.mark.parametrize(
    ("meter", "start", "end", "expected"),
    [
        ((4, 4), 0, 4, "whole"),
        ((4, 4), 0, 3, "half."),
        ((4, 4), 0, 1.5, "quarter."),
        ((4, 4), 0.5, 1.5, "quarter"),  # an ordinary syncopation
        ((4, 4), 1, 3, "half"),  # so is this one
        ((4, 4), 1, 2.5, "quarter eighth"),  # the middle of the measure must be seen
        ((4, 4), 1.5, 2.5, "eighth eighth"),
        ((4, 4), 0.5, 3, "quarter. quarter"),
        ((4, 4), 0, 2.5, "half eighth"),
        ((4, 4), 0, 1.75, "quarter.."),
        ((4, 4), 0.75, 1.5, "16th eighth"),
        ((4, 4), 0.25, 0.75, "eighth"),
        ((3, 4), 0, 3, "half."),
        ((3, 4), 1, 3, "half"),
        ((3, 4), 0, 1.5, "quarter."),
        ((3, 4), 0.5, 2.5, "quarter. eighth"),
        ((6, 8), 0, 3, "half."),
        ((6, 8), 0, 2, "quarter. eighth"),  # the second beat of 6/8 must be seen
        ((6, 8), 1, 2, "eighth eighth"),
        ((6, 8), 0.5, 1.5, "quarter"),
        ((9, 8), 0, 4.5, "half. quarter."),
        ((12, 8), 0, 6, "whole."),
        ((5, 4), 0, 5, "half. half"),
        ((2, 2), 0, 4, "whole"),
    ],
)
def test_a_note_is_cut_where_it_would_hide_a_beat(
    meter: tuple[int, int], start: float, end: float, expected: str
) -> None:
    assert shown(meter_grid(*meter).note_pieces(ticks(start), ticks(end))) == expected


@pytest.mark.parametrize(
    ("meter", "start", "end", "expected"),
    [
        ((4, 4), 0, 2, "half"),
        ((4, 4), 1, 3, "quarter quarter"),
        ((4, 4), 1, 4, "quarter half"),
        ((4, 4), 0.5, 4, "eighth quarter half"),
        ((4, 4), 0, 1.5, "quarter eighth"),
        ((3, 4), 0, 2, "quarter quarter"),
        ((3, 4), 1, 3, "quarter quarter"),
        ((6, 8), 0, 1.5, "quarter."),
        ((6, 8), 0, 1, "quarter"),
        ((6, 8), 0.5, 1.5, "eighth eighth"),
        ((6, 8), 0.5, 3, "eighth eighth quarter."),
        ((9, 8), 0, 3, "quarter. quarter."),
    ],
)
def test_a_rest_fills_whole_beats_or_parts_of_one(
    meter: tuple[int, int], start: float, end: float, expected: str
) -> None:
    assert shown(meter_grid(*meter).rest_pieces(ticks(start), ticks(end))) == expected


@pytest.mark.parametrize("numerator", range(1, 18))
@pytest.mark.parametrize("denominator", [1, 2, 4, 8, 16, 32, 64])
def test_every_stretch_of_every_metre_can_be_shown(numerator: int, denominator: int) -> None:
    grid = meter_grid(numerator, denominator)
    step = grid.unit // 2 if numerator < 10 else grid.unit
    for start in range(0, grid.length, step):
        for end in range(start + step, grid.length + 1, step):
            for pieces in (grid.note_pieces(start, end), grid.rest_pieces(start, end)):
                assert pieces[0][0] == start
                assert pieces[-1][1] == end
                assert all(a[1] == b[0] for a, b in pairwise(pieces))
                assert all(b - a in NOTE_VALUES for a, b in pieces)


@pytest.mark.parametrize("position", [F(1, 3), F(7, 64), F(2, 5), F(3, 7), F(5, 9), F(1, 15), F(1, 105), F(11, 48)])
def test_positions_of_tuplets_are_exact(position: F) -> None:
    assert F(nearest_writable(position), TICKS_PER_QUARTER) == position


@pytest.mark.parametrize("position", [F(1, 11), F(1, 13), F(1, 1000), F(12345, 65537), F(1, 6720)])
def test_other_positions_move_by_less_than_a_hundredth_of_a_quarter(position: F) -> None:
    moved = F(nearest_writable(position), TICKS_PER_QUARTER)
    assert moved != position
    assert abs(moved - position) < F(1, 100)


def test_the_shortest_note_has_a_name() -> None:
    assert NOTE_VALUES[SHORTEST] == ("1024th", 0)
