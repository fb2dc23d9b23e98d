"""The OSC door: UDP and TCP (SLIP) for workstations, controllers and live use, on this machine alone.

Answers and events of a job go to whoever submitted it, and to nobody else. A target that asks for nothing can be
notified of events: REAPER runs an action when a job is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import socket
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from pydantic import ValidationError

from bridge.doors.curve import is_loopback
from bridge.doors.door import Door, DoorError, answer, error_of, notice_disconnect, port_problem
from bridge.doors.notify import Notify
from bridge.service import Client, Service
from protocol import osc, slip
from protocol.errors import ProtocolError
from protocol.live import LiveStart, LiveStarted
from protocol.messages import TERMINAL_EVENTS, Content, Error, Hello, Message, Rejected, State, Submit, UnknownType

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 64
MAX_IN_FLIGHT = 256
PACKETS_AT_ONCE = 16
LAST_EVENTS = TERMINAL_EVENTS | {"live.ended"}
MAX_FOLLOWED = 10_000  # jobs whose submitter is remembered
MAX_UNREAD_BYTES = 4 << 20  # of a TCP client that does not read; then its connection is ended


@dataclass(frozen=True)
class OscOptions:
    """Where the door listens; port 0 is any free one. Nothing is encrypted, so `ip` is loopback."""

    ip: str = "127.0.0.1"
    udp_port: int = 0
    tcp_port: int = 0
    notify: Sequence[Notify] = ()


class Sender(Protocol):
    """Who asked, and the way back."""

    client: Client

    def send(self, packet: bytes) -> None:
        """Send at once or drop; never waits."""
        ...


@dataclass
class _Follower:
    sender: Sender
    held: list[bytes] | None = field(default_factory=list)  # events that came before the answer to `submit` was sent
    ended: bool = False


class OscDoor(Door):
    """Serves a `Service` over OSC.

    Attributes:
        dropped: What was not answered, by reason.

    Args:
        service: Who answers.
        token: What whoever asks for something has to know; not empty.
    """

    def __init__(self, service: Service, token: str, options: OscOptions | None = None) -> None:
        self._service = service
        self._token = token
        self._options = options or OscOptions()
        self._followers: OrderedDict[str, _Follower] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._datagrams: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[_TcpSender] = set()
        self._unsubscribe: Callable[[], None] | None = None
        self.dropped: Counter[str] = Counter()

    async def start(self) -> None:
        options = self._options
        if not self._token:
            raise DoorError("The OSC door needs a token.", hint="Let the daemon choose one: leave the setting empty.")
        if not is_loopback(options.ip):
            raise DoorError(
                f"The OSC door is not opened on {options.ip}: OSC is not encrypted.", hint="Listen on 127.0.0.1."
            )
        try:
            await self._listen_udp(options.ip, options.udp_port)
            await self._listen_tcp(options.ip, options.tcp_port)
        except BaseException:
            await self.stop()
            raise
        self._unsubscribe = self._service.events.subscribe(self._tell)

    def connection_fields(self) -> dict[str, Any]:
        assert self._datagrams is not None and self._server is not None
        return {
            "osc_udp_port": self._datagrams.get_extra_info("sockname")[1],
            "osc_tcp_port": self._server.sockets[0].getsockname()[1],
        }

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        if self._server is not None:
            await self._server.wait_closed()
        if self._datagrams is not None:
            self._datagrams.close()
        self._datagrams, self._server = None, None

    async def _listen_udp(self, ip: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(ip, port), family=family
            )
        except OSError as error:
            raise port_problem(error, ip, port, "OSC over UDP") from None
        self._datagrams = transport

    async def _listen_tcp(self, ip: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _TcpSender(self), ip, port)
        except OSError as error:
            raise port_problem(error, ip, port, "OSC over TCP") from None

    # ---- requests --------------------------------------------------------------------------------------------------

    def received(self, packet: bytes | ProtocolError, sender: Sender) -> None:
        """Take one packet, or what was wrong with its framing."""
        if isinstance(packet, ProtocolError):
            self._send(sender, [_fail("", packet)])
            return
        try:
            address, arguments = osc.decode(packet)
        except osc.OscError as error:
            self._send(sender, [_fail("", error)])
            return
        if address in osc.ANSWERS:
            self._drop("an answer was sent to the daemon")
        elif len(self._tasks) >= MAX_IN_FLIGHT:
            self._drop("too many requests at once")
        else:
            task = asyncio.get_running_loop().create_task(self._answer(address, arguments, sender))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, address: str, arguments: Sequence[Any], sender: Sender) -> None:
        job = _job_of(address, arguments)
        try:
            request = osc.read_request(address, arguments)
            if not self._admitted(request):
                raise osc.OscError(
                    "The token is wrong or missing.",
                    hint="Send the token of the connection file as first argument.",
                    code="unauthorised",
                )
        except osc.OscError as error:
            self._send(sender, [_fail(job, error, address)])
            return
        follows = isinstance(request.content, Submit | LiveStart)
        if follows:
            self._follow(job, sender)
        reply = await answer(self._service, Message.of(request.content), (), sender.client)
        self._send(sender, _packets(reply.message.parsed(), job, address))
        if follows:
            self._release(job, sender, reply.message.parsed())

    def _admitted(self, request: osc.Request) -> bool:
        if not request.token and isinstance(request.content, Hello):
            return True  # tells name and version, which is not worth a token
        return hmac.compare_digest(request.token.encode("utf-8", "replace"), self._token.encode())

    # ---- events ----------------------------------------------------------------------------------------------------

    def _follow(self, job: str, sender: Sender) -> None:
        present = self._followers.get(job)
        if present is None:
            self._followers[job] = _Follower(sender)
            if len(self._followers) > MAX_FOLLOWED:
                self._followers.popitem(last=False)
        elif present.held is None:
            present.sender = sender  # it asked again, perhaps from another port

    def _release(self, job: str, sender: Sender, reply: Content) -> None:
        follower = self._followers.get(job)
        if follower is None or follower.sender is not sender:
            return
        held, follower.held = follower.held or [], None
        told = isinstance(reply, State) and reply.phase in ("done", "failed", "cancelled")
        if not told:
            self._send(sender, held)
        if told or follower.ended or isinstance(reply, Error | Rejected):
            del self._followers[job]

    def _tell(self, event: Message) -> None:
        try:
            content = event.parsed()
        except (UnknownType, ValidationError):
            return
        self._notify(event, content)
        job = str(event.content.get("live") or event.content.get("job", ""))
        follower = self._followers.get(job)
        if follower is None or isinstance(content, LiveStarted):  # the answer to the request says it
            return
        packets = _packets(content, job, "")
        if follower.held is not None:
            follower.held += packets
            follower.ended |= event.type in LAST_EVENTS
            return
        self._send(follower.sender, packets)
        if event.type in LAST_EVENTS:
            del self._followers[job]

    def _notify(self, event: Message, content: Content) -> None:
        for target in self._options.notify:
            try:
                for packet in target.packets(event, content):
                    if self._datagrams is not None:
                        self._datagrams.sendto(packet, (target.host, target.port))
            except (osc.OscError, OSError, ValueError) as error:
                self._drop(f"notification: {error}")

    def _send(self, sender: Sender, packets: Sequence[bytes]) -> None:
        for packet in packets:
            sender.send(packet)

    def forget(self, sender: Sender) -> None:
        """A connection has ended."""
        for job in [job for job, follower in self._followers.items() if follower.sender is sender]:
            del self._followers[job]
        notice_disconnect(self._service, sender.client)

    def _drop(self, reason: str) -> None:
        self.dropped[reason] += 1
        if self.dropped[reason] in (1, 10, 100, 1000):
            log.warning("%d OSC packets were dropped: %s", self.dropped[reason], reason)

    # ---- used by the transports ------------------------------------------------------------------------------------

    def join(self, connection: _TcpSender) -> bool:
        """Whether there is room for one more TCP connection."""
        if len(self._connections) >= MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        return True

    def leave(self, connection: _TcpSender) -> None:
        """A TCP connection has ended."""
        if connection in self._connections:
            self._connections.discard(connection)
            self.forget(connection)


class _UdpSender:
    """Where one datagram came from."""

    def __init__(self, transport: asyncio.DatagramTransport, address: tuple[Any, ...]) -> None:
        self._transport = transport
        self._address = address
        self.client = Client(f"udp:{address[0]}:{address[1]}", "osc")

    def send(self, packet: bytes) -> None:
        with contextlib.suppress(OSError):
            self._transport.sendto(packet, self._address)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, door: OscDoor) -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's transport is one without being declared as one.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._door.received(data, _UdpSender(self._transport, address))

    def error_received(self, error: Exception) -> None:
        # A client that has gone: the system says so for an earlier datagram of ours.
        log.debug("OSC over UDP: %s", error)


class _TcpSender(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self, door: OscDoor) -> None:
        self._door = door
        self._decoder = slip.SlipDecoder(osc.MAX_PACKET_BYTES)
        self._waiting: deque[bytes | slip.SlipError] = deque()
        self.client = Client("", "osc")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername")[:2]
        self.client = Client(f"tcp:{host}:{port}", "osc")
        if not self._door.join(self):
            full = osc.OscError("Too many programs are connected.", hint="Close one of them.", code="busy")
            self.send(_fail("", full))
            transport.close()

    def data_received(self, data: bytes) -> None:
        idle = not self._waiting
        self._waiting += self._decoder.feed(data)
        if idle and self._waiting:
            self._transport.pause_reading()
            self._take()

    def _take(self) -> None:
        # A few at a time: a stream of tiny packets would keep the loop from everybody else.
        for _ in range(min(PACKETS_AT_ONCE, len(self._waiting))):
            self._door.received(self._waiting.popleft(), self)
        if self._transport.is_closing():
            self._waiting.clear()
        elif self._waiting:
            asyncio.get_running_loop().call_soon(self._take)
        else:
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._door.leave(self)

    def send(self, packet: bytes) -> None:
        if self._transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.write(slip.encode(packet))

    def close(self) -> None:
        """End it, after what was written has been sent."""
        self._transport.close()


_ABOUT_ONE = frozenset(
    osc.PREFIX + name for name in ("submit", "status", "cancel", "live/start", "live/stop", "live/status", "live/keep")
)


def _job_of(address: str, arguments: Sequence[Any]) -> str:
    """The job or session that a request is about, readable even where the request as a whole is not."""
    if address in _ABOUT_ONE and len(arguments) > 1:
        return arguments[1][:128] if isinstance(arguments[1], str) else ""
    return ""


def _packets(content: Content, job: str, request: str) -> list[bytes]:
    packets = []
    for address, arguments in osc.write_answer(content, request):
        named = (job, *arguments[1:]) if job and not arguments[0] else arguments
        try:
            packets.append(osc.encode(address, named))
        except osc.OscError as error:
            packets.append(_fail(job, error, request))
    return packets


def _fail(job: str, problem: ProtocolError, request: str = "") -> bytes:
    (address, arguments), *_ = osc.write_answer(error_of(problem), request[:200])
    return osc.encode(address, (job, *arguments[1:]))
