"""Sound of a sender with a clock of its own, kept in step with it: what was lost is counted, what came twice left out.

What was lost is not made up: that it was lost shows only when it is over, and filling the gap then would wound the
sound once more. The gap is told instead, so that times stay right.
"""

from __future__ import annotations

import numpy as np

from bridge.live.clock import SourceClock
from bridge.live.sources.base import Block, Counts, FloatArray

PAUSE_S = 0.5  # without a packet: from then on silence is heard in its place, so that what sounds comes to its end
RECENT_BLOCKS = 8
DOUBLED_SHARE = 0.5  # more than so many equal blocks are no doubled packets but a steady tone


class Stream:
    """Puts blocks in step.

    Args:
        sample_rate: In Hz.
        counts: Where lost, late and doubled blocks are counted.
    """

    def __init__(self, sample_rate: int, counts: Counts) -> None:
        self.sample_rate = sample_rate
        self._counts = counts
        self._clock = SourceClock(sample_rate)
        self._recent: list[bytes] = []
        self._equal = 0.0  # share of blocks that equal a recent one

    def take(self, samples: FloatArray, arrival_s: float) -> list[Block]:
        """A block that came, which says how much is missing before it; nothing where it is not wanted."""
        if self._is_doubled(samples):
            self._counts.doubled += 1
            return []
        judgement = self._clock.heard(len(samples), arrival_s)
        if judgement.late:
            self._counts.late += 1
            return []
        self._counts.lost = self._clock.lost_blocks
        return [Block(samples, arrival_s, skipped=judgement.missing)]

    def pause(self, now_s: float) -> list[Block]:
        """What is heard while nothing comes: silence, once that has lasted for `PAUSE_S`."""
        if self.receiving(now_s):
            return []
        missing = self._clock.silence(now_s)
        return [Block(np.zeros(missing, np.float32), now_s)] if missing else []

    def receiving(self, now_s: float) -> bool:
        """Whether something came lately."""
        last_s = self._clock.last_arrival_s
        return last_s is not None and now_s - last_s < PAUSE_S

    @property
    def drift_ppm(self) -> float | None:
        """See `SourceClock.drift_ppm`."""
        return self._clock.drift_ppm

    def _is_doubled(self, samples: FloatArray) -> bool:
        if not len(samples) or samples.min() == samples.max():  # silence equals silence
            return False
        content = samples.tobytes()
        equal = content in self._recent
        self._recent = [*self._recent[1 - RECENT_BLOCKS :], content]
        self._equal += ((1.0 if equal else 0.0) - self._equal) / 32
        return equal and self._equal < DOUBLED_SHARE
