"""Every request, event and error as a pydantic model: the one schema of all doors.

A `Message` is an envelope; its `content` is one of the models below, chosen by `type`. Unknown fields are ignored,
unknown types are answered with an `error` that names them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from protocol import PROTOCOL_VERSION
from protocol.content import Artefact as Artefact
from protocol.content import Content as Content
from protocol.content import JobId as JobId
from protocol.content import TargetFormat as TargetFormat
from protocol.content import new_id as new_id
from protocol.live import LIVE_CONTENTS
from protocol.live import LiveNote as LiveNote
from protocol.live import LiveStart as LiveStart
from protocol.live import LiveStop as LiveStop
from protocol.live_score import LIVE_SCORE_CONTENTS

# ---- sources -------------------------------------------------------------------------------------------------------


class PathSource(Content):
    """A file on the daemon's machine, or a clip of it.

    Attributes:
        path: Absolute path.
        offset: Start of the clip in seconds of the source.
        duration: Its length in seconds of the source; None: to the end.
        playrate: Speed at which the host plays it; results come back in played seconds.
        reverse: Whether the host plays it backwards.
    """

    kind: Literal["path"] = "path"
    path: str
    offset: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    duration: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    playrate: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    reverse: bool = False


class BytesSource(Content):
    """A file's content, sent with the request.

    Attributes:
        format: Declared format: a file name's ending without the dot ("wav", "mid", "musicxml", "pdf").
        data: Base64, on doors without buffers (HTTP). Over ZeroMQ: None, and the first buffer holds the content.
        name: Name for messages and results, without folders.
    """

    kind: Literal["bytes"] = "bytes"
    format: Annotated[str, Field(pattern=r"^[a-z0-9]{1,12}$")]
    data: str | None = None
    name: str = ""
    offset: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    duration: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    playrate: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    reverse: bool = False


class NotesSource(Content):
    """Notes read by cursor from a notation editor; the document's fields stand in `model_runtime/files/notes.py`."""

    kind: Literal["notes"] = "notes"
    document: dict[str, Any]


class LiveHeardSource(Content):
    """What a live session heard last: its notes, confirmed.

    Attributes:
        live: The session's id; empty: the newest.
        seconds: How much, from now backwards, or from its end.
    """

    kind: Literal["live"] = "live"
    live: str = ""
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0


Source = Annotated[PathSource | BytesSource | NotesSource | LiveHeardSource, Field(discriminator="kind")]


# ---- requests and their answers ------------------------------------------------------------------------------------


class Hello(Content):
    """First words of a client. Answered by `welcome`, or `error` with code `version`."""

    client: str = ""
    version: str = PROTOCOL_VERSION


class EngineInfo(Content):
    """An engine of a direction."""

    name: str
    summary: str = ""
    ready: bool = True
    reason: str = ""
    hint: str = ""
    quality: float = 0.0
    measurements: list[dict[str, Any]] = []


class Direction(Content):
    """One of the twelve directions: the engines that do it at once, or the chain that does it."""

    source: str
    target: str
    ready: bool
    engines: list[EngineInfo] = []
    chain: list[str] = []
    reason: str = ""
    hint: str = ""


class Welcome(Content):
    """Who the daemon is and what it can do.

    Attributes:
        options: JSON schema of `Submit.options`, with names, defaults and ranges.
        limits: Bytes, seconds, pages, notes and queue length it accepts.
        formats: Modality → formats it reads, and formats it writes.
    """

    server: str
    version: str = PROTOCOL_VERSION
    directions: list[Direction] = []
    options: dict[str, Any] = {}
    limits: dict[str, float] = {}
    formats: dict[str, dict[str, list[str]]] = {}


