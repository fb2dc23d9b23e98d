"""Voices never overlap and lose nothing; hands, clefs and measures come out as a pianist expects."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction as F
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.engines.base import Context
from model_runtime.notation.durations import TICKS_PER_QUARTER as QUARTER
from model_runtime.notation.hands import split_hands
from model_runtime.notation.measures import REST, Piece, lay_out, repair
from model_runtime.notation.quantised import ScoreMeter, ScoreTrack
from model_runtime.notation.staves import BASS, TREBLE, choose_clefs
from model_runtime.notation.stems import PlacedNote
from model_runtime.notation.voices import separate

FOUR_FOUR = [(0, ScoreMeter(F(0), 4, 4))]


def note(onset: float, end: float, pitch: int) -> PlacedNote:
    return PlacedNote(round(onset * QUARTER), round(end * QUARTER), pitch, 80, 0)


@st.composite
def staffs(draw: st.DrawFn) -> list[PlacedNote]:
    notes: list[PlacedNote] = []
    for _ in range(draw(st.integers(1, 14))):
        onset, length, pitch = draw(st.integers(0, 8)), draw(st.integers(1, 8)), draw(st.integers(50, 62))
        if not any(n.pitch == pitch and n.onset < onset + length and onset < n.end for n in notes):
            notes.append(PlacedNote(onset, onset + length, pitch, 80, 0))
    return notes


@settings(max_examples=300, deadline=None)
@given(staffs(), st.integers(1, 4))
def test_voices_hold_every_moment_of_every_note_once_and_in_one_voice(notes: list[PlacedNote], most: int) -> None:
    voices = separate(notes, most)
    assert len(voices) <= most
    spans = defaultdict(list)
    homes = defaultdict(set)
    for index, voice in enumerate(voices):
        assert all(a.end <= b.onset for a, b in pairwise(voice))
        for chord in voice:
            for member in chord.notes:
                spans[id(member)].append((chord.onset, chord.end))
                homes[id(member)].add(index)
    for member in notes:
        pieces = sorted(spans[id(member)])
        assert pieces[0][0] == member.onset
        assert pieces[-1][1] == member.end
        assert all(a[1] == b[0] for a, b in pairwise(pieces))
        assert len(homes[id(member)]) == 1


def test_a_melody_over_a_held_note_is_the_upper_voice() -> None:
    voices = separate([note(0, 4, 60), note(0, 1, 72), note(1, 2, 74), note(2, 3, 76), note(3, 4, 77)])
    assert [[n.pitch for c in voice for n in c.notes] for voice in voices] == [[72, 74, 76, 77], [60]]


def test_notes_of_equal_length_share_a_stem() -> None:
    voices = separate([note(0, 1, 60), note(0, 1, 64), note(0, 1, 67)])
    assert [len(voice) for voice in voices] == [1]


def test_two_independent_hands_are_parted_even_where_they_wander() -> None:
    right = [note(i / 2, i / 2 + 0.5, 79 - i) for i in range(16)]
    left = [note(i, i + 1, 43 + 2 * i) for i in range(8)]
    together = sorted(right + left, key=lambda n: (n.onset, n.pitch))
    split_hands(together, None)
    assert {n.staff for n in right} == {1}
    assert {n.staff for n in left} == {2}


def test_a_split_point_is_obeyed() -> None:
    notes = [note(0, 1, pitch) for pitch in (40, 63, 64, 90)]
    split_hands(notes, 64)
    assert [n.staff for n in notes] == [2, 2, 1, 1]


def test_a_clef_changes_for_a_long_passage_and_not_for_a_leap() -> None:
    measures = lay_out(FOUR_FOUR, 0, 48 * QUARTER)
    low = [note(i, i + 1, 45) for i in range(16)]
    high = [note(i, i + 1, 76) for i in range(16, 40)]
    track = ScoreTrack(program=0)
    changes = choose_clefs(low + high, measures, track, staff=2, staves=2)
    assert changes[:2] == [(0, BASS), (4, TREBLE)]
    leap = [note(i, i + 1, 76 if i == 9 else 45) for i in range(48)]
    assert choose_clefs(leap, measures, track, staff=2, staves=2) == [(0, BASS)]


def test_a_long_pickup_becomes_whole_measures() -> None:
    measures = lay_out(FOUR_FOUR, 6 * QUARTER, 4 * QUARTER)
    shown = [(m.number, m.start // QUARTER, m.implicit) for m in measures]
    assert shown == [(0, -6, True), (1, -4, False), (2, 0, False)]


def test_a_measure_that_is_not_full_is_repaired_with_a_warning() -> None:
    measure = lay_out(FOUR_FOUR, 0, QUARTER)[0]
    broken = [Piece(0, QUARTER, 0, "quarter", 0), Piece(3 * QUARTER, 5 * QUARTER, 1, "half", 0)]
    context = Context()
    mended = repair(measure, broken, context)
    assert [(p.start, p.end) for p in mended] == [(0, QUARTER), (QUARTER, 2 * QUARTER), (2 * QUARTER, 4 * QUARTER)]
    assert [p.index for p in mended] == [0, REST, REST]
    assert len(context.warnings) == 1
