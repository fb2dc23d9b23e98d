"""How the daemon and a worker process talk: JSON objects over a socket pair, each after its length.

The pair is theirs alone. A worker's standard output is not used for it, because native libraries print.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("!I")
MAX_FRAME_BYTES = 64 << 20


class ChannelBroken(Exception):
    """The other side is gone, or what came is no message."""


def pack(message: dict[str, Any]) -> bytes:
    """A message as bytes."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


def receive(connection: socket.socket) -> dict[str, Any]:
    """Wait for the next message.

    Raises:
        ChannelBroken: the other side closed it.
    """
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    return _parsed(_exactly(connection, _checked(length)))


async def receive_async(reader: asyncio.StreamReader) -> dict[str, Any]:
    """Wait for the next message.

    Raises:
        ChannelBroken: the other side closed it.
    """
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return _parsed(await reader.readexactly(_checked(length)))
    except (asyncio.IncompleteReadError, OSError) as error:
        raise ChannelBroken(str(error)) from error


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        try:
            chunk = connection.recv(min(count - len(received), 1 << 20))
        except OSError as error:
            raise ChannelBroken(str(error)) from error
        if not chunk:
            raise ChannelBroken("closed")
        received += chunk
    return bytes(received)


def _checked(length: int) -> int:
    if length > MAX_FRAME_BYTES:
        raise ChannelBroken(f"a message of {length} bytes")
    return int(length)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise ChannelBroken(f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise ChannelBroken("not a JSON object")
    return message
