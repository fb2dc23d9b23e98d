"""How long a placed note is written: until the next one where it is played so, longer or shorter where it is not.

The key is let go earlier than the written end in detached playing and under the pedal, and a little later in legato.
Every candidate value costs what it is unlikely in print and what it disagrees with the key.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from model_runtime.modality import Note

NEXT_COST = 0.3
"""Cost of ending where the hand plays on."""

LATER_COST = 2.6
"""Cost of ending at a later onset of the hand: the note belongs to another voice."""

LATER_STEP_COST = 0.15
REST_COST = 2.5
"""Cost of ending before the hand plays on: a rest follows."""

SHORT_REST_COST = 2.0
"""Further cost where that rest lies within a beat: print has a staccato dot there."""

OPEN_COST = 0.5
"""Cost of ending where the hand never plays on."""

LOOSE_COST = 3.0
"""Cost of ending after the hand plays on, but not with one of its onsets."""

LATE_SIGMA = 0.18
"""How far the logarithm of held over written time goes above 0."""

EARLY_SIGMA, EARLY_SIGMA_PEDAL = 0.5, 0.9
"""The same below 0, without and with the pedal."""

OVERLAP_S = 0.05
"""Legato holds a key this much into the next one."""

APART_GAIN = 1.2
"""A note of a chord gets a value of its own where that is cheaper by more than this."""

MOST_ONSETS_AHEAD = 10
STACCATO_SHARE = 0.42
SHORTEST = Fraction(1, 24)

_PLAIN = (*(Fraction(n, 4) for n in (1, 2, 3, 4, 6, 8, 12, 16)), Fraction(1, 3), Fraction(2, 3))


@dataclass(slots=True)
class PlacedNote:
    """A note on the grid on its way to a length.

    Attributes:
        onset: In quarter notes.
        hand: Notes of one hand (or instrument) follow each other.
        duration: In quarter notes, 0 until it is found.
    """

    onset: Fraction
    note: Note
    hand: int = 0
    grace: bool = False
    order: int = 0
    ornament: str = ""
    duration: Fraction = Fraction(0)
    staccato: bool = False


@dataclass(frozen=True)
class _Ahead:
    """What comes after a note."""

    onsets: Sequence[Fraction]
    times_s: Sequence[float]
    limit: Fraction | None  # the same pitch again


def find_lengths(
    notes: Sequence[PlacedNote],
    time_at: Callable[[Fraction], float],
    pedal_down: Callable[[float], bool],
    beat: Fraction,
) -> None:
    """Set `duration` and `staccato` of the notes of one track that are not grace notes.

    Args:
        notes: Sorted by onset.
        time_at: Seconds at a position in quarter notes.
        pedal_down: Whether the sustain pedal is down at a time in seconds.
        beat: Length of a beat in quarter notes; ends on beats read best.
    """
    plain = [note for note in notes if not note.grace]
    again: dict[int, list[Fraction]] = defaultdict(list)
    for note in plain:
        again[note.note.pitch].append(note.onset)
    chords: dict[tuple[int, Fraction], list[PlacedNote]] = defaultdict(list)
    for note in plain:
        chords[note.hand, note.onset].append(note)
    onsets: dict[int, list[Fraction]] = defaultdict(list)
    times: dict[int, list[float]] = defaultdict(list)
    for hand, onset in sorted(chords):
        chord = chords[hand, onset]
        onsets[hand].append(onset)
        times[hand].append(sum(note.note.onset_s for note in chord) / len(chord))
    for (hand, onset), chord in chords.items():
        first = bisect_right(onsets[hand], onset)
        ahead_onsets = onsets[hand][first : first + MOST_ONSETS_AHEAD]
        ahead_times = times[hand][first : first + MOST_ONSETS_AHEAD]
        tables = []
        for note in chord:
            own = again[note.note.pitch]
            following = bisect_right(own, onset)
            limit = own[following] if following < len(own) else None
            tables.append(_costs(note, _Ahead(ahead_onsets, ahead_times, limit), time_at, pedal_down, beat))
        for note, duration in zip(chord, _agree(tables), strict=True):
            note.duration = duration
            note.staccato = is_staccato(note, time_at, pedal_down)


def _costs(
    note: PlacedNote,
    ahead: _Ahead,
    time_at: Callable[[Fraction], float],
    pedal_down: Callable[[float], bool],
    beat: Fraction,
) -> dict[Fraction, float]:
    """Candidate lengths of one note with their costs."""
    held = note.note.duration_s
    early = EARLY_SIGMA_PEDAL if pedal_down(note.note.offset_s) else EARLY_SIGMA
    gap = ahead.onsets[0] - note.onset if ahead.onsets else None
    costs: dict[Fraction, float] = {}

    def offer(end: Fraction, seconds: float, cost: float) -> None:
        if ahead.limit is not None and end > ahead.limit:
            return
        length = end - note.onset
        ratio = np.log(max(held - OVERLAP_S, 0.6 * held, 0.01) / max(seconds, 0.01))
        if ratio < 0:
            ratio = min(0.0, float(np.log(max(held, 0.01) / max(seconds, 0.01))))
        sigma = LATE_SIGMA if ratio > 0 else early
        total = cost + min(0.5 * (ratio / sigma) ** 2, 12.0 if ratio > 0 else 5.0)
        costs[length] = min(costs.get(length, np.inf), float(total))

    for step, (onset, time) in enumerate(zip(ahead.onsets, ahead.times_s, strict=True)):
        cost = NEXT_COST if step == 0 else LATER_COST + LATER_STEP_COST * step
        offer(onset, time - note.note.onset_s, cost)
    start_s = note.note.onset_s
    for value in _PLAIN:
        end = note.onset + value
        if value.denominator == 3 and note.onset.denominator != 3:
            continue
        if gap is None:
            offer(end, time_at(end) - start_s, OPEN_COST + _untidiness(end, beat))
        elif value < gap:
            rest = REST_COST + (SHORT_REST_COST if gap <= beat else 0.0)
            offer(end, time_at(end) - start_s, rest + _untidiness(end, beat))
        elif value > gap:
            offer(end, time_at(end) - start_s, LOOSE_COST + _untidiness(end, beat))
    if not costs:
        limit = ahead.limit if ahead.limit is not None else note.onset + Fraction(1, 4)
        costs[max(SHORTEST, limit - note.onset)] = 0.0
    return costs


def _untidiness(end: Fraction, beat: Fraction) -> float:
    """Cost of where a note ends: on a beat, on half of one, elsewhere."""
    phase = end / beat
    return 0.0 if phase.denominator == 1 else 0.6 if phase.denominator in (2, 3) else 1.6


def _agree(tables: Sequence[dict[Fraction, float]]) -> list[Fraction]:
    """One length for a chord where that is nearly as good as one for each note."""
    own = [min(table, key=lambda length: (table[length], length)) for table in tables]
    if len(tables) == 1:
        return own
    shared = set.intersection(*(set(table) for table in tables))
    if not shared:
        return own
    common = min(
        shared,
        key=lambda length: (
            sum(min(table[length], table[o] + 3.0) for table, o in zip(tables, own, strict=True)),
            length,
        ),
    )
    return [
        common if table[common] - table[length] < APART_GAIN else length
        for table, length in zip(tables, own, strict=True)
    ]


def is_staccato(note: PlacedNote, time_at: Callable[[Fraction], float], pedal_down: Callable[[float], bool]) -> bool:
    """Whether a note that has its length was played so short that print would have a dot."""
    written_s = time_at(note.onset + note.duration) - time_at(note.onset)
    short = note.note.duration_s < STACCATO_SHARE * written_s
    return short and Fraction(1, 4) <= note.duration <= 1 and not note.ornament and not pedal_down(note.note.offset_s)


def end_before_same_pitch(notes: Sequence[PlacedNote]) -> list[PlacedNote]:
    """Notes without two of one pitch at one onset, and each ending before its pitch starts again."""
    kept: list[PlacedNote] = []
    starts: dict[int, list[Fraction]] = defaultdict(list)
    seen: dict[tuple[int, Fraction], PlacedNote] = {}
    for note in notes:
        if note.grace:
            kept.append(note)
            continue
        twin = seen.get((note.note.pitch, note.onset))
        if twin is not None:
            twin.duration = max(twin.duration, note.duration)
            continue
        seen[note.note.pitch, note.onset] = note
        starts[note.note.pitch].append(note.onset)
        kept.append(note)
    for own in starts.values():
        own.sort()
    for note in kept:
        own = starts.get(note.note.pitch, [])
        following = bisect_left(own, note.onset + SHORTEST / 100)
        if not note.grace and following < len(own):
            note.duration = min(note.duration, own[following] - note.onset)
    return kept
