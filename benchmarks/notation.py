"""Performance → notation, beside music21 and MuseScore: `python -m benchmarks.notation [--data DIR] --json FILE`.

On the pieces of DIR/eval/asap, with the annotated beats as tempo map and without. The other engines get the same: with
the map a MIDI file whose beats lie on its ticks with its tempos, time and key signatures; without, the performance
in a MIDI file at one tempo. MuseScore is run in several ways (its own defaults; human performance on and off; finest
grid 1/16 and 1/32) and the best is taken for each of the two tasks.

"scorebridge" is the quantiser, whose rules find everything; "unified" is the unified model's performance reader. Its
speed is told as seconds of music a second, both tasks together.

`note_f1_<engine>_with_map` is the strict note F1 of `benchmarks.note_f1` over pitch, onset, duration and staff, a
mean over pieces; `note_f1_<engine>_without_map` is its local form, where one lost beat does not fail all that follows,
and `strict_f1_<engine>_without_map` the strict one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from benchmarks import report
from benchmarks.asap import Piece, exact_shift, pieces
from benchmarks.note_f1 import NoteF1, local_f1, strict_f1
from model_runtime.engines.base import Context, Engine
from model_runtime.engines.quantiser import Quantiser
from model_runtime.engines.unified_notation import UnifiedNotation
from model_runtime.modality import Notation, Performance
from model_runtime.notation.score_notes import WrittenMeasure, WrittenNote, notes_in_order, read_measures
from model_runtime.options import Options

TICKS = 480
MUSESCORE_WAYS: dict[str, str] = {
    "default": "",
    "human": "<HumanPerformance>true</HumanPerformance>",
    "human16": "<HumanPerformance>true</HumanPerformance><QuantValue>2</QuantValue>",
    "human32": "<HumanPerformance>true</HumanPerformance><QuantValue>3</QuantValue>",
    "machine16": "<HumanPerformance>false</HumanPerformance><QuantValue>2</QuantValue>",
    "machine32": "<HumanPerformance>false</HumanPerformance><QuantValue>3</QuantValue>",
}
_MUSESCORE_SECONDS = 300


@dataclass(frozen=True)
class _Result:
    engine: str
    piece: str
    with_map: bool
    strict: NoteF1
    local: NoteF1
    seconds: float
    music_s: float = 0.0
    full_measures: tuple[int, int] = (0, 0)  # exactly full, all


Importer = Callable[[Path], list[WrittenNote]]


def midi_with_map(piece: Piece, path: Path) -> None:
    """Write a performance so that its annotated beats lie on ticks, with the tempos, time and key signatures."""
    import mido

    shift = float(exact_shift(piece.tempo_map))
    tempo_map = piece.tempo_map

    def tick(time_s: float) -> int:
        return max(0, round((tempo_map.quarter_at(time_s) + shift) * TICKS))

    events: list[tuple[int, int, object]] = []
    for index, (start, quarter) in enumerate(zip(tempo_map.times_s[:-1], tempo_map.quarters[:-1], strict=True)):
        seconds = (tempo_map.times_s[index + 1] - start) / (tempo_map.quarters[index + 1] - quarter)
        at = 0 if index == 0 else round((quarter + shift) * TICKS)
        events.append((at, 0, mido.MetaMessage("set_tempo", tempo=round(seconds * 1e6))))
    for index, meter in enumerate(tempo_map.meters):
        at = 0 if index == 0 else round((meter.quarter + shift) * TICKS)
        signature = mido.MetaMessage("time_signature", numerator=meter.numerator, denominator=meter.denominator)
        events.append((at, 0, signature))
    for index, key in enumerate(tempo_map.keys):
        at = 0 if index == 0 else round((key.quarter + shift) * TICKS)
        events.append((at, 0, mido.MetaMessage("key_signature", key=_KEYS[key.fifths])))
    _write_midi(piece.performance, events, tick, path)


def midi_without_map(performance: Performance, path: Path) -> None:
    """Write a performance at one tempo, without any time signature."""
    _write_midi(performance, [], lambda time_s: max(0, round(time_s * 2 * TICKS)), path)


_KEYS = dict(
    zip(
        range(-7, 8),
        ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"),
        strict=True,
    )
)


def _write_midi(
    performance: Performance, events: Sequence[tuple[int, int, object]], tick: Callable[[float], int], path: Path
) -> None:
    import mido

    file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    conductor, piano = mido.MidiTrack(), mido.MidiTrack()
    notes: list[tuple[int, int, object]] = []
    for note in performance.notes:
        start = tick(note.onset_s)
        end = max(start + 1, tick(note.offset_s))
        notes.append((start, 2, mido.Message("note_on", note=note.pitch, velocity=note.velocity)))
        notes.append((end, 1, mido.Message("note_off", note=note.pitch)))
    for control in performance.controls:
        message = mido.Message("control_change", control=control.number, value=control.value)
        notes.append((tick(control.time_s), 0, message))
    for track, own in ((conductor, events), (piano, notes)):
        now = 0
        for at, _, message in sorted(own, key=lambda event: event[:2]):
            track.append(message.copy(time=at - now))  # type: ignore[attr-defined]
            now = at
        file.tracks.append(track)
    file.save(path)


def music21_import(path: Path) -> list[WrittenNote]:
    """Notes as music21 quantises a MIDI file on reading."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from music21 import converter, stream

        score = converter.parse(str(path), format="midi", forceSource=True, quantizePost=True)
        if not isinstance(score, stream.Score):
            raise TypeError("music21 did not read the MIDI file as a score")
        score = score.stripTies()
        notes: list[WrittenNote] = []
        for staff, part in enumerate(score.parts, start=1):
            for element in part.flatten().notes:
                onset, length = Fraction(element.offset), Fraction(element.duration.quarterLength)
                notes.extend(
                    WrittenNote(onset=onset, pitch=pitch.midi, duration=length, staff=staff, grace=length == 0)
                    for pitch in element.pitches
                )
        return notes


