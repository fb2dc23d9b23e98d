"""The HTTP door's routes: the protocol's messages as JSON, events by polling and by WebSocket, results as files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bridge.doors.door import answer, notice_disconnect
from bridge.doors.event_log import EventLog, Numbered
from bridge.doors.http_guard import (
    PAGE_REQUESTS,
    PAGE_SOURCES,
    SECURITY_HEADERS,
    SUBPROTOCOL,
    TICKET_S,
    TOKEN_SUBPROTOCOL,
    Guard,
    HttpError,
    Tokens,
)
from bridge.doors.page_memory import PageMemory
from bridge.doors.uploads import Uploads
from bridge.service import Client, Reply, Service
from protocol.live import LiveStart
from protocol.messages import Content, Error, JobList, Jobs, Message, State, Status

MAX_BODY_BYTES = 512 << 20
MAX_WAIT_S = 25.0
FIRST_WORD_S = 5.0  # in which a WebSocket has to send its token
BACKLOG = 1000  # events that a slow WebSocket may be behind

PAGE = {
    "/": "index.html",
    "/live": "live.html",
    **{f"/{name}": name for name in ("page.css", "page.js", "live.css", "live.js")},
    **{f"/{name}": name for name in ("daemon.js", "roll.js", "score.js", "exports.js")},
}
_MEDIA_TYPES = {
    **{"mid": "audio/midi", "musicxml": "application/vnd.recordare.musicxml+xml", "wav": "audio/wav"},
    **{"mxl": "application/vnd.recordare.musicxml", "flac": "audio/flac", "png": "image/png", "pdf": "application/pdf"},
    **{"notes": "application/json", "events": "application/json"},
}
_STATUS = {"unknown_job": 404, "unknown_live": 404, "not_found": 404, "internal": 500, "internal_error": 500}


class Api:
    """Routes over a service.

    Attributes:
        guard: The ASGI application to serve.
        log: Events, numbered.
    """

    def __init__(
        self, service: Service, token: str, max_body_bytes: int = MAX_BODY_BYTES, pages: PageMemory | None = None
    ) -> None:
        self._service = service
        self._tokens = Tokens(token, pages)
        self._uploads = Uploads(max_body_bytes)
        self.log = EventLog()
        routes = [
            *(Route(path, self._page, methods=["GET"]) for path in PAGE),
            Route("/api/message", self._message, methods=["POST"]),
            Route("/api/uploads", self._upload, methods=["POST"]),
            Route("/api/jobs", self._jobs, methods=["GET"]),
            Route("/api/jobs/{job}", self._job, methods=["GET"]),
            Route("/api/jobs/{job}/events", self._job_events, methods=["GET"]),
            Route("/api/jobs/{job}/artefacts/{name}", self._artefact, methods=["GET"]),
            Route("/api/tickets", self._ticket, methods=["POST"]),
            Route("/api/session", self._session, methods=["POST"]),
            WebSocketRoute("/api/events", self._events),
        ]
        handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
            HttpError: _refused,
            HTTPException: _not_found,
            ClientDisconnect: _not_found,
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        self.guard = Guard(app, self._tokens, max_body_bytes, [*PAGE, "/api/session"])

    def close(self) -> None:
        """Remove what was uploaded and not used."""
        self._uploads.close()

    # ---- messages --------------------------------------------------------------------------------------------------

    async def _message(self, request: Request) -> Response:
        try:
            message = Message.model_validate_json(await request.body())
        except ValidationError as error:
            raise HttpError(400, "bad_message", "The body is not a message as JSON.") from error
        if not request.state.full and message.type not in PAGE_REQUESTS:
            raise HttpError(403, "not_for_pages", f"The page may not ask for {message.type[:64]!r}.")
        if not request.state.full and message.type == "live.start":
            _check_page_session(message)
        reply = await self._ask(request, message, await self._uploaded(message))
        return Response(reply.message.model_dump_json(), media_type="application/json", headers=SECURITY_HEADERS)

    async def _uploaded(self, message: Message) -> Sequence[bytes]:
        source = message.content.get("source")
        if message.type == "submit" and isinstance(source, dict) and isinstance(source.get("upload"), str):
            return (await self._uploads.take(source["upload"]),)
        return ()

    async def _upload(self, request: Request) -> Response:
        self._only_full(request)
        file_format = request.query_params.get("format", "").lower().lstrip(".")
        if not re.fullmatch("[a-z0-9]{1,12}", file_format):
            raise HttpError(400, "invalid_value", "The upload's format is missing.", "Add ?format=wav to the address.")
        name = request.query_params.get("name", "")[:255]
        upload = await self._uploads.store(request.stream())
        source = {"kind": "bytes", "format": file_format, "name": name, "upload": upload}
        return _json({"source": source})

    async def _jobs(self, request: Request) -> Response:
        wanted = Jobs(limit=_number(request, "limit", 50, 1, 1000), active=bool(_number(request, "active", 0, 0, 1)))
        listed = await self._content(request, wanted)
        return _json({"jobs": [state.model_dump(mode="json") for state in _checked(listed, JobList).jobs]})

    async def _job(self, request: Request) -> Response:
        return _json((await self._state(request)).model_dump(mode="json"))

    async def _job_events(self, request: Request) -> Response:
        """Events later than `after`, waiting up to `wait` seconds for one; always with the job's present state."""
        job = request.path_params["job"]
        after = _number(request, "after", 0, 0, 1 << 62)
        if request.query_params.get("epoch", self.log.epoch) != self.log.epoch:
            after = 0  # numbers of an earlier run of the daemon
        end_s = asyncio.get_running_loop().time() + _number(request, "wait", 0, 0, int(MAX_WAIT_S))
        state = await self._state(request)
        while not (events := self.log.of_job(job, after)) and state.phase in ("queued", "running"):
            left_s = end_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.log.changed(), left_s)
            state = await self._state(request)
        return _json(
            {
                "epoch": self.log.epoch,
                "next": events[-1].sequence if events else after,
                "events": [_numbered(event) for event in events],
                "state": state.model_dump(mode="json"),
            }
        )

    async def _artefact(self, request: Request) -> Response:
        state = await self._state(request)
        for artefact in state.artefacts:
            if artefact.name == request.path_params["name"]:
                # Never shown in place: an SVG in our origin could run script.
                disposition = f"attachment; filename*=utf-8''{quote(artefact.name, safe='')}"
                kind = _MEDIA_TYPES.get(artefact.format, "application/octet-stream")
                headers = {**SECURITY_HEADERS, "Content-Disposition": disposition}
                return FileResponse(artefact.path, headers=headers, media_type=kind)
        raise HttpError(404, "unknown_artefact", "The job has no artefact of that name.")

    async def _state(self, request: Request) -> State:
        state: State = _checked(await self._content(request, Status(job=request.path_params["job"])), State)
        return state

    async def _content(self, request: Request, content: Content) -> Content:
        reply = await self._ask(request, Message.of(content), ())
        return reply.message.parsed()

    async def _ask(self, request: Request, message: Message, buffers: Sequence[bytes]) -> Reply:
        peer = request.client or ("?", 0)
        client = Client(f"http:{message.session or f'{peer[0]}:{peer[1]}'}", "http")
        return await answer(self._service, message, buffers, client)

    # ---- the event stream ------------------------------------------------------------------------------------------

    async def _events(self, socket: WebSocket) -> None:
        offered = socket.scope.get("subprotocols", [])
        tokens = [name.removeprefix(TOKEN_SUBPROTOCOL) for name in offered if name.startswith(TOKEN_SUBPROTOCOL)]
        if tokens and not self._may_listen(tokens[0]):
            await socket.close(1008)
            return
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        word: dict[str, Any] = dict(socket.query_params)
        try:
            if not tokens:
                word |= await self._first_word(socket)
            await self._stream(socket, word.get("since"), word.get("epoch"))
        except HttpError as error:
            await socket.close(4401, error.message)
        except (WebSocketDisconnect, RuntimeError):
            return
        finally:
            if session := word.get("session"):
                notice_disconnect(self._service, Client(f"http:{session}", "http"))

    def _may_listen(self, token: str) -> bool:
        return self._tokens.is_full(token) or self._tokens.is_page(token)

    async def _first_word(self, socket: WebSocket) -> dict[str, Any]:
        refused = HttpError(401, "unauthorised", "The token is wrong or missing.")
        try:
            word = json.loads(await asyncio.wait_for(socket.receive_text(), FIRST_WORD_S))
        except (ValueError, KeyError, TimeoutError, RecursionError):
            raise refused from None
        if not isinstance(word, dict) or not self._may_listen(str(word.get("token", ""))):
            raise refused
        return word

    async def _stream(self, socket: WebSocket, since: Any, epoch: Any) -> None:
        sent = self.log.last
        if epoch == self.log.epoch and str(since).isdecimal():
            sent = min(int(str(since)[:18]), self.log.last)
        _, lost = self.log.after(sent)
        await socket.send_json(
            {"epoch": self.log.epoch, "seq": sent, "lost": lost or epoch not in (None, self.log.epoch)}
        )
        gone = asyncio.ensure_future(_until_gone(socket))
        try:
            while not gone.done():
                events, _ = self.log.after(sent)
                if len(events) > BACKLOG:
                    await socket.close(1013, "Too slow: connect again with since.")
                    return
                for event in events:
                    await socket.send_json(_numbered(event))
                    sent = event.sequence
                if not events:
                    news = asyncio.ensure_future(self.log.changed())
                    await asyncio.wait({news, gone}, return_when=asyncio.FIRST_COMPLETED)
                    news.cancel()
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    # ---- the page --------------------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        name = PAGE[request.url.path]
        kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
        body = resources.files("bridge.page").joinpath(name).read_bytes()
        port = request.headers["host"].rpartition(":")[2]
        # 'self' covers WebSockets only in newer browsers; an IPv6 address cannot be said in a policy.
        streams = f"ws://127.0.0.1:{port} ws://localhost:{port}"
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"connect-src 'self' {streams}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {**SECURITY_HEADERS, "Content-Security-Policy": policy}
        return Response(body, headers=headers, media_type=kinds[name.rpartition(".")[2]])

    async def _ticket(self, request: Request) -> Response:
        self._only_full(request)
        ticket = self._tokens.issue()
        host = request.headers["host"]
        return _json({"ticket": ticket, "url": f"http://{host}/#ticket={ticket}", "expires_s": TICKET_S})

    async def _session(self, request: Request) -> Response:
        try:
            ticket = json.loads(await request.body())["ticket"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise HttpError(400, "bad_message", 'The body is not {"ticket": …}.') from None
        return _json({"token": self._tokens.redeem(str(ticket))})

    def _only_full(self, request: Request) -> None:
        if not request.state.full:
            raise HttpError(403, "not_for_pages", "The page may not ask for this.")


def _check_page_session(message: Message) -> None:
    """See that a session that the page starts reads no file and sends nothing to other machines.

    Raises:
        HttpError: it would.
    """
    try:
        wanted = LiveStart.model_validate(message.content)
    except ValidationError:
        return  # the answer will say what is wrong with it
    if wanted.source.kind not in PAGE_SOURCES:
        raise HttpError(403, "not_for_pages", "The page may not start sessions that read files.", "scorebridge live")
    hosts = [getattr(destination, "host", "localhost") for destination in wanted.destinations]
    if any(host not in ("localhost", "127.0.0.1", "::1") for host in hosts):
        raise HttpError(403, "not_for_pages", "The page may not send notes to other machines.", "scorebridge live")


async def _until_gone(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, KeyError):
        while True:
            await socket.receive_text()  # nothing is expected; read so that the end is noticed


def _numbered(event: Numbered) -> dict[str, Any]:
    return {"seq": event.sequence, "message": event.message.model_dump(mode="json")}


def _checked(content: Content, kind: type[Any]) -> Any:
    if isinstance(content, kind):
        return content
    if isinstance(content, Error):
        raise HttpError(_STATUS.get(content.code, 400), content.code, content.message, content.hint)
    raise HttpError(500, "internal", "The daemon's answer was not the expected one.")


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
        raise HttpError(400, "invalid_value", f"{name} is not a whole number from {least} to {most}.")
    return int(text)


def _json(value: Any) -> Response:
    return JSONResponse(value, headers=SECURITY_HEADERS)


async def _refused(request: Request, error: Any) -> Response:
    return error.response()  # type: ignore[no-any-return]


async def _not_found(request: Request, error: Any) -> Response:
    status = getattr(error, "status_code", 400)
    names = {404: "There is nothing at this address.", 405: "This address does not take that method."}
    return HttpError(status, "not_found", names.get(status, "The request cannot be answered.")).response()
