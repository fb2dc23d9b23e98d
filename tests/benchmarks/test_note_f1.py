"""The note F1 of the notation benchmark."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from benchmarks.note_f1 import local_f1, strict_f1
from model_runtime.notation.score_notes import WrittenNote

SCORE = [WrittenNote(Fraction(i), 60 + (7 * i) % 23, Fraction(1)) for i in range(40)]


def test_the_same_score_later_is_perfect() -> None:
    later = [replace(note, onset=note.onset + 3) for note in SCORE]
    assert strict_f1(SCORE, later).full == 1.0
    assert local_f1(SCORE, later).full == 1.0


def test_staff_and_duration_count_in_the_full_score_only() -> None:
    wrong = [replace(n, staff=2) if i % 2 else replace(n, duration=Fraction(2)) for i, n in enumerate(SCORE)]
    assert strict_f1(SCORE, wrong).full == 0.0
    assert strict_f1(SCORE, wrong).onset == 1.0


def test_missing_notes_lower_recall_and_added_ones_precision() -> None:
    assert strict_f1(SCORE, SCORE[:20]).full == pytest.approx(2 * 20 / 60)
    assert strict_f1(SCORE[:20], SCORE).full == pytest.approx(2 * 20 / 60)


def test_a_lost_beat_fails_what_follows_strictly_but_not_locally() -> None:
    slipped = [note if note.onset < 16 else replace(note, onset=note.onset + 1) for note in SCORE]
    assert strict_f1(SCORE, slipped).full < 0.7
    assert local_f1(SCORE, slipped).full > 0.95


def test_half_values_are_errors_in_both() -> None:
    half = [replace(note, onset=note.onset / 2, duration=note.duration / 2) for note in SCORE]
    assert strict_f1(SCORE, half).full == 0.0
    assert local_f1(SCORE, half).full == 0.0


def test_empty_scores_score_nothing() -> None:
    assert strict_f1(SCORE, []).full == 0.0
    assert local_f1([], []).full == 0.0
