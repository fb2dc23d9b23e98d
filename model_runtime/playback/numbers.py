"""Numbers and words out of XML elements, with what holds where they are missing or nonsense."""

from __future__ import annotations

import math

from lxml import etree


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
