"""Notes have the source's times, whatever was lost, however fast its samples come."""

from __future__ import annotations

import numpy as np
import pytest
from band import RATE, plucked
from tone_listener import open_listener

from bridge.live.heard import Heard
from bridge.live.hearing import MidiHearing, SoundHearing
from bridge.live.note_log import ControlChange
from bridge.live.sources.base import Block, MidiEvent

NOTES = [(0.3, 64, 0.3), (1.0, 67, 0.3), (1.7, 72, 0.3)]


def confirmed(heard: list[Heard]) -> list[tuple[int, float]]:
    return [(note.pitch, note.onset_s) for note in heard if note.phase == "confirmed"]


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_notes_lie_where_they_were_played(rate: int) -> None:
    hearing = SoundHearing(open_listener)
    heard = hearing.take([Block(plucked(NOTES, 2.2, rate), 50.0)], rate) + hearing.finish()
    assert [pitch for pitch, _ in confirmed(heard)] == [64, 67, 72]
    for (_, onset_s), (played_s, _, _) in zip(confirmed(heard), NOTES, strict=True):
        assert onset_s == pytest.approx(played_s, abs=0.07)
    assert hearing.position_s == pytest.approx(2.2)


def test_what_is_missing_keeps_its_place_in_the_times() -> None:
    hearing = SoundHearing(open_listener)
    sound = plucked(NOTES, 2.2)
    gap = int(0.2 * RATE)  # between the first two notes
    begin, rest = sound[: int(0.7 * RATE)], sound[int(0.7 * RATE) + gap :]
    heard = hearing.take([Block(begin, 50.7), Block(rest, 52.2, skipped=gap)], RATE) + hearing.finish()
    for (_, onset_s), (played_s, _, _) in zip(confirmed(heard), NOTES, strict=True):
        assert onset_s == pytest.approx(played_s, abs=0.07)
    assert hearing.position_s == pytest.approx(2.2)


def test_a_sender_that_changes_its_rate_stays_on_one_clock() -> None:
    hearing = SoundHearing(open_listener)
    heard = hearing.take([Block(plucked(NOTES[:1], 0.8), 50.8)], RATE)
    later = plucked([(0.2, 67, 0.3)], 1.0, 44_100)
    heard += hearing.take([Block(later, 51.8)], 44_100) + hearing.finish()
    assert confirmed(heard)[1] == (67, pytest.approx(1.0, abs=0.07))


def test_an_hour_of_losses_is_not_remembered() -> None:
    hearing = SoundHearing(open_listener)
    for number in range(3600):
        hearing._samples += RATE
        hearing._from_rate = RATE
        hearing._jump(0.006)
        hearing.latency.arrived(hearing.position_s, float(number))
    assert hearing.position_s == pytest.approx(3600 * 1.006)
    assert len(hearing._jumps) < 70


def test_latency_is_from_the_arrival_of_the_sound_that_holds_the_onset() -> None:
    hearing = SoundHearing(open_listener)
    for number in range(10):
        hearing.take([Block(np.zeros(4800, np.float32), 50.0 + 0.1 * number)], RATE)
    assert hearing.latency.told(0.35, 50.5) == pytest.approx(0.2)
    assert hearing.latency.told(5.0, 50.5) is None
    assert hearing.latency.summary(50.5) == (pytest.approx(0.2), pytest.approx(0.2))
    assert hearing.latency.summary(200.0) == (None, None)


def test_midi_is_certain_and_keys_that_are_held_end_with_the_session() -> None:
    hearing = MidiHearing()
    messages = [(0.0, "903c50"), (0.5, "904064"), (0.7, "903c00"), (0.8, "b0407f"), (0.9, "904050"), (1.0, "f8")]
    heard = hearing.take([MidiEvent(bytes.fromhex(data), 9.0 + time_s) for time_s, data in messages], 0)
    ends = hearing.finish()
    assert [(n.number, n.phase, n.pitch, n.offset_s and round(n.offset_s, 3)) for n in heard + ends] == [
        (0, "confirmed", 60, None),
        (1, "confirmed", 64, None),
        (0, "corrected", 60, 0.7),
        (1, "corrected", 64, 0.9),  # struck again
        (2, "confirmed", 64, None),
        (2, "corrected", 64, 1.0),
    ]
    assert hearing.controls == [ControlChange(pytest.approx(0.8), 64, 127, 0)]
