"""The ZeroMQ door: signed messages for scripts, the command line and other machines.

Four sockets: requests (ROUTER), control (a second ROUTER that never waits behind large requests), events (PUB, topic is
the job's id) and heartbeat (REP, an echo).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from zmq.auth.asyncio import AsyncioAuthenticator

from bridge.doors.curve import CurveFolder, KeyPair, is_loopback
from bridge.doors.door import Door, DoorError, answer, error_of, port_problem, reply_to
from bridge.service import Client, Reply, Service
from protocol import wire
from protocol.messages import CONTROL_TYPES, Content, Error, Message
from protocol.replay import ReplayGuard, SteadyClock

log = logging.getLogger(__name__)

MAX_CONTROL_BYTES = 64 << 10
MAX_HEARTBEAT_BYTES = 256
MAX_IN_FLIGHT = 512  # requests of one socket that are being answered; more wait in ZeroMQ's queue
EVENT_QUEUE = 2000  # events that wait for one slow subscriber; later ones are lost to it, and `status` heals that
LARGE_BYTES = 1 << 20  # from here on, hashing is done in a thread: 1 MiB takes about a millisecond
CLOSING_S = 1.0
ZAP_DOMAIN = "scorebridge"


@dataclass(frozen=True)
class ZeroMQOptions:
    """Where the door listens.

    Attributes:
        ip: Address to bind. Anything but loopback needs `curve_folder`.
        requests_port: 0 is any free port; so with the others.
        curve_folder: See `bridge.doors.curve`; None: not encrypted.
    """

    ip: str = "127.0.0.1"
    requests_port: int = 0
    control_port: int = 0
    events_port: int = 0
    heartbeat_port: int = 0
    curve_folder: Path | None = None


class ZeroMQDoor(Door):
    """Serves a `Service` over ZeroMQ.

    Attributes:
        dropped: What was not answered, by reason: who sent it could not be known.

    Args:
        service: Who answers.
        key: Shared key of the connection file; not empty.
    """

    def __init__(self, service: Service, key: bytes, options: ZeroMQOptions | None = None) -> None:
        self._service = service
        self._key = key
        self._options = options or ZeroMQOptions()
        self._clock = SteadyClock()
        self._guard = ReplayGuard(self._clock)  # one for both sockets: a request is not replayed on the other
        self._context: zmq.asyncio.Context | None = None
        self._sockets: list[zmq.Socket[Any]] = []
        self._loops: list[asyncio.Task[None]] = []
        self._answers: set[asyncio.Task[None]] = set()
        self._authenticator: AsyncioAuthenticator | None = None
        self._curve: CurveFolder | None = None
        self._local_client = KeyPair.new()
        self._unsubscribe: Callable[[], None] | None = None
        self._fields: dict[str, Any] = {}
        self.dropped: Counter[str] = Counter()

    async def start(self) -> None:
        self._check()
        self._context = zmq.asyncio.Context()
        try:
            if self._curve is not None:
                self._authenticate(self._context, self._curve)
            options = self._options
            requests = self._bind(zmq.ROUTER, options.requests_port, "requests", wire.MAX_BUFFER_BYTES)
            control = self._bind(zmq.ROUTER, options.control_port, "control", MAX_CONTROL_BYTES)
            heartbeat = self._bind(zmq.REP, options.heartbeat_port, "heartbeat", MAX_HEARTBEAT_BYTES)
            # A plain socket: publishing never blocks, and an asyncio one would make a future of every event.
            events = self._bind(zmq.PUB, options.events_port, "events", MAX_HEARTBEAT_BYTES, zmq.Socket)
        except BaseException:
            await self.stop()
            raise
        self._run(self._serve(requests, None))
        self._run(self._serve(control, CONTROL_TYPES))
        self._run(self._echo(heartbeat))
        self._unsubscribe = self._service.events.subscribe(lambda event: self._publish(events, event))

    def connection_fields(self) -> dict[str, Any]:
        return dict(self._fields)

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._answers:
            await asyncio.wait(self._answers, timeout=CLOSING_S)
        for task in (*self._loops, *self._answers):
            task.cancel()
        await asyncio.gather(*self._loops, *self._answers, return_exceptions=True)
        if self._authenticator is not None:
            self._authenticator.stop()
        for socket in self._sockets:
            socket.close(linger=int(CLOSING_S * 1000))
        if self._context is not None:
            # Ends when what is queued has been sent or has lingered long enough.
            await asyncio.to_thread(self._context.term)
        self._context, self._authenticator = None, None
        self._loops, self._sockets, self._fields = [], [], {}

    # ---- opening ---------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if not self._key:
            raise DoorError("The ZeroMQ door needs a key.", hint="Let the daemon choose one: leave the setting empty.")
        if self._options.curve_folder is not None:
            self._curve = CurveFolder(self._options.curve_folder)
        elif not is_loopback(self._options.ip):
            raise DoorError(
                f"The ZeroMQ door is not opened on {self._options.ip} without encryption.",
                hint="Configure CURVE keys, or listen on 127.0.0.1.",
            )

    def _authenticate(self, context: zmq.asyncio.Context, folder: CurveFolder) -> None:
        local = self._local_client.public

        class Allowed:
            def callback(self, domain: str, key: bytes) -> bool:
                return key == local or key in folder.allowed()

        self._authenticator = AsyncioAuthenticator(context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(domain=ZAP_DOMAIN, credentials_provider=Allowed())

    def _bind(
        self, kind: int, port: int, name: str, max_bytes: int, socket_class: type[Any] = zmq.asyncio.Socket
    ) -> Any:
        assert self._context is not None
        socket = self._context.socket(kind, socket_class=socket_class)
        self._sockets.append(socket)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, max_bytes)  # ZeroMQ ends the connection of who sends a larger frame
        socket.setsockopt(zmq.SNDHWM, EVENT_QUEUE)
        socket.setsockopt(zmq.HEARTBEAT_IVL, 10_000)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 30_000)
        socket.setsockopt(zmq.IPV6, int(":" in self._options.ip))
        if self._curve is not None:
            socket.setsockopt(zmq.CURVE_SERVER, 1)
            socket.setsockopt(zmq.CURVE_PUBLICKEY, self._curve.server.public)
            socket.setsockopt(zmq.CURVE_SECRETKEY, self._curve.server.secret)
            socket.setsockopt(zmq.ZAP_DOMAIN, ZAP_DOMAIN.encode())
        self._listen(socket, port, name)
        return socket

    def _listen(self, socket: zmq.Socket[Any], port: int, name: str) -> None:
        ip = self._options.ip
        host = f"[{ip}]" if ":" in ip else ip
        try:
            socket.bind(f"tcp://{host}:{port or '*'}")
        except zmq.ZMQError as error:
            problem = OSError(error.errno, error.strerror)
            raise port_problem(problem, ip, port, f"ZeroMQ {name}") from None
        endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
        self._fields[f"{name}_port"] = int(bytes(endpoint).rstrip(b"\0").rpartition(b":")[2])
        self._fields["ip"] = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(ip, ip)
        if self._curve is not None:
            self._fields["curve_key"] = self._curve.server.public.decode()
            self._fields["curve_client_public"] = self._local_client.public.decode()
            self._fields["curve_client_secret"] = self._local_client.secret.decode()

    def _run(self, loop: Coroutine[Any, Any, None]) -> None:
        self._loops.append(asyncio.get_running_loop().create_task(loop))

    # ---- serving ---------------------------------------------------------------------------------------------------

    async def _serve(self, socket: zmq.asyncio.Socket, allowed: frozenset[str] | None) -> None:
        room = asyncio.Semaphore(MAX_IN_FLIGHT)
        while True:
            frames = await socket.recv_multipart()
            await room.acquire()
            task = asyncio.get_running_loop().create_task(self._answer(socket, frames, allowed))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)
            task.add_done_callback(lambda _: room.release())

    async def _answer(self, socket: zmq.asyncio.Socket, frames: list[bytes], allowed: frozenset[str] | None) -> None:
        try:
            identity, _ = wire.split_identity(frames)
        except wire.WireError as error:
            self._drop(error.code)
            return
        try:
            reply = await self._reply(frames, allowed)
            await self._send(socket, identity, reply)
        except wire.WireError as error:
            # The answer itself does not fit on the wire.
            await self._send(socket, identity, Reply(Message.of(error_of(error))))

    async def _reply(self, frames: list[bytes], allowed: frozenset[str] | None) -> Reply:
        try:
            envelope = await self._decoded(frames)
        except wire.WireError as error:
            # Nothing of the header is repeated: it was not checked.
            return Reply(Message.of(error_of(error)))
        message = envelope.message
        try:
            self._guard.check(message.id, envelope.sent_s)
        except wire.WireError as error:
            return reply_to(message, error_of(error))
        if allowed is not None and message.type not in allowed:
            return reply_to(message, _not_control(message.type))
        client = Client(message.session or b"/".join(envelope.identity).hex(), "zeromq")
        return await answer(self._service, message, envelope.buffers, client)

    async def _decoded(self, frames: list[bytes]) -> wire.Envelope:
        if _is_large(frames):
            return await asyncio.to_thread(wire.decode, frames, self._key)
        return wire.decode(frames, self._key)

    async def _send(self, socket: zmq.asyncio.Socket, identity: Sequence[bytes], reply: Reply) -> None:
        def encoded() -> list[bytes]:
            return wire.encode(reply.message, self._key, reply.buffers, identity=identity, sent_s=self._clock.now_s())

        frames = await asyncio.to_thread(encoded) if _is_large(reply.buffers) else encoded()
        # Who has gone is not waited for: a ROUTER drops what it cannot route.
        with contextlib.suppress(zmq.ZMQError):
            await socket.send_multipart(frames)

    async def _echo(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            frames = await socket.recv_multipart()
            await socket.send_multipart(frames[:1])

    def _publish(self, socket: zmq.Socket[Any], event: Message) -> None:
        topic = str(event.content.get("job") or event.content.get("live") or "").encode()
        try:
            frames = wire.encode(event, self._key, identity=[topic], sent_s=self._clock.now_s())
            socket.send_multipart(frames, zmq.NOBLOCK)
        except (wire.WireError, zmq.ZMQError) as error:
            self._drop(f"event: {error}")

    def _drop(self, reason: str) -> None:
        self.dropped[reason] += 1
        if self.dropped[reason] in (1, 10, 100, 1000):
            log.warning("%d ZeroMQ messages were dropped: %s", self.dropped[reason], reason)


def _is_large(frames: Sequence[bytes]) -> bool:
    return sum(len(frame) for frame in frames) > LARGE_BYTES


def _not_control(name: str) -> Content:
    return Error(
        code="not_control",
        message=f"The control socket does not answer {name[:64]!r}.",
        hint=f"It answers {', '.join(sorted(CONTROL_TYPES))}; send everything else to the requests socket.",
    )
