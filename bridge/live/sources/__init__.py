"""What a live session can listen to: one file a source."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from protocol.live_places import (
    JackSource,
    LiveSource,
    MidiSource,
    PlayedFileSource,
    ReaStreamSource,
    RecordingSource,
    SoundCardSource,
)

if TYPE_CHECKING:
    from bridge.live.sources.base import Source


def open_source(wanted: LiveSource, packets: socket.socket | None) -> Source:
    """A source, open.

    Args:
        wanted: Which; the paths of files were checked.
        packets: For ReaStream: where its packets come from.

    Raises:
        MusicError: with a sentence.
    """
    match wanted:
        case ReaStreamSource():
            from bridge.live.sources import reastream

            assert packets is not None
            kind = reastream.ReaStreamMidiSource if wanted.carries == "midi" else reastream.ReaStreamSource
            return kind(packets, source_name(wanted))
        case SoundCardSource():
            from bridge.live.sources import soundcard

            return soundcard.SoundCardSource(wanted)
        case JackSource():
            from bridge.live.sources import jack_ports

            return jack_ports.JackSource(wanted)
        case RecordingSource():
            from bridge.live.sources import recording

            return recording.RecordingSource(wanted)
        case PlayedFileSource():
            from bridge.live.sources import played_file

            return played_file.PlayedFileSource(wanted)
        case MidiSource():
            from bridge.live.sources import midi

            return midi.MidiPortSource(wanted)


def source_name(wanted: ReaStreamSource) -> str:
    """What a ReaStream source is called."""
    what = "ReaStream MIDI" if wanted.carries == "midi" else "ReaStream"
    return f"{what}: {wanted.identifier}" if wanted.identifier else what
