"""A page as Verovio drew it → what an eye finds on it: every glyph's place, staff and visible attributes.

Places come from the SVG. What the drawing does not tell at a notehead (beams, flags, dots) is what the score tells the
engraver to print there; accidentals and ties are what it printed.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.vocabulary import ACCIDENTALS
from model_runtime.training import engrave
from model_runtime.unified.glyph_classes import GROUP_NAMES, GROUP_OF, KIND_INDEX, KINDS

HALF_HEAD_SPACES = 0.6
FIELDS = (
    *("kind", "staff", "stems", "dots", "accidental", "ties", "size", "number", "denominator"),
    *("tip", "flags", "beams_left", "beams_right", "strokes"),
    *("tip_2", "flags_2", "beams_left_2", "beams_right_2", "strokes_2"),
)
NONE = -999  # what the drawing does not tell
_SIGNS = {
    "E260": "flat",
    "E261": "natural",
    "E262": "sharp",
    "E263": "double-sharp",
    "E264": "flat-flat",
    "E267": "natural-flat",
    "E268": "natural-sharp",
}
_MIDDLE = 0.5


@dataclass(frozen=True)
class DrawnStaff:
    """A staff of a line of music, in pixels of the page."""

    system: int
    number: int  # from 0, in its system
    left: float
    right: float
    top: float
    bottom: float


@dataclass
class PageLabels:
    """What is on a page.

    Attributes:
        staves: From the top, by system.
        places: x and y of each glyph in pixels, shape (n, 2).
        values: Columns are `FIELDS`; `staff` is an index into `staves`, -1 where any staff near it may have it. A tip
            is a height in pixels.
    """

    staves: list[DrawnStaff] = field(default_factory=list)
    places: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    values: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, len(FIELDS))))


@dataclass
class _Found:
    kind: str
    x: float
    y: float
    staff: int
    seen: dict[str, float]


def number_notes(root: ET.Element) -> dict[str, tuple[ET.Element, int]]:
    """Give every note of a score an id; returns for each the note and its staff, counted over all parts from 0.

    What the engraver is to draw must be written out before `engrave.share_beams` is called on the parts.
    """
    notes: dict[str, tuple[ET.Element, int]] = {}
    first = 0
    for part in root.findall("part"):
        staves = max((int(e.text or "1") for e in part.iterfind("measure/attributes/staves")), default=1)
        for note in part.iter("note"):
            name = f"n{len(notes)}"
            note.set("id", name)
            notes[name] = (note, first + int(note.findtext("staff", "1")) - 1)
        first += staves
    return notes


def page_labels(svg: str, notes: dict[str, tuple[ET.Element, int]], width_px: int) -> PageLabels | None:
    """Labels of one SVG page drawn `width_px` wide; None for a page whose measures are not drawn as staves."""
    root = ET.fromstring(svg.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1))
    _drop_hidden(root)
    inner = next((s for s in root.iter("svg") if s.get("viewBox")), root)
    box = (inner.get("viewBox") or "").split()
    margin = next((g for g in root.iter("g") if g.get("class") == "page-margin"), None)
    if len(box) != 4 or margin is None:
        return None
    place = engrave._PLACE.search(margin.get("transform", ""))
    shift = (float(place[1]), float(place[2])) if place else (0.0, 0.0)
    scale = width_px / float(box[2])
    staves: list[DrawnStaff] = []
    found: list[_Found] = []
    count = 1 + max((staff for _, staff in notes.values()), default=-1)
    for number, system in enumerate(g for g in root.iter("g") if g.get("class") == "system"):
        reader = _SystemLabels(system, notes)
        if len(reader.staves) != count:  # the engraver left a part out: staves are not the score's
            return None
        for glyph in reader.found:
            glyph.staff += len(staves) if glyph.staff >= 0 else 0
            found.append(glyph)
        for index, (left, right, top, bottom) in enumerate(reader.staves):
            x0, x1 = (left + shift[0]) * scale, (right + shift[0]) * scale
            y0, y1 = (top + shift[1]) * scale, (bottom + shift[1]) * scale
            staves.append(DrawnStaff(number, index, x0, x1, y0, y1))
    labels = PageLabels(staves)
    labels.places = np.array([[(g.x + shift[0]) * scale, (g.y + shift[1]) * scale] for g in found]).reshape(-1, 2)
    labels.values = np.full((len(found), len(FIELDS)), NONE, float)
    for row, glyph in zip(labels.values, found, strict=True):
        row[0], row[1] = KIND_INDEX[glyph.kind], glyph.staff
        for name, value in glyph.seen.items():
            row[FIELDS.index(name)] = (value + shift[1]) * scale if name.startswith("tip") else value
    return heads_joined(labels)


def _drop_hidden(root: ET.Element) -> None:
    for parent in list(root.iter()):
        for child in [c for c in parent if c.get("visibility") == "hidden"]:
            parent.remove(child)


def heads_joined(labels: PageLabels) -> PageLabels:
    """Two heads drawn in one place become one with two stems."""
    heads = np.flatnonzero(labels.values[:, 0] < KIND_INDEX["rest:breve"])
    places: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in heads:
        x, y = labels.places[row]
        places[(round(x / 2), round(y / 2))].append(int(row))
    dropped = []
    stems, second = FIELDS.index("stems"), FIELDS.index("tip_2")
    first = FIELDS.index("tip")
    for rows in places.values():
        by_stem = {int(labels.values[row, stems]): row for row in rows}
        if len(rows) > 1:
            kept = by_stem.get(1, rows[0])
            dropped += [row for row in rows if row != kept]
            if 1 in by_stem and 2 in by_stem:
                labels.values[kept, stems] = 3
                labels.values[kept, second:] = labels.values[by_stem[2], first:second]
    keep = np.setdiff1d(np.arange(len(labels.values)), dropped)
    return PageLabels(labels.staves, labels.places[keep], labels.values[keep])


class _SystemLabels:
    """Reads one line of music out of the SVG, in the SVG's units."""

    def __init__(self, system: ET.Element, notes: dict[str, tuple[ET.Element, int]]) -> None:
        self._notes = notes
        self.found: list[_Found] = []
        self.staves: list[tuple[float, float, float, float]] = []
        measures = [g for g in system if g.get("class") == "measure"]
        lines = [
            [engrave._numbers(path) for path in staff.findall("path")[:5]]
            for measure in measures
            for staff in measure.findall("g[@class='staff']")
        ]
        counts = {len(measure.findall("g[@class='staff']")) for measure in measures}
        if len(counts) != 1 or any(len(five) != 5 for five in lines):
            return
        count = counts.pop()
        for number in range(count):
            own = lines[number::count]
            left, right = min(n[0] for five in own for n in five), max(n[2] for five in own for n in five)
            self.staves.append((left, right, min(n[1] for n in own[0]), max(n[1] for n in own[0])))
        self._space = (self.staves[0][3] - self.staves[0][2]) / 4 if count else 1.0
        self._ties = self._tied(system)
        self._read: set[str] = set()
        for measure in measures:
            self._read_measure(measure)
        for group in system.iter("g"):
            name = group.get("class", "").split(" ")[0]
            if name == "slur":
                self._read_slur(group)
            elif name == "octave":
                self._read_ottava(group)

    def _tied(self, system: ET.Element) -> dict[str, int]:
        ties: dict[str, int] = defaultdict(int)
        for group in system.iter("g"):
            if group.get("class", "").split(" ")[0] == "tie" and group.find("path") is not None:
                ties[group.get("data-startid", "#")[1:]] |= 2
                ties[group.get("data-endid", "#")[1:]] |= 1
        return ties

    def _add(self, kind: str, x: float, y: float, staff: int = -1, **seen: float) -> None:
        self.found.append(_Found(kind, x, y, staff, seen))

    def _height(self, staff: int, share: float = _MIDDLE) -> float:
        _, _, top, bottom = self.staves[staff]
        return top + share * (bottom - top)

    def _read_measure(self, measure: ET.Element) -> None:
        number = -1
        for child in measure:
            name = child.get("class", "")
            if name == "staff":
                number += 1
                self._read_staff(number, child)
            elif name.startswith("barLine"):
                self._read_barline(child)
            elif name in ("fermata", "trill"):
                self._read_marks(child)
            elif name == "arpeg":
                places = list(engrave._uses(child))
                if places:
                    self._add("mark:arpeggio", places[0][1], sum(p[2] for p in places) / len(places))

    def _read_staff(self, number: int, staff: ET.Element) -> None:
        for group in staff.iter("g"):
            name = group.get("class", "")
            if name == "chord":
                stem = group.find("g[@class='stem']")
                for note in group.iter("g"):
                    if note.get("class") == "note":
                        self._read_note(note, stem)
            elif name == "note":
                self._read_note(group, group.find("g[@class='stem']"))
            elif name in ("rest", "mRest"):
                self._read_rest(number, group)
            elif name == "clef":
                for code, x, y in engrave._uses(group):
                    if code in engrave._CLEFS:
                        self._add(engrave._CLEFS[code], x, y, number)
            elif name == "keySig":
                for code, x, y in engrave._uses(group):
                    if _SIGNS.get(code) in ("sharp", "flat", "natural"):
                        self._add(f"key-sign:{_SIGNS[code]}", x, y, number)
            elif name == "meterSig":
                self._read_meter(number, group)
            elif name == "artic":
                self._read_marks(group)
            elif name == "tuplet":
                self._read_tuplet(group)

    def _read_note(self, group: ET.Element, stem: ET.Element | None) -> None:
        name = group.get("id", "")
        head = group.find("g[@class='notehead']")
        if name in self._read or name not in self._notes or head is None:
            return
        note, staff = self._notes[name]
        for code, x, y in engrave._uses(head):
            self._read.add(name)
            if staff >= len(self.staves):
                return
            kind = engrave._HEADS.get(code, engrave._HEADS_BY_TYPE.get(note.findtext("type", ""), "head:black"))
            tip = engrave._stem_tip(stem)
            seen: dict[str, float] = {**engrave._seen_at_head(note)}
            seen["accidental"] = _sign_at(group)
            seen["ties"] = self._ties.get(name, 0)
            seen["stems"] = 0 if tip is None else 1 if tip < y else 2
            if tip is None:
                for stem_field in ("flags", "beams_left", "beams_right", "strokes"):
                    del seen[stem_field]
            else:
                seen["tip"] = tip
            self._add(kind, x + HALF_HEAD_SPACES * self._space, y, staff, **seen)
            return

    def _read_rest(self, number: int, group: ET.Element) -> None:
        name = group.get("id", "")
        note, staff = self._notes.get(name, (None, number))
        for code, x, y in engrave._uses(group):
            if code in engrave._RESTS:
                dots = 0 if note is None else len(note.findall("dot"))
                staff = staff if staff < len(self.staves) else number
                self._add(engrave._RESTS[code], x + HALF_HEAD_SPACES * self._space, y, staff, dots=dots)
                return

    def _read_meter(self, staff: int, group: ET.Element) -> None:
        uses = sorted(engrave._uses(group), key=lambda use: use[1])
        if not uses:
            return
        x, y = uses[0][1], self._height(staff)
        if uses[0][0] in ("E08A", "E08B"):
            self._add("meter:common" if uses[0][0] == "E08A" else "meter:cut", x, y, staff)
            return
        digits = [(int(code, 16) - 0xE080, height < y) for code, _, height in uses if "E080" <= code <= "E089"]
        upper = "".join(str(digit) for digit, above in digits if above)
        lower = "".join(str(digit) for digit, above in digits if not above)
        if upper and lower:
            self._add("meter:digits", x, y, staff, number=min(int(upper), 32), denominator=min(int(lower), 32))

    def _read_barline(self, group: ET.Element) -> None:
        strokes = sorted((engrave._numbers(p)[0], float(p.get("stroke-width", "0"))) for p in group.findall(".//path"))
        dots = [x for code, x, _ in engrave._uses(group) if code in engrave.REPEAT_DOTS]
        dashed = any(p.get("stroke-dasharray") for p in group.findall(".//path"))
        if not strokes:
            return
        first, last = strokes[0][0], strokes[-1][0]
        if dots:
            before, after = min(dots) < first, max(dots) > last
            kind = "repeat-both" if before and after else "repeat-end" if before else "repeat-start"
        elif last - first < 1:
            kind = "dashed" if dashed else "single"
        else:
            kind = "final" if max(s[1] for s in strokes) > 1.5 * min(s[1] for s in strokes) else "double"
        for staff in range(len(self.staves)):
            self._add(f"barline:{kind}", first, self._height(staff), staff)

    def _read_marks(self, group: ET.Element) -> None:
        for code, x, y in engrave._uses(group):
            for kind in engrave._MARKS.get(code, ()):
                self._add(kind, x, y)

    def _read_tuplet(self, group: ET.Element) -> None:
        for number in group.findall("g[@class='tupletNum']"):
            uses = sorted(engrave._uses(number), key=lambda use: use[1])
            digits = "".join(str(int(code, 16) - 0xE880) for code, _, _ in uses if "E880" <= code <= "E889")
            if digits:
                self._add("tuplet-number", uses[0][1], uses[0][2], number=min(int(digits), 32))
        for bracket in group.findall("g[@class='tupletBracket']"):
            points = engrave.drawn_points(bracket)
            if points:
                self._add("tuplet-bracket:left", min(points[::2]), points[1])
                self._add("tuplet-bracket:right", max(points[::2]), points[1])

    def _read_slur(self, group: ET.Element) -> None:
        for path in group.findall("path"):
            numbers = engrave._numbers(path)
            if len(numbers) >= 8:
                self._add("slur-end:left", numbers[0], numbers[1])
                self._add("slur-end:right", numbers[6], numbers[7])

    def _read_ottava(self, group: ET.Element) -> None:
        places = [(x, y) for _, x, y in engrave._uses(group)]
        texts = "".join(group.itertext())
        places += [(float(t.get("x", "0")), float(t.get("y", "0"))) for t in group.iter("text") if t.get("x")]
        points = engrave.drawn_points(group)
        if not places and not points:
            return
        x, y = places[0] if places else (points[0], points[1])
        staff = min(range(len(self.staves)), key=lambda s: min(abs(y - self.staves[s][2]), abs(y - self.staves[s][3])))
        sign = ("15m" if "15" in texts else "8v") + ("a" if y < self._height(staff) else "b")
        self._add(f"ottava:{sign}", x, y)
        self._add("ottava:end", max(points[::2], default=x), y)


def _sign_at(group: ET.Element) -> int:
    codes = [code for accid in group.findall("g[@class='accid']") for code, _, _ in engrave._uses(accid)]
    names = [_SIGNS[code] for code in codes if code in _SIGNS]
    return ACCIDENTALS.index(names[0]) + 1 if names and names[0] in ACCIDENTALS else 0


def groups_of(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Index into `GROUP_NAMES` of each label."""
    table = np.array([GROUP_OF[kind] for kind in KINDS])
    return np.asarray(table[values[:, 0].astype(int)], np.int64)


def group_counts(values: Iterable[npt.NDArray[np.float64]]) -> dict[str, int]:
    """How many labels there are of each group."""
    counts = sum((np.bincount(groups_of(v), minlength=len(GROUP_NAMES)) for v in values), np.zeros(len(GROUP_NAMES)))
    return {name: int(count) for name, count in zip(GROUP_NAMES, counts, strict=True)}
