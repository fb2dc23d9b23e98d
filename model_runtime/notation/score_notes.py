"""Reads the notes of a MusicXML score as exact positions: what the quantiser's prior is learnt from and judged by.

Handles chords, `backup` and `forward`, ties, grace notes, staves, transposing instruments, and unfolds repeats.
Notes that are not printed or are cues are left out: they are not part of what a reader of the score sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from lxml import etree

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True, slots=True, order=True)
class WrittenNote:
    """A printed note: `onset` and `duration` in quarter notes, `staff` counted from 1 over all parts."""

    onset: Fraction
    pitch: int
    duration: Fraction
    staff: int = 1
    part: int = 0
    voice: str = "1"
    grace: bool = False
    tie_start: bool = False
    tie_stop: bool = False


@dataclass
class WrittenMeasure:
    """A measure of all parts: notes relative to its barline, its time signature and what repeats.

    Attributes:
        notes: Onsets relative to the start of the measure.
        length: Quarter notes that are really written, at most over all parts.
        nominal: Quarter notes that the time signature asks for.
        beats: Numerator and denominator of the time signature that holds.
        voice_fill: (part, voice) → quarter notes from the first to the last position that the voice reaches.
        forward: A repeat starts here.
        backward: How often the section that ends here is played; 0 for no repeat.
        endings: Numbers of the volta that the measure lies in; empty outside.
    """

    notes: list[WrittenNote] = field(default_factory=list)
    length: Fraction = Fraction(0)
    nominal: Fraction = Fraction(4)
    beats: tuple[int, int] = (4, 4)
    implicit: bool = False
    voice_fill: dict[tuple[int, str], Fraction] = field(default_factory=dict)
    forward: bool = False
    backward: int = 0
    endings: tuple[int, ...] = ()


def read_measures(musicxml: bytes | etree._Element) -> list[WrittenMeasure]:
    """The measures of a `score-partwise` document in written order, all parts together."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(musicxml, parser) if isinstance(musicxml, bytes) else musicxml
    measures: list[WrittenMeasure] = []
    staves_before = 0
    for part_index, part in enumerate(root.findall("part")):
        reader = _PartReader(part_index, staves_before)
        for index, element in enumerate(part.findall("measure")):
            if index == len(measures):
                measures.append(WrittenMeasure())
            reader.read(element, measures[index])
        staves_before += reader.staves
    return measures


def notes_in_order(measures: Sequence[WrittenMeasure], order: Sequence[int] | None = None) -> list[WrittenNote]:
    """Notes of `measures` played in `order` (indices; None: as written), tied notes joined, sorted."""
    start = Fraction(0)
    laid_out: list[WrittenNote] = []
    for index in range(len(measures)) if order is None else order:
        measure = measures[index]
        laid_out.extend(replace(note, onset=start + note.onset) for note in measure.notes)
        start += measure.length or measure.nominal
    return _join_ties(sorted(laid_out))


def measure_starts(measures: Sequence[WrittenMeasure], order: Sequence[int] | None = None) -> list[Fraction]:
    """Where each measure of `order` starts, in quarter notes, and where the last one ends."""
    starts = [Fraction(0)]
    for index in range(len(measures)) if order is None else order:
        starts.append(starts[-1] + (measures[index].length or measures[index].nominal))
    return starts


def unfolding(measures: Sequence[WrittenMeasure], repeats_taken: Sequence[bool] | None = None) -> list[int]:
    """The order in which measures are played.

    Args:
        measures: In written order.
        repeats_taken: For each backward repeat in order whether it is played; None: all are. Where it is not, its
            last volta is.
    """
    ends = [i for i, measure in enumerate(measures) if measure.backward]
    taken = dict(zip(ends, repeats_taken if repeats_taken is not None else [True] * len(ends), strict=True))
    order: list[int] = []
    start, turn, index = 0, _first_turn(measures, taken, 0), 0
    while index < len(measures):
        measure = measures[index]
        left_voltas = index > 0 and bool(measures[index - 1].endings) and not measure.endings
        if (measure.forward or left_voltas) and index != start:
            start, turn = index, _first_turn(measures, taken, index)
        if measure.endings and turn not in measure.endings:
            index += 1
            continue
        order.append(index)
        if measure.backward and taken[index] and turn < measure.backward:
            turn, index = turn + 1, start
            continue
        if measure.backward and not measure.endings:
            start, turn = index + 1, _first_turn(measures, taken, index + 1)
        index += 1
    return order


def _first_turn(measures: Sequence[WrittenMeasure], taken: dict[int, bool], start: int) -> int:
    """1, or the last turn where the section that starts at `start` is not repeated."""
    end = next((i for i in range(start, len(measures)) if measures[i].backward), None)
    return 1 if end is None or taken[end] else measures[end].backward


