"""Signed requests and events over ZeroMQ sockets that survive a restart of the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from pydantic import ValidationError

from protocol import wire
from protocol.connection import Connection, connection_path, is_alive, read_connection
from protocol.errors import DaemonError, DaemonNotRunning, DaemonTimeout, ProtocolError
from protocol.messages import Content, Error, Message, Shutdown, UnknownType, new_id
from protocol.replay import SteadyClock

RESTART_S = 10.0  # how long a daemon that went away is waited for
LOOK_S = 0.25  # how often a waiting request looks whether the daemon still lives
EVENT_QUEUE = 10_000
SUBSCRIBE_S = 1.0

Answer = tuple[Message, tuple[bytes, ...]]


class ConnectionLost(DaemonNotRunning):
    """The daemon went away while it was asked."""

    code = "connection_lost"


class Channel:
    """Sockets to one daemon, and who waits at them. Lives in one asyncio loop.

    Args:
        connection: Fixed; None reads the connection file, again whenever it changes.
        timeout_s: How long one answer may take.
        curve: This client's CURVE key pair; None takes the connection's.
    """

    def __init__(
        self, connection: Connection | None, *, timeout_s: float, curve: tuple[str, str] | None = None
    ) -> None:
        self._fixed = connection is not None
        self._path = connection_path()
        self._timeout_s = timeout_s
        self._curve = curve
        self._session = new_id()
        self._clock = SteadyClock()
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._listeners: dict[str, list[asyncio.Queue[Content]]] = {}
        self._context: zmq.asyncio.Context | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._reconnecting = asyncio.Lock()
        self._closed = False
        self._stamp = _stamp(self._path)
        self.connection = connection or read_connection()

    # ---- asking ----------------------------------------------------------------------------------------------------

    async def request(
        self, content: Content, buffers: Sequence[bytes] = (), *, control: bool = False
    ) -> tuple[Content, tuple[bytes, ...]]:
        """Ask, and return the parsed answer with its buffers.

        Every request but `shutdown` may be sent again to a restarted daemon: `submit` is idempotent by its job id.

        Raises:
            DaemonError: the answer is `error`.
            DaemonTimeout: no answer in time.
            DaemonNotRunning: the daemon is gone and did not come back.
        """
        for _ in range(3):
            asked = self.connection
            try:
                message, answer_buffers = await self._exchange(content, buffers, control)
            except ConnectionLost:
                if isinstance(content, Shutdown):
                    raise
                await self._reconnect(asked)
                continue
            answer = _parsed(message)
            if not isinstance(answer, Error):
                return answer, answer_buffers
            if answer.code == "bad_signature":
                await self._reconnect(asked)  # another daemon took over the port
            elif answer.code != "stale":  # the clock has been corrected by now
                raise DaemonError(answer.message, hint=answer.hint, code=answer.code)
        raise DaemonError("The daemon does not accept this client's messages.", hint="Restart the daemon.")

    async def _exchange(self, content: Content, buffers: Sequence[bytes], control: bool) -> Answer:
        await self._open()
        message = Message.of(content, session=self._session)
        frames = await self._encoded(message, buffers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[message.id] = answer
        try:
            await self._send(self._control if control else self._requests, frames)
            return await self._wait(answer)
        finally:
            self._waiting.pop(message.id, None)

    async def _encoded(self, message: Message, buffers: Sequence[bytes]) -> list[bytes]:
        key, sent_s = self.connection.key.encode(), self._clock.now_s()
        if sum(len(buffer) for buffer in buffers) < 1 << 20:
            return wire.encode(message, key, buffers, sent_s=sent_s)
        return await asyncio.to_thread(wire.encode, message, key, buffers, sent_s=sent_s)

    async def _send(self, socket: zmq.asyncio.Socket, frames: list[bytes]) -> None:
        try:
            await asyncio.wait_for(socket.send_multipart(frames, copy=False), self._timeout_s)
        except TimeoutError:
            raise DaemonTimeout("The daemon takes no more messages at the moment.") from None
        except zmq.ZMQError as error:
            raise ConnectionLost("The connection to the daemon was closed.") from error

    async def _wait(self, answer: asyncio.Future[Answer]) -> Answer:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._timeout_s
        while not answer.done():
            left_s = end_s - loop.time()
            if left_s <= 0:
                raise DaemonTimeout(
                    f"The daemon did not answer within {self._timeout_s:g} seconds.",
                    hint="Look at its log, or restart it: scorebridge serve",
                )
            await asyncio.wait([answer], timeout=min(left_s, LOOK_S))
            if not answer.done() and self._gone():
                raise ConnectionLost("The daemon ended while it was asked.")
        return answer.result()

    # ---- listening -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def listen(self, job: str) -> Iterator[asyncio.Queue[Content]]:
        """A queue that receives the events of a job or session; some can be lost, and `status` makes up for it."""
        queue: asyncio.Queue[Content] = asyncio.Queue(EVENT_QUEUE)
        self._listeners.setdefault(job, []).append(queue)
        if self._context is not None:
            self._events.subscribe(job)
        try:
            yield queue
        finally:
            self._listeners[job].remove(queue)
            if not self._listeners[job]:
                del self._listeners[job]
            if self._context is not None:
                self._events.unsubscribe(job)

    async def ready(self) -> None:
        """Connect, and wait until the events' connection stands, so that a subscription arrives before a request."""
        await self._open()
        with contextlib.suppress(TimeoutError):  # who is not there will be missed by the request
            await asyncio.wait_for(self._listening.wait(), SUBSCRIBE_S)

    async def _watch(self, monitor: zmq.asyncio.Socket, connected: asyncio.Event) -> None:
        try:
            await monitor.recv_multipart()
            connected.set()
        finally:
            monitor.close(linger=0)

    # ---- connecting ------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        if self._closed:
            raise ProtocolError("This client was closed.")
        if not self._fixed and _stamp(self._path) != self._stamp:
            await self._reconnect(self.connection)
        if self._context is None:
            self._connect()

    def _connect(self) -> None:
        connection = self.connection
        self._context = zmq.asyncio.Context()
        self._requests, self._control = self._socket(zmq.DEALER), self._socket(zmq.DEALER)
        self._events = self._socket(zmq.SUB)
        for job, queues in self._listeners.items():
            for _ in queues:  # a SUB socket counts subscriptions
                self._events.subscribe(job)
        self._listening = asyncio.Event()
        monitor = self._events.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._start(self._watch(monitor, self._listening))
        self._requests.connect(connection.endpoint(connection.requests_port))
        self._control.connect(connection.endpoint(connection.control_port))
        self._events.connect(connection.endpoint(connection.events_port))
        self._start(self._receive(self._requests))
        self._start(self._receive(self._control))
        self._start(self._receive_events(self._events))

    def _socket(self, kind: int) -> zmq.asyncio.Socket:
        assert self._context is not None
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.IPV6, int(":" in self.connection.ip))
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        if self.connection.curve_key is not None:
            public, secret = self._curve or (self.connection.curve_client_public, self.connection.curve_client_secret)
            if not public or not secret:
                raise ProtocolError("This daemon asks for a CURVE key pair.", hint="Pass curve=(public, secret).")
            socket.setsockopt(zmq.CURVE_SERVERKEY, self.connection.curve_key.encode())
            socket.setsockopt(zmq.CURVE_PUBLICKEY, public.encode())
            socket.setsockopt(zmq.CURVE_SECRETKEY, secret.encode())
        return socket

    def _start(self, task: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(task))

    def _gone(self) -> bool:
        if self._fixed:
            return False
        return _stamp(self._path) != self._stamp or not is_alive(self.connection)

    async def _reconnect(self, lost: Connection) -> None:
        """Leave the daemon that went away and find the one that took its place.

        Raises:
            DaemonNotRunning: none came within `RESTART_S`.
        """
        async with self._reconnecting:
            if self.connection is not lost:
                return  # somebody else who waited has done it
            await self._disconnect(ConnectionLost("The daemon was restarted."))
            if not self._fixed:
                self.connection = await self._found_again()

    async def _found_again(self) -> Connection:
        end_s = asyncio.get_running_loop().time() + RESTART_S
        while True:
            self._stamp = _stamp(self._path)
            try:
                return read_connection()
            except DaemonNotRunning:
                if asyncio.get_running_loop().time() > end_s:
                    raise
            await asyncio.sleep(LOOK_S / 2)

    async def _disconnect(self, reason: ProtocolError) -> None:
        context, self._context = self._context, None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(reason)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if context is not None:
            context.destroy(linger=0)

    async def close(self) -> None:
        """Give back the sockets. Idempotent."""
        self._closed = True
        await self._disconnect(ProtocolError("This client was closed."))

    # ---- receiving -------------------------------------------------------------------------------------------------

    async def _receive(self, socket: zmq.asyncio.Socket) -> None:
        key = self.connection.key.encode()
        while True:
            frames = await socket.recv_multipart()
            try:
                envelope = wire.decode(frames, key)
            except wire.WireError:
                self._resolve_all_lost()  # signed by another daemon: it took over the port
                continue
            message = envelope.message
            if message.type == "error" and message.content.get("code") == "stale":
                self._clock.follow(envelope.sent_s)
            future = self._waiting.get(message.parent or "")
            if future is not None and not future.done():
                future.set_result((message, envelope.buffers))
            elif message.parent is None:
                self._fail_oldest(message)

    def _resolve_all_lost(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionLost("Another daemon answered."))

    def _fail_oldest(self, message: Message) -> None:
        # An answer without a parent is about a message that the daemon could not read: the one that waits longest.
        for future in self._waiting.values():
            if not future.done():
                future.set_result((message, ()))
                return

    async def _receive_events(self, socket: zmq.asyncio.Socket) -> None:
        key = self.connection.key.encode()
        while True:
            frames = await socket.recv_multipart()
            with contextlib.suppress(wire.WireError, ValidationError, UnknownType):
                message = wire.decode(frames, key).message
                content = message.parsed()
                # A subscription is a prefix: job "a" hears "ab" too.
                about = str(message.content.get("live") or message.content.get("job"))
                for queue in self._listeners.get(about, ()):
                    with contextlib.suppress(asyncio.QueueFull):
                        queue.put_nowait(content)


def _parsed(message: Message) -> Content:
    try:
        return message.parsed()
    except (UnknownType, ValidationError) as error:
        raise DaemonError(
            f"The daemon's answer {message.type!r} cannot be understood.",
            hint="Install a client and a daemon of the same version: pip install --upgrade scorebridge",
        ) from error


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, before every request
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
