"""The figures of live notation are what they are called."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.live_notation import annotated, beat_f1, given_out, play
from benchmarks.rubato import with_rubato
from model_runtime.modality import Note, Performance
from model_runtime.notation.live import LiveNotation
from model_runtime.tempo import Meter, TempoMap


def scale(quarters: int, tempo_map: TempoMap) -> Performance:
    notes = tuple(Note(tempo_map.time_at(q), tempo_map.time_at(q + 0.9), 60 + q % 8, 90) for q in range(quarters))
    return Performance(notes, tempo_map=tempo_map)


def test_rubato_moves_notes_and_beats_alike() -> None:
    straight = scale(200, TempoMap.constant(100.0, [Meter(0.0, 4, 4)]))
    played = with_rubato(straight, seed=1)
    assert played.tempo_map is not None
    beats = played.tempo_map.times_at(np.arange(200))
    onsets = np.array([note.onset_s for note in played.notes])
    assert np.abs(onsets - beats).max() < 0.035
    gaps = np.diff(beats)
    assert gaps.min() < 0.5 and gaps.max() > 0.7  # 0.6 s as written
    assert [note.onset_s for note in with_rubato(straight, seed=1).notes] == onsets.tolist()
    assert [note.onset_s for note in with_rubato(straight, seed=2).notes] != onsets.tolist()


def test_annotated_beats_and_barlines_follow_the_metre() -> None:
    tempo_map = TempoMap((0.0, 1.0), (-1.0, 0.0), (Meter(0.0, 6, 8), Meter(6.0, 2, 4)))
    beats, downs = annotated(tempo_map, 11.0)
    assert beats.tolist() == pytest.approx([1.0, 2.5, 4.0, 5.5, 7.0, 8.0, 9.0, 10.0])
    assert downs.tolist() == pytest.approx([1.0, 4.0, 7.0, 9.0])


def test_a_beat_counts_within_70_milliseconds_after_five_seconds() -> None:
    truth = np.arange(0.0, 20.0, 0.5)
    assert beat_f1(truth, truth + 0.06) == 1.0
    assert beat_f1(truth, truth + 0.2) == 0.0
    assert beat_f1(truth, np.concatenate([truth[:10] + 0.25, truth[10:]])) == 1.0
    assert beat_f1(truth, truth[::2]) == pytest.approx(2 / 3, abs=0.02)


def test_a_played_session_has_all_notes_and_knows_how_late_its_bars_were() -> None:
    tempo_map = TempoMap.constant(120.0, [Meter(0.0, 4, 4)])
    session = play(scale(32, tempo_map), LiveNotation(tempo_map))
    assert sum(len(bar.notes) for bar in session.bars.values()) == 32
    behind = session.behind_bars()
    assert len(behind) >= 6 and all(0.2 <= bars <= 0.5 for bars in behind)  # half a second of two
    assert 1.0 < max(session.unwritten) < 1.4  # one that is being played, and that quarter of the next
    beats, downs = given_out(session.bars.values())
    assert beats.tolist() == pytest.approx(np.arange(0.0, 16.0, 0.5).tolist())
    assert downs.tolist() == pytest.approx(np.arange(0.0, 16.0, 2.0).tolist())
    assert len(session.busy_s) >= 160
