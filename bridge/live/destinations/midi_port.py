"""A virtual MIDI port of our own, which synthesisers and workstations can listen to."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

from bridge.live.destinations.osc_out import DestinationUnavailable
from bridge.live.heard import Heard
from bridge.live.keyboard import Stroke
from bridge.live.midi_system import midi_output
from protocol.live_places import MidiDestination


class VirtualMidiPort:
    """Plays into a MIDI port that appears on this machine while the session runs.

    Raises:
        DestinationUnavailable: the system has no virtual ports, or the library is missing.
    """

    def __init__(self, wanted: MidiDestination) -> None:
        self.name = f"MIDI port {wanted.name!r}"
        self.early = wanted.early
        self._channel = wanted.channel
        if sys.platform == "win32":
            raise DestinationUnavailable(
                "Windows has no virtual MIDI ports of its own.",
                hint="Install loopMIDI, or let the notes go to REAPER's keyboard by OSC: --to reaper",
            )
        self._output = midi_output()
        try:
            self._output.open_virtual_port(wanted.name)
        except Exception as error:  # rtmidi raises several kinds, none of them documented
            raise DestinationUnavailable(
                "This system gives no virtual MIDI port.",
                hint="Load ALSA's sequencer (modprobe snd-seq) or start JACK, or let the notes go by OSC: --to reaper",
            ) from error

    def play(self, strokes: Sequence[Stroke]) -> None:
        for stroke in strokes:
            status = (0x90 if stroke.velocity else 0x80) | self._channel
            self._output.send_message([status, stroke.pitch, stroke.velocity or 64])

    def tell(self, live: str, notes: Sequence[Heard]) -> None:
        pass

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._output.close_port()
            self._output.delete()
