"""The performance reader at run time: pieces of any length, and what is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_runtime.errors import EngineUnavailable
from model_runtime.modality import Note
from model_runtime.notation.onsets import gather_chords
from model_runtime.unified.performance_features import (
    BAR_PLACES,
    PERIODS,
    PHASES,
    VALUES,
    Placed,
    Played,
    beat_features,
    chord_of_note,
)
from model_runtime.unified.performance_reader import BEATS, PerformanceReader, windows


def _played(chords: int, seed: int = 0) -> Played:
    draw = np.random.default_rng(seed)
    onset = np.repeat(np.cumsum(draw.choice([0.25, 0.5], chords)), 2)
    pitch = np.stack([draw.integers(40, 60, chords), draw.integers(60, 80, chords)], axis=1).reshape(-1)
    return Played(onset, onset + 0.2, pitch, np.full(2 * chords, 70), np.zeros((0, 2)))


def test_every_row_is_listened_to_once() -> None:
    for rows in (1, 5, 320, 321, 400, 1000, 1999):
        heard = [row for _, _, first, last in windows(rows) for row in range(first, last)]
        assert heard == list(range(rows))
        for start, end, first, last in windows(rows):
            assert 0 <= start <= first < last <= end <= rows and end - start <= 320


def test_each_chord_gets_probabilities() -> None:
    for chords in (1, 2, 30, 700):
        read = PerformanceReader().beats(_played(chords))
        for said, classes in ((read.phase, PHASES), (read.bar, BAR_PLACES), (read.period, PERIODS)):
            assert said.shape == (chords, classes)
            assert np.allclose(np.exp(said).sum(axis=1), 1.0, atol=1e-4)
        assert (np.diff(read.times_s) > 0).all() or chords == 1


def test_when_a_piece_starts_changes_nothing() -> None:
    played = _played(100)
    later = Played(played.onset_s + 1000, played.offset_s + 1000, played.pitch, played.velocity, played.pedal)
    reader = PerformanceReader()
    assert np.allclose(reader.beats(played).phase, reader.beats(later).phase, atol=0.02)


def test_long_pieces_read_as_short_ones_do() -> None:
    whole, kept = _played(600), slice(0, 2 * 200)
    start = Played(whole.onset_s[kept], whole.offset_s[kept], whole.pitch[kept], whole.velocity[kept], whole.pedal)
    reader = PerformanceReader()
    there, alone = reader.beats(whole).phase[:100].argmax(axis=1), reader.beats(start).phase[:100].argmax(axis=1)
    assert (there == alone).mean() > 0.8


def test_chords_are_those_of_the_notation_side() -> None:
    draw = np.random.default_rng(4)
    notes = sorted(
        Note(float(t), float(t) + 0.1, int(p))
        for t, p in zip(draw.random(300) * 20, draw.integers(40, 80, 300), strict=True)
    )
    chord = chord_of_note(np.array([n.onset_s for n in notes]), np.array([n.pitch for n in notes]))
    assert np.bincount(chord).tolist() == [len(c.notes) for c in gather_chords(notes)]


def test_values_are_read_note_by_note() -> None:
    count = 500
    quarter = np.arange(count) / 2
    plain = np.ones(count)
    placed = Placed(
        quarter, plain / 2, plain / 2, np.full(count, 64), np.full(count, 70), quarter // 4 * 4, 4 * plain, plain < 0
    )
    told: list[tuple[int, int]] = []
    value, left = PerformanceReader().values(placed, lambda done, total: told.append((done, total)))
    assert value.shape == (count, len(VALUES)) and left.shape == (count,)
    assert (left >= 0).all() and (left <= 1).all()
    assert len(told) > 1 and all(total == count for _, total in told)


def test_features_are_finite_whatever_is_played() -> None:
    onset = np.array([0.0, 0.0, 0.001, 500.0])
    played = Played(onset, onset + 1e-4, np.array([0, 127, 60, 60]), np.array([1, 127, 64, 64]), np.array([[0.0, 9.0]]))
    features, times = beat_features(played, chord_of_note(played.onset_s, played.pitch))
    assert np.isfinite(features).all() and np.isfinite(times).all()


def test_missing_and_damaged_weights_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="not there"):
        PerformanceReader(tmp_path).load()
    (tmp_path / BEATS).write_bytes(b"no network")
    with pytest.raises(EngineUnavailable, match="damaged"):
        PerformanceReader(tmp_path).load()
