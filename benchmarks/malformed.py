"""Broken frames, datagrams and requests for each of the daemon's doors, and the question whether it still serves.

A third of the inputs is noise. The others begin as proper messages, signed or with the token, so that they get past
the first check: bits are turned, ends cut off, fields given values that they cannot have.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import zmq
import zmq.asyncio

from protocol import osc, slip, wire
from protocol.client import ProtocolError
from protocol.connection import Connection
from protocol.messages import CONTENTS, Hello, Message, Status

PATIENCE_S = 2.0
NASTY_VALUES: tuple[Any, ...] = (None, -1, 1e308, "", "\0", "x" * 5000, [], [[[]]], {}, {"kind": "path"}, True, "../..")

Answer = bytes | None
Ask = Callable[[bytes], Awaitable[Answer]]


async def survived(connection: Connection, count: int, seed: int = 0) -> dict[str, int]:
    """Send `count` broken inputs to each door; after each, a proper question must be answered.

    Returns:
        Door → how many times it was answered.
    """
    chance = random.Random(seed)
    doors: dict[str, Callable[[Connection, random.Random, int], Awaitable[int]]] = {
        "ZeroMQ requests": lambda c, r, n: _zeromq(c, c.requests_port, r, n),
        "ZeroMQ control": lambda c, r, n: _zeromq(c, c.control_port, r, n),
        "OSC over UDP": _osc_udp,
        "OSC over TCP": _osc_tcp,
        "HTTP": _http,
    }
    return {name: await door(connection, chance, count) for name, door in doors.items()}


def broken(proper: bytes, chance: random.Random, count: int) -> Iterator[bytes]:
    """Inputs made from a proper one: noise, turned bits, cut ends, repeated middles."""
    for i in range(count):
        kind = i % 6
        cut = chance.randrange(len(proper))
        if kind in (0, 1):
            yield chance.randbytes(chance.choice((0, 1, 7, 64, 1500, 40_000)))
        elif kind == 2:
            yield proper[:cut]
        elif kind == 3:
            yield proper[:cut] + bytes([proper[cut] ^ 1 << chance.randrange(8)]) + proper[cut + 1 :]
        elif kind == 4:
            yield proper[:cut] + chance.randbytes(chance.randrange(1, 50)) + proper[cut:]
        else:
            yield proper * chance.randrange(2, 6)


def wrong_messages(chance: random.Random) -> Iterator[Message]:
    """Messages that are JSON, but not what they should be; none of them asks the daemon to end."""
    types = [name for name in CONTENTS if name != "shutdown"] + ["", "sing", "x" * 64]
    fields = ["job", "source", "target", "options", "lease", "limit", "version", "name"]
    while True:
        content = {field: chance.choice(NASTY_VALUES) for field in chance.sample(fields, chance.randrange(len(fields)))}
        yield Message(type=chance.choice(types), content=content, version=chance.choice(("1.0", "1.0", "2.0", "")))


# ---- ZeroMQ --------------------------------------------------------------------------------------------------------


async def _zeromq(connection: Connection, port: int, chance: random.Random, count: int) -> int:
    key = connection.key.encode()
    context = zmq.asyncio.Context()
    try:
        answered = 0
        for frames in _broken_frames(key, chance, count):
            with context.socket(zmq.DEALER) as rude:
                rude.linger = 200
                rude.connect(connection.endpoint(port))
                await rude.send_multipart(frames)
            with context.socket(zmq.DEALER) as polite:
                polite.linger = 0
                polite.connect(connection.endpoint(port))
                question = Message.of(Status(job="nobody"))
                await polite.send_multipart(wire.encode(question, key))
                with contextlib.suppress(TimeoutError, ProtocolError):
                    reply = await asyncio.wait_for(polite.recv_multipart(), PATIENCE_S)
                    answered += wire.decode(reply, key).message.parent == question.id
        return answered
    finally:
        context.destroy(linger=0)


def _broken_frames(key: bytes, chance: random.Random, count: int) -> Iterator[list[bytes]]:
    wrong = wrong_messages(chance)
    for i in range(count):
        if i % 3 == 0:
            yield [chance.randbytes(chance.choice((0, 1, 64, 5000))) for _ in range(chance.randrange(1, 8))]
            continue
        frames = wire.encode(next(wrong), key)
        if i % 3 == 1:
            place = chance.randrange(len(frames))
            frames[place] = next(broken(frames[place] or b"x", chance, 1)) if chance.random() < 0.5 else b""
            if chance.random() < 0.3:
                del frames[chance.randrange(len(frames))]
        yield frames or [b""]


# ---- OSC -----------------------------------------------------------------------------------------------------------


async def _osc_udp(connection: Connection, chance: random.Random, count: int) -> int:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    class Listener(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, address: Any) -> None:
            arrived.put_nowait(data)

    transport, _ = await loop.create_datagram_endpoint(Listener, remote_addr=(connection.ip, connection.osc_udp_port))
    answered = 0
    for packet in broken(_osc_hello(connection), chance, count):
        transport.sendto(packet[:60_000])
        transport.sendto(_osc_hello(connection))
        with contextlib.suppress(TimeoutError):
            while not _is_welcome(await asyncio.wait_for(arrived.get(), PATIENCE_S)):
                pass
            answered += 1
    transport.close()
    return answered


async def _osc_tcp(connection: Connection, chance: random.Random, count: int) -> int:
    async def ask(packet: bytes, patience_s: float) -> bytes:
        reader, writer = await asyncio.open_connection(connection.ip, connection.osc_tcp_port)
        try:
            writer.write(packet)
            await writer.drain()
            return await asyncio.wait_for(reader.read(1 << 16), patience_s)
        finally:
            writer.close()

    hello = slip.encode(_osc_hello(connection))
    answered = 0
    for packet in broken(hello, chance, count):
        with contextlib.suppress(TimeoutError, OSError):
            await ask(packet, 0.01)
        with contextlib.suppress(TimeoutError, OSError):
            answered += b"/scorebridge/welcome" in await ask(hello, PATIENCE_S)
    return answered


def _osc_hello(connection: Connection) -> bytes:
    return osc.encode(*osc.write_request(Hello(client="benchmark"), connection.token))


def _is_welcome(packet: bytes) -> bool:
    return packet.startswith(b"/scorebridge/welcome")


# ---- HTTP ----------------------------------------------------------------------------------------------------------


async def _http(connection: Connection, chance: random.Random, count: int) -> int:
    wrong = wrong_messages(chance)
    proper = _http_request(connection, Message.of(Status(job="nobody")).model_dump_json().encode())
    answered = 0
    for i, request in enumerate(broken(proper, chance, count)):
        rude = _http_request(connection, next(wrong).model_dump_json().encode()) if i % 2 else request
        with contextlib.suppress(TimeoutError, OSError):
            await _http_ask(connection, rude, 0.05)
        with contextlib.suppress(TimeoutError, OSError):
            answered += b'"unknown_job"' in await _http_ask(connection, proper, PATIENCE_S)
    return answered


def _http_request(connection: Connection, body: bytes) -> bytes:
    head = [
        "POST /api/message HTTP/1.1",
        f"Host: {connection.ip}:{connection.http_port}",
        f"X-ScoreBridge-Token: {connection.token}",
        "Content-Type: application/json",
        "Connection: close",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


async def _http_ask(connection: Connection, request: bytes, patience_s: float) -> bytes:
    reader, writer = await asyncio.open_connection(connection.ip, connection.http_port)
    try:
        writer.write(request)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), patience_s)
    finally:
        writer.close()
