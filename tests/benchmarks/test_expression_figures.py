"""How like a person's playing ours is, is measured note by note."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.expression import about_mean, compared, correlation, kept_percent, onset_figures
from benchmarks.played_scores import PlayedScore, matched
from model_runtime.modality import Notation, Note, Performance
from model_runtime.tempo import TempoMap

ONSET = np.repeat(np.arange(24.0), 2)
PITCH = np.tile([48, 72], 24)
VELOCITY = 60.0 + 15 * (PITCH == 72) + np.arange(48) % 5
LATE_S = 0.01 * (PITCH == 48)
BEATS = np.arange(24.0)
BEAT_S = 0.5 * 1.01**BEATS
SCORE = PlayedScore(
    "scale", Notation(b"<score/>"), ONSET, np.ones(48), PITCH, VELOCITY, LATE_S, np.full(48, -0.3), BEATS, BEAT_S
)
STEADY = TempoMap.constant(120)


def played(tempo_map: TempoMap, velocity: np.ndarray, late_s: np.ndarray, length: float) -> Performance:
    """The score played with such velocities, onsets and share of the written length."""
    starts, ends = tempo_map.times_at(ONSET), tempo_map.times_at(ONSET + 1)
    return Performance(
        tuple(
            Note(float(a + late), float(a + late + (b - a) * length), int(pitch), round(float(v)))
            for a, b, late, pitch, v in zip(starts, ends, late_s, PITCH, velocity, strict=True)
        ),
        tempo_map=tempo_map,
    )


def test_who_plays_as_the_person_does_is_perfect() -> None:
    as_played = TempoMap((0.0, *np.cumsum(BEAT_S).tolist()), (*BEATS.tolist(), 24.0))
    figures = compared(SCORE, played(as_played, VELOCITY, LATE_S, 2**-0.3))
    assert figures["found"] == 100.0
    for name in ("velocity_r", "voicing_r", "tempo_r"):
        assert figures[name] == pytest.approx(1.0, abs=1e-3)
    for name in ("length_error", "chord_ms", "onset_ms"):
        assert figures[name] == pytest.approx(0.0, abs=1e-3)
    shy = VELOCITY.mean() + (VELOCITY - VELOCITY.mean()) / 2
    assert compared(SCORE, played(as_played, shy, LATE_S, 1.0))["voicing_slope"] == pytest.approx(2.0, abs=0.1)


def test_who_plays_evenly_has_nothing_in_common_with_the_person() -> None:
    figures = compared(SCORE, played(STEADY, np.full(48, 80.0), np.zeros(48), 1.0))
    assert [figures[name] for name in ("velocity_r", "voicing_r", "tempo_r")] == [0.0, 0.0, 0.0]
    assert figures["length_error"] == pytest.approx(0.3)
    assert figures["chord_ms"] == pytest.approx(5.0)
    assert figures["onset_ms"] == pytest.approx(5.0, abs=0.1)


def test_voicing_is_told_apart_from_loud_and_soft_passages() -> None:
    swelling = 40 + 2 * ONSET
    figures = compared(replace(SCORE, velocity=VELOCITY + 3 * ONSET), played(STEADY, swelling, LATE_S, 1.0))
    assert figures["voicing_r"] < 0.5 < 0.8 < figures["velocity_r"]
    assert np.abs(about_mean(ONSET, 5 * np.ones(48))).max() < 1e-9


def test_each_note_is_matched_once_to_the_nearest_of_its_pitch() -> None:
    notes = [Note(0.0, 0.1, 60), Note(0.1, 0.2, 60), Note(0.1, 0.2, 61), Note(5.0, 5.1, 60)]
    found = matched(np.array([0.02, 0.11, 0.12, 2.0]), np.array([60, 60, 60, 60]), notes, 0.25)
    assert found.tolist() == [0, 1, -1, -1]


def test_a_lost_and_a_doubled_note_are_both_seen() -> None:
    whole = played(STEADY, VELOCITY, LATE_S, 1.0)
    assert kept_percent(whole, whole) == 100.0
    assert kept_percent(whole, replace(whole, notes=whole.notes[1:])) == pytest.approx(100 * 47 / 48)
    doubled = replace(whole, notes=(*whole.notes, replace(whole.notes[0], onset_s=30.0, offset_s=31.0)))
    assert kept_percent(whole, doubled) < 100.0


def test_single_notes_have_no_chord() -> None:
    figures = onset_figures(np.arange(5.0), np.zeros(5), np.full(5, 0.02))
    assert figures == {"chord_ms": 0.0, "onset_ms": 0.0}
    assert correlation(np.ones(3), np.arange(3.0)) == 0.0
