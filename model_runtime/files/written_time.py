"""Durations as notation writes them: note types with dots, alone or inside tuplets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

TYPE_QUARTERS: dict[str, Fraction] = {
    "long": Fraction(16),
    "breve": Fraction(8),
    "whole": Fraction(4),
    "half": Fraction(2),
    "quarter": Fraction(1),
    "eighth": Fraction(1, 2),
    "16th": Fraction(1, 4),
    "32nd": Fraction(1, 8),
    "64th": Fraction(1, 16),
    "128th": Fraction(1, 32),
    "256th": Fraction(1, 64),
    "512th": Fraction(1, 128),
    "1024th": Fraction(1, 256),
}
"""MusicXML's note types, in quarter notes."""

_DOTS = (Fraction(1), Fraction(3, 2), Fraction(7, 4))
_VALUES = sorted(
    ((quarters * _DOTS[dots], name, dots) for name, quarters in TYPE_QUARTERS.items() for dots in (0, 1, 2)),
    key=lambda v: (-v[0], v[2]),
)
_LOOKS = {quarters: (name, dots) for quarters, name, dots in reversed(_VALUES)}
COMMON_TUPLETS = ((3, 2), (5, 4), (6, 4), (7, 4), (9, 8), (10, 8), (11, 8), (13, 8), (15, 8), (15, 16))


@dataclass(frozen=True, slots=True)
class Ratio:
    """`actual` notes in the time of `normal`; 1:1 outside tuplets."""

    actual: int = 1
    normal: int = 1

    @property
    def scale(self) -> Fraction:
        """Sounding time over written time."""
        return Fraction(self.normal, self.actual)


PLAIN = Ratio()


@dataclass(frozen=True, slots=True)
class Look:
    """How a duration is written."""

    quarters: Fraction
    type: str
    dots: int
    ratio: Ratio = PLAIN


def looks(quarters: Fraction, ratio: Ratio = PLAIN) -> list[Look]:
    """The notes that, tied together, last `quarters`: the longest first, as few as that gives.

    Tried in `ratio` first, then plain, then in common tuplets. What nothing can write exactly (a tick or two left by
    a careless program) becomes one note of the right length with the nearest look.
    """
    for tried in dict.fromkeys((ratio, PLAIN, *(Ratio(*t) for t in COMMON_TUPLETS))):
        found = _exact(quarters, tried)
        if found is not None:
            return found
    nearest = min(_VALUES, key=lambda value: abs(value[0] - quarters))
    return [Look(quarters, nearest[1], nearest[2])]


def single_look(quarters: Fraction, ratio: Ratio = PLAIN) -> Look | None:
    """How one note of this length looks in this ratio, or None where it takes several."""
    found = _LOOKS.get(quarters / ratio.scale)
    return None if found is None else Look(quarters, *found, ratio)


def _exact(quarters: Fraction, ratio: Ratio) -> list[Look] | None:
    written = quarters / ratio.scale
    smallest = TYPE_QUARTERS["1024th"]
    if written % smallest:
        return None
    return [Look(value * ratio.scale, name, dots, ratio) for value, name, dots in _greedy(written)]


def _greedy(written: Fraction) -> Iterator[tuple[Fraction, str, int]]:
    while written > 0:
        value = next(value for value in _VALUES if value[0] <= written)
        yield value
        written -= value[0]
