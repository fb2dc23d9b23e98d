"""The folders of jobs: where they work, and where their results lie.

A result is made under `work` and moved to `results` as a whole, so that no half of it is ever seen there.
"""

from __future__ import annotations

import re
import shutil
import unicodedata
import uuid
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from protocol.messages import Artefact

STEM_BYTES = 120  # file names hold 255 bytes; a page number and an ending follow


class Store:
    """Folders of jobs.

    Args:
        work: Folder for what is being made.
        results: Folder for what is finished; on the same file system.
    """

    def __init__(self, work: Path, results: Path) -> None:
        self.work = work
        self.results = results

    def prepare(self) -> None:
        """Make the folders, and remove what an earlier daemon left unfinished."""
        shutil.rmtree(self.work, ignore_errors=True)
        for folder in (self.work, self.results):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def new_name(self) -> str:
        """A name for a job's folder: a job's own id may differ from another's in case alone."""
        return uuid.uuid4().hex

    def make(self, folder: str) -> Path:
        """Make a job's work folder with its folder for results; returns the latter."""
        out = self.work / folder / "out"
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        return out

    def save_source(self, folder: str, format: str, content: bytes) -> Path:
        """Write what a client sent into the job's work folder.

        Raises:
            OSError: there is no room; nothing is left.
        """
        path = self.work / folder / f"source.{format}"
        try:
            path.write_bytes(content)
        except OSError:
            self.discard(folder)
            raise
        return path

    def publish(self, folder: str, files: Sequence[dict[str, Any]]) -> list[Artefact]:
        """Move a finished result to where results lie.

        Args:
            files: What the worker made: name within the result folder, format, size and SHA-256 of each.

        Raises:
            OSError: it cannot be moved.
            ValueError: a name leads out of the folder.
        """
        target = self.results / folder
        artefacts = [Artefact(path=str(target / _within(file["name"])), **file) for file in files]
        (self.work / folder / "out").rename(target)
        return artefacts

    def discard(self, folder: str) -> None:
        """Remove a job's work folder."""
        shutil.rmtree(self.work / folder, ignore_errors=True)

    def remove(self, folder: str) -> None:
        """Remove a result."""
        shutil.rmtree(self.results / folder, ignore_errors=True)

    def folders(self) -> list[str]:
        """Names of all result folders."""
        return [entry.name for entry in self.results.iterdir() if entry.is_dir()]


def stem_of(name: str) -> str:
    """A file name's stem for the result, without what file systems stumble over; "result" where none is left."""
    stem = PureWindowsPath(PurePosixPath(name).name).stem
    kept = "".join(c for c in unicodedata.normalize("NFC", stem) if unicodedata.category(c)[0] != "C")
    kept = re.sub(r'[<>:"/\\|?*]', "_", kept).strip(" .")
    return kept.encode()[:STEM_BYTES].decode("utf-8", "ignore").rstrip(" .") or "result"


def _within(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise ValueError(f"a result called {name!r}")
    return name
