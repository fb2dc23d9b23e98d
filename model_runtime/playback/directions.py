"""MusicXML directions and sounds → `Direction`, and the jumps they order."""

from __future__ import annotations

import re
from fractions import Fraction

from lxml import etree

from model_runtime.playback.note_reading import NOTE_LENGTHS
from model_runtime.playback.numbers import finite, integer, text
from model_runtime.playback.score import Direction, Measure

_DA_CAPO = re.compile(r"\b(d\.\s*c\b|da\s+capo|dacapo)", re.IGNORECASE)
_DAL_SEGNO = re.compile(r"\b(d\.\s*s\b|dal\s+segno|dalsegno)", re.IGNORECASE)
_TO_CODA = re.compile(r"\b(to\s+coda|alla\s+coda|al\s+coda)\b", re.IGNORECASE)
_FINE = re.compile(r"^\W*fine\W*$", re.IGNORECASE)
_CRESCENDO = re.compile(r"\b(cresc|cres\.|crescendo)", re.IGNORECASE)
_DIMINUENDO = re.compile(r"\b(dim\b|dimin|decresc|diminuendo)", re.IGNORECASE)


def read_direction(element: etree._Element, measure: int, onset: Fraction) -> list[Direction]:
    """Everything that one `<direction>` says about playing."""
    staff = integer(element.findtext("staff"), 0)
    found: list[Direction] = []
    for kind in element.iterfind("direction-type"):
        for mark in kind:
            if isinstance(mark.tag, str):
                found += _read_mark(mark, measure, onset, staff)
    sound = element.find("sound")
    if sound is not None:
        found += read_sound(sound, measure, onset, staff)
    if any(d.kind == "tempo" for d in found):
        # One tempo a direction: what the file says it sounds like wins over the print.
        last = [d for d in found if d.kind == "tempo"][-1]
        found = [d for d in found if d.kind not in ("tempo", "tempo-words")] + [last]
    if sum(d.kind == "pedal" for d in found) > 1:
        first = next(d for d in found if d.kind == "pedal")
        found = [d for d in found if d.kind != "pedal"] + [first]
    if any(d.kind == "dynamics" for d in found):
        found = [d for d in found if d.kind != "loudness"]
    return found


def _read_mark(mark: etree._Element, measure: int, onset: Fraction, staff: int) -> list[Direction]:
    match mark.tag:
        case "dynamics":
            names = [str(m.tag) if m.tag != "other-dynamics" else (m.text or "").strip() for m in mark]
            return [Direction(measure, onset, "dynamics", name, 0.0, staff) for name in names]
        case "wedge" | "dashes":
            kind = mark.get("type", "")
            return [Direction(measure, onset, str(mark.tag), kind, float(integer(mark.get("number"), 1)), staff)]
        case "words":
            return _read_words((mark.text or "").strip(), measure, onset, staff)
        case "metronome":
            return _read_metronome(mark, measure, onset)
        case "pedal":
            return [Direction(measure, onset, "pedal", mark.get("type", ""), 0.0, staff)]
        case _:
            return []


def _read_words(words: str, measure: int, onset: Fraction, staff: int) -> list[Direction]:
    if not words:
        return []
    found = [Direction(measure, onset, "tempo-words", words, 0.0, staff)]
    if not re.search(r"\b(senza|sempre|no)\b", words, re.IGNORECASE):
        if _CRESCENDO.search(words):
            found.append(Direction(measure, onset, "swell", "crescendo", 0.0, staff))
        elif _DIMINUENDO.search(words):
            found.append(Direction(measure, onset, "swell", "diminuendo", 0.0, staff))
    if re.search(r"\buna corda\b", words, re.IGNORECASE):
        found.append(Direction(measure, onset, "soft-pedal", "start", 0.0, staff))
    elif re.search(r"\b(tre corde|tutte le corde)\b", words, re.IGNORECASE):
        found.append(Direction(measure, onset, "soft-pedal", "stop", 0.0, staff))
    return found


def _read_metronome(mark: etree._Element, measure: int, onset: Fraction) -> list[Direction]:
    units: list[Fraction] = []
    for child in mark:
        if child.tag == "beat-unit":
            units.append(NOTE_LENGTHS.get((child.text or "").strip(), Fraction(1)))
        elif child.tag == "beat-unit-dot" and units:
            # Each dot adds half of what the one before added; two dots are rare enough to take the same half.
            units[-1] *= Fraction(3, 2)
    figures = [finite(f, 0.0) for f in re.findall(r"\d+(?:\.\d+)?", text(mark, "per-minute"))]
    if len(units) == 1 and figures and figures[0] > 0:
        tempo = sum(figures[:2]) / len(figures[:2]) * float(units[0])
        return [Direction(measure, onset, "tempo", "", tempo)]
    if len(units) == 2:
        # "half = quarter": what was a half now lasts as long as a quarter did before, or the other way round.
        return [Direction(measure, onset, "modulation", "", float(units[1] / units[0]))]
    return []


def read_sound(element: etree._Element, measure: int, onset: Fraction, staff: int) -> list[Direction]:
    """What a `<sound>` element says."""
    found: list[Direction] = []
    tempo = finite(element.get("tempo"), 0.0)
    if tempo > 0:
        found.append(Direction(measure, onset, "tempo", "", tempo))
    loudness = finite(element.get("dynamics"), 0.0)
    if loudness > 0:
        found.append(Direction(measure, onset, "loudness", "", loudness, staff))
    pedal = element.get("damper-pedal")
    if pedal:
        found.append(Direction(measure, onset, "pedal", "stop" if pedal in ("no", "0") else "start", 0.0, staff))
    program = integer(element.findtext("midi-instrument/midi-program"), 0) - 1
    if 0 <= program <= 127:
        found.append(Direction(measure, onset, "program", "", float(program)))
    return found


def jumps_in(element: etree._Element, measure: Measure) -> None:
    """Note the jumps that a `<direction>` or `<sound>` orders: by attribute, else by sign or word."""
    sounds = [element] if element.tag == "sound" else element.findall("sound")
    told = {key for sound in sounds for key in sound.attrib}
    measure.segno |= "segno" in told
    measure.coda |= "coda" in told
    measure.to_coda |= "tocoda" in told
    measure.da_capo |= "dacapo" in told
    measure.dal_segno |= "dalsegno" in told
    measure.fine |= "fine" in told
    words = " ".join((w.text or "").strip() for w in element.iterfind("direction-type/words"))
    if not told & {"dacapo", "dalsegno"}:
        measure.da_capo |= bool(_DA_CAPO.search(words))
        measure.dal_segno |= bool(_DAL_SEGNO.search(words))
    jumps_back = measure.da_capo or measure.dal_segno
    measure.to_coda |= bool(_TO_CODA.search(words)) and not jumps_back
    measure.fine |= bool(_FINE.match(words))
    measure.segno |= element.find("direction-type/segno") is not None and not jumps_back
    if element.find("direction-type/coda") is not None and "coda" not in told:
        # The sign stands where the coda begins and where it is jumped from; words and attributes tell which.
        if "tocoda" in told or _TO_CODA.search(words):
            measure.to_coda = True
        else:
            measure.coda = True
