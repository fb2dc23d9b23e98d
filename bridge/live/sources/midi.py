"""Live MIDI: a keyboard, or another program."""

from __future__ import annotations

import contextlib
import time
from queue import Empty, SimpleQueue
from typing import Any

from bridge.live.midi_system import midi_input, quiet
from bridge.live.sources.base import Counts, Item, MidiEvent, SourceUnavailable
from protocol.live_places import MidiSource as Wanted

OWN_PORT = "ScoreBridge live in"


class MidiPortSource:
    """A MIDI input port.

    Raises:
        NoMidi: this machine has no MIDI system.
        SourceUnavailable: there is no such port.
    """

    sample_rate = 0
    drift_ppm = None
    receiving = True

    def __init__(self, wanted: Wanted) -> None:
        self.counts = Counts()
        self._queue: SimpleQueue[MidiEvent] = SimpleQueue()
        self._input = midi_input()
        self.name = f"MIDI: {self._connect(wanted.port)}"
        self._input.ignore_types(sysex=True, timing=True, active_sense=True)
        self._input.set_callback(self._came)

    def _connect(self, wanted: str) -> str:
        names: list[str] = self._input.get_ports()
        for index, name in enumerate(names):
            if wanted.lower() in name.lower() and OWN_PORT not in name:
                self._input.open_port(index)
                return name
        if wanted:
            known = ", ".join(repr(name) for name in names[:8]) or "none"
            raise SourceUnavailable(f"There is no MIDI input called {wanted!r}.", hint=f"There are: {known}.")
        try:
            with quiet():
                self._input.open_virtual_port(OWN_PORT)
        except Exception as error:  # rtmidi raises several kinds
            raise SourceUnavailable("No MIDI keyboard is connected.", hint="Connect one and start again.") from error
        return OWN_PORT

    def _came(self, message: tuple[list[int], float], _: Any) -> None:
        data, _delta_s = message
        if data:
            self._queue.put(MidiEvent(bytes(data[:3]), time.monotonic()))

    def read(self, timeout_s: float) -> list[Item]:
        items: list[Item] = []
        with contextlib.suppress(Empty):
            while True:
                items.append(self._queue.get(timeout=timeout_s) if not items else self._queue.get_nowait())
                self.counts.packets += 1
        return items

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._input.cancel_callback()
            self._input.close_port()
            self._input.delete()
