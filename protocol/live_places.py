"""Where a live session listens, and where its notes go: part of the schema in `protocol.messages`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from protocol.content import Content

REASTREAM_PORT = 58710
REAPER_PORT = 8000

Port = Annotated[int, Field(ge=1, le=65535)]

# ---- sources -------------------------------------------------------------------------------------------------------


class ReaStreamSource(Content):
    """Sound or MIDI that REAPER's ReaStream plugin sends over UDP.

    Attributes:
        identifier: The sender's, as it stands in the plugin's window; empty: whoever is heard first.
        carries: What is listened to; a sender may send both.
        host: Address to listen on; "0.0.0.0" hears other machines too.
        port: UDP port.
    """

    kind: Literal["reastream"] = "reastream"
    identifier: Annotated[str, Field(max_length=32)] = ""
    carries: Literal["audio", "midi"] = "audio"
    host: str = "127.0.0.1"
    port: Port = REASTREAM_PORT


class SoundCardSource(Content):
    """An input of the sound card.

    Attributes:
        device: Its name or a part of it; empty: the system's default input.
        channels: Which channels are mixed, counted from 1; empty: all of them.
    """

    kind: Literal["soundcard"] = "soundcard"
    device: str = ""
    channels: list[Annotated[int, Field(ge=1, le=64)]] = []


class JackSource(Content):
    """Ports of JACK or PipeWire.

    Attributes:
        ports: Output ports to listen to, mixed; empty: the hardware inputs.
    """

    kind: Literal["jack"] = "jack"
    ports: list[str] = []


class RecordingSource(Content):
    """A file that is being recorded: REAPER's take while it records.

    Attributes:
        path: Absolute path.
        from_start: Whether what was recorded before the session began is heard too.
    """

    kind: Literal["recording"] = "recording"
    path: str
    from_start: bool = True


class PlayedFileSource(Content):
    """A sound or MIDI file played at the speed of real time: for rehearsal.

    Attributes:
        path: Absolute path.
        offset: Where to begin, in seconds.
        duration: How much of it; None: to the end.
    """

    kind: Literal["file"] = "file"
    path: str
    offset: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    duration: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class MidiSource(Content):
    """A MIDI keyboard, or another program that sends MIDI.

    Attributes:
        port: The input port's name or a part of it; empty: the first one, or a port of our own where there is none.
    """

    kind: Literal["midi"] = "midi"
    port: str = ""


_REASTREAM = re.compile(r"reastream(-midi)?(?::(.*?))?(?:@(?:(.+):)?(\d+))?", re.DOTALL)


def source_fields(value: Any) -> Any:
    """A source's fields from its short form: `KIND` or `KIND:WHERE`; anything but text is left as it is.

    `reastream:NAME`, `reastream-midi:NAME` (each with `@PORT` or `@HOST:PORT` behind it), `soundcard:DEVICE`,
    `jack:PORT,PORT`, `recording:/PATH`, `file:/PATH`, `midi:PORT`.
    """
    if not isinstance(value, str):
        return value
    stream = _REASTREAM.fullmatch(value)
    if stream is not None:
        midi, identifier, host, port = stream.groups()
        fields = {"kind": "reastream", "carries": "midi" if midi else "audio", "identifier": identifier or ""}
        return fields | ({"host": host} if host else {}) | ({"port": port} if port else {})
    kind, _, where = value.partition(":")
    if kind == "jack":
        return {"kind": kind, "ports": [port for port in where.split(",") if port]}
    field = {"soundcard": "device", "recording": "path", "file": "path", "midi": "port"}.get(kind)
    return {"kind": kind} if field is None else {"kind": kind, field: where}


LiveSource = Annotated[
    Annotated[
        ReaStreamSource | SoundCardSource | JackSource | RecordingSource | PlayedFileSource | MidiSource,
        Field(discriminator="kind"),
    ],
    BeforeValidator(source_fields),
]

# ---- destinations --------------------------------------------------------------------------------------------------


class ReaperDestination(Content):
    """REAPER's virtual keyboard, by OSC: `/vkb_midi/<channel>/note/<note>`.

    Attributes:
        channel: MIDI channel, 0 to 15.
        early: Whether notes sound as soon as they are heard, or only once they are confirmed.
    """

    kind: Literal["reaper"] = "reaper"
    host: str = "127.0.0.1"
    port: Port = REAPER_PORT
    channel: Annotated[int, Field(ge=0, le=15)] = 0
    early: bool = True


class OscDestination(Content):
    """Any program that takes OSC over UDP: `/scorebridge/live/note`, as the OSC door says it."""

    kind: Literal["osc"] = "osc"
    host: str = "127.0.0.1"
    port: Port


class MidiDestination(Content):
    """A virtual MIDI port of our own, which other programs can listen to.

    Attributes:
        name: What it is called.
        channel, early: See `ReaperDestination`.
    """

    kind: Literal["midi"] = "midi"
    name: Annotated[str, Field(max_length=64)] = "ScoreBridge live"
    channel: Annotated[int, Field(ge=0, le=15)] = 0
    early: bool = True


def destination_fields(value: Any) -> Any:
    """A destination's fields from its short form: `reaper[:[HOST:]PORT]`, `osc:[HOST:]PORT`, `midi[:NAME]`."""
    if not isinstance(value, str):
        return value
    kind, _, where = value.partition(":")
    if kind == "midi":
        return {"kind": kind, "name": where} if where else {"kind": kind}
    host, _, port = where.rpartition(":")
    return {"kind": kind} | ({"host": host} if host else {}) | ({"port": port} if port else {})


LiveDestination = Annotated[
    Annotated[ReaperDestination | OscDestination | MidiDestination, Field(discriminator="kind")],
    BeforeValidator(destination_fields),
]
