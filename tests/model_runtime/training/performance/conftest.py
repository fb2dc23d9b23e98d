"""A score that is large enough to be played and learnt from."""

from __future__ import annotations

import numpy as np
import pytest

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.training.performance.scores import Score

_MEASURES = 40


@pytest.fixture
def waltz() -> Score:
    """A waltz in 3/4 for two staves: bass and two chords below, a melody of quarters and eighths above."""
    notes = []
    for measure in range(_MEASURES):
        start = 3 * TICKS_PER_QUARTER * measure
        quarter = TICKS_PER_QUARTER
        notes.append([start, quarter, 41 + measure % 3, 2, 0, 0])
        for beat in (1, 2):
            notes += [[start + beat * quarter, quarter, pitch, 2, 0, 0] for pitch in (53, 57)]
        notes.append([start, 2 * quarter, 72 + measure % 5, 1, 0, 0])
        notes += [[start + 2 * quarter + half * quarter // 2, quarter // 2, 74 + half, 1, 0, 0] for half in (0, 1)]
    notes.sort(key=lambda row: (row[0], row[2]))
    starts = [[3 * TICKS_PER_QUARTER * m, 3 * TICKS_PER_QUARTER, 3, 4, 0] for m in range(_MEASURES)]
    return Score(np.array(notes, np.int32), np.array(starts, np.int32), np.array([[0, 15000]], np.int32))
