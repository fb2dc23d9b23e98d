"""Sound in pieces is resampled as if it were whole, half a millisecond late."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.live.resample import StreamResampler


def tone(rate: int, seconds: float, hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize(
    ("from_rate", "to_rate"), [(48_000, 16_000), (44_100, 16_000), (44_100, 22_050), (96_000, 22_050), (16_000, 22_050)]
)
def test_a_tone_keeps_its_height_and_its_time(from_rate: int, to_rate: int) -> None:
    made = StreamResampler(from_rate, to_rate).resampled(tone(from_rate, 1.0, 1000.0))
    wanted = np.sin(2 * np.pi * 1000.0 * np.arange(len(made)) / to_rate)
    assert len(made) / to_rate == pytest.approx(1.0, abs=0.001)
    assert np.abs(made - wanted)[200:-200].max() < 0.002


def test_what_the_lower_rate_cannot_hold_is_left_out() -> None:
    made = StreamResampler(48_000, 16_000).resampled(tone(48_000, 0.5, 12_000.0))
    assert np.abs(made[200:-200]).max() < 0.001


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=30), st.sampled_from([44_100, 48_000, 16_000]))
def test_pieces_of_any_length_make_the_same_sound(lengths: list[int], from_rate: int) -> None:
    sound = np.random.default_rng(4).standard_normal(sum(lengths)).astype(np.float32)
    whole = StreamResampler(from_rate, 16_000).resampled(sound)
    stream = StreamResampler(from_rate, 16_000)
    pieces = np.split(sound, np.cumsum(lengths)[:-1])
    parts = np.concatenate([stream.resampled(piece) for piece in pieces])
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_an_hour_keeps_no_more_than_a_moment() -> None:
    stream = StreamResampler(44_100, 16_000)
    piece = np.zeros(44_100, np.float32)
    given_samples = sum(len(stream.resampled(piece)) for _ in range(3600))
    assert given_samples == pytest.approx(3600 * 16_000, abs=20)
    assert len(stream._history) < 200
