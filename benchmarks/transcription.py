"""Audio → performance: accuracy and speed beside the `basic_pitch` package, and an hour in flat memory.

    python -m benchmarks.transcription --data DIR --json FILE [--engines reader refined --keep] [--weights FOLDER]

Figures:
    basic_pitch_speed_ratio            the package's time divided by ours, the median over ten files; above 1 is good
    onset_f1_<engine>_<file>           onsets within 50 ms (mir_eval), against truth
    note_f1_<engine>_<file>            onsets and offsets, where the truth has offsets
    onset_agreement_<engine>_<file>    the same against the output of another model, which is no truth
    onset_f1_<engine>_bach10_mean      the mean of the five chorales
    live_onset_f1_reader_<file>        the same as the reader hears it live, 93 ms after each onset
    live_core_share_reader             processor time for a second of live listening, in pieces of 12 ms
    <engine>_x_real_time               seconds of music read in one, the median over the files, of reader and refined
    hour_peak_extra_mb                 peak memory for 60 minutes less that for one minute
    hour_time_ratio                    time for 60 minutes divided by 60 times that for one minute
    hour_cpu_ratio                     the same in processor time, which other programs do not change

Engines are `reader` (the unified model's audio reader), `refined` (the same, judged by the trunk), `basic-pitch`
(ours), `basic_pitch_package` (Spotify's `predict`, its defaults) and, for the piano, `transkun`. Add-ons that are
missing are installed. Some engines can be measured again while the figures of the others are kept.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import report
from benchmarks.basic_pitch_package import BasicPitchPackage
from benchmarks.eval_audio import Recording, clip, recordings
from model_runtime import files
from model_runtime.addons import addon
from model_runtime.engines.audio_reader import AudioReaderEngine
from model_runtime.engines.base import Context, Engine
from model_runtime.engines.basic_pitch import BasicPitch
from model_runtime.engines.transkun import Transkun
from model_runtime.engines.unified_transcription import UnifiedTranscription
from model_runtime.files.audio import resampled
from model_runtime.modality import Audio, Performance
from model_runtime.options import Options
from model_runtime.unified.audio_front_end import SAMPLE_RATE
from model_runtime.unified.audio_reader import listener

Notes = npt.NDArray[np.float64]  # (notes, 3): onset and offset in seconds, pitch

_ENGINES = ("reader", "refined", "basic-pitch", "basic_pitch_package", "transkun")
_ROUNDS = 3
_SPEED_FILES = 10
_RATE = 44_100
Times = dict[tuple[str, str], list[float]]


def main() -> None:
    """Measure all, print a table, write JSON."""
    parser = argparse.ArgumentParser(description="Accuracy and speed of audio → performance.")
    parser.add_argument("--data", type=Path, required=True, help="folder with eval/audio in it")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--engines", nargs="+", choices=_ENGINES, default=list(_ENGINES))
    parser.add_argument("--keep", action="store_true", help="leave figures of other engines in the file as they are")
    parser.add_argument("--weights", type=Path, help="folder of the trunk that refines; the shipped one where left out")
    parser.add_argument("--ends", type=float, help="how far its ends are believed, 0 to 1, for a trial")
    arguments = parser.parse_args()
    engines: list[str] = arguments.engines
    for name in ("basic-pitch", "transkun"):
        if name in engines and not addon(name).installed():
            addon(name).install()
    with tempfile.TemporaryDirectory() as scratch:
        music = recordings(arguments.data / "eval" / "audio")
        whole = list(music)
        music += [clip(recording, 5.0, 15.0, Path(scratch)) for recording in whole[: _SPEED_FILES - len(whole)]]
        refining = UnifiedTranscription(arguments.weights)
        if arguments.ends is not None:
            refining = UnifiedTranscription(arguments.weights, ends=arguments.ends)
        found, times = _taking_turns(music, engines, refining)
        if "transkun" in engines:
            found |= _piano(music)
        rows = _rows(music, times)
        figures = _speed(music, times) | _means(found, music)
        if "reader" in engines:
            figures |= _live(whole)
        figures |= _accuracy(music, found, rows)
        if "basic-pitch" in engines:
            figures |= _hour(Path(scratch))
            rows.append({"file": "60 minutes", "basic-pitch s": figures["hour_s"]})
    if arguments.keep and arguments.json is not None and arguments.json.exists():
        figures = json.loads(arguments.json.read_text(encoding="utf-8"))["figures"] | figures
    report.write(figures, rows, arguments.json, "Audio → performance: onset F1 (50 ms) and seconds")


def _taking_turns(
    music: Sequence[Recording], engines: Sequence[str], refining: Engine
) -> tuple[dict[tuple[str, str], Notes], Times]:
    """What each engine finds in each file, and how many seconds that took in each round; networks are loaded before."""
    ours: dict[str, Engine] = {
        "reader": AudioReaderEngine(),
        "refined": refining,
        "basic-pitch": BasicPitch(),
    }
    found: dict[tuple[str, str], Notes] = {}
    times: Times = {}
    with contextlib.ExitStack() as stack:
        readers: dict[str, Callable[[Path], tuple[float, Notes]]] = {
            name: functools.partial(_timed, engine) for name, engine in ours.items() if name in engines
        }
        if "basic_pitch_package" in engines:
            readers["basic_pitch_package"] = stack.enter_context(BasicPitchPackage()).predict
        for read in readers.values():
            read(music[0].path)
        for _ in range(_ROUNDS):
            for recording in music:
                for name, read in readers.items():
                    seconds, found[name, recording.name] = read(recording.path)
                    times.setdefault((name, recording.name), []).append(seconds)
    return found, times


def _timed(engine: Engine, path: Path) -> tuple[float, Notes]:
    started = time.perf_counter()
    notes = _translated(engine, path)
    return time.perf_counter() - started, notes


def _rows(music: Sequence[Recording], times: Times) -> list[dict[str, object]]:
    """Medians of the rounds."""
    rows: list[dict[str, object]] = []
    for recording in music:
        own = {name: statistics.median(each) for (name, file), each in times.items() if file == recording.name}
        rows.append({"file": recording.name, **{f"{name} s": seconds for name, seconds in own.items()}})
    return rows


def _speed(music: Sequence[Recording], times: Times) -> dict[str, float]:
    medians = {key: statistics.median(each) for key, each in times.items()}
    figures: dict[str, float] = {}
    if ("basic_pitch_package", music[0].name) in medians and ("basic-pitch", music[0].name) in medians:
        ratios = [medians["basic_pitch_package", each.name] / medians["basic-pitch", each.name] for each in music]
        figures |= {"basic_pitch_speed_ratio": statistics.median(ratios), "speed_files": len(ratios)}
    for name in ("reader", "refined"):
        rates = [_duration_s(each.path) / medians[name, each.name] for each in music if (name, each.name) in medians]
        if rates:
            figures[f"{name}_x_real_time"] = statistics.median(rates)
    return figures


def _duration_s(path: Path) -> float:
    audio = files.read(path)
    assert isinstance(audio, Audio)
    return audio.duration_s


def _piano(music: Sequence[Recording]) -> dict[tuple[str, str], Notes]:
    engine = Transkun()
    try:
        return {("transkun", each.name): _translated(engine, each.path) for each in music if each.piano}
    finally:
        engine.close()


def _translated(engine: Engine, path: Path) -> Notes:
    performance = engine.translate(files.read(path), Options(), Context())
    assert isinstance(performance, Performance)
    return np.array([[n.onset_s, n.offset_s, n.pitch] for n in performance.notes], np.float64).reshape(-1, 3)


def _accuracy(
    music: Sequence[Recording], found: dict[tuple[str, str], Notes], rows: list[dict[str, object]]
) -> dict[str, float]:
    figures = {}
    for recording, row in zip(music, rows, strict=True):
        for engine in _ENGINES:
            notes = found.get((engine, recording.name))
            if notes is None:
                continue
            onset_f1 = _f1(recording.notes, notes, with_offsets=False)
            measure = "onset_f1" if recording.is_truth else "onset_agreement"
            figures[f"{measure}_{engine}_{recording.name}"] = onset_f1
            row[f"F1 {engine}"] = onset_f1
            if recording.is_truth and recording.has_offsets:
                figures[f"note_f1_{engine}_{recording.name}"] = _f1(recording.notes, notes, with_offsets=True)
        row["against"] = "truth" if recording.is_truth else "another model"
    return figures


def _means(found: dict[tuple[str, str], Notes], music: Sequence[Recording]) -> dict[str, float]:
    """Of the chorales, the clips cut from them left out."""
    chorales = [each for each in music if each.name.startswith("bach10") and "_from_" not in each.name]
    return {
        f"onset_f1_{engine}_bach10_mean": statistics.fmean(
            _f1(each.notes, found[engine, each.name], with_offsets=False) for each in chorales
        )
        for engine in _ENGINES
        if all((engine, each.name) in found for each in chorales)
    }


def _live(music: Sequence[Recording]) -> dict[str, float]:
    """What a live session tells of at once in the recordings, and what that costs."""
    figures: dict[str, float] = {}
    used_s = lasted_s = 0.0
    for recording in music:
        audio = files.read(recording.path)
        assert isinstance(audio, Audio)
        samples = np.concatenate([block.reshape(-1) for block in resampled(audio, SAMPLE_RATE)])
        ears = listener()
        started = time.process_time()
        heard = [note for start in range(0, len(samples), 256) for note in ears.listen(samples[start : start + 256])]
        heard += ears.finish()
        used_s, lasted_s = used_s + time.process_time() - started, lasted_s + audio.duration_s
        at_once = {note.number: note for note in reversed(heard)}.values()  # the first word about each
        notes = [(n.onset_s, n.onset_s + 0.1, n.pitch) for n in at_once if n.phase == "provisional"]
        found = np.array(notes, np.float64).reshape(-1, 3)
        measure = "live_onset_f1" if recording.is_truth else "live_onset_agreement"
        figures[f"{measure}_reader_{recording.name}"] = _f1(recording.notes, found, with_offsets=False)
    return figures | {"live_core_share_reader": used_s / lasted_s}


def _f1(truth: Notes, notes: Notes, *, with_offsets: bool) -> float:
    from mir_eval.transcription import precision_recall_f1_overlap

    if not len(notes):
        return 0.0
    _, _, f1, _ = precision_recall_f1_overlap(
        truth[:, :2],
        440 * 2 ** ((truth[:, 2] - 69) / 12),
        notes[:, :2],
        440 * 2 ** ((notes[:, 2] - 69) / 12),
        onset_tolerance=0.05,
        offset_ratio=0.2 if with_offsets else None,
    )
    return float(f1)


def _hour(folder: Path) -> dict[str, float]:
    """A minute of generated music, and the same sixty times over, each in a process of its own."""
    minute, hour = folder / "minute.wav", folder / "hour.wav"
    _write_piece(minute, 1)
    _write_piece(hour, 60)
    short = [_measured(minute) for _ in range(_ROUNDS)]
    long = _measured(hour)
    short += [_measured(minute) for _ in range(_ROUNDS)]  # before and after, should others use the machine
    minute_s = statistics.median(each["seconds"] for each in short)
    return {
        "minute_s": minute_s,
        "hour_s": long["seconds"],
        "hour_time_ratio": long["seconds"] / (60 * minute_s),
        "hour_cpu_ratio": long["cpu_seconds"] / (60 * statistics.median(each["cpu_seconds"] for each in short)),
        "hour_peak_mb": long["peak_mb"],
        "hour_peak_extra_mb": long["peak_mb"] - statistics.median(each["peak_mb"] for each in short),
        "hour_notes": long["notes"],
    }


def _write_piece(path: Path, minutes: int) -> None:
    """Three voices of plucked tones in random walks over a scale: the same minute again and again."""
    import soundfile

    draw = np.random.default_rng(1)
    minute = np.zeros(60 * _RATE)
    scale = [pitch for pitch in range(36, 96) if pitch % 12 in (0, 2, 4, 5, 7, 9, 11)]
    for voice in range(3):
        step, start_s = 8 + 10 * voice, 0.0
        while start_s < 58.0:
            step = int(np.clip(step + draw.integers(-3, 4), 10 * voice, 10 * voice + 12))
            length_s = float(draw.choice([0.25, 0.5, 0.5, 1.0]))
            first = round(start_s * _RATE)
            tone = _tone(scale[step], length_s + 0.2)
            minute[first : first + len(tone)] += 0.1 * tone
            start_s += length_s
    samples = (np.clip(minute, -1, 1) * 32767).astype(np.int16)
    with soundfile.SoundFile(path, "w", _RATE, 1, "PCM_16") as file:
        for _ in range(minutes):
            file.write(samples)


def _tone(pitch: int, length_s: float) -> npt.NDArray[np.float64]:
    time_s = np.arange(round(length_s * _RATE)) / _RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    partials = sum(np.sin(2 * np.pi * k * frequency * time_s) * np.exp(-3 * k * time_s) / k for k in range(1, 9))
    return np.asarray(partials * np.minimum(1, (length_s - time_s) / 0.02))


def _measured(path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.transcription_hour", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    main()
