"""Sound of a sender with a clock of its own, kept in step with it: lost blocks are filled, doubled ones left out."""

from __future__ import annotations

import numpy as np

from bridge.live.clock import SourceClock
from bridge.live.sources.base import Block, Counts, FloatArray

PAUSE_S = 0.5  # without a packet: from then on silence is heard in its place, so that what sounds comes to its end
LONGEST_REPEAT_S = 0.02  # a longer gap is filled with silence after it
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
        self._tail = np.zeros(0, np.float32)  # what was heard last, to fill a gap with
        self._recent: list[bytes] = []
        self._equal = 0.0  # share of blocks that equal a recent one

    def take(self, samples: FloatArray, arrival_s: float) -> list[Block]:
        """A block that came: the block, after what fills the gap before it; nothing where it is not wanted."""
        if self._is_doubled(samples):
            self._counts.doubled += 1
            return []
        judgement = self._clock.heard(len(samples), arrival_s)
        if judgement.late:
            self._counts.late += 1
            return []
        self._counts.lost = self._clock.lost_blocks
        blocks = [Block(self._filling(judgement.missing, samples), arrival_s)] if judgement.missing else []
        keep = int(LONGEST_REPEAT_S * self.sample_rate)
        self._tail = np.concatenate([self._tail, samples])[-keep:]
        return [*blocks, Block(samples, arrival_s)]

    def pause(self, now_s: float) -> list[Block]:
        """What is heard while nothing comes: silence, once that has lasted for `PAUSE_S`."""
        if self.receiving(now_s):
            return []
        self._tail = np.zeros(0, np.float32)
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

    def _filling(self, count: int, following: FloatArray) -> FloatArray:
        """Sound for a gap: what came before it backwards and fading out, what follows backwards and fading in.

        Both ends meet their neighbours without a step, which would be heard as an onset.
        """
        filling = np.zeros(count, np.float32)
        for sound, place in ((self._tail[::-1], filling), (following, filling[::-1])):
            length = min(len(sound), count, int(LONGEST_REPEAT_S * self.sample_rate))
            place[:length] += sound[:length] * np.cos(np.linspace(0, np.pi / 2, length, dtype=np.float32)) ** 2
        return filling

    def _is_doubled(self, samples: FloatArray) -> bool:
        if not len(samples) or samples.min() == samples.max():  # silence equals silence
            return False
        content = samples.tobytes()
        equal = content in self._recent
        self._recent = [*self._recent[1 - RECENT_BLOCKS :], content]
        self._equal += ((1.0 if equal else 0.0) - self._equal) / 32
        return equal and self._equal < DOUBLED_SHARE
