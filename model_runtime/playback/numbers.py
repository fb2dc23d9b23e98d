"""Numbers and words out of XML elements, with what holds where they are missing or nonsense."""

from __future__ import annotations

import math
from fractions import Fraction

from lxml import etree

from model_runtime.errors import UnreadableFile

LONGEST_QUARTERS = 4096  # no note or rest of real music comes near


def text(element: etree._Element, path: str) -> str:
    """The stripped text at a path, or an empty string."""
    return (element.findtext(path) or "").strip()


def number(element: etree._Element, path: str, default: float) -> float:
    """The finite number at a path, or the default."""
    return finite(element.findtext(path), default)


def finite(value: str | None, default: float) -> float:
    """The finite number that a string holds, or the default."""
    try:
        result = float(value) if value else default
    except ValueError:
        return default
    return result if math.isfinite(result) else default


def integer(value: str | None, default: int) -> int:
    """The whole number that a string holds, or the default."""
    return round(finite(value, default))


def quarters(element: etree._Element, divisions: int) -> Fraction:
    """An element's `<duration>` in quarter notes, 0 where it is missing or negative.

    Raises:
        UnreadableFile: it is longer than any music.
    """
    duration = Fraction(number(element, "duration", 0.0)).limit_denominator(10**6) / divisions
    if duration > LONGEST_QUARTERS:
        raise UnreadableFile(f"The score has a note of {float(duration):.0f} quarters, which cannot be meant.")
    return max(duration, Fraction(0))
