"""Quantised scores for tests: generated ones, and short pieces with names."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from model_runtime.notation.quantised import (
    QuantisedScore,
    ScoreMeter,
    ScoreNote,
    ScorePedal,
    ScoreTempo,
    ScoreTrack,
)

F = Fraction

METERS = [
    *((4, 4), (3, 4), (2, 4), (6, 8), (9, 8), (12, 8), (5, 4)),
    *((7, 8), (3, 8), (2, 2), (5, 8), (3, 2), (4, 8), (1, 4)),
]


def without_overlaps(notes: list[ScoreNote]) -> list[ScoreNote]:
    """The notes with those shortened or left out that sound on into their own repetition."""
    result: list[ScoreNote] = []
    for note in sorted(notes):
        held = [
            n for n in result if n.track == note.track and n.pitch == note.pitch and n.onset + n.duration > note.onset
        ]
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


FOUR_FOUR = (ScoreMeter(F(0), 4, 4),)


def chamber_piece() -> QuantisedScore:
    """Piano, cello and drums with most of what can be written: pickup, graces, tuplets, ornaments, pedal, metres."""
    note = ScoreNote
    notes = [note(F(-1), F(1, 2), 67, 70), note(F(-1, 2), F(1, 2), 71, 72)]
    notes += [note(F(0), F(1), 72), note(F(0), F(0), 71, grace=True), note(F(2), F(3, 2), 79, ornament="trill")]
    notes += [note(1 + F(i, 3), F(1, 3), 74 + i) for i in range(3)] + [note(F(7, 2), F(1, 2), 77, staccato=True)]
    notes += [note(F(0), F(4), 48), note(F(1), F(1), 55), note(F(2), F(1), 52), note(F(3), F(1), 55)]
    notes += [note(4 + F(i, 5), F(1, 5), 72 + 2 * i) for i in range(5)] + [note(F(5), F(3), 84, 30)]
    notes += [note(F(6), F(1), 76, 30), note(F(7), F(1), 77, 30), note(F(4), F(2), 45), note(F(4), F(2), 52)]
    notes += [note(6 + F(2 * i, 3), F(2, 3), 47 + 3 * i) for i in range(3)]
    notes += [note(8 + F(i, 4), F(1, 4), (60, 64, 67, 72)[i % 4], 30) for i in range(16)]
    notes += [note(F(8), F(4), 36, 30), note(F(8), F(4), 43, 30), note(F(12), F(3, 2), 40, 30)]
    notes += [note(F(12), F(0), 76, 30, grace=True, order=0), note(F(12), F(0), 77, 30, grace=True, order=1)]
    notes += [note(F(12), F(1, 2), 79, 30, ornament="mordent"), note(F(25, 2), F(5, 2), 80, 30)]
    notes += [note(F(27, 2), F(3, 2), 44, 30, ornament="tremolo")]
    notes += [note(15 + F(i, 2), F(1, 2), 64 + i, 30) for i in range(6)]
    notes += [note(F(i), F(3), 50 - i, track=1) for i in range(0, 12, 4)]
    notes += [note(F(i, 2), F(1, 4), 42, track=2) for i in range(36)]
    notes += [note(F(i), F(1, 2), 36 + 2 * (i % 2), track=2) for i in range(18)]
    return QuantisedScore(
        notes=tuple(notes),
        meters=(ScoreMeter(F(0), 4, 4), ScoreMeter(F(12), 3, 4), ScoreMeter(F(15), 6, 8)),
        tempos=(ScoreTempo(F(0), 96.0), ScoreTempo(F(12), 60.5)),
        pedals=(ScorePedal(F(0), F(4)), ScorePedal(F(4), F(6)), ScorePedal(F(33, 4), F(45, 4))),
        pickup=F(1),
        tracks=(ScoreTrack("Piano", 0), ScoreTrack("", 42), ScoreTrack("", None, True)),
        title="Every sign at once",
    )


def dense_piano() -> QuantisedScore:
    """Sixteen measures in which more notes of different lengths sound at once than a staff has voices."""
    notes = []
    for i in range(128):
        onset = F(i, 2)
        notes.append(ScoreNote(onset, F(1 + i % 5, 2), 60 + (i * 7) % 24))
        notes.append(ScoreNote(onset, F(1 + i % 3, 3), 40 + (i * 5) % 19))
        if i % 2:
            notes.append(ScoreNote(onset + F(1, 4), F(7, 4), 36 + (i * 11) % 48))
    return QuantisedScore(tuple(without_overlaps(notes)), FOUR_FOUR)
