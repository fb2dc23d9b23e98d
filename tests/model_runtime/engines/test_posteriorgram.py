"""The network over a stream of audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plucked import played

from model_runtime.engines.posteriorgram import HOP_SAMPLES, KEPT_FRAMES, SAMPLE_RATE, Network, frame_time


@pytest.fixture
def network(basic_pitch_data: Path) -> Network:
    return Network((basic_pitch_data / "basic-pitch" / "nmp.onnx").read_bytes(), threads=1)


def whole(network: Network, samples: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    blocks = (samples[start : start + block] for start in range(0, len(samples), block))
    parts = list(network.posteriors(blocks, contours=True))
    contours = [part.contours for part, _ in parts if part.contours is not None]
    notes, onsets = (np.concatenate([getattr(part, name) for part, _ in parts]) for name in ("notes", "onsets"))
    return notes, onsets, np.concatenate(contours), parts[-1][1]


@pytest.mark.parametrize("block", [1, 777, 43_844, 100_000])
def test_the_posteriorgram_does_not_depend_on_the_size_of_the_blocks(network: Network, block: int) -> None:
    samples = played([(0.2, 1.0, 60), (1.3, 1.5, 67), (3.0, 2.0, 50)], 5.3).data[:, 0]
    samples = samples[: 45_000 if block == 1 else None]
    at_once, streamed = whole(network, samples, len(samples)), whole(network, samples, block)
    for expected, given in zip(at_once, streamed, strict=True):
        np.testing.assert_allclose(given, expected, atol=1e-5)
    assert streamed[3] == len(samples)


@pytest.mark.parametrize("length", [1, 255, 36_163, 36_164, 36_165, 40_004, 80_000])
def test_frames_cover_the_audio_and_end_with_it(network: Network, length: int) -> None:
    notes, onsets, contours, heard = whole(network, np.full(length, 0.1, np.float32), length)
    assert heard == length
    assert len(notes) == len(onsets) == len(contours)
    assert frame_time(len(notes) - 1) < length / SAMPLE_RATE <= frame_time(len(notes)) + HOP_SAMPLES / SAMPLE_RATE


def test_frames_follow_each_other_a_hop_apart_and_do_not_drift() -> None:
    times = np.array([frame_time(frame) for frame in range(100 * KEPT_FRAMES)])
    steps = np.diff(times)
    assert steps.min() > 0.25 * HOP_SAMPLES / SAMPLE_RATE
    assert steps.max() <= HOP_SAMPLES / SAMPLE_RATE + 1e-9
    assert times[50 * KEPT_FRAMES] == pytest.approx(50 * 36_164 / SAMPLE_RATE)


def test_where_nothing_sounds_nothing_is_found(network: Network) -> None:
    samples = played([(0.5, 0.5, 60)], 6.0).data[:, 0]
    samples += np.random.default_rng(0).normal(0, 1e-5, len(samples)).astype(np.float32)
    notes, onsets, _, _ = whole(network, samples, len(samples))
    silent = np.array([frame_time(frame) > 1.2 for frame in range(len(notes))])
    assert notes[silent].max() == onsets[silent].max() == 0
    assert notes[~silent].max() > 0.5
