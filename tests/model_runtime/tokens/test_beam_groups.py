"""Heads are told how many stems their beam joins and which number stands there."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.tokens.beam_groups import with_beam_groups
from model_runtime.tokens.glyphs import Glyph, compound, from_compound


def grouped(glyphs: list[Glyph]) -> list[tuple[int, int]]:
    """Stems under the beam and the tuplet's number, at each glyph."""
    ids, x = np.array([compound(g) for g in glyphs], np.int64), np.array([g.x for g in glyphs])
    return [(g.number, g.denominator) for g in (from_compound(row, 0.0) for row in with_beam_groups(ids, x).tolist())]


def beamed(x: float, left: int, right: int, staff: int = 1, position: int = 3, stem: int = 1) -> Glyph:
    return Glyph("head:black", x, staff, position, stem=stem, tip=10, beams_left=left, beams_right=right)


def test_beams_are_told_apart_and_a_chord_is_one_stem() -> None:
    first = [beamed(10, 0, 1), beamed(10, 0, 1, position=5), beamed(13, 1, 1), beamed(16, 1, 0)]
    second = [beamed(19, 0, 2), beamed(22, 2, 0)]
    alone = [Glyph("head:black", 25, 1, 3, stem=1, tip=10), Glyph("rest:eighth", 28, 1, 4)]
    below = [beamed(10, 0, 1, stem=2), beamed(16, 1, 0, stem=2), beamed(10, 0, 1, staff=2)]
    expected = [*[(3, 0)] * 4, *[(2, 0)] * 2, *[(0, 0)] * 2, *[(2, 0)] * 2, (1, 0)]
    assert grouped(first + second + alone + below) == expected


def test_a_number_counts_the_stems_beside_it() -> None:
    heads = [beamed(10, 0, 2), beamed(12, 2, 1), beamed(14, 1, 1), beamed(16, 1, 1), beamed(18, 1, 0)]
    other = [beamed(14, 0, 1, staff=2), beamed(18, 1, 0, staff=2)]
    number = Glyph("tuplet-number", 16, 1, 13, number=3)
    told = grouped([*heads, *other, number])
    assert [digit for _, digit in told] == [0, 0, 3, 3, 3, 0, 0, 0]
    assert told[-1] == (3, 0)  # as it was


def test_a_number_between_the_staves_finds_its_beam() -> None:
    heads = [beamed(10, 0, 1, staff=2), beamed(12, 1, 1, staff=2), beamed(14, 1, 0, staff=2)]
    assert [d for _, d in grouped([*heads, Glyph("tuplet-number", 12, 1, -6, number=3)])][:3] == [3, 3, 3]


def test_a_window_without_beams_stays_as_it_is() -> None:
    ids = np.array([compound(Glyph("clef:G", 0.7, 1, 2)), compound(Glyph("tuplet-number", 9.0, 1, 13, number=3))])
    assert np.array_equal(with_beam_groups(ids, np.array([0.7, 9.0])), ids)


_ANY = st.builds(
    Glyph,
    kind=st.sampled_from(["head:black", "tuplet-number", "barline:single"]),
    x=st.floats(0, 60),
    staff=st.integers(0, 2),
    stem=st.integers(0, 2),
    beams_left=st.integers(0, 3),
    beams_right=st.integers(0, 3),
    number=st.integers(0, 32),
)


@given(st.lists(_ANY, min_size=1, max_size=20))
@settings(deadline=None)
def test_whatever_is_seen_only_heads_are_told_something(glyphs: list[Glyph]) -> None:
    ids, x = np.array([compound(g) for g in glyphs], np.int64), np.array([g.x for g in glyphs])
    told = with_beam_groups(ids, x)
    changed = (told != ids).any(1)
    assert all(glyphs[row].kind == "head:black" for row in np.flatnonzero(changed))
    assert np.array_equal(np.delete(told, [13, 14], 1), np.delete(ids, [13, 14], 1))
