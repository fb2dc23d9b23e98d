"""The library's front door: `translate` for values, `translate_files` for files.

Both find a route through the engines (`model_runtime.router`), run it step by step, and say what they did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from model_runtime.engines.base import Context, ProgressCallback
from model_runtime.errors import InvalidValue, UnsupportedFormat
from model_runtime.modality import Audio, Clip, Modality, Performance, Value, modality_of
from model_runtime.options import Options
from model_runtime.performance_edit import edited
from model_runtime.router import Route, Router

TARGET_MODALITY: Mapping[str, Modality] = {
    "mid": Modality.PERFORMANCE,
    "events": Modality.PERFORMANCE,
    "musicxml": Modality.NOTATION,
    "mxl": Modality.NOTATION,
    "notes": Modality.NOTATION,
    "png": Modality.SCORE_IMAGE,
    "svg": Modality.SCORE_IMAGE,
    "pdf": Modality.SCORE_IMAGE,
    "wav": Modality.AUDIO,
    "flac": Modality.AUDIO,
}
"""Formats that can be asked for, and the modality each one holds."""

_ENDINGS = {"notes": "notes.json", "events": "events.json"}


@dataclass(frozen=True)
class Translation:
    """A translated value and how it came about.

    Attributes:
        value: In the target modality.
        route: The engines that were used, with an explanation.
        warnings: Sentences for the musician about what could not be done exactly.
        timing: Seconds, one for each engine by name.
    """

    value: Value
    route: Route
    warnings: tuple[str, ...] = ()
    timing: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class WrittenFile:
    """A file that was made."""

    path: Path
    format: str


@dataclass(frozen=True)
class FileTranslation:
    """The files of a translation and how they came about.

    Attributes:
        files: In the order of the targets; several pages of a picture follow each other.
        engine: Engines used, "basic-pitch → quantiser"; those of several targets joined by ", ".
        explanation: Why these.
        warnings: Sentences for the musician.
        timing: Seconds: "read", one for each engine, "write", "total".
    """

    files: tuple[WrittenFile, ...]
    engine: str
    explanation: str
    warnings: tuple[str, ...]
    timing: Mapping[str, float]


def translate(
    source: Value | Path | str,
    target: Modality | str,
    options: Options | None = None,
    on_progress: ProgressCallback | None = None,
    *,
    clip: Clip | None = None,
    router: Router | None = None,
) -> Translation:
    """Translate music from one modality into another.

    Args:
        source: A value, or the path of a file in any format that `model_runtime.files` reads.
        target: The modality to come back: "image", "notation", "performance" or "audio".
        options: What is asked of it; None is the defaults.
        on_progress: Called as (stage, current, total); may raise `Cancelled` to stop.
        clip: Which part of an audio file is meant.
        router: Where engines are chosen from; None is all that ScoreBridge has.

    Raises:
        MusicError: with one sentence for the musician.
    """
    try:
        wanted = Modality(target)
    except ValueError:
        names = ", ".join(modality.value for modality in Modality)
        raise InvalidValue(f"{target!r} is not a form of music.", hint=f"Choose one of: {names}.") from None
    context = Context(on_progress=on_progress)
    run = _Run(_read(source, None, clip, context), [wanted], options or Options(), context, router or Router())
    value, route = run.to(wanted)
    return Translation(value, route, tuple(context.warnings), dict(run.timing))


def translate_files(
    source: Path,
    targets: Sequence[str],
    folder: Path,
    *,
    format: str | None = None,
    clip: Clip | None = None,
    options: Options | None = None,
    stem: str | None = None,
    on_progress: ProgressCallback | None = None,
    on_partial: Callable[[Value], None] | None = None,
    router: Router | None = None,
) -> FileTranslation:
    """Translate a file into one or several formats; steps that targets have in common are done once.

    Args:
        source: The file to translate.
        targets: Keys of `TARGET_MODALITY`.
        folder: Where the files are written; it must exist.
        format: The source's format where its name does not tell.
        clip: Which part of an audio file is meant.
        options: What is asked of it; None is the defaults.
        stem: Name of the written files without ending; None is the source's.
        on_progress: Called as (stage, current, total); may raise `Cancelled` to stop.
        on_partial: Called with early results.
        router: Where engines are chosen from; None is all that ScoreBridge has.

    Raises:
        MusicError: with one sentence for the musician; no half-written file is left.
    """
    from model_runtime import files

    for target in targets:
        if target not in TARGET_MODALITY:
            known = ", ".join(TARGET_MODALITY)
            raise UnsupportedFormat(f"ScoreBridge cannot write {target!r} files.", hint=f"It writes: {known}.")
    started = time.perf_counter()
    context = Context(on_progress=on_progress, on_partial=on_partial)
    modalities = [TARGET_MODALITY[target] for target in targets]
    run = _Run(_read(source, format, clip, context), modalities, options or Options(), context, router or Router())
    timing = {"read": time.perf_counter() - started}
    base = stem or source.name.split(".")[0] or "result"

    results = [(target, *run.to(TARGET_MODALITY[target])) for target in targets]
    writing = time.perf_counter()
    written: list[WrittenFile] = []
    for target, value, _ in results:
        context.progress("Writing", len(written), len(targets))
        path = folder / f"{base}.{_ENDINGS.get(target, target)}"
        written += [WrittenFile(made, target) for made in files.write(value, path, format=target)]
    timing |= run.timing
    timing["write"] = time.perf_counter() - writing
    timing["total"] = time.perf_counter() - started
    return FileTranslation(
        tuple(written),
        ", ".join(_without_prefixes([route.name for _, _, route in results])),
        " ".join(dict.fromkeys(route.explanation for _, _, route in results)),
        tuple(context.warnings),
        timing,
    )


def _read(source: Value | Path | str, format: str | None, clip: Clip | None, context: Context) -> Value:
    from model_runtime import files

    if not isinstance(source, (str, Path)):
        return source
    context.progress("Reading", 0, 1)
    value = files.read(Path(source), format=format, clip=clip)
    context.progress("Reading", 1, 1)
    return value


class _Run:
    """One source on its way to several targets: remembers what each chain of engines made of it."""

    def __init__(
        self, source: Value, targets: Sequence[Modality], options: Options, context: Context, router: Router
    ) -> None:
        router.check_names(options.engine, modality_of(source), targets)
        self.source = source
        self.options = options
        self.context = context
        self.router = router
        self.timing: dict[str, float] = {}
        self._made: dict[tuple[str, ...], Value] = {}

    def to(self, target: Modality) -> tuple[Value, Route]:
        source = modality_of(self.source)
        named = self.router.on_the_way(self.options.engine, source, target)
        route = self.router.route(source, target, engine=named, instrument=self.options.instrument)
        value = self._on_tempo_map(self.source)
        for i, engine in enumerate(route.engines):
            chain = tuple(e.name for e in route.engines[: i + 1])
            if chain not in self._made:
                started = time.perf_counter()
                made = engine.translate(value, self.options, self.context)
                self._made[chain] = self._on_tempo_map(self._at_playrate(value, made))
                self.timing[engine.name] = self.timing.get(engine.name, 0.0) + time.perf_counter() - started
            value = self._made[chain]
        return (edited(value, self.options) if isinstance(value, Performance) else value), route

    @staticmethod
    def _at_playrate(before: Value, after: Value) -> Value:
        if isinstance(before, Audio) and isinstance(after, Performance) and before.playrate != 1.0:
            return after.scaled(1.0 / before.playrate)
        return after

    def _on_tempo_map(self, value: Value) -> Value:
        if isinstance(value, Performance) and self.options.tempo_map is not None:
            return replace(value, tempo_map=self.options.tempo_map.tempo_map())
        return value


def _without_prefixes(names: Sequence[str]) -> list[str]:
    """Leave out a route that another one begins with: "a" beside "a → b"."""
    unique = list(dict.fromkeys(names))
    return [n for n in unique if not any(other != n and other.startswith(n + " → ") for other in unique)]
