"""What lets an open page find the daemon again after a restart: the port, and the pages' tokens.

Tokens are kept as digests alone: who reads the file can open nothing with it. A page that was not seen for a day is
forgotten.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from pathlib import Path

log = logging.getLogger(__name__)

MOST_PAGES = 64
FORGOTTEN_S = 24 * 3600.0
NOTED_S = 600.0
"""How old the note of a page's last visit may become before it is written anew."""


class PageMemory:
    """The pages that may speak, and where the page was last served.

    Args:
        path: A file of the daemon's own; None: nothing outlives the daemon.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.port = 0
        """Where the page was served last; 0 where that is not known."""
        self._pages: dict[str, float] = {}  # digest → when it was last seen, in seconds since 1970
        if path is not None:
            self._read(path)

    def add(self, token: str) -> None:
        """A new page."""
        self._pages[_digest(token)] = time.time()
        while len(self._pages) > MOST_PAGES:
            del self._pages[min(self._pages, key=self._pages.__getitem__)]
        self._write()

    def knows(self, token: str) -> bool:
        """Whether it is the token of a page; notes that it was seen."""
        digest = _digest(token)  # comparing digests tells nothing of a token by the time it takes
        seen_s, now_s = self._pages.get(digest), time.time()
        if seen_s is None or now_s - seen_s > FORGOTTEN_S:
            return False
        if now_s - seen_s > NOTED_S:
            self._pages[digest] = now_s
            self._write()
        return True

    def serve_at(self, port: int) -> None:
        """Remember where the page is served."""
        if port != self.port:
            self.port = port
            self._write()

    def _read(self, path: Path) -> None:
        try:
            known = json.loads(path.read_bytes())
            port, pages = int(known["port"]), {str(digest): float(seen) for digest, seen in known["pages"].items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            log.warning("%s cannot be read: open pages have to be opened anew", path)
            return
        self.port = port if 0 < port < 65536 else 0
        self._pages = {digest: seen for digest, seen in pages.items() if time.time() - seen < FORGOTTEN_S}

    def _write(self) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")  # mode 0600
            with os.fdopen(number, "w", encoding="utf-8") as file:
                json.dump({"port": self.port, "pages": self._pages}, file)
            Path(name).replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
