"""Clefs: which one an instrument's staff begins with, and where it changes because the music lies far off for long."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from model_runtime.notation.measures import Measure
from model_runtime.notation.quantised import ScoreTrack
from model_runtime.notation.stems import PlacedNote


@dataclass(frozen=True, slots=True)
class Clef:
    """A clef.

    Attributes:
        sign: G, F, C or percussion.
        line: From below.
        octave: How many octaves higher than written it sounds.
        middle: MIDI pitch on the middle line.
    """

    sign: str
    line: int
    octave: int = 0
    middle: int = 71


TREBLE = Clef("G", 2)
BASS = Clef("F", 4, middle=50)
ALTO = Clef("C", 3, middle=60)
TENOR = Clef("C", 4, middle=57)
TREBLE_8VB = Clef("G", 2, -1, middle=59)
BASS_8VB = Clef("F", 4, -1, middle=38)
TREBLE_8VA = Clef("G", 2, 1, middle=83)
PERCUSSION = Clef("percussion", 2)

# General MIDI programs → the clefs that their players read, the usual one first.
_READ = (
    (range(24, 32), (TREBLE_8VB,)),  # guitars
    (range(32, 40), (BASS_8VB,)),  # basses
    ((41,), (ALTO, TREBLE)),
    ((42, 57, 70), (BASS, TENOR, TREBLE)),  # cello, trombone, bassoon
    ((43,), (BASS_8VB, TREBLE_8VB)),
    ((47, 58), (BASS,)),  # timpani, tuba
    ((9, 72, 78), (TREBLE, TREBLE_8VA)),  # glockenspiel, piccolo, whistle
)
_NO_LEDGER = 5.5  # steps from the middle line up to which no ledger line is needed
_CHANGE = 9.0  # ledger lines that a change of clef must save
_UNUSUAL = 0.05  # a measure in a clef that is not the usual one


def choose_clefs(
    notes: Sequence[PlacedNote], measures: Sequence[Measure], track: ScoreTrack, staff: int, staves: int
) -> list[tuple[int, Clef]]:
    """Clefs of one staff as (index of its measure, clef); the first at measure 0, the others where it changes."""
    if track.percussion:
        return [(0, PERCUSSION)]
    clefs = _clefs(track, notes, staff, staves)
    starts = [measure.start for measure in measures]
    held: list[list[int]] = [[] for _ in measures]
    for note in notes:
        held[max(0, bisect_right(starts, note.onset) - 1)].append(note.pitch)
    chosen = _cheapest(clefs, [[_ledger_lines(clef, pitches) for clef in clefs] for pitches in held])
    return [(i, clefs[c]) for i, c in enumerate(chosen) if i == 0 or c != chosen[i - 1]]


def _clefs(track: ScoreTrack, notes: Sequence[PlacedNote], staff: int, staves: int) -> tuple[Clef, ...]:
    if staves == 2:
        return (TREBLE, BASS) if staff == 1 else (BASS, TREBLE)
    for programs, clefs in _READ:
        if track.program in programs:
            return clefs
    middle = sorted(note.pitch for note in notes)[len(notes) // 2] if notes else 71
    return (TREBLE, BASS) if middle >= 57 else (BASS, TREBLE)


def _ledger_lines(clef: Clef, pitches: Sequence[int]) -> float:
    steps = (abs(pitch - clef.middle) * 7 / 12 for pitch in pitches)
    return sum(max(0.0, step - _NO_LEDGER) / 2 for step in steps)


def _cheapest(clefs: Sequence[Clef], costs: Sequence[Sequence[float]]) -> list[int]:
    """Index of the clef for each measure, by the cheapest way through all measures."""
    total = [costs[0][c] + (0.0 if c == 0 else _CHANGE / 2) for c in range(len(clefs))]
    back: list[list[int]] = []
    for measure in costs[1:]:
        best = min(range(len(clefs)), key=total.__getitem__)
        origins = [c if total[c] <= total[best] + _CHANGE else best for c in range(len(clefs))]
        total = [
            measure[c] + (_UNUSUAL if c else 0.0) + total[origin] + (_CHANGE if origin != c else 0.0)
            for c, origin in enumerate(origins)
        ]
        back.append(origins)
    chosen = [min(range(len(clefs)), key=total.__getitem__)]
    for origins in reversed(back):
        chosen.append(origins[chosen[-1]])
    return chosen[::-1]
