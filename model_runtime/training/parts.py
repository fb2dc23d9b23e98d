"""Which music of a score is made into windows: its piano part, its single staves, or two of them as a grand staff.

Single staves and reductions hold what an eye would see of them printed by themselves. A clef with an 8 is written as
the plain one, its notes where they stand: LMX knows no such clef. A measure in which a voice goes over to the staff
that is left out cannot be printed by itself; it becomes a rest and is counted.
"""

from __future__ import annotations

import copy
import math
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from model_runtime.tokens.score import duration_of, two_staved_part
from model_runtime.training.clefs import under_clef

UPPER, LOWER = 1, 2
VOICES_A_STAFF = 4  # as MuseScore counts them: 1 to 4 above, 5 to 8 below
_HANDS = 0.4  # share of the scores of which one hand of the piano becomes a melody too
_BASS_CLEFS = 0.2  # share of the melodies that are moved to where a bass clef is used, for songs have hardly any
_MOST_REDUCTIONS = 2  # of a score
_BEHIND_STAFF = ("beam", "notations", "lyric", "play", "listen")
_BEHIND_STAVES = ("part-symbol", "instruments", "clef", "staff-details", "transpose", "directive", "measure-style")


class Music(StrEnum):
    """What of a score is made into windows."""

    PIANO = "piano"
    MELODY = "melody"
    REDUCTION = "reduction"


@dataclass(frozen=True)
class ScorePart:
    """A part to be made into windows.

    Attributes:
        name: Which of its score; empty for the piano.
        part: MusicXML; `<staves>` says 1 or 2.
        emptied: Measures that became rests because a voice goes over to another staff.
    """

    name: str
    part: ET.Element
    emptied: int = 0


def parts_of(root: ET.Element, music: Music, rng: np.random.Generator) -> list[ScorePart]:
    """The parts of a score that are asked for; `rng` draws where there are more than are wanted."""
    if music is Music.PIANO:
        piano = two_staved_part(root)
        return [] if piano is None else [ScorePart("", piano)]
    singles, hands = single_staves(root), _hands(root)
    if music is Music.REDUCTION:
        return _reductions(singles, hands, rng)
    drawn = hands[int(rng.integers(2)) :][:1] if hands and rng.random() < _HANDS else []
    moved = rng.random(len(singles)) < _BASS_CLEFS
    melodies = [replace(p, part=under_clef(p.part, "F4")) if low else p for p, low in zip(singles, moved, strict=True)]
    return melodies + drawn


def single_staves(root: ET.Element) -> list[ScorePart]:
    """Voices and instruments that are written on one staff."""
    result: list[ScorePart] = []
    for part in root.findall("part"):
        staves = {int(e.text or "1") for e in part.iterfind("measure/attributes/staves")}
        pitched = part.find("measure/note/pitch") is not None
        if not staves - {1} and pitched and part.find("measure/note/unpitched") is None:
            result.append(ScorePart(f"part{len(result) + 1}", single_staff(part)))
    return result


def _hands(root: ET.Element) -> list[ScorePart]:
    """Upper and lower staff of the piano, each by itself."""
    piano = two_staved_part(root)
    if piano is None:
        return []
    hands = []
    for name, staff in (("upper", UPPER), ("lower", LOWER)):
        alone, emptied = staff_alone(piano, staff)
        hands.append(ScorePart(name, single_staff(alone), emptied))
    return hands


def _reductions(singles: Sequence[ScorePart], hands: Sequence[ScorePart], rng: np.random.Generator) -> list[ScorePart]:
    """Voices over the piano's left hand, one voice over another, and four voices on two staves."""
    result = []
    if hands:
        above = singles[int(rng.integers(len(singles)))] if singles else None
        if above is not None:
            result.append(_over([above], [hands[1]]))
    if len(singles) == 4:
        result.append(_over(singles[:2], singles[2:]))
    if len(singles) >= 2:
        high, low = sorted(rng.choice(len(singles), 2, replace=False).tolist())
        result.append(_over([singles[high]], [singles[low]]))
    return [result[i] for i in rng.permutation(len(result))[:_MOST_REDUCTIONS]]


def _over(above: Sequence[ScorePart], below: Sequence[ScorePart]) -> ScorePart:
    name = f"{'-'.join(p.name for p in above)}-over-{'-'.join(p.name for p in below)}"
    part = grand_staff([p.part for p in above], [p.part for p in below])
    return ScorePart(name, part, sum(p.emptied for p in (*above, *below)))


