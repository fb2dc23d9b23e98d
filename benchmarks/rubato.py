"""Lieder played with rubato: performances that are made here and whose beats and barlines are known exactly."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.engines.base import Context
from model_runtime.engines.performer import Performer
from model_runtime.errors import MusicError
from model_runtime.files.musicxml import read_musicxml
from model_runtime.modality import Note, Performance
from model_runtime.options import Options
from model_runtime.tempo import TempoMap

SWING_OF_TEMPO = 0.10
"""Standard deviation of the tempo's natural logarithm around the written one."""

SHORTEST_WAVE_S, LONGEST_WAVE_S = 2.5, 14.0
"""Tempo comes and goes in waves of these lengths."""

ONSET_SIGMA_S = 0.012
STEP_S = 0.05


def lieder(folder: Path, split: str, every: int, most_s: float = 120.0) -> Iterator[tuple[str, Performance]]:
    """Every so-many-th song of a split, at most its first seconds, with the tempo map that it was played to."""
    with (folder / "index.csv").open(encoding="utf-8") as index:
        names = sorted(row["id"] for row in csv.DictReader(index) if row["split"] == split)
    for name in names[::every]:
        path = next(iter(folder.rglob(f"*{name}*.mxl")), None)
        if path is None:
            continue
        try:
            played = Performer().translate(read_musicxml(path), Options(), Context())
        except MusicError:
            continue
        yield name, with_rubato(_beginning(played, most_s), _seed(name))


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def _beginning(performance: Performance, most_s: float) -> Performance:
    return replace(
        performance,
        notes=tuple(note for note in performance.notes if note.onset_s < most_s),
        controls=tuple(control for control in performance.controls if control.time_s < most_s),
    )


def with_rubato(performance: Performance, seed: int) -> Performance:
    """The performance in a tempo that comes and goes, its onsets uneven; beats and bars move along."""
    draw = np.random.default_rng(seed)
    end_s = performance.duration_s + 1.0
    straight, bent = _bend(end_s, draw)

    def moved(time_s: float) -> float:
        return float(np.interp(time_s, straight, bent))

    notes = []
    for note in performance.notes:
        onset_s = max(0.0, moved(note.onset_s) + float(np.clip(draw.normal(0, ONSET_SIGMA_S), -0.03, 0.03)))
        offset_s = max(moved(note.offset_s), onset_s + 0.03)
        notes.append(Note(onset_s, offset_s, note.pitch, note.velocity, note.channel, note.track))
    tempo_map = performance.tempo_map
    if tempo_map is None:
        raise ValueError("the performance has no tempo map")
    quarters = np.arange(tempo_map.quarter_at(0.0), tempo_map.quarter_at(end_s), 0.25)
    times = np.interp(tempo_map.times_at(quarters), straight, bent)
    bent_map = TempoMap(tuple(times.tolist()), tuple(quarters.tolist()), tempo_map.meters, tempo_map.keys)
    controls = tuple(replace(control, time_s=moved(control.time_s)) for control in performance.controls)
    return replace(performance, notes=tuple(sorted(notes)), controls=controls, tempo_map=bent_map)


def _bend(end_s: float, draw: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times as written and as played."""
    straight = np.arange(0.0, end_s + STEP_S, STEP_S)
    tempo = np.zeros(len(straight))
    waves = 6
    for length_s in np.geomspace(SHORTEST_WAVE_S, LONGEST_WAVE_S, waves):
        phase = draw.uniform(0, 2 * np.pi)
        tempo += np.sin(2 * np.pi * straight / (length_s * draw.uniform(0.8, 1.25)) + phase)
    tempo *= SWING_OF_TEMPO / np.sqrt(waves / 2)
    bent = np.concatenate([[0.0], np.cumsum(np.exp(tempo) * STEP_S)[:-1]])
    return straight, bent
