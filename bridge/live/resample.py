"""Resampling of sound that comes in pieces, with a delay that is known and small."""

from __future__ import annotations

from math import gcd

import numpy as np
import numpy.typing as npt

HALF_LENGTH_PERIODS = 8  # of the lower rate: the delay is 8 / 22050 s = 0.4 ms
STOP_BAND_BETA = 7.0  # Kaiser: about 70 dB


class StreamResampler:
    """Changes the sample rate by a polyphase filter.

    Output sample k belongs to the time k / `to_rate` of the input: the filter's delay is taken out, so what is given
    comes `HALF_LENGTH_PERIODS` periods of the lower rate later than it could.

    Args:
        from_rate: In Hz.
        to_rate: In Hz.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        common = gcd(from_rate, to_rate)
        self._up, self._down = to_rate // common, from_rate // common
        wider = max(self._up, self._down)
        self._half = HALF_LENGTH_PERIODS * wider  # of the filter, in samples at the common multiple of both rates
        grid = np.arange(-self._half, self._half + 1)
        taps = np.sinc(grid * 0.92 / wider) * np.kaiser(2 * self._half + 1, STOP_BAND_BETA)
        taps *= self._up / taps.sum()
        self._reach = self._half // self._up + 1  # input samples on either side of an output sample
        self._phases = self._polyphase(taps)
        self._history = np.zeros(self._reach, np.float32)  # silence lies before the beginning
        self._origin = -self._reach  # place of the history's first sample in the input
        self._next = 0  # output sample to make

    def resampled(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The next samples, shape (n,) → those of the other rate that are known now, shape (m,)."""
        if self._up == self._down:
            return samples
        self._history = np.concatenate([self._history, samples])
        known = self._origin + len(self._history) - self._reach  # inputs before this have their right side too
        last = (known * self._up - 1) // self._down  # the last output whose centre lies before it
        outputs = np.arange(self._next, last + 1)
        if not len(outputs):
            return np.zeros(0, np.float32)
        centres, phases = np.divmod(outputs * self._down, self._up)
        windows = np.lib.stride_tricks.sliding_window_view(self._history, self._phases.shape[1])
        made = np.einsum("ij,ij->i", windows[centres - self._reach - self._origin], self._phases[phases])
        self._next = last + 1
        keep_from = (self._next * self._down) // self._up - self._reach
        self._history = self._history[keep_from - self._origin :]
        self._origin = keep_from
        return np.asarray(made, np.float32)

    def _polyphase(self, taps: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Weights of the inputs around an output, for each of the `up` places it can have between two inputs.

        Shape (up, 2 * reach + 1): column j weighs input centre - reach + j.
        """
        offsets = np.arange(-self._reach, self._reach + 1) * self._up  # of the inputs, in common samples
        places = offsets[None, :] - np.arange(self._up)[:, None] + self._half
        inside = (places >= 0) & (places < len(taps))
        return np.asarray(np.where(inside, taps[np.clip(places, 0, len(taps) - 1)], 0.0), np.float32)
