"""`scorebridge demo`: the main job from end to end: a recording becomes MIDI, a score, a picture and sound."""

from __future__ import annotations

import time
from importlib.resources import as_file
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from bridge.cli.running import Outcome

CLIP = "little_bridge.ogg"
TARGETS = ("mid", "musicxml", "png")
WHAT = {
    "mid": "Notes as MIDI",
    "musicxml": "Score, opens in MuseScore",
    "png": "Score, engraved",
    "wav": "The notes, played",
}


def demo(
    file: Annotated[
        Path | None, typer.Argument(help="A recording; none: a short piano piece that comes along.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("scorebridge-demo"),
) -> None:
    """Send a recording to the daemon and get back MIDI, a score, its picture and sound."""
    from rich.console import Console

    console = Console(highlight=False)
    if file is not None:
        _demonstrate(console, file, out)
    else:
        with as_file(package_files("bridge") / "demo" / CLIP) as clip:
            _demonstrate(console, clip, out)


def _demonstrate(console: Console, recording: Path, out: Path) -> None:
    from bridge.cli.progress import progress_bar
    from bridge.cli.running import DaemonRunner, Request, place
    from bridge.cli.serve import start_detached
    from protocol.client import Client
    from protocol.connection import read_connection
    from protocol.errors import DaemonNotRunning

    started = time.perf_counter()
    ours = False
    try:
        connection = read_connection()
    except DaemonNotRunning:
        connection = start_detached()
        ours = True
    ready_s = time.perf_counter() - started
    word = "started" if ours else "found"
    console.print(f"Daemon {word} in {ready_s:.1f} s (process {connection.pid}).", markup=False)
    with Client(connection, name="scorebridge demo") as client:
        try:
            daemon = DaemonRunner(client)
            with progress_bar(console, recording.name) as on_progress:
                written = daemon.run(Request(recording, TARGETS), on_progress)
                notes = next(path for path, format in written.files if format == "mid")
                played = daemon.run(Request(notes, ("wav",)), on_progress)
            made = []
            for path, format in (*written.files, *played.files):
                target = out / path.name
                place(path, target)
                made.append((target, format))
        finally:
            if ours:
                client.shutdown()
    picture = _picture(recording, made, out)
    _report(console, recording, [written, played], [*made, (picture, "picture")], out)


def _picture(recording: Path, made: list[tuple[Path, str]], out: Path) -> Path:
    from bridge.cli.picture import draw_transcription
    from model_runtime import files
    from model_runtime.modality import Audio, Performance

    audio, performance = files.read(recording), files.read(next(path for path, format in made if format == "mid"))
    if not (isinstance(audio, Audio) and isinstance(performance, Performance)):
        raise AssertionError("a recording was translated into MIDI")
    picture = out / "transcription.png"
    title = f"{recording.name}: {len(performance.notes)} notes found in {audio.duration_s:.1f} s"
    draw_transcription(audio, performance, picture, title)
    return picture


def _report(
    console: Console, recording: Path, outcomes: list[Outcome], made: list[tuple[Path, str]], out: Path
) -> None:
    from rich.table import Table

    from model_runtime.engines.catalogue import engines

    directions = {engine.name: f"{engine.source} → {engine.target}" for engine in engines()}
    table = Table("Step", "Engine", "Time", title=f"{recording.name}", title_justify="left")
    steps = {"read": "Reading", "write": "Writing", "queued": "Waiting for a worker"}
    for outcome in outcomes:
        for name, seconds in outcome.timing.items():
            if name not in steps and name != "total":
                table.add_row(directions.get(name, name), name, f"{seconds:.2f} s")
    for name, what in steps.items():
        table.add_row(what, "", f"{sum(outcome.timing.get(name, 0.0) for outcome in outcomes):.2f} s")
    table.add_section()
    table.add_row("Together", "", f"{sum(outcome.timing.get('total', 0.0) for outcome in outcomes):.2f} s")
    console.print(table)
    table = Table("File", "What it is", "Size")
    for path, format in made:
        what = WHAT.get(format, "The notes, drawn over what was heard")
        table.add_row(path.name, what, f"{path.stat().st_size / 1000:.0f} kB")
    console.print(table)
    for warning in dict.fromkeys(warning for outcome in outcomes for warning in outcome.warnings):
        console.print(f"Note: {warning}", style="yellow", markup=False)
    console.print(f"\nEverything lies in {out.resolve()}", style="bold", markup=False)
