"""Note values: which lengths one symbol can show, and where engraving practice cuts a note or rest in two.

Positions and lengths are whole ticks. A tick is so small that 1024th notes and tuplets of 3, 5, 7 and 9 notes, and
their products, are whole numbers of them; no rounding happens past the entrance (`nearest_writable`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import gcd

TICKS_PER_QUARTER = 256 * 9 * 5 * 7
SHORTEST = TICKS_PER_QUARTER // 256  # a 1024th note, the shortest that MusicXML names
COARSE = TICKS_PER_QUARTER // 48  # a grid on which everything can be written

_TYPES = (
    ("long", 16 * TICKS_PER_QUARTER),
    ("breve", 8 * TICKS_PER_QUARTER),
    ("whole", 4 * TICKS_PER_QUARTER),
    ("half", 2 * TICKS_PER_QUARTER),
    ("quarter", TICKS_PER_QUARTER),
    ("eighth", TICKS_PER_QUARTER // 2),
    ("16th", TICKS_PER_QUARTER // 4),
    ("32nd", TICKS_PER_QUARTER // 8),
    ("64th", TICKS_PER_QUARTER // 16),
    ("128th", TICKS_PER_QUARTER // 32),
    ("256th", TICKS_PER_QUARTER // 64),
    ("512th", TICKS_PER_QUARTER // 128),
    ("1024th", SHORTEST),
)
TYPE_TICKS = dict(_TYPES)
FLAGS = {name: max(0, index - 4) for index, (name, _) in enumerate(_TYPES)}  # beams that a stem of the type carries

# Length in ticks → (type, dots). Two dots only up to a half note: longer ones are read sooner with a tie.
NOTE_VALUES: dict[int, tuple[str, int]] = {}
for _name, _ticks in _TYPES:
    NOTE_VALUES[_ticks] = (_name, 0)
    if _ticks >= 2 * SHORTEST:
        NOTE_VALUES[_ticks * 3 // 2] = (_name, 1)
    if 4 * SHORTEST <= _ticks <= TICKS_PER_QUARTER:
        NOTE_VALUES[_ticks * 7 // 4] = (_name, 2)


def nearest_binary(quarters: Fraction) -> int:
    """The nearest position in ticks that halving quarter notes six times reaches."""
    return round(quarters * 64) * (TICKS_PER_QUARTER // 64)


def nearest_writable(quarters: Fraction) -> int:
    """The nearest position in ticks that note values, with one tuplet if need be, can reach."""
    near = round(quarters * TICKS_PER_QUARTER)
    if near == quarters * TICKS_PER_QUARTER and _is_writable(near):
        return near
    candidates = [round(near / step) * step for step in _FALLBACK_STEPS]
    return min(candidates, key=lambda ticks: abs(ticks - near))


_FALLBACK_STEPS = tuple(TICKS_PER_QUARTER // parts for parts in (64, 48, 20, 28))


def _is_writable(ticks: int) -> bool:
    """Whether a tuplet whose notes are no shorter than 1024ths reaches the position."""
    odd = SHORTEST // gcd(SHORTEST, ticks)
    normal = 1
    while normal * 2 < odd:
        normal *= 2
    return ticks // (SHORTEST // odd) % normal == 0


def is_binary(ticks: int) -> bool:
    """Whether a position can be reached by halving quarter notes, without a tuplet."""
    return ticks % SHORTEST == 0


_Spans = tuple[tuple[int, int], ...]


class MetricGrid:
    """The hierarchy of beats within a measure or a tuplet: level 0 at its ends, higher the weaker the position.

    Args:
        unit: Length of the counted note value in ticks; positions within it are ranked by halving.
        groups: Units in each group, for instance (2, 2) for 4/4, (3, 3) for 6/8, (3, 2) for 5/4, (1, 1, 1) for 3/4.
        strict: Whether a note that passes from one group into another must fill whole groups, as in compound time.
        thirds: Whether one rest may fill the first two units of three.
    """

    def __init__(self, unit: int, groups: tuple[int, ...], strict: bool = False, thirds: bool = False) -> None:
        self.unit = unit
        self.groups = groups
        self.length = unit * sum(groups)
        self._strong: dict[int, int] = {}
        edges = [0]
        for group in groups:
            edges.append(edges[-1] + group * unit)
        self._thirds = thirds
        self._edges = frozenset(edges) if strict else frozenset()
        inner_levels = _group_levels(len(groups))
        self._unit_level = max(inner_levels, default=0) + (1 if max(groups) > 1 else 0)
        for position in range(unit, self.length, unit):
            self._strong[position] = self._unit_level
        for edge, level in zip(edges[1:-1], inner_levels, strict=True):
            self._strong[edge] = level
        self._strong[0] = self._strong[self.length] = 0
        self._positions = sorted(self._strong)
        self.note_pieces = cache(self._note_pieces)
        self.rest_pieces = cache(self._rest_pieces)
        self.cuts = cache(self._cuts)

    def level(self, position: int) -> int:
        """How weak a position is: 0 at a barline."""
        known = self._strong.get(position)
        if known is not None:
            return known
        level, step = self._unit_level, self.unit
        while position % step and step % 2 == 0:
            step //= 2
            level += 1
        return level

    def _cuts(self, start: int, end: int) -> tuple[int, tuple[int, ...]]:
        """Level and positions of the strongest beats strictly between two positions; no positions: there are none."""
        inside = self._positions[bisect_right(self._positions, start) : bisect_left(self._positions, end)]
        if inside:
            level = min(self._strong[p] for p in inside)
            return level, tuple(p for p in inside if self._strong[p] == level)
        level, step = self._unit_level, self.unit
        while step % 2 == 0:
            step //= 2
            level += 1
            first = (start // step + 1) * step
            if first < end:
                return level, (first,)
        return level, ()

    def _note_pieces(self, start: int, end: int) -> _Spans:
        """Cut a note where one symbol cannot show it or would hide a beat; pieces are (start, end)."""
        if end - start in NOTE_VALUES and self._readable(start, end):
            return ((start, end),)
        return self._halves(start, end, self.note_pieces)

    def _rest_pieces(self, start: int, end: int) -> _Spans:
        """Cut a rest so that every piece fills a beat or a part of one; pieces are (start, end)."""
        value = NOTE_VALUES.get(end - start)
        if value is not None and value[1] < 2:
            level, cuts = self._cuts(start, end)
            whole_beat = self.level(start) < level and self.level(end) < level
            # The first two thirds of a group of three read well as one rest.
            opening = value[1] == 0 and len(cuts) == 1 and self.level(start) < level and level == self._unit_level
            if not cuts or whole_beat or (opening and self._thirds):
                return ((start, end),)
        return self._halves(start, end, self.rest_pieces)

    def _halves(self, start: int, end: int, pieces: Callable[[int, int], _Spans]) -> _Spans:
        _, cuts = self.cuts(start, end)
        tried = dict.fromkeys((cuts[-1], cuts[0])) if 0 < len(cuts) < 8 else cuts[len(cuts) // 2 :][:1]
        candidates = [pieces(start, cut) + pieces(cut, end) for cut in tried]
        return min(candidates, key=_effort, default=((start, end),))

    def _readable(self, start: int, end: int) -> bool:
        level, cuts = self.cuts(start, end)
        if not cuts:
            return True
        if any(cut in self._edges for cut in cuts):
            return start in self._edges and end in self._edges
        start_level = self.level(start)
        if start_level <= level:
            return True
        # A syncopation hides one beat, and only one that is a single step stronger than where it starts and ends.
        return len(cuts) == 1 and start_level - level <= 1 and self.level(end) - level <= 1


def _effort(pieces: _Spans) -> tuple[int, int]:
    """Symbols, then dots."""
    return len(pieces), sum(NOTE_VALUES[b - a][1] for a, b in pieces if b - a in NOTE_VALUES)


def _group_levels(groups: int) -> list[int]:
    """Levels of the edges between groups: four or eight groups pair up, other numbers are equals."""
    if groups in (4, 8):
        half = _group_levels(groups // 2)
        return [level + 1 for level in half] + [1] + [level + 1 for level in half]
    return [1] * (groups - 1)


@cache
def meter_grid(numerator: int, denominator: int) -> MetricGrid:
    """The beats of a time signature."""
    unit = 4 * TICKS_PER_QUARTER // denominator
    groups, strict = beat_groups(numerator, denominator)
    return MetricGrid(unit, groups, strict, thirds=strict or (numerator == 3 and denominator >= 8))


def beat_groups(numerator: int, denominator: int) -> tuple[tuple[int, ...], bool]:
    """Units in each beat group of a time signature, and whether the groups are felt as beats (compound time)."""
    if numerator % 3 == 0 and numerator > 3 and denominator >= 4:
        return (3,) * (numerator // 3), True
    if numerator <= 3:
        return (1,) * numerator, False
    if numerator % 2 == 0:
        return (2,) * (numerator // 2), False
    if numerator == 5:
        return (3, 2), denominator >= 8
    return (2,) * ((numerator - 3) // 2) + (3,), denominator >= 8
