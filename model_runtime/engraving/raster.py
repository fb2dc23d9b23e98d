"""Engraved SVG pages as grey pictures, looking the same on every machine.

Titles, lyrics and tempo marks are text in SVG. A machine without fonts would lose them without a word, so the two
families in `fonts/` come with the package; fonts of the system are only asked for scripts that these lack.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

from model_runtime.modality import GreyPage

FONT_FOLDER = Path(__file__).with_name("fonts")
TEXT_FAMILY = "ScoreBridge Serif"
MUSIC_FAMILY = "ScoreBridge Music"
MILLIMETRES_PER_INCH = 25.4
INK = 250  # a pixel darker than this is not paper

# What the bundled text family draws: Latin, Greek, Cyrillic, punctuation; accidentals and music signs (private use).
_BUNDLED = re.compile(
    r"[\u0000-\u0192\u0218-\u021b\u0386-\u045f\u0490\u0491\u1e9e\u2010-\u203a\u20ac\u266d-\u266f\ue000-\uf8ff\u2116\u2122]*"
)
_TEXT = re.compile(r">([^<>]*[^<>\s][^<>]*)<")


def font_files() -> list[str]:
    """Paths of the bundled fonts, for whatever draws the SVG."""
    return sorted(str(path) for path in FONT_FOLDER.glob("*.ttf"))


def grey_page(svg: str, width_px: int) -> GreyPage:
    """Draw an SVG document on white paper.

    Args:
        svg: One page.
        width_px: Width of the picture; the height follows from the page's shape.

    Returns:
        uint8, shape (height, width), 0 is ink.
    """
    import resvg_py
    from PIL import Image

    png = resvg_py.svg_to_bytes(
        svg_string=svg,
        background="white",
        width=width_px,
        dpi=96.0,  # what a millimetre of the document means; the width decides the pixels
        skip_system_fonts=needs_only_bundled_fonts(svg),
        font_files=font_files(),
        font_family=TEXT_FAMILY,
        serif_family=TEXT_FAMILY,
    )
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("L"), np.uint8).copy()


def needs_only_bundled_fonts(svg: str) -> bool:
    """Whether every letter of the page is in the bundled fonts."""
    drawn = svg[svg.find("</defs>") :] if "</defs>" in svg else svg
    return all(_BUNDLED.fullmatch(text) for text in _TEXT.findall(drawn))


def ink_box(page: GreyPage) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what is drawn on a page, right and bottom excluded; None on an empty page."""
    inked = page < INK
    columns, rows = np.flatnonzero(inked.any(axis=0)), np.flatnonzero(inked.any(axis=1))
    if columns.size == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
