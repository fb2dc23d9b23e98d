"""A musician's desk: REAPER's stand-in with the scripts installed, the real daemon, and recordings to work on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from running_daemon import RunningDaemon
from running_reaper import RunningReaper

from bridge.plugin_installer import install
from protocol.messages import State

SAMPLE_RATE = 22050
MELODY = ((0.5, 60), (1.0, 64), (1.5, 67), (2.0, 72), (2.5, 67), (3.0, 64))
RECORDING_S = 4.0
HOSTILE = "Größe & 'Maß' \"x\" $HOME `id` ;%# 🎹"


def plucked(path: Path, notes: Sequence[tuple[float, int]] = MELODY, length_s: float = RECORDING_S) -> Path:
    """A mono recording of plucked strings."""
    samples = np.zeros(int(length_s * SAMPLE_RATE))
    for onset_s, pitch in notes:
        time_s = np.arange(int(0.45 * SAMPLE_RATE)) / SAMPLE_RATE
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * k * frequency * time_s) * np.exp(-time_s * (4 + k)) / k for k in range(1, 7))
        first = int(onset_s * SAMPLE_RATE)
        last = min(first + len(tone), len(samples))
        samples[first:last] += tone[: last - first]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.4 * samples / np.abs(samples).max(), SAMPLE_RATE, subtype="PCM_16")
    return path


def audio_source(path: Path) -> dict[str, Any]:
    """A recording as a take's source."""
    info = soundfile.info(path)
    return {
        "type": "WAVE",
        "file": path,
        "length_s": info.duration,
        "sample_rate": info.samplerate,
        "channels": info.channels,
    }


def item(source: Mapping[str, Any] | None, position_s: float, length_s: float, **values: float) -> dict[str, Any]:
    """An item that is selected; values of REAPER's names go to the item or its take."""
    of_take = {name: values.pop(name) for name in tuple(values) if name in TAKE_VALUES}
    takes = [] if source is None else [{"name": "My take.wav", "values": of_take, "source": dict(source)}]
    return {"values": {"D_POSITION": position_s, "D_LENGTH": length_s, "B_UISEL": 1, **values}, "takes": takes}


TAKE_VALUES = frozenset({"D_STARTOFFS", "D_PLAYRATE", "D_PITCH", "B_PPITCH", "I_CHANMODE"})


def midi_source(*notes: tuple[float, float, int], quarters: float = 8.0, **fields: Any) -> dict[str, Any]:
    """Notes (first and last quarter, pitch) as a take's source."""
    return {
        "type": "MIDI",
        "last_tick": round(quarters * 960),
        "notes": [
            {"tick": round(first * 960), "last_tick": round(last * 960), "pitch": pitch} for first, last, pitch in notes
        ],
        **fields,
    }


class Studio:
    """REAPER with the scripts, beside a daemon.

    Args:
        folder: Holds everything, under a name with every character that a shell or a path could stumble over.
        daemon: The daemon that the scripts' client talks to.
        lua: The Lua program.
        settings: The user's choices, as the settings window would have set them.
    """

    def __init__(self, folder: Path, daemon: RunningDaemon, *, lua: str = "lua5.4", luasocket: bool = False) -> None:
        self.folder = folder / HOSTILE
        self.media = self.folder / "media"
        self.media.mkdir(parents=True)
        self.daemon = daemon
        self.reaper = RunningReaper(self.folder, lua=lua, luasocket=luasocket, environment=daemon.environment)
        (self.scripts,) = install("reaper", str(self.reaper.resource_path / "Scripts")).folders

    def choose(self, **settings: object) -> None:
        """Remember settings."""
        for name, value in settings.items():
            text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
            self.reaper.call("remember", "ScoreBridge", name, text)

    def open(self, *items: Mapping[str, Any], saved: bool = True, **fields: Any) -> int:
        """Open a project with these items on one track."""
        described: dict[str, Any] = {"tracks": [{"name": "Piano", "items": list(items)}], "media_folder": self.media}
        if saved:
            described["path"] = self.folder / "song.rpp"
        return self.reaper.open_project(**described | fields)

    def start(self, action: str) -> int:
        """Run an action by its title."""
        return self.reaper.start(self.scripts / f"ScoreBridge_{action}.lua")

    def run(self, action: str) -> int:
        """Run an action until it has ended, however long that takes."""
        number = self.start(action)
        self.close_when_over(number)
        return number

    def close_when_over(self, number: int = 1) -> None:
        """Close the progress window when everything has ended and there is something to read in it."""
        reaper = self.reaper
        reaper.until(lambda: reaper.script(number)["ended"] or "Close" in reaper.texts(number))
        if not reaper.script(number)["ended"]:
            self.news = reaper.texts(number)
            reaper.call("close_window", number)
            reaper.finish()
        reaper.check()

    def new_items(self, tab: int = 1) -> list[dict[str, Any]]:
        """Items of the tracks that are not the first one."""
        return [item for track in self.reaper.project(tab)["tracks"][1:] for item in track["items"]]

    def notes(self, tab: int = 1) -> list[tuple[float, float, int]]:
        """Onset, offset and pitch of the notes in new items."""
        takes = [item["takes"][0] for item in self.new_items(tab)]
        return sorted((n["onset_s"], n["offset_s"], n["pitch"]) for take in takes for n in take["notes"])

    def jobs(self) -> list[State]:
        """The daemon's jobs, newest first."""
        return self.daemon.connected.jobs(1000)

    def close(self) -> None:
        self.reaper.close()


def described_roots(*folders: Path) -> str:
    """Folders as the setting `roots` has them."""
    return os.pathsep.join(map(str, folders))
