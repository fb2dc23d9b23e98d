"""Sound for tests: plucked tones with harmonics, as a piano's or a guitar's decay."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from model_runtime.modality import FloatArray, SampledAudio

Event = tuple[float, float, float]  # onset in seconds, length in seconds, MIDI pitch, fractions allowed


def tone(length_s: float, pitch: float, rate: int, bend: FloatArray | None = None) -> FloatArray:
    """One tone, shape (n,); `bend` is its deviation in semitones at each sample."""
    time_s = np.arange(round(length_s * rate)) / rate
    semitones = pitch - 69 + (0.0 if bend is None else bend)
    phase = 2 * np.pi * np.cumsum(440 * 2 ** (semitones / 12) * np.ones(len(time_s))) / rate
    decay = 0.0 if bend is not None else 1.5  # a bent tone is sung or bowed
    partials = sum(np.sin(k * phase) * np.exp(-decay * k**0.7 * time_s) / k**1.3 for k in range(1, 9))
    fade = np.minimum(1, np.minimum(time_s / 0.003, (length_s - time_s) / 0.02))
    return np.asarray(0.2 * fade * partials, np.float32)


def played(events: Iterable[Event], length_s: float, rate: int = 22_050, channels: int = 1) -> SampledAudio:
    """Several tones in one recording."""
    samples = np.zeros(round(length_s * rate), np.float32)
    for onset_s, tone_s, pitch in events:
        first = round(onset_s * rate)
        new = tone(tone_s, pitch, rate)[: max(len(samples) - first, 0)]
        samples[first : first + len(new)] += new
    return SampledAudio(np.repeat(samples[:, None], channels, axis=1), rate)
