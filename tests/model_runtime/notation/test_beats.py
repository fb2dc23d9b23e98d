"""Beats are found in what is played without any map."""

from __future__ import annotations

import numpy as np
import pytest
from played import melody, play, steady, written

from model_runtime.notation.beats import track_beats


def accompanied(bars: int) -> list:
    """A tune in eighths over a bass that falls on the first beat of 4/4."""
    notes = []
    for bar in range(bars):
        at, bass = 4 * bar, (48, 41, 43, 48)[bar % 4]
        notes += written((at, 2, bass), (at + 2, 2, bass + 7), (at, 2, bass + 16), (at + 2, 2, bass + 16))
        notes += written(*((at + step / 2, "1/2", 72 + (3 * bar + step) % 8) for step in range(8)))
    return notes


@pytest.mark.parametrize("tempo", [84, 104, 126])
def test_the_tempo_of_an_accompanied_tune_is_found(tempo: int) -> None:
    notes = sorted(play(accompanied(8), steady(tempo)))
    found = track_beats(notes)
    spacing = np.median(np.diff(found.times_s) / np.diff(found.quarters))
    assert 60.0 / spacing == pytest.approx(tempo, rel=0.02)


def test_beats_lie_on_the_chords_that_they_fall_on() -> None:
    notes = sorted(play(accompanied(6), steady(100), jitter_s=0.005))
    found = track_beats(notes)
    onsets = np.array([note.onset_s for note in notes])
    inside = [t for t in found.times_s if onsets[0] <= t <= onsets[-1]]
    assert max(np.abs(onsets - t).min() for t in inside) < 0.03


def test_a_single_note_has_a_beat_and_a_metre() -> None:
    found = track_beats(play(melody((60, 1)), steady(90)))
    assert len(found.times_s) >= 2
    assert found.meters[0].quarter == 0.0


def test_a_fermata_does_not_derail_what_follows() -> None:
    def clock(quarter: float) -> float:
        return 0.5 + quarter * 0.55 + (1.3 if quarter >= 16 else 0.0)

    found = track_beats(sorted(play(accompanied(8), clock, jitter_s=0.005)))
    later = [t for t in found.times_s if t > clock(18.0)]
    spacing = np.median(np.diff(later)) / np.median(np.diff(found.quarters))
    assert spacing == pytest.approx(0.55, rel=0.03)


def test_progress_is_reported_on_the_way() -> None:
    seen: list[tuple[int, int]] = []
    notes = sorted(play(melody(*((60 + i % 12, "1/2") for i in range(600))), steady(100)))
    track_beats(notes, lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert len(seen) >= 4
