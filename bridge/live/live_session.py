"""A live session as the daemon holds it: how it stands, what it heard, and which keys its process has pressed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

from bridge.live.destinations.osc_out import OscListener, ReaperKeyboard, live_note
from bridge.live.heard import Heard
from bridge.live.keyboard import Stroke
from bridge.live.note_log import ControlChange, NoteLog
from bridge.live.reastream_port import ReaStreamPort, Route
from bridge.worker_process import Worker
from model_runtime.errors import MusicError
from protocol.live import LiveEnded, LiveNote, LiveStart, LiveStarted, LiveState
from protocol.live_places import OscDestination, ReaperDestination

STATE_FIELDS = (
    *("position", "started", "level", "peak", "latency", "latency_p95", "receiving", "packets", "lost", "doubled"),
    *("late", "malformed", "drift", "sounding", "notes", "withdrawn"),
)
NOTHING_HEARD_S = 3.0


@dataclass(eq=False)
class LiveSession:
    """One session.

    Attributes:
        request: As it was asked for.
        client: Who started it.
        parent, session: Of the message that started it: its events carry them.
        state: How it stands.
        log: What it heard, on disk.
        worker: Its process; None before it runs.
        started: What was answered once it listened.
        ended: Set with its last event.
        stopping: Why it was asked to stop.
    """

    request: LiveStart
    client: str
    parent: str | None
    session: str
    state: LiveState
    log: NoteLog
    worker: Worker | None = None
    started: LiveStarted | None = None
    port: ReaStreamPort | None = None
    route: Route | None = None
    ended: asyncio.Future[LiveEnded] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    stopping: str = ""
    lease: asyncio.TimerHandle | None = None
    began_s: float = field(default_factory=time.monotonic)
    sounding: dict[int, Heard] = field(default_factory=dict)
    pressed: dict[int, set[int]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The session's id."""
        return self.request.live

    @property
    def active(self) -> bool:
        """Whether it has not had its end."""
        return not self.ended.done()

    def hear(self, message: dict[str, Any]) -> list[LiveNote]:
        """Notes of the process: written down; returned as events."""
        told = [(Heard.from_wire(fields), latency_s) for fields, latency_s in message["notes"]]
        self.log.add([note for note, _ in told])
        self.log.add_controls([ControlChange(*fields) for fields in message.get("controls", ())])
        for note, _ in told:
            if note.phase == "withdrawn" or note.offset_s is not None:
                self.sounding.pop(note.number, None)
            else:
                self.sounding[note.number] = note
        return [live_note(self.id, note, latency_s) for note, latency_s in told]

    def press(self, message: dict[str, Any]) -> None:
        """Keys that the process is about to press or to release."""
        pressed = self.pressed.setdefault(message["outlet"], set())
        for pitch, velocity in message["strokes"]:
            (pressed.add if velocity else pressed.discard)(pitch)

    def stand(self, message: dict[str, Any]) -> LiveState:
        """The process's measures become the state."""
        fields = {name: message[name] for name in STATE_FIELDS}
        if self.port is not None:
            fields["malformed"] += self.port.malformed
        code, text, hint = self._obstacle(fields)
        self.state = self.state.model_copy(update={**fields, "code": code, "message": text, "hint": hint})
        return self.state

    def release(self) -> list[LiveNote]:
        """The process is gone: what it left pressed comes up, what still sounded ends; returns the ends as events."""
        ends = [
            Heard(n.number, "corrected", n.pitch, n.onset_s, self._end_s(n), n.velocity, n.confidence, n.channel)
            for n in self.sounding.values()
        ]
        for index, wanted in enumerate(self.request.destinations):
            with contextlib.suppress(MusicError):
                if isinstance(wanted, ReaperDestination):
                    keyboard = ReaperKeyboard(wanted)
                    keyboard.play([Stroke(pitch, 0) for pitch in sorted(self.pressed.get(index, ()))])
                    keyboard.close()
                elif isinstance(wanted, OscDestination):
                    listener = OscListener(wanted)
                    listener.tell(self.id, ends)
                    listener.close()
        self.pressed.clear()
        self.sounding.clear()
        self.log.add(ends)
        return [live_note(self.id, note) for note in ends]

    def _end_s(self, note: Heard) -> float:
        return max(self.state.position, note.onset_s + 0.05)

    def _obstacle(self, fields: dict[str, Any]) -> tuple[str, str, str]:
        """What keeps the session from hearing anything, if something does."""
        if fields["receiving"] or self.route is None or self.port is None:
            return "", "", ""
        if time.monotonic() - self.began_s < NOTHING_HEARD_S:
            return "", "", ""
        if fields["packets"]:
            return "silent", "The sender has stopped sending.", "Is REAPER's audio running, and ReaStream still on?"
        wanted = self.request.source
        name = getattr(wanted, "identifier", "")
        others = [f"{identifier!r} ({carries})" for carries, identifier in self.port.senders()]
        heard = f" Heard are: {', '.join(others)}." if others else ""
        return (
            "nothing_heard",
            f"No ReaStream packets{f' of {name!r}' if name else ''} have come.{heard}",
            f"Put ReaStream on a track, choose to send to 127.0.0.1 and name it {name or 'as you like'}.",
        )
