"""Tuplets stand where they are needed, and are the ones that a reader expects."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import pairwise

import pytest

from model_runtime.notation.durations import TICKS_PER_QUARTER, meter_grid
from model_runtime.notation.tuplets import Event, Tuplet, Unwritable, plan_tuplets, stretches


def events(*lengths: F | int) -> list[Event]:
    """Chords of these lengths, in quarters, one after the other."""
    result, at = [], F(0)
    for index, length in enumerate(lengths):
        result.append(Event(int(at * TICKS_PER_QUARTER), int((at + length) * TICKS_PER_QUARTER), index))
        at += length
    return result


def planned(meter: tuple[int, int], *lengths: F | int) -> list[tuple[F, F, int, int]]:
    """(start, end, actual, normal) of the tuplets, in quarters."""
    found = plan_tuplets(meter_grid(*meter), events(*lengths))
    return [(F(t.start, TICKS_PER_QUARTER), F(t.end, TICKS_PER_QUARTER), t.actual, t.normal) for t in found]


def test_a_measure_of_halved_values_has_none() -> None:
    assert planned((4, 4), F(3, 2), F(1, 4), F(1, 4), 2) == []


def test_triplets_of_eighths_are_bracketed_beat_by_beat() -> None:
    assert planned((4, 4), *[F(1, 3)] * 6, 2) == [(0, 1, 3, 2), (1, 2, 3, 2)]


def test_a_triplet_of_quarters_spans_two_beats() -> None:
    assert planned((4, 4), *[F(2, 3)] * 3, 2) == [(0, 2, 3, 2)]


def test_a_triplet_of_halves_spans_the_measure() -> None:
    assert planned((4, 4), *[F(4, 3)] * 3) == [(0, 4, 3, 2)]


def test_a_triplet_of_quarters_may_fill_the_last_two_beats_of_three() -> None:
    assert planned((3, 4), 1, *[F(2, 3)] * 3) == [(1, 3, 3, 2)]


def test_six_sixteenths_share_one_bracket() -> None:
    assert planned((2, 4), *[F(1, 6)] * 6, 1) == [(0, 1, 3, 2)]


def test_a_triplet_in_half_a_beat_leaves_the_other_half_alone() -> None:
    assert planned((2, 4), *[F(1, 6)] * 3, F(1, 2), 1) == [(0, F(1, 2), 3, 2)]


@pytest.mark.parametrize("count", [5, 7, 9])
def test_other_numbers_keep_their_note_values(count: int) -> None:
    normal = {5: 4, 7: 4, 9: 8}[count]
    assert planned((4, 4), *[F(1, count)] * count, 3) == [(0, 1, count, normal)]


def test_a_beat_of_six_eight_is_divided_by_five_in_the_time_of_three() -> None:
    assert planned((6, 8), *[F(3, 10)] * 5, F(3, 2)) == [(0, F(3, 2), 5, 3)]


def test_different_divisions_in_one_beat_are_all_reached_without_overlap() -> None:
    tuplets = planned((2, 4), F(1, 3), F(1, 15), F(3, 5), 1)
    assert all(any(start < edge < end for start, end, _, _ in tuplets) for edge in (F(1, 3), F(2, 5)))
    assert all(before[1] <= after[0] for before, after in pairwise(tuplets))


def test_a_note_that_leaves_a_tuplet_is_cut_at_its_end() -> None:
    planning = plan_tuplets(meter_grid(2, 4), events(F(1, 3), F(1, 3), F(4, 3)))
    assert [(a, b) for a, b, _ in stretches(planning, 0, 2 * TICKS_PER_QUARTER)] == [
        (0, TICKS_PER_QUARTER),
        (TICKS_PER_QUARTER, 2 * TICKS_PER_QUARTER),
    ]


def test_positions_that_no_bracket_reaches_are_refused() -> None:
    with pytest.raises(Unwritable):
        plan_tuplets(meter_grid(1, 4), [Event(0, 1, 0), Event(1, TICKS_PER_QUARTER, 1)])


def test_written_and_sounding_positions_are_each_others_inverse() -> None:
    tuplet = Tuplet(TICKS_PER_QUARTER, 2 * TICKS_PER_QUARTER, 5, 4)
    for step in range(6):
        written = step * TICKS_PER_QUARTER // 4
        assert tuplet.written(tuplet.sounding(written)) == written
