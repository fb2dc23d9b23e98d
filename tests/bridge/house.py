"""The daemon without its doors: the real core, journal, workers and folders, for tests to talk to."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from bridge.access import Gate
from bridge.core import Core
from bridge.events import EventHub
from bridge.jobs import Jobs
from bridge.journal import Journal
from bridge.live.sessions import LiveSessions
from bridge.results import Store
from bridge.score_views import ScoreViews
from bridge.service import Client
from bridge.settings import Settings
from protocol.messages import TERMINAL_EVENTS, BytesSource, Content, Message, State, Status, Submit

LONG = 400_000  # notes: some seconds of work
ANY_TIME_S = 40.0


def midi_bytes(notes: int = 1, ticks: int = 30) -> bytes:
    """A MIDI file of one track: notes one after another."""
    played = b"".join(
        b"\x00\x90" + bytes([40 + i % 40, 80]) + bytes([ticks, 0x80]) + bytes([40 + i % 40, 0]) for i in range(notes)
    )
    track = played + b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(track)) + track


def midi(notes: int = 1) -> tuple[BytesSource, tuple[bytes, ...]]:
    """A source, and the buffer that goes with it."""
    return BytesSource(format="mid", name="piece.mid"), (midi_bytes(notes),)


class House:
    """A running core.

    Args:
        folder: Everything lies in it, and files may be read from it.
        settings: What differs from the defaults.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        defaults: dict[str, Any] = {"data": folder / "data", "roots": (folder,), "workers": 1, "warm_workers": 1}
        self.settings = Settings(**(defaults | settings))
        self.heard: list[Message] = []
        self.shutdowns: list[bool] = []
        self._changed = asyncio.Event()

    async def open(self) -> House:
        self.store = Store(self.settings.work_folder, self.settings.results_folder)
        self.store.prepare()
        self.journal = Journal(self.settings.journal_file)
        self.hub = EventHub()
        self.hub.subscribe(self._hear)
        gate = Gate(self.settings.roots, self.settings.max_file_bytes)
        self.jobs = Jobs(self.settings, self.journal, self.store, gate, self.hub)
        self.live = LiveSessions(self.settings, self.jobs, self.hub)
        self.scores = ScoreViews(self.hub, self.hub.publish, self.settings.work_folder, self.live.options_of)
        self.core = Core(self.settings, self.jobs, self.hub, self.live, self.scores, self.shutdowns.append)
        self.jobs.pool.open()
        return self

    async def close(self) -> None:
        await self.scores.close()
        await self.live.close()
        await self.jobs.close()
        self.journal.close()

    def _hear(self, event: Message) -> None:
        self.heard.append(event)
        self._changed.set()

    async def ask(self, content: Content, buffers: Sequence[bytes] = (), *, client: str = "me") -> Any:
        """The answer to a request."""
        return await self.send(Message.of(content, session="a session"), buffers, client=client)

    async def send(self, message: Message, buffers: Sequence[bytes] = (), *, client: str = "me") -> Any:
        """The answer to a message; it names what it answers."""
        reply = await self.core.handle(message, buffers, Client(client, "zeromq"))
        assert reply.message.parent == message.id
        assert reply.message.session == message.session
        return reply.message.parsed()

    async def submit(self, job: str, notes: int = 1, *, client: str = "me", **fields: Any) -> Any:
        """Send a MIDI file of so many notes to be written anew."""
        source, buffers = midi(notes)
        fields = {"target": ["mid"]} | fields
        return await self.ask(Submit(job=job, source=source, **fields), buffers, client=client)

    async def state(self, job: str) -> State:
        """A job's present state."""
        state = await self.ask(Status(job=job))
        assert isinstance(state, State)
        return state

    def events_of(self, job: str) -> list[Any]:
        """What was said about a job, in order."""
        return [m.parsed() for m in self.heard if m.content.get("job") == job]

    def ends_of(self, job: str) -> list[Message]:
        """Terminal events of a job."""
        return [m for m in self.heard if m.content.get("job") == job and m.type in TERMINAL_EVENTS]

    async def end_of(self, job: str) -> Any:
        """Wait for the end of a job."""
        await self.until(lambda: bool(self.ends_of(job)))
        return self.ends_of(job)[0].parsed()

    async def running(self, job: str) -> int:
        """Wait until a job is being worked on; returns the number of its worker process."""
        held = self.jobs._active[job]
        await self.until(lambda: held.worker is not None and held.state.stage != "")
        assert held.worker is not None
        return held.worker.pid

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        limit_s = time.monotonic() + ANY_TIME_S
        while not condition():
            assert time.monotonic() < limit_s, "waited too long"
            self._changed.clear()
            try:
                async with asyncio.timeout(0.02):
                    await self._changed.wait()
            except TimeoutError:
                pass


Build = Callable[..., Awaitable[House]]
"""Builds a house with settings."""


def alive(pid: int) -> bool:
    """Whether a process runs (one that has ended and was not yet waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
