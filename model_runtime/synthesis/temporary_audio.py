"""Sound that lies in a temporary file, so that an hour of it needs no memory."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from model_runtime.modality import Audio, FloatArray


class TemporaryAudio(Audio):
    """Float32 frames in a file of its own, which goes when this value goes.

    Args:
        path: Raw little-endian float32, channels interleaved; the value owns it from now on.
        sample_rate: In Hz.
        channels: Samples per frame.
        gain: What every sample is multiplied with when it is read.
        fade_frames: Length of a fade-out at the end.
    """

    def __init__(self, path: Path, sample_rate: int, channels: int, *, gain: float = 1.0, fade_frames: int = 0) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.frames = path.stat().st_size // (4 * channels)
        self.playrate = 1.0
        self._path = path
        self._gain = np.float32(gain)
        self._fade_frames = min(fade_frames, self.frames)
        weakref.finalize(self, path.unlink, missing_ok=True)

    def blocks(self, block_frames: int = 1 << 16) -> Iterator[FloatArray]:
        done = 0
        with self._path.open("rb") as file:
            while raw := file.read(4 * self.channels * block_frames):
                block = np.frombuffer(raw, "<f4").reshape(-1, self.channels) * self._gain
                self._fade(block, done)
                done += len(block)
                yield block

    def _fade(self, block: FloatArray, first_frame: int) -> None:
        fade_start = self.frames - self._fade_frames
        if first_frame + len(block) <= fade_start:
            return
        frames = np.arange(first_frame, first_frame + len(block))
        level = np.clip((self.frames - frames) / max(self._fade_frames, 1), 0.0, 1.0).astype(np.float32)
        block *= level[:, None]


class TemporaryFrames:
    """Collects frames in a temporary file; leaving the block without `finish` removes it."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        handle, name = tempfile.mkstemp(prefix="scorebridge-", suffix=".f32")
        self._path = Path(name)
        self._file = os.fdopen(handle, "wb")
        self._finished = False

    def __enter__(self) -> TemporaryFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if not self._finished:
            self._path.unlink(missing_ok=True)

    def add(self, block: FloatArray) -> None:
        """Append frames, shape (frames, channels)."""
        self._file.write(np.ascontiguousarray(block, "<f4").tobytes())

    def finish(self, *, frames: int, gain: float, fade_frames: int) -> TemporaryAudio:
        """The first `frames` of what was collected."""
        self._file.truncate(frames * 4 * self.channels)
        self._file.close()
        self._finished = True
        return TemporaryAudio(self._path, self.sample_rate, self.channels, gain=gain, fade_frames=fade_frames)
