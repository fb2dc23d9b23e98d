"""When a note is heard to begin: not when its key goes down or its bow first touches, but when it has risen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model_runtime.training.audio.music import OFFSET, ONSET, Part

RISEN = 0.3
"""Of a note's highest level: there it counts as begun, about 10 dB below what it rises to."""

_WITHIN_S = 0.6
_HOP_S, _WINDOW_S = 0.0025, 0.015  # of the envelope; the window holds a period of most pitches
_SHORTEST_S = 0.05


def rise_s(sound: npt.NDArray[np.floating], sample_rate: int) -> float:
    """Seconds from the start of a note's sound, mono, until it is heard to have begun."""
    hop, window = int(_HOP_S * sample_rate), int(_WINDOW_S * sample_rate)
    level = np.abs(sound[: int(_WITHIN_S * sample_rate)])
    if len(level) <= window:
        return 0.0
    envelope = np.lib.stride_tricks.sliding_window_view(level, window)[::hop].max(axis=1)
    if not envelope.max() > 0:
        return 0.0
    first = int(np.argmax(envelope >= RISEN * envelope.max()))
    return 0.0 if first == 0 else first * hop / sample_rate + _WINDOW_S / 2


def heard(part: Part, rises_s: npt.NDArray[np.float64]) -> Part:
    """The part with every onset where it is heard, `rises_s` after where it was played."""
    notes = part.notes.copy()
    notes[:, ONSET] = np.minimum(notes[:, ONSET] + rises_s, np.maximum(notes[:, OFFSET] - _SHORTEST_S, notes[:, ONSET]))
    return Part(notes, part.pedal)