def musescore_import(way: str) -> Importer:
    """Notes as MuseScore 3 imports a MIDI file, in one of `MUSESCORE_WAYS`."""

    def run(path: Path) -> list[WrittenNote]:
        result = path.with_suffix(f".{way}.musicxml")
        operations = path.with_suffix(f".{way}.xml")
        options = []
        if MUSESCORE_WAYS[way]:
            operations.write_text(f"<MidiOptions>{MUSESCORE_WAYS[way]}</MidiOptions>", encoding="utf-8")
            options = ["-M", str(operations)]
        subprocess.run(
            [_musescore(), *options, "-o", str(result), str(path)],
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            capture_output=True,
            timeout=_MUSESCORE_SECONDS,
            check=True,
        )
        return notes_in_order(read_measures(result.read_bytes()))

    return run


def _musescore() -> str:
    program = next((p for p in ("mscore3", "musescore3", "mscore") if shutil.which(p)), None)
    if program is None:
        sys.exit("MuseScore 3 is not installed: apt-get install musescore3")
    return program


def full_measures(measures: Sequence[WrittenMeasure]) -> tuple[int, int]:
    """How many measures are exactly full in every voice, and how many there are; a pickup is as long as its longest."""
    full = 0
    for index, measure in enumerate(measures):
        wanted = measure.nominal
        if index == 0 and measure.implicit:
            wanted = max(measure.voice_fill.values(), default=wanted)
        full += all(fill == wanted for fill in measure.voice_fill.values()) and bool(measure.voice_fill)
    return full, len(measures)


OURS: dict[str, type[Engine]] = {"scorebridge": Quantiser, "unified": UnifiedNotation}


def measure_scorebridge(piece: Piece, with_map: bool, name: str = "scorebridge") -> _Result:
    """One of our engines on one piece."""
    performance = replace(piece.performance, tempo_map=piece.tempo_map if with_map else None)
    engine = OURS[name]()
    engine.load()
    start = time.perf_counter()
    notation = engine.translate(performance, Options(), Context())
    seconds = time.perf_counter() - start
    if not isinstance(notation, Notation):
        raise TypeError("the engine did not write a score")
    measures = read_measures(notation.musicxml)
    notes = notes_in_order(measures)
    reference = piece.reference
    return _Result(
        name,
        piece.name,
        with_map,
        strict_f1(reference, notes),
        local_f1(reference, notes),
        seconds,
        performance.duration_s,
        full_measures(measures),
    )


