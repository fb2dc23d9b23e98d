"""What is said about live sessions: part of the schema in `protocol.messages`.

A session listens to one source and tells of each note as soon as it is heard. Times are seconds on the source's clock:
since the first sample (or MIDI message) that the session took from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from protocol.content import Artefact, Content, JobId, TargetFormat, new_id
from protocol.live_places import LiveDestination, LiveSource

# ---- requests and their answers ------------------------------------------------------------------------------------


class LiveStart(Content):
    """Start a live session; answered by `live.started` once the source is open, or `error`.

    The client chooses the session's id; starting it again answers with `live.started` as it stands.

    Attributes:
        source: What to listen to; its short form (`source_fields`) is taken too.
        destinations: Where notes go besides the doors' events; short forms (`destination_fields`) are taken too.
        formats: Files to make when the session ends.
        options: See `Welcome.options`.
        lease: Seconds after which the session is stopped when nobody asked about it; None: never.
    """

    live: JobId = Field(default_factory=new_id)
    source: LiveSource
    destinations: Annotated[list[LiveDestination], Field(max_length=16)] = []
    formats: list[TargetFormat] = ["mid", "musicxml"]
    options: dict[str, Any] = {}
    lease: Annotated[float, Field(gt=0)] | None = None


class LiveStarted(Content):
    """A session listens. Also published as an event.

    Attributes:
        source: What it listens to, for people.
        kind: The source's kind.
        destinations: Where notes go, for people.
        reader: What hears the notes; "MIDI" where the source brings notes itself.
        look_ahead: Seconds of sound after an onset that the reader needs before it can tell of it.
    """

    live: str
    source: str
    kind: str
    destinations: list[str] = []
    reader: str = ""
    look_ahead: float = 0.0


class LiveStop(Content):
    """Stop a live session; answered by `live.ended` once its files are made."""

    live: str


class LiveStatus(Content):
    """Ask how a live session stands; answered by `live.state`. Renews its lease."""

    live: str


LivePhase = Literal["starting", "listening", "stopping", "ended", "failed"]


class LiveState(Content):
    """How a live session stands. Also published as an event, five times a second.

    Attributes:
        position: Seconds that have been listened to, on the source's clock.
        started: When second 0 of the source's clock was, in seconds since 1970; 0 before the first sound.
        level: Loudness of the last moment, root mean square in dB below full scale; -120 is silence.
        peak: Highest sample of the last moment, in the same dB.
        latency: Median seconds, over the last minute, from the arrival of the sound that holds an onset to its note.
        latency_p95: The same for 95 of 100 notes.
        receiving: Whether the source sends at the moment.
        packets, lost, doubled, late, malformed: Of packets or blocks, since the start.
        drift: By how many parts in a million the source's clock runs faster than this machine's; None: not yet known.
        sounding: Notes that sound.
        notes: Notes that were confirmed.
        withdrawn: Notes that were taken back.
        code, message, hint: What stands in the way at the moment, or why it ended.
    """

    live: str
    phase: LivePhase
    source: str = ""
    kind: str = ""
    destinations: list[str] = []
    reader: str = ""
    look_ahead: float = 0.0
    position: float = 0.0
    started: float = 0.0
    level: float = -120.0
    peak: float = -120.0
    latency: float | None = None
    latency_p95: float | None = None
    receiving: bool = False
    packets: int = 0
    lost: int = 0
    doubled: int = 0
    late: int = 0
    malformed: int = 0
    drift: float | None = None
    sounding: int = 0
    notes: int = 0
    withdrawn: int = 0
    code: str = ""
    message: str = ""
    hint: str = ""


class LiveList(Content):
    """Ask for all live sessions that are remembered; answered by `live.sessions`."""


class LiveSessions(Content):
    """The live sessions, the newest first."""

    sessions: list[LiveState]


class LiveSources(Content):
    """Ask what could be listened to; answered by `live.source_list`.

    Attributes:
        kinds: Which kinds of source to look for; empty: all.
    """

    kinds: list[str] = []


class LiveSourceInfo(Content):
    """Something that could be listened to.

    Attributes:
        source: Its short form, for `live.start`; empty where it is not ready.
        name: For people.
        reason: Why it is not ready.
        hint: What to do about that.
    """

    kind: str
    source: str = ""
    name: str
    ready: bool = True
    reason: str = ""
    hint: str = ""


class LiveSourceList(Content):
    """What could be listened to, and what is missing for the rest."""

    sources: list[LiveSourceInfo]


class LiveKeep(Content):
    """Ask for what was just played, as files and notes; answered by `live.kept`. The session goes on, or has ended.

    Attributes:
        seconds: How much, from now backwards; None: everything.
        bars: Only the last so many measures of it, in formats that have measures.
        formats: Files to make; none: the notes alone.
        options: See `Welcome.options`.
    """

    live: str
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 30.0
    bars: Annotated[int, Field(ge=1, le=1000)] | None = None
    formats: list[TargetFormat] = []
    options: dict[str, Any] = {}


class KeptNote(Content):
    """A confirmed note: seconds on the source's clock."""

    onset: float
    offset: float
    pitch: Annotated[int, Field(ge=0, le=127)]
    velocity: Annotated[int, Field(ge=1, le=127)]
    channel: Annotated[int, Field(ge=0, le=15)] = 0
    confidence: float = 1.0


