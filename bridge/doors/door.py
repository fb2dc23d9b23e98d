"""What all doors share: how one is opened and closed, and how a request becomes an answer."""

from __future__ import annotations

import errno
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from bridge.service import Client, Reply, Service
from protocol import PROTOCOL_VERSION
from protocol.errors import ProtocolError
from protocol.messages import Content, Error, Message

log = logging.getLogger(__name__)


class DoorError(ProtocolError):
    """A door cannot be opened: a port is taken, or what was configured would not be safe."""

    code = "door"


class Door(ABC):
    """A transport. Its ports are known once it is open."""

    @abstractmethod
    async def start(self) -> None:
        """Open it.

        Raises:
            DoorError: a port is taken, or the configuration is not safe.
        """

    @abstractmethod
    def connection_fields(self) -> dict[str, Any]:
        """What the connection file says about it: fields of `protocol.connection.Connection`. Only while it is open."""

    @abstractmethod
    async def stop(self) -> None:
        """Close it; what clients were still to be told is sent first. Idempotent."""


@runtime_checkable
class NoticesDisconnects(Protocol):
    """A service that wants to know when a client's connection has ended (doors whose transport shows it call it)."""

    def disconnected(self, client: Client) -> None:
        """The client is gone; its id will not be used again."""
        ...


def notice_disconnect(service: Service, client: Client) -> None:
    """Tell the service that a client is gone, if it wants to know."""
    if isinstance(service, NoticesDisconnects):
        service.disconnected(client)


async def answer(service: Service, message: Message, buffers: Sequence[bytes], client: Client) -> Reply:
    """Run one request through the service; whatever goes wrong becomes an answer."""
    if message.version.partition(".")[0] != PROTOCOL_VERSION.partition(".")[0]:
        return reply_to(message, wrong_version(message.version))
    try:
        return await service.handle(message, buffers, client)
    except Exception:
        log.exception("the request %s of type %s failed", message.id, message.type)
        return reply_to(
            message,
            Error(
                code="internal",
                message="The daemon could not answer because of a fault of its own.",
                hint="The daemon's log has the details.",
            ),
        )


def wrong_version(theirs: str) -> Error:
    """The refusal of a client whose major version is not ours."""
    ours = PROTOCOL_VERSION.partition(".")[0]
    return Error(
        code="version",
        message=f"This daemon speaks protocol {PROTOCOL_VERSION}, the client speaks {theirs[:20]}.",
        hint=f"Install a client and a daemon of the same major version ({ours}): pip install --upgrade scorebridge",
    )


def reply_to(message: Message, content: Content) -> Reply:
    """An answer to a message."""
    return Reply(Message.of(content, parent=message.id, session=message.session))


def error_of(problem: ProtocolError) -> Error:
    """A protocol exception as a content."""
    return Error(code=problem.code, message=problem.message, hint=problem.hint)


def port_problem(problem: OSError, ip: str, port: int, what: str) -> DoorError:
    """The sentence for an address that cannot be bound."""
    if problem.errno == errno.EADDRINUSE:
        return DoorError(
            f"Port {port} for {what} is in use by another program.",
            hint="Choose another port, or 0 for any free one; `scorebridge serve status` shows a running daemon.",
        )
    if problem.errno == errno.EACCES:
        return DoorError(f"Port {port} for {what} may not be opened by this user.", hint="Choose one above 1023.")
    if problem.errno in (errno.EADDRNOTAVAIL, errno.ENODEV):
        return DoorError(f"The address {ip} for {what} does not belong to this machine.", hint="Use 127.0.0.1.")
    return DoorError(f"The address {ip}:{port} for {what} cannot be opened: {problem.strerror or problem}.")
