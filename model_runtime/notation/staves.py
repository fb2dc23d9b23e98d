"""Staves and clefs: how many staves an instrument has, which staff a note goes to, and where the clef changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_runtime.notation.measures import Measure
from model_runtime.notation.quantised import ScoreTrack
from model_runtime.notation.stems import PlacedNote


@dataclass(frozen=True, slots=True)
class Clef:
    """A clef: `sign` G, F, C or percussion, on `line` from below, sounding `octave` octaves away."""

    sign: str
    line: int
    octave: int = 0
    middle: int = 71  # MIDI pitch of the middle line


TREBLE = Clef("G", 2)
BASS = Clef("F", 4, middle=50)
ALTO = Clef("C", 3, middle=60)
TENOR = Clef("C", 4, middle=57)
TREBLE_8VB = Clef("G", 2, -1, middle=59)
BASS_8VB = Clef("F", 4, -1, middle=38)
TREBLE_8VA = Clef("G", 2, 1, middle=83)
PERCUSSION = Clef("percussion", 2)


def choose_clefs(
    notes: Sequence[PlacedNote], measures: Sequence[Measure], track: ScoreTrack, staff: int, staves: int
) -> list[tuple[int, Clef]]:
    """Clefs of one staff as (index of measure, clef); the first at measure 0."""
    if track.percussion:
        return [(0, PERCUSSION)]
    if staves == 2:
        return [(0, TREBLE if staff == 1 else BASS)]
    mean = sum(n.pitch for n in notes) / max(1, len(notes))
    return [(0, BASS if notes and mean < 57 else TREBLE)]
