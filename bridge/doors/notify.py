"""Telling somebody of events who did not ask: REAPER runs an action when a job is done."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.doors.door import DoorError
from protocol import osc
from protocol.messages import TERMINAL_EVENTS, Content, Message

EVERY_EVENT = TERMINAL_EVENTS | {"progress", "partial", "live.started", "live.state", "live.note", "live.ended"}


@dataclass(frozen=True)
class Notify:
    """Who is told of events without asking.

    Attributes:
        host: Where, over UDP.
        port: Where.
        address: OSC address to send; empty: the event itself, as its submitter gets it.
        arguments: With `address`: what to send; "{job}" and "{event}" are filled in.
        events: Which events.
    """

    host: str
    port: int
    address: str = ""
    arguments: tuple[str, ...] = ()
    events: frozenset[str] = TERMINAL_EVENTS

    @classmethod
    def parse(cls, text: str) -> Notify:
        """Read "host:port" (every event) or "host:port/address argument…" (`done` alone).

        For instance `127.0.0.1:8000/action/str _RS0123`.

        Raises:
            DoorError: it is neither.
        """
        target, *arguments = text.split(" ")
        place, slash, address = target.partition("/")
        host, _, port = place.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise DoorError(f"{text!r} does not say whom to notify.", hint="Write host:port, or host:port/address.")
        if not slash:
            return cls(host, int(port), events=EVERY_EVENT)
        return cls(host, int(port), slash + address, tuple(arguments), frozenset({"done"}))

    def packets(self, event: Message, content: Content) -> list[bytes]:
        """What to send for an event; nothing when it is not one of ours."""
        if event.type not in self.events:
            return []
        if not self.address:
            return [osc.encode(*message) for message in osc.write_answer(content)]
        job = str(event.content.get("job", ""))
        filled = [text.replace("{job}", job).replace("{event}", event.type) for text in self.arguments]
        return [osc.encode(self.address, filled)]
