"""Pitches get the names that their key and neighbours give them."""

from __future__ import annotations

import pytest

from model_runtime.notation.keys import find_key
from model_runtime.notation.spelling import key_alteration, spell
from model_runtime.notation.stems import PlacedNote

SIGNS = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}
MAJOR = [0, 2, 4, 5, 7, 9, 11, 12]
HARMONIC_MINOR = [0, 2, 3, 5, 7, 8, 11, 12]


def line(*pitches: int) -> list[PlacedNote]:
    """One note after the other."""
    return [PlacedNote(i * 1000, (i + 1) * 1000, pitch, 80, 0) for i, pitch in enumerate(pitches)]


def names(notes: list[PlacedNote], fifths: int) -> str:
    spell(notes, [(0, fifths)])
    return " ".join(note.step + SIGNS[note.alter] for note in notes)


def test_a_scale_is_spelt_in_its_key_signature() -> None:
    assert names(line(*(61 + step for step in MAJOR)), -5) == "Db Eb F Gb Ab Bb C Db"
    assert names(line(*(61 + step for step in MAJOR)), 7) == "C# D# E# F# G# A# B# C#"


def test_a_leading_note_rises_and_a_minor_sixth_falls() -> None:
    assert names(line(*(57 + step for step in HARMONIC_MINOR)), 0) == "A B C D E F G# A"
    assert names(line(*(60 + step for step in HARMONIC_MINOR)), -3) == "C D Eb F G Ab B C"


def test_a_dominant_of_the_dominant_has_its_sharp() -> None:
    assert names(line(60, 64, 67, 62, 66, 69, 74, 67, 71, 74), 0).split()[4] == "F#"


def test_double_accidentals_only_appear_where_the_key_already_has_one() -> None:
    assert names(line(*(56 + step for step in HARMONIC_MINOR)), 5) == "G# A# B C# D# E F## G#"
    chromatic = names(line(*range(48, 84)), 0)
    assert "##" not in chromatic
    assert "bb" not in chromatic


@pytest.mark.parametrize("fifths", range(-7, 8))
def test_names_sound_as_the_pitch_that_was_played(fifths: int) -> None:
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    notes = line(*range(0, 128))
    spell(notes, [(0, fifths)])
    for note in notes:
        assert 12 * (note.octave + 1) + steps[note.step] + note.alter == note.pitch


def test_a_key_signature_alters_letters_in_the_order_of_fifths() -> None:
    assert [letter for letter in "CDEFGAB" if key_alteration(letter, 3)] == ["C", "F", "G"]
    assert [letter for letter in "CDEFGAB" if key_alteration(letter, -2) == -1] == ["E", "B"]
    assert all(key_alteration(letter, 0) == 0 for letter in "CDEFGAB")


@pytest.mark.parametrize("tonic", range(12))
def test_the_key_of_a_scale_is_found(tonic: int) -> None:
    major = line(*(60 + tonic + step for step in [*MAJOR, 7, 4, 0]))
    minor = line(*(60 + tonic + step for step in [*HARMONIC_MINOR, 7, 3, 0]))
    fifths, mode = find_key(major)
    assert (7 * fifths % 12, mode) == (tonic, "major")
    fifths, mode = find_key(minor)
    assert ((7 * fifths + 9) % 12, mode) == (tonic, "minor")


def test_silence_has_no_key() -> None:
    assert find_key([]) == (0, "")
