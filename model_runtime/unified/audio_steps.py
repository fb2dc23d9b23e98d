"""The audio reader's steps in time, and what it says at each: shared by training and runtime.

A step is two hops. What the network says at step j is about the moment `moment_s(j)`, which lies 58 ms before the end
of the sound that it has heard by then.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from model_runtime.unified.audio_front_end import HOP_SAMPLES, SAMPLE_RATE

FRAMES_A_STEP = 2
STEP_SAMPLES = FRAMES_A_STEP * HOP_SAMPLES
STEP_S = STEP_SAMPLES / SAMPLE_RATE  # 23.2 ms
DELAY_SAMPLES = 1280
DELAY_S = DELAY_SAMPLES / SAMPLE_RATE

LATE_STEPS = 6
"""What is not needed live may be said later: the late heads are about the moment of so many steps before (139 ms)."""

HEADS = ("onset", "frame", "offset", "velocity")
"""For each key: whether it is struck, sounds, is let go, and how loud it was struck (0 to 1)."""

REACH_STEPS = 2.0
"""Onset and offset heads rise from 0 to 1 over this many steps around the event and fall again, so that its moment can
be read between steps (Kong et al., "High-resolution Piano Transcription with Pedals by Regressing Onset and Offset
Times", TASLP 2021)."""


Number = TypeVar("Number", float, npt.NDArray[np.floating[Any]])


def moment_s(step: float) -> float:
    """Seconds from the start of the sound that a step is about."""
    return ((step + 1) * STEP_SAMPLES - DELAY_SAMPLES) / SAMPLE_RATE


def step_of(moment: Number) -> Number:
    """The step, with a fraction, that is about a moment in seconds; or those of many moments."""
    return (moment * SAMPLE_RATE + DELAY_SAMPLES) / STEP_SAMPLES - 1
