"""The sustain pedal: when it is down, and where its marks go on the grid."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction

from model_runtime.modality import SUSTAIN_PEDAL, Control
from model_runtime.notation.quantised import ScorePedal

DOWN = 64
"""Controller value from which the pedal is down."""

GRID = Fraction(1, 2)
"""Pedal marks are written on eighth notes."""

ANTICIPATION_S = 0.06
"""The foot changes a little after the notes that the change belongs to."""


def pedal_spans(controls: Sequence[Control], end_s: float) -> list[tuple[float, float]]:
    """(down, up) in seconds, sorted, not overlapping; a pedal that stays down ends at `end_s`."""
    spans: list[tuple[float, float]] = []
    down: float | None = None
    for control in controls:
        if control.number != SUSTAIN_PEDAL:
            continue
        if control.value >= DOWN and down is None:
            down = control.time_s
        elif control.value < DOWN and down is not None:
            if control.time_s > down:
                spans.append((down, control.time_s))
            down = None
    if down is not None and end_s > down:
        spans.append((down, end_s))
    return spans


def down_at(spans: Sequence[tuple[float, float]]) -> Callable[[float], bool]:
    """A function that says whether the pedal is down at a time in seconds."""
    starts = [start for start, _ in spans]

    def is_down(time_s: float) -> bool:
        index = bisect_right(starts, time_s) - 1
        return index >= 0 and time_s < spans[index][1]

    return is_down


def pedals_on_grid(
    spans: Sequence[tuple[float, float]], quarter_at: Callable[[float], float], first: Fraction
) -> list[ScorePedal]:
    """Pedal marks on eighth notes, none before `first`; spans too short to write are left out."""
    pedals: list[ScorePedal] = []
    for down, up in spans:
        onset = max(first, round(quarter_at(down - ANTICIPATION_S) / float(GRID)) * GRID)
        release = round(quarter_at(up) / float(GRID)) * GRID
        if pedals:
            onset = max(onset, pedals[-1].release)
        if release > onset:
            pedals.append(ScorePedal(onset, release))
    return pedals
