"""Figures of transcription are those of the engines that were measured, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.eval_audio import Recording
from benchmarks.transcription import _means, _rows, _speed


@pytest.fixture
def music(tmp_path: Path) -> list[Recording]:
    """Two chorales of two and four seconds, each of one note."""
    found = []
    for number, length_s in ((1, 2), (2, 4)):
        path = tmp_path / f"bach10_0{number}.wav"
        soundfile.write(path, np.zeros(length_s * 8000), 8000)
        found.append(Recording(f"bach10_0{number}", path, np.array([[0.5, 1.0, 60.0]])))
    return found


def test_times_are_medians_and_rates_those_of_the_median_file(music: list[Recording]) -> None:
    times = {("reader", "bach10_01"): [0.1, 0.9, 0.2], ("reader", "bach10_02"): [0.1, 0.1, 0.1]}
    assert _speed(music, times) == {"reader_x_real_time": pytest.approx((10 + 40) / 2)}
    assert _rows(music, times)[0] == {"file": "bach10_01", "reader s": 0.2}


def test_the_package_is_compared_where_both_were_measured(music: list[Recording]) -> None:
    ours = {("basic-pitch", each.name): [1.0] for each in music}
    package = {("basic_pitch_package", each.name): [1.5] for each in music}
    assert _speed(music, ours) == {}
    assert _speed(music, ours | package) == {"basic_pitch_speed_ratio": pytest.approx(1.5), "speed_files": 2}


def test_means_over_chorales_are_of_engines_that_heard_all_of_them(music: list[Recording]) -> None:
    right, nothing = np.array([[0.52, 1.0, 60.0]]), np.zeros((0, 3))
    found = {("refined", "bach10_01"): right, ("refined", "bach10_02"): nothing, ("reader", "bach10_01"): right}
    assert _means(found, music) == {"onset_f1_refined_bach10_mean": pytest.approx(0.5)}
