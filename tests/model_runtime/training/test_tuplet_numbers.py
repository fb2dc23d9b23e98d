"""A tuplet that is written but not printed gets its number back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model_runtime.tokens.glyphs import Glyph, compound
from model_runtime.tokens.vocabulary import ids_of
from model_runtime.training.tuplet_numbers import missing_numbers, with_glyphs

HEADS = [Glyph("head:black", 10.0 + 3 * i, 2, 1, stem=1, tip=8, beams_left=i > 0, beams_right=i < 2) for i in range(3)]
LMX = [
    *["C4", "voice:1", "eighth", "3in2", "staff:2", "tuplet:start"],
    *["D4", "eighth", "3in2", "E4", "eighth", "3in2", "tuplet:stop"],
]
ROWS = [*[0] * 6, *[1] * 3, *[2] * 4]


def arrays(glyphs: list[Glyph]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([compound(g) for g in glyphs], np.int64), np.array([g.x for g in glyphs])


def test_the_number_stands_over_the_middle_of_the_notes() -> None:
    ids, x = arrays(HEADS)
    added = missing_numbers(ids_of(LMX), ROWS, ids, x)
    assert added == [Glyph("tuplet-number", 13.0, 2, 11, number=3)]
    more_ids, more_x = with_glyphs(ids, x, added)
    assert len(more_ids) == len(more_x) == 4 and more_x[3] == 13.0
    assert not missing_numbers(ids_of(LMX), ROWS, more_ids, more_x)


def test_a_number_of_the_other_staff_is_not_this_ones() -> None:
    ids, x = arrays([*HEADS, Glyph("tuplet-number", 13.0, 1, 13, number=3)])
    assert len(missing_numbers(ids_of(LMX), ROWS, ids, x)) == 1


def test_a_number_between_the_staves_may_stand_nearer_to_the_other_one() -> None:
    between = Glyph("tuplet-number", 13.4, 1, -6, number=3)
    ids, x = arrays([*HEADS, between])
    assert not missing_numbers(ids_of(LMX), ROWS, ids, x)
    ids, x = arrays([*HEADS, replace(between, number=5)])
    assert len(missing_numbers(ids_of(LMX), ROWS, ids, x)) == 1
    upper = [replace(head, staff=1, x=head.x + 0.2) for head in HEADS]
    both = [*ids_of(LMX), *ids_of([symbol.replace("staff:2", "staff:1") for symbol in LMX])]
    rows = [*ROWS, *[row + 3 for row in ROWS]]
    ids, x = arrays([*HEADS, *upper, between])
    assert [g.staff for g in missing_numbers(both, rows, ids, x)] == [2]  # it is that of the upper staff's notes


def test_notes_without_ends_of_a_tuplet_get_none() -> None:
    ids, x = arrays(HEADS)
    bare = [token for token in LMX if not token.startswith("tuplet")]
    assert not missing_numbers(ids_of(bare), [*[0] * 5, *[1] * 3, *[2] * 3], ids, x)
    assert not missing_numbers(ids_of(LMX), [-1] * len(LMX), ids, x)
