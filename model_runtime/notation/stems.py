"""Notes on their way to the page, in ticks: a note, and the chord that shares its stem."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class PlacedNote:
    """One note of the input with what has been decided about it so far.

    Attributes:
        onset: In ticks from the first full barline.
        end: Likewise; equal to `onset` for a grace note.
        pitch: MIDI note number.
        part: Index of its track.
        staff: From 1, the upper, within its part; 0 while it is not known.
        step: Letter of its name; `alter` in semitones; `octave` as in scientific pitch notation.
    """

    onset: int
    end: int
    pitch: int
    velocity: int
    part: int
    order: int = 0
    staccato: bool = False
    ornament: str = ""
    staff: int = 1
    step: str = "C"
    alter: int = 0
    octave: int = 4


@dataclass(slots=True, eq=False)
class Chord:
    """Notes that begin and end together on one stem.

    A note that sounds longer than the chord is tied: to the next chord that holds it if it ends later than this one,
    to an earlier one if it begins before. A chord without notes only carries grace notes; its end is its onset.

    Attributes:
        stream: Which run of tied chords it belongs to, so that ties stay within a voice; -1 for none.
    """

    onset: int
    end: int
    notes: list[PlacedNote]
    graces: list[PlacedNote] = field(default_factory=list)
    stream: int = -1

    @property
    def top(self) -> int:
        """Highest MIDI pitch."""
        return max(note.pitch for note in self.notes)

    @property
    def bottom(self) -> int:
        """Lowest MIDI pitch."""
        return min(note.pitch for note in self.notes)