def single_staff(part: ET.Element) -> ET.Element:
    """A copy of a part with one staff that says so, with its notes where the eye sees them under a plain clef."""
    result = copy.deepcopy(part)
    octaves = 0
    for number, measure in enumerate(result.findall("measure")):
        if number == 0:
            _say_staves(measure, 1)
        for element in measure:
            if element.tag in ("note", "direction", "forward"):
                _remove(element, "staff")
            if element.tag == "attributes":
                for clef in element.findall("clef"):
                    octaves = int(clef.findtext("clef-octave-change", "0"))
                    _remove(clef, "clef-octave-change")
                    clef.set("number", "1")
                _remove(element, "transpose")
            octave = element.find("pitch/octave")
            if octave is not None:
                octave.text = str(int(octave.text or "4") - octaves)
    return result


def staff_alone(part: ET.Element, staff: int) -> tuple[ET.Element, int]:
    """A copy of a part with two staves that has only one of them, and how many measures had to be emptied."""
    result = ET.Element("part", part.attrib)
    emptied = 0
    for measure in part.findall("measure"):
        crossing = _crosses(measure, staff)
        emptied += crossing
        silent = not any(_staff_of(n) == staff and n.get("print-object") != "no" for n in measure.findall("note"))
        result.append(_measure_of_staff(measure, staff, empty=crossing or silent))
    return result, emptied


def _crosses(measure: ET.Element, staff: int) -> bool:
    """Whether a voice with notes on this staff has others elsewhere."""
    staves: dict[str, set[int]] = {}
    for note in measure.findall("note"):
        if note.get("print-object") != "no":
            staves.setdefault(note.findtext("voice", "1"), set()).add(_staff_of(note))
    return any(staff in own and len(own) > 1 for own in staves.values())


def _staff_of(element: ET.Element) -> int:
    return int(element.findtext("staff", "1"))


def _measure_of_staff(measure: ET.Element, staff: int, *, empty: bool) -> ET.Element:
    result = ET.Element("measure", measure.attrib)
    voices = _voices_alone([n for n in measure.findall("note") if _staff_of(n) == staff], staff)
    at = longest = 0
    for element in measure:
        length = duration_of(element)
        if element.tag == "note" and (empty or _staff_of(element) != staff):
            if element.find("chord") is None and length:
                _jump(result, "forward", length)
                at += length
        elif element.tag == "note":
            note = copy.deepcopy(element)
            voice = note.find("voice")
            if voice is not None:
                voice.text = voices[voice.text or "1"]
            result.append(note)
            at += 0 if element.find("chord") is not None else length
        elif element.tag in ("backup", "forward"):
            result.append(copy.deepcopy(element))
            at += length if element.tag == "forward" else -length
        elif element.tag == "attributes":
            result.append(_attributes_of_staff(element, staff))
        elif element.tag != "direction" or _staff_of(element) == staff:
            result.append(copy.deepcopy(element))
        longest = max(longest, at)
    if empty:
        _rest_for(result, longest, at)
    return result


def _voices_alone(notes: Sequence[ET.Element], staff: int) -> dict[str, str]:
    """What the voices of a staff are called where it stands alone."""
    first = VOICES_A_STAFF * (staff - 1)
    result: dict[str, str] = {}
    for name in sorted({note.findtext("voice", "1") for note in notes}, key=lambda v: (int(v) <= first, int(v))):
        free = [str(n) for n in range(1, 9) if str(n) not in result.values()]
        wanted = str(int(name) - first)
        result[name] = wanted if wanted in free else free[0]
    return result


def _attributes_of_staff(attributes: ET.Element, staff: int) -> ET.Element:
    result = copy.deepcopy(attributes)
    for child in list(result):
        numbered = child.tag in ("clef", "key", "time", "staff-details", "transpose")
        own = child.get("number", str(UPPER) if child.tag == "clef" else str(staff))
        if child.tag in ("staves", "part-symbol") or (numbered and own != str(staff)):
            result.remove(child)
    return result


def _jump(measure: ET.Element, tag: str, length: int) -> None:
    ET.SubElement(ET.SubElement(measure, tag), "duration").text = str(length)


def _rest_for(measure: ET.Element, length: int, at: int) -> None:
    """A rest for the whole measure, behind everything else that stands there."""
    if length <= 0:
        return
    if at:
        _jump(measure, "backup", at)
    note = ET.SubElement(measure, "note")
    ET.SubElement(note, "rest", {"measure": "yes"})
    ET.SubElement(note, "duration").text = str(length)
    ET.SubElement(note, "voice").text = "1"


def grand_staff(above: Sequence[ET.Element], below: Sequence[ET.Element]) -> ET.Element:
    """Parts with one staff each (`single_staff`) as one part with two: those `above` share its upper staff.

    Parts that share a staff are told apart by their stems, the first one's up.
    """
    staves = ((UPPER, above), (LOWER, below))
    stacked = [(part, staff, n, len(own)) for staff, own in staves for n, part in enumerate(own)]
    divisions = math.lcm(*(int(e.text or "1") for part, *_ in stacked for e in part.iter("divisions")))
    result = ET.Element("part", {"id": "P1"})
    rows = [_scaled_measures(part, divisions) for part, *_ in stacked]
    for group in zip(*rows, strict=False):  # parts of one score have the same measures; what one has more is left out
        measure = ET.SubElement(result, "measure", group[0].attrib)
        for own, (_, staff, number, sharing) in zip(group, stacked, strict=True):
            at = _add_voice(measure, own, staff, number, sharing)
            if own is not group[-1] and at:
                _jump(measure, "backup", at)
    _say_staves(result[0], 2)
    return result


