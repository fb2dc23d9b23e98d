"""The frame of beats and barlines."""

from __future__ import annotations

from fractions import Fraction

import pytest

from model_runtime.notation.metre import beat_frame, beat_of, exact_meters
from model_runtime.tempo import Meter, TempoMap


@pytest.mark.parametrize(
    ("meter", "beat", "dotted"),
    [((4, 4), 1, False), ((2, 2), 1, False), ((6, 8), Fraction(3, 2), True), ((5, 8), Fraction(1, 2), False)],
)
def test_the_beat_of_a_metre(meter: tuple[int, int], beat: Fraction, dotted: bool) -> None:
    assert beat_of(*meter) == (beat, dotted)


def test_without_meters_the_music_is_in_four_four() -> None:
    (meter,) = exact_meters(())
    assert (meter.onset, meter.numerator, meter.denominator) == (0, 4, 4)


def test_a_change_between_barlines_moves_to_the_nearest_one() -> None:
    meters = exact_meters((Meter(0.0, 4, 4), Meter(8.9, 3, 4)))
    assert [meter.onset for meter in meters] == [0, 8]


def test_a_change_at_the_same_barline_replaces_the_one_before() -> None:
    meters = exact_meters((Meter(0.0, 4, 4), Meter(0.0, 3, 4)))
    assert [(meter.onset, meter.numerator) for meter in meters] == [(0, 3)]


def test_the_frame_covers_all_notes_and_follows_the_meters() -> None:
    tempo_map = TempoMap.constant(120.0)
    meters = exact_meters((Meter(2.0, 2, 4), Meter(6.0, 6, 8)))
    frame = beat_frame(tempo_map, meters, 0.1, 8.0)
    assert frame.times_s[0] < 0.1
    assert frame.times_s[-1] > 8.0
    assert list(frame.quarters) == sorted(set(frame.quarters))
    assert {Fraction(2), Fraction(3), Fraction(6), Fraction(15, 2)} <= set(frame.quarters)


def test_a_slow_beat_is_counted_in_halves() -> None:
    frame = beat_frame(TempoMap.constant(30.0), exact_meters((Meter(0.0, 4, 4),)), 0.0, 16.0)
    assert frame.quarters[1] - frame.quarters[0] == Fraction(1, 2)
