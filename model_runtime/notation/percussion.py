"""The drum staff: hands in the upper voice, feet in the lower.

A stroke has no length that anybody hears, so it is written up to the next stroke or the next beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from model_runtime.notation.measures import Measure
from model_runtime.notation.stems import Chord, PlacedNote

_FEET = frozenset((35, 36, 44))  # General MIDI keys: bass drums and the hi-hat pedal


def strokes(notes: Sequence[PlacedNote], measures: Sequence[Measure]) -> list[list[Chord]]:
    """The voices of a drum staff; sets `end` of every note.

    Args:
        notes: Sorted by onset, without grace notes.
    """
    beats = _beats(measures)
    voices = [_voice([n for n in notes if (n.pitch in _FEET) == feet], beats) for feet in (False, True)]
    return [voice for voice in voices if voice] or [[]]


def _beats(measures: Sequence[Measure]) -> list[int]:
    beats: list[int] = []
    for measure in measures:
        unit = measure.grid.unit
        beats += range(measure.start, measure.end, unit)
    return [*beats, measures[-1].end]


def _voice(notes: Sequence[PlacedNote], beats: Sequence[int]) -> list[Chord]:
    onsets = sorted({note.onset for note in notes})
    ends = dict(pairwise(onsets))
    coming = iter(beats)
    beat = next(coming)
    chords = []
    for onset, group in groupby(notes, key=lambda n: n.onset):
        while beat <= onset:
            beat = next(coming)
        end = min(ends.get(onset, beat), beat)
        together = list({note.pitch: note for note in group}.values())
        for note in together:
            note.end = end
        chords.append(Chord(onset, end, together))
    return chords