def _scaled_measures(part: ET.Element, divisions: int) -> list[ET.Element]:
    """Copies of a part's measures with other divisions."""
    result = []
    own = 1
    for measure in copy.deepcopy(part).findall("measure"):
        for element in measure:
            found = element.find("divisions")
            if element.tag == "attributes" and found is not None:
                own = int(found.text or "1")
                found.text = str(divisions)
            duration = element.find("duration")
            if duration is not None:
                duration.text = str(round(float(duration.text or "0") * divisions / own))
        result.append(measure)
    return result


def _add_voice(measure: ET.Element, own: ET.Element, staff: int, number: int, sharing: int) -> int:
    """Write what one part has in a measure; returns where it ends, in divisions."""
    leads = staff == UPPER and number == 0
    at = 0
    for element in own:
        length = duration_of(element)
        if element.tag == "attributes":
            _keep_attributes(element, staff, all_of_it=leads, clef=number == 0)
            if at == 0 and not leads:
                _opening_attributes(measure).extend(element)
            elif len(element):
                measure.append(element)
            continue
        if element.tag == "note":
            _settle(element, staff, number, sharing)
            at += 0 if element.find("chord") is not None else length
        elif element.tag in ("backup", "forward"):
            at += length if element.tag == "forward" else -length
        elif element.tag == "direction":
            _set_text(element, "staff", str(staff))
        elif not leads:
            continue  # barlines and breaks are the same in all parts
        measure.append(element)
    return at


def _settle(note: ET.Element, staff: int, number: int, sharing: int) -> None:
    """Voice, staff and stem of a note of part `number` of those that share a staff."""
    voice = int(note.findtext("voice", "1"))
    voice = min(sharing * (voice - 1) + number + 1, VOICES_A_STAFF) + VOICES_A_STAFF * (staff - 1)
    _set_text(note, "voice", str(voice))
    _set_staff(note, staff)
    if sharing > 1 and note.find("stem") is not None:
        _set_text(note, "stem", "down" if number else "up")
    rest = note.find("rest")
    if number and rest is not None and rest.get("measure") == "yes":
        note.set("print-object", "no")  # one rest is enough where all are silent, and the others' notes are where not


def _opening_attributes(measure: ET.Element) -> ET.Element:
    attributes = measure.find("attributes")
    if attributes is not None:
        before = list(measure)[: list(measure).index(attributes)]
        if all(e.tag in ("print", "barline") for e in before):
            return attributes
    attributes = ET.Element("attributes")
    measure.insert(0, attributes)
    return attributes


def _keep_attributes(attributes: ET.Element, staff: int, *, all_of_it: bool, clef: bool) -> None:
    for child in list(attributes):
        if child.tag == "clef":
            child.set("number", str(staff))
        keep = clef if child.tag == "clef" else all_of_it
        if not keep or child.tag == "staves":
            attributes.remove(child)


def _set_text(element: ET.Element, name: str, text: str) -> None:
    child = element.find(name)
    if child is None:
        child = ET.SubElement(element, name)
    child.text = text


def _set_staff(note: ET.Element, staff: int) -> None:
    _put(note, "staff", staff, _BEHIND_STAFF)


def _say_staves(measure: ET.Element, staves: int) -> None:
    attributes = measure.find("attributes")
    if attributes is None:
        attributes = ET.Element("attributes")
        measure.insert(0, attributes)
    _put(attributes, "staves", staves, _BEHIND_STAVES)


def _put(element: ET.Element, name: str, number: int, behind: Sequence[str]) -> None:
    """Set a child, before those that MusicXML wants behind it."""
    _remove(element, name)
    place = next((i for i, child in enumerate(element) if child.tag in behind), len(element))
    child = ET.Element(name)
    child.text = str(number)
    element.insert(place, child)


def _remove(element: ET.Element, name: str) -> None:
    for child in element.findall(name):
        element.remove(child)


def tally(parts: Sequence[ScorePart]) -> Counter[str]:
    """How many parts there are and how many of their measures became rests."""
    counts = Counter(parts=len(parts))
    counts["measures emptied: a voice goes over to another staff"] = sum(p.emptied for p in parts)
    return +counts


def staves_of(part: ET.Element) -> int:
    """How many staves a part says it has; 1 where it says nothing."""
    return max((int(e.text or "1") for e in part.iterfind("measure/attributes/staves")), default=1)
