"""The latest events, numbered, for clients that fetch them or that come back after a break."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass

from protocol.messages import Message

EVENTS = 4096  # of all jobs, for the stream
EVENTS_PER_JOB = 256
JOBS = 1000


@dataclass(frozen=True)
class Numbered:
    """An event and its place: numbers rise by one over all jobs."""

    sequence: int
    message: Message


class EventLog:
    """Keeps events by number, a bounded number of them.

    Attributes:
        epoch: Random: numbers of another epoch (another run of the daemon) mean nothing here.
        last: Number of the newest event; 0 before the first.
    """

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)
        self.last = 0
        self._all: deque[Numbered] = deque(maxlen=EVENTS)
        self._by_job: OrderedDict[str, deque[Numbered]] = OrderedDict()
        self._news = asyncio.Event()

    def add(self, message: Message) -> None:
        """Number an event and wake who waits."""
        self.last += 1
        event = Numbered(self.last, message)
        self._all.append(event)
        job = str(message.content.get("job") or message.content.get("live") or "")
        self._by_job.setdefault(job, deque(maxlen=EVENTS_PER_JOB)).append(event)
        self._by_job.move_to_end(job)
        if len(self._by_job) > JOBS:
            self._by_job.popitem(last=False)
        self._news.set()
        self._news = asyncio.Event()

    def after(self, sequence: int) -> tuple[list[Numbered], bool]:
        """Events later than a number, and whether some of these are no longer kept."""
        lost = bool(self._all) and sequence + 1 < self._all[0].sequence
        return [event for event in self._all if event.sequence > sequence], lost

    def of_job(self, job: str, after: int) -> list[Numbered]:
        """What is kept of a job's events later than a number."""
        return [event for event in self._by_job.get(job, ()) if event.sequence > after]

    async def changed(self) -> None:
        """Wait for the next event."""
        await self._news.wait()
