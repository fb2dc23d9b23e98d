"""Tuplets: which stretches of a measure need one, chosen so that few symbols are written and beats stay visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from math import gcd

from model_runtime.notation.durations import NOTE_VALUES, SHORTEST, MetricGrid, is_binary

_FAMILIAR = {3: 0.0, 5: 0.5, 7: 0.5, 9: 1.0}  # how much a reader minds the number over the bracket


@dataclass(frozen=True, slots=True)
class Tuplet:
    """`actual` notes in the time of `normal`, filling `start` to `end` (ticks from the start of the full measure).

    Attributes:
        grid: The tuplet's inner beats, in written ticks (as if `normal` were not there).
    """

    start: int
    end: int
    actual: int
    normal: int

    @property
    def grid(self) -> MetricGrid:
        """The inner beats in written ticks: `actual` units, each as long as it looks."""
        return _tuplet_grid((self.end - self.start) // self.normal, self.actual)

    def written(self, position: int) -> int:
        """A sounding position as a written one, from the tuplet's start."""
        return (position - self.start) * self.actual // self.normal

    def sounding(self, written: int) -> int:
        """A written position, from the tuplet's start, as a sounding one."""
        return self.start + written * self.normal // self.actual


_Plan = tuple[float, tuple[Tuplet, ...]]
_IMPOSSIBLE: _Plan = (float("inf"), ())


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of a voice within a measure: a chord or (index -1) a rest."""

    start: int
    end: int
    index: int


class Unwritable(ValueError):
    """No tuplet makes the positions of a measure writable."""


@cache
def _tuplet_grid(unit: int, actual: int) -> MetricGrid:
    return MetricGrid(unit, (1,) * actual, thirds=actual == 3)


def plan_tuplets(grid: MetricGrid, events: Sequence[Event]) -> tuple[Tuplet, ...]:
    """The tuplets of one voice in one measure, in order; they never overlap.

    Raises:
        Unwritable: a position lies on no grid that note values and tuplets reach.
    """
    if all(is_binary(event.start) for event in events):
        return ()
    tuplets = _plan(grid, tuple(Event(e.start, e.end, min(0, max(-1, e.index))) for e in events))
    if tuplets is None:
        raise Unwritable
    return tuplets


@lru_cache(maxsize=4096)  # rhythms repeat
def _plan(grid: MetricGrid, events: tuple[Event, ...]) -> tuple[Tuplet, ...] | None:
    cost, tuplets = _Planner(grid, events).best(0, grid.length, events[0].start, events[-1].end)
    return None if cost == float("inf") else tuplets


class _Planner:
    def __init__(self, grid: MetricGrid, events: Sequence[Event]) -> None:
        self.grid = grid
        self.events = events

    def best(self, start: int, end: int, first: int, last: int) -> _Plan:
        """Cheapest tuplets between two positions; the measure itself reaches from `first` to `last`."""
        if all(is_binary(e.start) or not start < e.start < end for e in self.events):
            return 0.0, ()
        whole: _Plan = _IMPOSSIBLE
        if first <= start and end <= last:
            whole = self.as_tuplet(start, end)
        _, cuts = self.grid.cuts(start, end)
        if not cuts:
            return whole
        edges = (start, *cuts, end)
        # plans[i]: the cheapest up to edges[i]
        plans: list[_Plan] = [(0.0, ())]
        for i in range(1, len(edges)):
            part = self.best(edges[i - 1], edges[i], first, last)
            option = self.join(plans[i - 1], part, edges[i - 1])
            if i >= 2 and len(edges) > 3 and first <= edges[i - 2] and edges[i] <= last:
                pair = self.as_tuplet(edges[i - 2], edges[i])
                option = min(option, self.join(plans[i - 2], pair, edges[i - 2]), key=lambda p: p[0])
            plans.append(option)
        return min(whole, plans[-1], key=lambda p: p[0])

    def join(self, left: _Plan, right: _Plan, edge: int) -> _Plan:
        beside = (left[1] and left[1][-1].end == edge) or (right[1] and right[1][0].start == edge)
        tied = beside and any(e.start < edge < e.end for e in self.events)
        return left[0] + right[0] + (1.0 if tied else 0.0), left[1] + right[1]

    def as_tuplet(self, start: int, end: int) -> _Plan:
        """Cost of one tuplet from `start` to `end`; infinite where it does not fit."""
        length = end - start
        inside = [e for e in self.events if e.start < end and e.end > start]
        step = length
        for event in inside:
            step = gcd(step, max(event.start, start) - start, min(event.end, end) - start)
        actual = odd_part(length // step)
        normal = _normal(actual, length)
        if not normal or length // normal % SHORTEST or (step * actual) % normal:
            return _IMPOSSIBLE
        written_step = step * actual // normal
        if written_step % SHORTEST:
            return _IMPOSSIBLE
        tuplet = Tuplet(start, end, actual, normal)
        cost = 1.0 + _FAMILIAR.get(actual, 3.0 + actual / 20)
        for event in inside:
            if event.start > start and event.start % self.grid.unit == 0:
                cost += 1.2  # this beat could have been seen
            elif length > self.grid.unit and event.start > start and (event.start - start) * actual % length:
                cost += 1.2  # a wide bracket is for its own units
            elif event.start == (start + end) // 2:
                cost += 0.1
        for event in inside:
            a, b = tuplet.written(max(event.start, start)), tuplet.written(min(event.end, end))
            pieces = tuplet.grid.rest_pieces(a, b) if event.index < 0 else tuplet.grid.note_pieces(a, b)
            if any(q - p not in NOTE_VALUES for p, q in pieces):
                return _IMPOSSIBLE
            cost += len(pieces) - 1
        return cost, (tuplet,)


def _normal(actual: int, length: int) -> int:
    """How many units of the ordinary division the tuplet replaces, or 0 where the stretch has none."""
    units, rest = divmod(length, SHORTEST)
    odd = odd_part(units)
    if rest or odd not in (1, 3) or actual <= odd:
        return 0
    normal = odd
    while normal * 2 < actual:
        normal *= 2
    return normal


def odd_part(number: int) -> int:
    """The number with all factors of two taken out."""
    return number // (number & -number)


def stretches(tuplets: Sequence[Tuplet], first: int, last: int) -> list[tuple[int, int, Tuplet | None]]:
    """The measure from `first` to `last` as consecutive stretches, each with its tuplet or None."""
    edges = [first]
    for tuplet in tuplets:
        edges += [tuplet.start, tuplet.end]
    edges.append(last)
    starts = {t.start: t for t in tuplets}
    return [(a, b, starts.get(a)) for a, b in pairwise(edges) if b > a]
