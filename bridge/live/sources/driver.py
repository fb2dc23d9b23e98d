"""Sound that a driver's own thread hands over, block by block."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from queue import Empty, SimpleQueue

import numpy as np

from bridge.live.sources.base import Counts, FloatArray, Item
from bridge.live.sources.stream import Stream


class DriverSource(ABC):
    """What the sources have in common that a driver calls: it puts blocks, the session reads them."""

    sample_rate: int

    def __init__(self) -> None:
        self.counts = Counts()
        self._queue: SimpleQueue[tuple[FloatArray, float]] = SimpleQueue()

    def _runs_at(self, sample_rate: int) -> None:
        """The driver runs; its rate in Hz is known now."""
        self.sample_rate = sample_rate
        self._stream = Stream(sample_rate, self.counts)

    def _put(self, samples: FloatArray) -> None:
        """A block, mono, from the driver's thread: nothing here may wait."""
        self._queue.put((samples, time.monotonic()))

    @abstractmethod
    def _check(self) -> None:
        """Whether the driver is still there; asked when nothing came.

        Raises:
            SourceUnavailable: it is not.
        """

    def read(self, timeout_s: float) -> list[Item]:
        items: list[Item] = []
        with contextlib.suppress(Empty):
            while True:
                samples, arrival_s = self._queue.get(timeout=timeout_s) if not items else self._queue.get_nowait()
                self.counts.packets += 1
                items += self._stream.take(np.ascontiguousarray(samples), arrival_s)
        if not items:
            self._check()
            items += self._stream.pause(time.monotonic())
        return items

    @property
    def receiving(self) -> bool:
        return self._stream.receiving(time.monotonic())

    @property
    def drift_ppm(self) -> float | None:
        return self._stream.drift_ppm
