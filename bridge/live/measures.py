"""What a session measures of itself: how loud it is, and how long a note takes."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from bridge.live.sources.base import Block

LATENCY_WINDOW_S = 60.0
MOST_LATENCIES = 2000
KEPT_ARRIVALS_S = 10.0
SILENCE_DB = -120.0


class Level:
    """Loudness of what came since it was last read."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._squares = 0.0
        self._count = 0
        self._peak = 0.0

    def add(self, block: Block) -> None:
        """Sound that came."""
        if len(block.samples):
            self._squares += float(np.dot(block.samples, block.samples))
            self._peak = max(self._peak, float(np.abs(block.samples).max()))
            self._count += len(block.samples)

    def read(self) -> tuple[float, float]:
        """Root mean square and peak in dB below full scale; begins anew."""
        mean = self._squares / self._count if self._count else 0.0
        found = (decibels(math.sqrt(mean)), decibels(self._peak))
        self._begin()
        return found


def decibels(amplitude: float) -> float:
    """An amplitude in dB below full scale, not below `SILENCE_DB`."""
    return max(SILENCE_DB, round(20 * math.log10(amplitude), 1)) if amplitude > 0 else SILENCE_DB


class Latency:
    """From the arrival of the sound that holds an onset to the word about it."""

    def __init__(self) -> None:
        self._arrivals: deque[tuple[float, float]] = deque()  # (end of a block on the source's clock, its arrival)
        self._measured: deque[tuple[float, float]] = deque(maxlen=MOST_LATENCIES)  # (when, how long)

    def arrived(self, end_s: float, arrival_s: float) -> None:
        """A block that ends at `end_s` on the source's clock came."""
        self._arrivals.append((end_s, arrival_s))
        while self._arrivals[0][0] < end_s - KEPT_ARRIVALS_S:
            self._arrivals.popleft()

    def told(self, onset_s: float, now_s: float) -> float | None:
        """A note with this onset is told of now; returns how long that took, None where its sound is forgotten."""
        arrival_s = None
        for end_s, came_s in reversed(self._arrivals):
            if end_s <= onset_s:
                break
            arrival_s = came_s
        if arrival_s is None:
            return None
        self._measured.append((now_s, now_s - arrival_s))
        return now_s - arrival_s

    def summary(self, now_s: float) -> tuple[float | None, float | None]:
        """Median and 95th percentile of the last minute; None where no note came in it."""
        while self._measured and self._measured[0][0] < now_s - LATENCY_WINDOW_S:
            self._measured.popleft()
        lengths = sorted(length for _, length in self._measured)
        if not lengths:
            return None, None
        return lengths[len(lengths) // 2], lengths[min(len(lengths) - 1, int(0.95 * len(lengths)))]
