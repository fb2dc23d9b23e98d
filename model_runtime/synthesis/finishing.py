"""From a synthesiser's raw sound to what a musician gets: the tail kept, the rest cut, the loudness as asked."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from model_runtime.engines.base import Context
from model_runtime.errors import InvalidValue
from model_runtime.modality import Audio, FloatArray
from model_runtime.options import Options
from model_runtime.synthesis.loudness import LoudnessMeter
from model_runtime.synthesis.temporary_audio import TemporaryFrames

CHANNELS = 2
LONGEST_TAIL_S = 10.0
DECAYED = 10 ** (-60 / 20)  # of the peak
PEAK_LIMIT_DBFS = -1.0
FADE_S = 0.01
CUT_TAIL_FADE_S = 0.5  # where the tail was still sounding at `LONGEST_TAIL_S`
SILENCE_S = 1.0  # length of a performance without notes
LONGEST_PERFORMANCE_S = 6 * 3600.0


class Tail:
    """Watches raw sound and says when what rings after the end has decayed by 60 dB.

    Args:
        end_frame: Where the last note and controller end.
        sample_rate: In Hz.
    """

    def __init__(self, end_frame: int, sample_rate: int) -> None:
        self.end_frame = end_frame
        self.last_possible_frame = end_frame + round(LONGEST_TAIL_S * sample_rate)
        self.frames = 0
        self.last_audible_frame = 0
        self._peak = 0.0

    def add(self, block: FloatArray) -> bool:
        """Take the next block; whether the sound has ended within it."""
        level = np.max(np.abs(block), axis=1) if len(block) else np.zeros(0, np.float32)
        self._peak = max(self._peak, float(level.max(initial=0.0)))
        audible = np.flatnonzero(level > self._peak * DECAYED)
        if audible.size:
            self.last_audible_frame = self.frames + int(audible[-1]) + 1
        self.frames += len(block)
        if self.frames >= self.last_possible_frame:
            return True
        return self.frames >= self.end_frame + len(block) and audible.size == 0

    @property
    def kept_frames(self) -> int:
        """Frames that belong to the result."""
        return min(max(self.end_frame, self.last_audible_frame), self.last_possible_frame, self.frames)

    @property
    def was_cut(self) -> bool:
        """Whether it was still sounding at the longest tail."""
        return self.last_audible_frame >= self.last_possible_frame


def check_length(duration_s: float) -> None:
    """Refuse a performance that no disk should hold.

    Raises:
        InvalidValue: it lasts longer than six hours.
    """
    if duration_s > LONGEST_PERFORMANCE_S:
        raise InvalidValue(
            f"The performance lasts {duration_s / 3600:.1f} hours, more than the "
            f"{LONGEST_PERFORMANCE_S / 3600:.0f} that are rendered.",
            hint="Check its tempo, or render it in parts.",
        )


def silent_audio(duration_s: float, sample_rate: int) -> Audio:
    """Silence as long as the performance, or a second."""
    with TemporaryFrames(sample_rate, CHANNELS) as frames:
        total = round((duration_s or SILENCE_S) * sample_rate)
        for start in range(0, total, 1 << 18):
            frames.add(np.zeros((min(1 << 18, total - start), CHANNELS), np.float32))
        return frames.finish(frames=total, gain=1.0, fade_frames=0)


def finished_audio(raw: Iterable[FloatArray], duration_s: float, options: Options, context: Context) -> Audio:
    """Collect raw sound until its tail has decayed, and bring it to `options.loudness`.

    Args:
        raw: Blocks at `options.sample_rate`, shape (frames, 2), lasting at least `LONGEST_TAIL_S` beyond the end;
            they are not asked for beyond the tail.
        duration_s: When the last note and controller end.
    """
    sample_rate = options.sample_rate
    tail = Tail(math.ceil(duration_s * sample_rate), sample_rate)
    meter = LoudnessMeter(sample_rate, CHANNELS)
    unmeasured = np.zeros((0, CHANNELS), np.float32)  # silence after the end, until something sounds again
    with TemporaryFrames(sample_rate, CHANNELS) as frames:
        for block in raw:
            kept_before = tail.kept_frames
            frames.add(block)
            ended = tail.add(block)
            sure = tail.kept_frames - kept_before
            unmeasured = np.concatenate([unmeasured, block])
            meter.add(unmeasured[:sure])
            unmeasured = unmeasured[sure:]
            if ended:
                break
        fade_s = CUT_TAIL_FADE_S if tail.was_cut else FADE_S
        return frames.finish(
            frames=tail.kept_frames, gain=gain_to(meter, options, context), fade_frames=round(fade_s * sample_rate)
        )


def gain_to(meter: LoudnessMeter, options: Options, context: Context) -> float:
    """What brings the measured sound to `options.loudness` without its peak passing -1 dBFS; warns if it cannot."""
    loudness = meter.integrated()
    if not math.isfinite(loudness) or meter.true_peak == 0:
        return 1.0
    wanted_db = options.loudness - loudness
    allowed_db = PEAK_LIMIT_DBFS - 20 * math.log10(max(meter.true_peak, meter.peak))
    if wanted_db > allowed_db:
        context.warn(
            f"The sound is {loudness + allowed_db:.1f} LUFS instead of {options.loudness:.1f}: "
            "louder, its peaks would distort."
        )
    return float(10 ** (min(wanted_db, allowed_db) / 20))
