"""What every message's content has in common."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

TargetFormat = Literal["mid", "musicxml", "mxl", "wav", "flac", "png", "svg", "pdf", "notes", "events"]
JobId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]


def new_id() -> str:
    """A fresh identifier for a message, a job or a live session."""
    return str(uuid.uuid4())


class Content(BaseModel):
    """Base of all contents: unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")


class Artefact(Content):
    """A file that a job made.

    Attributes:
        name: File name within the job.
        path: Absolute path on the daemon's machine.
        sha256: Of its content, hexadecimal.
    """

    name: str
    format: str
    path: str
    size: int
    sha256: str
