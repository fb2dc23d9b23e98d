"""A job that waits or runs, and how what became of it is said."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.access import Refused
from bridge.journal import Entry
from bridge.worker_process import Worker
from protocol.messages import (
    BytesSource,
    Cancelled,
    Done,
    Failed,
    LiveHeardSource,
    NotesSource,
    PathSource,
    State,
    Submit,
)

DISK_FULL = ("disk_full", "There is no room on the disk for this job.", "Free some space, then send the job again.")
RESTARTED = Failed(
    job="-",
    code="restarted",
    message="ScoreBridge ended before this job was done.",
    hint="Send the job again under a new id.",
)


@dataclass(eq=False)
class Job:
    """A job that waits or runs.

    Attributes:
        entry: What the journal holds of it.
        client: Whose turn it takes.
        source: The file to read; None where the client named a path, which is looked at again when the job starts.
        worker: The process that does it, once it runs.
        ended: Whether it has had its end; the worker may still be about to.
    """

    submit: Submit
    entry: Entry
    client: str
    source: Path | None
    state: State
    received_s: float = field(default_factory=time.monotonic)
    started_s: float = 0.0
    worker: Worker | None = None
    lease: asyncio.TimerHandle | None = None
    ended: bool = False


def unknown_job(job_id: str) -> Refused:
    """The refusal of a question about a job that nobody knows."""
    return Refused(
        "unknown_job", f"There is no job {job_id[:128]!r}.", "It was never accepted, or it is too old to be remembered."
    )


def ended_state(state: State, end: Done | Failed | Cancelled) -> State:
    fields = end.model_dump(exclude={"job"})
    phase = "done" if isinstance(end, Done) else "failed" if isinstance(end, Failed) else "cancelled"
    code = {"code": "cancelled"} if isinstance(end, Cancelled) else {}
    return State.model_validate({**state.model_dump(), "position": 0, **code, **fields, "phase": phase})


def clip_of(source: PathSource | BytesSource | NotesSource | LiveHeardSource) -> dict[str, Any] | None:
    if isinstance(source, NotesSource | LiveHeardSource) or (
        source.offset,
        source.duration,
        source.playrate,
        source.reverse,
    ) == (
        0.0,
        None,
        1.0,
        False,
    ):
        return None
    return {
        "offset_s": source.offset,
        "duration_s": source.duration,
        "playrate": source.playrate,
        "reverse": source.reverse,
    }


def digest_of(submit: Submit, content: bytes | None) -> str:
    """What two submits of one job have in common: source, targets and options, not the lease."""
    source = submit.source.model_dump(mode="json", exclude={"data"})
    parts = json.dumps([source, submit.target, submit.options], sort_keys=True)
    digest = hashlib.sha256(parts.encode())
    digest.update(hashlib.sha256(content or b"").digest())
    return digest.hexdigest()


def refused_write(error: OSError) -> Refused:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Refused(*DISK_FULL)
    return Refused(
        "storage", f"The folder for results cannot be written: {error.strerror}.", "Look at its permissions."
    )
