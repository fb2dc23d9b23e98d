"""Files that were sent over HTTP before the job that they belong to."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bridge.doors.http_guard import HttpError

KEEP_S = 600.0
MAX_UPLOADS = 32


@dataclass(frozen=True)
class _Upload:
    path: Path
    size: int
    end_s: float


class Uploads:
    """Keeps uploads in a folder of their own until they are taken, for ten minutes at most.

    Args:
        max_bytes: Of all uploads together.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._uploads: OrderedDict[str, _Upload] = OrderedDict()
        self._arriving = 0

    async def store(self, body: AsyncIterator[bytes]) -> str:
        """Write a body to disk as it comes in; returns what it is fetched by.

        Raises:
            HttpError: it is empty, or there is no room.
        """
        self._sweep()
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="scorebridge-")  # mode 0700
        name = secrets.token_hex(16)
        path = Path(self._folder.name) / name
        size = 0
        try:
            with path.open("wb") as file:
                async for chunk in body:
                    size += len(chunk)
                    self._arriving += len(chunk)
                    self._check_room()
                    await asyncio.to_thread(file.write, chunk)
            if not size:
                raise HttpError(400, "unreadable_file", "The file is empty.")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            self._arriving -= size
        self._uploads[name] = _Upload(path, size, time.monotonic() + KEEP_S)
        return name

    async def take(self, name: str) -> bytes:
        """An upload's content; it is removed.

        Raises:
            HttpError: there is none of that name.
        """
        self._sweep()
        upload = self._uploads.pop(name, None)
        if upload is None:
            raise HttpError(404, "unknown_upload", "The uploaded file is not there any more.", "Upload it again.")
        try:
            return await asyncio.to_thread(upload.path.read_bytes)
        finally:
            upload.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove all of them."""
        self._uploads.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _check_room(self) -> None:
        if self._arriving + sum(upload.size for upload in self._uploads.values()) > self._max_bytes:
            raise HttpError(413, "too_large", "There is no room for this file.", "Send large files by their path.")

    def _sweep(self) -> None:
        now_s = time.monotonic()
        for name, upload in list(self._uploads.items()):
            if upload.end_s < now_s or len(self._uploads) >= MAX_UPLOADS:
                upload.path.unlink(missing_ok=True)
                del self._uploads[name]
