"""Loudness and peak of sound, measured while it streams by.

Integrated loudness follows Recommendation ITU-R BS.1770-4, annex 1 (K-weighting, blocks of 400 ms that overlap by
75 %, gates at -70 LUFS and 10 LU below the mean); the peak follows its annex 2 (four times oversampled).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from model_runtime.modality import FloatArray

BLOCK_S = 0.4
STEPS_PER_BLOCK = 4  # 75 % overlap
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
OVERSAMPLING = 4
LARGEST_OVERSHOOT = 1.5  # how far the wave between samples rises above them in music, at most

Biquad = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def k_weighting(sample_rate: int) -> tuple[Biquad, Biquad]:
    """The high shelf and the high pass of BS.1770 as (b, a) at any sample rate.

    The recommendation gives coefficients for 48 kHz; the analogue filters behind them are mapped by the bilinear
    transform, which returns those coefficients at 48 kHz.
    """
    frequency, gain_db, q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    k = math.tan(math.pi * frequency / sample_rate)
    high = 10 ** (gain_db / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf_b = np.array([high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k]) / a0
    shelf_a = np.array([a0, 2 * (k * k - 1), 1 - k / q + k * k]) / a0

    frequency, q = 38.13547087602444, 0.5003270373238773
    k = math.tan(math.pi * frequency / sample_rate)
    a0 = 1 + k / q + k * k
    pass_a = np.array([a0, 2 * (k * k - 1), 1 - k / q + k * k]) / a0
    return (shelf_b, shelf_a), (np.array([1.0, -2.0, 1.0]), pass_a)


class LoudnessMeter:
    """Takes sound block by block and says how loud the whole of it is.

    Args:
        sample_rate: In Hz.
        channels: Left and right, or one; all weigh the same.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.peak = 0.0  # largest sample, linear
        self.true_peak = 0.0  # largest value of the oversampled wave, linear
        self._filters = k_weighting(sample_rate)
        self._states = [np.zeros((2, channels)) for _ in self._filters]
        self._step_samples = round(BLOCK_S * sample_rate / STEPS_PER_BLOCK)
        self._rest = np.zeros(0)  # squares of an unfinished step, channels summed
        self._step_powers: list[float] = []

    def add(self, block: FloatArray) -> None:
        """Measure the next block, shape (frames, channels)."""
        from scipy.signal import lfilter, resample_poly

        if len(block) == 0:
            return
        peak = float(np.max(np.abs(block)))
        self.peak = max(self.peak, peak)
        if peak * LARGEST_OVERSHOOT > self.true_peak:
            self.true_peak = max(self.true_peak, float(np.max(np.abs(resample_poly(block, OVERSAMPLING, 1, axis=0)))))
        weighted = block.astype(np.float64)
        for i, (b, a) in enumerate(self._filters):
            weighted, self._states[i] = lfilter(b, a, weighted, axis=0, zi=self._states[i])
        squares = np.concatenate([self._rest, np.sum(weighted**2, axis=1)])
        steps = len(squares) // self._step_samples
        whole = squares[: steps * self._step_samples].reshape(steps, self._step_samples)
        self._step_powers += whole.mean(axis=1).tolist()
        self._rest = squares[steps * self._step_samples :]

    def integrated(self) -> float:
        """Integrated loudness of everything so far in LUFS; minus infinity for silence.

        Sound shorter than one block is measured as if silence followed it.
        """
        steps = np.asarray(self._step_powers)
        if len(steps) < STEPS_PER_BLOCK:
            rest = self._rest.sum() / self._step_samples
            blocks = np.array([(steps.sum() + rest) / STEPS_PER_BLOCK])
        else:
            blocks = np.convolve(steps, np.ones(STEPS_PER_BLOCK) / STEPS_PER_BLOCK, mode="valid")
        blocks = blocks[blocks > _power(ABSOLUTE_GATE_LUFS)]
        if blocks.size == 0:
            return -math.inf
        blocks = blocks[blocks > blocks.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
        return _lufs(float(blocks.mean()))


def integrated_loudness(samples: FloatArray, sample_rate: int) -> float:
    """Integrated loudness in LUFS of sound in memory, shape (frames, channels)."""
    meter = LoudnessMeter(sample_rate, samples.shape[1])
    meter.add(samples)
    return meter.integrated()


def _lufs(power: float) -> float:
    return -0.691 + 10 * math.log10(power)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))