def _join_ties(notes: list[WrittenNote]) -> list[WrittenNote]:
    """Notes joined with what they are tied to; an unmatched tie is dropped."""
    joined: list[WrittenNote] = []
    open_ties: dict[tuple[int, int, Fraction], int] = {}
    for note in notes:
        key = (note.part, note.pitch, note.onset)
        position = open_ties.pop(key, None) if note.tie_stop and not note.grace else None
        if position is None:
            joined.append(note)
            position = len(joined) - 1
        else:
            before = joined[position]
            joined[position] = replace(before, duration=before.duration + note.duration)
        if note.tie_start and not note.grace:
            open_ties[note.part, note.pitch, note.onset + note.duration] = position
    return [replace(note, tie_start=False, tie_stop=False) for note in joined]


class _PartReader:
    """Walks one part; keeps what holds until it is changed: divisions, time signature, transposition, voltas."""

    def __init__(self, part: int, staves_before: int) -> None:
        self.part = part
        self.staves_before = staves_before
        self.staves = 1
        self.divisions = 1
        self.transpose = 0
        self.beats = (4, 4)
        self.endings: tuple[int, ...] = ()

    def read(self, element: etree._Element, measure: WrittenMeasure) -> None:
        position = chord_onset = Fraction(0)
        measure.endings = self.endings or measure.endings
        for child in element:
            if child.tag == "attributes":
                self._attributes(child)
            elif child.tag == "backup":
                position -= self._duration(child)
            elif child.tag == "forward":
                position += self._duration(child)
            elif child.tag == "barline":
                self._barline(child, measure)
            elif child.tag == "note":
                duration = Fraction(0) if child.find("grace") is not None else self._duration(child)
                if child.find("chord") is None:
                    chord_onset = position
                    position += duration
                    key = (self.part, child.findtext("voice") or "1")
                    measure.voice_fill[key] = measure.voice_fill.get(key, Fraction(0)) + duration
                    measure.length = min(max(measure.length, position), Fraction(4 * self.beats[0], self.beats[1]))
                self._note(child, chord_onset, duration, measure)
        measure.beats = self.beats
        measure.nominal = Fraction(4 * self.beats[0], self.beats[1])
        measure.implicit = measure.implicit or element.get("implicit") == "yes"

    def _duration(self, element: etree._Element) -> Fraction:
        return Fraction(element.findtext("duration") or 0) / self.divisions

    def _attributes(self, element: etree._Element) -> None:
        self.divisions = int(element.findtext("divisions") or self.divisions)
        self.staves = max(self.staves, int(element.findtext("staves") or 1))
        time = element.find("time")
        if time is not None and time.find("beats") is not None:
            numerator = sum(int(n) for n in (time.findtext("beats") or "4").split("+"))
            self.beats = (numerator, int(time.findtext("beat-type") or 4))
        transpose = element.find("transpose")
        if transpose is not None:
            octaves = int(transpose.findtext("octave-change") or 0)
            self.transpose = int(transpose.findtext("chromatic") or 0) + 12 * octaves

    def _barline(self, element: etree._Element, measure: WrittenMeasure) -> None:
        ending = element.find("ending")
        if ending is not None and ending.get("type") == "start":
            digits = (ending.get("number") or "1").replace(",", " ").split()
            self.endings = tuple(int(d.rstrip(".")) for d in digits)
        if self.endings:
            measure.endings = self.endings
        if ending is not None and ending.get("type") != "start":
            self.endings = ()
        repeat = element.find("repeat")
        if repeat is not None and repeat.get("direction") == "forward":
            measure.forward = True
        elif repeat is not None:
            measure.backward = int(repeat.get("times") or 2)

    def _note(self, element: etree._Element, onset: Fraction, duration: Fraction, measure: WrittenMeasure) -> None:
        pitch = element.find("pitch")
        if pitch is None or element.find("cue") is not None or element.get("print-object") == "no":
            return
        grace = element.find("grace") is not None
        if not grace and duration == 0:
            return
        alter = round(float(pitch.findtext("alter") or 0))
        number = _STEPS[pitch.findtext("step") or "C"] + alter + 12 * (int(pitch.findtext("octave") or 4) + 1)
        ties = {tie.get("type") for tie in element.findall("tie")}
        measure.notes.append(
            WrittenNote(
                onset=onset,
                pitch=number + self.transpose,
                duration=duration,
                staff=self.staves_before + int(element.findtext("staff") or 1),
                part=self.part,
                voice=element.findtext("voice") or "1",
                grace=grace,
                tie_start="start" in ties,
                tie_stop="stop" in ties,
            )
        )
