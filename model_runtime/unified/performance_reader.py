"""The performance reader at run time, without torch: where chords stand in the measure, and how notes are written.

    reader = PerformanceReader()
    reader.beats(played)       for each chord its place in the beat and in the measure, and the length of a beat
    reader.values(placed)      for each note that has its place, its written length and its staff

Both networks see a few hundred chords or notes at once; longer pieces are read in pieces that overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.errors import EngineUnavailable
from model_runtime.unified.performance_features import (
    Features,
    Floats,
    Ints,
    Placed,
    Played,
    beat_features,
    chord_of_note,
    value_features,
)

BEATS, NOTE_VALUES = "performance_reader.onnx", "performance_reader_values.onnx"
WINDOW, CONTEXT = 320, 64
"""Rows that a network sees at once, and how many of them at each inner edge are left to its neighbours."""

_MEND = "Install ScoreBridge again."
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReadBeats:
    """What is heard of each chord; logarithms of probabilities over the classes of `performance_features`.

    Attributes:
        chord: Number of each note's chord, shape (n,).
        times_s: Of chords, shape (T,).
        phase: Shape (T, PHASES).
        bar: Shape (T, BAR_PLACES).
        period: Shape (T, PERIODS).
    """

    chord: Ints
    times_s: Floats
    phase: Features
    bar: Features
    period: Features


class PerformanceReader:
    """Both networks on onnxruntime; they keep nothing of what they read, so that all readers share them.

    Args:
        weights: Folder of the exported networks; None is the one that comes with ScoreBridge.
        threads: That one call may use.
    """

    def __init__(self, weights: Path | None = None, threads: int = 1) -> None:
        self._weights, self._threads = weights, threads

    def load(self) -> None:
        """Read the networks.

        Raises:
            EngineUnavailable: a file is missing or no such network.
        """
        for name in (BEATS, NOTE_VALUES):
            _session(self._weights, name, self._threads)

    def beats(self, played: Played, progress: Progress | None = None) -> ReadBeats:
        """Where the chords of a performance, at least one note, stand.

        Args:
            progress: Told how many chords are read and how many there are; may raise.

        Raises:
            EngineUnavailable: the network is missing.
        """
        chord = chord_of_note(played.onset_s, played.pitch)
        features, times = beat_features(played, chord)
        places = times[:, None].astype(np.float32)
        phase, bar, period = self._read(BEATS, features, places, progress)
        return ReadBeats(chord, times, phase, bar, period)

    def values(self, placed: Placed, progress: Progress | None = None) -> tuple[Features, Features]:
        """Logarithms of probabilities of written lengths, (n, VALUES), and probability of the lower staff, (n,).

        Args:
            placed: At least one note.
            progress: Told how many notes are read and how many there are; may raise.

        Raises:
            EngineUnavailable: the network is missing.
        """
        features, places = value_features(placed)
        value, left = self._read(NOTE_VALUES, features, places, progress)
        return value, left

    def _read(self, name: str, features: Features, places: Features, progress: Progress | None) -> list[Features]:
        session = _session(self._weights, name, self._threads)
        parts: list[list[Features]] = []
        for start, end, first, last in windows(len(features)):
            if progress is not None:
                progress(first, len(features))
            moved = places[start:end].copy()
            moved[:, 0] -= moved[0, 0]
            given = {"features": features[start:end], "places": moved}
            parts.append([said[first - start : last - start] for said in session.run(None, given)])
        return [np.concatenate(rows) for rows in zip(*parts, strict=True)]


def windows(rows: int) -> Iterator[tuple[int, int, int, int]]:
    """Pieces of so many rows: where each starts and ends, and from where to where it is listened to."""
    if rows <= WINDOW:
        yield 0, rows, 0, rows
        return
    step = WINDOW - 2 * CONTEXT
    starts = [*range(0, rows - WINDOW, step), rows - WINDOW]
    edge = 0
    for index, start in enumerate(starts):
        last = rows if index == len(starts) - 1 else start + WINDOW - CONTEXT
        yield start, start + WINDOW, edge, last
        edge = last


@cache
def _session(weights: Path | None, name: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to others
    options.log_severity_level = 3
    folder = resources.files("model_runtime.unified") / "weights" if weights is None else weights
    try:
        content = (folder / name).read_bytes()
    except OSError:
        raise EngineUnavailable("The performance reader's networks are not there.", hint=_MEND) from None
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an exception of its own for each kind of damage
        raise EngineUnavailable("The performance reader's networks are damaged.", hint=_MEND) from error
