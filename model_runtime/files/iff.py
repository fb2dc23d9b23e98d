"""The headers of WAV and AIFF files: checked, and mended for a WAV that is still being recorded."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

from model_runtime.errors import UnreadableFile

UNKNOWN_SIZES_FROM = 0x7FFFF000  # what programs write that do not know the length yet: 0x7FFFFFFF, 0x80000000, 0xFFFF…
_HEADER_BYTES = 1 << 16


@dataclass(frozen=True)
class _Layout:
    """Where a WAV file's format and samples lie."""

    order: str
    sample_rate: int
    frame_bytes: int
    data_start: int
    data_size: int


def mended(path: Path) -> io.RawIOBase | None:
    """A view of a WAV file whose header is mended, or None where the file needs none.

    Raises:
        UnreadableFile: the header says 0 Hz, or promises more sound than there is.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if head[:4] == b"FORM" and int.from_bytes(head[4:8]) + 8 > size:
        raise _truncated(size, int.from_bytes(head[4:8]) + 8)
    if head[:4] not in (b"RIFF", b"RIFX") or head[8:12] != b"WAVE":
        return None  # RF64 keeps its sizes elsewhere, and libsndfile knows
    layout = _layout(head)
    if layout is None:
        return None
    if layout.sample_rate == 0:
        raise UnreadableFile("The recording's sample rate is 0 Hz.")
    available = size - layout.data_start
    unknown = layout.data_size >= UNKNOWN_SIZES_FROM or (layout.data_size == 0 and available > 0)
    if layout.data_size > available and not unknown:
        raise _truncated(available, layout.data_size)
    if not unknown:
        return None
    whole = available - available % max(1, layout.frame_bytes)
    return _MendedWav(path, layout, whole)


def _truncated(there: int, promised: int) -> UnreadableFile:
    return UnreadableFile(
        f"The recording is truncated: {there / 1e6:.1f} of {promised / 1e6:.1f} MB are there.",
        hint="Copy or export it again.",
    )


def _layout(head: bytes) -> _Layout | None:
    order = "<" if head[:4] == b"RIFF" else ">"
    position, sample_rate, frame_bytes = 12, None, 0
    while position + 8 <= len(head):
        name, size = head[position : position + 4], struct.unpack_from(order + "I", head, position + 4)[0]
        if name == b"fmt " and position + 24 <= len(head):
            sample_rate = struct.unpack_from(order + "I", head, position + 12)[0]
            frame_bytes = struct.unpack_from(order + "H", head, position + 20)[0]
        if name == b"data":
            return None if sample_rate is None else _Layout(order, sample_rate, frame_bytes, position + 8, size)
        position += 8 + size + size % 2
    return None


class _MendedWav(io.RawIOBase):
    """Reads a WAV file as if its header told the true length."""

    def __init__(self, path: Path, layout: _Layout, data_bytes: int) -> None:
        super().__init__()
        self._file = path.open("rb")
        header = bytearray(self._file.read(layout.data_start))
        struct.pack_into(layout.order + "I", header, 4, min(layout.data_start + data_bytes - 8, 0xFFFFFFFF))
        struct.pack_into(layout.order + "I", header, layout.data_start - 4, min(data_bytes, 0xFFFFFFFF))
        self._header = bytes(header)
        self._size = layout.data_start + data_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = max(0, min(len(view), self._size - self._position))
        from_header = self._header[self._position : self._position + count]
        view[: len(from_header)] = from_header
        if len(from_header) < count:
            self._file.seek(self._position + len(from_header))
            rest = self._file.read(count - len(from_header))
            view[len(from_header) : len(from_header) + len(rest)] = rest
            count = len(from_header) + len(rest)
        self._position += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
