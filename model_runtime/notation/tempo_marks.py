"""Tempo marks: one at the start and one where the tempo changes and stays so."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from model_runtime.notation.quantised import ScoreTempo

LASTING_MEASURES = 4
CHANGE = 0.2
"""Share by which a tempo differs before it gets a mark of its own."""


def tempo_marks(barlines: Sequence[Fraction], times_s: npt.NDArray[np.float64]) -> tuple[ScoreTempo, ...]:
    """Marks at barlines.

    Args:
        barlines: Quarter notes, one a measure and the end of the last; at least two.
        times_s: Seconds of the same, shape (measures + 1,).
    """
    quarters = np.array([float(b) for b in barlines])
    tempos = 60.0 * np.diff(quarters) / np.maximum(np.diff(times_s), 1e-3)
    marks = [ScoreTempo(barlines[0], _readable(float(np.median(tempos[: 2 * LASTING_MEASURES]))))]
    index = LASTING_MEASURES
    while index + LASTING_MEASURES <= len(tempos):
        ahead = tempos[index : index + LASTING_MEASURES]
        now = marks[-1].quarters_per_minute
        ratios = ahead / now
        if (ratios > 1 + CHANGE).all() or (ratios < 1 / (1 + CHANGE)).all():
            marks.append(ScoreTempo(barlines[index], _readable(float(np.median(ahead)))))
            index += LASTING_MEASURES
        else:
            index += 1
    return tuple(marks)


def _readable(tempo: float) -> float:
    return float(min(max(round(tempo), 5), 999))
