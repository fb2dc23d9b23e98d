"""The UDP port that ReaStream sends to: one for all sessions, which are told apart by the senders' identifiers.

A thread reads it and hands each packet to the sessions that listen to its sender. It belongs to the daemon, because a
port has one owner; nothing of a packet is looked at here but its first 40 bytes.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass

from bridge.access import Refused

AUDIO, MIDI = b"MRSR", b"mRSR"
IDENTIFIER = slice(8, 40)
LOOK_S = 0.2
FORGET_S = 10.0  # after which a sender that is silent is not offered any more
BUFFER_BYTES = 4 << 20
ARRIVAL = struct.Struct("<d")
_TIMESTAMP = 35 if sys.platform == "linux" else None  # SO_TIMESTAMPNS: when the system received it
_TIMESPEC = struct.Struct("@ll")


@dataclass(eq=False)
class Route:
    """A session that listens to a sender.

    Attributes:
        identifier: The sender's, zero-padded; None until the first one is heard where any will do.
        magic: `AUDIO` or `MIDI`.
        packets: Where packets go.
    """

    identifier: bytes | None
    magic: bytes
    packets: socket.socket


@dataclass
class Sender:
    """Somebody who sends to the port."""

    magic: bytes
    heard_s: float
    packets: int = 0


class ReaStreamPort:
    """One UDP port.

    Args:
        host: Address to listen on.
        port: UDP port.

    Attributes:
        malformed: Datagrams that were no ReaStream packets.

    Raises:
        Refused: the port is taken, or the address is not this machine's.
    """

    def __init__(self, host: str, port: int) -> None:
        self.malformed = 0
        self._routes: list[Route] = []
        self._senders: dict[tuple[bytes, bytes], Sender] = {}
        self._closed = False
        self._socket = _bound(host, port)
        self._thread = threading.Thread(target=self._serve, name=f"reastream {port}", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether no session listens."""
        return not self._routes

    def join(self, identifier: str, carries: str) -> tuple[Route, socket.socket]:
        """Listen to a sender; returns the route, and the socket that a session reads packets from."""
        ours, theirs = _message_pair()
        name = identifier.encode()[:32].ljust(32, b"\0") if identifier else None
        route = Route(name, MIDI if carries == "midi" else AUDIO, ours)
        self._routes = [*self._routes, route]
        return route, theirs

    def leave(self, route: Route) -> None:
        """Stop listening. Idempotent."""
        self._routes = [other for other in self._routes if other is not route]
        route.packets.close()

    def senders(self) -> list[tuple[str, str]]:
        """Who was heard lately: pairs of "audio" or "midi", and identifier."""
        since_s = time.monotonic() - FORGET_S
        return sorted(
            ("midi" if sender.magic == MIDI else "audio", name.rstrip(b"\0").decode("utf-8", "replace"))
            for (_, name), sender in tuple(self._senders.items())
            if sender.heard_s > since_s
        )

    def close(self) -> None:
        """Let go of the port."""
        self._closed = True
        self._thread.join()
        self._socket.close()
        for route in self._routes:
            route.packets.close()

    def _serve(self) -> None:
        self._socket.settimeout(LOOK_S)
        while not self._closed:
            try:
                datagram, ancillary, _, _ = self._socket.recvmsg(1 << 16, 64)
            except TimeoutError:
                continue
            except OSError:  # an error of an earlier datagram
                continue
            self._hand_over(datagram, _arrival_s(ancillary))

    def _hand_over(self, datagram: bytes, arrival_s: float) -> None:
        magic, name = datagram[:4], datagram[IDENTIFIER]
        if magic not in (AUDIO, MIDI) or len(name) < 32:
            self.malformed += 1
            return
        name = name.partition(b"\0")[0].ljust(32, b"\0")
        self._remember(magic, name, arrival_s)
        for route in self._routes:
            if route.magic == magic and route.identifier in (None, name):
                route.identifier = name
                # A session that does not take it in time has lost it, and counts it; one that is gone has its end.
                with contextlib.suppress(OSError):
                    route.packets.send(ARRIVAL.pack(arrival_s) + datagram)

    def _remember(self, magic: bytes, name: bytes, now_s: float) -> None:
        sender = self._senders.get((magic, name))
        if sender is None:
            if len(self._senders) > 256:
                oldest = min(self._senders, key=lambda key: self._senders[key].heard_s)
                del self._senders[oldest]
            sender = self._senders[magic, name] = Sender(magic, now_s)
        sender.heard_s = now_s
        sender.packets += 1


def _arrival_s(ancillary: list[tuple[int, int, bytes]]) -> float:
    """When the system received a datagram, on the steady clock: this thread may have had to wait."""
    now_s = time.monotonic()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _TIMESTAMP and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            waited_s = time.time() - (seconds + nanoseconds * 1e-9)
            if 0 <= waited_s < 5:
                return float(now_s - waited_s)
    return now_s


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        receiver = socket.socket(family, kind, number)
    except (OSError, UnicodeError):
        raise Refused("invalid_source", f"The address {host!r} is not one of this machine.", "Use 127.0.0.1.") from None
    with contextlib.suppress(OSError):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    if _TIMESTAMP is not None:
        with contextlib.suppress(OSError):
            receiver.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
    try:
        receiver.bind(address)
    except OSError as error:
        receiver.close()
        raise Refused(
            "source_unavailable",
            f"ReaStream's port {port} cannot be listened on at {host}: {error.strerror}.",
            "Another program may listen there, REAPER itself for instance when a ReaStream plugin receives.",
        ) from None
    return receiver


def _message_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that keep messages apart: ours never waits."""
    kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    for end in (ours, theirs):
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    ours.setblocking(False)
    return ours, theirs
