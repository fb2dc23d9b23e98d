"""Keys at the heads of lines, where one line contradicts its neighbours.

A key is printed again on every line, so a page says it many times. What a single line says otherwise, while the lines
around it agree, was misread; so was a change within a line that the next line's head knows nothing of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model_runtime.tokens.glyphs import Glyph

_KEY = "glyph-key:"
_KEY_X_SPACES = 4.4
Glyphs = tuple[Glyph, ...]


def with_agreed_keys(lines: Sequence[tuple[Glyphs, int]]) -> list[Glyphs]:
    """The glyphs of each line, with the key that its neighbours agree on.

    Args:
        lines: Glyphs and number of staves of each line of one instrument, in reading order.
    """
    result = [glyphs for glyphs, _ in lines]
    played = [i for i, glyphs in enumerate(result) if glyphs]
    heads = [_head_key(result[i]) for i in played]
    changes = [_change(result[i]) for i in played]
    for at, number in enumerate(played):
        following = heads[at + 1 : at + 3]
        if changes[at] is not None and changes[at] not in following and heads[at] in following:
            changes[at] = None
            start = _music_starts(result[number])
            result[number] = tuple(g for g in result[number] if not (g.kind.startswith(_KEY) and g.x > start))
    for at, number in enumerate(played):
        expected = _expected(heads, changes, at)
        if expected is not None and expected != heads[at]:
            result[number] = _with_head_key(result[number], expected, lines[number][1])
    return result


def _music_starts(glyphs: Glyphs) -> float:
    return min((g.x for g in glyphs if g.kind.startswith(("head:", "rest:"))), default=float("inf"))


def _head_key(glyphs: Glyphs) -> int:
    start = _music_starts(glyphs)
    keys = [g for g in glyphs if g.kind.startswith(_KEY) and g.x < start]
    return _fifths(max(keys, key=lambda g: g.probability)) if keys else 0


def _change(glyphs: Glyphs) -> int | None:
    """The last key within a line."""
    start = _music_starts(glyphs)
    keys = [g for g in glyphs if g.kind.startswith(_KEY) and g.x > start]
    return _fifths(max(keys, key=lambda g: g.x)) if keys else None


def _fifths(glyph: Glyph) -> int:
    return int(glyph.kind.rpartition(":")[2])


def _expected(heads: Sequence[int], changes: Sequence[int | None], i: int) -> int | None:
    """The key that two neighbouring lines agree on; None where they do not, or where the key may change."""
    for first, second in ((i - 1, i + 1), (i - 2, i - 1), (i + 1, i + 2)):
        if first < 0 or second >= len(heads) or heads[first] != heads[second]:
            continue
        if any(change not in (None, heads[first]) for change in changes[first:second]):
            return None
        if second < i and i + 1 < len(heads) and heads[i + 1] == heads[i]:
            return None  # a new key that the next line has too
        if first > i and (i > 0 or changes[i] == heads[first]):
            return None
        return heads[first]
    return None


def _with_head_key(glyphs: Glyphs, fifths: int, staves: int) -> Glyphs:
    start = _music_starts(glyphs)
    kept = tuple(g for g in glyphs if not (g.kind.startswith(_KEY) and g.x < start))
    seen = [g for g in glyphs if g.kind.startswith(_KEY) and g.x < start]
    if not fifths:
        return kept
    x = min((g.x for g in seen), default=min(_KEY_X_SPACES, start - 0.5))
    added = (Glyph(f"{_KEY}{fifths}", x, staff, probability=4) for staff in range(1, staves + 1))
    some = {g.staff: replace(g, kind=f"{_KEY}{fifths}") for g in seen}
    return (*(some.get(g.staff, g) for g in added), *kept)
