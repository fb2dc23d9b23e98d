"""The sound card's inputs, by PortAudio."""

from __future__ import annotations

import contextlib
from typing import Any

from bridge.live.midi_system import INSTALL, quiet
from bridge.live.sources.base import FloatArray, SourceUnavailable, mixed
from bridge.live.sources.driver import DriverSource
from protocol.live_places import SoundCardSource as Wanted


class SoundCardSource(DriverSource):
    """An input of the sound card.

    Raises:
        SourceUnavailable: no such input, it is in use, or PortAudio is missing.
    """

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        sounddevice = sound_system()
        device = input_device(sounddevice, wanted.device)
        self.name = f"sound card: {device['name']}"
        channels = device["max_input_channels"]
        self._channels = [number - 1 for number in wanted.channels] or list(range(channels))
        if max(self._channels) >= channels:
            raise SourceUnavailable(
                f"{device['name']} has {channels} inputs, not {max(wanted.channels)}.", hint="Name others."
            )
        self._input = self._open(sounddevice, device)
        self._runs_at(round(self._input.samplerate))

    def _open(self, sounddevice: Any, device: Any) -> Any:
        try:
            opened = sounddevice.InputStream(
                device=device["index"],
                channels=max(self._channels) + 1,
                dtype="float32",
                latency="low",
                callback=self._came,
            )
            opened.start()
        except sounddevice.PortAudioError as error:
            raise SourceUnavailable(
                f"The input {device['name']!r} cannot be opened: {str(error).partition('[')[0].strip()}.",
                hint="Another program may be using it.",
            ) from error
        return opened

    def _came(self, samples: FloatArray, frames: int, times: Any, status: Any) -> None:
        # Called by PortAudio's own thread: nothing here may wait.
        self._put(mixed(samples[:, self._channels]))

    def _check(self) -> None:
        if not self._input.active:
            raise SourceUnavailable(f"{self.name} is not there any more.", hint="Plug it in again and start anew.")

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._input.abort()
            self._input.close()


def sound_system() -> Any:
    """The `sounddevice` module.

    Raises:
        SourceUnavailable: it, or PortAudio, is missing.
    """
    try:
        with quiet():
            import sounddevice
    except ImportError as error:
        raise SourceUnavailable("Listening to the sound card needs the package sounddevice.", hint=INSTALL) from error
    except OSError as error:
        raise SourceUnavailable(
            "Listening to the sound card needs PortAudio.", hint="On Debian: apt install libportaudio2"
        ) from error
    return sounddevice


def inputs(sounddevice: Any) -> list[Any]:
    """Devices that have inputs."""
    with quiet():
        return [device for device in sounddevice.query_devices() if device["max_input_channels"] > 0]


def input_device(sounddevice: Any, name: str) -> Any:
    """The device whose name holds `name`, or the default one.

    Raises:
        SourceUnavailable: there is none.
    """
    found = inputs(sounddevice)
    if not found:
        raise SourceUnavailable(
            "This machine has no sound input.", hint="Connect a microphone or an interface, or listen to REAPER."
        )
    if name:
        matching = [device for device in found if name.lower() in device["name"].lower()]
        if not matching:
            names = ", ".join(repr(device["name"]) for device in found[:8])
            raise SourceUnavailable(f"There is no sound input called {name!r}.", hint=f"There are {names}.")
        return matching[0]
    default = sounddevice.default.device[0]
    return next((device for device in found if device["index"] == default), found[0])
