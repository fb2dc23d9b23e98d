"""LMX is read as it is meant, and any LMX whatever becomes whole measures and valid MusicXML."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from model_runtime.tokens import vocabulary
from model_runtime.tokens.lmx_notation import notation_of
from model_runtime.tokens.lmx_reader import largest_value, read_lmx
from model_runtime.tokens.written import TYPE_QUARTERS, WrittenMeasure

HEAD = "measure key:fifths:0 time beats:4 beat-type:4 clef:G2 staff:1 clef:F4 staff:2"
LIKELY = ("measure", "backup", "forward", "rest", "chord", "C4", "E4", "quarter", "eighth", "half", "whole", "3in2")
ANY_LMX = st.lists(st.one_of(st.sampled_from(LIKELY), st.sampled_from(vocabulary.LMX)), max_size=150)


def read(text: str, **known: tuple[int, int]) -> list[WrittenMeasure]:
    return read_lmx(text.split(), **known)


def written_length(measure: etree._Element) -> tuple[Fraction, Fraction]:
    """The furthest point that the measure reaches and the earliest that it goes back to, in divisions."""
    at = furthest = earliest = Fraction(0)
    for element in measure:
        duration = Fraction(element.findtext("duration", "0"))
        if element.tag == "backup":
            at -= duration
        elif element.tag == "forward" or (element.tag == "note" and element.find("chord") is None):
            at += duration
        furthest, earliest = max(furthest, at), min(earliest, at)
    return furthest, earliest


def test_notes_take_their_time_from_value_dots_and_ratio() -> None:
    (measure,) = read(f"{HEAD} C4 quarter dot D4 eighth 3in2 E4 eighth 3in2 F4 eighth 3in2 G4 quarter A4 eighth")
    assert [n.onset for n in measure.notes] == [0, *(Fraction(3, 2) + Fraction(i, 3) for i in range(4)), Fraction(7, 2)]
    assert measure.length == 4 and not measure.repairs


def test_a_chord_starts_with_its_first_note_and_a_jump_back_opens_another_voice() -> None:
    (measure,) = read(f"{HEAD} C4 voice:1 whole staff:1 chord E4 whole backup whole C3 voice:5 half staff:2 D3 half")
    assert [(n.pitch, n.onset, n.voice, n.staff, n.chord) for n in measure.notes] == [
        ("C4", 0, 1, 1, False),
        ("E4", 0, 1, 1, True),
        ("C3", 0, 5, 2, False),
        ("D3", 2, 5, 2, False),
    ]


def test_accidentals_hold_to_the_end_of_the_measure_and_over_ties() -> None:
    text = f"{HEAD} F4 half sharp F4 half tied:start measure F4 half tied:stop F4 half"
    first, second = read(text)
    assert [n.midi_pitch for n in first.notes] == [66, 66]
    assert [n.midi_pitch for n in second.notes] == [66, 65]


def test_the_key_changes_letters() -> None:
    (measure,) = read("measure key:fifths:-2 time beats:2 beat-type:4 B4 quarter E4 quarter")
    assert [n.midi_pitch for n in measure.notes] == [70, 63]


def test_a_measure_that_is_too_long_is_cut_and_says_so() -> None:
    (measure,) = read(f"{HEAD} C4 half dot D4 whole dot E4 whole F4 whole G4 whole")
    assert [(n.kind, n.dots) for n in measure.notes] == [("half", 1), ("quarter", 0)]
    assert len(measure.repairs) == 2


def test_a_measure_that_is_too_short_is_filled_and_says_so() -> None:
    text = f"{HEAD} C4 whole measure D4 quarter measure E4 whole"
    middle = read(text)[1]
    assert [(n.pitch, n.kind, n.dots) for n in middle.notes] == [("D4", "quarter", 0), ("", "half", 1)]
    assert middle.repairs == ["The measure was too short and was filled with rests."]


def test_a_pickup_stays_short() -> None:
    first, second = read(f"{HEAD} C4 quarter measure D4 whole")
    assert (first.length, second.length) == (1, 4)
    assert not first.repairs


def test_voices_that_agree_on_another_length_make_an_irregular_measure() -> None:
    text = (
        f"{HEAD} C4 whole measure D4 half dot backup half backup quarter E3 voice:5 half dot staff:2 measure F4 whole"
    )
    assert [m.length for m in read(text)] == [4, 3, 4]


def test_the_metre_that_is_carried_into_a_window_counts() -> None:
    measures = read("measure C4 half measure D4 quarter measure E4 half dot", meter=(3, 4))
    assert measures[1].length == 3


def test_an_empty_measure_is_marked() -> None:
    first, second = read(f"{HEAD} C4 whole measure")
    assert second.notes[0].rest and second.length == 4
    assert second.repairs == ["The measure was empty and is marked with a rest."]
    assert first.length == 4


def test_nothing_at_all_becomes_a_measure_with_a_rest() -> None:
    notation, warnings = notation_of([])
    assert notation.measure_count == 1
    assert warnings == ["Measure 1: The measure was empty and is marked with a rest."]


def test_beams_have_their_levels() -> None:
    (measure,) = read(
        "measure time beats:1 beat-type:4 C4 eighth beam:begin D4 16th beam:begin E4 16th beam:end beam:end"
    )
    assert [n.beams for n in measure.notes] == [["begin"], ["continue", "begin"], ["end", "end"]]


def test_slurs_and_ties_get_numbers_and_both_their_ends() -> None:
    text = (
        f"{HEAD} C4 half slur:start slur:start D4 half slur:stop measure E4 half slur:stop tied:start E4 half tied:stop"
    )
    notation, warnings = notation_of(text.split())
    ends = [(s.get("type"), s.get("number")) for s in notation.root.iter("slur")]
    assert sorted(ends) == [("start", "1"), ("start", "2"), ("stop", "1"), ("stop", "2")]
    assert [t.get("type") for t in notation.root.iter("tied")] == ["start", "stop"]
    assert not warnings


@given(ANY_LMX)
@settings(max_examples=400, deadline=None)
def test_any_lmx_becomes_measures_that_hold_their_notes(symbols: list[str]) -> None:
    measures = read_lmx(symbols)
    assert len(measures) == symbols.count("measure")
    for measure in measures:
        assert measure.length > 0
        assert measure.notes
        for note in measure.notes:
            assert 0 <= note.onset <= measure.length
            assert note.onset + note.duration <= measure.length
            assert note.duration > 0 or note.grace


@given(ANY_LMX)
@settings(max_examples=400, deadline=None)
def test_any_lmx_becomes_musicxml_whose_measures_add_up(symbols: list[str]) -> None:
    notation, _ = notation_of(symbols)
    divisions = Fraction(notation.root.findtext(".//divisions", "1"))
    lengths = [m.length * divisions for m in read_lmx(symbols)] or [4 * divisions]
    for measure, length in zip(notation.root.iter("measure"), lengths, strict=True):
        assert written_length(measure) == (length, 0)
    for name in ("slur", "tuplet"):
        starts = sum(e.get("type") == "start" for e in notation.root.iter(name))
        stops = sum(e.get("type") == "stop" for e in notation.root.iter(name))
        assert starts == stops


@given(ANY_LMX)
@settings(max_examples=60, deadline=None)
def test_the_engraver_draws_any_lmx(symbols: list[str]) -> None:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    notation, _ = notation_of([HEAD, *symbols])
    assert toolkit.loadData(notation.musicxml.decode())
    assert "<svg" in toolkit.renderToSVG(1)


@given(st.fractions(Fraction(1, 256), 60))
def test_the_largest_value_fits_and_no_longer_one_does(length: Fraction) -> None:
    kind, dots = largest_value(length)
    quarters = TYPE_QUARTERS[kind] * (2 - Fraction(1, 2**dots))
    assert quarters <= length < 2 * quarters
