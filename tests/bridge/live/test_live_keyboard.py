"""Every key that goes down comes up again, whatever a reader says."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.live.heard import Heard
from bridge.live.keyboard import Keyboard, Stroke

words = st.builds(
    Heard,
    number=st.integers(0, 12),
    phase=st.sampled_from(["provisional", "confirmed", "corrected", "withdrawn"]),
    pitch=st.integers(58, 63),
    onset_s=st.floats(0, 10),
    offset_s=st.none() | st.floats(10, 20),
    velocity=st.integers(1, 127),
    confidence=st.floats(0, 1),
)


def heard(number: int, phase: str, pitch: int = 60, offset_s: float | None = None) -> Heard:
    return Heard(number, phase, pitch, 1.0, offset_s, 80, 0.9)  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(st.lists(words | st.floats(0, 3), max_size=60), st.booleans())
def test_each_stroke_down_is_followed_by_one_up(events: list[Heard | float], early: bool) -> None:
    keyboard = Keyboard(early=early)
    now_s = 10.0
    strokes: list[Stroke] = []
    for event in events:
        if isinstance(event, float):
            now_s += event
            strokes += keyboard.due(now_s)
        else:
            strokes += keyboard.take(event, now_s)
    strokes += keyboard.release_all()
    down: set[int] = set()
    for stroke in strokes:
        if stroke.velocity:
            assert stroke.pitch not in down
            down.add(stroke.pitch)
        else:
            assert stroke.pitch in down
            down.remove(stroke.pitch)
    assert not down
    assert not keyboard.down


def test_a_note_sounds_from_its_first_word_to_its_end() -> None:
    keyboard = Keyboard()
    assert keyboard.take(heard(0, "provisional"), 1.1) == [Stroke(60, 80)]
    assert keyboard.take(heard(0, "confirmed"), 1.2) == []
    assert keyboard.take(heard(0, "corrected", offset_s=2.0), 2.1) == [Stroke(60, 0)]
    assert keyboard.take(heard(0, "corrected", offset_s=2.1), 2.2) == []


def test_a_careful_keyboard_waits_until_a_note_is_confirmed() -> None:
    keyboard = Keyboard(early=False)
    assert keyboard.take(heard(0, "provisional"), 1.1) == []
    assert keyboard.take(heard(0, "confirmed"), 1.2) == [Stroke(60, 80)]


def test_a_note_that_was_none_is_silenced() -> None:
    keyboard = Keyboard()
    keyboard.take(heard(0, "provisional"), 1.1)
    assert keyboard.take(heard(0, "withdrawn"), 1.2) == [Stroke(60, 0)]
    assert keyboard.take(heard(0, "confirmed"), 1.3) == []


def test_a_corrected_pitch_moves_the_key() -> None:
    keyboard = Keyboard()
    keyboard.take(heard(0, "provisional"), 1.1)
    assert keyboard.take(heard(0, "corrected", pitch=72), 1.2) == [Stroke(60, 0), Stroke(72, 80)]


def test_a_note_struck_again_is_let_up_first_and_its_old_end_does_not_end_it() -> None:
    keyboard = Keyboard()
    keyboard.take(heard(0, "provisional"), 1.1)
    assert keyboard.take(heard(1, "provisional"), 1.5) == [Stroke(60, 0), Stroke(60, 80)]
    assert keyboard.take(heard(0, "corrected", offset_s=1.5), 1.6) == []
    assert keyboard.down == {60}


def test_a_note_that_was_heard_whole_sounds_for_its_length() -> None:
    keyboard = Keyboard()
    assert keyboard.take(heard(0, "confirmed", offset_s=1.25), 1.4) == [Stroke(60, 80)]
    assert keyboard.due(1.6) == []
    assert keyboard.due(1.66) == [Stroke(60, 0)]


def test_many_hours_of_notes_leave_nothing_behind() -> None:
    keyboard = Keyboard()
    for number in range(20_000):
        keyboard.take(heard(number, "provisional", pitch=number % 128), 1.0)
        keyboard.take(heard(number, "corrected", pitch=number % 128, offset_s=1.1), 1.2)
    assert len(keyboard._played) <= 4096
    assert not keyboard._held
