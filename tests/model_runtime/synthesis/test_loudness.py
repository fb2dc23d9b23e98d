"""Loudness as ITU-R BS.1770-4 defines it."""

import math

import numpy as np
import pytest

from model_runtime.synthesis.loudness import LoudnessMeter, integrated_loudness, k_weighting


def sine(frequency: float, dbfs: float, seconds: float, rate: int = 48000, channels: int = 2) -> np.ndarray:
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def test_the_filters_are_those_of_the_recommendation_at_48_khz() -> None:
    (shelf_b, shelf_a), (pass_b, pass_a) = k_weighting(48000)
    assert shelf_b == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285], abs=1e-6)
    assert shelf_a == pytest.approx([1.0, -1.69065929318241, 0.73248077421585], abs=1e-6)
    assert pass_b == pytest.approx([1.0, -2.0, 1.0])
    assert pass_a == pytest.approx([1.0, -1.99004745483398, 0.99007225036621], abs=1e-6)


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
@pytest.mark.parametrize("dbfs", [-23.0, -33.0])
def test_a_stereo_sine_of_1_khz_is_as_loud_as_its_level(rate: int, dbfs: float) -> None:
    """EBU Tech 3341, cases 1 and 2."""
    assert integrated_loudness(sine(1000, dbfs, 20, rate), rate) == pytest.approx(dbfs, abs=0.1)


def test_one_channel_at_full_scale_is_three_below() -> None:
    assert integrated_loudness(sine(997, 0, 5, channels=1), 48000) == pytest.approx(-3.01, abs=0.05)


def test_quiet_passages_are_gated() -> None:
    """EBU Tech 3341, cases 3 and 4."""
    three = np.concatenate([sine(1000, -36, 10), sine(1000, -23, 60), sine(1000, -36, 10)])
    assert integrated_loudness(three, 48000) == pytest.approx(-23, abs=0.1)
    with_silence = np.concatenate([sine(1000, -72, 10), three, sine(1000, -72, 10)])
    assert integrated_loudness(with_silence, 48000) == pytest.approx(-23, abs=0.1)


def test_blocks_of_any_size_measure_the_same() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, (48000 * 3, 2)).astype(np.float32)
    meter = LoudnessMeter(48000, 2)
    for start in range(0, len(sound), 777):
        meter.add(sound[start : start + 777])
    assert meter.integrated() == pytest.approx(integrated_loudness(sound, 48000), abs=1e-6)


def test_silence_is_minus_infinity_and_a_click_is_measured() -> None:
    assert integrated_loudness(np.zeros((48000, 2), np.float32), 48000) == -math.inf
    assert integrated_loudness(np.zeros((0, 2), np.float32), 48000) == -math.inf
    assert -40 < integrated_loudness(sine(1000, -6, 0.05), 48000) < -10


def test_the_true_peak_lies_between_samples() -> None:
    meter = LoudnessMeter(48000, 1)
    quarter = np.sin(np.pi / 4 + np.pi / 2 * np.arange(48000)).astype(np.float32)[:, None]
    meter.add(quarter)
    assert meter.peak == pytest.approx(math.sqrt(0.5), abs=1e-3)
    assert meter.true_peak == pytest.approx(1.0, abs=0.05)
