"""MusicXML 4.0 (score-partwise) → `Score`: exact positions, sounding pitches, what a player has to know.

`<pitch>` holds what is written for the instrument, so `<transpose>` is applied; it is not moved by octave lines (the
specification gives octave-shifted notes at their true pitch), so those are not.
"""

from __future__ import annotations

import re
from fractions import Fraction

from lxml import etree

from model_runtime.engines.base import Context
from model_runtime.errors import UnreadableFile
from model_runtime.instruments import PERCUSSION_CHANNEL, find_program, is_percussion
from model_runtime.playback.directions import jumps_in, read_direction, read_sound
from model_runtime.playback.note_reading import NoteReader
from model_runtime.playback.numbers import integer, number, quarters, text
from model_runtime.playback.score import Measure, Part, Score

LONGEST_OFFSET = Fraction(16)  # a direction that claims to stand further ahead is damaged


def read_score(root: etree._Element, context: Context) -> Score:
    """Read a parsed `score-partwise` document.

    Raises:
        UnreadableFile: it holds no measures.
    """
    parts = root.findall("part")
    count = max((len(part.findall("measure")) for part in parts), default=0)
    if count == 0:
        raise UnreadableFile("The score has no measures.")
    measures = [Measure() for _ in range(count)]
    headers = {header.get("id"): header for header in root.iterfind("part-list/score-part")}
    read: list[Part] = []
    for i, element in enumerate(parts):
        context.progress("Reading the score", i, len(parts))
        read.append(_PartReader(element, headers.get(element.get("id")), measures, context, is_first=i == 0).part)
    _fill_lengths(measures)
    title = text(root, "work/work-title") or text(root, "movement-title")
    return Score(measures, read, title)


def _fill_lengths(measures: list[Measure]) -> None:
    """A measure in which nobody writes anything is as long as its time signature says."""
    for measure in measures:
        if measure.length <= 0:
            measure.length = measure.nominal_length


class _PartReader:
    """Reads one part; measure by measure it fills what all parts share."""

    def __init__(
        self,
        element: etree._Element,
        header: etree._Element | None,
        measures: list[Measure],
        context: Context,
        *,
        is_first: bool,
    ) -> None:
        self.part = _part_of(header)
        self.measures = measures
        self.is_first = is_first
        self.divisions = 1
        self.notes = NoteReader(self.part, context, _unpitched_keys(header))
        self.ending: frozenset[int] = frozenset()
        for i, measure in enumerate(element.iterfind("measure")):
            self._read_measure(i, measure)

    def _read_measure(self, index: int, element: etree._Element) -> None:
        measure = self.measures[index]
        if index > 0 and self.is_first:
            before = self.measures[index - 1]
            measure.beats, measure.beat_type = before.beats, before.beat_type
            measure.fifths, measure.mode = before.fifths, before.mode
        self.notes.start_measure(index)
        position = longest = Fraction(0)
        for child in element:
            match child.tag:
                case "note":
                    position = self.notes.read(child, position, self.divisions)
                case "backup":
                    position = max(position - quarters(child, self.divisions), Fraction(0))
                case "forward":
                    position += quarters(child, self.divisions)
                case "attributes":
                    self._read_attributes(child, measure)
                case "direction":
                    offset = Fraction(number(child, "offset", 0.0)).limit_denominator(10**6) / self.divisions
                    at = min(max(position + offset, Fraction(0)), position + LONGEST_OFFSET)
                    self.part.directions += read_direction(child, index, at)
                    jumps_in(child, measure)
                case "sound":
                    self.part.directions += read_sound(child, index, position, 0)
                    jumps_in(child, measure)
                case "barline":
                    self._read_barline(child, measure)
            longest = max(longest, position)
        measure.length = max(measure.length, longest)
        if self.ending:
            measure.ending = self.ending
        if self._ending_stops(element):
            self.ending = frozenset()

    def _read_attributes(self, element: etree._Element, measure: Measure) -> None:
        self.divisions = max(round(number(element, "divisions", float(self.divisions))), 1)
        self.notes.read_transposition(element)
        fifths = element.find("key/fifths")
        if fifths is not None:
            self.notes.fifths = integer(fifths.text, 0)
            if self.is_first and not self.part.percussion:
                concert = self.notes.concert_fifths()
                measure.fifths, measure.mode = concert, text(element, "key/mode")
        beats, beat_type = text(element, "time/beats"), text(element, "time/beat-type")
        if self.is_first and beats and beat_type:
            total = sum(integer(beat, 0) for beat in beats.split("+"))
            kind = integer(beat_type, 4)
            if 1 <= total <= 64 and kind in (1, 2, 4, 8, 16, 32, 64):
                measure.beats, measure.beat_type = total, kind

    def _read_barline(self, element: etree._Element, measure: Measure) -> None:
        repeat = element.find("repeat")
        if repeat is not None and repeat.get("direction") == "forward":
            measure.forward = True
        elif repeat is not None:
            measure.backward = integer(repeat.get("times"), 0)
            measure.repeats_after_jump = repeat.get("after-jump") == "yes"
        ending = element.find("ending")
        if ending is not None and ending.get("type") == "start":
            numbers = frozenset(int(n) for n in re.findall(r"\d+", ending.get("number", "")) if 0 < int(n) < 100)
            self.ending = numbers or frozenset({1})
            measure.ending_start = True
        if element.find("fermata") is not None and element.get("location", "right") == "right":
            measure.fermata = True
        if element.find("segno") is not None or element.get("segno"):
            measure.segno = True
        if element.find("coda") is not None or element.get("coda"):
            measure.coda = True

    @staticmethod
    def _ending_stops(element: etree._Element) -> bool:
        return any(ending.get("type") in ("stop", "discontinue") for ending in element.iterfind("barline/ending"))


def _part_of(header: etree._Element | None) -> Part:
    """Name and instrument of a part from its entry in the part list."""
    if header is None:
        return Part()
    part = Part(name=" ".join(text(header, "part-name").split()))
    midi = header.find("midi-instrument")
    channel = integer(midi.findtext("midi-channel"), 0) - 1 if midi is not None else -1
    program = integer(midi.findtext("midi-program"), 0) - 1 if midi is not None else -1
    sounds = " ".join(e.text or "" for e in header.iterfind("score-instrument/instrument-sound"))
    part.percussion = (
        channel == PERCUSSION_CHANNEL
        or header.find("midi-instrument/midi-unpitched") is not None
        or (channel < 0 and (is_percussion(part.name) or sounds.startswith("drum.")))
    )
    if not part.percussion:
        part.program = program if 0 <= program <= 127 else find_program(part.name)
        if part.program is None:
            part.program = find_program(text(header, "score-instrument/instrument-name"))
    return part


def _unpitched_keys(header: etree._Element | None) -> dict[str, int]:
    """Percussion key of each score instrument by id."""
    keys: dict[str, int] = {}
    for midi in header.iterfind("midi-instrument") if header is not None else ():
        key = integer(midi.findtext("midi-unpitched"), 0) - 1
        if 0 <= key <= 127:
            keys[midi.get("id", "")] = key
    return keys
