"""One part of a MusicXML score, cleaned so that it holds what an eye can see, measure by measure.

What goes: hidden notes and rests, ties and slurs and tuplets without their other end, harmony, lyrics, layout. Where
a hidden rest took time, the written position jumps (`forward`); a jump back always goes to the start of the measure,
so that it says nothing about how long anything hidden lasted. Chords stand in ascending order.
"""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

_STEPS = "CDEFGAB"
_KEPT = ("note", "attributes", "direction", "barline", "backup", "forward")


@dataclass(frozen=True)
class Head:
    """What holds at the start of a measure: printed at the start of each line, or carried by the reader.

    Attributes:
        fifths: Key signature, -7 to 7.
        meter: Numerator and denominator; (0, 0) where none was seen.
        clefs: Staff number to "G2", "F4", ….
        ottavas: Staff number to octaves by which the written note lies below (1: 8va) or above (-1: 8vb).
    """

    fifths: int = 0
    meter: tuple[int, int] = (0, 0)
    clefs: dict[int, str] = field(default_factory=dict)
    ottavas: dict[int, int] = field(default_factory=dict)


def two_staved_part(root: ET.Element) -> ET.Element | None:
    """The first part that declares two staves throughout, or None."""
    for part in root.findall("part"):
        counts = {int(e.text or "1") for e in part.iterfind("measure/attributes/staves")}
        if counts == {2}:
            return part
    return None


def visible_part(part: ET.Element, *, lyrics: bool = False) -> ET.Element:
    """A cleaned copy of a part.

    The note number `j` of measure number `i` has the id `n<i>-<j>`, both from 0. The attribute `length` of a measure
    is its length in divisions with everything hidden.

    Args:
        lyrics: Keep the words under the notes, which take room where the part is engraved.
    """
    result = ET.Element("part", {"id": "P1"})
    for number, measure in enumerate(part.findall("measure"), 1):
        cleaned = _visible_measure(measure, lyrics)
        cleaned.set("number", str(number))
        result.append(cleaned)
    _drop_open_ties(result)
    _drop_open_slurs(result)
    _drop_open_tuplets(result)
    for i, measure in enumerate(result):
        for j, note in enumerate(measure.findall("note")):
            note.set("id", f"n{i}-{j}")
    return result


def _visible_measure(measure: ET.Element, lyrics: bool) -> ET.Element:
    """Visible things at their places; `at` is the place in the source and `written` in the result, in divisions."""
    cleaned = ET.Element("measure")
    at = written = longest = 0
    for group in _chords(measure):
        head = group[0]
        if head.tag == "backup":
            at -= duration_of(head)
        elif head.tag == "forward":
            at += duration_of(head)
        elif head.tag == "note":
            visible = _ascending([copy.deepcopy(note) for note in group if note.get("print-object") != "no"], lyrics)
            if visible:
                _move(cleaned, written, at)
                written = at + duration_of(head)
                cleaned.extend(visible)
            at += duration_of(head)
        elif head.tag == "attributes":
            if written != at:
                _move(cleaned, written, at)
                written = at
            cleaned.append(_plain_attributes(head))
        elif head.tag == "barline" or (head.tag == "direction" and at == written):
            cleaned.append(copy.deepcopy(head))
        longest = max(longest, at)
    cleaned.set("length", str(longest))
    return cleaned


def _chords(measure: ET.Element) -> Iterator[list[ET.Element]]:
    group: list[ET.Element] = []
    for element in measure:
        if element.tag not in _KEPT:
            continue
        if group and not (element.tag == "note" and element.find("chord") is not None and group[0].tag == "note"):
            yield group
            group = []
        group.append(element)
    if group:
        yield group


def duration_of(element: ET.Element) -> int:
    """Divisions that an element takes; 0 for a grace note."""
    if element.find("grace") is not None:
        return 0
    return round(float(element.findtext("duration", "0")))


def _move(measure: ET.Element, written: int, at: int) -> None:
    if at < written:
        ET.SubElement(ET.SubElement(measure, "backup"), "duration").text = str(written)
        written = 0
    if at > written:
        ET.SubElement(ET.SubElement(measure, "forward"), "duration").text = str(at - written)


def _ascending(notes: list[ET.Element], lyrics: bool) -> list[ET.Element]:
    """The chord from low to high; what belongs to the whole chord stands at its first note."""
    ordered = sorted(notes, key=_height)
    for i, note in enumerate(ordered):
        for lyric in [] if lyrics and len(notes) == 1 else note.findall("lyric"):
            note.remove(lyric)
        chord = note.find("chord")
        if i == 0 and chord is not None:
            note.remove(chord)
        elif i > 0 and chord is None:
            note.insert(1 if note.find("grace") is not None else 0, ET.Element("chord"))
    if ordered and ordered[0] is not notes[0]:
        for beam in notes[0].findall("beam"):
            notes[0].remove(beam)
            notations = ordered[0].find("notations")
            ordered[0].insert(len(ordered[0]) if notations is None else list(ordered[0]).index(notations), beam)
    return ordered


def _height(note: ET.Element) -> int:
    return _STEPS.index(note.findtext("pitch/step", "C")) + 7 * int(note.findtext("pitch/octave", "4"))


def _plain_attributes(attributes: ET.Element) -> ET.Element:
    plain = copy.deepcopy(attributes)
    for child in list(plain):
        if child.tag not in ("divisions", "key", "time", "staves", "clef") or child.get("print-object") == "no":
            plain.remove(child)
    return plain


