"""A performance on the grid: exact positions in quarter notes, not yet written as measures, voices and staves.

It is what the rhythm side (beats, metre, grid) hands to the writing side (staves, voices, spelling, MusicXML).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from model_runtime.errors import InvalidValue


@dataclass(frozen=True, slots=True, order=True)
class ScoreNote:
    """A note as it will be written.

    Attributes:
        onset: In quarter notes from the first barline (negative in a pickup), exact.
        duration: In quarter notes, exact, more than 0; for a grace note: 0.
        pitch: MIDI note number, 0 to 127.
        velocity: As played, 1 to 127.
        track: Index into `QuantisedScore.tracks`; notes of one track go to one part.
        grace: A grace note written before the note at `onset`; several keep their order by `order`.
        order: Order among grace notes at one onset.
        staccato: Played much shorter than `duration`, which was lengthened so that it reads well.
        ornament: "", "trill" or "mordent"; "tremolo" where a repeated note was gathered into one.
        staff: 1 is the upper of a keyboard's, 2 the lower; 0 where the writing side has to find it.
    """

    onset: Fraction
    duration: Fraction
    pitch: int
    velocity: int = 80
    track: int = 0
    grace: bool = False
    order: int = 0
    staccato: bool = False
    ornament: str = ""
    staff: int = 0


@dataclass(frozen=True, slots=True, order=True)
class ScoreMeter:
    """A time signature from the barline at `onset` (quarter notes) onwards."""

    onset: Fraction
    numerator: int
    denominator: int

    @property
    def measure_quarters(self) -> Fraction:
        """Length of a measure in quarter notes."""
        return Fraction(4 * self.numerator, self.denominator)


@dataclass(frozen=True, slots=True, order=True)
class ScoreKey:
    """A key signature from `onset` onwards, `fifths` from -7 to 7, `mode` "major", "minor" or ""."""

    onset: Fraction
    fifths: int
    mode: str = ""


@dataclass(frozen=True, slots=True, order=True)
class ScoreTempo:
    """A tempo mark: quarter notes a minute from `onset` onwards."""

    onset: Fraction
    quarters_per_minute: float


@dataclass(frozen=True, slots=True, order=True)
class ScorePedal:
    """The sustain pedal goes down at `onset` and up at `release`, on the grid."""

    onset: Fraction
    release: Fraction


@dataclass(frozen=True, slots=True)
class ScoreTrack:
    """One instrument. `program` is General MIDI's, 0 to 127; None is unknown and written as a piano.

    `melody` marks a single line beside other tracks: it is written on one staff even for a keyboard.
    """

    name: str = ""
    program: int | None = None
    percussion: bool = False
    melody: bool = False


@dataclass(frozen=True)
class QuantisedScore:
    """A whole performance on the grid.

    Attributes:
        notes: Sorted. The same pitch of one track never overlaps itself.
        meters: At least one; the first lies at or before quarter 0 and later ones lie on barlines of the one before.
        keys: May be empty: the writing side then finds the key.
        tempos: At least one.
        pedals: Sorted, not overlapping.
        pickup: Length in quarter notes of the incomplete first measure, 0 for none: it ends at quarter 0.
        tracks: At least one.
        title: May be empty.
    """

    notes: tuple[ScoreNote, ...]
    meters: tuple[ScoreMeter, ...]
    keys: tuple[ScoreKey, ...] = ()
    tempos: tuple[ScoreTempo, ...] = (ScoreTempo(Fraction(0), 120.0),)
    pedals: tuple[ScorePedal, ...] = ()
    pickup: Fraction = Fraction(0)
    tracks: tuple[ScoreTrack, ...] = (ScoreTrack(),)
    title: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(sorted(self.notes)))
        if not self.meters or not self.tempos or not self.tracks:
            raise InvalidValue("A quantised score has at least one meter, one tempo and one track.")
        for note in self.notes:
            if note.grace != (note.duration == 0) or note.duration < 0:
                raise InvalidValue("A note has a duration, unless it is a grace note.")
            if note.onset < -self.pickup:
                raise InvalidValue("A note lies before the pickup.")
