"""What every door hands its requests to: the one place where a message becomes an action.

A door translates its transport to `Message`s, calls `Service.handle`, and sends the `Reply` back. Events of jobs reach
doors through `Service.events`. Nothing here knows a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from protocol.messages import Message

EventListener = Callable[[Message], None]
"""Called in the daemon's event loop with each event (progress, partial, done, failed, cancelled, live.note)."""


@dataclass(frozen=True)
class Client:
    """Who asks.

    Attributes:
        id: Stable while the client is connected: fairness and leases go by it.
        door: "zeromq", "osc" or "http".
    """

    id: str
    door: str


@dataclass(frozen=True)
class Reply:
    """An answer and the buffers that go with it."""

    message: Message
    buffers: Sequence[bytes] = field(default_factory=tuple)


class Events(Protocol):
    """Where events can be listened to."""

    def subscribe(self, listener: EventListener) -> Callable[[], None]:
        """Call `listener` for every event from now on; returns what ends it."""
        ...


class Service(Protocol):
    """The daemon as its doors see it."""

    @property
    def events(self) -> Events: ...

    async def handle(self, message: Message, buffers: Sequence[bytes], client: Client) -> Reply:
        """Answer one request. Never raises for what a client sent: the answer is then `error` or `rejected`."""
        ...
