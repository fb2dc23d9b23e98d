"""The options of a translation as command-line flags: the protocol's own names, with dashes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

PANEL = "What the result should be like"
CLIP_PANEL = "Which part of a recording"

Engine = Annotated[
    str | None, typer.Option(help="Engine to use, several separated by commas; else the best.", rich_help_panel=PANEL)
]
Instrument = Annotated[
    str | None, typer.Option(help="What plays: a General MIDI name or number.", rich_help_panel=PANEL)
]
Tempo = Annotated[float | None, typer.Option(help="Constant tempo in quarter notes a minute.", rich_help_panel=PANEL)]
TempoMapFile = Annotated[
    Path | None,
    typer.Option("--tempo-map", help="Tempo map: a MIDI file, or JSON as in the protocol.", rich_help_panel=PANEL),
]
Quantise = Annotated[
    str | None, typer.Option(help="Finest grid: auto, none, 1/4 … 1/32, 1/4t … 1/16t.", rich_help_panel=PANEL)
]
QuantiseStrength = Annotated[
    float | None, typer.Option(help="How far MIDI is moved to the grid, 0 to 1.", rich_help_panel=PANEL)
]
OnsetThreshold = Annotated[
    float | None, typer.Option(help="How sure a note's start must be, 0 to 1.", rich_help_panel=PANEL)
]
FrameThreshold = Annotated[
    float | None, typer.Option(help="How sure it must be that it sounds, 0 to 1.", rich_help_panel=PANEL)
]
MinimumNote = Annotated[float | None, typer.Option(help="Shortest note, in milliseconds.", rich_help_panel=PANEL)]
PitchBends = Annotated[
    bool | None, typer.Option("--pitch-bends", help="Report bends and vibrato.", rich_help_panel=PANEL)
]
Pedal = Annotated[
    str | None, typer.Option(help="keys (controller 64) or sounding (note lengths).", rich_help_panel=PANEL)
]
SplitPoint = Annotated[int | None, typer.Option(help="Lowest MIDI pitch of the upper staff.", rich_help_panel=PANEL)]
Swing = Annotated[float | None, typer.Option(help="First of two eighths, 0.5 to 0.75.", rich_help_panel=PANEL)]
Deadpan = Annotated[bool | None, typer.Option("--deadpan", help="Exactly as written.", rich_help_panel=PANEL)]
SoundFont = Annotated[
    Path | None, typer.Option("--soundfont", help="A .sf2 or .sf3 to play with.", rich_help_panel=PANEL)
]
Loudness = Annotated[float | None, typer.Option(help="Loudness of audio in LUFS.", rich_help_panel=PANEL)]
SampleRate = Annotated[int | None, typer.Option(help="Sample rate of audio in Hz.", rich_help_panel=PANEL)]
Title = Annotated[str | None, typer.Option(help="Title of the score.", rich_help_panel=PANEL)]
Seed = Annotated[int | None, typer.Option(help="For engines that draw random numbers.", rich_help_panel=PANEL)]

Offset = Annotated[float, typer.Option(help="Start, in seconds of the file.", rich_help_panel=CLIP_PANEL)]
Duration = Annotated[float | None, typer.Option(help="Length, in seconds of the file.", rich_help_panel=CLIP_PANEL)]
Playrate = Annotated[float, typer.Option(help="Speed at which the host plays it.", rich_help_panel=CLIP_PANEL)]
Reverse = Annotated[bool, typer.Option("--reverse", help="Played backwards.", rich_help_panel=CLIP_PANEL)]


def gathered(tempo: float | None, tempo_map: Path | None, **flags: Any) -> dict[str, Any]:
    """The flags that were given, as the protocol's `options`; what was not given keeps its default.

    Raises:
        MusicError: the tempo map's file cannot be read.
    """
    options = {name: _plain(value) for name, value in flags.items() if value is not None}
    if tempo_map is not None:
        options["tempo_map"] = _tempo_map(tempo_map)
    elif tempo is not None:
        options["tempo_map"] = {"bpm": tempo}
    return options


def _plain(value: Any) -> Any:
    return str(value.expanduser().resolve()) if isinstance(value, Path) else value


def _tempo_map(path: Path) -> dict[str, Any]:
    from model_runtime.errors import UnreadableFile

    if path.suffix.lower() in {".mid", ".midi"}:
        return _tempo_map_of_midi(path)
    try:
        loaded = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(
            f"The tempo map {path} could not be read: {error}.", hint="Give a MIDI file or a JSON object."
        ) from None
    if not isinstance(loaded, dict):
        raise UnreadableFile(f"The tempo map {path} is not a JSON object.", hint='For instance {"bpm": 96}.')
    return loaded


def _tempo_map_of_midi(path: Path) -> dict[str, Any]:
    from model_runtime import files
    from model_runtime.errors import InvalidValue
    from model_runtime.modality import Performance
    from model_runtime.options import TempoMapOption

    performance = files.read(path)
    if not isinstance(performance, Performance) or performance.tempo_map is None:
        raise InvalidValue(f"{path} has no tempo map.", hint="Give a MIDI file that was written to a click.")
    return TempoMapOption.of(performance.tempo_map).model_dump(mode="json")
