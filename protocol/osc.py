"""Message ⇄ OSC address and arguments, and packets of them (OSC 1.0 and 1.1, encoded by python-osc).

Whatever the daemon says has the job's id as its first argument, or an empty string where no job is meant. What asks
for something has the token as its first argument. `docs/protocol.md` lists every address.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any

from pydantic import ValidationError

from protocol.errors import ProtocolError
from protocol.live import (
    LiveEnded,
    LiveKeep,
    LiveKept,
    LiveList,
    LiveNote,
    LiveSessions,
    LiveSourceInfo,
    LiveSourceList,
    LiveSources,
    LiveStart,
    LiveStarted,
    LiveState,
    LiveStatus,
    LiveStop,
)
from protocol.live_score import LiveBars, LiveTempo
from protocol.messages import (
    Accepted,
    Artefact,
    Cancel,
    Cancelled,
    Content,
    Done,
    Error,
    Failed,
    Hello,
    JobList,
    Jobs,
    Ok,
    Partial,
    Progress,
    Rejected,
    Shutdown,
    State,
    Status,
    Submit,
    Welcome,
)

PREFIX = "/scorebridge/"
MAX_PACKET_BYTES = 60_000  # a UDP datagram holds 65,507
MAX_TEXT = 4096  # the longest path
INT32 = range(-(1 << 31), 1 << 31)

Argument = str | int | float | bool | bytes
Arguments = tuple[Argument, ...]

ANSWERS = frozenset(
    PREFIX + name
    for name in (
        *("welcome", "accepted", "state", "joblist", "ok", "fail"),
        *("progress", "partial", "done", "cancelled"),
        *("live/started", "live/state", "live/sessions", "live/found", "live/kept", "live/note", "live/ended"),
    )
)
"""Addresses that the daemon sends. A daemon never answers them: two daemons would talk for ever."""


class OscError(ProtocolError):
    """The packet is not OSC, or not one of our requests."""

    code = "bad_packet"


@dataclass(frozen=True)
class Request:
    """A request as it came in.

    Attributes:
        token: First argument; empty where it was left out.
        content: What is asked.
    """

    token: str
    content: Content


# ---- packets -------------------------------------------------------------------------------------------------------


def encode(address: str, arguments: Sequence[Argument]) -> bytes:
    """An OSC message as bytes.

    Raises:
        OscError: a value cannot be said in OSC, or the packet becomes too large.
    """
    from pythonosc.osc_message_builder import BuildError, OscMessageBuilder

    builder = OscMessageBuilder(address)
    for value in arguments:
        builder.add_arg(value.replace("\0", "") if isinstance(value, str) else value, _type_tag(value))
    try:
        packet: bytes = builder.build().dgram
    except (BuildError, ValueError) as error:
        raise OscError("The message cannot be said in OSC.") from error
    if len(packet) > MAX_PACKET_BYTES:
        raise OscError(f"The message has more than {MAX_PACKET_BYTES} bytes.")
    return packet


def decode(packet: bytes) -> tuple[str, tuple[Any, ...]]:
    """Address and arguments of an OSC message.

    Raises:
        OscError: it is a bundle, too large, or not OSC.
    """
    from pythonosc.osc_message import OscMessage

    if len(packet) > MAX_PACKET_BYTES:
        raise OscError(f"The packet has more than {MAX_PACKET_BYTES} bytes.")
    if packet.startswith(b"#bundle\0"):
        raise OscError("Bundles are not taken.", hint="Send each message in a packet of its own.")
    if not packet.startswith(b"/") or len(packet) % 4:
        raise OscError("The packet is not an OSC message.")
    try:
        message = OscMessage(packet)
        address, arguments = str(message.address), tuple(message.params)
    except Exception as error:  # the parser lets several kinds of errors through for broken packets
        raise OscError("The packet is not an OSC message.") from error
    return address, arguments


def _type_tag(value: Argument) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int):
        return "i" if value in INT32 else "h"
    if isinstance(value, float):
        return "f"
    return "b" if isinstance(value, bytes) else "s"


# ---- requests ------------------------------------------------------------------------------------------------------


def read_request(address: str, arguments: Sequence[Any]) -> Request:
    """Understand a request.

    Raises:
        OscError: the address is not known, or an argument is missing or of the wrong type.
    """
    reader = _REQUESTS.get(address)
    if reader is None:
        raise OscError(f"The address {address[:100]} is not known.", hint=f"Known are {', '.join(_REQUESTS)}.")
    take = _Reader(address, arguments)
    token = take.text("token", default="" if address == PREFIX + "hello" else None)
    try:
        return Request(token, reader(take))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise OscError(f"{address}: {field} is not valid: {first['msg']}.", code="invalid_value") from error


def write_request(content: Content, token: str) -> tuple[str, Arguments]:
    """A request as address and arguments.

    Raises:
        OscError: OSC has no address for it.
    """
    if isinstance(content, Submit):
        return PREFIX + "submit", _submit_arguments(content, token)
    if isinstance(content, Hello):
        return PREFIX + "hello", (token,)
    if isinstance(content, Status):
        return PREFIX + "status", (token, content.job)
    if isinstance(content, Cancel):
        return PREFIX + "cancel", (token, content.job)
    if isinstance(content, Jobs):
        return PREFIX + "jobs", (token, content.limit, int(content.active))
    if isinstance(content, Shutdown):
        return PREFIX + "shutdown", (token, int(content.wait))
    if isinstance(content, LiveTempo):
        fields = (content.tempo_map or {}) | ({} if content.at is None else {"at": content.at})
        return PREFIX + "live/tempo", (token, content.live, json.dumps(fields))
    if isinstance(content, LiveStart):
        return PREFIX + "live/start", _live_start_arguments(content, token)
    if isinstance(content, LiveStop | LiveStatus):
        return PREFIX + f"live/{'stop' if isinstance(content, LiveStop) else 'status'}", (token, content.live)
    if isinstance(content, LiveList):
        return PREFIX + "live/list", (token,)
    if isinstance(content, LiveSources):
        return PREFIX + "live/sources", (token, *content.kinds)
    if isinstance(content, LiveKeep):
        seconds = -1.0 if content.seconds is None else content.seconds
        rest = {"options": content.options} | ({} if content.bars is None else {"bars": content.bars})
        return PREFIX + "live/keep", (token, content.live, seconds, ",".join(content.formats), json.dumps(rest))
    raise OscError(f"OSC has no address for {type(content).__name__}.")


class _Reader:
    """Takes arguments one after the other, with a sentence for each that does not fit."""

    def __init__(self, address: str, arguments: Sequence[Any]) -> None:
        self._address = address
        self._arguments = arguments
        self._position = 0

    def text(self, name: str, default: str | None = None) -> str:
        return str(self._take(name, str, "text", default))

    def whole(self, name: str, default: int | None = None) -> int:
        return int(self._take(name, int, "a whole number", default))

    def number(self, name: str, default: float | None = None) -> float:
        return float(self._take(name, int | float, "a number", default))

    def rest(self) -> list[str]:
        """What is left, as text."""
        left = [str(value) for value in self._arguments[self._position :]]
        self._position = len(self._arguments)
        return left

    def _take(self, name: str, kind: type | UnionType, what: str, default: Any) -> Any:
        if self._position >= len(self._arguments):
            if default is None:
                raise OscError(f"{self._address} lacks its argument {self._position + 1}, {name}.")
            return default
        value = self._arguments[self._position]
        self._position += 1
        if not isinstance(value, kind):
            raise OscError(f"{self._address}: argument {self._position}, {name}, is not {what}.")
        return value


def _read_submit(take: _Reader) -> Submit:
    job, path, target = take.text("job"), take.text("path"), take.text("target")
    options = _json_object(take.text("options", default="{}") or "{}")
    source: Any = {**_object(options.pop("clip", {})), "kind": "path", "path": path}
    if path.startswith("{"):  # not a path but a source in full: notes from an editor
        source = _json_object(path)
    targets = [name.strip() for name in target.split(",")]
    lease = options.pop("lease", None)
    return Submit.model_validate({"job": job, "source": source, "target": targets, "options": options, "lease": lease})


def _submit_arguments(content: Submit, token: str) -> Arguments:
    options: dict[str, Any] = dict(content.options)
    if content.lease is not None:
        options["lease"] = content.lease
    source = content.source.model_dump(mode="json")
    if source["kind"] == "path":
        path = source["path"]
        options["clip"] = {name: source[name] for name in ("offset", "duration", "playrate", "reverse")}
    else:
        path = json.dumps(source)
    return token, content.job, path, ",".join(content.target), json.dumps(options)


def _read_live_start(take: _Reader) -> LiveStart:
    live, source = take.text("live"), take.text("source")
    destinations = [part for part in take.text("destinations", default="").split(",") if part]
    options = _json_object(take.text("options", default="{}") or "{}")
    fields: dict[str, Any] = {"live": live, "source": source, "destinations": destinations}
    if source.startswith("{"):
        fields["source"] = _json_object(source)
    fields |= {name: options.pop(name) for name in ("destinations", "formats", "lease") if name in options}
    return LiveStart.model_validate({**fields, "options": options})


def _live_start_arguments(content: LiveStart, token: str) -> Arguments:
    fields = content.model_dump(mode="json")
    options = {**content.options, **{name: fields[name] for name in ("destinations", "formats", "lease")}}
    return token, content.live, json.dumps(fields["source"]), "", json.dumps(options)


def _read_live_keep(take: _Reader) -> LiveKeep:
    live, seconds = take.text("live"), take.number("seconds", default=30.0)
    formats = [part for part in take.text("formats", default="").split(",") if part]
    rest = _json_object(take.text("options", default="{}") or "{}")
    return LiveKeep.model_validate(
        {**rest, "live": live, "seconds": None if seconds < 0 else seconds, "formats": formats}
    )


def _read_live_tempo(take: _Reader) -> LiveTempo:
    live, fields = take.text("live"), _json_object(take.text("tempo map", default="{}") or "{}")
    at = fields.pop("at", None)  # in the JSON, because OSC's own numbers are too coarse for it
    return LiveTempo.model_validate({"live": live, "tempo_map": fields or None, "at": at})


def _json_object(text: str) -> dict[str, Any]:
    try:
        return _object(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise OscError("The options are not JSON.") from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OscError("The options are not a JSON object.")
    return value


_REQUESTS: dict[str, Callable[[_Reader], Content]] = {
    PREFIX + "hello": lambda take: Hello(client="osc"),
    PREFIX + "submit": _read_submit,
    PREFIX + "status": lambda take: Status(job=take.text("job")),
    PREFIX + "cancel": lambda take: Cancel(job=take.text("job")),
    PREFIX + "jobs": lambda take: Jobs(limit=take.whole("limit", 20), active=bool(take.whole("active", 0))),
    PREFIX + "shutdown": lambda take: Shutdown(wait=bool(take.whole("wait", 0))),
    PREFIX + "live/start": _read_live_start,
    PREFIX + "live/stop": lambda take: LiveStop(live=take.text("live")),
    PREFIX + "live/status": lambda take: LiveStatus(live=take.text("live")),
    PREFIX + "live/list": lambda take: LiveList(),
    PREFIX + "live/sources": lambda take: LiveSources(kinds=take.rest()),
    PREFIX + "live/keep": _read_live_keep,
    PREFIX + "live/tempo": _read_live_tempo,
}


# ---- answers and events --------------------------------------------------------------------------------------------


def write_answer(content: Content, request: str = "") -> list[tuple[str, Arguments]]:
    """An answer or event as addresses and arguments: one message, or several for a list of jobs.

    Args:
        content: What is said.
        request: Address of the request that could not be carried out, for `fail`.

    Raises:
        OscError: OSC has no address for it.
    """
    if isinstance(content, JobList):
        states = [message for state in content.jobs for message in write_answer(state)]
        return [(PREFIX + "joblist", ("", len(content.jobs))), *states]
    if isinstance(content, LiveSessions):
        states = [message for live_state in content.sessions for message in write_answer(live_state)]
        return [(PREFIX + "live/sessions", ("", len(content.sessions))), *states]
    if isinstance(content, LiveSourceList):
        return [(PREFIX + "live/found", _found(source)) for source in content.sources]
    name, arguments = _answer(content, request)
    return [(PREFIX + name, tuple(_shortened(value) for value in arguments))]


def _answer(content: Content, request: str) -> tuple[str, Sequence[Argument]]:
    match content:
        case Welcome():
            return "welcome", ("", content.server, content.version)
        case Ok():
            return "ok", ("",)
        case Error():
            return "fail", ("", content.code, content.message, content.hint, request)
        case Rejected():
            return "fail", (content.job, content.code, content.message, content.hint, request)
        case Failed():
            return "fail", (content.job, content.code, content.message, content.hint, "")
        case Accepted():
            return "accepted", (content.job, content.position)
        case Progress():
            progress = (content.stage, _finite(content.current), _finite(content.total), content.message)
            return "progress", (content.job, *progress)
        case Partial():
            notes = [value for note in content.notes[-200:] for value in note]
            return "partial", (content.job, *notes)
        case Done():
            files = _files(content.artefacts)
            return "done", (content.job, content.engine, "\n".join(content.warnings), *files)
        case Cancelled():
            return "cancelled", (content.job, content.message)
        case State():
            progress = (content.stage, _finite(content.current), _finite(content.total), content.message)
            return "state", (content.job, content.phase, *progress, content.position, *_files(content.artefacts))
        case LiveNote():
            return "live/note", _live_note(content)
        case LiveStarted():
            destinations = ", ".join(content.destinations)
            return "live/started", (content.live, content.source, content.reader, destinations, content.look_ahead)
        case LiveState():
            return "live/state", _live_state(content)
        case LiveKept():
            return "live/kept", (
                content.live,
                content.job,
                content.start,
                len(content.notes),
                *_files(content.artefacts),
            )
        case LiveBars():
            meter = (content.numerator, content.denominator, content.fifths, content.mode)
            return "live/bars", (content.live, content.last, *meter, content.tempo, content.seconds)
        case LiveEnded():
            ended = (content.reason, content.notes, content.duration, content.message, content.hint)
            return "live/ended", (content.live, *ended, *_files(content.artefacts))
    raise OscError(f"OSC has no address for {type(content).__name__}.")


def _files(artefacts: Sequence[Artefact]) -> list[Argument]:
    return [value for artefact in artefacts for value in (artefact.format, artefact.path)]


def _live_note(note: LiveNote) -> Arguments:
    offset = -1.0 if note.offset is None else note.offset  # it still sounds
    return (note.live, note.note, note.phase, note.onset, offset, note.pitch, note.velocity, note.confidence)


def _live_state(state: LiveState) -> Arguments:
    latency = -1.0 if state.latency is None else state.latency  # not yet known
    drift = 0.0 if state.drift is None else state.drift
    measures = (state.position, state.level, latency, state.lost, drift, state.sounding, state.notes)
    return (state.live, state.phase, *measures, int(state.receiving), state.message, state.hint)


def _found(source: LiveSourceInfo) -> Arguments:
    return ("", source.kind, source.source, source.name, int(source.ready), source.reason, source.hint)


def keyboard_note(pitch: int, velocity: int, channel: int = 0) -> tuple[str, Arguments]:
    """A note as REAPER's virtual keyboard takes it: `velocity` 0 ends it."""
    return f"/vkb_midi/{channel}/note/{pitch}", (velocity,)


def _shortened(value: Argument) -> Argument:
    return value[:MAX_TEXT] if isinstance(value, str) else value


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
