"""What the options ask of a finished performance is done, and nothing is lost by it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.errors import InvalidValue
from model_runtime.modality import SUSTAIN_PEDAL, Control, Note, Performance
from model_runtime.options import MeterOption, Options, TempoMapOption
from model_runtime.performance_edit import edited, quantised, sounding
from model_runtime.tempo import TempoMap


def pedal(*changes: tuple[float, int]) -> tuple[Control, ...]:
    return tuple(Control(time_s, SUSTAIN_PEDAL, value) for time_s, value in changes)


def test_a_note_sounds_until_the_pedal_is_lifted():
    held = sounding(Performance((Note(0.0, 0.5, 60),), pedal((0.1, 127), (2.0, 0))))
    assert held.notes[0].offset_s == 2.0
    assert held.controls == ()


def test_a_note_released_before_the_pedal_goes_down_keeps_its_length():
    assert sounding(Performance((Note(0.0, 0.5, 60),), pedal((0.6, 127), (2.0, 0)))).notes[0].offset_s == 0.5


def test_a_key_struck_again_under_the_pedal_ends_the_first_note():
    held = sounding(Performance((Note(0, 0.5, 60), Note(1, 1.5, 60)), pedal((0.1, 127), (3.0, 0))))
    assert [n.offset_s for n in held.notes] == [1.0, 3.0]


def test_a_half_pressed_pedal_counts_from_64_upwards():
    half = pedal((0.1, 63), (2.0, 0))
    assert sounding(Performance((Note(0, 0.5, 60),), half)).notes[0].offset_s == 0.5


def test_a_pedal_that_is_never_lifted_ends_with_the_performance():
    held = sounding(Performance((Note(0, 0.5, 60), Note(1, 4, 64)), pedal((0.1, 127))))
    assert held.notes[0].offset_s == 4.0


def test_other_controllers_and_other_channels_stay_as_they_are():
    modulation = Control(0.2, 1, 90)
    performance = Performance((Note(0, 0.5, 60, channel=1),), (modulation, *pedal((0.1, 127), (2.0, 0))))
    result = sounding(performance)
    assert result.notes == performance.notes
    assert result.controls == (modulation,)


def test_full_strength_puts_onsets_on_the_grid_and_half_strength_half_way():
    performance = Performance((Note(0.04, 0.3, 60), Note(0.46, 0.8, 62)), tempo_map=TempoMap.constant(120))
    full = quantised(performance, Options(quantise="1/8", quantise_strength=1.0))
    half = quantised(performance, Options(quantise="1/8", quantise_strength=0.5))
    assert [n.onset_s for n in full.notes] == pytest.approx([0.0, 0.5])
    assert [n.onset_s for n in half.notes] == pytest.approx([0.02, 0.48])
    assert [n.duration_s for n in full.notes] == pytest.approx([0.26, 0.34])


def test_the_tempo_map_of_the_options_wins_over_the_performances_own():
    performance = Performance((Note(0.9, 1.2, 60),), tempo_map=TempoMap.constant(120))
    host = TempoMapOption(bpm=60, meters=[MeterOption()])
    moved = quantised(performance, Options(quantise="1/4", quantise_strength=1.0, tempo_map=host))
    assert moved.notes[0].onset_s == pytest.approx(1.0)


def test_quantising_without_beats_says_what_is_missing():
    with pytest.raises(InvalidValue, match="where the beats are"):
        edited(Performance((Note(0, 1, 60),)), Options(quantise_strength=1.0))


def test_nothing_asked_nothing_changed():
    performance = Performance((Note(0.013, 0.5, 60),), pedal((0.1, 127), (2.0, 0)))
    assert edited(performance, Options()) == performance


notes = st.builds(
    lambda onset, length, pitch: Note(onset, onset + length, pitch),
    st.floats(0, 20),
    st.floats(0.01, 3),
    st.integers(40, 44),
)


@given(st.lists(notes, max_size=30), st.lists(st.tuples(st.floats(0, 25), st.integers(0, 127)), max_size=10))
def test_sounding_never_loses_or_shortens_a_note(played: list[Note], changes: list[tuple[float, int]]):
    performance = Performance(tuple(played), pedal(*changes))
    result = sounding(performance)
    assert [(n.onset_s, n.pitch) for n in result.notes] == [(n.onset_s, n.pitch) for n in performance.notes]
    assert all(after.offset_s >= before.offset_s for before, after in zip(performance.notes, result.notes, strict=True))


@given(st.lists(notes, max_size=30), st.floats(0.01, 1))
def test_quantising_leaves_no_key_sounding_twice(played: list[Note], strength: float):
    performance = Performance(tuple(played), tempo_map=TempoMap.constant(97))
    for pitch in range(40, 45):
        same = [n for n in quantised(performance, Options(quantise_strength=strength)).notes if n.pitch == pitch]
        assert all(a.offset_s <= b.onset_s for a, b in itertools.pairwise(same))
