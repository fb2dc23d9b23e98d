"""Written music, measure by measure, as values: what LMX says once its grammar has been read."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

TYPE_QUARTERS: dict[str, Fraction] = {
    name: Fraction(2) ** (power - 8)
    for power, name in enumerate(
        (
            *("1024th", "512th", "256th", "128th", "64th", "32nd", "16th", "eighth", "quarter"),
            *("half", "whole", "breve", "long", "maxima"),
        )
    )
}
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass
class WrittenNote:
    """A note or rest as it is written.

    Attributes:
        pitch: Letter and octave as in "C4", empty for a rest.
        kind: Note value ("quarter"), or "" for a rest that fills its measure.
        onset, duration: In quarter notes from the start of the measure; a grace note's duration is 0.
        alter: Semitones by which accidentals and key change the letter; found by `sounding.alterations`.
        beams: What happens at this note for each beam level, from the longest: "begin", "continue", "end", "forward
            hook" or "backward hook".
        ratio: (3, 2) for three in the time of two, or None.
        marks: Articulations, ornaments, fermata and arpeggio, in LMX's words.
    """

    pitch: str
    kind: str
    onset: Fraction = Fraction(0)
    duration: Fraction = Fraction(0)
    alter: int = 0
    voice: int = 1
    staff: int = 1
    dots: int = 0
    ratio: tuple[int, int] | None = None
    accidental: str = ""
    stem: str = ""
    chord: bool = False
    grace: str = ""  # "", "plain" or "slash"
    begins: int = 0
    ends: int = 0
    hooks: list[str] = field(default_factory=list)
    beams: list[str] = field(default_factory=list)
    tie_start: bool = False
    tie_stop: bool = False
    tuplet: str = ""  # "", "start" or "stop"
    slurs: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    @property
    def rest(self) -> bool:
        """Whether it is silent."""
        return not self.pitch

    @property
    def written_quarters(self) -> Fraction:
        """Length of its note value with dots and ratio, in quarter notes."""
        if not self.kind or self.grace:
            return Fraction(0)
        length = TYPE_QUARTERS[self.kind] * (2 - Fraction(1, 2**self.dots))
        return length * self.ratio[1] / self.ratio[0] if self.ratio else length

    @property
    def midi_pitch(self) -> int:
        """MIDI note number of a note with its alteration."""
        return SEMITONES[self.pitch[0]] + self.alter + 12 * (int(self.pitch[1:]) + 1)


@dataclass
class WrittenMeasure:
    """One measure.

    Attributes:
        length: In quarter notes.
        notes: Voice after voice, in the order of LMX.
        fifths, meter: Where they are printed at its start.
        clefs: (onset, staff, "G2") of each printed clef.
        repairs: What was wrong and how it was mended, a sentence each.
    """

    length: Fraction = Fraction(0)
    notes: list[WrittenNote] = field(default_factory=list)
    fifths: int | None = None
    meter: tuple[int, int] | None = None
    clefs: list[tuple[Fraction, int, str]] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
