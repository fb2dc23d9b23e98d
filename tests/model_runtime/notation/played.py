"""Small performances for the quantiser's tests, played from what is written with a seeded human hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction

from model_runtime.engines.base import Context
from model_runtime.modality import Note, Performance
from model_runtime.notation.quantise import quantise
from model_runtime.notation.quantised import QuantisedScore, ScoreNote
from model_runtime.options import Options
from model_runtime.tempo import Meter, TempoMap

Written = tuple[Fraction, Fraction, int]  # onset, duration, pitch


def written(*groups: tuple[float | str, float | str, int]) -> list[Written]:
    """Notes from (onset, duration, pitch); text is read as a fraction."""
    return [(Fraction(onset), Fraction(duration), pitch) for onset, duration, pitch in groups]


def melody(*steps: tuple[int, float | str]) -> list[Written]:
    """Notes one after the other from (pitch, duration); pitch 0 is a rest."""
    notes: list[Written] = []
    onset = Fraction(0)
    for pitch, duration in steps:
        if pitch:
            notes.append((onset, Fraction(duration), pitch))
        onset += Fraction(duration)
    return notes


def play(
    notes: Sequence[Written],
    time_at: Callable[[float], float],
    *,
    jitter_s: float = 0.012,
    held: float = 0.92,
    seed: int = 1,
    track: int = 0,
    channel: int = 0,
) -> list[Note]:
    """Notes as a player would play them; `time_at` turns quarter notes into seconds."""
    hand = random.Random(seed)
    played = []
    for onset, duration, pitch in notes:
        start = max(0.0, time_at(float(onset)) + hand.gauss(0.0, jitter_s))
        length = (time_at(float(onset + duration)) - time_at(float(onset))) * held
        played.append(Note(start, start + max(0.03, length), pitch, 70, channel, track))
    return played


def steady(quarters_per_minute: float, start_s: float = 0.5) -> Callable[[float], float]:
    """A clock at one tempo."""
    return lambda quarter: start_s + quarter * 60.0 / quarters_per_minute


def tempo_map_of(time_at: Callable[[float], float], numerator: int, denominator: int, quarters: int = 64) -> TempoMap:
    """The map of a clock, with a point on every quarter note."""
    points = range(quarters + 1)
    meters = (Meter(0.0, numerator, denominator),)
    return TempoMap(tuple(time_at(float(q)) for q in points), tuple(float(q) for q in points), meters)


def score_of(
    notes: Sequence[Note], tempo_map: TempoMap | None = None, options: Options | None = None
) -> QuantisedScore:
    """The quantised score of a performance."""
    performance = Performance(tuple(notes), tempo_map=tempo_map)
    return quantise(performance, options or Options(), Context())


def as_written(notes: Sequence[ScoreNote]) -> list[Written]:
    """Onset, duration and pitch of score notes, sorted."""
    return sorted((n.onset, n.duration, n.pitch) for n in notes)
