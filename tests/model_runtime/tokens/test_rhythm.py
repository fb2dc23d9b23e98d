"""Voices whose note values do not add up are read again so that they do."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.tokens.lmx_reader import read_lmx
from model_runtime.tokens.rhythm import adds_up, made_to_fit
from model_runtime.tokens.written import TYPE_QUARTERS, WrittenMeasure, WrittenNote

VALUE = tuple[str, int, tuple[int, int] | None]


def voice(*values: VALUE) -> list[WrittenNote]:
    notes, at = [], Fraction(0)
    for kind, dots, ratio in values:
        note = WrittenNote("C4", kind, onset=at, dots=dots, ratio=ratio)
        note.duration = note.written_quarters
        at += note.duration
        notes.append(note)
    return notes


def measure(lmx: str) -> WrittenMeasure:
    return read_lmx(f"measure time beats:2 beat-type:4 {lmx}".split())[0]


def test_a_tuplet_that_stands_open_is_closed() -> None:
    notes = voice(("eighth", 0, (3, 2)), ("quarter", 0, None), ("eighth", 0, None))
    assert not adds_up(notes, Fraction(0), Fraction(2))
    kept = made_to_fit(notes, Fraction(0), Fraction(2))
    assert [(n.kind, n.ratio, n.onset) for n in kept] == [
        ("eighth", None, 0),
        ("quarter", None, Fraction(1, 2)),
        ("eighth", None, Fraction(3, 2)),
    ]


def test_a_dot_too_many_is_taken_away_and_the_chord_follows() -> None:
    read = measure(
        "C4 voice:1 quarter dot stem:up staff:1 chord E4 quarter dot D4 eighth beam:begin E4 eighth beam:end"
    )
    assert [(n.pitch, n.kind, n.dots, n.onset) for n in read.notes] == [
        ("C4", "quarter", 0, 0),
        ("E4", "quarter", 0, 0),
        ("D4", "eighth", 0, 1),
        ("E4", "eighth", 0, Fraction(3, 2)),
    ]
    assert any("other note values" in text for text in read.repairs)


def test_nine_notes_under_one_beam_where_eight_would_fit_become_a_tuplet() -> None:
    nine = " ".join(
        f"C4{' voice:1' if i == 0 else ''} 32nd{' beam:begin' * 3 if i == 0 else ' beam:end' * 3 if i == 8 else ''}"
        for i in range(9)
    )
    read = measure(f"{nine} D4 quarter")
    assert {n.ratio for n in read.notes[:9]} == {(9, 8)}
    assert [n.tuplet for n in read.notes[:9]] == ["start", *[""] * 7, "stop"]
    assert read.notes[9].onset == 1


def test_what_adds_up_stays_as_it_is() -> None:
    read = measure("C4 voice:1 eighth 3in2 beam:begin D4 eighth 3in2 E4 eighth 3in2 beam:end F4 quarter")
    assert read.repairs == []
    assert [n.ratio for n in read.notes] == [(3, 2), (3, 2), (3, 2), None]


values = st.tuples(
    st.sampled_from([kind for kind in TYPE_QUARTERS if "1024" not in kind]),
    st.integers(0, 2),
    st.sampled_from([None, None, (3, 2), (5, 4)]),
)


@given(st.lists(values, min_size=1, max_size=12), st.sampled_from([2, 3, 4]))
@settings(max_examples=60, deadline=None)
def test_a_voice_that_is_changed_adds_up_and_never_gains_notes(written: list[VALUE], quarters: int) -> None:
    notes, length = voice(*written), Fraction(quarters)
    before = [(n.kind, n.dots, n.ratio) for n in notes]
    kept = made_to_fit(notes, Fraction(0), length)
    if [(n.kind, n.dots, n.ratio) for n in kept] != before:
        assert adds_up(kept, Fraction(0), length)
    ends = [n.onset + n.duration for n in kept]
    assert [n.onset for n in kept] == [Fraction(0), *ends[:-1]][: len(kept)]
    assert len(kept) <= len(notes)
