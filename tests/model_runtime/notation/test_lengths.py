"""Lengths that read well and agree with the key."""

from __future__ import annotations

from fractions import Fraction

from model_runtime.modality import Note
from model_runtime.notation.lengths import PlacedNote, end_before_same_pitch, find_lengths


def lengths(*notes: tuple[float, float, int], pedal: bool = False) -> list[Fraction]:
    """Lengths of notes from (onset in quarters, held quarters, pitch) at 60 quarters a minute."""
    placed = [PlacedNote(Fraction(on), Note(on, on + held, pitch)) for on, held, pitch in notes]
    find_lengths(placed, float, lambda time_s: pedal, Fraction(1))
    return [note.duration for note in placed]


def test_a_note_lasts_until_the_next_one() -> None:
    assert lengths((0, 0.9, 60), (1, 0.45, 62), (1.5, 0.5, 64), (2, 1.9, 65)) == [1, Fraction(1, 2), Fraction(1, 2), 2]


def test_a_clearly_short_note_before_a_long_gap_is_followed_by_a_rest() -> None:
    assert lengths((0, 0.95, 60), (4, 1, 62))[0] == 1


def test_a_held_note_lasts_over_those_that_start_meanwhile() -> None:
    assert lengths((0, 1.98, 48), (0.5, 0.5, 60), (1, 0.5, 62), (1.5, 0.5, 64), (2, 1, 50))[0] == 2


def test_notes_of_a_chord_share_a_length_unless_one_is_held() -> None:
    assert lengths((0, 0.9, 60), (0, 0.8, 64), (0, 1.0, 67), (1, 1, 65))[:3] == [1, 1, 1]
    assert lengths((0, 1.95, 48), (0, 0.9, 67), (1, 0.95, 69), (2, 1, 71))[:2] == [2, 1]


def test_two_of_one_pitch_become_one_and_an_overlap_is_cut() -> None:
    first = PlacedNote(Fraction(0), Note(0, 1, 60), duration=Fraction(2))
    twin = PlacedNote(Fraction(0), Note(0, 1, 60), duration=Fraction(1))
    later = PlacedNote(Fraction(1), Note(1, 2, 60), duration=Fraction(1))
    kept = end_before_same_pitch([first, twin, later])
    assert [(note.onset, note.duration) for note in kept] == [(0, 1), (1, 1)]
