"""Shorthand is shorter, comes back as the same LMX, and any shorthand whatever is LMX."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model_runtime.tokens import vocabulary
from model_runtime.tokens.merges import MERGES
from model_runtime.tokens.shorthand import expand, shorten

MEASURE = (
    "measure key:fifths:0 time beats:3 beat-type:4 clef:G2 staff:1 clef:F4 staff:2 C4 voice:1 eighth dot stem:up "
    "staff:1 beam:begin chord E4 eighth dot D4 16th beam:end beam:backward-hook rest half backup half backup quarter "
    "C3 voice:5 half dot staff:2"
)
GROUPS = st.sampled_from(
    (
        *("measure", "C4 voice:1 quarter stem:up staff:1", "E4 eighth 3in2 beam:begin", "G4 half dot", "rest quarter"),
        *("chord G4 quarter", "chord E4 eighth 3in2", "chord G4 half dot sharp", "chord G4 16th", "rest rest:measure"),
        *(
            "backup half",
            "backup quarter",
            "backup whole",
            "backup half backup quarter",
            "forward eighth",
            "clef:F4 staff:1",
        ),
        *("grace A4 eighth", "grace chord C5 eighth", "chord A4 half dot tied:start", "key:fifths:3"),
    )
)
ANY_SYMBOLS = st.lists(st.sampled_from([vocabulary.SYMBOLS[i] for i in vocabulary.NOTATION_IDS]), max_size=60)


def test_chords_jumps_and_frequent_neighbours_are_shortened() -> None:
    symbols, _ = shorten(MEASURE.split())
    assert symbols.count("backup") == 1
    assert "chord+E4" in symbols
    assert len(symbols) < 0.75 * len(MEASURE.split())


def test_what_is_shortened_comes_back() -> None:
    assert expand(shorten(MEASURE.split())[0]) == MEASURE.split()


@given(st.lists(GROUPS, max_size=40))
def test_notes_in_any_order_come_back(groups: list[str]) -> None:
    tokens = ["measure", *" ".join(groups).split()]
    assert expand(shorten(tokens)[0]) == tokens


@given(st.lists(GROUPS, max_size=40))
def test_each_symbol_knows_the_note_that_it_belongs_to(groups: list[str]) -> None:
    tokens = ["measure", *" ".join(groups).split()]
    symbols, starts = shorten(tokens)
    assert len(starts) == len(symbols)
    assert starts == sorted(starts)
    assert all(0 <= start < len(tokens) for start in starts)


@given(ANY_SYMBOLS)
def test_any_shorthand_becomes_lmx(symbols: list[str]) -> None:
    known = {*vocabulary.LMX, *vocabulary.BLOCKS["special"].symbols}
    assert all(token in known for token in expand(symbols))


def test_every_joined_symbol_is_in_the_vocabulary() -> None:
    assert all(f"{left}+{right}" in vocabulary.IDS for left, right in MERGES)
