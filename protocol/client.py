"""The blocking client over ZeroMQ.

    with Client.connect() as client:
        artefacts = client.translate("take.wav", "musicxml")

It runs `AsyncClient` in a thread of its own, so it may be used from any thread, and from several at once.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from protocol.async_client import AsyncClient, Event, Source
from protocol.connection import Connection
from protocol.errors import DaemonError, DaemonNotRunning, DaemonTimeout, JobCancelled, ProtocolError
from protocol.live_client import Live
from protocol.messages import Accepted, Artefact, Progress, State, Submit, Welcome

__all__ = ["Client", "DaemonError", "DaemonNotRunning", "DaemonTimeout", "JobCancelled", "ProtocolError"]

T = TypeVar("T")


class Client:
    """Talks to the daemon of this user, and finds it again when it restarts.

    Methods, arguments and errors are those of `AsyncClient`.

    Args:
        connection: Where to connect; None reads the connection file, and reads it again when the daemon restarts.
        name: Who this is, for the daemon's log.
        timeout_s: How long one answer may take.
        curve: This client's own CURVE key pair (public, secret) in Z85, for a daemon on another machine.

    Attributes:
        live: Live sessions.

    Raises:
        DaemonNotRunning: no daemon is there.
        UnsafeConnectionFile: see `read_connection`.
    """

    def __init__(
        self,
        connection: Connection | None = None,
        *,
        name: str = "",
        timeout_s: float = 30.0,
        curve: tuple[str, str] | None = None,
    ) -> None:
        # Windows' default loop cannot wait for ZeroMQ's sockets, a selector loop can everywhere.
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scorebridge-client", daemon=True)
        self._thread.start()
        try:
            self._client = self._wait(_made(connection, name, timeout_s, curve))
        except BaseException:
            self._end()
            raise
        self.live = Live(self._client.live, self._wait, self._iterate)

    @classmethod
    def connect(cls, *, name: str = "", timeout_s: float = 30.0) -> Self:
        """A client of the running daemon, from its connection file."""
        return cls(name=name, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back sockets and thread. Idempotent."""
        if not self._loop.is_closed():
            self._wait(self._client.close())
            self._end()

    def hello(self) -> Welcome:
        """Who the daemon is and what it can do."""
        return self._wait(self._client.hello())

    def submit(self, request: Submit, buffers: Sequence[bytes] = ()) -> Accepted | State:
        """Hand in a job; the same job id again answers with its present state."""
        return self._wait(self._client.submit(request, buffers))

    def status(self, job: str) -> State:
        """A job's present state."""
        return self._wait(self._client.status(job))

    def cancel(self, job: str) -> State:
        """Stop a job; a job that has ended answers with how it ended."""
        return self._wait(self._client.cancel(job))

    def jobs(self, limit: int = 50, *, active: bool = False) -> list[State]:
        """The newest jobs first."""
        return self._wait(self._client.jobs(limit, active=active))

    def result(self, job: str, name: str | None = None) -> bytes:
        """An artefact's content; without a name, the only or first one's."""
        return self._wait(self._client.result(job, name))

    def shutdown(self, *, wait: bool = False) -> None:
        """End the daemon, at once or when its jobs are done."""
        self._wait(self._client.shutdown(wait=wait))

    def run(self, request: Submit, buffers: Sequence[bytes] = ()) -> Iterator[Event]:
        """Submit a job and yield its events: progress and early results, then one of done, failed, cancelled."""
        return self._iterate(self._client.run(request, buffers))

    def events(self, job: str) -> Iterator[Event]:
        """The events of a job from now on; a job that has ended yields how it ended."""
        return self._iterate(self._client.events(job))

    def translate(
        self,
        source: str | Path | bytes | Source,
        target: str | Sequence[str],
        options: Mapping[str, Any] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        *,
        source_format: str = "",
        name: str = "",
        job: str | None = None,
    ) -> list[Artefact]:
        """Translate a file, or bytes of a declared format, and wait for what comes of it; Ctrl-C cancels the job.

        `on_progress` is called in the client's own thread.
        """
        return self._wait(
            self._client.translate(
                source, target, options, on_progress, source_format=source_format, name=name, job=job
            )
        )

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            work.close()
            raise ProtocolError("This client was closed.")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            if future.cancel():  # Ctrl-C: the coroutine tidies up (a translation cancels its job) before we go on
                with contextlib.suppress(concurrent.futures.TimeoutError):
                    asyncio.run_coroutine_threadsafe(_settle(), self._loop).result(3.0)
            raise

    def _iterate(self, events: AsyncIterator[T]) -> Iterator[T]:
        async def advance() -> T | None:
            return await anext(events, None)

        async def close() -> None:
            await events.aclose()  # type: ignore[attr-defined]  # an asynchronous generator, typed as an iterator

        try:
            while (event := self._wait(advance())) is not None:
                yield event
        finally:
            self._wait(close())

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _made(
    connection: Connection | None, name: str, timeout_s: float, curve: tuple[str, str] | None
) -> AsyncClient:
    return AsyncClient(connection, name=name, timeout_s=timeout_s, curve=curve)


async def _settle() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    cancelling = [task for task in others if task.cancelling()]
    if cancelling:
        await asyncio.wait(cancelling, timeout=2.5)
