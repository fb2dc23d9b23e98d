"""A second reading of the same sound confirms, moves, adds and takes back what the first one told of."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.listening import HeardNote
from model_runtime.unified.audio_steps import LATE_STEPS, STEP_S, moment_s, step_of
from model_runtime.unified.note_picking import Picked, PickedNote
from model_runtime.unified.second_reading import NEAR_S, SecondReading

LATER_S = LATE_STEPS * STEP_S


def note(number: int, onset_s: float, pitch: int = 60, offset_s: float | None = None, velocity: int = 70) -> PickedNote:
    return PickedNote(number, pitch, onset_s, velocity, 0.8, offset_s)


def told(words: list[HeardNote]) -> list[tuple[int, str, float, float | None]]:
    return [(word.number, word.phase, word.onset_s, word.offset_s) for word in words]


def step_at(time_s: float) -> int:
    return int(step_of(time_s))


def test_a_guess_is_confirmed_where_the_second_reading_heard_it() -> None:
    reading = SecondReading()
    assert told(reading.early(Picked(rising=[note(0, 1.03)]))) == [(0, "provisional", 1.03, None)]
    assert reading.early(Picked(struck=[note(0, 1.01)])) == []
    assert told(reading.late(Picked(struck=[note(0, 1.0)]), step_at(1.02))) == [(0, "confirmed", 1.0, None)]
    assert told(reading.early(Picked(ended=[note(0, 1.01, offset_s=2.0)]))) == [(0, "corrected", 1.0, 2.0)]
    assert told(reading.late(Picked(ended=[note(0, 1.0, offset_s=2.1)]), step_at(2.1))) == [(0, "corrected", 1.0, 2.1)]
    assert reading.finish() == []


def test_a_guess_that_the_second_reading_does_not_share_is_withdrawn_once() -> None:
    reading = SecondReading()
    reading.early(Picked(struck=[note(0, 1.0)]))
    assert reading.late(Picked(), step_at(1.0 + NEAR_S)) == []  # it may still be heard
    assert told(reading.late(Picked(), step_at(1.0 + NEAR_S) + 3)) == [(0, "withdrawn", 1.0, None)]
    assert reading.early(Picked(ended=[note(0, 1.0, offset_s=1.6)])) == []
    assert reading.finish() == []


def test_what_only_the_second_reading_hears_is_added_with_a_number_of_its_own() -> None:
    reading = SecondReading()
    reading.early(Picked(struck=[note(0, 1.0, pitch=60)]))
    words = reading.late(Picked(struck=[note(0, 1.0, pitch=64), note(1, 1.0, pitch=60)]), step_at(1.02))
    assert told(words) == [(1, "confirmed", 1.0, None), (0, "confirmed", 1.0, None)]
    assert [word.pitch for word in words] == [64, 60]


def test_the_end_of_a_short_note_is_known_before_it_is_confirmed() -> None:
    reading = SecondReading()
    reading.early(Picked(struck=[note(0, 1.0)]))
    assert told(reading.early(Picked(ended=[note(0, 1.0, offset_s=1.08)]))) == [(0, "provisional", 1.0, 1.08)]
    assert told(reading.late(Picked(struck=[note(0, 1.01)]), step_at(1.02))) == [(0, "confirmed", 1.01, 1.08)]
    assert told(reading.late(Picked(ended=[note(0, 1.01, offset_s=1.1)]), step_at(1.1))) == [
        (0, "corrected", 1.01, 1.1)
    ]


def test_of_a_repeated_key_each_stroke_is_confirmed_by_the_nearest() -> None:
    reading = SecondReading()
    reading.early(Picked(struck=[note(0, 1.0)]))
    reading.early(Picked(ended=[note(0, 1.0, offset_s=1.06)], struck=[note(1, 1.06)]))
    assert told(reading.late(Picked(struck=[note(0, 1.05)]), step_at(1.05))) == [(1, "confirmed", 1.05, None)]


def test_at_the_end_nothing_stays_provisional() -> None:
    reading = SecondReading()
    reading.early(Picked(struck=[note(0, 1.0), note(1, 1.0, pitch=64)]))
    reading.late(Picked(struck=[note(0, 1.0)]), step_at(1.02))
    assert told(reading.finish()) == [(1, "withdrawn", 1.0, None)]


strokes = st.lists(st.tuples(st.integers(0, 60), st.integers(60, 63), st.integers(1, 20)), max_size=30)


def picked_of(events: list[tuple[int, int, int]], later_s: float) -> dict[int, Picked]:
    """What a reading picks at each step that hears strokes (step, pitch, length), a key at a time, ends included."""
    found: dict[int, Picked] = {}
    free: dict[int, int] = {}
    for number, (at, pitch, length) in enumerate(sorted(set(events))):
        if at < free.get(pitch, 0):
            continue
        free[pitch] = at + length + 1
        known = note(number, moment_s(at), pitch)
        ended = note(number, moment_s(at), pitch, moment_s(at + length))
        shift = round(later_s / STEP_S)
        found.setdefault(at + 1 + shift, Picked()).struck.append(known)
        found.setdefault(at + length + 2 + shift, Picked()).ended.append(ended)
    return found


@settings(max_examples=200, deadline=None)
@given(early=strokes, late=strokes)
def test_whatever_the_first_reading_says_the_second_ones_notes_are_kept(
    early: list[tuple[int, int, int]], late: list[tuple[int, int, int]]
) -> None:
    reading, words = SecondReading(), []
    first, second = picked_of(early, 0.0), picked_of(late, LATER_S)
    for step in range(110):
        words += reading.early(first.get(step, Picked()))
        words += reading.late(second.get(step, Picked()), step - LATE_STEPS)
    words += reading.finish()
    last = {word.number: word for word in words}
    kept = sorted((w.pitch, w.onset_s, w.offset_s) for w in last.values() if w.phase != "withdrawn")
    wanted = sorted((n.pitch, n.onset_s, n.offset_s) for picked in second.values() for n in picked.ended)
    assert kept == wanted
    assert not any(word.phase == "provisional" for word in last.values())
    for number in last:
        phases = [word.phase for word in words if word.number == number]
        assert phases.count("confirmed") + phases.count("withdrawn") == 1
        settled = next(i for i, phase in enumerate(phases) if phase in ("confirmed", "withdrawn"))
        assert set(phases[:settled]) <= {"provisional"} and set(phases[settled + 1 :]) <= {"corrected"}
    assert not reading._early and not reading._late and not reading._waiting  # nothing is kept
