"""Notes of a score → a performance as people play it: tempo curve, chord spread, melody lead, touch, voicing, pedal.

Everything is drawn at random for each window, so that no two passes over the corpus hear the same performance.
A fifth of the windows are played as a sequencer plays them: exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.vocabulary import BLOCKS, COARSE_STEPS, FINE_TICKS, PAD_ID, PROBABILITY_BINS, TICK_S
from model_runtime.training.played import ACCENT, ARPEGGIO, FERMATA, GRACE, STACCATO, TENUTO

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SLOWEST_QPM, FASTEST_QPM = 45.0, 180.0
SEQUENCED_SHARE = 0.2
PEDALLED_SHARE = 0.5
_GRACE_S = 0.08
_LAST_TICK = COARSE_STEPS * FINE_TICKS - 1
_NOTE, _HELD, _PEDAL_DOWN, _PEDAL_UP = range(4)


@dataclass(frozen=True)
class ScoreWindow:
    """Notes of a stretch of score.

    Attributes:
        onset, duration: Quarter notes, shape (n,); an onset before 0 is a note held from before.
        pitch, staff, flags: int, shape (n,).
        quarters: Length of the stretch.
        measure_quarters: Length of a measure, for the pedal.
    """

    onset: Floats
    duration: Floats
    pitch: Ints
    staff: Ints
    flags: Ints
    quarters: float
    measure_quarters: float


@dataclass(frozen=True)
class Played:
    """Compound note tokens, in order of time.

    Attributes:
        ids: Shape (m, 6), see `tokens.notes.COMPOUND_FIELDS`.
        ticks: Onsets in 10 ms, shape (m,).
        source: For each token the note of the window that it plays, -1 for the pedal; shape (m,).
    """

    ids: Ints
    ticks: Ints
    source: Ints


def perform(window: ScoreWindow, rng: np.random.Generator) -> Played:
    """A random performance of the window; second 0 is the barline where it starts."""
    human = 0.0 if rng.random() < SEQUENCED_SHARE else float(rng.uniform(0.3, 1.3))
    beats, seconds = _tempo_curve(window.quarters, human, rng)
    onset_s = _extrapolated(np.maximum(window.onset, 0.0), beats, seconds)
    offset_s = _extrapolated(window.onset + np.maximum(window.duration, 0.0), beats, seconds)
    length_s = np.maximum(offset_s - onset_s, 0.02)
    held = window.onset < -1e-6
    onset_s = onset_s + _deviations(window, human, rng)
    length_s = length_s * _touch(window, human, rng)
    grace = (window.flags & GRACE) > 0
    if grace.any():
        onset_s, length_s = _graces(window, grace, onset_s, length_s, rng)
    onset_s = np.where(held, 0.0, np.maximum(onset_s, 0.0))
    velocity = _velocities(window, human, rng)
    kinds = np.where(held, _HELD, _NOTE)
    ticks = np.clip(np.rint(onset_s / TICK_S), 0, _LAST_TICK).astype(np.int64)
    lengths = np.clip(np.rint(length_s / TICK_S), 1, _LAST_TICK).astype(np.int64)
    ids = note_ids(kinds, window.pitch, lengths, velocity)
    source = np.arange(len(ticks))
    if rng.random() < PEDALLED_SHARE:
        pedal_ids, pedal_ticks = _pedal(window, beats, seconds, rng)
        ids, ticks = np.concatenate([ids, pedal_ids]), np.concatenate([ticks, pedal_ticks])
        source = np.concatenate([source, np.full(len(pedal_ticks), -1)])
    order = np.lexsort((ids[:, 1], ids[:, 0], ticks))
    return Played(ids[order], ticks[order], source[order])


def note_ids(kinds: Ints, pitch: Ints, lengths: Ints, velocity: Ints) -> Ints:
    """Compound ids of notes that are certain, shape (n, 6)."""
    columns = (
        BLOCKS["note"].start + kinds,
        BLOCKS["pitch"].start + np.clip(pitch, 0, 127),
        BLOCKS["duration_coarse"].start + lengths // FINE_TICKS,
        BLOCKS["duration_fine"].start + lengths % FINE_TICKS,
        BLOCKS["velocity"].start + np.clip(velocity // 4, 0, 31),
        np.full(len(pitch), BLOCKS["probability"].start + PROBABILITY_BINS - 1),
    )
    return np.stack(columns, axis=1).astype(np.int64)


def _tempo_curve(quarters: float, human: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Seconds at each half beat: a random walk about the tempo, at times a slackening at the end."""
    beats = np.arange(0.0, quarters + 4.5, 0.5)
    seconds_a_quarter = 60.0 / np.exp(rng.uniform(np.log(SLOWEST_QPM), np.log(FASTEST_QPM)))
    walk = np.cumsum(rng.normal(0.0, 0.025 * human, len(beats)))
    stretch = np.exp(walk - walk.mean() + rng.normal(0.0, 0.02 * human, len(beats)))
    if human and rng.random() < 0.25:
        end = float(rng.uniform(0.5, 1.0)) * quarters
        stretch *= 1.0 + rng.uniform(0.1, 0.6) * np.clip((beats - end + 2.0) / 2.0, 0.0, 1.0)
    seconds = np.concatenate([[0.0], np.cumsum(0.5 * seconds_a_quarter * stretch)[:-1]])
    return beats, seconds


