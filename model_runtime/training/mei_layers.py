"""The layers of MEI staves as events in time: chords, rests and gaps with their beams and tuplets."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from fractions import Fraction

PITCHED = ("note", "chord")


@dataclass
class Event:
    """A chord, note, rest or gap of a layer with everything around it, in quarter notes."""

    kind: str
    element: ET.Element
    duration: Fraction
    staff: int
    grace: str = ""
    beams: list[str] = field(default_factory=list)
    ratios: tuple[tuple[int, int], ...] = ()
    tuplet_marks: list[tuple[str, ET.Element]] = field(default_factory=list)


class LayerReader:
    """Reads one layer of one staff."""

    def __init__(self, staff: int) -> None:
        self.events: list[Event] = []
        self._staff = staff
        self._ratios: tuple[tuple[int, int], ...] = ()

    def read(self, parent: ET.Element) -> None:
        for child in parent:
            first = len(self.events)
            if child.tag in ("note", "chord", "rest", "space", "mRest", "mSpace"):
                self._add(child)
            elif child.tag == "clef":
                if child.get("shape") in ("G", "F", "C"):
                    self.events.append(Event("clef", child, Fraction(0), self._staff))
            elif child.tag == "tuplet":
                outer = self._ratios
                self._ratios = (*outer, (int(child.get("num", "3")), int(child.get("numbase", "2"))))
                self.read(child)
                self._ratios = outer
                own = [e for e in self.events[first:] if e.kind not in ("clef", "space")]
                if own:
                    own[0].tuplet_marks.insert(0, ("start", child))
                    own[-1].tuplet_marks.append(("stop", child))
            else:
                self.read(child)
                if child.tag == "beam":
                    for graces in (False, True):
                        _write_beams([e for e in self.events[first:] if bool(e.grace) is graces and _flags(e)])

    def _add(self, element: ET.Element) -> None:
        kind = "space" if element.tag == "mSpace" or element.get("visible") == "false" else element.tag
        grace = element.get("grace", "") or next((n.get("grace", "") for n in element.iter("note")), "")
        duration = Fraction(0)
        if not grace and element.tag not in ("mRest", "mSpace"):
            duration = _quarters(element)
            for num, base in self._ratios:
                duration *= Fraction(base, num)
        if not (grace and kind == "space"):
            self.events.append(Event(kind, element, duration, self._staff, grace, ratios=self._ratios))


def _quarters(element: ET.Element) -> Fraction:
    """Without tuplets: as it counts, which need not be as it looks."""
    name = element.get("dur.ges", "") or element.get("dur", "4")
    whole = {"long": Fraction(16), "breve": Fraction(8)}.get(name)
    value = Fraction(4, int(name)) if whole is None else whole
    dots = int(element.get("dots.ges", "") or element.get("dots", "0"))
    return value * (2 - Fraction(1, 2**dots))


def _flags(event: Event) -> int:
    name = event.element.get("dur", "4")
    if event.kind not in PITCHED or not name.isdigit():
        return 0
    return max(int(name).bit_length() - 3, 0)


def _write_beams(events: list[Event]) -> None:
    """Begin, continue, end or hook at each level of a group of notes."""
    if len(events) < 2:
        return
    levels = [_flags(e) for e in events]
    for i, event in enumerate(events):
        event.beams = []
        for level in range(1, levels[i] + 1):
            left = i > 0 and levels[i - 1] >= level
            right = i + 1 < len(events) and levels[i + 1] >= level
            if left or right:
                event.beams.append("continue" if left and right else "end" if left else "begin")
            else:
                event.beams.append("forward hook" if i == 0 else "backward hook")
