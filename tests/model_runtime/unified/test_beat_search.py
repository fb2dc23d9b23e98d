"""Beats and barlines out of what the network says of each chord."""

from __future__ import annotations

import numpy as np
import pytest

from model_runtime.unified.beat_search import beats_of
from model_runtime.unified.performance_features import (
    BAR_PLACES,
    BAR_STARTS,
    COMPOUND_PHASES,
    ORNAMENT,
    PERIODS,
    PHASES,
    SIMPLE_PHASES,
    Features,
    Floats,
)
from model_runtime.unified.performance_reader import ReadBeats


def _said(classes: list[int], count: int, sure: float) -> Features:
    probabilities = np.full((len(classes), count), (1 - sure) / (count - 1), np.float32)
    probabilities[np.arange(len(classes)), classes] = sure
    return np.log(probabilities)


def _read(times: Floats, phases: list[int], bars: list[int], sure: float = 0.7) -> ReadBeats:
    period = np.full((len(times), PERIODS), -np.log(PERIODS), np.float32)
    phase, bar = _said(phases, PHASES, sure), _said(bars, BAR_PLACES, sure)
    return ReadBeats(np.arange(len(times)), times, phase, bar, period)


def _slowing(beats: int) -> Floats:
    """Beats that begin at half a second and take longer and longer."""
    return np.concatenate([[0.0], np.cumsum(np.linspace(0.5, 0.8, beats - 1))])


def test_a_waltz_that_slackens_keeps_its_beats() -> None:
    beats = _slowing(48)
    times = np.sort(np.concatenate([beats, (beats[:-1] + beats[1:]) / 2]))
    phases = [0 if index % 2 == 0 else SIMPLE_PHASES.index(12) for index in range(len(times))]
    bars = [BAR_STARTS[1] + (index // 2) % 3 for index in range(len(times))]
    found = beats_of(_read(times, phases, bars))
    assert (found.meters[0].numerator, found.meters[0].denominator) == (3, 4)
    quarters = found.quarters_at(beats)
    assert np.allclose(np.diff(quarters), 1.0, atol=0.02)
    assert np.allclose(quarters[::3] % 3, 0.0, atol=0.02)


def test_dotted_beats_are_found() -> None:
    beats = _slowing(40)
    thirds = np.concatenate([beats[:-1] + (beats[1:] - beats[:-1]) * k / 3 for k in range(3)])
    times = np.sort(thirds)
    phases = [len(SIMPLE_PHASES) + COMPOUND_PHASES.index(12 * (index % 3)) for index in range(len(times))]
    bars = [BAR_STARTS[4] + (index // 3) % 2 for index in range(len(times))]
    found = beats_of(_read(times, phases, bars))
    assert (found.meters[0].numerator, found.meters[0].denominator) == (6, 8)
    assert np.allclose(np.diff(found.quarters_at(beats[:-1])), 1.5, atol=0.03)


def test_a_chord_that_is_misheard_moves_no_beat() -> None:
    beats = _slowing(40)
    phases, bars = [0] * 40, [BAR_STARTS[2] + index % 4 for index in range(40)]
    for wrong in (7, 18, 29):
        phases[wrong], bars[wrong] = SIMPLE_PHASES.index(12), BAR_STARTS[0]
    found = beats_of(_read(beats, phases, bars))
    assert np.allclose(np.diff(found.quarters_at(beats)), 1.0, atol=0.05)


def test_ornaments_take_no_time() -> None:
    beats = _slowing(40)
    times = np.sort(np.concatenate([beats, beats[4::4] - 0.07]))
    is_beat = np.isin(times, beats)
    number = np.cumsum(is_beat) - 1
    phases = [0 if beat else ORNAMENT for beat in is_beat]
    bars = [BAR_STARTS[2] + int(n) % 4 for n in number]
    found = beats_of(_read(times, phases, bars))
    assert np.allclose(np.diff(found.quarters_at(beats)), 1.0, atol=0.02)


def test_one_chord_and_nothing_but_ornaments_still_give_a_map() -> None:
    for phases in ([0], [ORNAMENT] * 3):
        times = np.arange(len(phases)) * 0.5 + 1.0
        found = beats_of(_read(times, phases, [BAR_STARTS[2]] * len(phases)))
        assert len(found.times_s) >= 2 and found.meters


def test_it_can_be_stopped() -> None:
    beats = _slowing(600)

    def stop(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        beats_of(_read(beats, [0] * 600, [BAR_STARTS[2] + index % 4 for index in range(600)]), stop)