class LiveKept(Content):
    """What was just played.

    Attributes:
        job: The job that made the files (`result` fetches them); empty where none were asked for.
        start: Second of the source's clock at which the files begin.
        started: See `LiveState.started`.
        notes: At most the last 20,000; times on the source's clock, not from `start`.
    """

    live: str
    job: str = ""
    artefacts: list[Artefact] = []
    start: float = 0.0
    started: float = 0.0
    notes: list[KeptNote] = []
    warnings: list[str] = []


# ---- events --------------------------------------------------------------------------------------------------------


class LiveNote(Content):
    """A note of a live session, as it is known now; a later one with the same `note` takes its place.

    Attributes:
        note: Which note of the session, counted from "0".
        phase: "provisional" when it is first heard, "confirmed" once it will not be taken back, "corrected" when it
            changes after that (its end comes this way), "withdrawn" when it was none.
        offset: None while it sounds.
        latency: Seconds from the arrival of the sound that holds the onset to this message; with the first one only.
    """

    live: str
    note: str
    phase: Literal["provisional", "confirmed", "corrected", "withdrawn"]
    onset: float
    offset: float | None = None
    pitch: Annotated[int, Field(ge=0, le=127)]
    velocity: Annotated[int, Field(ge=0, le=127)] = 80
    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0
    channel: Annotated[int, Field(ge=0, le=15)] = 0
    latency: float | None = None


class LiveEnded(Content):
    """A session has ended: the answer to `live.stop`, and the last event of every session.

    Attributes:
        reason: "stopped", "source" (a file is over), "lease" (nobody asked any more), "shutdown" or "failed".
        job: The job that made the files; empty where none were made.
        notes: How many were confirmed.
        duration: Seconds that were listened to.
        code, message, hint: Why it failed; empty where it did not.
    """

    live: str
    reason: Literal["stopped", "source", "lease", "shutdown", "failed"]
    job: str = ""
    artefacts: list[Artefact] = []
    notes: int = 0
    duration: float = 0.0
    started: float = 0.0
    warnings: list[str] = []
    code: str = ""
    message: str = ""
    hint: str = ""


LIVE_CONTENTS: dict[str, type[Content]] = {
    "live.start": LiveStart,
    "live.started": LiveStarted,
    "live.stop": LiveStop,
    "live.status": LiveStatus,
    "live.state": LiveState,
    "live.list": LiveList,
    "live.sessions": LiveSessions,
    "live.sources": LiveSources,
    "live.source_list": LiveSourceList,
    "live.keep": LiveKeep,
    "live.kept": LiveKept,
    "live.note": LiveNote,
    "live.ended": LiveEnded,
}
"""Type name → content model, as in `protocol.messages.CONTENTS`."""
