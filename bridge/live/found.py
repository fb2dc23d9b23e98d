"""What could be listened to on this machine: asked of a process of its own, because drivers may hang or crash.

`python -m bridge.live.found KIND…` prints the list as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from protocol.live import LiveSourceInfo

PATIENCE_S = 10.0
NAMES = {"soundcard": "Sound card", "jack": "JACK or PipeWire", "midi": "MIDI keyboard"}


async def found_sources(kinds: list[str], *, all_kinds: bool = False) -> list[LiveSourceInfo]:
    """Inputs of the sound card, ports of JACK and of MIDI; a kind that has none says why."""
    wanted = [kind for kind in NAMES if all_kinds or kind in kinds]
    if not wanted:
        return []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, *wanted),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            printed, _ = await process.communicate()
        return [LiveSourceInfo.model_validate(fields) for fields in json.loads(printed)]
    except (TimeoutError, ValueError):
        if process.returncode is None:
            process.kill()
            await process.wait()
        return [_missing(kind, "The system's sound or MIDI service does not answer.", "") for kind in wanted]


def _sound_inputs() -> list[LiveSourceInfo]:
    from bridge.live.sources.soundcard import inputs, sound_system
    from model_runtime.errors import MusicError

    found = [
        LiveSourceInfo(kind="soundcard", source=f"soundcard:{device['name']}", name=device["name"])
        for device in inputs(sound_system())
    ]
    if not found:
        raise MusicError("This machine has no sound input.", hint="Connect a microphone or an interface.")
    return found


def _jack_ports() -> list[LiveSourceInfo]:
    from bridge.live.sources.jack_ports import client, jack_library

    connected = client(jack_library(), "ScoreBridge")
    try:
        ports = [port.name for port in connected.get_ports(is_audio=True, is_output=True)]
    finally:
        connected.close()
    return [
        LiveSourceInfo(kind="jack", source="jack", name="Hardware inputs"),
        *(LiveSourceInfo(kind="jack", source=f"jack:{name}", name=name) for name in ports),
    ]


def _midi_ports() -> list[LiveSourceInfo]:
    from bridge.live.midi_system import midi_input
    from bridge.live.sources.midi import OWN_PORT

    opened = midi_input()
    names = [name for name in opened.get_ports() if OWN_PORT not in name]
    opened.delete()
    own = LiveSourceInfo(kind="midi", source="midi", name="A port of our own, for another program to play into")
    return [LiveSourceInfo(kind="midi", source=f"midi:{name}", name=name) for name in names] or [own]


_LOOK: dict[str, Callable[[], list[LiveSourceInfo]]] = {
    "soundcard": _sound_inputs,
    "jack": _jack_ports,
    "midi": _midi_ports,
}


def _look(kind: str) -> list[LiveSourceInfo]:
    from model_runtime.errors import MusicError

    try:
        return _LOOK[kind]()
    except MusicError as error:
        return [_missing(kind, error.message, error.hint)]
    except Exception as error:  # drivers raise what they like
        return [_missing(kind, f"{NAMES[kind]} cannot be asked ({type(error).__name__}).", "")]


def _missing(kind: str, reason: str, hint: str) -> LiveSourceInfo:
    return LiveSourceInfo(kind=kind, name=NAMES[kind], ready=False, reason=reason, hint=hint)


def main(kinds: list[str]) -> None:
    """Print what there is."""
    found: list[dict[str, Any]] = [info.model_dump() for kind in kinds if kind in _LOOK for info in _look(kind)]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
