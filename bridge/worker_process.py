"""One worker process as the daemon sees it: started, given jobs, and ended with all its children.

Each is a session of its own, so that a Ctrl-C in the daemon's terminal does not reach it, and one signal ends whatever
processes its engines have started.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bridge.channel import ChannelBroken, pack, receive_async

log = logging.getLogger(__name__)

TERMINATION_S = 0.15  # between asking a worker to end and ending it
POLL_S = 0.005

OnMessage = Callable[[dict[str, Any]], None]


class WorkerEnded(Exception):
    """A worker ended before its job did.

    Args:
        code: Stable identifier for programs.
        message: One sentence for the musician.
        hint: What to do about it.

    Attributes:
        unseen: Whether the worker was gone before it saw the job: another one can do it.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.unseen = False


@dataclass(eq=False)
class Worker:
    """One worker process.

    Attributes:
        process: The process; the leader of its own process group.
        scratch: Its folder for temporary files; removed with it.
        jobs: How many it has done.
        about: What it said it can do; empty until it is ready.
    """

    process: subprocess.Popen[bytes]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    scratch: Path
    about: dict[str, Any] = field(default_factory=dict)
    jobs: int = 0
    busy: bool = False
    last_used_s: float = field(default_factory=time.monotonic)
    ended: WorkerEnded | None = None
    _said: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    _ending: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, scratch_root: Path, module: str = "bridge.worker", sockets: Sequence[socket.socket] = ()
    ) -> Worker:
        """Start a process; it becomes ready later (`wait_ready`).

        Args:
            scratch_root: Where it gets a folder for temporary files.
            module: What it runs.
            sockets: What else it gets: their numbers are its last arguments.
        """
        scratch = Path(tempfile.mkdtemp(prefix="worker-", dir=scratch_root))
        ours, theirs = socket.socketpair()
        given = (theirs.fileno(), *(end.fileno() for end in sockets))
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", module, str(given[0]), str(os.getpid()), *map(str, given[1:])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=given,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"},
            )
        try:
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            process.kill()
            process.communicate()
            ours.close()
            raise
        worker = cls(process, reader, writer, scratch)
        worker._listen()
        return worker

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    async def wait_ready(self, limit_s: float) -> None:
        """Wait until it has loaded the library and said what it can do.

        Raises:
            WorkerEnded: it did not come up.
        """
        try:
            async with asyncio.timeout(limit_s):
                self.about = await receive_async(self.reader)
        except (ChannelBroken, TimeoutError):
            await self.end()
            raise WorkerEnded(
                "worker_unavailable",
                "ScoreBridge's worker process does not start.",
                "`scorebridge doctor` says what is missing; the daemon's log has the details.",
            ) from None

    async def ask_about(self) -> dict[str, Any]:
        """What it can do now: engines may have been installed since."""
        self.writer.write(pack({"about": True}))
        self.about = await receive_async(self.reader)
        return self.about

    async def run(self, task: dict[str, Any], on_message: OnMessage) -> dict[str, Any]:
        """Do one job.

        Args:
            task: See `bridge.worker.Task`.
            on_message: Called with each `progress` and `partial` message.

        Returns:
            The `done` or `failed` message.

        Raises:
            WorkerEnded: the process is gone.
        """
        self.jobs += 1
        seen = False
        try:
            self.writer.write(pack({**task, "scratch": str(self.scratch)}))
            await receive_async(self.reader)  # "started"
            seen = True
            while True:
                message = await receive_async(self.reader)
                if message.get("type") in ("done", "failed"):
                    self.last_used_s = time.monotonic()
                    return message
                on_message(message)
        except (ChannelBroken, ConnectionError):
            await self.end()
            ended = self.ended or self._death()
            ended.unseen = self.ended is None and not seen
            raise ended from None

    async def end(self, reason: WorkerEnded | None = None) -> None:
        """End the process and its children, and wait until it is gone. Idempotent.

        Args:
            reason: What `run` raises; None tells from how the process ended.
        """
        if reason is not None and self.ended is None:
            self.ended = reason
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        children = await asyncio.to_thread(_descendants, self.pid)
        self._signal(signal.SIGTERM, children)
        killing_s = time.monotonic() + TERMINATION_S
        while self.process.poll() is None and time.monotonic() < killing_s:
            await asyncio.sleep(POLL_S)
        self._signal(signal.SIGKILL, children)
        while self.process.poll() is None:
            await asyncio.sleep(POLL_S)
        if children:
            await asyncio.to_thread(psutil.wait_procs, children, TERMINATION_S)
        self._stop_listening()
        self.writer.close()
        await asyncio.to_thread(shutil.rmtree, self.scratch, ignore_errors=True)

    def _signal(self, number: signal.Signals, children: list[psutil.Process]) -> None:
        # The group's leader may be gone while children still hold the group; a child may have left the group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.send_signal(number)

    def _listen(self) -> None:
        """Read what native libraries print, so that they never wait for a reader; keep the end for the log."""
        output = self.process.stdout
        assert output is not None
        os.set_blocking(output.fileno(), False)
        asyncio.get_running_loop().add_reader(output.fileno(), self._hear)

    def _hear(self) -> None:
        output = self.process.stdout
        assert output is not None
        chunk = b""
        with contextlib.suppress(OSError):
            chunk = os.read(output.fileno(), 1 << 14)
        if not chunk:
            self._stop_listening()
        for line in chunk.decode("utf-8", "replace").splitlines():
            self._said.append(line[:500])
            log.debug("Worker %d: %s", self.pid, line[:500])

    def _stop_listening(self) -> None:
        output = self.process.stdout
        if output is not None and not output.closed:
            asyncio.get_running_loop().remove_reader(output.fileno())
            output.close()

    def _death(self) -> WorkerEnded:
        code = self.process.returncode or 0
        log.warning(
            "Worker %d ended with status %d. It last said: %s", self.pid, code, "\n".join(self._said) or "nothing"
        )
        if code == -signal.SIGKILL:
            return WorkerEnded(
                "worker_died",
                "The process that did this job was ended from outside, perhaps because memory ran out.",
                "Send the job again, or a shorter part of the piece.",
            )
        cause = f" ({signal.Signals(-code).name})" if -code in set(signal.Signals) else ""
        return WorkerEnded(
            "worker_died",
            f"The process that did this job crashed{cause}; nothing else was touched.",
            "The file may be damaged. Send the job again, or export the file anew.",
        )


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
