"""Ports of JACK, or of PipeWire, which speaks JACK."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from bridge.live.midi_system import INSTALL, quiet
from bridge.live.sources.base import SourceUnavailable
from bridge.live.sources.driver import DriverSource
from protocol.live_places import JackSource as Wanted


class JackSource(DriverSource):
    """Output ports of other programs, or the hardware's inputs, mixed.

    Raises:
        SourceUnavailable: no server runs, there is no such port, or the library is missing.
    """

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        jack = jack_library()
        self._gone = False
        self._client = client(jack, "ScoreBridge live")
        try:
            self._connect(jack, wanted.ports)
        except BaseException:
            self.close()
            raise
        self._runs_at(int(self._client.samplerate))

    def _connect(self, jack: Any, names: list[str]) -> None:
        found = self._wanted_ports(jack, names)
        self.name = f"JACK: {', '.join(port.name for port in found)}"
        self._inputs = [self._client.inports.register(f"input_{i + 1}") for i in range(len(found))]
        self._client.set_process_callback(self._came)
        self._client.set_shutdown_callback(self._shut_down)
        self._client.activate()
        for port, own in zip(found, self._inputs, strict=True):
            self._client.connect(port, own)

    def _wanted_ports(self, jack: Any, names: list[str]) -> list[Any]:
        if not names:
            found = self._client.get_ports(is_audio=True, is_output=True, is_physical=True)
            if not found:
                raise SourceUnavailable("JACK has no hardware inputs.", hint="Name the ports to listen to.")
            return list(found)
        there = {port.name: port for port in self._client.get_ports(is_audio=True, is_output=True)}
        for name in names:
            if name not in there:
                known = ", ".join(repr(port) for port in list(there)[:8]) or "none"
                raise SourceUnavailable(f"JACK has no output port called {name!r}.", hint=f"There are: {known}.")
        return [there[name] for name in names]

    def _came(self, frames: int) -> None:
        # Called by JACK's own thread: nothing here may wait.
        mix = np.zeros(frames, np.float32)
        for port in self._inputs:
            mix += port.get_array()
        if len(self._inputs) > 1:
            mix /= len(self._inputs)
        self._put(mix)

    def _shut_down(self, status: Any, reason: str) -> None:
        self._gone = True

    def _check(self) -> None:
        if self._gone:
            raise SourceUnavailable("The JACK server has ended.", hint="Start it again, then the session.")

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._client.deactivate()
            self._client.close()


def jack_library() -> Any:
    """The `jack` module.

    Raises:
        SourceUnavailable: it, or libjack, is missing.
    """
    try:
        import jack
    except ImportError as error:
        raise SourceUnavailable("Listening to JACK needs the package JACK-Client.", hint=INSTALL) from error
    except OSError as error:
        raise SourceUnavailable(
            "Listening to JACK needs its library.", hint="On Debian: apt install libjack-jackd2-0"
        ) from error
    return jack


def client(jack: Any, name: str) -> Any:
    """A client of the server that runs; none is started.

    Raises:
        SourceUnavailable: none runs.
    """
    jack.set_error_function(lambda _: None)
    jack.set_info_function(lambda _: None)
    try:
        with quiet():
            return jack.Client(name, no_start_server=True)
    except jack.JackError as error:
        raise SourceUnavailable(
            "No JACK server runs.", hint="Start JACK, or PipeWire with its JACK support (pipewire-jack)."
        ) from error
