"""Chords are placed where they make sense together."""

from __future__ import annotations

from fractions import Fraction

import pytest

from model_runtime.modality import Note
from model_runtime.notation.grid import allowed_subdivisions, place_chords
from model_runtime.notation.metre import beat_frame, exact_meters
from model_runtime.notation.onsets import gather_chords
from model_runtime.notation.rhythm_prior import SUBDIVISIONS
from model_runtime.tempo import Meter, TempoMap


def placed(onsets_s: list[float], bpm: float = 60.0) -> list[Fraction]:
    tempo_map = TempoMap.constant(bpm, (Meter(0.0, 4, 4),))
    chords = gather_chords([Note(onset, onset + 0.1, 60 + 3 * i) for i, onset in enumerate(onsets_s)])
    frame = beat_frame(tempo_map, exact_meters(tempo_map.meters), onsets_s[0], onsets_s[-1] + 1)
    return [chord.onset for chord in place_chords(chords, frame)]


def test_a_note_just_before_the_beat_belongs_to_it() -> None:
    assert placed([0.0, 0.97, 2.02]) == [0, 1, 2]


def test_a_full_triplet_wins_over_a_closer_sixteenth() -> None:
    assert placed([0.0, 0.30, 0.64, 1.0]) == [0, Fraction(1, 3), Fraction(2, 3), 1]


def test_a_player_who_is_late_throughout_is_late_and_not_syncopated() -> None:
    assert placed([0.05 + 0.5 * i for i in range(8)]) == [Fraction(i, 2) for i in range(8)]


def test_a_clear_quintuplet_is_written_as_one() -> None:
    beats = [i / 5 for i in range(5)]
    assert placed([0.0, *(1 + b for b in beats), *(2 + b for b in beats), 3.0]) == [
        0,
        *(1 + Fraction(i, 5) for i in range(5)),
        *(2 + Fraction(i, 5) for i in range(5)),
        3,
    ]


@pytest.mark.parametrize(("option", "parts"), [("1/8", {1, 2}), ("1/16", {1, 2, 4}), ("1/16t", {1, 2, 3, 6})])
def test_the_option_limits_how_a_quarter_may_fall(option: str, parts: set[int]) -> None:
    assert {SUBDIVISIONS[i] for i in allowed_subdivisions(option, Fraction(1))} == parts


def test_positions_never_go_backwards() -> None:
    onsets = [0.0, 0.04, 0.11, 0.2, 0.21, 0.5, 0.52, 0.97, 1.0, 1.03]
    positions = placed(onsets)
    assert positions == sorted(positions)
