"""An exact reader of MusicXML for tests: positions as fractions, ties summed, every rule of a full measure checked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from lxml import etree

STEP_PITCH = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True, order=True)
class ReadNote:
    """A note as it sounds, `onset` in quarter notes from the first measure that is not implicit."""

    onset: Fraction
    duration: Fraction
    pitch: int
    part: int
    staff: int
    voice: str
    spelled: tuple[str, int]
    grace: bool = False


@dataclass
class ReadScore:
    """What was read; `faults` are sentences about broken rules."""

    notes: list[ReadNote] = field(default_factory=list)
    meters: list[tuple[Fraction, int, int]] = field(default_factory=list)
    keys: list[tuple[Fraction, int]] = field(default_factory=list)
    pickup: Fraction = Fraction(0)
    measures: int = 0
    symbols: int = 0
    crossed_ties: int = 0  # ties that lead from one voice into another
    faults: list[str] = field(default_factory=list)


def read(document: bytes | etree._Element) -> ReadScore:
    """Read a partwise score."""
    root = etree.fromstring(document) if isinstance(document, bytes) else document
    score = ReadScore()
    for index, part in enumerate(root.findall("part")):
        _Part(score, index).read(part)
    score.notes.sort()
    return score


class _Part:
    def __init__(self, score: ReadScore, index: int) -> None:
        self.score = score
        self.index = index
        self.start = Fraction(0)
        self.divisions = 1
        self.length = Fraction(4)
        # (staff, pitch) → notes waiting for the other end of their tie: (end, onset, voice, spelled)
        self.open: dict[tuple[int, int], list[tuple[Fraction, Fraction, str, tuple[str, int]]]] = defaultdict(list)

    def fault(self, sentence: str) -> None:
        self.score.faults.append(f"part {self.index + 1}, at quarter {self.start}: {sentence}")

    def read(self, part: etree._Element) -> None:
        for number, measure in enumerate(part.findall("measure")):
            self.read_attributes(measure)
            filled = self.read_events(measure)
            length = max(filled.values(), default=self.length)
            for voice, end in filled.items():
                if end != length:
                    self.fault(f"voice {voice} ends at {end} of {length}")
            if number == 0 and measure.get("implicit") == "yes":
                if length >= self.length:
                    self.fault("the pickup is a full measure")
                self.score.pickup = length
                self.shift(-length)
                self.start = Fraction(0)
            else:
                self.start += length
            if self.index == 0:
                self.score.measures += 1
        for key, waiting in self.open.items():
            if waiting:
                self.fault(f"a tie of {key} has no end")

    def shift(self, by: Fraction) -> None:
        moved = [n for n in self.score.notes if n.part == self.index]
        self.score.notes = [n for n in self.score.notes if n.part != self.index]
        for n in moved:
            fields = {**n.__dict__, "onset": n.onset + by}
            self.score.notes.append(ReadNote(**fields))
        for waiting in self.open.values():
            waiting[:] = [(end + by, onset + by, voice, spelled) for end, onset, voice, spelled in waiting]

    def read_attributes(self, measure: etree._Element) -> None:
        for attributes in measure.findall("attributes"):
            self.divisions = int(attributes.findtext("divisions", str(self.divisions)))
            time = attributes.find("time")
            if time is not None:
                beats, kind = int(time.findtext("beats", "4")), int(time.findtext("beat-type", "4"))
                self.length = Fraction(4 * beats, kind)
                if self.index == 0:
                    self.score.meters.append((self.start, beats, kind))
            fifths = attributes.findtext("key/fifths")
            if fifths is not None and self.index == 0:
                self.score.keys.append((self.start, int(fifths)))

    def read_events(self, measure: etree._Element) -> dict[str, Fraction]:
        """Where each voice of the measure ends, from the measure's start."""
        filled: dict[str, Fraction] = {}
        met: list[tuple[Fraction, etree._Element, Fraction, str]] = []
        brackets: dict[str, int] = defaultdict(int)
        now = before = Fraction(0)
        for element in measure:
            duration = Fraction(int(element.findtext("duration", "0")), self.divisions)
            if element.tag == "backup":
                now -= duration
            elif element.tag == "forward":
                now += duration
            elif element.tag == "note":
                voice = element.findtext("voice", "1")
                onset = before if element.find("chord") is not None else now
                for bracket in element.findall("notations/tuplet"):
                    brackets[voice] += 1 if bracket.get("type") == "start" else -1
                    if brackets[voice] not in (0, 1):
                        self.fault(f"the brackets of voice {voice} do not pair")
                inside = element.find("time-modification") is not None or bool(element.findall("notations/tuplet"))
                if inside != (element.find("time-modification") is not None):
                    self.fault("a bracket without a time modification")
                met.append((onset, element, duration, voice))
                if element.find("chord") is None:
                    if filled.get(voice, Fraction(0)) != now:
                        self.fault(f"voice {voice} has a gap or overlap at {now}")
                    before, now = now, now + duration
                    filled[voice] = now
        for onset, element, duration, voice in sorted(met, key=lambda m: m[0]):
            self.read_note(element, onset, duration, voice)
        if any(brackets.values()):
            self.fault("a tuplet is left open at the barline")
        return filled

    def read_note(self, element: etree._Element, onset: Fraction, duration: Fraction, voice: str) -> None:
        self.score.symbols += 1
        self.check_type(element, duration)
        if element.find("rest") is not None:
            return
        staff = int(element.findtext("staff", "1"))
        pitch, spelled = _pitch(element)
        start = self.start + onset
        grace = element.find("grace") is not None
        kinds = {tie.get("type") for tie in element.findall("tie")}
        if kinds != {tie.get("type") for tie in element.findall("notations/tied")}:
            self.fault("a tie is heard but not seen")
        first = start
        if "stop" in kinds:
            waiting = self.open[staff, pitch]
            match = next((w for w in waiting if w[0] == start), None)
            if match is None:
                self.fault(f"a tie of {pitch} ends that nowhere began")
                return
            waiting.remove(match)
            _, first, voice_before, spelled_before = match
            self.score.crossed_ties += voice_before != voice
            if spelled_before != spelled:
                self.fault("a tie changes the name of its note")
        if "start" in kinds:
            self.open[staff, pitch].append((start + duration, first, voice, spelled))
        else:
            self.score.notes.append(
                ReadNote(first, start + duration - first, pitch, self.index, staff, voice, spelled, grace)
            )

    def check_type(self, element: etree._Element, duration: Fraction) -> None:
        kind = element.findtext("type")
        if kind is None or element.find("grace") is not None:
            return
        lengths = {"long": 16, "breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": Fraction(1, 2)}
        length = lengths.get(kind) or Fraction(4, int(kind.rstrip("thnds")))
        dots = len(element.findall("dot"))
        length *= 2 - Fraction(1, 2**dots)
        length *= Fraction(
            int(element.findtext("time-modification/normal-notes", "1")),
            int(element.findtext("time-modification/actual-notes", "1")),
        )
        if length != duration:
            self.fault(f"a {kind} with {dots} dots lasts {duration}")


def _pitch(element: etree._Element) -> tuple[int, tuple[str, int]]:
    if element.find("unpitched") is not None:
        return 0, (element.findtext("unpitched/display-step", ""), 0)
    step = element.findtext("pitch/step", "C")
    alter = int(element.findtext("pitch/alter", "0"))
    octave = int(element.findtext("pitch/octave", "4"))
    return 12 * (octave + 1) + STEP_PITCH[step] + alter, (step, alter)
