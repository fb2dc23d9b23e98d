"""Sound → log-frequency frames, causally: what the audio reader looks at.

A constant-Q transform (Brown and Puckette, "An efficient algorithm for the calculation of a constant Q transform",
JASA 1992) of three bins a semitone. Long windows for low bins would answer late; here every window rises within
46 ms on its recent side and fades slowly on its old side, and the middle of the rise lies at the same moment for all
bins, so that an attack stands in one column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SAMPLE_RATE = 22_050  # Hz
HOP_SAMPLES = 256  # 11.6 ms
BINS_PER_SEMITONE = 3
LOWEST_PITCH = 21  # MIDI number of the piano's lowest key, whose middle bin is bin 1
KEYS = 88
BINS = 306  # up to 9.4 kHz
FLOOR_DB = -100.0  # against a sine of full scale; quieter is taken for this
SCALE_DB = 50.0  # a frame's values are (dB - FLOOR_DB) / SCALE_DB

_CYCLES = 46.4  # of a bin's frequency in its window
_LONGEST_SAMPLES = 8192
_LONGEST_RISE_SAMPLES = 1024
_TRANSFORMS = (2048, 4096, 8192)
_NEIGHBOURS = 20  # bins that are multiplied at once: few, and they use few of the frequencies
_NEGLIGIBLE = 2e-3  # of a spectral kernel's largest value
HISTORY_SAMPLES = _LONGEST_SAMPLES - HOP_SAMPLES
"""How many samples before a hop its frame still sees."""


def bin_frequencies() -> npt.NDArray[np.float64]:
    """Hz of each bin, shape (BINS,)."""
    pitches = LOWEST_PITCH + (np.arange(BINS) - 1) / BINS_PER_SEMITONE
    frequencies: npt.NDArray[np.float64] = 440.0 * 2.0 ** ((pitches - 69) / 12)
    return frequencies


@dataclass(frozen=True)
class _Kernels:
    """Spectral kernels of some neighbouring bins.

    Attributes:
        size: Of the transform that they share with others.
        first, last: Its frequencies that they use, the last one not.
        matrix: Turns their real parts followed by their imaginary parts into those of the bins,
            shape (2 × frequencies, 2 × bins).
    """

    size: int
    first: int
    last: int
    matrix: Floats


@cache
def _kernels() -> tuple[_Kernels, ...]:
    frequencies = bin_frequencies()
    lengths = np.minimum(_CYCLES * SAMPLE_RATE / frequencies, _LONGEST_SAMPLES)
    rises = np.minimum(lengths / 2, _LONGEST_RISE_SAMPLES)
    waits = (_LONGEST_RISE_SAMPLES - rises) / 2
    sizes = np.array([next(s for s in _TRANSFORMS if n + w <= s) for n, w in zip(lengths, waits, strict=True)])
    groups = []
    for size in reversed(_TRANSFORMS):
        members = np.flatnonzero(sizes == size)
        for some in np.array_split(members, -(-len(members) // _NEIGHBOURS)):
            spectra = [_spectral_kernel(size, frequencies[b], lengths[b], rises[b], waits[b]) for b in some]
            groups.append(_kernels_of(size, np.stack(spectra, axis=1)))
    return tuple(groups)


def _kernels_of(size: int, spectra: npt.NDArray[np.complex128]) -> _Kernels:
    strong = np.abs(spectra) > _NEGLIGIBLE * np.abs(spectra).max(axis=0)
    used = np.flatnonzero(strong.any(axis=1))
    first, last = int(used[0]), int(used[-1]) + 1
    part = spectra[first:last]
    matrix = np.block([[part.real, part.imag], [-part.imag, part.real]])
    return _Kernels(size, first, last, matrix.astype(np.float32))


def _spectral_kernel(
    size: int, frequency: float, length: float, rise: float, wait: float
) -> npt.NDArray[np.complex128]:
    """What the transform of `size` samples is multiplied with for one bin, shape (size // 2 + 1,)."""
    age = size - wait - np.arange(size) - 0.5  # samples before the window's recent end
    fading = np.cos(np.pi / 2 * (age - rise) / (length - rise)) ** 2
    window = np.where(age < rise, np.sin(np.pi / 2 * age / rise) ** 2, fading)
    window[(age < 0) | (age > length)] = 0.0
    kernel = 2.0 * window / window.sum() * np.exp(2j * np.pi * frequency / SAMPLE_RATE * np.arange(size))
    return np.asarray(np.conj(np.fft.fft(kernel))[: size // 2 + 1] / size, np.complex128)


def magnitudes(segments: Floats) -> Floats:
    """Magnitude of each bin at the end of each segment.

    Args:
        segments: Shape (n, 8192): the samples up to the end of each hop.

    Returns:
        Shape (n, BINS), 1 for a sine of full scale in the middle of a bin.
    """
    from scipy.fft import rfft  # in single precision several times as fast as numpy's

    spectra = {size: rfft(segments[:, _LONGEST_SAMPLES - size :], axis=1) for size in _TRANSFORMS}
    parts = []
    for kernels in _kernels():
        spectrum = spectra[kernels.size][:, kernels.first : kernels.last]
        stacked = np.concatenate([spectrum.real, spectrum.imag], axis=1)
        found = stacked @ kernels.matrix
        bins = found.shape[1] // 2
        parts.append(np.hypot(found[:, :bins], found[:, bins:]))
    return np.concatenate(parts, axis=1)


def frames_of(samples: Floats) -> Floats:
    """Frames of consecutive samples.

    Args:
        samples: Shape (HISTORY_SAMPLES + n × HOP_SAMPLES,): those before the first hop, then n hops.

    Returns:
        Shape (n, BINS), 0 at `FLOOR_DB`; frame i is known when hop i ends.
    """
    if len(samples) < _LONGEST_SAMPLES:
        return np.zeros((0, BINS), np.float32)
    segments = np.lib.stride_tricks.sliding_window_view(samples, _LONGEST_SAMPLES)[::HOP_SAMPLES]
    blocks = [segments[start : start + 128] for start in range(0, len(segments), 128)]
    return np.concatenate([_in_decibels(magnitudes(block)) for block in blocks])


def _in_decibels(magnitude: Floats) -> Floats:
    floor = np.float32(10.0 ** (FLOOR_DB / 20))
    decibels = 20.0 * np.log10(np.maximum(magnitude, floor))
    return np.asarray((decibels - FLOOR_DB) / SCALE_DB, np.float32)
