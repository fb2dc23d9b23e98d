"""`scorebridge translate IN… OUT`: any form of music into any other, one file or many."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli import options as flags

if TYPE_CHECKING:
    from rich.console import Console

    from bridge.cli.running import Outcome, Runner

Paths = Annotated[
    list[str],
    typer.Argument(
        help="Files to translate (patterns such as 'takes/*.wav' work), then the file or folder to write.",
        metavar="IN… OUT",
    ),
]
To = Annotated[
    str | None,
    typer.Option("--to", help="Formats to make, separated by commas, where OUT is a folder: mid, musicxml, png …"),
]


@dataclass(frozen=True)
class Task:
    """One file to translate and where its results go: a file for one format, or a folder."""

    source: Path
    targets: tuple[str, ...]
    out: Path
    out_is_folder: bool

    def destination(self, made: Path) -> Path:
        """Where a result belongs."""
        if self.out_is_folder:
            return self.out / made.name
        page = made.stem.removeprefix(self.source.name.split(".")[0])
        return self.out.with_name(f"{self.out.stem}{page}{self.out.suffix}") if page.startswith("-") else self.out


def translate(
    paths: Paths,
    to: To = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say which engines are taken and why.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Do not use the daemon.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over files that exist.")] = False,
    engine: flags.Engine = None,
    instrument: flags.Instrument = None,
    tempo: flags.Tempo = None,
    tempo_map: flags.TempoMapFile = None,
    quantise: flags.Quantise = None,
    quantise_strength: flags.QuantiseStrength = None,
    onset_threshold: flags.OnsetThreshold = None,
    frame_threshold: flags.FrameThreshold = None,
    minimum_note: flags.MinimumNote = None,
    pitch_bends: flags.PitchBends = None,
    pedal: flags.Pedal = None,
    split_point: flags.SplitPoint = None,
    swing: flags.Swing = None,
    deadpan: flags.Deadpan = None,
    soundfont: flags.SoundFont = None,
    loudness: flags.Loudness = None,
    sample_rate: flags.SampleRate = None,
    title: flags.Title = None,
    seed: flags.Seed = None,
    offset: flags.Offset = 0.0,
    duration: flags.Duration = None,
    playrate: flags.Playrate = 1.0,
    reverse: flags.Reverse = False,
) -> None:
    """Translate music: recordings, MIDI, MusicXML and pictures of scores into each other.

    scorebridge translate take.wav take.musicxml

    scorebridge translate 'takes/*.wav' out/ --to mid,musicxml,png
    """
    from rich.console import Console

    from bridge.cli.running import runner

    wanted = flags.gathered(
        tempo,
        tempo_map,
        engine=engine,
        instrument=instrument,
        quantise=quantise,
        quantise_strength=quantise_strength,
        onset_threshold=onset_threshold,
        frame_threshold=frame_threshold,
        minimum_note=minimum_note,
        pitch_bends=pitch_bends,
        pedal=pedal,
        split_point=split_point,
        swing=swing,
        deadpan=deadpan,
        soundfont=soundfont,
        loudness=loudness,
        sample_rate=sample_rate,
        title=title,
        seed=seed,
    )
    clip = _clip(offset, duration, playrate, reverse)
    tasks = _tasks(paths, to)
    console = Console(stderr=True, highlight=False)
    if explain:
        _explain(console, tasks, engine, instrument)
    with runner(local=local) as where:
        failures = sum(not _done(console, where, task, wanted, clip, force=force) for task in tasks)
    if failures:
        if len(tasks) > 1:
            console.print(f"{len(tasks) - failures} of {len(tasks)} translated.", markup=False)
        raise typer.Exit(1)


def _tasks(paths: Sequence[str], to: str | None) -> list[Task]:
    from model_runtime.errors import InvalidValue, UnsupportedFormat
    from model_runtime.translation import TARGET_MODALITY

    if len(paths) < 2:
        raise InvalidValue("Name what to translate, and then the file or folder to write.")
    *ins, out_text = paths
    sources = [source for pattern in ins for source in _matching(pattern)]
    out = Path(out_text).expanduser()
    targets = tuple(_ending(part.strip().lower().lstrip(".")) for part in (to or "").split(",") if part.strip())
    for named in targets:
        if named not in TARGET_MODALITY:
            raise UnsupportedFormat(
                f"ScoreBridge cannot write {named!r} files.", hint=f"It writes: {', '.join(TARGET_MODALITY)}."
            )
    if targets:
        return [Task(source, targets, out, out_is_folder=True) for source in sources]
    target = _target_of(out)
    if target is None or out.is_dir():
        raise InvalidValue(
            f"What should be written to {out}?",
            hint="Give a file such as out.musicxml, or a folder and --to mid,musicxml,png.",
        )
    if len(sources) > 1:
        raise InvalidValue(
            f"{len(sources)} files cannot all become {out.name}.", hint=f"Give a folder and --to {target}."
        )
    return [Task(sources[0], (target,), out, out_is_folder=False)]


def _matching(pattern: str) -> list[Path]:
    from model_runtime.errors import InvalidValue

    path = Path(pattern).expanduser()
    if path.exists() or not glob.has_magic(pattern):
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())  # noqa: PTH207
    if not found:
        raise InvalidValue(f"No file matches {pattern}.")
    return found


def _target_of(out: Path) -> str | None:
    from model_runtime.translation import TARGET_MODALITY

    name = out.name.lower()
    parts = 2 if name.endswith((".notes.json", ".events.json")) else 1
    ending = _ending(".".join(name.split(".")[-parts:]))
    return ending if ending in TARGET_MODALITY and "." in name else None


def _ending(named: str) -> str:
    """The format of a file's ending, under its own name."""
    return {"midi": "mid", "xml": "musicxml", "notes.json": "notes", "events.json": "events"}.get(named, named)


