"""A page as MuseScore 3 drew it → what an eye finds on it, as `labels` finds it on Verovio's pages.

MuseScore's SVG names the class of everything drawn, but not which note it is. So each note and rest of the score is
given a colour of its own before it is drawn; stems, accidentals, ties and marks are told by where they stand.
"""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model_runtime.tokens.vocabulary import ACCIDENTALS
from model_runtime.training import engrave
from model_runtime.training.image.labels import FIELDS, HALF_HEAD_SPACES, DrawnStaff, PageLabels, heads_joined
from model_runtime.training.image.svg_shapes import Shape, first_digits, page_width, shapes_of, side_by_side, stacked
from model_runtime.unified.glyph_classes import KIND_INDEX

_ALTERED = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_REST_KINDS = {name: f"rest:{name}" for name in ("breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th")}
_STEM_FIELDS = ("flags", "beams_left", "beams_right", "strokes")
Notes = Mapping[str, tuple[ET.Element, int]]
Meter = tuple[int, int, str]  # numerator, denominator, sign
Stem = tuple[float, float, float]  # x, where it begins, tip


@dataclass
class _Head:
    name: str
    note: ET.Element
    staff: int
    x: float
    y: float


def note_colour(name: str) -> str:
    """The colour of the note with this id, as `labels.number_notes` gives them: told apart, all nearly black."""
    return f"#{int(name[1:]) + 1:06x}"


def measures_and_meters(root: ET.Element) -> tuple[dict[str, int], dict[int, Meter]]:
    """Measure of each note by its id, and the metre printed at the start of measures that have one."""
    measures: dict[str, int] = {}
    meters: dict[int, Meter] = {}
    for part in root.findall("part"):
        for index, measure in enumerate(part.findall("measure")):
            for time in measure.iterfind("attributes/time"):
                beats, kind = time.findtext("beats", ""), time.findtext("beat-type", "")
                if beats.isdigit() and kind.isdigit():
                    meters[index] = (int(beats), int(kind), time.get("symbol", ""))
            for note in measure.findall("note"):
                measures[str(note.get("id"))] = index
    return measures, meters


def chords_of(notes: Notes) -> list[list[str]]:
    """Ids of the notes of each chord, in the score's order."""
    chords: list[list[str]] = []
    for name, (note, _) in notes.items():
        if note.find("chord") is not None and chords:
            chords[-1].append(name)
        else:
            chords.append([name])
    return chords


def musescore_labels(svg: str, notes: Notes, root: ET.Element, width_px: int) -> PageLabels | None:
    """Labels of one SVG page drawn `width_px` wide; None where staves are left out or are not of five lines.

    Args:
        notes: As `labels.number_notes` gives them; each was drawn in its `note_colour`.
        root: The score.
    """
    by_class: dict[str, list[Shape]] = defaultdict(list)
    for shape in shapes_of(svg):
        by_class[shape.name].append(shape)
    staves = _staves(by_class["StaffLines"], 1 + max((staff for _, staff in notes.values()), default=0))
    if not staves or not page_width(svg):
        return None
    scale = width_px / page_width(svg)
    page = _Page(by_class, staves, notes)
    page.read(*measures_and_meters(root))
    labels = PageLabels(
        [DrawnStaff(s.system, s.number, *(scale * v for v in (s.left, s.right, s.top, s.bottom))) for s in staves]
    )
    labels.places = np.array([[x * scale, y * scale] for _, x, y, _, _ in page.found]).reshape(-1, 2)
    labels.values = np.full((len(page.found), len(FIELDS)), -999.0)
    for row, (kind, _, _, staff, seen) in zip(labels.values, page.found, strict=True):
        row[0], row[1] = KIND_INDEX[kind], staff
        for name, value in seen.items():
            row[FIELDS.index(name)] = value * scale if name == "tip" else value
    return heads_joined(labels)


