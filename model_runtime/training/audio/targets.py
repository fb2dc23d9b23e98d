"""Notes → what the network's heads are to say at each step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.unified.audio_front_end import KEYS, LOWEST_PITCH
from model_runtime.unified.audio_steps import REACH_STEPS, step_of

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Targets:
    """For a stretch of T steps.

    Attributes:
        heads: In the order of `HEADS`, 0 to 1, shape (T, KEYS, 4).
        struck: Where a velocity is to be learnt, shape (T, KEYS).
        pedal: 0 or 1, shape (T,).
    """

    heads: Floats
    struck: Floats
    pedal: Floats


def targets(notes: Floats, pedal: Floats, first_step: int, steps: int) -> Targets:
    """The targets of steps `first_step` to `first_step + steps`.

    Args:
        notes: Columns onset and end in seconds, pitch, velocity; shape (n, 4).
        pedal: When the pedal is down in seconds, shape (m, 2).
    """
    heads = np.zeros((steps, KEYS, 4), np.float32)
    struck = np.zeros((steps, KEYS), np.float32)
    onset = step_of(notes[:, 0].astype(np.float64)) - first_step
    offset = step_of(notes[:, 1].astype(np.float64)) - first_step
    for start, end, pitch, velocity in zip(onset, offset, notes[:, 2], notes[:, 3], strict=True):
        key = int(pitch) - LOWEST_PITCH
        if not 0 <= key < KEYS or end < -REACH_STEPS or start > steps + REACH_STEPS:
            continue
        _peak(heads[:, key, 0], start)
        _peak(heads[:, key, 2], end)
        first, last = max(int(np.ceil(start - 0.5)), 0), max(int(np.ceil(end - 0.5)), 0)
        heads[first:last, key, 1] = 1.0
        near = slice(max(first - 1, 0), max(first + 2, 0))
        heads[near, key, 3] = velocity / 127
        struck[near, key] = 1.0
    down = np.zeros(steps, np.float32)
    for start, end in step_of(pedal.astype(np.float64)) - first_step:
        down[max(int(np.ceil(start)), 0) : max(int(np.ceil(end)), 0)] = 1.0
    return Targets(heads, struck, down)


def _peak(row: Floats, moment: float) -> None:
    """Raise a row to a triangle of height 1 around a moment."""
    first = max(int(np.ceil(moment - REACH_STEPS)), 0)
    steps = np.arange(first, min(int(moment + REACH_STEPS) + 1, len(row)))
    row[steps] = np.maximum(row[steps], 1.0 - np.abs(steps - moment) / REACH_STEPS)
