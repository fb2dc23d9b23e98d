"""`scorebridge live`: hear a band while it plays; notes go where they are wanted, and into files at the end."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli import options as flags

if TYPE_CHECKING:
    from protocol.client import Client
    from protocol.live import LiveEnded, LiveStart

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="reastream[:NAME], reastream-midi[:NAME], soundcard[:DEVICE], jack[:PORT,…], midi[:PORT], recording:FILE "
        "or file:FILE. What there is: --list",
        metavar="SOURCE",
    ),
]
To = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        help="reaper[:[HOST:]PORT], osc:[HOST:]PORT, midi[:NAME], or a file to write at the end: take.mid, "
        "take.musicxml, take.pdf … Can be given several times.",
        metavar="DESTINATION",
    ),
]


def live(
    source: From = None,
    to: To = None,
    show: Annotated[bool, typer.Option("--list", help="Say what could be listened to.")] = False,
    seconds: Annotated[float | None, typer.Option(help="Stop after so many seconds.", min=0.1)] = None,
    late: Annotated[bool, typer.Option("--confirmed", help="Send notes only once they are confirmed.")] = False,
    channel: Annotated[int, typer.Option(help="MIDI channel to play on, 1 to 16.", min=1, max=16)] = 1,
    force: Annotated[bool, typer.Option("--force", help="Write over files that exist.")] = False,
    instrument: flags.Instrument = None,
    tempo: flags.Tempo = None,
    tempo_map: flags.TempoMapFile = None,
    quantise: flags.Quantise = None,
    split_point: flags.SplitPoint = None,
    title: flags.Title = None,
) -> None:
    """Hear what is played, while it is played. Ctrl-C stops, and writes the files.

    scorebridge live --from reastream:piano --to reaper --to take.mid --to take.musicxml
    """
    from model_runtime.errors import InvalidValue

    if show:
        _show_sources()
        return
    if source is None:
        raise InvalidValue(
            "Say what to listen to.", hint="--from reastream, for instance; see: scorebridge live --list"
        )
    files, destinations = _sorted(to or [], force=force)
    options = flags.gathered(
        tempo, tempo_map, instrument=instrument, quantise=quantise, split_point=split_point, title=title
    )
    request = _request(source, destinations, sorted({_format(file) for file in files}), options)
    for destination in request.destinations:
        if destination.kind != "osc":
            destination.early, destination.channel = not late, channel - 1
    with _daemon() as client:
        ended = _listened(client, request, seconds)
        _write(client, ended, files)
    if ended.reason == "failed":
        raise typer.Exit(1)


def _request(source: str, destinations: Sequence[str], formats: Sequence[str], options: dict[str, Any]) -> LiveStart:
    from pydantic import ValidationError

    from model_runtime.errors import InvalidValue
    from protocol.async_client import LEASE_S
    from protocol.live import LiveStart

    kind, _, where = source.partition(":")
    if kind in ("recording", "file"):
        source = f"{kind}:{Path(where).expanduser().resolve()}"
    fields = {"source": source, "destinations": destinations, "formats": formats, "options": options, "lease": LEASE_S}
    try:
        return LiveStart.model_validate(fields)
    except ValidationError as error:
        named = {"source": source, "destinations": ", ".join(destinations)}
        place = str(error.errors()[0]["loc"][0])
        raise InvalidValue(
            f"{named.get(place, place)!r} cannot be used.", hint="See: scorebridge live --help"
        ) from None


def _sorted(wanted: Sequence[str], *, force: bool) -> tuple[list[Path], list[str]]:
    """Files to write at the end, and destinations of the protocol."""
    from model_runtime.errors import InvalidValue

    destinations = [text for text in wanted if text.partition(":")[0] in ("reaper", "osc", "midi")]
    files = [Path(text).expanduser() for text in wanted if text not in destinations]
    for file in files:
        _format(file)
        if file.exists() and not force:
            raise InvalidValue(f"{file} exists already.", hint="Give another name, or --force.")
    return files, destinations


def _format(file: Path) -> str:
    from model_runtime.errors import UnsupportedFormat
    from model_runtime.translation import TARGET_MODALITY

    ending = {"midi": "mid", "xml": "musicxml"}.get(file.suffix[1:].lower(), file.suffix[1:].lower())
    if ending not in TARGET_MODALITY:
        raise UnsupportedFormat(
            f"Notes cannot be sent to {str(file)!r}.",
            hint=f"Name reaper, osc:PORT, midi, or a file that ends in: {', '.join(TARGET_MODALITY)}.",
        )
    return ending


@contextmanager
def _daemon() -> Iterator[Client]:
    """The running daemon; where none runs, one for as long as this command does."""
    from bridge.cli.serve import start_detached
    from protocol.client import Client
    from protocol.connection import read_connection
    from protocol.errors import DaemonNotRunning, ProtocolError

    try:
        read_connection()
        own = False
    except DaemonNotRunning:
        start_detached()
        own = True
    with Client.connect(name="scorebridge live") as client:
        try:
            yield client
        finally:
            if own:
                try:
                    client.shutdown()
                except ProtocolError as error:
                    sys.stderr.write(f"The daemon could not be stopped: {error}\n")


def _listened(client: Client, request: LiveStart, seconds: float | None) -> LiveEnded:
    """Listen until the source is over, the time is up, or Ctrl-C."""
    from bridge.cli.live_display import Display
    from protocol.live import LiveEnded

    def stop() -> None:
        threading.Thread(target=client.live.stop, args=[request.live], name="stop", daemon=True).start()

    with Display() as display, _interrupts(stop):
        timer: threading.Timer | None = None
        for event in client.live.listen(request):
            display.show(event)
            if timer is None and seconds is not None:
                timer = threading.Timer(seconds, stop)
                timer.daemon = True
                timer.start()
            if isinstance(event, LiveEnded):
                if timer is not None:
                    timer.cancel()
                return event
    raise RuntimeError("a live session without an end")


@contextmanager
def _interrupts(stop: Any) -> Iterator[None]:
    """Make the first Ctrl-C (or termination) stop the session; the second one ends the command as ever."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def interrupted(number: int, frame: Any) -> None:
        for each, handler in kept.items():
            signal.signal(each, handler)
        stop()

    for number in kept:
        signal.signal(number, interrupted)
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _write(client: Client, ended: LiveEnded, files: Sequence[Path]) -> None:
    """Put the files where they were asked for."""
    from rich.console import Console

    from bridge.cli.running import place

    console = Console(stderr=True, highlight=False)
    for file in files:
        wanted = _format(file)
        made = [Path(a.path) for a in ended.artefacts if a.format == wanted]
        for page, path in enumerate(made, 1):
            target = file if len(made) == 1 else file.with_name(f"{file.stem}-{page}{file.suffix}")
            place(path, target)
            console.print(f"{target}", markup=False)
    for warning in ended.warnings:
        console.print(warning, markup=False, style="yellow")


def _show_sources() -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("--from", "What")
    with _daemon() as client:
        for found in client.live.sources():
            why = f"{found.reason} {found.hint}".strip()
            table.add_row(Text(found.source or "–"), Text(f"{found.name}{': ' if why else ''}{why}"))
    table.add_row("recording:FILE", "A WAV file that is being recorded")
    table.add_row("file:FILE", "A recording or a MIDI file, played at the speed of real time")
    Console(highlight=False).print(table)
