"""Music signs of a drawn page in other shapes: old plates look like none of the fonts that an engraver offers.

Verovio's SVG holds each sign's outline once. It is stretched and slanted a little about its origin, or taken from
another SMuFL font (`.otf` files in a folder), so places and labels stay as they are.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_SIGN = re.compile(r'(<g id="(E[0-9A-F]{3})-[^"]*"><path )transform="scale\(1,-1\)" d="([^"]*)"')
_HEADS = ("E0A0", "E0A1", "E0A2", "E0A3", "E0A4")
_EM = 1000


def other_shapes(svg: str, rng: np.random.Generator, fonts: Sequence[Path] = ()) -> str:
    """The page with its signs reshaped: one draw for the page, then one for each sign."""
    if rng.random() < 0.3:
        return svg
    strength = float(rng.uniform(0.3, 1.0))
    font = fonts[int(rng.integers(len(fonts)))] if fonts and rng.random() < 0.6 else None
    mixed = font is not None and rng.random() < 0.4

    def reshaped(match: re.Match[str]) -> str:
        opening, code, outline = match.groups()
        if font is not None and not (mixed and rng.random() < 0.5):
            outline = _outline(font, int(code, 16)) or outline
        spread = (0.06 if code in _HEADS else 0.12) * strength
        across, up = 1 + np.clip(rng.normal(0, spread, 2), -2 * spread, 2 * spread)
        slant = float(rng.normal(0, 0.04)) * strength
        return f'{opening}transform="matrix({across:.4f},0,{slant:.4f},{-up:.4f},0,0)" d="{outline}"'

    return _SIGN.sub(reshaped, svg)


@functools.cache
def _font(path: Path) -> tuple[Any, Any, float]:
    from fontTools.ttLib import TTFont

    font = TTFont(path)
    return font.getGlyphSet(), font.getBestCmap(), _EM / font["head"].unitsPerEm


@functools.cache
def _outline(path: Path, code: int) -> str | None:
    """A sign's outline in thousandths of an em, None where the font lacks it."""
    from fontTools.pens.svgPathPen import SVGPathPen
    from fontTools.pens.transformPen import TransformPen

    glyphs, codes, scale = _font(path)
    if code not in codes:
        return None
    pen = SVGPathPen(glyphs, ntos=lambda number: f"{number:.1f}")
    glyphs[codes[code]].draw(TransformPen(pen, (scale, 0, 0, scale, 0, 0)))
    return str(pen.getCommands()) or None