def _staves(lines: Sequence[Shape], count: int) -> list[DrawnStaff]:
    """Staves of a page by system; empty where they are not of five lines, or some of a system are left out."""
    if not lines or len(lines) % (5 * count):
        return []
    staves = []
    for index in range(len(lines) // 5):
        five = lines[5 * index : 5 * index + 5]
        gaps = np.diff([line.top for line in five])
        if gaps.min() <= 0 or np.ptp(gaps) > 0.05 * gaps.mean():
            return []
        left, right = min(s.left for s in five), max(s.right for s in five)
        staves.append(DrawnStaff(index // count, index % count, left, right, five[0].top, five[-1].top))
    for upper, lower in itertools.pairwise(staves):
        if lower.top <= upper.bottom or (lower.system == upper.system and abs(lower.right - upper.right) > 1):
            return []
    return staves


class _Page:
    """Reads what was drawn, in the SVG's units."""

    def __init__(self, shapes: Mapping[str, list[Shape]], staves: list[DrawnStaff], notes: Notes) -> None:
        self._shapes, self._staves, self._notes = shapes, staves, notes
        self._space = (staves[0].bottom - staves[0].top) / 4
        self._systems = 1 + staves[-1].system
        self._count = len(staves) // self._systems
        self.found: list[tuple[str, float, float, int, dict[str, float]]] = []

    def read(self, measures: Mapping[str, int], meters: Mapping[int, Meter]) -> None:
        by_colour = {note_colour(name): name for name in self._notes}
        drawn = [(s, by_colour.get(s.colour)) for name in ("Note", "Rest") for s in self._shapes.get(name, ())]
        heads: dict[str, _Head] = {}
        for shape, name in drawn:
            if name is None:
                continue
            note, number = self._notes[name]
            staff = self._system_at(shape.y) * self._count + number
            if note.find("rest") is not None:
                kind = _REST_KINDS.get(note.findtext("type", "whole"))
                if kind:
                    self._add(kind, shape.x + self._half_head, shape.y, staff, dots=len(note.findall("dot")))
            elif name not in heads:
                heads[name] = _Head(name, note, staff, shape.x, shape.y)
        self._read_heads(heads)
        self._read_clefs_and_keys()
        self._read_meters([(s.x, s.y, measures[name]) for s, name in drawn if name is not None], meters)
        self._read_barlines()
        self._read_marks(list(heads.values()))
        self._read_slurs()

    @property
    def _half_head(self) -> float:
        return HALF_HEAD_SPACES * self._space

    def _add(self, kind: str, x: float, y: float, staff: int = -1, **seen: float) -> None:
        self.found.append((kind, x, y, staff, seen))

    def _staff_at(self, y: float) -> int:
        """The staff whose middle is nearest."""
        return int(np.argmin([abs(y - (s.top + s.bottom) / 2) for s in self._staves]))

    def _system_at(self, y: float) -> int:
        return self._staves[self._staff_at(y)].system

    def _read_heads(self, heads: Mapping[str, _Head]) -> None:
        stems = self._stems_of(heads)
        signs = self._signs_of(list(heads.values()))
        ties = self._tie_ends()
        for name, head in heads.items():
            kind = engrave._HEADS_BY_TYPE.get(head.note.findtext("type", ""), "head:black")
            seen: dict[str, float] = {**engrave._seen_at_head(head.note)}
            seen["accidental"] = signs.get(name, 0)
            seen["ties"] = self._ties_at(head, int(seen["ties"]), ties)
            stem = stems.get(name)
            if stem is None:
                for field in _STEM_FIELDS:
                    del seen[field]
                if kind in ("head:whole", "head:breve") or head.note.findtext("stem") == "none":
                    seen["stems"] = 0
            else:
                seen["stems"], seen["tip"] = 1 if stem[2] < stem[1] else 2, stem[2]
            self._add(kind, head.x + self._half_head, head.y, head.staff, **seen)

    def _stems_of(self, heads: Mapping[str, _Head]) -> dict[str, Stem]:
        """The stem of each head that has one: each is given to the chord that it fits best."""
        stems = [(s.points[0], s.points[1], s.points[3]) for s in self._shapes.get("Stem", ()) if len(s.points) == 4]
        offers = []
        chords = [[heads[name] for name in chord if name in heads] for chord in chords_of(self._notes)]
        xs = np.array([s[0] for s in stems])
        for number, chord in enumerate(chords):
            if not chord or chord[0].note.findtext("type", "") in ("whole", "breve"):
                continue
            first = min(h.x for h in chord)
            for index in map(int, np.flatnonzero((xs > first - 0.5 * self._space) & (xs < first + 3 * self._space))):
                cost = self._misfit(stems[index], chord)
                if cost < 1.0:
                    offers.append((cost, number, index))
        result: dict[str, Stem] = {}
        taken: set[int] = set()
        for _, number, index in sorted(offers):
            if index not in taken and chords[number][0].name not in result:
                taken.add(index)
                result.update({head.name: stems[index] for head in chords[number]})
        return result

    def _misfit(self, stem: Stem, chord: Sequence[_Head]) -> float:
        """How badly a stem fits to a chord: above 1 it is not its."""
        x, begin, tip = stem
        grace = chord[0].note.find("grace") is not None
        heights = [h.y for h in chord]
        up = tip < begin
        if up:
            aside = x - min(h.x for h in chord) - (0.8 if grace else 1.25) * self._space
            reaches = tip < min(heights)
        else:
            aside = x - max(h.x for h in chord) - 0.05 * self._space
            reaches = tip > max(heights)
        off = abs(begin - (max(heights) if up else min(heights)))
        told = chord[0].note.findtext("stem", "")
        against = 0.15 if told in ("up", "down") and told != ("up" if up else "down") else 0.0
        return (abs(aside) + off) / self._space + against if reaches else 9.0

    def _signs_of(self, heads: Sequence[_Head]) -> dict[str, int]:
        """Accidental of each head that one stands before; it is what the note's pitch says."""
        result = {}
        for shape in self._shapes.get("Accidental", ()):
            near = [
                h
                for h in heads
                if abs(h.y - shape.y) < 0.2 * self._space and -0.3 < (h.x - shape.right) / self._space < 6
            ]
            if near:
                head = min(near, key=lambda h: h.x)
                alter = float(head.note.findtext("pitch/alter", "0"))
                name = _ALTERED.get(int(alter)) if alter.is_integer() else None
                if name is not None:
                    result[head.name] = ACCIDENTALS.index(name) + 1
        return result

    def _tie_ends(self) -> list[tuple[int, float, float]]:
        """1 for a right end, which is at a head that is tied from the left, 2 for a left one; x and y."""
        ends = []
        for shape in self._shapes.get("TieSegment", ()):
            if len(shape.points) >= 8:
                ends += [(2, shape.points[0], shape.points[1]), (1, shape.points[6], shape.points[7])]
        return ends

    def _ties_at(self, head: _Head, told: int, ends: Iterable[tuple[int, float, float]]) -> int:
        """Of the ties that the score tells of at a head those that were drawn."""
        seen = 0
        for bit, x, y in ends:
            across = (x - head.x - self._half_head) / self._space
            if abs(y - head.y) < 1.7 * self._space and (-0.9 < across < 3.0 if bit == 2 else -3.0 < across < 0.9):
                seen |= bit
        return told & seen

    def _read_clefs_and_keys(self) -> None:
        for shape in self._shapes.get("Clef", ()):
            above, below = (shape.y - shape.top) / self._space, (shape.bottom - shape.y) / self._space
            kind = "clef:G" if above > 3 else "clef:C" if abs(above - below) < 0.5 else "clef:F"
            self._add(kind, shape.x, shape.y, self._staff_at(shape.y))
        for shape in self._shapes.get("KeySig", ()):
            above, below = shape.y - shape.top, shape.bottom - shape.y
            wide = (shape.right - shape.left) / self._space
            kind = "flat" if above > 1.8 * below else "natural" if wide < 0.82 else "sharp"
            self._add(f"key-sign:{kind}", shape.x, shape.y, self._staff_at(shape.y))

    def _read_meters(self, drawn: Sequence[tuple[float, float, int]], meters: Mapping[int, Meter]) -> None:
        """A metre is that of the measure whose notes follow, or at the end of a line of the next one."""
        places = [(x, self._system_at(y), measure) for x, y, measure in drawn]
        seen: set[tuple[int, int]] = set()
        for shape in sorted(self._shapes.get("TimeSig", ()), key=lambda s: s.left):
            staff = self._staff_at((shape.top + shape.bottom) / 2)
            if (staff, round(shape.left / self._space / 4)) in seen:
                continue
            seen |= {(int(staff), round(shape.left / self._space / 4) + i) for i in (-1, 0, 1)}
            system = self._staves[staff].system
            own = [(x, measure) for x, other, measure in places if other == system]
            after = [(x, measure) for x, measure in own if x > shape.left]
            index = min(after)[1] if after else 1 + max((m for _, m in own), default=-1)
            if index not in meters:
                continue
            beats, kind, sign = meters[index]
            height = (self._staves[staff].top + self._staves[staff].bottom) / 2
            if sign in ("common", "cut"):
                self._add(f"meter:{sign}", shape.left, height, staff)
            else:
                number, denominator = min(beats, 32), min(kind, 32)
                self._add("meter:digits", shape.left, height, staff, number=number, denominator=denominator)

    def _read_barlines(self) -> None:
        for index, staff in enumerate(self._staves):
            middle = (staff.top + staff.bottom) / 2
            own = [s for s in self._shapes.get("BarLine", ()) if s.top - self._space < middle < s.bottom + self._space]
            own = [s for s in own if s.is_line() or staff.top < s.top < staff.bottom]
            for cluster in side_by_side(own, 1.3 * self._space):
                strokes = [s for s in cluster if s.is_line()]
                dots = [s.left for s in cluster if not s.is_line()]
                if not strokes or (strokes[0].left < staff.left + 0.5 * self._space and not dots):
                    continue
                first, last = strokes[0].left, strokes[-1].left
                if dots:
                    before, after = min(dots) < first, max(dots) > last
                    kind = "repeat-both" if before and after else "repeat-end" if before else "repeat-start"
                elif len(strokes) == 1:
                    kind = "single"
                else:
                    thick = max(s.width for s in strokes) > 1.5 * min(s.width for s in strokes)
                    kind = "final" if thick else "double"
                self._add(f"barline:{kind}", first, middle, index)

    def _read_marks(self, heads: Sequence[_Head]) -> None:
        for name in ("Articulation", "Fermata"):
            for shape in self._shapes.get(name, ()):
                kind = "fermata" if name == "Fermata" else self._articulation(shape)
                if kind:
                    staff = self._staves[self._staff_at(shape.y)]
                    below = (
                        shape.top > (staff.top + staff.bottom) / 2
                        if name == "Fermata"
                        else shape.y < shape.bottom - 0.5 * (shape.bottom - shape.top)
                    )
                    self._add(f"mark:{kind}", shape.left, shape.top if below else shape.bottom)
        waves = [s for s in self._shapes.get("Arpeggio", ()) if not s.is_line()]
        for column in side_by_side(waves, 0.0):
            for pieces in stacked(column, self._space):
                self._add("mark:arpeggio", pieces[0].left, (pieces[0].top + pieces[-1].bottom) / 2)
        self._read_tuplets(heads)
        self._read_ottavas()

    def _articulation(self, shape: Shape) -> str | None:
        wide, high = (shape.right - shape.left) / self._space, (shape.bottom - shape.top) / self._space
        if wide < 0.6 and high < 0.6:
            return "staccato"
        if high < 0.35:
            return "tenuto"
        if 1.2 < wide < 2.1 and 0.7 < high < 1.2 and wide > 1.25 * high:
            return "accent"
        if 0.7 < wide < 1.2 and 0.8 < high < 1.6:
            return "strong-accent"
        return "trill" if wide > 1.6 and high > 1.3 else None

    def _read_tuplets(self, heads: Sequence[_Head]) -> None:
        shapes = self._shapes.get("Tuplet", ())
        timed = [h for h in heads if h.note.find("time-modification") is not None]
        for first in first_digits([s for s in shapes if not s.is_line()], self._space):
            near = min(timed, key=lambda h: abs(h.x - first.left) + 0.7 * abs(h.y - first.bottom), default=None)
            number = near.note.findtext("time-modification/actual-notes", "") if near is not None else ""
            if number.isdigit():
                self._add("tuplet-number", first.left, first.bottom, number=min(int(number), 32))
        for shape in (s for s in shapes if s.is_line()):
            xs, ys = shape.points[::2], shape.points[1::2]
            if len(xs) != 3:
                continue
            outer = 0 if abs(xs[0] - xs[1]) < 1 else 2  # the hook's end
            side = "left" if xs[1] < xs[2 - outer] else "right"
            self._add(f"tuplet-bracket:{side}", xs[1], ys[1])

    def _read_ottavas(self) -> None:
        shapes = self._shapes.get("OttavaSegment", ())
        for sign in (s for s in shapes if not s.is_line()):
            staff = self._staves[self._staff_at(sign.bottom)]
            size = "15m" if sign.right - sign.left > 1.7 * self._space else "8v"
            side = "a" if sign.bottom < (staff.top + staff.bottom) / 2 else "b"
            self._add(f"ottava:{size}{side}", sign.left, sign.bottom)
            for line in shapes:
                level = line.is_line() and line.bottom - line.top < 1 and sign.top - 5 < line.top < sign.bottom + 5
                if level and 0 < line.left - sign.left < 3 * self._space:
                    self._add("ottava:end", line.right, sign.bottom)

    def _read_slurs(self) -> None:
        for shape in self._shapes.get("SlurSegment", ()):
            if len(shape.points) >= 8:
                self._add("slur-end:left", shape.points[0], shape.points[1])
                self._add("slur-end:right", shape.points[6], shape.points[7])
