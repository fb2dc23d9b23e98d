"""The performance reader at the quantiser's side: beats, written lengths and staves of a performance."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from model_runtime.modality import Note
from model_runtime.notation.lengths import PlacedNote, is_staccato
from model_runtime.notation.metre import beat_of
from model_runtime.notation.pedals import down_at
from model_runtime.notation.quantised import ScoreMeter
from model_runtime.tempo import TempoMap
from model_runtime.unified.beat_search import beats_of
from model_runtime.unified.performance_features import VALUES, Features, Floats, Placed, Played
from model_runtime.unified.performance_reader import PerformanceReader

Spans = Sequence[tuple[float, float]]
ONSETS_AHEAD = 10
OTHER_VALUE_COST = 2.0
"""Further cost of a length that the network does not know by itself, over that of the nearest that it knows."""

OFF_GRID_COST = 1.5
"""Cost of a triplet's length that ends where nothing begins."""

EXACT_GRID, EXACT_QUARTERS, EXACT_SHARE = 24, 0.003, 0.8
"""A track is from a sequencer where this share of its notes lies so near to this grid in a quarter note."""

_LOG_VALUES = np.log2([float(value) for value in VALUES])
_KNOWN = {value: index for index, value in enumerate(VALUES)}
_UPPER, _LOWER = 1, 2


class NotationReading:
    """Says what the rules of `notation` would guess.

    Args:
        reader: The networks.
    """

    def __init__(self, reader: PerformanceReader) -> None:
        self._reader = reader

    def track_beats(
        self, notes: Sequence[Note], pedal: Spans, progress: Callable[[int, int], None] | None = None
    ) -> TempoMap:
        """Beats, one metre and the first barline of notes sorted by onset, at least one.

        Args:
            pedal: When it is down, in seconds; empty where nothing is known of it.
            progress: Told how far of how much; may raise.
        """
        played = Played(
            np.array([note.onset_s for note in notes]),
            np.array([note.offset_s for note in notes]),
            np.array([note.pitch for note in notes]),
            np.array([note.velocity for note in notes]),
            np.array(pedal, np.float64).reshape(-1, 2),
        )
        return beats_of(self._reader.beats(played), progress)

    def find_lengths(
        self,
        notes: Sequence[PlacedNote],
        meters: Sequence[ScoreMeter],
        tempo_map: TempoMap,
        time_at: Callable[[Fraction], float],
        pedal: Spans,
        *,
        two_staves: bool,
    ) -> None:
        """Set `duration` and `staccato` of the notes of one track that are not grace notes, and `hand` of all.

        Args:
            notes: Sorted by onset.
            meters: Of the whole score, the first from its first barline on.
            tempo_map: Of the whole score.
            time_at: Seconds at a position in quarter notes.
            pedal: When it is down, in seconds.
            two_staves: Whether the track is a keyboard's, whose hand is its staff.
        """
        plain = sorted((n for n in notes if not n.grace), key=lambda n: (n.onset, n.note.pitch))
        if not plain:
            for note in notes:
                note.hand = _UPPER if note.note.pitch >= 60 or not two_staves else _LOWER
            return
        placed = _placed(plain, meters, tempo_map, pedal)
        value, left = self._reader.values(placed)
        if two_staves:
            _share_out(plain, left)
            _lead_graces([n for n in notes if n.grace], plain)
        pedal_down = down_at(pedal)
        if _is_exact(placed, tempo_map, plain):
            for note, held in zip(plain, placed.held.tolist(), strict=True):
                note.duration = max(Fraction(round(held * EXACT_GRID), EXACT_GRID), Fraction(1, EXACT_GRID))
            return
        _set_lengths(plain, value)
        for note in plain:
            note.staccato = is_staccato(note, time_at, pedal_down)


def _is_exact(placed: Placed, tempo_map: TempoMap, notes: Sequence[PlacedNote]) -> bool:
    """Whether notes begin and end on the grid as from a sequencer: nothing is to be guessed then."""
    quarters = tempo_map.quarters_at([n.note.onset_s for n in notes])
    ends = (quarters + placed.held) * EXACT_GRID
    begins = quarters * EXACT_GRID
    off = np.maximum(np.abs(ends - np.rint(ends)), np.abs(begins - np.rint(begins))) / EXACT_GRID
    return bool((off < EXACT_QUARTERS).mean() > EXACT_SHARE)


