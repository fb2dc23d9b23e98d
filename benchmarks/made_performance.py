"""A polyphonic piano performance that is made here: the same for everybody, as long as one likes."""

from __future__ import annotations

import numpy as np

from model_runtime.modality import Note, Performance

MINUTE_S = 60.0
_SCALE = [pitch for pitch in range(36, 92) if pitch % 12 in (0, 2, 4, 5, 7, 9, 11)]
_VOICES = ((4, 10, (1.0, 2.0)), (14, 20, (0.5, 1.0)), (23, 31, (0.25, 0.5, 0.75)))  # scale steps, note lengths
_BEAT_S = 0.5
_UNEVENNESS_S = 0.015


def made_performance(minutes: int = 1) -> Performance:
    """Three voices that walk over a scale with a player's uneven times and touch; every minute is the same."""
    minute = _minute()
    notes = [
        Note(n.onset_s + MINUTE_S * i, n.offset_s + MINUTE_S * i, n.pitch, n.velocity)
        for i in range(minutes)
        for n in minute
    ]
    return Performance(tuple(sorted(notes)))


def _minute() -> list[Note]:
    draw = np.random.default_rng(20)
    notes = []
    for lowest, highest, lengths in _VOICES:
        step, beat = (lowest + highest) // 2, 0.0
        while beat * _BEAT_S < MINUTE_S - 2.0:
            step = int(np.clip(step + draw.choice([-2, -1, 1, 2]), lowest, highest))
            length = float(draw.choice(lengths))
            onset_s = 0.1 + beat * _BEAT_S + float(draw.uniform(-1, 1)) * _UNEVENNESS_S
            offset_s = onset_s + length * _BEAT_S * 0.9
            notes.append(Note(onset_s, offset_s, _SCALE[step], int(draw.integers(50, 100))))
            beat += length
    return sorted(notes)
