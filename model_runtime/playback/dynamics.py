"""Velocities: dynamic marks, hairpins, accents.

A mark holds for all staves of its part, unless another staff has its own mark at the same place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from model_runtime.playback.score import Direction, Part, WrittenNote

DEFAULT_VELOCITY = 80  # mezzo-forte, where nothing is written
FORTE = 90  # velocity that MusicXML's loudness percentages refer to
STEP = 16  # between neighbouring dynamic marks
LONGEST_SWELL_QUARTERS = 16
NEXT_MARK_QUARTERS = Fraction(1)  # a mark this soon after a hairpin is where the hairpin leads
SOFTEST, LOUDEST = 10, 127

# fmt: off
LEVELS = {
    "pppppp": 10, "ppppp": 10, "pppp": 12, "ppp": 18, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112,
    "fff": 122, "ffff": 127, "fffff": 127, "ffffff": 127, "n": 10, "pf": 72,
}
# Marks of one moment: velocity above the level that holds, and the level that holds after ("" keeps it).
SUDDEN = {
    "sf": (26, ""), "sfz": (28, ""), "sffz": (38, ""), "fz": (26, ""), "rf": (20, ""), "rfz": (20, ""),
    "fp": (0, "p"), "sfp": (0, "p"), "sfpp": (0, "pp"), "ffp": (0, "p"), "sfzp": (0, "p"), "ffpp": (0, "pp"),
}
# fmt: on
_STRUCK = {"fp": 96, "sfp": 104, "sfpp": 104, "ffp": 112, "sfzp": 106, "ffpp": 112}
ACCENTS = {"accent": 16, "strong-accent": 24, "soft-accent": 8, "tenuto": 4, "stress": 10, "unstress": -8}


@dataclass(frozen=True, slots=True)
class _Swell:
    """A hairpin from `start` to `end`: the level goes straight from one to the other."""

    start: Fraction
    end: Fraction
    rising: bool


@dataclass(frozen=True, slots=True)
class _Point:
    """The level from `quarter` on; it goes straight to the next point's where it `swells`."""

    quarter: Fraction
    level: float
    swells: bool = False


def _moment(event: _Point | _Swell) -> tuple[Fraction, bool]:
    """Order of events: a mark comes before the hairpin that starts on it."""
    return (event.start, True) if isinstance(event, _Swell) else (event.quarter, False)


class DynamicsCurve:
    """How loud each staff of a part is at each written moment.

    Args:
        part: The part.
        starts: Written quarter of each measure's start and of the end.
    """

    def __init__(self, part: Part, starts: Sequence[Fraction]) -> None:
        staves = {note.staff for note in part.notes} | {1}
        self._sudden: dict[tuple[int, Fraction], str] = {}
        self._points: dict[int, list[_Point]] = {}
        for staff in staves:
            self._points[staff] = self._levels(staff, part.directions, starts)

    def velocity(self, note: WrittenNote, written: Fraction) -> int:
        """Velocity, 1 to 127, of a note at a written quarter."""
        if note.loudness_percent is not None:
            return _within(note.loudness_percent / 100 * FORTE)
        level = self._level(note.staff, written)
        mark = self._sudden.get((note.staff, written), "")
        mark = next((m.removeprefix("dynamics-") for m in note.marks if m.startswith("dynamics-")), mark)
        if mark in _STRUCK:
            level = max(level, _STRUCK[mark])
        elif mark in SUDDEN:
            level = min(level + SUDDEN[mark][0], LOUDEST)
        level += max((ACCENTS[m] for m in note.marks if m in ACCENTS), default=0)
        return _within(level)

    def _level(self, staff: int, written: Fraction) -> float:
        points = self._points.get(staff) or self._points[1]
        i = bisect_right(points, written, key=lambda point: point.quarter) - 1
        if i < 0:
            return DEFAULT_VELOCITY
        here = points[i]
        if not here.swells or i + 1 == len(points):
            return here.level
        following = points[i + 1]
        share = float((written - here.quarter) / (following.quarter - here.quarter))
        return here.level + share * (following.level - here.level)

    def _levels(self, staff: int, directions: Sequence[Direction], starts: Sequence[Fraction]) -> list[_Point]:
        marks = self._marks(staff, directions, starts)
        swells = _swells(directions, starts, [quarter for quarter, _ in marks])
        points: list[_Point] = []
        events: list[_Point | _Swell] = [*(_Point(*mark) for mark in marks), *swells]
        for event in sorted(events, key=_moment):
            if isinstance(event, _Point):
                points = [p for p in points if p.quarter < event.quarter]
                points.append(event)
            else:
                points = [p for p in points if p.quarter <= event.start]
                now = points[-1].level if points else float(DEFAULT_VELOCITY)
                points.append(_Point(event.start, now, swells=True))
                points.append(_Point(event.end, _target(event, marks, now)))
        return points

    def _marks(
        self, staff: int, directions: Sequence[Direction], starts: Sequence[Fraction]
    ) -> list[tuple[Fraction, float]]:
        """Lasting levels that hold for a staff; sudden ones are kept aside."""
        found: dict[Fraction, tuple[bool, float]] = {}
        for direction in directions:
            if direction.kind not in ("dynamics", "loudness"):
                continue
            quarter = starts[direction.measure] + direction.onset
            own = direction.staff in (0, staff)
            if quarter in found and found[quarter][0] and not own:
                continue
            name = direction.text.lower()
            if direction.kind == "loudness":
                found[quarter] = own, direction.number / 100 * FORTE
            elif name in LEVELS:
                found[quarter] = own, float(LEVELS[name])
            elif name in SUDDEN:
                self._sudden[staff, quarter] = name
                after = SUDDEN[name][1]
                if after:
                    # The note itself is struck; what follows is soft.
                    found[quarter] = own, float(LEVELS[after])
        return sorted((quarter, level) for quarter, (_, level) in found.items())


def _swells(directions: Sequence[Direction], starts: Sequence[Fraction], marks: Sequence[Fraction]) -> list[_Swell]:
    """Hairpins, and words such as "cresc." up to the next mark."""
    swells: list[_Swell] = []
    opened: dict[float, tuple[Fraction, bool]] = {}
    for direction in directions:
        quarter = starts[direction.measure] + direction.onset
        if direction.kind == "wedge":
            if direction.text in ("crescendo", "diminuendo"):
                opened[direction.number] = quarter, direction.text == "crescendo"
            elif direction.text == "stop" and direction.number in opened:
                start, rising = opened.pop(direction.number)
                if quarter > start:
                    swells.append(_Swell(start, quarter, rising))
        elif direction.kind == "swell":
            end = next((q for q in marks if q > quarter), quarter + LONGEST_SWELL_QUARTERS)
            end = min(end, quarter + LONGEST_SWELL_QUARTERS, starts[-1])
            if end > quarter:
                swells.append(_Swell(quarter, end, direction.text == "crescendo"))
    return sorted(set(swells), key=lambda s: (s.start, s.end))


def _target(swell: _Swell, marks: Sequence[tuple[Fraction, float]], now: float) -> float:
    """Where a hairpin leads: to the mark at its end if that lies in its direction, else one step."""
    following = next((level for q, level in marks if swell.end <= q <= swell.end + NEXT_MARK_QUARTERS), None)
    if following is not None and (following > now) == swell.rising and following != now:
        return following
    return min(now + STEP, LOUDEST) if swell.rising else max(now - STEP, SOFTEST)


def _within(velocity: float) -> int:
    return round(min(max(velocity, SOFTEST), LOUDEST))
