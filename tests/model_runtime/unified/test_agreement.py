"""What was written is held against the glyphs that were seen."""

from __future__ import annotations

import pytest

from model_runtime.tokens.glyphs import Glyph
from model_runtime.tokens.shorthand import shorten
from model_runtime.unified.agreement import disagreement, seen_in

GLYPHS = [
    Glyph("clef:G", 0.7, 1, 2),
    Glyph("clef:F", 0.7, 2, 6),
    Glyph("glyph-key:1", 4.4, 1),
    Glyph("head:black", 9.0, 1, 4, stem=1, tip=13),  # B4
    Glyph("head:black", 9.0, 1, 1, stem=1, tip=13, accidental=1),  # F4
    Glyph("rest:quarter", 15.0, 1, 4),
    Glyph("head:half", 9.0, 2, 4, stem=2, tip=-3, ties=2),  # D3
    Glyph("barline:single", 20.0),
]
RIGHT = (
    "measure key:fifths:1 clef:G2 staff:1 clef:F4 staff:2 F4 voice:1 quarter sharp stem:up staff:1 chord B4 quarter "
    "rest quarter backup half D3 voice:5 half stem:down staff:2 tied:start"
)


def speaks_against(lmx: str, quarters: float | None = 2.0, glyphs: list[Glyph] = GLYPHS) -> float:
    return disagreement(seen_in(glyphs), shorten(lmx.split())[0], quarters)


def test_nothing_speaks_against_what_says_all_that_is_seen() -> None:
    assert speaks_against(RIGHT) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        RIGHT.replace("chord B4 quarter ", ""),
        RIGHT.replace("B4", "C5"),
        RIGHT.replace("rest quarter", "rest quarter rest quarter"),
        RIGHT.replace("rest quarter", "forward quarter"),
        RIGHT.replace(" sharp", ""),
        RIGHT.replace(" tied:start", ""),
        RIGHT.replace("D3 voice:5 half", "D3 voice:5 quarter"),
        RIGHT.replace("chord B4 quarter", "chord B4 quarter chord B4 quarter"),
    ],
)
def test_what_is_left_out_or_invented_speaks_against_it(wrong: str) -> None:
    assert wrong != RIGHT
    assert speaks_against(wrong) > 0


def test_voices_are_not_held_against_a_length_that_is_not_known() -> None:
    assert speaks_against(RIGHT, None) == 0
    assert speaks_against(RIGHT, 3.0) > 0


def test_a_clef_within_the_measure_and_an_octave_sign_change_what_heads_say() -> None:
    later = [*GLYPHS[:-1], Glyph("clef:G", 16.0, 2, 2), Glyph("head:black", 18.0, 2, 4, stem=1, tip=11)]
    assert speaks_against(f"{RIGHT} clef:G2 staff:2 B4 quarter", None, later) == 0
    raised = [Glyph("ottava:8va", 8.0, 1, 12), *GLYPHS]
    assert speaks_against(RIGHT.replace("B4", "B5").replace("F4 voice", "F5 voice"), None, raised) == 0


def test_a_rest_for_the_whole_measure_fills_it() -> None:
    glyphs = [Glyph("clef:G", 0.7, 1, 2), Glyph("rest:whole", 10.0, 1, 6), Glyph("barline:single", 20.0)]
    assert speaks_against("measure key:fifths:0 clef:G2 staff:1 rest voice:1 rest:measure staff:1", 3.0, glyphs) == 0
