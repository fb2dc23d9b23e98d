"""Lines that are sung, blown or bowed in one breath: pitch that glides and swings, and few new attacks.

Partials of a gliding fundamental through the formants of a vowel or of a body, so that a new note is often nothing but
a new pitch. What recordings of single notes cannot give.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model_runtime.training.audio.attacks import RISEN, heard
from model_runtime.training.audio.music import OFFSET, ONSET, PITCH, VELOCITY, Part
from model_runtime.unified.audio_front_end import SAMPLE_RATE

Floats = npt.NDArray[np.float32]
_PARTIALS = 24
_JOINED_S = 0.05  # a shorter pause between two notes is none
_CONTROL_SAMPLES = 64  # pitch and loudness are drawn on this grid
# First three formants of sung vowels in Hz (Peterson and Barney 1952).
_VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))


def sing(part: Part, length_s: float, rng: np.random.Generator) -> tuple[Floats, Part]:
    """The sound of a line of single notes, shape (frames,), and the line as it is heard."""
    frames = int(length_s * SAMPLE_RATE)
    times = np.arange(0, frames + _CONTROL_SAMPLES, _CONTROL_SAMPLES) / SAMPLE_RATE
    attack_s = float(np.clip(rng.exponential(0.05), 0.01, 0.25))
    pitch, loudness = _contours(part, times, attack_s, rng)
    phase_steps = 2 * np.pi * 440.0 * 2.0 ** ((pitch - 69) / 12) / SAMPLE_RATE
    places = np.arange(frames) / _CONTROL_SAMPLES
    knots = np.arange(len(times))
    phase = np.cumsum(np.interp(places, knots, phase_steps))
    partials = _partials(pitch, times, rng) * loudness[:, None]
    sound = np.zeros(frames)
    for k in range(partials.shape[1]):
        if partials[:, k].max() > 1e-4:
            sound += np.interp(places, knots, partials[:, k]) * np.sin((k + 1) * phase + k)
    breath = rng.normal(size=frames) * np.interp(places, knots, loudness) * rng.uniform(0.0, 0.01)
    alone = np.append(True, part.notes[1:, ONSET] - part.notes[:-1, OFFSET] >= _JOINED_S)
    return (0.1 * sound + breath).astype(np.float32), heard(part, np.where(alone, RISEN * attack_s, 0.0))


def _contours(
    part: Part, times: npt.NDArray[np.float64], attack_s: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pitch in semitones and loudness 0 to 1 on the grid of control."""
    notes = part.notes
    glide_s, release_s = float(rng.uniform(0.01, 0.09)), float(rng.uniform(0.02, 0.12))
    depth, rate = float(rng.uniform(0.0, 0.6)), float(rng.uniform(4.5, 6.5))
    articulated = float(rng.uniform(0.0, 1.0))
    pitch, loudness = np.full(len(times), float(notes[0, PITCH])), np.zeros(len(times))
    moments = np.arange(0.0, times[-1] + 0.6, 0.3)
    wander = np.interp(times, moments, rng.normal(0, 0.08, len(moments)))
    before = float(notes[0, PITCH]) - rng.choice([0.0, 1.0, 2.0])
    last_end = -1.0
    for note in notes:
        onset, end = float(note[ONSET]), float(note[OFFSET])
        joined = onset - last_end < _JOINED_S
        inside = (times >= onset - glide_s / 2) & (times < end + release_s)
        local = times[inside] - onset
        start = before if joined else float(note[PITCH]) - rng.choice([0.0, 0.0, 0.5, 1.0])
        way = 1.0 / (1.0 + np.exp(-local / (glide_s / 6)))
        swing = depth * np.clip((local - 0.15) / 0.25, 0.0, 1.0) * np.sin(2 * np.pi * rate * local)
        off = float(rng.normal(0.0, 0.08))
        pitch[inside] = start + (note[PITCH] - start) * way + swing + off
        level = (max(float(note[VELOCITY]), 20.0) / 127) ** 1.2
        shape = np.minimum(1.0, np.maximum(local, 0.0) / attack_s)
        shape *= np.clip((end + release_s - times[inside]) / release_s, 0.0, 1.0)
        if joined:
            tongued = rng.random() < articulated or before == note[PITCH]  # a repeated note is not heard else
            dip = 1.0 - (0.8 if tongued else 0.1) * np.exp(-((local / 0.025) ** 2))
            shape = np.where(local < 0.1, dip, shape)
        swell = 1.0 + 0.3 * np.sin(np.pi * np.clip(local / max(end - onset, 0.1), 0, 1))
        loudness[inside] = np.maximum(level * shape * swell, 0.0)
        before, last_end = float(note[PITCH]), end
    return pitch + wander, loudness


def _partials(
    pitch: npt.NDArray[np.float64], times: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Amplitudes of the partials on the grid of control, shape (times, partials)."""
    hertz = 440.0 * 2.0 ** ((pitch - 69) / 12)[:, None] * np.arange(1, _PARTIALS + 1)
    slope = hertz[:, :1] / hertz
    if rng.random() < 0.7:  # a voice, whose vowel changes
        changes = max(int(times[-1] / rng.uniform(0.3, 1.5)), 2)
        vowels = np.array(_VOWELS, float)[rng.integers(len(_VOWELS), size=changes)] * rng.uniform(0.85, 1.25)
        moments = np.linspace(0.0, times[-1], changes)
        centres = [np.interp(times, moments, vowels[:, i])[:, None] for i in range(3)]
    else:  # an instrument's body, which stays
        centres = [np.full((len(times), 1), rng.uniform(300, 4000)) for _ in range(3)]
    widths = (90.0, 130.0, 200.0) * np.array(rng.uniform(0.8, 2.5))
    heights = (1.0, rng.uniform(0.2, 1.0), rng.uniform(0.05, 0.6))
    body = np.full_like(hertz, 0.05)
    for centre, width, height in zip(centres, widths, heights, strict=True):
        body += height / (1.0 + ((hertz - centre) / (2 * width)) ** 2)
    found: npt.NDArray[np.float64] = slope ** rng.uniform(0.5, 1.3) * body * (hertz < SAMPLE_RATE / 2.2)
    return found
