"""What was heard is on disk, and reads back as it stood last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.live.heard import Heard
from bridge.live.note_log import ControlChange, NoteLog, read_log


def note(number: int, onset_s: float, offset_s: float | None, phase: str = "confirmed", pitch: int = 60) -> Heard:
    return Heard(number, phase, pitch, onset_s, offset_s, 70, 0.75, 2)  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[NoteLog]:
    made = NoteLog(tmp_path / "a.notes")
    yield made
    made.close()


def test_the_last_word_about_a_note_counts(log: NoteLog) -> None:
    log.add([note(0, 1.0, None), note(1, 0.5, None), note(2, 3.0, None, "provisional")])
    log.add([note(0, 1.0, 1.5, "corrected"), note(1, 0.5, 0.6, "withdrawn")])
    kept = read_log(log.path, 10.0)
    assert kept.notes == (note(0, 1.0, 1.5),)


def test_a_note_that_still_sounds_ends_where_the_session_stands(log: NoteLog) -> None:
    log.add([note(0, 1.0, None), note(1, 9.99, None)])
    assert [n.offset_s for n in read_log(log.path, 10.0).notes] == [10.0, pytest.approx(10.04)]


def test_the_last_seconds_are_what_began_in_them(log: NoteLog) -> None:
    log.add([note(number, float(number), number + 0.5) for number in range(100)])
    assert [n.number for n in read_log(log.path, 100.0, 3.0).notes] == [97, 98, 99]


def test_a_pedal_that_is_down_is_down_at_the_beginning_of_what_is_kept(log: NoteLog) -> None:
    log.add_controls([ControlChange(1.0, 64, 127, 2), ControlChange(2.0, 67, 127, 2), ControlChange(3.0, 67, 0, 2)])
    log.add([note(0, 8.0, 9.0)])
    log.add_controls([ControlChange(8.5, 64, 0, 2)])
    kept = read_log(log.path, 10.0, 5.0)
    assert kept.controls == (ControlChange(5.0, 64, 127, 2), ControlChange(8.5, 64, 0, 2))


def test_a_log_that_was_cut_in_the_middle_of_a_word_is_read_up_to_there(log: NoteLog) -> None:
    log.add([note(number, float(number), number + 0.5) for number in range(5000)])
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-11])
    assert len(read_log(log.path, 6000.0).notes) == 4999