def _placed_notes(part: ET.Element) -> Iterator[tuple[int, int, ET.Element]]:
    """Every note with its onset and end in divisions of the first measure's size, from the start of the part."""
    start, divisions, unit = 0, 1, 0
    for measure in part:
        at = last = 0
        for element in measure:
            if element.tag == "attributes":
                divisions = int(element.findtext("divisions", str(divisions)))
                unit = unit or divisions
            length = duration_of(element)
            if element.tag == "backup":
                at -= length
            elif element.tag == "forward":
                at += length
            elif element.tag == "note":
                onset = last if element.find("chord") is not None else at
                yield start + _scaled(onset, divisions, unit), start + _scaled(onset + length, divisions, unit), element
                if element.find("chord") is None:
                    last, at = at, at + length
        start += _scaled(int(measure.get("length", "0")), divisions, unit)


def _scaled(value: int, divisions: int, unit: int) -> int:
    return value if divisions == unit else round(value * unit / divisions)


def _drop_open_ties(part: ET.Element) -> None:
    starts: dict[tuple[object, ...], list[ET.Element]] = defaultdict(list)
    stops: dict[tuple[object, ...], list[ET.Element]] = defaultdict(list)
    for onset, end, note in _placed_notes(part):
        pitch = tuple(note.findtext(f"pitch/{name}", "") for name in ("step", "alter", "octave"))
        for tie in note.findall("notations/tied"):
            if tie.get("type") == "start" and end > onset:
                starts[(*pitch, end)].append(note)
            elif tie.get("type") == "stop":
                stops[(*pitch, onset)].append(note)
    matched = starts.keys() & stops.keys()
    kept = {("start", id(n)) for key in matched for n in starts[key]}
    kept |= {("stop", id(n)) for key in matched for n in stops[key]}
    for note in part.iter("note"):
        for parent in (note, note.find("notations")):
            for tie in [] if parent is None else [e for e in parent if e.tag in ("tie", "tied")]:
                if (tie.get("type"), id(note)) not in kept:
                    parent.remove(tie)  # type: ignore[union-attr]


def _drop_open_slurs(part: ET.Element) -> None:
    ends = []
    for order, (onset, _, note) in enumerate(_placed_notes(part)):
        for slur in note.findall("notations/slur"):
            ends.append((onset, order, slur.get("type") != "stop", slur))
    open_slurs: dict[str, ET.Element] = {}
    kept: set[int] = set()
    for _, _, starts, slur in sorted(ends, key=lambda end: end[:3]):
        number = slur.get("number", "1")
        if slur.get("type") == "start" and starts:
            open_slurs[number] = slur
        elif slur.get("type") == "stop" and number in open_slurs:
            kept |= {id(slur), id(open_slurs.pop(number))}
    for notations in part.iter("notations"):
        for slur in notations.findall("slur"):
            if id(slur) not in kept:
                notations.remove(slur)


def _drop_open_tuplets(part: ET.Element) -> None:
    kept = {id(tuplet) for pair in tuplet_pairs(part) for tuplet in pair}
    for notations in part.iter("notations"):
        for tuplet in notations.findall("tuplet"):
            if id(tuplet) not in kept:
                notations.remove(tuplet)


def tuplet_pairs(part: ET.Element) -> list[tuple[ET.Element, ET.Element]]:
    """Start and stop of every tuplet that has both, within a measure and voice."""
    pairs = []
    for measure in part:
        opened: dict[tuple[str, str], ET.Element] = {}
        for note in measure.findall("note"):
            for tuplet in note.findall("notations/tuplet"):
                key = (note.findtext("voice", "1"), tuplet.get("number", "1"))
                if tuplet.get("type") == "start":
                    opened[key] = tuplet
                elif key in opened:
                    pairs.append((opened.pop(key), tuplet))
    return pairs


def drop_unprinted_tuplets(part: ET.Element) -> None:
    """Take out the ends of tuplets that print neither a number nor a bracket; their notes keep their ratio."""
    hidden = {
        id(end)
        for start, stop in tuplet_pairs(part)
        if start.get("show-number") == "none" and start.get("bracket") != "yes"
        for end in (start, stop)
    }
    for notations in part.iter("notations"):
        for tuplet in notations.findall("tuplet"):
            if id(tuplet) in hidden:
                notations.remove(tuplet)


def heads(part: ET.Element) -> list[Head]:
    """What holds at the start of each measure, before the measure's own changes; one more for the end.

    A part that does not say how many staves it has is taken for one with two.
    """
    fifths, meter, ottavas = 0, (0, 0), dict[int, int]()
    clefs = {1: "G2"} if part.findtext("measure/attributes/staves") == "1" else {1: "G2", 2: "F4"}
    result = []
    for measure in part:
        result.append(Head(fifths, meter, dict(clefs), dict(ottavas)))
        for element in measure:
            if element.tag == "attributes":
                fifths = int(element.findtext("key/fifths", str(fifths)))
                numerator, denominator = element.findtext("time/beats"), element.findtext("time/beat-type")
                if numerator and denominator and numerator.isdigit():
                    meter = (int(numerator), int(denominator))
                for clef in element.findall("clef"):
                    clefs[int(clef.get("number", "1"))] = clef.findtext("sign", "G") + clef.findtext("line", "2")
            elif element.tag == "direction":
                _follow_ottava(element, ottavas)
    result.append(Head(fifths, meter, dict(clefs), dict(ottavas)))
    return result


def _follow_ottava(direction: ET.Element, ottavas: dict[int, int]) -> None:
    for shift in direction.iterfind("direction-type/octave-shift"):
        staff = int(direction.findtext("staff", "1"))
        octaves = 2 if shift.get("size") == "15" else 1
        if shift.get("type") == "stop":
            ottavas.pop(staff, None)
        elif shift.get("type") in ("down", "up"):
            ottavas[staff] = octaves if shift.get("type") == "down" else -octaves
