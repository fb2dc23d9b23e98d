"""Names, programs and families of General MIDI."""

import pytest

from model_runtime.errors import InvalidValue
from model_runtime.instruments import (
    FAMILIES,
    GENERAL_MIDI,
    canonical_name,
    family_of,
    find_program,
    is_percussion,
    program_name,
    program_number,
)


def test_every_general_midi_name_finds_its_own_program() -> None:
    assert len(GENERAL_MIDI) == 128 and len(FAMILIES) == 16
    assert [find_program(name) for name in GENERAL_MIDI] == list(range(128))
    assert [find_program(str(n)) for n in range(128)] == list(range(128))


@pytest.mark.parametrize(
    ("written", "program"),
    [
        ("Violino II", 40),
        ("Klavier", 0),
        ("Bass Clarinet in Bb", 71),
        ("Horn in F 1", 60),
        ("Flöte", 73),
        ("Singstimme.", 52),
        ("Vln. 1", 40),
    ],
)
def test_part_names_of_printed_scores_find_their_instrument(written: str, program: int) -> None:
    assert find_program(written) == program


def test_all_ways_to_write_a_piano_have_one_canonical_name() -> None:
    assert {canonical_name(t) for t in ("piano", "Pianoforte", "0", "Acoustic Grand Piano", "KLAVIER")} == {"piano"}
    assert canonical_name("Violino I") == "violin"
    assert canonical_name("Zauberkasten") == "zauberkasten"


def test_drums_are_percussion_and_steel_drums_are_not() -> None:
    assert is_percussion("Drumset") and is_percussion("Snare Drum") and canonical_name("drums") == "percussion"
    assert not is_percussion("Steel Drums") and find_program("Steel Drums") == 114


def test_families_follow_the_sound_set() -> None:
    assert (family_of(0), family_of(40), family_of(73), program_name(73)) == ("piano", "strings", "pipe", "Flute")


@pytest.mark.parametrize("nonsense", ["128", "xyz", "", "-1"])
def test_an_unknown_instrument_is_refused_in_a_sentence(nonsense: str) -> None:
    with pytest.raises(InvalidValue, match="no General MIDI instrument"):
        program_number(nonsense)