def _extrapolated(quarters: Floats, beats: Floats, seconds: Floats) -> Floats:
    slope = (seconds[-1] - seconds[-2]) / (beats[-1] - beats[-2])
    inside: Floats = np.interp(quarters, beats, seconds)
    return np.where(quarters > beats[-1], seconds[-1] + (quarters - beats[-1]) * slope, inside)


def _deviations(window: ScoreWindow, human: float, rng: np.random.Generator) -> Floats:
    """Seconds by which each note comes late: hands apart, melody ahead, chords spread, arpeggios rolled."""
    n = len(window.onset)
    late = rng.normal(0.0, 0.008 * human, n)
    hands = rng.normal(0.0, 0.008 * human)
    late += np.where(window.staff == 1, 0.0, hands)
    top = _highest_of_chord(window)
    late -= np.where(top & (window.staff == 1), abs(rng.normal(0.0, 0.012 * human)), 0.0)
    rolled = (window.flags & ARPEGGIO) > 0
    if rolled.any():
        step = float(rng.uniform(0.02, 0.07))
        for onset in np.unique(window.onset[rolled]):
            chord = np.flatnonzero(rolled & (window.onset == onset))
            late[chord[np.argsort(window.pitch[chord])]] += step * np.arange(len(chord))
    return late


def _highest_of_chord(window: ScoreWindow) -> npt.NDArray[np.bool_]:
    order = np.lexsort((-window.pitch, window.onset, window.staff))
    first = np.ones(len(order), bool)
    same = (np.diff(window.onset[order]) == 0) & (np.diff(window.staff[order]) == 0)
    first[1:] = ~same
    top = np.zeros(len(order), bool)
    top[order[first]] = True
    return top


def _touch(window: ScoreWindow, human: float, rng: np.random.Generator) -> Floats:
    """Factor of each note's written length."""
    n = len(window.onset)
    if not human:
        factor = np.full(n, float(rng.choice([1.0, 0.95, 0.9])))
    else:
        factor = rng.normal(float(rng.uniform(0.7, 1.05)), 0.1, n)
    factor = np.where(window.flags & STACCATO, factor * rng.uniform(0.3, 0.6), factor)
    factor = np.where(window.flags & TENUTO, np.maximum(factor, 0.97), factor)
    factor = np.where(window.flags & FERMATA, factor * rng.uniform(1.0, 1.6), factor)
    clipped: Floats = np.clip(factor, 0.1, 2.0)
    return clipped


def _graces(
    window: ScoreWindow, grace: npt.NDArray[np.bool_], onset_s: Floats, length_s: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Grace notes come one after another before the note that they belong to."""
    onset_s, length_s = onset_s.copy(), length_s.copy()
    step = _GRACE_S * float(rng.uniform(0.7, 1.6))
    for onset in np.unique(window.onset[grace]):
        group = np.flatnonzero(grace & (window.onset == onset))
        onset_s[group] -= step * np.arange(len(group), 0, -1)
        length_s[group] = step
    return onset_s, length_s


def _velocities(window: ScoreWindow, human: float, rng: np.random.Generator) -> Ints:
    base = float(rng.uniform(35, 100))
    slope = float(rng.normal(0.0, 12.0 * human)) / max(window.quarters, 1.0)
    velocity = base + slope * window.onset + rng.normal(0.0, 5.0 * human, len(window.onset))
    velocity += np.where(_highest_of_chord(window) & (window.staff == 1), 12.0 * human, 0.0)
    velocity += np.where(window.flags & ACCENT, 15.0, 0.0)
    return np.clip(np.rint(velocity), 1, 127).astype(np.int64)


def _pedal(window: ScoreWindow, beats: Floats, seconds: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Pedal changes a little after each measure's or half measure's beat."""
    period = window.measure_quarters / float(rng.choice([1.0, 2.0]))
    changes = np.arange(0.0, window.quarters, max(period, 0.5))
    down = _extrapolated(changes, beats, seconds) + rng.uniform(0.02, 0.15, len(changes))
    up = _extrapolated(changes + period, beats, seconds) + rng.normal(0.0, 0.03, len(changes))
    times = np.concatenate([down, np.maximum(up, down + 0.05)])
    kinds = np.repeat([_PEDAL_DOWN, _PEDAL_UP], len(changes))
    ids = np.full((len(times), 6), PAD_ID, np.int64)
    ids[:, 0] = BLOCKS["note"].start + kinds
    ids[:, 5] = BLOCKS["probability"].start + PROBABILITY_BINS - 1
    return ids, np.clip(np.rint(times / TICK_S), 0, _LAST_TICK).astype(np.int64)
