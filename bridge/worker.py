"""The worker process: reads a task, translates, tells how it went. Started by `bridge.worker_process`, never by hand.

`python -m bridge.worker FD` talks over the socket FD (`bridge.channel`). Messages to it: a task (see `Task`), or
`{"about": true}`. Messages from it: `about`, `started`, `progress`, `partial`, `done`, `failed`.

It opens files that nobody has vouched for, with native decoders: if one of them brings the process down, one job fails
and nothing else. It ends when the daemon ends.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from bridge.channel import ChannelBroken, pack, receive

if TYPE_CHECKING:
    from model_runtime.modality import Value

PROGRESS_INTERVAL_S = 0.05
PARTIAL_NOTES = 20_000
LEAST_FREE_BYTES = 256 << 10


class Task(TypedDict):
    """One translation: what `model_runtime.translation.translate_files` is called with.

    `scratch` is a folder for temporary files; `clip` holds the fields of `model_runtime.modality.Clip`.
    """

    job: str
    source: str
    format: str | None
    identity: list[int] | None
    clip: dict[str, Any] | None
    targets: list[str]
    options: dict[str, Any]
    folder: str
    scratch: str
    stem: str


class Reporter:
    """Sends messages to the daemon; progress at most every `PROGRESS_INTERVAL_S`, and the last one always."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._waiting: dict[str, Any] | None = None
        self._last_s = 0.0
        self._wake = threading.Event()
        threading.Thread(target=self._send_waiting, name="progress", daemon=True).start()

    def send(self, message: dict[str, Any]) -> None:
        """Send at once, after the progress that still waits."""
        with self._sending:
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                self._connection.sendall(pack(waiting))
            self._connection.sendall(pack(message))

    def progress(self, stage: str, current: float, total: float) -> None:
        """Send, or keep until the interval is over; a newer one takes the place of one that waits."""
        message = {"type": "progress", "stage": stage, "current": float(current), "total": float(total)}
        now = time.monotonic()
        with self._sending:
            if now - self._last_s >= PROGRESS_INTERVAL_S:
                self._last_s = now
                self._waiting = None
                self._connection.sendall(pack(message))
                return
            self._waiting = message
        self._wake.set()

    def _send_waiting(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            # Others may send while this thread sleeps: then it has to wait for longer.
            while (early_s := self._last_s + PROGRESS_INTERVAL_S - time.monotonic()) > 0:
                time.sleep(early_s)
            with self._sending, contextlib.suppress(OSError):
                waiting, self._waiting = self._waiting, None
                if waiting is not None:
                    self._last_s = time.monotonic()
                    self._connection.sendall(pack(waiting))


def main() -> None:
    """Serve tasks until the daemon closes the connection."""
    _end_with_parent(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    connection = socket.socket(fileno=int(sys.argv[1]))
    reporter = Reporter(connection)
    import_module("model_runtime.translation")  # what every job needs; engines load what they need themselves
    reporter.send({"type": "about", **_about()})
    for message in _messages(connection):
        if message.get("about"):
            reporter.send({"type": "about", **_about()})
        else:
            reporter.send({"type": "started"})
            reporter.send(_outcome(message, reporter))  # type: ignore[arg-type]


def _messages(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """Messages of the daemon, read in a thread of their own so that its end is seen in the middle of a job."""
    from queue import SimpleQueue

    arrived: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def read() -> None:
        with contextlib.suppress(ChannelBroken):
            while True:
                arrived.put(receive(connection))
        _end_group()

    threading.Thread(target=read, name="commands", daemon=True).start()
    while True:
        yield arrived.get()


def _end_group() -> None:
    """End this process and those that engines have started: they share its process group."""
    if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _end_with_parent(parent: int) -> None:
    """Ask Linux to end this process with the daemon, even while native code keeps Python from seeing it."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)
        if parent and os.getppid() != parent:
            os._exit(0)
        # Where memory runs out, the system takes a worker before the daemon or the musician's own programs.
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")


def _about() -> dict[str, Any]:
    """What can be translated here, in the fields of `protocol.messages.Welcome`."""
    from model_runtime.options import Options
    from model_runtime.router import Router

    directions = []
    for found in Router().directions():
        engines = [
            {
                "name": state.engine.name,
                "summary": state.engine.summary,
                "ready": state.availability.ready,
                "reason": state.availability.reason,
                "hint": state.availability.hint,
                "quality": state.engine.quality,
                "measurements": [
                    {"metric": m.metric, "data": m.data, "value": m.value, "command": m.command}
                    for m in state.engine.measurements
                ],
            }
            for state in found.engines
        ]
        directions.append(
            {
                "source": str(found.source),
                "target": str(found.target),
                "ready": found.ready,
                "engines": engines,
                "chain": list(found.chain),
                "reason": found.reason,
                "hint": found.hint,
            }
        )
    return {"directions": directions, "options": Options.model_json_schema(), "formats": _formats()}


def _formats() -> dict[str, dict[str, list[str]]]:
    from model_runtime.files.formats import readable_formats, writable_formats
    from model_runtime.modality import Modality

    return {
        str(modality): {"read": readable_formats(modality), "write": writable_formats(modality)}
        for modality in Modality
    }


def _outcome(task: Task, reporter: Reporter) -> dict[str, Any]:
    """Do the task; every way in which it can go wrong becomes a `failed` message."""
    from model_runtime.errors import MusicError

    try:
        return _done(task, reporter)
    except MemoryError:
        return _failed("out_of_memory", "There was not enough memory for this job.", "Send a shorter part of it.")
    except MusicError as error:
        return _out_of_room(task, error) or _failed(error.code, error.message, error.hint)
    except ChannelBroken:
        raise
    except RecursionError:
        traceback.print_exc()
        return _failed("unreadable_file", "The file is nested more deeply than ScoreBridge reads.")
    except Exception as error:
        traceback.print_exc()
        return _out_of_room(task, error) or _failed(
            "internal_error",
            f"ScoreBridge met an error that it does not know ({type(error).__name__}).",
            "The daemon's log has the details; please report it with the file.",
        )


def _done(task: Task, reporter: Reporter) -> dict[str, Any]:
    import tempfile

    from model_runtime.modality import Clip
    from model_runtime.options import Options
    from model_runtime.translation import translate_files

    tempfile.tempdir = task["scratch"]
    source = Path(task["source"])
    folder = Path(task["folder"])
    _same_file(source, task["identity"])
    translated = translate_files(
        source,
        task["targets"],
        folder,
        format=task["format"],
        clip=Clip(**task["clip"]) if task["clip"] else None,
        options=Options.model_validate(task["options"]),
        stem=task["stem"],
        on_progress=reporter.progress,
        on_partial=lambda value: _report_partial(value, reporter),
    )
    return {
        "type": "done",
        "files": [_described(file.path, file.format, folder) for file in translated.files],
        "engine": translated.engine,
        "warnings": list(translated.warnings),
        "timing": {name: round(seconds, 6) for name, seconds in translated.timing.items()},
    }


def _same_file(source: Path, identity: list[int] | None) -> None:
    """See that the file is still the one that was allowed: no link has taken its place."""
    from model_runtime.errors import UnreadableFile

    if identity is None:
        return
    try:
        found = source.lstat()
        real = os.path.realpath(source)
    except OSError:
        raise UnreadableFile(f"{source.name} is not there any more.", code="not_found") from None
    if [found.st_dev, found.st_ino] != identity or real != str(source):
        raise UnreadableFile(
            f"{source.name} was replaced by another file while the job was starting.", hint="Send it again."
        )


def _report_partial(value: Value, reporter: Reporter) -> None:
    from model_runtime.modality import Performance

    if isinstance(value, Performance):
        notes = [[round(n.onset_s, 4), round(n.offset_s, 4), n.pitch, n.velocity] for n in value.notes[:PARTIAL_NOTES]]
        reporter.send({"type": "partial", "notes": notes})


def _described(path: Path, format: str, folder: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "name": path.relative_to(folder).as_posix(),
        "format": format,
        "size": path.stat().st_size,
        "sha256": digest,
    }


def _failed(code: str, message: str, hint: str = "") -> dict[str, Any]:
    return {"type": "failed", "code": code, "message": message, "hint": hint}


def _out_of_room(task: Task, error: BaseException) -> dict[str, Any] | None:
    """Whether the disk is full: native writers say it in many ways, or only "write error"."""
    cause: BaseException | None = error
    full = False
    while cause is not None and not full:
        full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        cause = cause.__cause__ or cause.__context__
    with contextlib.suppress(OSError):
        full = full or shutil.disk_usage(task["folder"]).free < LEAST_FREE_BYTES
    if not full:
        return None
    return _failed(
        "disk_full", "There is no room on the disk for the result.", "Free some space, then send the job again."
    )


if __name__ == "__main__":
    main()
