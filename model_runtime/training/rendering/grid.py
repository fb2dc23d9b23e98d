"""Sixteenths, beats and barlines of a song that tells no more than its tempo."""

from __future__ import annotations

import numpy as np

from model_runtime.training.rendering.song import Floats, Track

_PHASE_QUARTERS = 16.0  # over which the grid may drift


class Grid:
    """Where the sixteenths, beats and barlines of a song lie.

    Args:
        onset: Of all its notes, in quarter notes of the file.
        leading: The track whose long and low notes tell beats and barlines.

    Attributes:
        measure: Quarter notes of a measure.
    """

    def __init__(self, onset: Floats, leading: Track) -> None:
        self._knots, self._phases = _phases(np.sort(onset))
        self._shift = 0.0
        at = self.unrounded(leading.onset)
        self._shift = max((0.0, 0.25, 0.5, 0.75), key=lambda shift: _weight(at - shift, leading))
        self.measure, self._barlines = _barlines(self.unrounded(leading.onset), leading)

    def unrounded(self, onset: Floats) -> Floats:
        """Quarter notes from a beat on."""
        return onset - np.interp(onset, self._knots, self._phases) - self._shift

    def in_measure(self, place: Floats) -> Floats:
        """Quarter notes from the barline before."""
        index = np.clip(np.searchsorted(self._barlines, place + 1e-6) - 1, 0, len(self._barlines) - 1)
        return np.mod(place - self._barlines[index], self.measure)


def _weight(at: Floats, track: Track) -> float:
    """How much starts on beats, and half as much on their halves."""
    heavy = np.minimum(track.length, 2.0) + 0.02 * np.maximum(60 - track.pitch, 0)
    on_beat, on_half = (np.abs(at - np.rint(at * n) / n) < 0.06 for n in (1, 2))
    return float((heavy * (0.5 * on_beat + 0.5 * on_half)).sum())


def _phases(onset: Floats) -> tuple[Floats, Floats]:
    """By how much the sixteenths lie behind the file's own, at knots along the song."""
    knots = np.arange(0.0, onset[-1] + 1.0, _PHASE_QUARTERS / 2)
    turning = np.exp(2j * np.pi * 4 * onset)
    sums = np.array([turning[np.abs(onset - knot) <= _PHASE_QUARTERS].sum() for knot in knots])
    overall = turning.sum() / max(len(onset), 1)
    angles = np.unwrap(np.angle(sums + 4 * overall + 1e-9))
    return knots, angles / (2 * np.pi * 4)


def _barlines(at: Floats, track: Track) -> tuple[float, Floats]:
    """Length of a measure in quarter notes, and where barlines lie: where long and low notes start.

    Four or three beats a measure, whichever tells more beats apart; the count may start anew at some cost.
    """
    count = int(at.max()) + 2
    weight = np.minimum(track.length, 4.0) * (1.0 + 0.05 * np.maximum(60 - track.pitch, 0))
    beats = np.rint(at).astype(np.int64)
    on = (np.abs(at - beats) < 0.1) & (beats >= 0)
    heavy = np.bincount(beats[on], weight[on], count)[:count]
    heavy = np.minimum(heavy, np.quantile(heavy, 0.95) + 1e-9)
    told = {}
    for size in (4, 3):
        sums = np.array([heavy[k::size].mean() for k in range(size)])
        told[size] = (sums.max() - sums.mean()) / (heavy.std() + 1e-9)
    size = 3 if told[3] > 1.3 * told[4] else 4
    return float(size), _counted(heavy - heavy.mean(), size)


def _counted(heavy: Floats, size: int) -> Floats:
    """Beats on which measures of `size` beats start, by a search that may lose count at some cost."""
    cost = 8.0 * heavy.std() + 1e-9
    best, came = np.zeros(size), np.zeros((len(heavy), size), np.int64)
    for i, gain in enumerate(heavy):
        moved = np.roll(best, 1)  # state: beat of the measure
        jumped = best.max() - cost
        came[i] = np.where(moved >= jumped, (np.arange(size) - 1) % size, int(best.argmax()))
        best = np.maximum(moved, jumped)
        best[0] += gain
    state = int(best.argmax())
    found = []
    for i in range(len(heavy) - 1, -1, -1):
        if state == 0:
            found.append(i)
        state = int(came[i, state])
    return np.array(found[::-1] or [0], float)