def measure_importer(name: str, importer: Importer, piece: Piece, with_map: bool, folder: Path) -> _Result:
    """Another program's MIDI import on one piece."""
    path = folder / f"{piece.name}_{'map' if with_map else 'plain'}.mid"
    if with_map:
        midi_with_map(piece, path)
    else:
        midi_without_map(piece.performance, path)
    start = time.perf_counter()
    notes = importer(path)
    seconds = time.perf_counter() - start
    reference = piece.reference
    return _Result(name, piece.name, with_map, strict_f1(reference, notes), local_f1(reference, notes), seconds)


def measure_all(folder: Path, engines: Sequence[str]) -> list[_Result]:
    """Every engine on every piece, with and without the map."""
    importers: dict[str, Importer] = {}
    if "music21" in engines:
        importers["music21"] = music21_import
    if "musescore" in engines:
        importers |= {f"musescore {way}": musescore_import(way) for way in MUSESCORE_WAYS}
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for piece in pieces(folder):
            for with_map in (True, False):
                results += [measure_scorebridge(piece, with_map, name) for name in OURS if name in engines]
                for name, importer in importers.items():
                    results.append(measure_importer(name, importer, piece, with_map, Path(scratch)))
            print(piece.name, file=sys.stderr)
    return results


def figures_of(results: Sequence[_Result]) -> dict[str, float]:
    """Means over pieces; of MuseScore's ways the best for each task."""
    figures: dict[str, float] = {}
    for with_map, task in ((True, "with_map"), (False, "without_map")):
        for engine in (*OURS, "music21", "musescore"):
            ways = {r.engine for r in results if r.engine.split()[0] == engine and r.with_map == with_map}
            own = {way: [r for r in results if r.engine == way and r.with_map == with_map] for way in sorted(ways)}
            if not own:
                continue

            def headline(found: Sequence[_Result], with_map: bool = with_map) -> float:
                return _mean(r.strict.full if with_map else r.local.full for r in found)

            best = max(own.values(), key=headline)
            figures[f"note_f1_{engine}_{task}"] = headline(best)
            figures[f"strict_f1_{engine}_{task}"] = max(_mean(r.strict.full for r in found) for found in own.values())
            figures[f"onset_f1_{engine}_{task}"] = _mean(r.strict.onset if with_map else r.local.onset for r in best)
    for name in OURS:
        own_results = [r for r in results if r.engine == name]
        if own_results:
            counted = [r.full_measures for r in own_results]
            share = 100.0 * sum(full for full, _ in counted) / sum(count for _, count in counted)
            figures["full_measures" if name == "scorebridge" else f"full_measures_{name}"] = share
            figures[f"seconds_a_piece_{name}"] = _mean(r.seconds for r in own_results)
            figures[f"x_real_time_{name}"] = sum(r.music_s for r in own_results) / sum(r.seconds for r in own_results)
    return {name: round(value, 4) for name, value in figures.items()}


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / max(len(listed), 1)


def _rows(results: Sequence[_Result]) -> list[dict[str, object]]:
    """A line of means for each engine and each of MuseScore's ways, with and without the map."""
    rows: list[dict[str, object]] = []
    for with_map in (True, False):
        for engine in dict.fromkeys(result.engine for result in results):
            own = [result for result in results if result.engine == engine and result.with_map == with_map]
            rows.append(
                {
                    "map": "with" if with_map else "without",
                    "engine": engine,
                    "F1": f"{_mean(r.strict.full for r in own):.3f}",
                    "onset F1": f"{_mean(r.strict.onset for r in own):.3f}",
                    "local F1": f"{_mean(r.local.full for r in own):.3f}",
                    "local onset F1": f"{_mean(r.local.onset for r in own):.3f}",
                    "pieces": len(own),
                    "s a piece": f"{_mean(r.seconds for r in own):.1f}",
                }
            )
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("shared"), help="folder that holds eval/asap")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--engines", nargs="+", default=[*OURS, "music21", "musescore"])
    parser.add_argument("--keep", action="store_true", help="leave figures of other engines in the file as they are")
    arguments = parser.parse_args()
    results = measure_all(arguments.data / "eval" / "asap", arguments.engines)
    figures = figures_of(results)
    if arguments.keep and arguments.json is not None and arguments.json.exists():
        figures = json.loads(arguments.json.read_text(encoding="utf-8"))["figures"] | figures
    report.write(figures, _rows(results), arguments.json, "Performance → notation: note F1 on ASAP")


if __name__ == "__main__":
    main()
