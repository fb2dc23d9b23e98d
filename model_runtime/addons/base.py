"""What all add-ons have in common: they appear whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from model_runtime.addons.folder import data_folder
from model_runtime.errors import EngineUnavailable

Progress = Callable[[str, float, float], None]
"""Called as (stage, megabytes so far, megabytes expected) about every half second; may raise to stop."""

_RECORD = "addon.json"


class AddOn(ABC):
    """Something that can be fetched into the user's data folder.

    Attributes:
        name: What a user types to install it.
        version: Of what is installed; another one counts as not installed.
        summary: What it brings and how large it is, in a sentence.
        licence: Its SPDX identifier, and whose it is.
        size_mb: Space that it takes, in megabytes.
    """

    name: str
    version: str
    summary: str
    licence: str
    size_mb: float

    @property
    def folder(self) -> Path:
        """Where it lies once it is installed."""
        return data_folder() / self.name

    def installed(self) -> bool:
        """Whether this version is there; looks at one small file."""
        try:
            record = json.loads((self.folder / _RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(record.get("version") == self.version)

    def install(self, progress: Progress | None = None) -> None:
        """Fetch it; what was there before stays until the new one is whole.

        Raises:
            EngineUnavailable: no network, no pip, no space, or the download is not what it should be.
        """
        try:
            data_folder().mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{self.name}-", dir=data_folder()) as scratch:
                fresh = Path(scratch) / "new"
                fresh.mkdir()
                self._fetch(fresh, Path(scratch), progress or _silent)
                record = {"name": self.name, "version": self.version, "licence": self.licence}
                (fresh / _RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
                if self.folder.exists():
                    self.folder.rename(Path(scratch) / "old")
                fresh.rename(self.folder)
        except OSError as error:
            raise EngineUnavailable(
                f"The add-on {self.name} could not be written: {error.strerror or error}.",
                hint=f"It needs {self.size_mb:.0f} MB in {data_folder()}.",
            ) from error

    def remove(self) -> None:
        """Delete it; nothing happens where it is not installed."""
        if not self.folder.exists():
            return
        with tempfile.TemporaryDirectory(prefix=f".{self.name}-", dir=data_folder()) as scratch:
            self.folder.rename(Path(scratch) / "old")  # gone at once, also for who looks while it is being deleted
            shutil.rmtree(Path(scratch) / "old", ignore_errors=True)

    @abstractmethod
    def _fetch(self, folder: Path, scratch: Path, progress: Progress) -> None:
        """Fill `folder`, which is empty; `scratch` is for what is needed on the way."""


def _silent(stage: str, current: float, total: float) -> None:
    """Progress that nobody wants to see."""
