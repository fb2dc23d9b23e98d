"""Swing: the first of two eighths longer than the second."""

from __future__ import annotations

from fractions import Fraction

from model_runtime.playback.timeline import Timeline

STRAIGHT = 0.5


def swung(quarter: Fraction, timeline: Timeline, swing: float) -> Fraction:
    """Where a performed quarter note falls when eighths swing.

    Args:
        swing: Share of a beat that its first eighth takes, 0.5 to 0.75.

    Positions on eighths and their halves move; triplets are what swing stands for and stay. Metres whose beat is not
    a quarter or half do not swing.
    """
    if swing == STRAIGHT:
        return quarter
    passage = timeline.passage_at(quarter)
    if timeline.score.measures[passage.measure].beat_type not in (2, 4):
        return quarter
    inside = quarter - passage.start
    beat = inside // 1
    share = inside - beat
    if share.denominator & (share.denominator - 1):  # not a power of two: part of a tuplet
        return quarter
    first = Fraction(swing).limit_denominator(1000)
    moved = share * 2 * first if share <= Fraction(1, 2) else first + (share - Fraction(1, 2)) * 2 * (1 - first)
    return passage.start + beat + moved
