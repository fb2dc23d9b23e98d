"""The HTTP door, on this machine alone: for MuseScore's scripts and the page."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from bridge.doors.curve import is_loopback
from bridge.doors.door import Door, DoorError, port_problem
from bridge.doors.http_api import MAX_BODY_BYTES, Api
from bridge.doors.page_memory import PageMemory
from bridge.service import Service

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
CLOSING_S = 1


@dataclass(frozen=True)
class HttpOptions:
    """Where the door listens; port 0 is any free one. Nothing is encrypted, so `ip` is loopback.

    `memory` is a file that lets open pages find the next daemon: its port, if it is free, and who they are.
    """

    ip: str = "127.0.0.1"
    port: int = 0
    max_body_bytes: int = MAX_BODY_BYTES
    memory: Path | None = None


class HttpDoor(Door):
    """Serves a `Service` over HTTP and WebSocket, within the daemon's loop.

    Args:
        service: Who answers.
        token: Of the connection file; not empty.
    """

    def __init__(self, service: Service, token: str, options: HttpOptions | None = None) -> None:
        self._service = service
        self._token = token
        self._options = options or HttpOptions()
        self._api: Api | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self) -> None:
        options = self._options
        if not self._token:
            raise DoorError("The HTTP door needs a token.", hint="Let the daemon choose one: leave the setting empty.")
        if not is_loopback(options.ip):
            raise DoorError(
                f"The HTTP door is not opened on {options.ip}: it is not encrypted.", hint="Listen on 127.0.0.1."
            )
        pages = PageMemory(options.memory)
        self._socket = _listening_again(options.ip, options.port, pages.port)
        pages.serve_at(self._socket.getsockname()[1])
        api = self._api = Api(self._service, self._token, options.max_body_bytes, pages)
        api.guard.allow(self._socket.getsockname()[1])
        config = uvicorn.Config(
            api.guard,
            http="h11",
            ws="websockets-sansio",
            ws_max_size=64 << 10,
            lifespan="off",
            loop="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=CLOSING_S,
        )
        self._server = _Server(config)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._socket]))
        await self._server.ready.wait()
        self._unsubscribe = self._service.events.subscribe(api.log.add)

    def connection_fields(self) -> dict[str, Any]:
        assert self._socket is not None
        return {"http_port": self._socket.getsockname()[1]}

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._server is not None and self._serving is not None:
            self._server.end()
            await self._serving
            self._server = self._serving = None
        if self._api is not None:
            self._api.close()
            self._api = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers (the daemon has its own) and without waking ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._ending = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        self.ready.set()
        await self._ending.wait()

    def end(self) -> None:
        """Stop serving."""
        self.should_exit = True
        self._ending.set()


def _listening_again(ip: str, port: int, last_port: int) -> socket.socket:
    """Listen on a port; where any will do, on the last one if it is free."""
    if port == 0 and last_port:
        with contextlib.suppress(DoorError):
            return _listening(ip, last_port)
    return _listening(ip, port)


def _listening(ip: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's delay off; without, an answer waits 40 ms for its second packet.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ip, port))
        # So that the next daemon gets this port although connections of this one linger: both have to say it. Any free
        # port is taken without it, or the system could give one that others wait for.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise port_problem(error, ip, port, "HTTP") from None
    listener.setblocking(False)
    return listener
