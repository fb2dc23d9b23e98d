"""A performance as a JSON document in seconds: what a host that has no MIDI file reads and writes.

{"format": "events", "version": 1, "tracks": ["Piano"],
 "notes": [{"onset": 0.0, "offset": 0.5, "pitch": 60, "velocity": 80, "channel": 0, "track": 0, "confidence": 1.0}],
 "controls": [{"time": 0.1, "number": 64, "value": 127}], "programs": [], "pitch_bends": [],
 "tempo_map": {"points": [[0.0, 0.0], [0.5, 1.0]], "meters": [], "keys": []}}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from model_runtime.errors import TooLarge
from model_runtime.files.documents import validated
from model_runtime.files.limits import Limits
from model_runtime.files.storing import content_of, store
from model_runtime.modality import Control, Note, Performance, PitchBend, ProgramChange
from model_runtime.options import TempoMapOption

Seconds = Annotated[float, Field(allow_inf_nan=False)]
SevenBits = Annotated[int, Field(ge=0, le=127)]
Channel = Annotated[int, Field(ge=0, le=15)]


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore")


class NoteEvent(_Event):
    """A note; `onset` and `offset` in seconds, the offset later than the onset; how sure it is to be there."""

    onset: Seconds
    offset: Seconds
    pitch: SevenBits
    velocity: Annotated[int, Field(ge=1, le=127)] = 80
    channel: Channel = 0
    track: Annotated[int, Field(ge=0)] = 0
    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0


class ControlEvent(_Event):
    """A controller change at `time` seconds."""

    time: Seconds
    number: SevenBits
    value: SevenBits
    channel: Channel = 0


class ProgramEvent(_Event):
    """A choice of instrument at `time` seconds."""

    time: Seconds
    program: SevenBits
    channel: Channel = 0


class PitchBendEvent(_Event):
    """A pitch bend at `time` seconds."""

    time: Seconds
    value: Annotated[int, Field(ge=-8192, le=8191)]
    channel: Channel = 0


class EventsDocument(_Event):
    """The document; fields that are unknown are ignored."""

    format: Literal["events"] = "events"
    version: Literal[1] = 1
    tracks: Annotated[list[str], Field(min_length=1)] = [""]
    notes: list[NoteEvent] = []
    controls: list[ControlEvent] = []
    programs: list[ProgramEvent] = []
    pitch_bends: list[PitchBendEvent] = []
    tempo_map: TempoMapOption | None = None


def performance_to_events(performance: Performance) -> EventsDocument:
    """The document that holds a performance, nothing left out."""
    return EventsDocument(
        tracks=list(performance.tracks),
        notes=[
            NoteEvent(
                onset=n.onset_s,
                offset=n.offset_s,
                pitch=n.pitch,
                velocity=n.velocity,
                channel=n.channel,
                track=n.track,
                confidence=round(n.confidence, 3),
            )
            for n in performance.notes
        ],
        controls=[
            ControlEvent(time=c.time_s, number=c.number, value=c.value, channel=c.channel) for c in performance.controls
        ],
        programs=[ProgramEvent(time=p.time_s, program=p.program, channel=p.channel) for p in performance.programs],
        pitch_bends=[PitchBendEvent(time=b.time_s, value=b.value, channel=b.channel) for b in performance.pitch_bends],
        tempo_map=None if performance.tempo_map is None else TempoMapOption.of(performance.tempo_map),
    )


def events_to_performance(document: EventsDocument) -> Performance:
    """The performance that a document holds.

    Raises:
        InvalidValue: a note ends before it starts, or the tempo map does not move forwards.
    """
    return Performance(
        notes=tuple(
            Note(n.onset, n.offset, n.pitch, n.velocity, n.channel, n.track, n.confidence) for n in document.notes
        ),
        controls=tuple(Control(c.time, c.number, c.value, c.channel) for c in document.controls),
        pitch_bends=tuple(PitchBend(b.time, b.value, b.channel) for b in document.pitch_bends),
        programs=tuple(ProgramChange(p.time, p.program, p.channel) for p in document.programs),
        tracks=tuple(document.tracks),
        tempo_map=None if document.tempo_map is None else document.tempo_map.tempo_map(),
    )


def read_events(path: Path, limits: Limits | None = None) -> Performance:
    """Read an events document.

    Raises:
        UnreadableFile: not JSON, or not such a document; the sentence names the first wrong field.
        TooLarge: too many notes.
    """
    document = validated(EventsDocument, content_of(path), "events")
    limits = limits or Limits()
    if len(document.notes) > limits.notes:
        raise TooLarge(f"The document has {len(document.notes):,} notes, and at most {limits.notes:,} are read.")
    return events_to_performance(document)


def write_events(performance: Performance, path: Path) -> None:
    """Write an events document.

    Raises:
        UnwritableFile: no room, no right or no folder.
    """
    store(path, performance_to_events(performance).model_dump_json().encode())
