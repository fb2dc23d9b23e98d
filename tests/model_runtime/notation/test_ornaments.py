"""Ornaments are gathered, written-out notes are not."""

from __future__ import annotations

from model_runtime.modality import Note
from model_runtime.notation.ornaments import gather_ornaments, without_ghosts


def fast(pitches: list[int], step_s: float, start_s: float = 1.0) -> list[Note]:
    return [Note(start_s + step_s * i, start_s + step_s * (i + 0.9), pitch) for i, pitch in enumerate(pitches)]


def test_a_fast_alternation_of_neighbours_is_a_trill_of_the_lower() -> None:
    ((note, ornament),) = gather_ornaments(fast([74, 72] * 5, 0.08))
    assert (note.pitch, ornament, note.onset_s) == (72, "trill", 1.0)


def test_a_slow_alternation_stays_as_played() -> None:
    assert [ornament for _, ornament in gather_ornaments(fast([74, 72] * 5, 0.2))] == [""] * 10


def test_a_scale_is_no_trill() -> None:
    assert len(gather_ornaments(fast(list(range(60, 72)), 0.08))) == 12


def test_a_fast_repetition_is_a_tremolo() -> None:
    ((note, ornament),) = gather_ornaments(fast([38] * 12, 0.06))
    assert (note.pitch, ornament) == (38, "tremolo")


def test_a_lower_neighbour_in_passing_is_a_mordent() -> None:
    notes = [Note(1.0, 1.06, 67), Note(1.07, 1.13, 65), Note(1.14, 1.9, 67)]
    ((note, ornament),) = gather_ornaments(notes)
    assert (note.pitch, note.onset_s, note.offset_s, ornament) == (67, 1.0, 1.9, "mordent")


def test_tracks_do_not_trill_together() -> None:
    notes = [Note(1 + 0.08 * i, 1 + 0.08 * i + 0.07, 72 + 2 * (i % 2), track=i % 2) for i in range(5)]
    assert all(ornament == "" for _, ornament in gather_ornaments(notes))


def test_a_doubled_key_is_one_note_and_a_ghost_is_none() -> None:
    notes = [Note(0.0, 0.5, 60), Note(0.01, 0.7, 60), Note(1.0, 1.01, 90, 5), Note(1.0, 1.01, 50, 90)]
    assert without_ghosts(notes) == [Note(0.0, 0.7, 60), Note(1.0, 1.01, 50, 90)]
