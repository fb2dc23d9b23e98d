"""The workers at hand: started ahead of need, kept warm, watched and replaced.

A worker does one job at a time. Cancelling a job ends its worker, because native code cannot be asked to stop; a fresh
one takes its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

import psutil

from bridge.channel import ChannelBroken
from bridge.settings import Settings
from bridge.worker_process import Worker, WorkerEnded

log = logging.getLogger(__name__)

WATCH_INTERVAL_S = 0.25
MOST_FAILED_STARTS = 3


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
