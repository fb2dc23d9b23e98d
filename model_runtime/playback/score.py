"""A score as it matters to a player: exact positions in quarter notes, sounding pitches, marks by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class WrittenNote:
    """A note as it stands on the page.

    Attributes:
        measure: Index of its measure.
        onset: Quarter notes from the start of the measure.
        duration: In quarter notes; 0 for a grace note.
        pitch: Sounding MIDI note number, transposition applied.
        staff: From 1.
        voice: The voice's name within its staff.
        chord: Number that the notes of one chord share.
        grace: "" for an ordinary note, else "acciaccatura" (slashed) or "appoggiatura".
        grace_length: How long a grace note looks, in quarter notes.
        tie_start, tie_stop: Whether it is tied to a later, an earlier note.
        marks: MusicXML names of its articulations, ornaments and other notations ("staccato", "trill-mark").
        tremolo: Number of tremolo bars.
        tremolo_pair: "start" or "stop" on two notes that alternate, else "".
        slur_starts, slur_stops: How many slurs start and stop on it.
        upper, lower: Neighbour pitches for ornaments, in the key.
        loudness_percent: MusicXML's `dynamics` of the note: 100 is forte; None where it has none.
        instrument: Id of the score instrument that plays it, or "".
    """

    measure: int
    onset: Fraction
    duration: Fraction
    pitch: int
    staff: int = 1
    voice: str = "1"
    chord: int = 0
    grace: str = ""
    grace_length: Fraction = Fraction(1, 2)
    tie_start: bool = False
    tie_stop: bool = False
    marks: frozenset[str] = frozenset()
    tremolo: int = 0
    tremolo_pair: str = ""
    slur_starts: int = 0
    slur_stops: int = 0
    upper: int = 0
    lower: int = 0
    loudness_percent: float | None = None
    instrument: str = ""


@dataclass(frozen=True, slots=True)
class Direction:
    """An instruction between the notes.

    Attributes:
        measure, onset: Where it stands; quarter notes from the start of the measure.
        kind: "dynamics", "wedge", "dashes", "words", "tempo" (number: quarters a minute),
            "modulation" (number: factor), "pedal", "program" (number) or "loudness" (number: percent of forte).
        text: Name of the mark ("mf", "crescendo", "stop", "start", "change") or the words.
        number: See `kind`; for wedges and dashes the number that joins start and stop.
        staff: From 1; 0 where it does not say.
    """

    measure: int
    onset: Fraction
    kind: str
    text: str = ""
    number: float = 0.0
    staff: int = 0


@dataclass
class Measure:
    """What all parts share in a measure.

    Attributes:
        length: In quarter notes, as long as its longest part.
        beats, beat_type: Time signature in force.
        fifths, mode: Key signature in force.
        forward: Whether a repeat starts here.
        backward: How often the repeated passage is played in all where a repeat ends here (0: not told); else None.
        repeats_after_jump: Whether this repeat is also taken after D.C. or D.S.
        ending: Numbers of the ending (volta) it belongs to.
        ending_start: Whether the ending begins here.
        segno, coda: Whether the signs that are jumped to stand here.
        to_coda, da_capo, dal_segno, fine: What is done at its end.
        fermata: A fermata over its right barline.
    """

    length: Fraction = Fraction(0)
    beats: int = 4
    beat_type: int = 4
    fifths: int = 0
    mode: str = ""
    forward: bool = False
    backward: int | None = None
    repeats_after_jump: bool = False
    ending: frozenset[int] = frozenset()
    ending_start: bool = False
    segno: bool = False
    coda: bool = False
    to_coda: bool = False
    da_capo: bool = False
    dal_segno: bool = False
    fine: bool = False
    fermata: bool = False

    @property
    def nominal_length(self) -> Fraction:
        """Length by its time signature, in quarter notes."""
        return Fraction(4 * self.beats, self.beat_type)


@dataclass
class Part:
    """One instrument's notes and directions, in document order.

    Attributes:
        program: General MIDI program from 0, as far as the document says.
        percussion: Whether it is played on the percussion channel.
    """

    name: str = ""
    notes: list[WrittenNote] = field(default_factory=list)
    directions: list[Direction] = field(default_factory=list)
    program: int | None = None
    percussion: bool = False


@dataclass
class Score:
    """All measures and parts, and where each measure starts on the page's own time line."""

    measures: list[Measure]
    parts: list[Part]
    title: str = ""

    def starts(self) -> list[Fraction]:
        """Start of each measure in quarter notes from the beginning, repeats not unfolded; one more for the end."""
        starts = [Fraction(0)]
        for measure in self.measures:
            starts.append(starts[-1] + measure.length)
        return starts
