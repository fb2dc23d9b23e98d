"""How well the notes of a performance can be heard in what our synthesisers make of it, how fast, how loud, how big.

Each performance is rendered and transcribed back with Basic Pitch's network; onsets within 50 ms (mir_eval) are the
same. The network's own mistakes are in the figure: it compares the synthesisers, and says that times and pitches are
right; 1.0 is not to be had.

Loudness (BS.1770) is compared with what was asked for (-18 LUFS). Where the peak limit of -1 dBFS holds the sound back,
the engine warns of it, and how much is missing is a figure of its own.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import report
from benchmarks.made_performance import made_performance
from model_runtime.engines.base import Context, Engine
from model_runtime.engines.basic_pitch import BasicPitch
from model_runtime.engines.fluidsynth import FluidSynth
from model_runtime.engines.rustysynth import RustySynth
from model_runtime.files.midi import read_midi
from model_runtime.modality import Audio, Note, Performance
from model_runtime.options import Options
from model_runtime.synthesis.finishing import PEAK_LIMIT_DBFS
from model_runtime.synthesis.loudness import LoudnessMeter

SYNTHS: Mapping[str, type[Engine]] = {"fluidsynth": FluidSynth, "rustysynth": RustySynth}
ASAP_PIECES = ("Bach_Prelude_bwv_846", "Mozart_Piano_Sonatas_11-3")
OPENING_S = 30.0
ONSET_TOLERANCE_S = 0.05
MEMORY_MINUTES = 10
AT_LIMIT_DB = 0.1  # as near to the peak limit as the meter tells
_ROUNDS = 3


@dataclass(frozen=True)
class Loudness:
    """Loudness units above what was asked, and whether the peak limit stood in the way."""

    error_lu: float
    limited: bool


def measure(data: Path) -> tuple[dict[str, float], list[report.Row]]:
    """Every synthesiser on every performance."""
    played = performances(data)
    transcriber = BasicPitch()
    figures: dict[str, float] = {}
    rows: list[report.Row] = []
    for name, kind in SYNTHS.items():
        engine = kind()
        f1s: dict[str, float] = {}
        loudness: list[Loudness] = []
        for piece, performance in played.items():
            audio = rendered(engine, performance)
            heard = transcriber.translate(audio, Options(), Context())
            f1s[piece] = onset_f1(performance.notes, heard.notes)
            loudness.append(loudness_of(audio))
            row = {"engine": name, "performance": piece, "F1": f1s[piece], "notes": len(performance.notes)}
            rows.append(row | {"LU off": loudness[-1].error_lu, "peak limit": "held" if loudness[-1].limited else ""})
        figures[f"{name}_read_back_onset_f1"] = statistics.mean(f1s.values())
        figures |= {f"{name}_read_back_onset_f1_{piece}": f1 for piece, f1 in f1s.items()}
        figures |= {f"{name}_{figure}": value for figure, value in loudness_figures(loudness).items()}
        figures[f"{name}_times_real_time"] = times_real_time(engine, made_performance())
        engine.close()
        figures[f"{name}_one_minute_peak_mb"] = peak_mb(name, 1)
        figures[f"{name}_ten_minutes_peak_mb"] = peak_mb(name, MEMORY_MINUTES)
    return figures, rows


def performances(data: Path) -> dict[str, Performance]:
    """A made minute, the notes of a recorded piano phrase, and two openings by pianists with their pedal."""
    found = {"made": made_performance(), "stereo_sample": _phrase(data / "eval" / "audio" / "stereo_sample.notes")}
    for name in ASAP_PIECES:
        found[name] = opening(read_midi(data / "eval" / "asap" / name / "performance.mid"), OPENING_S)
    return found


def opening(performance: Performance, length_s: float) -> Performance:
    """What begins before `length_s`; notes that are still held end there."""
    kept = (note for note in performance.notes if note.onset_s < length_s)
    return replace(
        performance,
        notes=tuple(replace(note, offset_s=min(note.offset_s, length_s)) for note in kept),
        controls=tuple(control for control in performance.controls if control.time_s < length_s),
        pitch_bends=tuple(bend for bend in performance.pitch_bends if bend.time_s < length_s),
        programs=tuple(program for program in performance.programs if program.time_s < length_s),
        tempo_map=None,
    )


def _phrase(path: Path) -> Performance:
    rows = np.loadtxt(path)  # onset and pitch, duration, velocity
    notes = [Note(float(o), float(o + d), int(p), int(np.clip(v, 1, 127))) for o, p, d, v in rows]
    return Performance(tuple(sorted(notes)))


def onset_f1(truth: Sequence[Note], heard: Sequence[Note]) -> float:
    """F1 of pitch and onset within 50 ms."""
    from mir_eval.transcription import precision_recall_f1_overlap

    if not truth or not heard:
        return 0.0
    _, _, f1, _ = precision_recall_f1_overlap(
        *_intervals(truth), *_intervals(heard), onset_tolerance=ONSET_TOLERANCE_S, offset_ratio=None
    )
    return float(f1)


def _intervals(notes: Sequence[Note]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Onsets and offsets in seconds, shape (notes, 2), and frequencies in Hz."""
    spans = np.array([[note.onset_s, note.offset_s] for note in notes])
    return spans, 440.0 * 2.0 ** ((np.array([note.pitch for note in notes]) - 69) / 12)


def loudness_of(audio: Audio) -> Loudness:
    """How far rendered sound is from the loudness that is asked for by default."""
    meter = LoudnessMeter(audio.sample_rate, audio.channels)
    for block in audio.blocks():
        meter.add(block)
    limited = 20 * math.log10(max(meter.true_peak, meter.peak)) > PEAK_LIMIT_DBFS - AT_LIMIT_DB
    return Loudness(meter.integrated() - Options().loudness, limited)


def loudness_figures(found: Sequence[Loudness]) -> dict[str, float]:
    """The largest error where the peaks leave room, and by how much they held back the others at most."""
    return {
        "loudness_error_lu": max((abs(each.error_lu) for each in found if not each.limited), default=0.0),
        "loudness_held_back_lu": max((abs(each.error_lu) for each in found if each.limited), default=0.0),
    }


def times_real_time(engine: Engine, performance: Performance) -> float:
    """Seconds of music a second of work, loudness and reading the sound included: the median of three."""
    seconds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        rendered_frames(rendered(engine, performance))
        seconds.append(time.perf_counter() - started)
    return performance.duration_s / statistics.median(seconds)


def rendered_frames(audio: Audio) -> int:
    """Read all of a sound, block by block; how many frames there were."""
    return sum(len(block) for block in audio.blocks())


def peak_mb(engine: str, minutes: int) -> float:
    """Peak memory of a process that renders so much music and does nothing else."""
    command = [sys.executable, "-m", "benchmarks.synth_memory", engine, str(minutes)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def rendered(engine: Engine, performance: Performance) -> Audio:
    """A performance made sound with default options."""
    audio = engine.translate(performance, Options(), Context())
    assert isinstance(audio, Audio)
    return audio
