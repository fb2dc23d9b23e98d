"""MEI of two staves, as Verovio writes it, → a MusicXML part: notes, voices, beams, tuplets and what is around them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from fractions import Fraction
from math import lcm

from model_runtime.training.mei_layers import PITCHED, Event, LayerReader

_ID = "{http://www.w3.org/XML/1998/namespace}id"
_NAMESPACE = re.compile(r' xmlns="http://www\.music-encoding\.org/ns/mei"')
_TYPES = {
    **{"long": "long", "breve": "breve", "1": "whole", "2": "half", "4": "quarter", "8": "eighth"},
    **{str(2**n): f"{2**n}{'nd' if n == 5 else 'th'}" for n in range(4, 9)},
}
_ALTERS = {"s": 1, "f": -1, "n": 0, "x": 2, "ss": 2, "ff": -2, "ns": 1, "nf": -1, "ts": 3, "tf": -3}
_SIGNS = {
    **{"s": "sharp", "f": "flat", "n": "natural", "x": "double-sharp", "ss": "double-sharp", "ff": "flat-flat"},
    **{"ns": "natural-sharp", "nf": "natural-flat"},
}
_ARTICULATIONS = {
    **{"acc": "accent", "stacc": "staccato", "ten": "tenuto", "marc": "strong-accent", "stacciss": "staccatissimo"},
    "spicc": "staccatissimo",
}
_ORNAMENTS = {"trill": "trill-mark", "mordent": "mordent", "inverted-mordent": "inverted-mordent", "turn": "turn"}
_BARS = {"dbl": "light-light", "end": "light-heavy", "rptend": "light-heavy", "rptboth": "light-heavy"}


def part_of_mei(mei: str) -> ET.Element:
    """The MusicXML part of an MEI document of two staves.

    Raises:
        ValueError: it has another number of staves, or a rest over several measures.
    """
    root = ET.fromstring(_NAMESPACE.sub("", mei, count=1))
    score = root.find(".//score")
    if score is None or {d.get("n") for d in score.iter("staffDef")} != {"1", "2"}:
        raise ValueError("not two staves")
    if score.find(".//multiRest") is not None:
        raise ValueError("a rest over several measures")
    return _PartWriter(score).part


class _PartWriter:
    """Writes measure after measure."""

    def __init__(self, score: ET.Element) -> None:
        self.part = ET.Element("part", {"id": "P1"})
        self._marks = _Marks(score)
        self._pending: list[ET.Element] = []  # definitions before the next measure
        self._meter, self._beat_type = Fraction(4), 4
        self._later: dict[int, list[ET.Element]] = defaultdict(list)  # ends of hairpins, by measure
        layers = [self._read(m) for m in score.iter("measure")]
        durations = [e.duration for measure in layers for _, _, events in measure for e in events]
        self._divisions = lcm(*(d.denominator for d in durations), 1)
        self._number, self._at = 0, Fraction(0)
        self._read_measures = iter(layers)
        self._walk(score)

    def _walk(self, parent: ET.Element) -> None:
        for child in parent:
            if child.tag == "measure":
                self._write(child, next(self._read_measures))
            elif child.tag in ("scoreDef", "staffDef"):
                self._pending.append(child)
            elif child.tag in ("section", "ending", "expansion"):
                self._walk(child)

    def _read(self, measure: ET.Element) -> list[tuple[int, int, list[Event]]]:
        """Staff, voice and events of each layer."""
        result = []
        for staff in measure.findall("staff"):
            number = int(staff.get("n", "1"))
            for index, layer in enumerate(staff.findall("layer")):
                reader = LayerReader(number)
                reader.read(layer)
                result.append((number, 4 * (number - 1) + index + 1, reader.events))
        return result

    def _write(self, source: ET.Element, layers: list[tuple[int, int, list[Event]]]) -> None:
        self._number += 1
        measure = ET.SubElement(self.part, "measure", {"number": str(self._number)})
        if source.get("left") in ("rptstart", "rptboth"):
            _barline(measure, "left", "heavy-light", "forward")
        self._write_attributes(measure)
        self._write_directions(measure, source)
        lengths = [sum((e.duration for e in events), Fraction(0)) for _, _, events in layers]
        length = max(lengths, default=Fraction(0)) or self._meter
        for index, (staff, voice, events) in enumerate(layers):
            if index:
                self._advance(measure, "backup", self._at)
            self._at = Fraction(0)
            for event in events:
                self._write_event(measure, event, staff, voice, length)
        right = source.get("right", "")
        if right in _BARS:
            _barline(measure, "right", _BARS[right], "backward" if right.startswith("rpt") else "")

    def _advance(self, measure: ET.Element, tag: str, quarters: Fraction) -> None:
        if quarters > 0:
            ET.SubElement(ET.SubElement(measure, tag), "duration").text = str(int(quarters * self._divisions))

    def _write_attributes(self, measure: ET.Element) -> None:
        if not self._pending:
            return
        attributes = ET.SubElement(measure, "attributes")
        if self._number == 1:
            ET.SubElement(attributes, "divisions").text = str(self._divisions)
        definitions, self._pending = [e for d in self._pending for e in d.iter()], []
        key = next((e.get("sig", "") for e in definitions if e.tag == "keySig"), "")
        if key:
            sharps = 0 if key == "0" else int(key[:-1]) * (1 if key[-1] == "s" else -1)
            ET.SubElement(ET.SubElement(attributes, "key"), "fifths").text = str(sharps)
        self._write_meter(attributes, definitions)
        if self._number == 1:
            ET.SubElement(attributes, "staves").text = "2"
        for definition in definitions:
            clef = definition.find("clef") if definition.tag == "staffDef" else None
            if clef is not None:
                _clef(attributes, clef, int(definition.get("n", "1")))

    def _write_meter(self, attributes: ET.Element, definitions: list[ET.Element]) -> None:
        meter = next((e for e in definitions if e.tag == "meterSig"), None)
        mensur = next((e for e in definitions if e.tag == "mensur"), None)
        symbol = "" if meter is None else meter.get("sym", "")
        if mensur is not None:
            symbol = "cut" if mensur.get("slash") else "common"
        if meter is None and not symbol:
            return
        count, unit = ("2", "2") if symbol == "cut" else ("4", "4")
        if meter is not None:
            count, unit = meter.get("count", count), meter.get("unit", unit)
        self._meter, self._beat_type = Fraction(4 * int(count), int(unit)), int(unit)
        time = ET.SubElement(attributes, "time", {"symbol": symbol} if symbol in ("common", "cut") else {})
        ET.SubElement(time, "beats").text = count
        ET.SubElement(time, "beat-type").text = unit

    def _write_directions(self, measure: ET.Element, source: ET.Element) -> None:
        """Pedal, dynamics, hairpins and words: none of it is read, but it stands around the notes."""
        measure.extend(self._later.pop(self._number, ()))
        for mark in source:
            text = "".join(mark.itertext()).strip()
            if mark.tag not in ("pedal", "dynam", "hairpin", "dir") or mark.get("label") or not mark.get("tstamp"):
                continue
            kind = ET.Element({"pedal": "pedal", "hairpin": "wedge"}.get(mark.tag, "words"))
            if mark.tag == "pedal":
                kind.attrib |= {"type": "start" if mark.get("dir") == "down" else "stop", "sign": "yes", "line": "no"}
            elif mark.tag == "hairpin":
                kind.set("type", "crescendo" if mark.get("form") == "cres" else "diminuendo")
            elif mark.tag == "dynam" and re.fullmatch("p{1,4}|f{1,4}|mf|mp|sf|fz|sfz|fp", text):
                kind = ET.Element("dynamics")
                ET.SubElement(kind, text)
            elif text:
                kind.text = text
            else:
                continue
            measure.append(self._direction(kind, mark, mark.get("tstamp", "1")))
            if mark.tag == "hairpin":
                measures, _, beat = mark.get("tstamp2", "0m+1").partition("m+")
                stop = self._direction(ET.Element("wedge", {"type": "stop"}), mark, beat or "1")
                if measures == "0":
                    measure.append(stop)
                else:
                    self._later[self._number + int(measures or 0)].append(stop)

    def _direction(self, kind: ET.Element, mark: ET.Element, beat: str) -> ET.Element:
        placement = "above" if mark.get("place") == "above" else "below"
        direction = ET.Element("direction", {"placement": placement})
        ET.SubElement(direction, "direction-type").append(kind)
        quarters = (float(beat) - 1) * 4 / self._beat_type
        ET.SubElement(direction, "offset").text = str(round(quarters * self._divisions))
        ET.SubElement(direction, "staff").text = mark.get("staff", "1").split()[0]
        return direction

    def _write_event(self, measure: ET.Element, event: Event, staff: int, voice: int, length: Fraction) -> None:
        if event.kind == "clef":
            _clef(ET.SubElement(measure, "attributes"), event.element, staff)
            return
        duration = length if event.kind == "mRest" else event.duration
        self._at += duration
        if event.kind == "space":
            self._advance(measure, "forward", duration)
            return
        heads = [event.element]
        if event.kind == "chord":
            heads = sorted(event.element.iter("note"), key=_height)
        before, after = self._marks.ottavas(event.element, heads)
        for kind, octave in before:
            _octave_shift(measure, octave, kind, staff)
        for index, head in enumerate(heads):
            self._write_note(measure, event, head, index, voice, duration)
        for kind, octave in after:
            _octave_shift(measure, octave, kind, staff)

    def _write_note(
        self, measure: ET.Element, event: Event, head: ET.Element, index: int, voice: int, duration: Fraction
    ) -> None:
        note = ET.SubElement(measure, "note")
        if event.grace:
            ET.SubElement(note, "grace", {"slash": "yes"} if event.grace == "acc" else {})
        if index:
            ET.SubElement(note, "chord")
        if event.kind in PITCHED:
            _pitch(ET.SubElement(note, "pitch"), head)
        else:
            _rest(ET.SubElement(note, "rest"), event)
        if not event.grace:
            ET.SubElement(note, "duration").text = str(int(duration * self._divisions))
        ties = self._marks.ties[head.get(_ID, "")]
        for tie in ties:
            ET.SubElement(note, "tie", {"type": tie})
        ET.SubElement(note, "voice").text = str(voice)
        if event.kind != "mRest":
            ET.SubElement(note, "type").text = _TYPES[event.element.get("dur", "4")]
            for _ in range(int(event.element.get("dots", "0"))):
                ET.SubElement(note, "dot")
        sign = _SIGNS.get(_printed_accidental(head), "")
        if sign:
            ET.SubElement(note, "accidental").text = sign
        _time_modification(note, event.ratios)
        stem = event.element.get("stem.dir", "")
        if stem and event.kind in PITCHED:
            ET.SubElement(note, "stem").text = stem
        own = head.get("staff") or event.element.get("staff") or str(event.staff)
        ET.SubElement(note, "staff").text = own if own in ("1", "2") else str(event.staff)
        for level, beam in enumerate(event.beams if index == 0 else [], 1):
            ET.SubElement(note, "beam", {"number": str(level)}).text = beam
        self._write_notations(note, event, head, index, ties)

    def _write_notations(self, note: ET.Element, event: Event, head: ET.Element, index: int, ties: list[str]) -> None:
        notations = ET.Element("notations")
        for tie in ties:
            ET.SubElement(notations, "tied", {"type": tie})
        first = index == 0
        ids = {head.get(_ID, ""), event.element.get(_ID, "") if first else ""}
        for name in ids - {""}:
            for number, kind, place in self._marks.slurs[name]:
                placed = {"placement": place} if place and kind == "start" else {}
                ET.SubElement(notations, "slur", {"type": kind, "number": str(number), **placed})
        if first:
            for kind, tuplet in event.tuplet_marks:
                _tuplet(notations, kind, tuplet)
        marks = [m for name in ids - {""} for m in self._marks.others[name]]
        ornaments = [_ORNAMENTS[m] for m in marks if m in _ORNAMENTS]
        if ornaments:
            parent = ET.SubElement(notations, "ornaments")
            for name in ornaments:
                ET.SubElement(parent, name)
        artics = [a for e in ({id(head): head, id(event.element): event.element}.values()) for a in e.findall("artic")]
        places = {
            _ARTICULATIONS[n]: {"placement": a.get("place", "")} if a.get("place") in ("above", "below") else {}
            for a in artics
            for n in a.get("artic", "").split()
            if n in _ARTICULATIONS
        }
        if places and first:
            parent = ET.SubElement(notations, "articulations")
            for name, placed in places.items():
                ET.SubElement(parent, name, placed)
        if "fermata" in marks:
            ET.SubElement(notations, "fermata")
        if event.element.get(_ID, "") in self._marks.arpeggios or head.get(_ID, "") in self._marks.arpeggios:
            ET.SubElement(notations, "arpeggiate")
        if len(notations):
            note.append(notations)


class _Marks:
    """What MEI writes at the end of a measure, by the ids of the notes that it belongs to."""

    def __init__(self, score: ET.Element) -> None:
        self.ties: dict[str, list[str]] = defaultdict(list)
        self.slurs: dict[str, list[tuple[int, str, str]]] = defaultdict(list)  # number, start or stop, place
        self.others: dict[str, list[str]] = defaultdict(list)
        self.arpeggios: set[str] = set()
        self._starts: dict[str, ET.Element] = {}
        self._ends: dict[str, ET.Element] = {}
        order = {e.get(_ID, ""): i for i, e in enumerate(score.iter())}
        for tie in score.iter("tie"):
            start, end = _ends(tie)
            if start in order and end in order:
                self.ties[end].insert(0, "stop")
                self.ties[start].append("start")
        self._number_slurs(score, order)
        for name in (*_ORNAMENTS, "fermata"):
            for mark in score.iter(name):
                upper = name == "mordent" and mark.get("form") == "upper"
                self.others[_ends(mark)[0]].append("inverted-mordent" if upper else name)
        for arpeggio in score.iter("arpeg"):
            targets = arpeggio.get("plist", "") or arpeggio.get("startid", "")
            self.arpeggios |= {t.removeprefix("#") for t in targets.split()}
        for octave in score.iter("octave"):
            start, end = _ends(octave)
            if start in order and end in order:
                self._starts[start], self._ends[end] = octave, octave

    def _number_slurs(self, score: ET.Element, order: dict[str, int]) -> None:
        """Slurs that are open at the same time get different numbers."""
        open_until: dict[int, int] = {}
        slurs = []
        for slur in score.iter("slur"):
            start, end = _ends(slur)
            if start in order and end in order:
                slurs.append((order[start], order[end], start, end, slur.get("curvedir", "")))
        for first, last, start, end, place in sorted(slurs):
            number = next(n for n in range(1, 99) if open_until.get(n, -1) < first)
            open_until[number] = last
            self.slurs[start].append((number, "start", place if place in ("above", "below") else ""))
            self.slurs[end].insert(0, (number, "stop", ""))

    def ottavas(
        self, element: ET.Element, heads: list[ET.Element]
    ) -> tuple[list[tuple[str, ET.Element]], list[tuple[str, ET.Element]]]:
        """What starts before an event and what stops behind it."""
        ids = dict.fromkeys((element.get(_ID, ""), *(h.get(_ID, "") for h in heads)))
        before = [("start", self._starts[i]) for i in ids if i in self._starts]
        return before, [("stop", self._ends[i]) for i in ids if i in self._ends]


def _ends(mark: ET.Element) -> tuple[str, str]:
    return mark.get("startid", "").removeprefix("#"), mark.get("endid", "").removeprefix("#")


def _printed_accidental(head: ET.Element) -> str:
    child = head.find("accid")
    return head.get("accid", "") or ("" if child is None else child.get("accid", ""))


def _height(head: ET.Element) -> int:
    return "cdefgab".index(head.get("pname", "c")) + 7 * int(head.get("oct.ges", "") or head.get("oct", "4"))


def _pitch(pitch: ET.Element, head: ET.Element) -> None:
    child = head.find("accid")
    sign = _printed_accidental(head) or head.get("accid.ges", "")
    if not sign and child is not None:
        sign = child.get("accid.ges", "")
    ET.SubElement(pitch, "step").text = head.get("pname", "c").upper()
    if _ALTERS.get(sign):
        ET.SubElement(pitch, "alter").text = str(_ALTERS[sign])
    ET.SubElement(pitch, "octave").text = head.get("oct.ges") or head.get("oct", "4")


def _rest(rest: ET.Element, event: Event) -> None:
    if event.kind == "mRest":
        rest.set("measure", "yes")
    elif event.element.get("ploc") and event.element.get("oloc"):
        ET.SubElement(rest, "display-step").text = event.element.get("ploc", "").upper()
        ET.SubElement(rest, "display-octave").text = event.element.get("oloc")


def _time_modification(note: ET.Element, ratios: tuple[tuple[int, int], ...]) -> None:
    if ratios:
        actual = normal = 1
        for num, base in ratios:
            actual, normal = actual * num, normal * base
        modification = ET.SubElement(note, "time-modification")
        ET.SubElement(modification, "actual-notes").text = str(actual)
        ET.SubElement(modification, "normal-notes").text = str(normal)


def _tuplet(notations: ET.Element, kind: str, tuplet: ET.Element) -> None:
    attributes = {"type": kind, "number": "1"}
    if kind == "start":
        attributes["bracket"] = "no" if tuplet.get("bracket.visible") == "false" else "yes"
        attributes["show-number"] = "none" if tuplet.get("num.visible") == "false" else "actual"
    ET.SubElement(notations, "tuplet", attributes)


def _clef(attributes: ET.Element, source: ET.Element, staff: int) -> None:
    clef = ET.SubElement(attributes, "clef", {"number": str(staff)})
    ET.SubElement(clef, "sign").text = source.get("shape", "G")
    ET.SubElement(clef, "line").text = source.get("line", "2")


def _barline(measure: ET.Element, location: str, style: str, direction: str) -> None:
    barline = ET.SubElement(measure, "barline", {"location": location})
    ET.SubElement(barline, "bar-style").text = style
    if direction:
        ET.SubElement(barline, "repeat", {"direction": direction})


def _octave_shift(measure: ET.Element, octave: ET.Element, kind: str, staff: int) -> None:
    above = octave.get("dis.place", "above") == "above"
    type_ = "stop" if kind == "stop" else "down" if above else "up"
    direction = ET.SubElement(measure, "direction", {"placement": "above" if above else "below"})
    parent = ET.SubElement(direction, "direction-type")
    ET.SubElement(parent, "octave-shift", {"type": type_, "size": octave.get("dis", "8"), "number": "1"})
    ET.SubElement(direction, "staff").text = str(staff)
