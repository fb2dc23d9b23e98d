"""Numbers of tuplets that an engraving left out and another prints.

`<notations print-object="no">` around a tuplet hides its number in Verovio; MuseScore 3 prints it all the same, and LMX
writes the tuplet. A trunk that is to write what it reads must see a number there. Where an engraving shows the numbers
(`engrave.show_tuplet_numbers`) none is added.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.glyphs import COMPOUND_FIELDS, Glyph, compound
from model_runtime.tokens.vocabulary import BLOCKS, HIGHEST_POSITION, IDS, LOWEST_POSITION, PAD_ID, SYMBOLS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_COLUMN = {name: i for i, name in enumerate(COMPOUND_FIELDS)}
_START, _STOP, _NUMBER = IDS["tuplet:start"], IDS["tuplet:stop"], IDS["tuplet-number"]
_RATIOS = {i: int(SYMBOLS[i].split("in")[0]) for i in range(IDS["3in2"], IDS["9in2"] + 1)}
_SAME_SPACES = 2.5
_LOWEST_LINE, _HIGHEST_LINE = 0, 8
_BEYOND_TIP, _WITHOUT_STEM = 3, 13  # half staff spaces


def missing_numbers(lmx: Sequence[int], rows: Sequence[int], ids: Ints, x: Floats) -> list[Glyph]:
    """A number for each tuplet that is written and shows none.

    Args:
        lmx: Ids of a window's LMX.
        rows: For each of them the glyph that shows the note, -1 for none.
        ids, x: The glyphs: compound ids, shape (n, fields), and places in staff spaces, shape (n,).
    """
    printed = [int(row) for row in np.flatnonzero(ids[:, 0] == _NUMBER)]
    tuplets = _tuplets(lmx, rows)
    middles = [float(x[first] + x[last]) / 2 for first, last, _ in tuplets]
    unnumbered = []
    claimed: set[int] = set()
    for tuplet, middle in zip(tuplets, middles, strict=True):
        own = [row for row in printed if _on_staff(ids, row, tuplet[0]) and abs(x[row] - middle) < _SAME_SPACES]
        claimed.update(own)
        if not own:
            unnumbered.append((tuplet, middle))
    result = []
    for (first, last, digits), middle in unnumbered:
        others = [
            row
            for row in printed
            if row not in claimed and abs(x[row] - middle) < _SAME_SPACES and _between(ids, row, first, digits)
        ]
        if others:
            claimed.add(others[0])
            continue
        value = BLOCKS["glyph_staff"].value_of(int(ids[first, _COLUMN["staff"]])) or 0
        result.append(Glyph("tuplet-number", middle, value, _height(ids, first, last), number=digits))
    return result


def _on_staff(ids: Ints, row: int, other: int) -> bool:
    return bool(ids[row, _COLUMN["staff"]] == ids[other, _COLUMN["staff"]])


def _between(ids: Ints, row: int, first: int, digits: int) -> bool:
    """Whether a number that stands nearer to the other staff may be that of a tuplet: it is between the staves."""
    position = int(ids[row, _COLUMN["position"]]) - BLOCKS["position"].start + LOWEST_POSITION
    below = ids[row, _COLUMN["staff"]] > ids[first, _COLUMN["staff"]]
    same = ids[row, _COLUMN["number"]] == BLOCKS["number"].id_of(digits)
    return bool(same) and (position >= _LOWEST_LINE if below else position <= _HIGHEST_LINE)


def _tuplets(lmx: Sequence[int], rows: Sequence[int]) -> list[tuple[int, int, int]]:
    """Glyphs of the first and the last note of each tuplet, and its number."""
    result = []
    opened: list[tuple[int, int]] = []
    ratio, own = 0, None
    for token, row in zip(lmx, rows, strict=True):
        if row != own:
            ratio, own = 0, row
        ratio = _RATIOS.get(token, ratio)
        if token == _START and ratio:
            opened.append((row, ratio))
        elif token == _STOP and opened:
            first, digits = opened.pop()
            if first >= 0 and row >= 0:
                result.append((first, row, digits))
    return result


def _height(ids: Ints, first: int, last: int) -> int:
    """Beyond the tips of the stems, or over the staff."""
    tips = [int(ids[row, _COLUMN["tip"]]) for row in (first, last) if ids[row, _COLUMN["tip"]] != PAD_ID]
    if not tips:
        return _WITHOUT_STEM
    down = ids[first, _COLUMN["stem"]] == BLOCKS["stem"].id_of(2)
    start = BLOCKS["tip"].start
    height = (min(tips) - start - _BEYOND_TIP if down else max(tips) - start + _BEYOND_TIP) + LOWEST_POSITION
    return min(max(height, LOWEST_POSITION), HIGHEST_POSITION)


def with_glyphs(ids: Ints, x: Floats, added: Sequence[Glyph]) -> tuple[Ints, Floats]:
    """The glyphs and some more behind them."""
    if not added:
        return ids, x
    return np.concatenate([ids, np.array([compound(g) for g in added], np.int64)]), np.append(x, [g.x for g in added])