def _clip(offset: float, duration: float | None, playrate: float, reverse: bool) -> dict[str, Any]:
    given = {"offset": offset, "duration": duration, "playrate": playrate, "reverse": reverse}
    return {} if (offset, duration, playrate, reverse) == (0.0, None, 1.0, False) else given


def _explain(console: Console, tasks: Sequence[Task], engine: str | None, instrument: str | None) -> None:
    from model_runtime.files.formats import format_of_name
    from model_runtime.router import Router
    from model_runtime.translation import TARGET_MODALITY

    router = Router()
    said = set()
    for task in tasks:
        found = format_of_name(task.source)
        for target in task.targets:
            if found is None:  # only its content tells, and that is read when it is translated
                continue
            ways = found.modality, TARGET_MODALITY[target]
            if ways not in said:
                said.add(ways)
                named = router.on_the_way(engine, *ways)
                route = router.route(*ways, engine=named, instrument=instrument)
                console.print(f"{ways[0]} → {ways[1]}: {route.explanation}", markup=False)


def _done(
    console: Console, where: Runner, task: Task, options: Mapping[str, Any], clip: Mapping[str, Any], *, force: bool
) -> bool:
    """Translate one file; say what was made, or what went wrong."""
    from bridge.cli.running import Request, place
    from model_runtime.errors import InvalidValue, MusicError
    from protocol.errors import ProtocolError

    try:
        if not task.out_is_folder and task.out.exists() and not force:
            raise InvalidValue(f"{task.out} exists already.", hint="Add --force to write over it.")
        outcome = _with_bar(console, where, Request(task.source, task.targets, options, clip))
        places = [(made, task.destination(made)) for made, _ in outcome.files]
        for _, destination in places:
            if destination.exists() and not force:
                raise InvalidValue(f"{destination} exists already.", hint="Add --force to write over it.")
        for made, destination in places:
            place(made, destination)
    except (MusicError, ProtocolError) as error:
        console.print(f"{task.source}: {error.message}", style="bold red", markup=False)
        if error.hint:
            console.print(error.hint, markup=False)
        return False
    seconds = outcome.timing.get("total", 0.0)
    for _, destination in places:
        typer.echo(str(destination))
    console.print(f"{outcome.engine}, {seconds:.1f} s, by {where.name}", style="dim", markup=False)
    for warning in outcome.warnings:
        console.print(f"Note: {warning}", style="yellow", markup=False)
    return True


def _with_bar(console: Console, where: Runner, request: Any) -> Outcome:
    from bridge.cli.progress import progress_bar

    with progress_bar(console, request.source.name) as on_progress:
        return where.run(request, on_progress)
