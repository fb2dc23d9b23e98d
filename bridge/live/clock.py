"""The clock of a source, as it shows in when its sound arrives: what was lost on the way, and how fast it runs.

ReaStream packets carry no number and no time. What is known is how much sound has come and when. A packet's *delay* is
its arrival minus the stream time of its end. Jitter only ever adds to it, so the smallest delay of a quarter of a
second tells where the stream stands: it rises by a packet's length for each packet that was lost, falls when too much
came, and drifts with the difference between the two clocks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

WINDOW_S = 0.25
REFERENCE_WINDOWS = 8  # two seconds: a drift of 100 ppm moves the delay by 0.2 ms in it
UNREST_FACTOR = 4.0  # a rise counts when it is so many times what the smallest delay changes by anyway
SLOW_BINS = 3  # what shows only in five seconds' smallest delays is compared with the fifteen before
LEAST_LOSS_S = 0.002  # below, it is jitter
LOSS_SHARE = 0.6  # of a block: from here on a rise is a lost block
LATE_S = 0.1  # sound that comes this much after its place was filled with silence is left out
DRIFT_BIN_S = 5.0
DRIFT_BINS = 120  # ten minutes
DRIFT_LEAST_S = 20.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to do before a block is taken.

    Attributes:
        missing: Samples that were lost: so many have to be put in its place.
        late: Whether its place was filled already, so that it is left out.
    """

    missing: int = 0
    late: bool = False


@dataclass
class SourceClock:
    """Keeps a stream in step with its sender.

    Args:
        sample_rate: Of the stream, in Hz.

    Attributes:
        position: Samples taken so far, what was put in for lost ones included.
        lost_blocks: How many blocks were judged lost.
        late_blocks: How many came too late.
    """

    sample_rate: int
    position: int = 0
    lost_blocks: int = 0
    late_blocks: int = 0
    last_arrival_s: float | None = None
    _window_end_s: float = 0.0
    _window_delay_s: float | None = None
    _delays: deque[float] = field(default_factory=lambda: deque(maxlen=REFERENCE_WINDOWS))
    _drift: Drift = field(default_factory=lambda: Drift())

    def heard(self, samples: int, arrival_s: float) -> Judgement:
        """Take a block of `samples` that came at `arrival_s` on this machine's steady clock."""
        self.last_arrival_s = arrival_s
        delay_s = arrival_s - (self.position + samples) / self.sample_rate
        if self._delays and delay_s < min(self._delays) - LATE_S:
            self.late_blocks += 1
            return Judgement(late=True)
        missing = self._missing(samples, arrival_s)
        self.position += missing + samples
        delay_s -= missing / self.sample_rate
        if self._window_delay_s is None or delay_s < self._window_delay_s:
            self._window_delay_s = delay_s
        return Judgement(missing)

    def silence(self, until_s: float) -> int:
        """Samples of silence that belong into a pause in which nothing came, up to `until_s`."""
        if not self._delays:
            return 0
        due = int((until_s - max(self._delays)) * self.sample_rate) - self.position
        if due <= 0:
            return 0
        self.position += due
        self._window_delay_s = None
        self._window_end_s = until_s + WINDOW_S
        return due

    @property
    def drift_ppm(self) -> float | None:
        """By how many parts in a million the source's clock is faster than this machine's; None: not yet known."""
        return self._drift.ppm

    def _missing(self, samples: int, arrival_s: float) -> int:
        """At the end of a window: what the rise of its delay says was lost."""
        if arrival_s < self._window_end_s:
            return 0
        delay_s, self._window_delay_s = self._window_delay_s, None
        self._window_end_s = arrival_s + WINDOW_S
        if delay_s is None:
            return 0
        least_s = max(LEAST_LOSS_S, LOSS_SHARE * samples / self.sample_rate)
        missing = self._lost(self._rise_s(delay_s), max(least_s, UNREST_FACTOR * self._unrest_s()), samples)
        delay_s -= missing / self.sample_rate
        if missing:
            self._delays.append(self._delays.pop() - missing / self.sample_rate)
        self._delays.append(delay_s)
        slow_rise_s = self._drift.add(arrival_s, delay_s)
        if not missing and slow_rise_s is not None:
            missing = self._lost(slow_rise_s, least_s, samples)
            self._delays = deque((d - missing / self.sample_rate for d in self._delays), REFERENCE_WINDOWS)
            self._drift.move_last(-missing / self.sample_rate)
        return missing

    def _rise_s(self, delay_s: float) -> float:
        """By how much two windows lie above those before: one alone may be a sender that had to wait for its turn."""
        if len(self._delays) < 2:
            return 0.0
        *before, last_s = self._delays
        return min(delay_s, last_s) - min(before)

    def _lost(self, rise_s: float, least_s: float, samples: int) -> int:
        """How many samples a rise of the delay stands for."""
        if rise_s <= least_s:
            return 0
        blocks = max(1, round(rise_s * self.sample_rate / samples))
        self.lost_blocks += blocks
        return blocks * samples

    def _unrest_s(self) -> float:
        """By how much the smallest delay changes from window to window, in the median: what jitter does to it."""
        changes = sorted(abs(after - before) for before, after in pairwise(self._delays))
        return changes[len(changes) // 2] if changes else 0.0


class Drift:
    """The slope of the smallest delays over up to ten minutes (Theil and Sen: the median of all pairs' slopes)."""

    def __init__(self) -> None:
        self._bins: deque[tuple[float, float]] = deque(maxlen=DRIFT_BINS)
        self._bin_end_s = 0.0
        self._best: tuple[float, float] | None = None
        self.ppm: float | None = None

    def add(self, time_s: float, delay_s: float) -> float | None:
        """Take a window's smallest delay; returns by how much the last bin's rose above those before, at its end."""
        rise_s = None
        if self._best is not None and time_s >= self._bin_end_s:
            if len(self._bins) >= SLOW_BINS:
                rise_s = self._best[1] - min(d for _, d in list(self._bins)[-SLOW_BINS:])
            self._bins.append(self._best)
            self._best = None
            self._measure()
        if self._best is None:
            self._bin_end_s = time_s + DRIFT_BIN_S
        if self._best is None or delay_s < self._best[1]:
            self._best = (time_s, delay_s)
        return rise_s

    def move_last(self, by_s: float) -> None:
        """What the last bin held was no drift."""
        time_s, delay_s = self._bins.pop()
        self._bins.append((time_s, delay_s + by_s))

    def _measure(self) -> None:
        bins = list(self._bins)
        if len(bins) < 3 or bins[-1][0] - bins[0][0] < DRIFT_LEAST_S:
            return
        half = len(bins) // 2  # pairs that lie far apart: near ones say more about jitter than about drift
        slopes = sorted((d1 - d0) / (t1 - t0) for (t0, d0), (t1, d1) in zip(bins, bins[half:], strict=False))
        self.ppm = -1e6 * slopes[len(slopes) // 2]
