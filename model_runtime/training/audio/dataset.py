"""Batches for the audio reader: stretches of clips, louder, softer, duller, transposed, and two at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.training.audio.corpus import STEP_DB, path_of, restored
from model_runtime.training.audio.targets import Targets, targets
from model_runtime.unified.audio_front_end import (
    BINS,
    BINS_PER_SEMITONE,
    FLOOR_DB,
    HISTORY_SAMPLES,
    HOP_SAMPLES,
    KEYS,
    LOWEST_PITCH,
    SCALE_DB,
    frames_of,
)
from model_runtime.unified.audio_steps import FRAMES_A_STEP, moment_s

Floats = npt.NDArray[np.float32]
_TRANSPOSED_SHARE, _FARTHEST = 0.5, 3  # semitones
_DOUBLED_SHARE = 0.12
_NOISE_ONLY_SHARE, _NOISY_SHARE = 0.03, 0.2


@dataclass(frozen=True)
class StoredClip:
    """A clip as it lies on disk, see `corpus.Clip`.

    Attributes:
        frames: uint8, shape (frames, BINS).
    """

    frames: npt.NDArray[np.uint8]
    notes: Floats
    pedal: Floats
    pedalled: bool
    about: dict[str, str]


def load(path: Path) -> StoredClip:
    """Read a clip."""
    with np.load(path) as arrays:
        about = json.loads(str(arrays["about"]))
        return StoredClip(
            arrays["frames"], arrays["notes"], arrays["pedal"].reshape(-1, 2), bool(arrays["pedalled"]), about
        )


@dataclass(frozen=True)
class Batch:
    """A batch of B stretches of T steps.

    Attributes:
        before: Frames before the first, shape (B, history, BINS).
        frames: Shape (B, T × FRAMES_A_STEP, BINS).
        heads, struck, pedal: See `targets.Targets`, with B in front.
        pedalled: Where the pedal counts, shape (B,).
    """

    before: Floats
    frames: Floats
    heads: Floats
    struck: Floats
    pedal: Floats
    pedalled: Floats


def clips_there(folder: Path, split: str) -> int:
    """How many clips lie there without a gap."""
    numbers = {int(path.stem) for path in (folder / split).glob("*.npz")}
    count = 0
    while count in numbers:
        count += 1
    return count


def batch(
    folder: Path, count: int, history: int, steps: int, size: int, seed: tuple[int, int], cache: dict[int, StoredClip]
) -> Batch:
    """The batch of a seed, out of the first `count` clips of the training split."""
    rng = np.random.default_rng(seed)
    rows = [_example(folder, count, history, steps, rng, cache) for _ in range(size)]
    return Batch(*(np.stack([np.asarray(row[i], np.float32) for row in rows]) for i in range(6)))


def _example(
    folder: Path, count: int, history: int, steps: int, rng: np.random.Generator, cache: dict[int, StoredClip]
) -> tuple[Any, ...]:
    clip = _stretch(folder, count, history, steps, rng, cache)
    frames, found, pedalled = clip
    if rng.random() < _DOUBLED_SHARE:
        other, more, _ = _stretch(folder, count, history, steps, rng, cache)
        other = other + np.float32(rng.uniform(-12, 3) / SCALE_DB)
        frames, found, pedalled = _added(frames, other), _joined(found, more), False
    draw = rng.random()
    if draw < _NOISE_ONLY_SHARE:
        frames, pedalled = _noise(len(frames), rng.uniform(-75, -10), rng), False
        found = targets(np.zeros((0, 4), np.float32), np.zeros((0, 2), np.float32), 0, steps)
    elif draw < _NOISY_SHARE:
        frames = _added(frames, _noise(len(frames), rng.uniform(-90, -45), rng))
    frames = _coloured(frames, rng)
    return frames[:history], frames[history:], found.heads, found.struck, found.pedal, pedalled


def _stretch(
    folder: Path, count: int, history: int, steps: int, rng: np.random.Generator, cache: dict[int, StoredClip]
) -> tuple[Floats, Targets, bool]:
    number = int(rng.integers(count))
    if number not in cache:
        cache[number] = load(path_of(folder, "train", number))
    clip = cache[number]
    total = len(clip.frames) // FRAMES_A_STEP
    first_step = _first_step(clip.notes, max(total - steps, 0), steps, rng)
    start = first_step * FRAMES_A_STEP
    values = clip.frames[max(start - history, 0) : start + steps * FRAMES_A_STEP]
    frames = np.zeros((history + steps * FRAMES_A_STEP, BINS), np.float32)
    offset = history - min(start, history)
    frames[offset : offset + len(values)] = restored(values)
    notes = clip.notes
    if rng.random() < _TRANSPOSED_SHARE:
        frames, notes = _transposed(frames, notes, int(rng.integers(-_FARTHEST, _FARTHEST + 1)))
    return frames, targets(notes, clip.pedal, first_step, steps), clip.pedalled


def _first_step(notes: Floats, last: int, steps: int, rng: np.random.Generator) -> int:
    """A stretch anywhere in the clip, though seldom where nothing begins."""
    first = 0
    for _ in range(4):
        first = int(rng.integers(last + 1))
        begins = (notes[:, 0] > moment_s(first)) & (notes[:, 0] < moment_s(first + steps))
        if begins.sum() > 2:
            break
    return first


def _transposed(frames: Floats, notes: Floats, semitones: int) -> tuple[Floats, Floats]:
    pitches = notes[:, 2] + semitones
    if not semitones or pitches.min() < LOWEST_PITCH or pitches.max() >= LOWEST_PITCH + KEYS:
        return frames, notes
    moved = np.roll(frames, semitones * BINS_PER_SEMITONE, axis=1)
    edge = abs(semitones) * BINS_PER_SEMITONE
    if semitones > 0:
        moved[:, :edge] = moved[:, edge : edge + 1]
    else:
        moved[:, -edge:] = moved[:, -edge - 1 : -edge]
    return moved, np.stack([notes[:, 0], notes[:, 1], pitches, notes[:, 3]], axis=1)


def _added(one: Floats, other: Floats) -> Floats:
    """Two sounds at once: their powers add."""
    tenths = np.float32(SCALE_DB / 10 * np.log(10.0))
    return np.asarray(np.maximum(np.logaddexp(one * tenths, other * tenths) / tenths, 0.0), np.float32)


@cache
def _noise_bank() -> Floats:
    """Frames of white noise of root mean square 1 of full scale."""
    samples = np.random.default_rng(0).normal(size=HISTORY_SAMPLES + 3000 * HOP_SAMPLES)
    return frames_of(samples.astype(np.float32))


def _noise(count: int, level_db: float, rng: np.random.Generator) -> Floats:
    """Frames of noise of any colour, `level_db` the mean over all bins."""
    bank = _noise_bank()
    start = int(rng.integers(len(bank) - count + 1))
    frames = bank[start : start + count] + np.linspace(0.0, rng.uniform(-30.0, 15.0) / SCALE_DB, BINS, dtype=np.float32)
    moved: Floats = frames + np.float32((level_db - FLOOR_DB) / SCALE_DB - frames.mean())
    return np.maximum(moved, np.float32(0.0))


def variant_of(clip: StoredClip, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Frames and notes of a clip as it might have been recorded elsewhere: transposed, noisy, louder, softer, duller.

    Returns:
        Frames of shape (frames, BINS), and notes as the clip has them.
    """
    frames, notes = restored(clip.frames), clip.notes
    if rng.random() < _TRANSPOSED_SHARE:
        frames, notes = _transposed(frames, notes, int(rng.integers(-_FARTHEST, _FARTHEST + 1)))
    if rng.random() < _NOISY_SHARE:
        frames = _added(frames, _noise(len(frames), rng.uniform(-90, -45), rng))
    return _coloured(frames, rng), notes


def _joined(one: Targets, other: Targets) -> Targets:
    return Targets(
        np.maximum(one.heads, other.heads), np.maximum(one.struck, other.struck), np.maximum(one.pedal, other.pedal)
    )


def _coloured(frames: Floats, rng: np.random.Generator) -> Floats:
    """Louder or softer as a whole, and more so in some octaves; nothing falls below the floor."""
    knots = np.linspace(0, BINS - 1, 7)
    curve_db = np.interp(np.arange(BINS), knots, rng.normal(0.0, 2.0, 7)) + rng.normal(0.0, 6.0)
    noise = rng.random(frames.shape, np.float32) * np.float32(STEP_DB / SCALE_DB)
    return np.maximum(frames + noise + (curve_db / SCALE_DB).astype(np.float32), 0.0)
