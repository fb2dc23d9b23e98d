"""Quantised scores for tests: generated ones, and short pieces with names."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from model_runtime.notation.quantised import QuantisedScore, ScoreMeter, ScoreNote, ScoreTrack

F = Fraction

METERS = [
    *((4, 4), (3, 4), (2, 4), (6, 8), (9, 8), (12, 8), (5, 4)),
    *((7, 8), (3, 8), (2, 2), (5, 8), (3, 2), (4, 8), (1, 4)),
]


def without_overlaps(notes: list[ScoreNote]) -> list[ScoreNote]:
    """The notes with those shortened or left out that sound on into their own repetition."""
    result: list[ScoreNote] = []
    for note in sorted(notes):
        held = [n for n in result if n.track == note.track and n.pitch == note.pitch and n.onset + n.duration > note.onset]
        if not held:
            result.append(note)
    return result


@st.composite
def positions(draw: st.DrawFn, upto: int, denominators: list[int]) -> Fraction:
    """A position on one of several grids."""
    denominator = draw(st.sampled_from(denominators))
    return F(draw(st.integers(0, upto * denominator)), denominator)


@st.composite
def quantised_scores(draw: st.DrawFn, denominators: list[int], tracks: int = 2) -> QuantisedScore:
    """Two tracks of anything: chords, overlaps, long notes, mixed grids, pickups, changes of metre."""
    numerator, denominator = draw(st.sampled_from(METERS))
    first = ScoreMeter(F(0), numerator, denominator)
    meters = [first]
    if draw(st.booleans()):
        change = draw(st.sampled_from(METERS))
        meters.append(ScoreMeter(first.measure_quarters * draw(st.integers(1, 3)), *change))
    beats = first.measure_quarters
    pickup = draw(st.sampled_from([F(0), F(0), F(1, 2), beats / 2, beats * 2 / 3 if beats > 1 else F(0)]))
    pickup = pickup if pickup < beats and pickup.denominator in (1, 2, 4) else F(0)
    notes = []
    for _ in range(draw(st.integers(0, 24))):
        onset = draw(positions(8, denominators)) - pickup
        duration = draw(positions(5, denominators)) or F(1, denominators[-1])
        notes.append(ScoreNote(onset, duration, draw(st.integers(30, 96)), track=draw(st.integers(0, tracks - 1))))
    programs = draw(st.tuples(st.sampled_from([None, 0, 19, 46]), st.sampled_from([40, 42, 32, 73, 24])))
    return QuantisedScore(
        notes=tuple(without_overlaps(notes)),
        meters=tuple(meters),
        pickup=pickup,
        tracks=tuple(ScoreTrack(program=program) for program in programs),
    )
