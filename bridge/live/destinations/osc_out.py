"""OSC over UDP: REAPER's virtual keyboard, and any program that takes `/scorebridge/live/note`.

Needs no numpy: the daemon itself releases the keys of a session whose process is gone.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from typing import Any

from bridge.live.heard import Heard
from bridge.live.keyboard import Stroke
from model_runtime.errors import MusicError
from protocol import osc
from protocol.live import LiveNote
from protocol.live_places import OscDestination, ReaperDestination


class DestinationUnavailable(MusicError):
    """A destination cannot be opened."""

    code = "destination_unavailable"


class _UdpTarget:
    def __init__(self, host: str, port: int) -> None:
        try:
            family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError) as error:
            raise DestinationUnavailable(
                f"There is no machine called {host!r} to send notes to.",
                hint="Give its address, 127.0.0.1 for this one.",
            ) from error
        self._address: tuple[Any, ...] = address
        self._socket = socket.socket(family, kind, number)
        self._socket.setblocking(False)

    def send(self, packet: bytes) -> None:
        # Nobody may listen yet: the system then refuses the next datagram.
        with contextlib.suppress(OSError):
            self._socket.sendto(packet, self._address)

    def close(self) -> None:
        self._socket.close()


class ReaperKeyboard:
    """Plays REAPER's virtual keyboard: `/vkb_midi/<channel>/note/<note>` with a velocity, 0 is its end."""

    def __init__(self, wanted: ReaperDestination) -> None:
        self.name = f"REAPER's keyboard at {wanted.host}:{wanted.port}"
        self.early = wanted.early
        self._channel = wanted.channel
        self._target = _UdpTarget(wanted.host, wanted.port)

    def play(self, strokes: Sequence[Stroke]) -> None:
        for stroke in strokes:
            self._target.send(osc.encode(*osc.keyboard_note(stroke.pitch, stroke.velocity, self._channel)))

    def tell(self, live: str, notes: Sequence[Heard]) -> None:
        pass

    def close(self) -> None:
        self._target.close()


class OscListener:
    """Sends every word about every note as `/scorebridge/live/note`."""

    early = True

    def __init__(self, wanted: OscDestination) -> None:
        self.name = f"OSC at {wanted.host}:{wanted.port}"
        self._target = _UdpTarget(wanted.host, wanted.port)

    def play(self, strokes: Sequence[Stroke]) -> None:
        pass

    def tell(self, live: str, notes: Sequence[Heard]) -> None:
        for note in notes:
            for message in osc.write_answer(live_note(live, note)):
                self._target.send(osc.encode(*message))

    def close(self) -> None:
        self._target.close()


def live_note(live: str, note: Heard, latency_s: float | None = None) -> LiveNote:
    """A note as the protocol says it."""
    return LiveNote(
        live=live,
        note=str(note.number),
        phase=note.phase,
        onset=round(note.onset_s, 4),
        offset=None if note.offset_s is None else round(note.offset_s, 4),
        pitch=note.pitch,
        velocity=note.velocity,
        confidence=min(max(note.confidence, 0.0), 1.0),
        channel=note.channel,
        latency=None if latency_s is None else round(latency_s, 4),
    )
