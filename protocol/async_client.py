"""The asyncio client over ZeroMQ.

async with AsyncClient.connect() as client:
    artefacts = await client.translate("take.wav", "musicxml")
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from protocol.channel import Channel
from protocol.connection import Connection
from protocol.errors import DaemonError, JobCancelled, ProtocolError
from protocol.live_client import AsyncLive
from protocol.messages import (
    Accepted,
    Artefact,
    BytesSource,
    Cancel,
    Cancelled,
    Content,
    Done,
    Failed,
    Hello,
    JobList,
    Jobs,
    NotesSource,
    Ok,
    Partial,
    PathSource,
    Progress,
    Rejected,
    Result,
    ResultData,
    Shutdown,
    State,
    Status,
    Submit,
    Welcome,
    new_id,
)

Event = Progress | Partial | Done | Failed | Cancelled
Source = PathSource | BytesSource | NotesSource
C = TypeVar("C", bound=Content)

LEASE_S = 60.0  # who waits asks once a second; a job that nobody waits for any more ends by itself
_FIRST_HEAL_S = 0.02  # an event that was sent before our subscription arrived is made up for this soon
_LAST_HEAL_S = 1.0  # asking once a second renews the job's lease too


class AsyncClient:
    """Talks to the daemon of this user, and finds it again when it restarts.

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
        self._name = name
        self._channel = Channel(connection, timeout_s=timeout_s, curve=curve)
        self.live = AsyncLive(self._channel)

    @classmethod
    def connect(cls, *, name: str = "", timeout_s: float = 30.0) -> Self:
        """A client of the running daemon, from its connection file."""
        return cls(name=name, timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back the sockets; whoever waits for an answer gets `ProtocolError`."""
        await self._channel.close()

    # ---- requests --------------------------------------------------------------------------------------------------

    async def hello(self) -> Welcome:
        """Who the daemon is and what it can do."""
        return await self._ask(Hello(client=self._name), Welcome)

    async def submit(self, request: Submit, buffers: Sequence[bytes] = ()) -> Accepted | State:
        """Hand in a job; the same job id again answers with its present state.

        Raises:
            DaemonError: the job was not taken; its code and sentence say why.
        """
        answer, _ = await self._channel.request(request, buffers)
        if isinstance(answer, Accepted | State):
            return answer
        raise _unexpected(answer)

    async def status(self, job: str) -> State:
        """A job's present state."""
        return await self._ask(Status(job=job), State, control=True)

    async def cancel(self, job: str) -> State:
        """Stop a job; a job that has ended answers with how it ended."""
        return await self._ask(Cancel(job=job), State, control=True)

    async def jobs(self, limit: int = 50, *, active: bool = False) -> list[State]:
        """The newest jobs first."""
        return (await self._ask(Jobs(limit=limit, active=active), JobList, control=True)).jobs

    async def result(self, job: str, name: str | None = None) -> bytes:
        """An artefact's content; without a name, the only or first one's."""
        answer, buffers = await self._channel.request(Result(job=job, name=name))
        if not isinstance(answer, ResultData) or not buffers:
            raise _unexpected(answer)
        return buffers[0]

    async def shutdown(self, *, wait: bool = False) -> None:
        """End the daemon, at once or when its jobs are done."""
        await self._ask(Shutdown(wait=wait), Ok, control=True)

    async def ask(self, request: Content) -> Content:
        """The answer to any request.

        Raises:
            DaemonError: the answer is an error; its code and sentence say why.
        """
        return (await self._channel.request(request))[0]

    # ---- jobs ------------------------------------------------------------------------------------------------------

    async def run(self, request: Submit, buffers: Sequence[bytes] = ()) -> AsyncIterator[Event]:
        """Submit a job and yield its events: progress and early results, then exactly one of done, failed, cancelled.

        Raises:
            DaemonError: the job was not taken.
        """
        await self._channel.ready()
        with self._channel.listen(request.job) as queue:  # before submitting, so that no event is missed
            state = await self.submit(request, buffers)
            async for event in self._follow(request.job, queue, state if isinstance(state, State) else None):
                yield event

    async def events(self, job: str) -> AsyncIterator[Event]:
        """The events of a job from now on, as `run` yields them; a job that has ended yields how it ended.

        Raises:
            DaemonError: there is no such job.
        """
        await self._channel.ready()
        with self._channel.listen(job) as queue:
            async for event in self._follow(job, queue, await self.status(job)):
                yield event

    async def translate(
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
        """Translate a file, or bytes of a declared format, and wait for what comes of it.

        Args:
            source: Path on the daemon's machine, content, or a source with a clip.
            target: One format or several.
            options: See `Welcome.options`.
            on_progress: Called with each progress event.
            source_format: Of bytes: a file name's ending without the dot.
            name: Of bytes: what to call the result.
            job: The job's id; None chooses one.

        Raises:
            DaemonError: it could not be done; `code`, `message` and `hint` say why.
            JobCancelled: somebody cancelled it. Cancelling this coroutine cancels the job.
        """
        described, buffers = _describe(source, source_format, name)
        request = Submit.model_validate(
            {
                "job": job or new_id(),
                "source": described,
                "target": target,
                "options": dict(options or {}),
                "lease": LEASE_S,
            }
        )
        ended = False
        try:
            async for event in self.run(request, buffers):
                if isinstance(event, Progress):
                    if on_progress is not None:
                        on_progress(event)
                elif not isinstance(event, Partial):
                    ended = True
                    return _artefacts(event)
        finally:
            if not ended:
                await self._give_up(request.job)
        raise DaemonError("The job's events ended without saying how it ended.")

    # ---- inside ----------------------------------------------------------------------------------------------------

    async def _ask(self, request: Content, kind: type[C], *, control: bool = False) -> C:
        answer, _ = await self._channel.request(request, control=control)
        if not isinstance(answer, kind):
            raise _unexpected(answer)
        return answer

    async def _follow(self, job: str, queue: asyncio.Queue[Content], state: State | None) -> AsyncIterator[Event]:
        heal_s = _FIRST_HEAL_S
        while True:
            if state is not None and (terminal := _terminal(state)) is not None:
                yield terminal
                return
            try:
                event = await asyncio.wait_for(queue.get(), heal_s)
            except TimeoutError:
                # Nothing heard: an event may have been lost (late subscription, full queue, daemon restarted).
                heal_s = min(2 * heal_s, _LAST_HEAL_S)
                state = await self.status(job)
                continue
            heal_s, state = _LAST_HEAL_S, None
            if isinstance(event, Progress | Partial):
                yield event
            elif isinstance(event, Done | Failed | Cancelled):
                yield event
                return

    async def _give_up(self, job: str) -> None:
        try:
            await asyncio.wait_for(asyncio.shield(self.cancel(job)), 2.0)
        except (ProtocolError, TimeoutError):
            return  # the job was refused, has ended, or nobody is there to be told


def _describe(source: str | Path | bytes | Source, source_format: str, name: str) -> tuple[Source, list[bytes]]:
    if isinstance(source, bytes):
        if not source_format:
            raise DaemonError(
                "The format of the bytes was not declared.", hint='Pass source_format="wav".', code="invalid_value"
            )
        return BytesSource(format=source_format.lstrip(".").lower(), name=name), [source]
    if isinstance(source, str | Path):
        return PathSource(path=str(Path(source).absolute())), []
    return source, []


def _artefacts(event: Done | Failed | Cancelled) -> list[Artefact]:
    if isinstance(event, Done):
        return event.artefacts
    if isinstance(event, Failed):
        raise DaemonError(event.message, hint=event.hint, code=event.code)
    raise JobCancelled(event.message)


def _terminal(state: State) -> Done | Failed | Cancelled | None:
    if state.phase == "done":
        return Done(
            job=state.job,
            artefacts=state.artefacts,
            engine=state.engine,
            warnings=state.warnings,
            timing=state.timing,
        )
    if state.phase == "failed":
        return Failed(job=state.job, code=state.code, message=state.message, hint=state.hint)
    if state.phase == "cancelled":
        return Cancelled(job=state.job, **({"message": state.message} if state.message else {}))
    return None


def _unexpected(answer: Content) -> DaemonError:
    if isinstance(answer, Rejected):
        return DaemonError(answer.message, hint=answer.hint, code=answer.code)
    return DaemonError(f"The daemon answered with {type(answer).__name__}, which was not asked for.")
