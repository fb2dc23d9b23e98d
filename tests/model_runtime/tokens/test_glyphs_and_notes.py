"""Glyphs and notes come back from their tokens; any tokens whatever make glyphs and notes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from model_runtime.modality import Control, Note, Performance
from model_runtime.tokens import glyphs, notes, vocabulary
from model_runtime.tokens.glyphs import Glyph
from model_runtime.tokens.notes import NoteToken

ANY_TOKENS = st.lists(st.integers(0, len(vocabulary.SYMBOLS) + 5), max_size=120)


def small(highest: int) -> st.SearchStrategy[int]:
    return st.integers(0, highest)


@st.composite
def any_glyph(draw: st.DrawFn) -> Glyph:
    stem = draw(small(2))
    return Glyph(
        draw(st.sampled_from(vocabulary.GLYPH_KINDS)),
        draw(small(2047)) / 8,
        draw(small(3)),
        draw(st.integers(vocabulary.LOWEST_POSITION, vocabulary.HIGHEST_POSITION)),
        *(draw(small(3)), draw(small(7)), stem, draw(st.integers(-40, 48)) if stem else 0, draw(small(6))),
        *(draw(small(6)), draw(small(6)), draw(small(3)), draw(small(2)), draw(small(5))),
        *(draw(small(32)), draw(small(32))),
    )


@st.composite
def any_event(draw: st.DrawFn) -> NoteToken:
    kind = draw(st.sampled_from(vocabulary.NOTE_KINDS))
    onset = draw(small(4095))
    if kind.startswith("pedal"):
        return NoteToken(kind, onset)
    return NoteToken(kind, onset, draw(small(127)), draw(st.integers(1, 4095)), draw(small(31)))


@given(any_glyph(), small(7))
def test_a_glyph_comes_back_from_its_compound_token(glyph: Glyph, probability: int) -> None:
    glyph = replace(glyph, probability=probability)
    assert glyphs.from_compound(glyphs.compound(glyph), glyph.x) == glyph


@given(st.lists(any_glyph(), max_size=12))
def test_glyphs_come_back_from_a_flat_sequence(seen: list[Glyph]) -> None:
    assert glyphs.from_flat(glyphs.flat(seen)) == seen


@given(ANY_TOKENS)
def test_any_tokens_make_glyphs_that_can_be_written_again(tokens: list[int]) -> None:
    read = glyphs.from_flat(tokens)
    assert len(read) == sum(vocabulary.BLOCKS["glyph"].value_of(t) is not None for t in tokens)
    for glyph in read:
        glyphs.compound(glyph)


@given(any_event(), small(7))
def test_a_note_comes_back_from_its_compound_token(event: NoteToken, probability: int) -> None:
    event = replace(event, probability=probability)
    assert notes.from_compound(notes.compound(event), event.onset) == event


@given(st.lists(any_event(), max_size=20))
def test_notes_come_back_from_a_flat_sequence(events: list[NoteToken]) -> None:
    assert notes.from_flat(notes.flat(events)) == events


@given(ANY_TOKENS)
def test_any_tokens_make_a_performance(tokens: list[int]) -> None:
    events = notes.from_flat(tokens)
    performance = notes.performance_of(events)
    assert len(performance.notes) == sum(not e.kind.startswith("pedal") for e in events)


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 15), small(127), st.integers(1, 127)), max_size=30),
    st.lists(st.tuples(st.floats(0, 20), st.integers(0, 127)), max_size=10),
)
def test_a_performance_comes_back_up_to_ten_milliseconds_and_four_velocities(
    played: list[tuple[float, float, int, int]], pedal: list[tuple[float, int]]
) -> None:
    performance = Performance(
        tuple(Note(onset, onset + length, pitch, velocity) for onset, length, pitch, velocity in played),
        tuple(Control(time, 64, value) for time, value in pedal),
    )
    back = notes.performance_of(notes.from_flat(notes.flat(notes.tokens_of(performance))))
    ours = sorted(back.notes, key=lambda n: (n.pitch, round(n.onset_s, 2), n.duration_s, n.velocity))
    truth = sorted(
        performance.notes, key=lambda n: (n.pitch, round(round(n.onset_s / 0.01) * 0.01, 2), n.duration_s, n.velocity)
    )
    assert len(ours) == len(truth)
    for read, note in zip(ours, truth, strict=True):
        assert read.pitch == note.pitch
        assert abs(read.onset_s - note.onset_s) <= 0.0051
    lengths = zip(sorted(n.duration_s for n in ours), sorted(n.duration_s for n in truth), strict=True)
    assert all(abs(a - b) <= 0.0051 for a, b in lengths)
    velocities = zip(sorted(n.velocity for n in ours), sorted(n.velocity for n in truth), strict=True)
    assert all(abs(a - b) <= 2 for a, b in velocities)


def test_a_note_that_sounds_over_the_start_of_a_window_is_held() -> None:
    performance = Performance((Note(0.0, 2.0, 60), Note(1.5, 2.0, 64)))
    held, struck = notes.tokens_of(performance, 1.0, 3.0)
    assert (held.kind, held.onset, held.duration) == ("note:held", 0, 100)
    assert (struck.kind, struck.onset, struck.duration) == ("note", 50, 50)


def test_notes_that_start_after_the_window_are_not_in_it() -> None:
    performance = Performance((Note(0.0, 0.5, 60), Note(2.0, 2.5, 64)))
    assert [e.pitch for e in notes.tokens_of(performance, 0.0, 2.0)] == [60]
