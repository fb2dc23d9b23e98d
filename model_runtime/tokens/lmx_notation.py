"""Written measures → MusicXML."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from lxml import etree

from model_runtime.modality import Notation
from model_runtime.tokens.lmx_reader import read_lmx
from model_runtime.tokens.written import WrittenMeasure, WrittenNote

Slurs = dict[int, list[tuple[str, int]]]
_ARTICULATIONS = ("accent", "strong-accent", "staccato", "tenuto")


def notation_of(symbols: Iterable[str]) -> tuple[Notation, list[str]]:
    """Any sequence of LMX symbols as a score of one part, and what had to be repaired, each with its measure."""
    measures = read_lmx(symbols) or read_lmx(["measure"])
    warnings = [f"Measure {i}: {text}" for i, m in enumerate(measures, 1) for text in m.repairs]
    return Notation(etree.tostring(score(measures), xml_declaration=True, encoding="UTF-8")), warnings


def score(measures: Sequence[WrittenMeasure]) -> etree._Element:
    """A `score-partwise` element."""
    root = etree.Element("score-partwise", version="4.0")
    score_part = etree.SubElement(etree.SubElement(root, "part-list"), "score-part", id="P1")
    _text(score_part, "part-name", "Piano")
    _text(etree.SubElement(score_part, "score-instrument", id="P1-I1"), "instrument-name", "Piano")
    part = etree.SubElement(root, "part", id="P1")
    times = [t for m in measures for n in m.notes for t in (n.onset, n.duration)] + [m.length for m in measures]
    divisions = math.lcm(*(t.denominator for t in times)) if times else 1
    staves = max([1, *(n.staff for m in measures for n in m.notes), *(c[1] for m in measures for c in m.clefs)])
    slurs = _numbered_slurs(measures)
    for number, measure in enumerate(measures, 1):
        element = etree.SubElement(part, "measure", number=str(number))
        _write_measure(element, measure, divisions, staves, slurs, first=number == 1)
    return root


def _numbered_slurs(measures: Sequence[WrittenMeasure]) -> Slurs:
    """Type and number of each slur end by note; ends without another end are left out. A slur ends the latest one
    that its voice began, or else the latest one at all."""
    opened: list[tuple[int, WrittenNote, int]] = []
    slurs: Slurs = {}
    for note in (n for m in measures for n in m.notes):
        for end in note.slurs:
            if end == "start":
                number = next(n for n in range(1, len(opened) + 2) if n not in {o[2] for o in opened})
                opened.append((note.voice, note, number))
            elif opened:
                mine = next((o for o in reversed(opened) if o[0] == note.voice), opened[-1])
                opened.remove(mine)
                slurs.setdefault(id(mine[1]), []).append(("start", mine[2]))
                slurs.setdefault(id(note), []).append(("stop", mine[2]))
    return slurs


def _text(parent: etree._Element, name: str, text: object) -> etree._Element:
    child = etree.SubElement(parent, name)
    child.text = str(text)
    return child


def _write_measure(
    element: etree._Element, measure: WrittenMeasure, divisions: int, staves: int, slurs: Slurs, *, first: bool
) -> None:
    _write_attributes(element, measure, divisions if first else None, staves)
    later = sorted(c for c in measure.clefs if c[0] > 0)
    at = Fraction(0)
    for note in measure.notes:
        onset = at if note.grace or note.chord else note.onset
        if note.grace and note.onset != at:
            onset = note.onset
        while later and later[0][0] <= onset and later[0][0] >= at:
            clef = later.pop(0)
            at = _go(element, at, clef[0], divisions)
            _write_clef(etree.SubElement(element, "attributes"), clef)
        if not note.chord:
            at = _go(element, at, onset, divisions)
        _write_note(element, note, divisions, staves, slurs.get(id(note), []))
        if not note.chord:
            at += note.duration
    for clef in later:
        at = _go(element, at, clef[0], divisions)
        _write_clef(etree.SubElement(element, "attributes"), clef)
    furthest = max((n.onset + n.duration for n in measure.notes), default=Fraction(0))
    if max(at, furthest) < measure.length or (at < measure.length and furthest < measure.length):
        _go(element, at, measure.length, divisions)


def _go(element: etree._Element, at: Fraction, to: Fraction, divisions: int) -> Fraction:
    if to != at:
        move = etree.SubElement(element, "forward" if to > at else "backup")
        _text(move, "duration", int(abs(to - at) * divisions))
    return to


def _write_attributes(element: etree._Element, measure: WrittenMeasure, divisions: int | None, staves: int) -> None:
    clefs: dict[int, tuple[Fraction, int, str]] = {c[1]: c for c in measure.clefs if c[0] == 0}
    if divisions is None and measure.fifths is None and measure.meter is None and not clefs:
        return
    attributes = etree.SubElement(element, "attributes")
    if divisions is not None:
        _text(attributes, "divisions", divisions)
    if measure.fifths is not None:
        _text(etree.SubElement(attributes, "key"), "fifths", measure.fifths)
    if measure.meter is not None:
        time = etree.SubElement(attributes, "time")
        _text(time, "beats", measure.meter[0])
        _text(time, "beat-type", measure.meter[1])
    if divisions is not None and staves > 1:
        _text(attributes, "staves", staves)
    for staff in sorted(clefs):
        _write_clef(attributes, clefs[staff])


def _write_clef(attributes: etree._Element, clef: tuple[Fraction, int, str]) -> None:
    element = etree.SubElement(attributes, "clef", number=str(clef[1]))
    _text(element, "sign", clef[2][0])
    _text(element, "line", clef[2][1])


def _write_note(
    measure: etree._Element, note: WrittenNote, divisions: int, staves: int, slurs: list[tuple[str, int]]
) -> None:
    element = etree.SubElement(measure, "note")
    if note.grace:
        etree.SubElement(element, "grace", {"slash": "yes"} if note.grace == "slash" else {})
    if note.chord:
        etree.SubElement(element, "chord")
    if note.rest:
        etree.SubElement(element, "rest", {} if note.kind else {"measure": "yes"})
    else:
        pitch = etree.SubElement(element, "pitch")
        _text(pitch, "step", note.pitch[0])
        if note.alter:
            _text(pitch, "alter", note.alter)
        _text(pitch, "octave", note.pitch[1:])
    if not note.grace:
        _text(element, "duration", int(note.duration * divisions))
    ties = [name for name, there in (("stop", note.tie_stop), ("start", note.tie_start)) if there]
    for tie in ties:
        etree.SubElement(element, "tie", type=tie)
    _text(element, "voice", note.voice)
    if note.kind:
        _text(element, "type", note.kind)
    for _ in range(note.dots):
        etree.SubElement(element, "dot")
    if note.accidental:
        _text(element, "accidental", note.accidental)
    if note.ratio:
        ratio = etree.SubElement(element, "time-modification")
        _text(ratio, "actual-notes", note.ratio[0])
        _text(ratio, "normal-notes", note.ratio[1])
    if note.stem and not note.rest:
        _text(element, "stem", note.stem)
    if staves > 1:
        _text(element, "staff", note.staff)
    for level, beam in enumerate(note.beams[:8], 1):
        etree.SubElement(element, "beam", number=str(level)).text = beam
    _write_notations(element, note, ties, slurs)


def _write_notations(element: etree._Element, note: WrittenNote, ties: list[str], slurs: list[tuple[str, int]]) -> None:
    notations = etree.Element("notations")
    for tie in ties:
        etree.SubElement(notations, "tied", type=tie)
    for slur, number in slurs:
        etree.SubElement(notations, "slur", type=slur, number=str(number))
    if note.tuplet:
        etree.SubElement(notations, "tuplet", type=note.tuplet)
    _write_ornaments(notations, note)
    articulations = [mark for mark in note.marks if mark in _ARTICULATIONS]
    if articulations:
        parent = etree.SubElement(notations, "articulations")
        for mark in articulations:
            etree.SubElement(parent, mark)
    for mark in ("fermata", "arpeggiate"):
        if mark in note.marks:
            etree.SubElement(notations, mark)
    if len(notations):
        element.append(notations)


def _write_ornaments(notations: etree._Element, note: WrittenNote) -> None:
    kinds = [m for m in note.marks if m in ("tremolo:single", "tremolo:start", "tremolo:stop", "tremolo:unmeasured")]
    strokes = [m for m in note.marks if m.startswith("tremolo:") and m not in kinds]
    if not kinds and not strokes and "trill-mark" not in note.marks:
        return
    ornaments = etree.SubElement(notations, "ornaments")
    if "trill-mark" in note.marks:
        etree.SubElement(ornaments, "trill-mark")
    if kinds or strokes:
        tremolo = etree.SubElement(ornaments, "tremolo", type=kinds[0][8:] if kinds else "single")
        tremolo.text = strokes[0][8:] if strokes else "3"
