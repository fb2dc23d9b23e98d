"""The tempo map leads from seconds to quarter notes and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.errors import InvalidValue
from model_runtime.options import MeterOption, TempoMapOption
from model_runtime.tempo import KeySignature, Meter, TempoMap

steps = st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.05, 4)), min_size=1, max_size=20)


@given(steps, st.floats(-5, 60))
def test_there_and_back_is_the_same_moment(increments: list[tuple[float, float]], time_s: float):
    times, quarters = np.cumsum([(0.0, 0.0), *increments], axis=0).T
    tempo_map = TempoMap(tuple(times), tuple(quarters))
    assert tempo_map.time_at(tempo_map.quarter_at(time_s)) == pytest.approx(time_s, abs=1e-6)


@given(steps, st.lists(st.floats(-5, 60), min_size=1, max_size=10))
def test_arrays_give_what_single_values_give(increments: list[tuple[float, float]], times_s: list[float]):
    times, quarters = np.cumsum([(0.0, 0.0), *increments], axis=0).T
    tempo_map = TempoMap(tuple(times), tuple(quarters))
    assert tempo_map.quarters_at(times_s) == pytest.approx([tempo_map.quarter_at(t) for t in times_s])
    assert tempo_map.times_at(times_s) == pytest.approx([tempo_map.time_at(q) for q in times_s])


def test_a_constant_tempo_goes_on_beyond_its_points():
    tempo_map = TempoMap.constant(120)
    assert tempo_map.quarter_at(10.0) == pytest.approx(20.0)
    assert tempo_map.quarter_at(-1.0) == pytest.approx(-2.0)
    assert tempo_map.quarters_per_minute_at(3.0) == pytest.approx(120)


@pytest.mark.parametrize(
    ("times", "quarters"), [((0.0,), (0.0,)), ((0.0, 0.0), (0.0, 1.0)), ((0.0, 1.0), (1.0, 0.5)), ((0.0, 1.0), (0.0,))]
)
def test_a_map_that_stands_still_or_runs_backwards_is_refused(times: tuple[float, ...], quarters: tuple[float, ...]):
    with pytest.raises(InvalidValue):
        TempoMap(times, quarters)


def test_nonsense_is_refused_with_a_sentence():
    with pytest.raises(InvalidValue, match="not a tempo"):
        TempoMap.constant(float("nan"))
    with pytest.raises(InvalidValue, match="not a number"):
        TempoMap((0.0, float("inf")), (0.0, 1.0))
    with pytest.raises(InvalidValue, match="not a time signature"):
        TempoMap.constant(120, [Meter(0, 4, 3)])
    with pytest.raises(InvalidValue, match="accidentals"):
        TempoMap((0.0, 1.0), (0.0, 1.0), keys=(KeySignature(0, 9),))


def test_the_option_becomes_the_map():
    tempo_map = TempoMapOption(points=[(0, 0), (1, 2)], meters=[MeterOption(numerator=3)]).tempo_map()
    assert tempo_map.quarters_per_minute_at(0) == pytest.approx(120)
    assert tempo_map.meters[0].measure_quarters == 3
    assert TempoMapOption(bpm=90).tempo_map().quarters_per_minute_at(5) == pytest.approx(90)
