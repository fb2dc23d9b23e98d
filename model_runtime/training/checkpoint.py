"""A run's checkpoint on disk: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


def write_checkpoint(state: dict[str, Any], folder: Path) -> None:
    """Write `checkpoint.pt` beside the old one, then take its place: a run that is killed meanwhile keeps the old."""
    temporary = folder / "checkpoint.partial"
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / "checkpoint.pt")