def _placed(notes: Sequence[PlacedNote], meters: Sequence[ScoreMeter], tempo_map: TempoMap, pedal: Spans) -> Placed:
    onset_s = np.array([n.note.onset_s for n in notes])
    offset_s = np.array([n.note.offset_s for n in notes])
    started, ended, sounded = (
        tempo_map.quarters_at(times) for times in (onset_s, offset_s, _sounding(offset_s, np.array(pedal)))
    )
    starts = [meter.onset for meter in meters]
    measure_start, measure_length, compound = [], [], []
    for note in notes:
        meter = meters[max(bisect_right(starts, note.onset) - 1, 0)]
        length = meter.measure_quarters
        measure_start.append(float(meter.onset + (note.onset - meter.onset) // length * length))
        measure_length.append(float(length))
        compound.append(beat_of(meter.numerator, meter.denominator)[1])
    return Placed(
        np.array([float(n.onset) for n in notes]),
        ended - started,
        np.maximum(sounded, ended) - started,
        np.array([n.note.pitch for n in notes]),
        np.array([n.note.velocity for n in notes]),
        np.array(measure_start),
        np.array(measure_length),
        np.array(compound),
    )


def _sounding(offset_s: Floats, pedal: Floats) -> Floats:
    """When sound ends, with the pedal."""
    if not len(pedal):
        return offset_s
    span = np.clip(np.searchsorted(pedal[:, 0], offset_s, side="right") - 1, 0, None)
    inside = (offset_s >= pedal[span, 0]) & (offset_s < pedal[span, 1])
    found: Floats = np.where(inside, pedal[span, 1], offset_s)
    return found


def _share_out(notes: Sequence[PlacedNote], left: Features) -> None:
    """Part the notes of each onset between the staves at one pitch, where the network agrees most."""
    upper, lower = -np.log(np.clip(1 - left, 1e-4, 1)), -np.log(np.clip(left, 1e-4, 1))
    start = 0
    while start < len(notes):
        end = start + 1
        while end < len(notes) and notes[end].onset == notes[start].onset:
            end += 1
        below = np.concatenate([[0.0], np.cumsum(lower[start:end])])
        above = np.concatenate([np.cumsum(upper[start:end][::-1])[::-1], [0.0]])
        cut = int(np.argmin(below + above))
        for index in range(start, end):
            notes[index].hand = _LOWER if index - start < cut else _UPPER
        start = end


def _lead_graces(graces: Sequence[PlacedNote], plain: Sequence[PlacedNote]) -> None:
    """Grace notes go where the note goes that they lead to: the nearest in pitch at their onset."""
    by_onset: dict[Fraction, list[PlacedNote]] = defaultdict(list)
    for note in plain:
        by_onset[note.onset].append(note)
    for grace in graces:
        there = by_onset.get(grace.onset)
        if there:
            grace.hand = min(there, key=lambda n: abs(n.note.pitch - grace.note.pitch)).hand
        else:
            grace.hand = _UPPER if grace.note.pitch >= 60 else _LOWER


def _set_lengths(notes: Sequence[PlacedNote], value: Features) -> None:
    """The likeliest length of each note that ends before its pitch starts again."""
    onsets = sorted({note.onset for note in notes})
    again: dict[int, list[Fraction]] = defaultdict(list)
    for note in notes:
        again[note.note.pitch].append(note.onset)
    started = set(onsets)
    for note, row in zip(notes, value, strict=True):
        own = again[note.note.pitch]
        following = bisect_right(own, note.onset)
        limit = own[following] - note.onset if following < len(own) else None
        costs: dict[Fraction, float] = {}
        for length, index in _KNOWN.items():
            end = note.onset + length
            odd = end.denominator % 3 == 0 or end.denominator % 5 == 0
            costs[length] = -float(row[index]) + (OFF_GRID_COST if odd and end not in started else 0.0)
        first = bisect_right(onsets, note.onset)
        for onset in onsets[first : first + ONSETS_AHEAD]:
            length = onset - note.onset
            if length not in costs:
                near = int(np.argmin(np.abs(_LOG_VALUES - np.log2(float(length)))))
                costs[length] = -float(row[near]) + OTHER_VALUE_COST
        usable = {length: cost for length, cost in costs.items() if limit is None or length <= limit}
        note.duration = min(usable, key=lambda length: (usable[length], length)) if usable else limit or Fraction(1, 4)
