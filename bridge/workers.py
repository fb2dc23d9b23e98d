"""Worker processes: started ahead of need, kept warm, watched, and ended with all their children.

A worker does one job at a time. Cancelling a job ends its worker, because native code cannot be asked to stop; a fresh
one takes its place. Each is a session of its own, so that a Ctrl-C in the daemon's terminal does not reach it, and one
signal ends whatever processes its engines have started.
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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bridge.channel import ChannelBroken, pack, receive_async
from bridge.settings import Settings

log = logging.getLogger(__name__)

TERMINATION_S = 0.15  # between asking a worker to end and ending it
POLL_S = 0.005
WATCH_INTERVAL_S = 0.25
MOST_FAILED_STARTS = 3

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
    async def start(cls, scratch_root: Path) -> Worker:
        """Start a process; it becomes ready later (`wait_ready`)."""
        scratch = Path(tempfile.mkdtemp(prefix="worker-", dir=scratch_root))
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "bridge.worker", str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
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


class Pool:
    """Keeps workers at hand.

    Args:
        settings: How many, and their limits.
        on_free: Called when a worker has become free.
    """

    def __init__(self, settings: Settings, on_free: Callable[[], None]) -> None:
        self.settings = settings
        self.about: dict[str, Any] = {}
        self.known = asyncio.Event()
        self.broken: WorkerEnded | None = None
        self._on_free = on_free
        self._workers: set[Worker] = set()
        self._leaving: set[Worker] = set()
        self._starting = 0
        self._failed_starts = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """Numbers of the running processes."""
        return [worker.pid for worker in self._workers]

    def open(self) -> None:
        """Start the warm workers and watch all of them."""
        for _ in range(self.settings.warm_workers):
            self._start_another()
        self._background(self._watch())

    async def close(self) -> None:
        """End every worker."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        reason = WorkerEnded("cancelled", "ScoreBridge was shut down.")
        await asyncio.gather(*(worker.end(reason) for worker in (*self._workers, *self._leaving)))

    def take(self) -> Worker | None:
        """A free worker, or None; then another one is started if there may be more, and `on_free` is called."""
        free = [worker for worker in self._workers if worker.about and not worker.busy and worker.ended is None]
        if free:
            worker = max(free, key=lambda w: w.last_used_s)  # the warmest
            worker.busy = True
            return worker
        if len(self._workers) + self._starting < self.settings.workers:
            self._start_another()
        return None

    def give_back(self, worker: Worker) -> None:
        """The worker's job is over: keep it, or replace it where it is gone or has done enough."""
        worker.busy = False
        if worker.ended is not None or worker.process.poll() is not None or worker.jobs >= self.settings.worker_jobs:
            self._retire(worker)
        else:
            self._on_free()

    async def refreshed(self) -> dict[str, Any]:
        """What workers can do: asked anew where one is free, so that engines installed since are named."""
        worker = next((w for w in self._workers if w.about and not w.busy and w.ended is None), None)
        if worker is not None:
            worker.busy = True
            try:
                async with asyncio.timeout(5.0):
                    self.about = await worker.ask_about()
            except (ChannelBroken, ConnectionError, TimeoutError):
                await worker.end(WorkerEnded("worker_died", "The worker did not answer."))
            finally:
                self.give_back(worker)
        return self.about

    def _retire(self, worker: Worker) -> None:
        self._workers.discard(worker)
        self._leaving.add(worker)
        self._background(self._see_off(worker))
        self._keep_warm()
        self._on_free()

    async def _see_off(self, worker: Worker) -> None:
        await worker.end(WorkerEnded("worker_died", "The worker was replaced."))
        self._leaving.discard(worker)

    def _keep_warm(self) -> None:
        while not self._closed and len(self._workers) + self._starting < min(
            self.settings.warm_workers, self.settings.workers
        ):
            self._start_another()

    def _start_another(self) -> None:
        if not self._closed:
            self._starting += 1
            self._background(self._start())

    async def _start(self) -> None:
        worker: Worker | None = None
        try:
            worker = await Worker.start(self.settings.work_folder)
            self._workers.add(worker)
            self._starting -= 1  # from here on it is counted as a worker
            await worker.wait_ready(self.settings.worker_start_s)
        except (WorkerEnded, OSError) as error:
            self._start_failed(worker, error)
            return
        except BaseException:
            self._starting -= worker is None
            raise
        self._failed_starts = 0
        self.broken = None
        self.about = worker.about
        self.known.set()
        self._on_free()

    def _start_failed(self, worker: Worker | None, error: WorkerEnded | OSError) -> None:
        if worker is None:
            self._starting -= 1
        else:
            self._workers.discard(worker)
            log.warning("A worker did not start. It said: %s", "\n".join(worker._said) or "nothing")
        self._failed_starts += 1
        if self._failed_starts < MOST_FAILED_STARTS:
            self._keep_warm()
            self._on_free()
            return
        if isinstance(error, OSError):
            error = WorkerEnded("worker_unavailable", f"No worker process can be started: {error.strerror}.")
        self._failed_starts = 0
        self.broken = error
        self._on_free()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            for worker in tuple(self._workers):
                if worker.ended is not None:
                    continue
                if worker.busy:
                    await self._check_memory(worker)
                elif self._grew_old(worker):
                    self._retire(worker)
                elif worker.about and worker.process.poll() is not None:
                    log.warning("Worker %d ended while it had nothing to do", worker.pid)
                    self._retire(worker)

    def _grew_old(self, worker: Worker) -> bool:
        return worker.jobs > 0 and time.monotonic() - worker.last_used_s > self.settings.worker_idle_s

    async def _check_memory(self, worker: Worker) -> None:
        # Resident memory is watched, not limited by the kernel's address space limit: inference libraries reserve many
        # times what they use, and a limit that lets them start would stop nothing.
        used = await asyncio.to_thread(_resident_bytes, worker.pid)
        if used > self.settings.worker_memory_bytes and worker.ended is None:
            log.warning("Worker %d used %d MB and was ended", worker.pid, used >> 20)
            reason = WorkerEnded(
                "out_of_memory",
                f"This job needed more than the {self.settings.worker_memory_bytes / 1e9:.1f} GB of memory it may use.",
                "Send a shorter part of it, or raise `worker_memory_bytes` in ScoreBridge's config.toml.",
            )
            await worker.end(reason)

    def _background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _resident_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants."""
    try:
        process = psutil.Process(pid)
        total = int(process.memory_info().rss)
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += child.memory_info().rss
    except psutil.Error:
        return 0
    return total
