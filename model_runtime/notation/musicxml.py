"""MusicXML 4.0 (score-partwise) out of parts whose every symbol has been decided."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from lxml import etree

from model_runtime.notation.instruments import drum_name, drum_place
from model_runtime.notation.measures import REST, Measure, Piece, anchor_of
from model_runtime.notation.staves import Clef
from model_runtime.notation.stems import Chord, PlacedNote

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_DOCTYPE = (
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">'
)


@dataclass(slots=True)
class Mark:
    """A direction at a time: a dynamic mark, a pedal sign or a tempo; `value` depends on `kind`."""

    at: int
    kind: str  # "dynamics", "pedal", "tempo"
    value: str
    staff: int = 1


@dataclass(slots=True)
class WrittenVoice:
    """One voice of one measure: its symbols and the chords that `Piece.index` points to.

    Attributes:
        stem: Which way all stems point, empty where the reader may choose.
        hides_rests: Rests only fill the measure and are not printed.
    """

    number: int
    staff: int
    pieces: list[Piece]
    chords: Sequence[Chord]
    stem: str = ""
    hides_rests: bool = False


@dataclass(slots=True)
class WrittenMeasure:
    """One measure of one part, ready for the page."""

    measure: Measure
    voices: list[WrittenVoice]
    marks: list[Mark] = field(default_factory=list)
    fifths: int | None = None
    mode: str = ""
    clefs: dict[int, Clef] = field(default_factory=dict)


@dataclass(slots=True)
class WrittenPart:
    """One instrument, ready for the page.

    Attributes:
        index: Of its track in the quantised score.
        accidentals: (id of note, start of its piece) → accidental to print; absent: none.
    """

    index: int
    name: str
    program: int
    percussion: bool
    channel: int
    staves: int
    measures: list[WrittenMeasure]
    accidentals: dict[tuple[int, int], int]
    drums: list[int] = field(default_factory=list)


def clean_text(text: str) -> str:
    """Text without the control characters that XML cannot hold."""
    return _NOT_XML.sub("", text).strip()


def to_musicxml(
    parts: Sequence[WrittenPart], title: str, ticks_per_division: int, divisions: int, on_measure: Callable[[], None]
) -> bytes:
    """The document as UTF-8 bytes; `on_measure` is called after every measure of every part."""
    root = etree.Element("score-partwise", version="4.0")
    if clean_text(title):
        _add(_add(root, "work"), "work-title", clean_text(title))
    identification = _add(root, "identification")
    encoding = _add(identification, "encoding")
    _add(encoding, "software", "ScoreBridge")
    for element in ("accidental", "beam"):
        etree.SubElement(encoding, "supports", element=element, type="yes")
    _write_part_list(root, parts)
    for number, part in enumerate(parts, 1):
        _PartWriter(part, number, divisions, ticks_per_division).write(root, on_measure)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", doctype=_DOCTYPE, pretty_print=True)


def _add(parent: etree._Element, tag: str, text: str | int | None = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, tag, attributes)
    if text is not None:
        element.text = str(text)
    return element


def _write_part_list(root: etree._Element, parts: Sequence[WrittenPart]) -> None:
    part_list = _add(root, "part-list")
    for number, part in enumerate(parts, 1):
        entry = _add(part_list, "score-part", id=f"P{number}")
        _add(entry, "part-name", clean_text(part.name) or f"Part {number}")
        instruments = [(f"P{number}-I{key + 1}", drum_name(key), key) for key in part.drums]
        instruments = instruments or [(f"P{number}-I1", clean_text(part.name) or f"Part {number}", -1)]
        for identifier, name, _ in instruments:
            _add(_add(entry, "score-instrument", id=identifier), "instrument-name", name)
        for identifier, _, key in instruments:
            midi = _add(entry, "midi-instrument", id=identifier)
            _add(midi, "midi-channel", part.channel)
            _add(midi, "midi-program", part.program + 1)
            if key >= 0:
                _add(midi, "midi-unpitched", key + 1)


class _PartWriter:
    def __init__(self, part: WrittenPart, number: int, divisions: int, ticks_per_division: int) -> None:
        self.part = part
        self.number = number
        self.divisions = divisions
        self.ticks_per_division = ticks_per_division

    def write(self, root: etree._Element, on_measure: Callable[[], None]) -> None:
        element = _add(root, "part", id=f"P{self.number}")
        last = len(self.part.measures) - 1
        for index, written in enumerate(self.part.measures):
            self.write_measure(element, written, index == 0, index == last)
            on_measure()

    def units(self, ticks: int) -> int:
        return ticks // self.ticks_per_division

    def write_measure(self, parent: etree._Element, written: WrittenMeasure, first: bool, last: bool) -> None:
        measure = written.measure
        element = _add(parent, "measure", number=str(measure.number))
        if measure.implicit:
            element.set("implicit", "yes")
        self.write_attributes(element, written, first)
        marks = sorted(written.marks, key=lambda mark: mark.at)
        position = measure.start
        for voice in written.voices:
            if position > measure.start:
                _add(_add(element, "backup"), "duration", self.units(position - measure.start))
            position = measure.start
            for piece in voice.pieces:
                if voice is written.voices[0]:
                    while marks and marks[0].at < piece.end:
                        self.write_mark(element, measure, marks.pop(0), piece.start)
                self.write_piece(element, voice, piece)
                position = piece.end
            if voice is written.voices[0]:
                for mark in marks:
                    self.write_mark(element, measure, mark, measure.end)
        if last:
            _add(_add(element, "barline", location="right"), "bar-style", "light-heavy")

    def write_attributes(self, element: etree._Element, written: WrittenMeasure, first: bool) -> None:
        measure = written.measure
        if not (first or measure.shows_meter or written.fifths is not None or written.clefs):
            return
        attributes = _add(element, "attributes")
        if first:
            _add(attributes, "divisions", self.divisions)
        if written.fifths is not None and not self.part.percussion:
            key = _add(attributes, "key")
            _add(key, "fifths", written.fifths)
            if written.mode in ("major", "minor"):
                _add(key, "mode", written.mode)
        if measure.shows_meter:
            time = _add(attributes, "time")
            _add(time, "beats", measure.numerator)
            _add(time, "beat-type", measure.denominator)
        if first and self.part.staves > 1:
            _add(attributes, "staves", self.part.staves)
        for staff, clef in sorted(written.clefs.items()):
            self.write_clef(attributes, staff, clef)

    def write_clef(self, attributes: etree._Element, staff: int, clef: Clef) -> None:
        element = _add(attributes, "clef")
        if self.part.staves > 1:
            element.set("number", str(staff))
        _add(element, "sign", clef.sign)
        if clef.sign != "percussion":
            _add(element, "line", clef.line)
        if clef.octave:
            _add(element, "clef-octave-change", clef.octave)

    def write_mark(self, element: etree._Element, measure: Measure, mark: Mark, now: int) -> None:
        direction = _add(element, "direction", placement="above" if mark.kind == "tempo" else "below")
        kind = _add(direction, "direction-type")
        if mark.kind == "dynamics":
            _add(_add(kind, "dynamics"), mark.value)
        elif mark.kind == "pedal":
            _add(kind, "pedal", type=mark.value, line="no", sign="yes")
        else:
            self.write_metronome(kind, measure, float(mark.value))
        if mark.at != now:
            _add(direction, "offset", self.units(mark.at - now), sound="yes")
        if self.part.staves > 1:
            _add(direction, "staff", mark.staff)
        if mark.kind == "tempo":
            _add(direction, "sound", tempo=mark.value)

    def write_metronome(self, kind: etree._Element, measure: Measure, quarters_per_minute: float) -> None:
        """A metronome mark in the note value that is counted: a dotted quarter in 6/8, a half in 2/2."""
        unit, dotted = ("half", False) if measure.denominator == 2 else ("quarter", False)
        if measure.denominator == 8 and measure.numerator % 3 == 0 and measure.numerator > 3:
            dotted = True
        metronome = _add(kind, "metronome", parentheses="no")
        _add(metronome, "beat-unit", unit)
        if dotted:
            _add(metronome, "beat-unit-dot")
        quarters = (2.0 if unit == "half" else 1.0) * (1.5 if dotted else 1.0)
        _add(metronome, "per-minute", max(1, round(quarters_per_minute / quarters)))

    def write_piece(self, element: etree._Element, voice: WrittenVoice, piece: Piece) -> None:
        chord = voice.chords[piece.index] if piece.index >= 0 else None
        bearer = chord if piece.index >= REST else voice.chords[anchor_of(piece.index)]
        if bearer is not None and piece.start == bearer.onset:
            self.write_graces(element, voice, bearer.graces, piece)
        if chord is None:
            note = _add(element, "note")
            rest = _add(note, "rest")
            if piece.whole_measure:
                rest.set("measure", "yes")
            if voice.hides_rests:
                note.set("print-object", "no")
            self.finish_note(note, voice, piece, None, False)
            return
        # One dot stands for the chord, at its first note: notes played short come first.
        for rank, member in enumerate(sorted(chord.notes, key=lambda n: (not n.staccato, n.pitch))):
            note = _add(element, "note")
            if rank:
                _add(note, "chord")
            self.write_pitch(note, member)
            self.finish_note(note, voice, piece, member, bool(rank))

    def write_graces(
        self, element: etree._Element, voice: WrittenVoice, graces: Sequence[PlacedNote], piece: Piece
    ) -> None:
        ordered = sorted(graces, key=lambda n: (n.order, n.pitch))
        groups = [list(group) for _, group in groupby(ordered, key=lambda n: n.order)]
        single = len(groups) == 1
        for place, together in enumerate(groups):
            beam = "begin" if place == 0 else "end" if place == len(groups) - 1 else "continue"
            for rank, member in enumerate(together):
                note = _add(element, "note")
                _add(note, "grace", **({"slash": "yes"} if single else {}))
                if rank:
                    _add(note, "chord")
                self.write_pitch(note, member)
                self.write_instrument(note, member)
                _add(note, "voice", voice.number)
                _add(note, "type", "eighth" if single else "16th")
                self.write_accidental(note, member, piece.start)
                if self.part.staves > 1:
                    _add(note, "staff", voice.staff)
                for level in () if single or rank else ("1", "2"):
                    _add(note, "beam", beam, number=level)

    def write_pitch(self, note: etree._Element, member: PlacedNote) -> None:
        if self.part.percussion:
            step, octave, _ = drum_place(member.pitch)
            unpitched = _add(note, "unpitched")
            _add(unpitched, "display-step", step)
            _add(unpitched, "display-octave", octave)
            return
        pitch = _add(note, "pitch")
        _add(pitch, "step", member.step)
        if member.alter:
            _add(pitch, "alter", member.alter)
        _add(pitch, "octave", member.octave)

    def write_instrument(self, note: etree._Element, member: PlacedNote) -> None:
        if len(self.part.drums) > 1:
            _add(note, "instrument", id=f"P{self.number}-I{member.pitch + 1}")

    def write_accidental(self, note: etree._Element, member: PlacedNote, start: int) -> None:
        accidental = self.part.accidentals.get((id(member), start))
        if accidental is not None:
            _add(note, "accidental", _ACCIDENTALS[accidental])

    def finish_note(
        self, note: etree._Element, voice: WrittenVoice, piece: Piece, member: PlacedNote | None, in_chord: bool
    ) -> None:
        ties = []
        if member is not None:
            ties = ["stop"] * (piece.start > member.onset) + ["start"] * (piece.end < member.end)
        _add(note, "duration", self.units(piece.end - piece.start))
        for tie in ties:
            _add(note, "tie", type=tie)
        if member is not None:
            self.write_instrument(note, member)
        _add(note, "voice", voice.number)
        if not piece.whole_measure:
            _add(note, "type", piece.kind)
            for _ in range(piece.dots):
                _add(note, "dot")
        if member is not None:
            self.write_accidental(note, member, piece.start)
        if piece.tuplet is not None:
            modification = _add(note, "time-modification")
            _add(modification, "actual-notes", piece.tuplet.actual)
            _add(modification, "normal-notes", piece.tuplet.normal)
        if member is not None and voice.stem:
            _add(note, "stem", voice.stem)
        if member is not None and self.part.percussion and drum_place(member.pitch)[2] != "normal":
            _add(note, "notehead", drum_place(member.pitch)[2])
        if self.part.staves > 1:
            _add(note, "staff", voice.staff)
        if not in_chord:
            for level, beam in enumerate(piece.beams, 1):
                _add(note, "beam", beam, number=str(level))
        self.write_notations(note, piece, member, ties, in_chord)

    def write_notations(
        self, note: etree._Element, piece: Piece, member: PlacedNote | None, ties: Sequence[str], in_chord: bool
    ) -> None:
        brackets = [] if in_chord else ["start"] * piece.tuplet_start + ["stop"] * piece.tuplet_stop
        first = member is not None and piece.start == member.onset
        staccato = first and member is not None and not in_chord and member.staccato and piece.end == member.end
        ornament = member.ornament if first and member is not None else ""
        if not (ties or brackets or staccato or ornament):
            return
        notations = _add(note, "notations")
        for tie in ties:
            _add(notations, "tied", type=tie)
        for bracket in brackets:
            _add(notations, "tuplet", type=bracket)
        if ornament:
            ornaments = _add(notations, "ornaments")
            if ornament == "trill":
                _add(ornaments, "trill-mark")
            elif ornament == "mordent":
                _add(ornaments, "mordent")
            elif ornament == "tremolo":
                _add(ornaments, "tremolo", 3, type="single")
        if staccato:
            _add(_add(notations, "articulations"), "staccato")
