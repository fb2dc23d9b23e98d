"""A WAV file that grows while it is recorded.

The sizes in its header are stale until the recording ends: 0, nonsense, or what was there when it was last written. So
the samples are read where they lie, as far as the file goes.
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bridge.live.sources.base import Block, Counts, FloatArray, Item, SourceEnded, SourceUnavailable, mixed
from model_runtime.errors import UnreadableFile
from protocol.live_places import RecordingSource as Wanted

POLL_S = 0.01
PAUSE_S = 1.0
HEADER_WAIT_S = 5.0
HEAD_BYTES = 1 << 14
UNKNOWN_SIZE = 0xFFFFFFFF
MOST_BYTES = 1 << 20  # of one look: what was recorded before is caught up with in steps
PCM, IEEE_FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


@dataclass(frozen=True)
class WavLayout:
    """Where a WAV's samples lie and what they are.

    Attributes:
        data_start: Byte at which they begin.
        declared_bytes: How many the header says there are.
    """

    sample_rate: int
    channels: int
    kind: int
    sample_bytes: int
    data_start: int
    declared_bytes: int

    @property
    def frame_bytes(self) -> int:
        """Of one sample of all channels."""
        return self.channels * self.sample_bytes


class RecordingSource:
    """Follows a recording.

    Args:
        wanted: Its path was checked.

    Raises:
        SourceUnavailable: it is not a WAV file, or does not become one.
    """

    drift_ppm = None

    def __init__(self, wanted: Wanted) -> None:
        self.counts = Counts()
        path = Path(wanted.path)
        self.name = f"recording: {path.name}"
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise SourceUnavailable(f"{path.name} cannot be read: {error.strerror}.") from error
        try:
            self._layout = self._waited_layout(path)
        except BaseException:
            self._file.close()
            raise
        self.sample_rate = self._layout.sample_rate
        self._place = self._layout.data_start
        if not wanted.from_start:
            self._place += self._whole_bytes()
        self._grew_s = time.monotonic()

    @property
    def receiving(self) -> bool:
        return time.monotonic() - self._grew_s < PAUSE_S

    def read(self, timeout_s: float) -> list[Item]:
        end_s = time.monotonic() + timeout_s
        while not (content := self._new_bytes()):
            if self._is_over():
                raise SourceEnded
            if time.monotonic() > end_s:
                return []
            time.sleep(POLL_S)
        self._grew_s = time.monotonic()
        self.counts.packets += 1
        return [Block(mixed(_samples(content, self._layout)), self._grew_s)]

    def close(self) -> None:
        self._file.close()

    def _waited_layout(self, path: Path) -> WavLayout:
        end_s = time.monotonic() + HEADER_WAIT_S
        while (layout := wav_layout(self._head(), path.name)) is None:
            if time.monotonic() > end_s:
                raise SourceUnavailable(f"{path.name} holds no sound yet.", hint="Start recording first.")
            time.sleep(POLL_S)
        return layout

    def _head(self) -> bytes:
        self._file.seek(0)
        return self._file.read(HEAD_BYTES)

    def _new_bytes(self) -> bytes:
        end = self._layout.data_start + self._whole_bytes()
        if end <= self._place:
            return b""
        self._file.seek(self._place)
        content = self._file.read(min(end - self._place, MOST_BYTES - MOST_BYTES % self._layout.frame_bytes))
        content = content[: len(content) - len(content) % self._layout.frame_bytes]
        self._place += len(content)
        return content

    def _whole_bytes(self) -> int:
        """Bytes of whole frames that are there. What follows the samples (cues, tags) comes when all is over."""
        there = max(0, os.fstat(self._file.fileno()).st_size - self._layout.data_start)
        closed = self._closed_layout()
        if closed is not None:
            there = min(there, closed.declared_bytes)
        return there - there % self._layout.frame_bytes

    def _is_over(self) -> bool:
        """Whether the recorder has closed the file and everything was read."""
        return time.monotonic() - self._grew_s > PAUSE_S and self._closed_layout() is not None

    def _closed_layout(self) -> WavLayout | None:
        """The layout where the header's sizes are those of the file: then nothing more is to come."""
        head = self._head()
        layout = wav_layout(head, self.name)
        if layout is None or layout.declared_bytes == 0:
            return None
        riff_bytes = struct.unpack_from("<I", head, 4)[0]
        if riff_bytes == UNKNOWN_SIZE and head[12:16] == b"ds64":
            riff_bytes = struct.unpack_from("<Q", head, 20)[0]
        size = os.fstat(self._file.fileno()).st_size
        return layout if 0 <= size - (riff_bytes + 8) <= 1 else None


def wav_layout(head: bytes, name: str) -> WavLayout | None:
    """What a WAV file's beginning says; None where it does not reach to the samples yet.

    Raises:
        SourceUnavailable: it is no WAV file.
        UnreadableFile: its samples are of a kind that is not followed.
    """
    if len(head) < 12:
        return None
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        raise SourceUnavailable(
            f"{name} is not a WAV file.", hint="Only WAV can be followed while it is recorded: choose it in REAPER."
        )
    place, format, long_size = 12, None, 0
    while place + 8 <= len(head):
        kind, size = struct.unpack_from("<4sI", head, place)
        body = head[place + 8 : place + 8 + size]
        if kind == b"fmt " and len(body) >= 16:
            format = body
        elif kind == b"ds64" and len(body) >= 16:
            long_size = struct.unpack_from("<Q", body, 8)[0]
        elif kind == b"data":
            return _layout(format, place + 8, long_size if size == UNKNOWN_SIZE else size, name)
        place += 8 + size + size % 2
    return None


def _layout(format: bytes | None, start: int, declared: int, name: str) -> WavLayout:
    if format is None:
        raise UnreadableFile(f"{name} does not say what its samples are.")
    kind, channels, sample_rate, _, _, bits = struct.unpack_from("<HHIIHH", format)
    if kind == EXTENSIBLE and len(format) >= 26:
        kind = struct.unpack_from("<H", format, 24)[0]
    if (kind, bits) not in ((PCM, 16), (PCM, 24), (PCM, 32), (IEEE_FLOAT, 32), (IEEE_FLOAT, 64)):
        raise UnreadableFile(
            f"The samples of {name} are of a kind that cannot be followed.", hint="Record WAV with 16, 24 or 32 bit."
        )
    if not 1 <= channels <= 64 or not 4_000 <= sample_rate <= 768_000:
        raise UnreadableFile(f"{name} has {channels} channels at {sample_rate} Hz, which cannot be.")
    return WavLayout(sample_rate, channels, kind, bits // 8, start, declared)


def _samples(content: bytes, layout: WavLayout) -> FloatArray:
    """Bytes → float32, shape (frames, channels)."""
    values: npt.NDArray[np.generic]
    if layout.kind == IEEE_FLOAT:
        values = np.nan_to_num(np.frombuffer(content, f"<f{layout.sample_bytes}").astype(np.float32))
    elif layout.sample_bytes == 3:
        padded = np.zeros((len(content) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
        values = (padded.view("<i4")[:, 0] / np.float32(1 << 31)).astype(np.float32)
    else:
        scale = np.float32(1 << (8 * layout.sample_bytes - 1))
        values = (np.frombuffer(content, f"<i{layout.sample_bytes}") / scale).astype(np.float32)
    return np.asarray(values, np.float32).reshape(-1, layout.channels)
