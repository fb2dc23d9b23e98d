"""Who may speak over HTTP: checked before anything of a request's body is read.

A browser that shows a foreign page can reach loopback ports. Three things keep it out: the `Host` header must name
this machine (a foreign name that was rebound to 127.0.0.1 does not), an `Origin` header must be our own page's, and a
token is needed that foreign pages cannot read.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.doors.page_memory import PageMemory
from protocol.errors import ProtocolError

TOKEN_HEADER = "x-scorebridge-token"
SUBPROTOCOL = "scorebridge"
TOKEN_SUBPROTOCOL = "scorebridge.token."
TICKET_S = 60.0
MAX_TICKETS = 64

PAGE_REQUESTS = frozenset(
    {
        *("hello", "status", "jobs", "cancel", "result"),
        *("live.start", "live.stop", "live.status", "live.list", "live.sources", "live.keep"),
        "live.score",
    }
)
"""What the page's own token allows: looking, fetching results, cancelling, live sessions; no shutdown."""

PAGE_SOURCES = frozenset({"reastream", "soundcard", "jack", "midi"})
"""What a session that the page starts may listen to: no files."""

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class HttpError(ProtocolError):
    """A request that is refused; `status` is HTTP's."""

    def __init__(self, status: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status

    def response(self) -> Response:
        """The refusal as JSON."""
        body = {"code": self.code, "message": self.message, "hint": self.hint}
        return JSONResponse(body, self.status, SECURITY_HEADERS)


class Tokens:
    """The daemon's token, and the page's: a one-time ticket in a link is exchanged for a token that allows less.

    The link's fragment never reaches a server, a log or a `Referer`, but it stays in the browser's history: a ticket
    that was used, or is a minute old, opens nothing.
    """

    def __init__(self, token: str, pages: PageMemory | None = None) -> None:
        self._token = token.encode()
        self._tickets: OrderedDict[str, float] = OrderedDict()
        self._pages = pages or PageMemory()

    def is_full(self, token: str) -> bool:
        """Whether it is the daemon's token."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token)

    def is_page(self, token: str) -> bool:
        """Whether it is the token of an open page."""
        return self._pages.knows(token)

    def issue(self) -> str:
        """A fresh ticket."""
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = time.monotonic() + TICKET_S
        if len(self._tickets) > MAX_TICKETS:
            self._tickets.popitem(last=False)
        return ticket

    def redeem(self, ticket: str) -> str:
        """A page's token for a ticket, once.

        Raises:
            HttpError: the ticket was used, has run out, or never was one.
        """
        end_s = self._tickets.pop(ticket, 0.0)
        if time.monotonic() > end_s:
            raise HttpError(403, "ticket", "This link was used already or has run out.", "Run: scorebridge page")
        token = secrets.token_urlsafe(32)
        self._pages.add(token)
        return token


class Guard:
    """ASGI middleware: host, origin, token and size.

    Args:
        app: What is guarded.
        tokens: Who may speak.
        max_body_bytes: Largest body.
        open_paths: What needs no token.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, max_body_bytes: int, open_paths: Iterable[str]) -> None:
        self._app = app
        self._tokens = tokens
        self._max_body_bytes = max_body_bytes
        self._open_paths = frozenset(open_paths)
        self.hosts: frozenset[str] = frozenset()

    def allow(self, port: int) -> None:
        """Take requests that name this machine and port."""
        self.hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            self._check_address(headers)
            if scope["type"] == "http":
                self._check_request(scope, headers)
        except HttpError as error:
            # For a WebSocket that was not accepted, closing is answered with 403.
            if scope["type"] == "http":
                await error.response()(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": error.message})
            return
        if scope["type"] == "http":
            receive = _Counted(receive, self._max_body_bytes)
        await self._app(scope, receive, send)

    def _check_address(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            raise HttpError(403, "host", "The request was not meant for this machine's ScoreBridge.")
        origins = headers.getlist("origin")
        if any(not origin.startswith("http://") or origin[7:].lower() not in self.hosts for origin in origins):
            raise HttpError(403, "origin", "Other web pages may not talk to ScoreBridge.")

    def _check_request(self, scope: Scope, headers: Headers) -> None:
        if scope["path"] not in self._open_paths:
            token = headers.get(TOKEN_HEADER, "")
            full = self._tokens.is_full(token)
            if not full and not self._tokens.is_page(token):
                raise HttpError(
                    401,
                    "unauthorised",
                    "The token is wrong or missing.",
                    "Send the token of the connection file as X-ScoreBridge-Token.",
                )
            scope.setdefault("state", {})["full"] = full
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_body_bytes:
            raise too_large(self._max_body_bytes)


def too_large(max_bytes: int) -> HttpError:
    """The refusal of a body that is too large."""
    return HttpError(
        413, "too_large", f"The request has more than {max_bytes >> 20} MiB.", "Send large files by their path."
    )


class _Counted:
    """Passes a body on until it becomes too large, whatever its header said."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive = receive
        self._left = max_bytes
        self._max_bytes = max_bytes

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise too_large(self._max_bytes)
        return message
