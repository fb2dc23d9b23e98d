"""A melody moved to where another clef is used: heads stay on their lines, pitches, key and accidentals go along."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET

_STEPS = "CDEFGAB"
_FIFTHS = {step: place for place, step in enumerate("FCGDAEB", -1)}  # from C
_LOWEST_LINE = {"G2": 30, "F4": 18, "C1": 28, "C2": 26, "C3": 24, "C4": 22}  # steps of the scale above C0
_SIGNS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_MOST_FIFTHS, _MOST_ALTER = 6, 2


def under_clef(part: ET.Element, clef: str) -> ET.Element:
    """A copy of a part under another clef, transposed so that each head stays on its line; the part itself where it has
    several clefs, or where this would take keys or accidentals that nobody writes.

    Args:
        part: With one staff and a G clef on its second line.
        clef: "F4", "C3", ….
    """
    written = {c.findtext("sign", "G") + c.findtext("line", "2") for c in part.iter("clef")}
    keys = [int(e.text or "0") for e in part.iterfind("measure/attributes/key/fifths")] or [0]
    steps = _LOWEST_LINE[clef] - _LOWEST_LINE["G2"]
    up = 2 * steps % 7
    shift = min((up, up - 7), key=lambda fifths: max(abs(key + fifths) for key in keys))
    if written != {"G2"} or max(abs(key + shift) for key in keys) > _MOST_FIFTHS:
        return part
    result = copy.deepcopy(part)
    for element in result.iterfind("measure/attributes/key/fifths"):
        element.text = str(int(element.text or "0") + shift)
    for element in result.iter("clef"):
        for name, text in (("sign", clef[0]), ("line", clef[1])):
            child = element.find(name)
            if child is not None:
                child.text = text
    moved = [_move(note, steps, shift) for note in result.iter("note")]
    return result if all(moved) else part


def _move(note: ET.Element, steps: int, fifths: int) -> bool:
    """Transpose a note; False where its pitch would take more than a double accidental or lie too low."""
    pitch = note.find("pitch")
    if pitch is None:
        _move_rest(note.find("rest"), steps)
        return True
    step, octave = pitch.findtext("step", "C"), int(pitch.findtext("octave", "4"))
    alter = round(float(pitch.findtext("alter", "0")))
    height = _STEPS.index(step) + 7 * octave + steps
    moved = _STEPS[height % 7]
    now = (_FIFTHS[step] + 7 * alter + fifths - _FIFTHS[moved]) // 7
    if abs(now) > _MOST_ALTER or height < 7:
        return False
    for child in list(pitch):
        pitch.remove(child)
    for name, text in (("step", moved), ("alter", str(now)), ("octave", str(height // 7))):
        if name != "alter" or now:
            ET.SubElement(pitch, name).text = text
    accidental = note.find("accidental")
    if accidental is not None:
        accidental.text = _SIGNS[now]
    return True


def _move_rest(rest: ET.Element | None, steps: int) -> None:
    """A rest that says where it stands keeps its line."""
    step, octave = (None if rest is None else rest.find(f"display-{name}") for name in ("step", "octave"))
    if step is not None and octave is not None:
        height = _STEPS.index(step.text or "B") + 7 * int(octave.text or "4") + steps
        step.text, octave.text = _STEPS[height % 7], str(height // 7)
