"""Keys that one line reads otherwise than the lines around it."""

from __future__ import annotations

from model_runtime.tokens.glyphs import Glyph
from model_runtime.unified.line_heads import with_agreed_keys


def line(fifths: int | None, change: int | None = None) -> tuple[tuple[Glyph, ...], int]:
    glyphs = [Glyph("clef:G", 0.7, 1, 2), Glyph("clef:F", 0.7, 2, 6), Glyph("head:black", 12.0, 1, 3)]
    if fifths:
        glyphs += [Glyph(f"glyph-key:{fifths}", 4.4, staff) for staff in (1, 2)]
    glyphs += [Glyph("barline:single", 20.0), Glyph("head:black", 26.0, 1, 3), Glyph("barline:single", 40.0)]
    if change is not None:
        glyphs.append(Glyph(f"glyph-key:{change}", 22.0, 1))
    return tuple(glyphs), 2


def keys(lines: list[tuple[tuple[Glyph, ...], int]]) -> list[list[str]]:
    agreed = with_agreed_keys(lines)
    return [
        [g.kind[10:] for g in sorted(glyphs, key=lambda g: g.x) if g.kind.startswith("glyph-key")] for glyphs in agreed
    ]


def test_a_line_between_two_that_agree_has_their_key() -> None:
    assert keys([line(-4), line(-7), line(-4)]) == [["-4", "-4"]] * 3
    assert keys([line(-4), line(None), line(-4)]) == [["-4", "-4"]] * 3
    assert keys([line(None), line(1), line(None)]) == [[], [], []]


def test_the_first_and_the_last_line_follow_two_that_agree() -> None:
    assert keys([line(3), line(2), line(2)])[0] == ["2", "2"]
    assert keys([line(2), line(2), line(3)])[2] == ["2", "2"]


def test_a_key_that_changes_and_stays_is_kept() -> None:
    lines = [line(2), line(2), line(-1), line(-1), line(-1)]
    assert keys(lines) == [["2", "2"], ["2", "2"], ["-1", "-1"], ["-1", "-1"], ["-1", "-1"]]


def test_a_change_within_a_line_that_the_next_line_knows_nothing_of_is_left_out() -> None:
    assert keys([line(3, change=1), line(3)]) == [["3", "3"], ["3", "3"]]
    assert keys([line(3, change=1), line(1), line(1)])[0] == ["3", "3", "1"]
    assert keys([line(3, change=1)]) == [["3", "3", "1"]]


def test_a_change_that_no_line_has_does_not_keep_a_misread_key() -> None:
    assert keys([line(3), line(3, change=-2), line(2), line(3)]) == [["3", "3"]] * 4


def test_lines_that_are_empty_stay_so() -> None:
    assert with_agreed_keys([((), 2), line(1), ((), 2)])[0] == ()
