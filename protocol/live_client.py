"""Live sessions for clients over ZeroMQ: `client.live` of `AsyncClient` and of `Client`.

async with AsyncClient.connect() as client:
    async for event in client.live.listen(LiveStart(source="reastream:piano")):
        ...
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from protocol.channel import Channel
from protocol.content import Content
from protocol.errors import DaemonError, DaemonTimeout, ProtocolError
from protocol.live import (
    LiveEnded,
    LiveKeep,
    LiveKept,
    LiveList,
    LiveNote,
    LiveSessions,
    LiveSourceInfo,
    LiveSourceList,
    LiveSources,
    LiveStart,
    LiveStarted,
    LiveState,
    LiveStatus,
    LiveStop,
)
from protocol.live_score import LiveEngraved, LiveScore

LiveEvent = LiveStarted | LiveState | LiveNote | LiveEnded
C = TypeVar("C", bound=Content)
T = TypeVar("T")

LEASE_S = 30.0  # who listens asks once a second; a session that nobody listens to any more ends by itself
ASK_S = 1.0


class AsyncLive:
    """Live sessions of one daemon.

    Args:
        channel: The client's.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def start(self, request: LiveStart) -> LiveStarted:
        """Start a session; returns once it listens. It ends with `stop`, its lease or its source.

        Raises:
            DaemonError: there is no room for it, or its source cannot be opened; code, message and hint say why.
        """
        return await self._ask(request, LiveStarted)

    async def stop(self, live: str) -> LiveEnded:
        """Stop a session; returns once its files are made. One that has ended answers with how it ended."""
        while True:
            try:
                return await self._ask(LiveStop(live=live), LiveEnded, control=True)
            except DaemonTimeout:
                # Writing an hour's notation takes longer than other answers; asking again waits for the same end.
                await self.status(live)

    async def status(self, live: str) -> LiveState:
        """How a session stands; renews its lease."""
        return await self._ask(LiveStatus(live=live), LiveState, control=True)

    async def sessions(self) -> list[LiveState]:
        """The sessions that are remembered, the newest first."""
        return (await self._ask(LiveList(), LiveSessions, control=True)).sessions

    async def sources(self, kinds: Sequence[str] = ()) -> list[LiveSourceInfo]:
        """What could be listened to."""
        return (await self._ask(LiveSources(kinds=list(kinds)), LiveSourceList)).sources

    async def keep(self, request: LiveKeep) -> LiveKept:
        """What was just played, as notes and files."""
        return await self._ask(request, LiveKept)

    async def score(self, request: LiveScore) -> LiveEngraved:
        """The last bars, engraved; bars are followed from the first time that somebody asks."""
        return await self._ask(request, LiveEngraved)

    async def listen(self, request: LiveStart) -> AsyncIterator[LiveEvent]:
        """Start a session and yield what is told of it; the last is `LiveEnded`. Leaving early stops it.

        Raises:
            DaemonError: see `start`; or the daemon was restarted, and the session with it is gone.
        """
        await self._channel.ready()
        ended = False
        with self._channel.listen(request.live) as queue:  # before it starts, so that no note is missed
            yield await self.start(request)
            try:
                async for event in self._follow(request.live, queue):
                    ended = isinstance(event, LiveEnded)
                    yield event
            finally:
                if not ended:
                    await self._give_up(request.live)

    async def _follow(self, live: str, queue: asyncio.Queue[Content]) -> AsyncIterator[LiveEvent]:
        loop = asyncio.get_running_loop()
        ask_s = loop.time() + ASK_S
        while True:
            with contextlib.suppress(TimeoutError):
                event = await asyncio.wait_for(queue.get(), max(ask_s - loop.time(), 0.0))
                if isinstance(event, LiveState | LiveNote | LiveEnded):
                    yield event
                if isinstance(event, LiveEnded):
                    return
            if loop.time() >= ask_s:
                ask_s = loop.time() + ASK_S
                state = await self.status(live)
                if state.phase in ("ended", "failed"):  # its last event was lost on the way
                    yield await self.stop(live)
                    return

    async def _give_up(self, live: str) -> None:
        with contextlib.suppress(ProtocolError, TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.stop(live)), 10.0)

    async def _ask(self, request: Content, kind: type[C], *, control: bool = False) -> C:
        answer, _ = await self._channel.request(request, control=control)
        if not isinstance(answer, kind):
            raise DaemonError(f"The daemon answered with {type(answer).__name__}, which was not asked for.")
        return answer


class _Runs(Protocol):
    def __call__(self, work: Coroutine[Any, Any, T], /) -> T: ...


class _Iterates(Protocol):
    def __call__(self, events: AsyncIterator[T], /) -> Iterator[T]: ...


class Live:
    """Live sessions of one daemon, blocking. Methods, arguments and errors are those of `AsyncLive`."""

    def __init__(self, live: AsyncLive, wait: _Runs, iterate: _Iterates) -> None:
        self._live, self._wait, self._iterate = live, wait, iterate

    def start(self, request: LiveStart) -> LiveStarted:
        """Start a session; returns once it listens."""
        return self._wait(self._live.start(request))

    def stop(self, live: str) -> LiveEnded:
        """Stop a session; returns once its files are made."""
        return self._wait(self._live.stop(live))

    def status(self, live: str) -> LiveState:
        """How a session stands; renews its lease."""
        return self._wait(self._live.status(live))

    def sessions(self) -> list[LiveState]:
        """The sessions that are remembered, the newest first."""
        return self._wait(self._live.sessions())

    def sources(self, kinds: Sequence[str] = ()) -> list[LiveSourceInfo]:
        """What could be listened to."""
        return self._wait(self._live.sources(kinds))

    def keep(self, request: LiveKeep) -> LiveKept:
        """What was just played, as notes and files."""
        return self._wait(self._live.keep(request))

    def score(self, request: LiveScore) -> LiveEngraved:
        """The last bars, engraved; bars are followed from the first time that somebody asks."""
        return self._wait(self._live.score(request))

    def listen(self, request: LiveStart) -> Iterator[LiveEvent]:
        """Start a session and yield what is told of it; the last is `LiveEnded`. Leaving early stops it."""
        return self._iterate(self._live.listen(request))