class Submit(Content):
    """Ask for a translation. The client chooses the job's id; submitting it again answers with the present state.

    Attributes:
        target: One format or several; several share the steps that they have in common.
        options: See `Welcome.options`.
        lease: Seconds after which the job is cancelled when nobody asked about it; None: never.
    """

    job: JobId
    source: Source
    target: list[TargetFormat]
    options: dict[str, Any] = {}
    lease: Annotated[float, Field(gt=0)] | None = None

    @field_validator("target", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("target")
    @classmethod
    def _at_least_one(cls, value: list[str]) -> list[str]:
        if not value:
            raise ValueError("name at least one target")
        return list(dict.fromkeys(value))


class Accepted(Content):
    """The job is in the journal. `position` counts the jobs before it."""

    job: str
    position: int = 0


class Rejected(Content):
    """The job was not taken."""

    job: str
    code: str
    message: str
    hint: str = ""


class Status(Content):
    """Ask for a job's state; answered by `state`. Renews the job's lease."""

    job: str


JobPhase = Literal["queued", "running", "done", "failed", "cancelled"]


class State(Content):
    """A job's present state, with its terminal event's content once it has ended."""

    job: str
    phase: JobPhase
    stage: str = ""
    current: float = 0.0
    total: float = 0.0
    position: int = 0
    submitted: float = 0.0
    artefacts: list[Artefact] = []
    engine: str = ""
    warnings: list[str] = []
    timing: dict[str, float] = {}
    code: str = ""
    message: str = ""
    hint: str = ""


class Result(Content):
    """Ask for a finished job's artefact; answered by `result_data` with the content in the first buffer."""

    job: str
    name: str | None = None


class ResultData(Content):
    """An artefact's content: in the first buffer, or base64 in `data` on doors without buffers."""

    job: str
    artefact: Artefact
    data: str | None = None


class Cancel(Content):
    """Ask that a job stops; answered by `state` at once, and by the job's one terminal event."""

    job: str


class Jobs(Content):
    """Ask for the newest jobs; answered by `job_list`."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    active: bool = False


class JobList(Content):
    """The newest jobs first."""

    jobs: list[State]


class Shutdown(Content):
    """Ask the daemon to end: running jobs are cancelled unless `wait`."""

    wait: bool = False


class Ok(Content):
    """Done, nothing more to say."""


class Error(Content):
    """A request that could not be carried out. `code` is stable; `hint` says what to do."""

    code: str
    message: str
    hint: str = ""


# ---- events of a job -----------------------------------------------------------------------------------------------


class Progress(Content):
    """`current` of `total` of a stage is done."""

    job: str
    stage: str
    current: float
    total: float
    message: str = ""


class Partial(Content):
    """An early result: notes found so far, each [onset_s, offset_s, pitch, velocity]."""

    job: str
    notes: list[tuple[float, float, int, int]]


class Done(Content):
    """Terminal: the artefacts are there.

    Attributes:
        engine: Names of the engines used, joined by " → ".
        timing: Seconds: "queued", one for each step, "total".
    """

    job: str
    artefacts: list[Artefact]
    engine: str
    warnings: list[str] = []
    timing: dict[str, float] = {}


class Failed(Content):
    """Terminal: it could not be done."""

    job: str
    code: str
    message: str
    hint: str = ""


class Cancelled(Content):
    """Terminal: it was stopped."""

    job: str
    message: str = "The job was cancelled."


TERMINAL_EVENTS = frozenset({"done", "failed", "cancelled"})

CONTENTS: dict[str, type[Content]] = {
    "hello": Hello,
    "welcome": Welcome,
    "submit": Submit,
    "accepted": Accepted,
    "rejected": Rejected,
    "status": Status,
    "state": State,
    "result": Result,
    "result_data": ResultData,
    "cancel": Cancel,
    "jobs": Jobs,
    "job_list": JobList,
    "shutdown": Shutdown,
    "ok": Ok,
    "error": Error,
    "progress": Progress,
    "partial": Partial,
    "done": Done,
    "failed": Failed,
    "cancelled": Cancelled,
    **LIVE_CONTENTS,
    **LIVE_SCORE_CONTENTS,
}
"""Type name → content model."""

TYPE_NAMES: dict[type[Content], str] = {model: name for name, model in CONTENTS.items()}

CONTROL_TYPES = frozenset({"hello", "status", "cancel", "jobs", "shutdown", "live.stop", "live.status", "live.list"})
"""Requests that the control socket answers, so that they never wait behind work."""


class Message(BaseModel):
    """The envelope.

    Attributes:
        id: Unique for every message; a daemon refuses one that it has seen.
        parent: The id that this message answers, or the job's `submit` for an event.
        session: Chosen by the client once; the daemon repeats it in its answers.
        version: Protocol version of the sender.
        type: Key of `CONTENTS`.
        content: The content as plain JSON values.
    """

    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, Field(min_length=1, max_length=128)] = Field(default_factory=new_id)
    parent: str | None = None
    session: Annotated[str, Field(max_length=128)] = ""
    version: str = PROTOCOL_VERSION
    type: Annotated[str, Field(max_length=64)]
    content: dict[str, Any] = {}

    @classmethod
    def of(cls, content: Content, *, parent: str | None = None, session: str = "") -> Message:
        """Wrap a content model in a fresh envelope."""
        return cls(
            type=TYPE_NAMES[type(content)],
            content=content.model_dump(mode="json"),
            parent=parent,
            session=session,
        )

    def parsed(self) -> Content:
        """The content as its model.

        Raises:
            UnknownType: `type` is not in `CONTENTS`.
            pydantic.ValidationError: a field is missing or out of range.
        """
        model = CONTENTS.get(self.type)
        if model is None:
            raise UnknownType(self.type)
        return model.model_validate(self.content)


class UnknownType(ValueError):
    """A message type that this version does not know."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The message type {name[:64]!r} is not known here.")
        self.name = name
