"""`scorebridge doctor`: look at every part and say how to mend what does not work."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import typer

Verdict = Literal["good", "missing", "broken"]
SIGNS = {"good": "[green]✓[/]", "missing": "[yellow]–[/]", "broken": "[red]✗[/]"}
LEAST_FREE_BYTES = 500 << 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: "missing" can be lived without, "broken" cannot."""

    part: str
    verdict: Verdict
    sentence: str
    mend: str = ""


def doctor() -> None:
    """Check every part and say how to mend what fails. Exits with 1 when something is broken."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    findings = [finding for check in CHECKS for finding in check()]
    table = Table("", "Part", "What was found", "What to do", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(SIGNS[finding.verdict], Text(finding.part), Text(finding.sentence), Text(finding.mend))
    Console(highlight=False).print(table)
    if any(finding.verdict == "broken" for finding in findings):
        raise typer.Exit(1)


def _python() -> Iterator[Finding]:
    version = ".".join(str(n) for n in sys.version_info[:3])
    yield Finding("Python", "good", f"{version} at {sys.executable}")


def _data_folder() -> Iterator[Finding]:
    from bridge.settings import Settings

    folder = Settings().data
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding(
            "Data folder", "broken", f"{folder}: {error.strerror}", "Make it writable or set SCOREBRIDGE_DATA."
        )
        return
    if free < LEAST_FREE_BYTES:
        yield Finding("Data folder", "broken", f"{folder}: {free >> 20} MiB are free", "Make room on that disk.")
    else:
        yield Finding("Data folder", "good", f"{folder}, {free >> 30} GiB free")


def _daemon() -> Iterator[Finding]:
    from protocol.client import Client
    from protocol.errors import DaemonNotRunning, ProtocolError

    try:
        with Client.connect(timeout_s=5.0) as client:
            welcome = client.hello()
            active = len(client.jobs(1000, active=True))
        yield Finding("Daemon", "good", f"{welcome.server} answers; {active} jobs are waiting or running")
    except DaemonNotRunning as error:
        yield Finding("Daemon", "missing", error.message, error.hint)
    except ProtocolError as error:
        yield Finding("Daemon", "broken", error.message, error.hint)


def _http_door() -> Iterator[Finding]:
    """Plugins come in here: a door that is shut looks to them like a missing daemon."""
    import socket

    from protocol.connection import read_connection
    from protocol.errors import ProtocolError

    try:
        connection = read_connection()
    except ProtocolError:
        return
    try:
        socket.create_connection((connection.ip, connection.http_port), timeout=2).close()
        yield Finding("HTTP door", "good", f"listens on {connection.ip}:{connection.http_port}")
    except OSError as error:
        yield Finding("HTTP door", "broken", f"does not answer: {error}", "scorebridge serve stop, then serve again.")


def _engines() -> Iterator[Finding]:
    from model_runtime.engines.catalogue import engines

    for engine in engines():
        state = engine.availability()
        part = f"Engine {engine.name}"
        if state.ready:
            yield Finding(part, "good", f"{engine.source} → {engine.target}")
        else:
            yield Finding(part, "missing", state.reason, state.hint)


def _directions() -> Iterator[Finding]:
    from model_runtime.modality import Modality
    from model_runtime.router import Router

    directions = Router().directions()
    unready = [direction for direction in directions if not direction.ready]
    from_image = [direction for direction in unready if direction.source is Modality.SCORE_IMAGE]
    if from_image:
        yield Finding("Reading score images", "missing", from_image[0].reason, from_image[0].hint)
    for direction in unready:
        if direction not in from_image:
            yield Finding(f"{direction.source} → {direction.target}", "broken", direction.reason, direction.hint)
    ready = len(directions) - len(unready)
    yield Finding("Directions", "good", f"{ready} of {len(directions)} can be translated")


def _soundfont() -> Iterator[Finding]:
    from model_runtime.addons import find_soundfont
    from model_runtime.errors import MusicError

    try:
        yield Finding("SoundFont", "good", str(find_soundfont(None)))
    except MusicError as error:
        yield Finding("SoundFont", "broken", error.message, error.hint)


def _kern_and_abc() -> Iterator[Finding]:
    from importlib.util import find_spec

    if find_spec("music21") is None:
        yield Finding("kern and ABC", "missing", "cannot be read without music21", "pip install 'scorebridge[formats]'")
    else:
        yield Finding("kern and ABC", "good", "can be read")


def _plugins() -> Iterator[Finding]:
    from bridge.plugin_installer import HOSTS, differences, host_folders, installed_in

    for host in HOSTS:
        title = f"Plugin for {host}"
        places = installed_in(host)
        for place in places:
            different = differences(host, place)
            if "client" in different:
                yield Finding(
                    title, "broken", f"{place} does not find ScoreBridge", f"scorebridge plugins install {host}"
                )
            elif different:
                sentence = f"{place} is of another version ({', '.join(different[:3])})"
                yield Finding(title, "missing", sentence, f"scorebridge plugins install {host}")
            else:
                yield Finding(title, "good", str(place))
        if places:
            continue
        if any(True for _ in host_folders(host)):
            yield Finding(title, "missing", "is not installed", f"scorebridge plugins install {host}")
        else:
            yield Finding(title, "missing", f"{host} was not found on this machine")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _data_folder,
    _daemon,
    _http_door,
    _engines,
    _directions,
    _soundfont,
    _kern_and_abc,
    _plugins,
)
