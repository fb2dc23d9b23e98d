"""A part → the glyphs that a reader would see, with their places, out of Verovio's drawing.

Places come from the SVG: `x` in staff spaces from the left edge of the line of music, heights from the staff lines.
What stands at a notehead (dots, accidental, beams, ties) is what the part tells the engraver to print there. Voices,
the number of measures and everything else that cannot be seen stays outside.
"""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model_runtime.tokens.glyphs import Glyph
from model_runtime.tokens.vocabulary import ACCIDENTALS, NOTE_TYPES

FONTS = ("Leipzig", "Bravura", "Gootville", "Petaluma", "Leland")
_HEADS = {"E0A4": "head:black", "E0A3": "head:half", "E0A2": "head:whole", "E0A0": "head:breve", "E0A1": "head:breve"}
_HEADS_BY_TYPE = {"half": "head:half", "whole": "head:whole", "breve": "head:breve"}
_RESTS = {
    **{"E4E2": "rest:breve", "E4E3": "rest:whole", "E4F4": "rest:whole", "E4E4": "rest:half", "E4F5": "rest:half"},
    **{"E4E5": "rest:quarter", "E4E6": "rest:eighth", "E4E7": "rest:16th", "E4E8": "rest:32nd", "E4E9": "rest:64th"},
    "E4EA": "rest:128th",
}
_CLEFS = {
    **dict.fromkeys(("E050", "E051", "E052", "E053", "E054", "E07A"), "clef:G"),
    **dict.fromkeys(("E05C", "E05D", "E07B"), "clef:C"),
    **dict.fromkeys(("E062", "E063", "E064", "E065", "E066", "E07C"), "clef:F"),
}
_MARKS = {
    **dict.fromkeys(("E4A0", "E4A1"), ("mark:accent",)),
    **dict.fromkeys(("E4A2", "E4A3"), ("mark:staccato",)),
    **dict.fromkeys(("E4A4", "E4A5"), ("mark:tenuto",)),
    **dict.fromkeys(("E4AC", "E4AD"), ("mark:strong-accent",)),
    **dict.fromkeys(("E4B0", "E4B1"), ("mark:accent", "mark:staccato")),
    **dict.fromkeys(("E4B2", "E4B3"), ("mark:tenuto", "mark:staccato")),
    **dict.fromkeys(("E4B4", "E4B5"), ("mark:tenuto", "mark:accent")),
    **dict.fromkeys(("E4C0", "E4C1"), ("mark:fermata",)),
    "E566": ("mark:trill",),
}
_PLACE = re.compile(r"translate\((-?[\d.]+)[, ]+(-?[\d.]+)\)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_HALF_HEAD_SPACES = 0.6
REPEAT_DOTS = ("E043", "E044")
_NUMBERED = 0.5  # share of the engravings with numbers at tuplets whose number the score hides
_SMALLEST_TYPES = NOTE_TYPES.index("quarter")


@dataclass(frozen=True)
class Style:
    """How a page is set: a music font, the page's width and the spacing, in Verovio's units; and whether tuplets whose
    number the score hides are numbered all the same (`show_tuplet_numbers`)."""

    font: str = "Leipzig"
    page_width: int = 1800
    spacing_linear: float = 0.25
    spacing_non_linear: float = 0.6
    spacing_staff: int = 12
    tuplet_numbers: bool = False

    @classmethod
    def random(cls, rng: np.random.Generator) -> Style:
        """A style as printed music might have it: lines of one to about eight measures."""
        return cls(
            FONTS[int(rng.integers(len(FONTS)))],
            int(rng.integers(1200, 3600)),
            float(rng.uniform(0.2, 0.32)),
            float(rng.uniform(0.5, 0.7)),
            int(rng.integers(8, 18)),
            bool(rng.random() < _NUMBERED),
        )


@dataclass
class EngravedMeasure:
    """A measure as drawn.

    Attributes:
        system: Which line of music it stands on, counted over all pages.
        left: x of its left edge, in staff spaces from the left edge of the line.
        right: x of its right edge.
        glyphs: Sorted by x.
        notes: For each glyph the number of the note or rest in the measure that it shows, -1 for none.
        whole: Whether every note of the part was found in the drawing.
    """

    system: int
    left: float
    right: float
    glyphs: list[Glyph] = field(default_factory=list)
    notes: list[int] = field(default_factory=list)
    whole: bool = True


@dataclass(frozen=True)
class _Staff:
    top: float
    bottom: float

    def position(self, y: float) -> int:
        return round((self.bottom - y) / (self.bottom - self.top) * 8)


def document(part: ET.Element) -> str:
    """A MusicXML document of one part."""
    root = ET.Element("score-partwise", {"version": "4.0"})
    score_part = ET.SubElement(ET.SubElement(root, "part-list"), "score-part", {"id": "P1"})
    ET.SubElement(score_part, "part-name")
    root.append(part)
    return ET.tostring(root, encoding="unicode")


def show_tuplet_numbers(score: ET.Element) -> None:
    """Print, in place, the tuplets that a score hides: editions number the first few of a row or all of them. What has
    `show-number="none"` stays without."""
    for notations in score.iter("notations"):
        if notations.find("tuplet") is not None:
            notations.attrib.pop("print-object", None)


class Engraver:
    """Engraves one part in any number of styles; it is read in again only where other tuplets are to be numbered."""

    def __init__(self, part: ET.Element) -> None:
        import verovio

        verovio.enableLog(verovio.LOG_OFF)
        self._toolkit: Any = verovio.toolkit()
        self._toolkit.setOptions(
            {
                **{"pageHeight": 60000, "adjustPageHeight": True, "breaks": "auto", "footer": "none", "header": "none"},
                **{"svgFormatRaw": True, "svgRemoveXlink": True, "mnumInterval": 0},
            }
        )
        self._notes = {str(n.get("id")): n for n in part.iter("note")}
        self._ids = [[str(n.get("id")) for n in measure.findall("note")] for measure in part]
        numbered = copy.deepcopy(part)
        show_tuplet_numbers(numbered)
        self._documents = {False: document(part), True: document(numbered)}  # the part may change from here on
        self._read, self._loaded = "", False

    def _load(self, text: str) -> bool:
        if text != self._read:
            self._read, self._loaded = text, bool(self._toolkit.loadData(text))
        return self._loaded

    def engrave(self, style: Style) -> list[EngravedMeasure]:
        """Every measure of the part in this style; empty where Verovio cannot draw it or numbers measures otherwise."""
        if not self._load(self._documents[style.tuplet_numbers]):
            return []
        self._toolkit.setOptions(
            {
                **{"font": style.font, "pageWidth": style.page_width, "spacingLinear": style.spacing_linear},
                **{"spacingNonLinear": style.spacing_non_linear, "spacingStaff": style.spacing_staff},
            }
        )
        self._toolkit.redoLayout()
        systems: list[ET.Element] = []
        for page in range(1, self._toolkit.getPageCount() + 1):
            svg = ET.fromstring(self._toolkit.renderToSVG(page).replace(' xmlns="http://www.w3.org/2000/svg"', "", 1))
            systems += [g for g in svg.iter("g") if g.get("class", "").startswith("system")]
        measures: list[EngravedMeasure] = []
        for number, system in enumerate(systems):
            measures += _System(system, number, len(measures), self._notes).measures
        if len(measures) != len(self._ids):
            return []
        for measure, ids in zip(measures, self._ids, strict=True):
            seen = {note for note in measure.notes if note >= 0}
            measure.whole = seen == set(range(len(ids)))
            order = sorted(range(len(measure.glyphs)), key=lambda i: (measure.glyphs[i].x, -measure.glyphs[i].position))
            measure.glyphs = [measure.glyphs[i] for i in order]
            measure.notes = [measure.notes[i] for i in order]
        return measures


class _System:
    """Reads one line of music out of the SVG."""

    def __init__(self, system: ET.Element, number: int, first_measure: int, notes: dict[str, ET.Element]) -> None:
        self._notes = notes
        self._first = first_measure
        groups = [g for g in system if g.get("class") == "measure"]
        lines = [_staff_lines(g) for g in groups]
        self._left = min((x for staves in lines for x, _, _ in staves), default=0.0)
        staves = lines[0] if lines else []
        self._staves = {i: staff for i, (_, _, staff) in enumerate(staves, 1)}
        self._space = (staves[0][2].bottom - staves[0][2].top) / 4 if staves else 1.0
        self.measures = [
            EngravedMeasure(number, self._x(min(s[0] for s in staves)), self._x(max(s[1] for s in staves)))
            for staves in lines
        ]
        for index, group in enumerate(groups):
            self._read_measure(index, group)
        for group in system.iter("g"):
            name = group.get("class", "").split(" ")[0]  # what goes on from the line before is "slur id-… spanning"
            if name == "slur":
                self._read_slur(group)
            elif name == "octave":
                self._read_ottava(group)

    def _x(self, x: float) -> float:
        return (x - self._left) / self._space

    def _add(self, index: int, glyph: Glyph, note: int = -1) -> None:
        self.measures[index].glyphs.append(glyph)
        self.measures[index].notes.append(note)

    def _place(self, index: int, kind: str, x: float, y: float, **values: int) -> None:
        """A glyph of the staff that is nearest."""
        number, staff = min(self._staves.items(), key=lambda s: abs(y - (s[1].top + s[1].bottom) / 2))
        self._add(index, Glyph(kind, self._x(x), number, staff.position(y), **values))

    def _measure_at(self, x: float) -> int:
        for index, measure in enumerate(self.measures):
            if self._x(x) < measure.right:
                return index
        return len(self.measures) - 1

    def _read_measure(self, index: int, measure: ET.Element) -> None:
        number = 0
        for child in measure:
            name = child.get("class", "")
            if name == "staff":
                number += 1
                self._read_staff(index, number, child)
            elif name.startswith("barLine"):
                self._read_barline(index, child)
            elif name in ("fermata", "trill"):
                self._read_marks(index, child)
            elif name == "arpeg":
                places = list(_uses(child))
                if places:
                    self._place(index, "mark:arpeggio", places[0][1], sum(p[2] for p in places) / len(places))

    def _read_staff(self, index: int, number: int, staff: ET.Element) -> None:
        for group in staff.iter("g"):
            name = group.get("class", "")
            if name == "chord":
                stem = group.find("g[@class='stem']")
                for note in group.findall("g[@class='note']"):
                    self._read_note(index, note, stem)
                for note in group.iterfind("g/g[@class='note']"):
                    self._read_note(index, note, stem)
            elif name == "note":
                stem = group.find("g[@class='stem']")
                if stem is not None or not self._has(index, group):
                    self._read_note(index, group, stem)
            elif name in ("rest", "mRest"):
                self._read_rest(index, group)
            elif name == "clef":
                for code, x, y in _uses(group):
                    if code in _CLEFS:
                        position = self._staves[number].position(y)
                        self._add(index, Glyph(_CLEFS[code], self._x(x), number, position))
            elif name == "keySig":
                self._read_key(index, number, group)
            elif name == "meterSig":
                self._read_meter(index, number, group)
            elif name == "artic":
                self._read_marks(index, group)
            elif name == "tuplet":
                self._read_tuplet(index, group)

    def _numbered(self, index: int, group: ET.Element) -> int:
        """The note's number in its measure, -1 for one that is not the part's or lies in another measure."""
        measure, _, number = group.get("id", "")[1:].partition("-")
        known = group.get("id", "") in self._notes and measure == str(self._first + index)
        return int(number) if known else -1

    def _has(self, index: int, group: ET.Element) -> bool:
        return self._numbered(index, group) in self.measures[index].notes

    def _read_note(self, index: int, group: ET.Element, stem: ET.Element | None) -> None:
        number = self._numbered(index, group)
        head = group.find("g[@class='notehead']")
        if number < 0 or head is None or number in self.measures[index].notes:
            return
        for code, x, y in _uses(head):
            note = self._notes[group.get("id", "")]
            staff = int(note.findtext("staff", "1"))
            if staff not in self._staves:
                return
            kind = _HEADS.get(code, _HEADS_BY_TYPE.get(note.findtext("type", ""), "head:black"))
            tip = _stem_tip(stem)
            place = self._staves[staff]
            glyph = Glyph(
                kind,
                self._x(x) + _HALF_HEAD_SPACES,
                staff,
                place.position(y),
                stem=0 if tip is None else 1 if tip < y else 2,
                tip=0 if tip is None else place.position(tip),
                **_seen_at_head(note),
            )
            self._add(index, glyph, number)
            return

    def _read_rest(self, index: int, group: ET.Element) -> None:
        number = self._numbered(index, group)
        for code, x, y in _uses(group):
            if number >= 0 and code in _RESTS:
                note = self._notes[group.get("id", "")]
                staff = int(note.findtext("staff", "1"))
                position = self._staves[staff].position(y) if staff in self._staves else 0
                x_spaces = self._x(x) + _HALF_HEAD_SPACES
                dots = len(note.findall("dot"))
                self._add(index, Glyph(_RESTS[code], x_spaces, staff, position, dots=dots), number)
                return

    def _read_key(self, index: int, staff: int, group: ET.Element) -> None:
        codes = [(code, x) for code, x, _ in _uses(group)]
        if codes:
            fifths = sum({"E262": 1, "E260": -1}.get(code, 0) for code, _ in codes)
            x = min(x for _, x in codes)
            self._add(index, Glyph(f"glyph-key:{min(max(fifths, -7), 7)}", self._x(x), staff))

    def _read_meter(self, index: int, staff: int, group: ET.Element) -> None:
        uses = sorted(_uses(group), key=lambda use: use[1])
        if not uses:
            return
        x = self._x(uses[0][1])
        if uses[0][0] in ("E08A", "E08B"):
            self._add(index, Glyph("meter:common" if uses[0][0] == "E08A" else "meter:cut", x, staff))
            return
        upper, lower = "", ""
        for code, _, y in uses:
            digit = str(int(code, 16) - 0xE080) if "E080" <= code <= "E089" else ""
            if self._staves[staff].position(y) >= 4:
                upper += digit
            else:
                lower += digit
        if upper and lower:
            glyph = Glyph("meter:digits", x, staff, number=min(int(upper), 32), denominator=min(int(lower), 32))
            self._add(index, glyph)

    def _read_barline(self, index: int, group: ET.Element) -> None:
        strokes = sorted((_numbers(p)[0], float(p.get("stroke-width", "0"))) for p in group.findall(".//path"))
        dots = [x for code, x, _ in _uses(group) if code in REPEAT_DOTS]
        if not strokes:
            return
        first, last = strokes[0][0], strokes[-1][0]
        if dots:
            before, after = min(dots) < first, max(dots) > last
            kind = "repeat-both" if before and after else "repeat-end" if before else "repeat-start"
        elif last - first < 1:
            kind = "single"
        else:
            kind = "final" if max(s[1] for s in strokes) > 1.5 * min(s[1] for s in strokes) else "double"
        self._add(index, Glyph(f"barline:{kind}", self._x(first)))

    def _read_marks(self, index: int, group: ET.Element) -> None:
        for code, x, y in _uses(group):
            for kind in _MARKS.get(code, ()):
                self._place(index, kind, x, y)

    def _read_tuplet(self, index: int, group: ET.Element) -> None:
        for number in group.findall("g[@class='tupletNum']"):
            uses = sorted(_uses(number), key=lambda use: use[1])
            digits = "".join(str(int(code, 16) - 0xE880) for code, _, _ in uses if "E880" <= code <= "E889")
            if digits:
                self._place(index, "tuplet-number", uses[0][1], uses[0][2], number=min(int(digits), 32))
        for bracket in group.findall("g[@class='tupletBracket']"):
            points = drawn_points(bracket)
            if points:
                height = points[1]
                self._place(index, "tuplet-bracket:left", min(points[::2]), height)
                self._place(index, "tuplet-bracket:right", max(points[::2]), height)

    def _read_slur(self, group: ET.Element) -> None:
        for path in group.findall("path"):
            numbers = _numbers(path)
            if len(numbers) >= 8:
                for kind, (x, y) in (("left", numbers[0:2]), ("right", numbers[6:8])):
                    self._place(self._measure_at(x), f"slur-end:{kind}", x, y)

    def _read_ottava(self, group: ET.Element) -> None:
        places = [(x, y) for _, x, y in _uses(group)]
        texts = "".join(group.itertext())
        places += [(float(t.get("x", "0")), float(t.get("y", "0"))) for t in group.iter("text") if t.get("x")]
        points = drawn_points(group)
        if not places and not points:
            return
        x, y = places[0] if places else (points[0], points[1])
        number, staff = min(self._staves.items(), key=lambda s: min(abs(y - s[1].top), abs(y - s[1].bottom)))
        above = y < (staff.top + staff.bottom) / 2
        size = "15m" if "15" in texts else "8v"
        kind = f"ottava:{size}{'a' if above else 'b'}"
        end = max(points[::2], default=x)
        self._add(self._measure_at(x), Glyph(kind, self._x(x), number, staff.position(y)))
        self._add(self._measure_at(end), Glyph("ottava:end", self._x(end), number, staff.position(y)))


def _seen_at_head(note: ET.Element) -> dict[str, int]:
    """What the part prints at a notehead."""
    beams = [beam.text or "" for beam in note.findall("beam")]
    kind = note.findtext("type", "quarter")
    has_stem = note.findtext("stem", "up") != "none"
    short = max(_SMALLEST_TYPES - NOTE_TYPES.index(kind), 0) if kind in NOTE_TYPES else 0
    tied = {tie.get("type") for tie in note.findall("notations/tied")}
    grace = note.find("grace")
    accidental = note.findtext("accidental", "")
    tremolo = note.findtext("notations/ornaments/tremolo", "0").strip()
    return {
        "dots": len(note.findall("dot")),
        "accidental": ACCIDENTALS.index(accidental) + 1 if accidental in ACCIDENTALS else 0,
        "flags": 0 if beams or not has_stem else min(short, 6),
        "beams_left": sum(b in ("continue", "end", "backward hook") for b in beams),
        "beams_right": sum(b in ("continue", "begin", "forward hook") for b in beams),
        "ties": ("stop" in tied) + 2 * ("start" in tied),
        "size": 0 if grace is None else 2 if grace.get("slash") == "yes" else 1,
        "strokes": int(tremolo) if tremolo.isdigit() else 0,
    }


def share_beams(part: ET.Element) -> None:
    """Write a chord's beams to each of its notes: they are on the stem that the notes share."""
    for measure in part:
        first: ET.Element | None = None
        for note in measure.findall("note"):
            if note.find("chord") is None:
                first = note
            elif first is not None and note.find("beam") is None:
                for beam in first.findall("beam"):
                    ET.SubElement(note, "beam", beam.attrib).text = beam.text


def _uses(group: ET.Element) -> Iterator[tuple[str, float, float]]:
    for use in group.iter("use"):
        place = _PLACE.search(use.get("transform", ""))
        if place:
            yield use.get("href", "#")[1:5], float(place[1]), float(place[2])
        elif use.get("x"):
            yield use.get("href", "#")[1:5], float(use.get("x", "0")), float(use.get("y", "0"))


def _numbers(path: ET.Element) -> list[float]:
    return [float(number) for number in _NUMBER.findall(path.get("d", ""))]


def drawn_points(group: ET.Element) -> list[float]:
    """x and y in turn of all points of what a group draws with lines."""
    points = [n for p in group.findall(".//path") + group.findall(".//line") for n in _numbers(p)]
    for shape in group.findall(".//polygon") + group.findall(".//polyline"):
        points += [float(n) for n in _NUMBER.findall(shape.get("points", ""))]
    return points


def _staff_lines(measure: ET.Element) -> list[tuple[float, float, _Staff]]:
    """Left, right and height of each staff of a measure."""
    result = []
    for staff in measure.findall("g[@class='staff']"):
        lines = [_numbers(path) for path in staff.findall("path")[:5]]
        if len(lines) == 5:
            result.append((lines[0][0], lines[0][2], _Staff(min(n[1] for n in lines), max(n[1] for n in lines))))
    return result or [(0.0, 1.0, _Staff(0.0, 4.0))]


def _stem_tip(stem: ET.Element | None) -> float | None:
    path = None if stem is None else stem.find("path")
    return None if path is None else _numbers(path)[3]
