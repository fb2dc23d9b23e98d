"""Real recordings with their notes: the folder `eval/audio` of the development data."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Truth = npt.NDArray[np.float64]
"""Shape (notes, 3): onset and offset in seconds, pitch as a MIDI number, fractions allowed."""


@dataclass(frozen=True)
class Recording:
    """A recording and what is played in it.

    Attributes:
        name: Short, for tables and figures.
        path: Of the sound.
        notes: What is played.
        piano: Whether a piano plays.
        has_offsets: Whether the ends of notes are known.
        is_truth: False where `notes` were made by another model: agreement with it can be measured, nothing more.
    """

    name: str
    path: Path
    notes: Truth
    piano: bool = False
    has_offsets: bool = True
    is_truth: bool = True


def recordings(folder: Path) -> list[Recording]:
    """The recordings of a folder laid out as `eval/audio`, without those that hold no sound.

    Raises:
        FileNotFoundError: there are none.
    """
    found = [
        *_bach10(folder),
        Recording("stereo_sample", folder / "stereo_sample.wav", _columns(folder / "stereo_sample.notes"), piano=True),
        Recording("vocadito_1", folder / "vocadito_1.flac", _vocadito(folder / "vocadito_1_notesA1.csv")),
        Recording("guitarset", folder / "03_BN3-119-G_solo_mic.wav", _guitarset(folder / "03_BN3-119-G_solo.jams")),
        Recording("cut_bach", folder / "cut_bach.mp3", _midi(folder / "cut_bach.mid"), piano=True, is_truth=False),
    ]
    missing = [recording.path.name for recording in found if not recording.path.is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} lacks {', '.join(missing)}.")
    return [recording for recording in found if _sounds(recording.path)]


def _sounds(path: Path) -> bool:
    """Whether anything is louder than the last bit: the GuitarSet clip of some copies holds nothing else."""
    import soundfile

    samples, _ = soundfile.read(path, dtype="float32")
    return bool(np.abs(samples).max() > 1e-4)


def clip(recording: Recording, start_s: float, length_s: float, folder: Path) -> Recording:
    """A part of a recording as a WAV file in `folder`, with the notes that start in it."""
    import soundfile

    rate = soundfile.info(recording.path).samplerate
    first = round(start_s * rate)
    samples, _ = soundfile.read(recording.path, start=first, stop=first + round(length_s * rate), dtype="int16")
    name = f"{recording.name}_from_{start_s:.0f}_s"
    path = folder / f"{name}.wav"
    soundfile.write(path, samples, rate)
    starts = recording.notes[:, 0]
    notes = recording.notes[(starts >= start_s) & (starts < start_s + length_s)] - [start_s, start_s, 0.0]
    return Recording(name, path, notes, recording.piano, recording.has_offsets, recording.is_truth)


def _bach10(folder: Path) -> Iterator[Recording]:
    for path in sorted(folder.glob("bach10_*.flac")):
        rows = np.loadtxt(path.with_suffix(".txt"))  # audio ms, score ms, pitch, channel
        onsets, pitches, channels = rows[:, 0] / 1000, rows[:, 2], rows[:, 3]
        following: dict[float, list[float]] = defaultdict(list)
        for onset, channel in zip(onsets, channels, strict=True):
            following[channel].append(onset)
        ends = [
            min((later for later in following[channel] if later > onset), default=onset + 1.0)
            for onset, channel in zip(onsets, channels, strict=True)
        ]
        name = path.stem.split("-")[0]
        yield Recording(name, path, np.column_stack([onsets, ends, pitches]), has_offsets=False)


def _columns(path: Path) -> Truth:
    rows = np.loadtxt(path)  # onset, pitch, duration, velocity
    return np.column_stack([rows[:, 0], rows[:, 0] + rows[:, 2], rows[:, 1]])


def _vocadito(path: Path) -> Truth:
    with path.open(encoding="utf-8") as file:
        rows = np.array([[float(value) for value in row] for row in csv.reader(file)])  # onset, Hz, duration
    return np.column_stack([rows[:, 0], rows[:, 0] + rows[:, 2], 69 + 12 * np.log2(rows[:, 1] / 440)])


def _guitarset(path: Path) -> Truth:
    annotations: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["annotations"]
    notes = [note for each in annotations if each["namespace"] == "note_midi" for note in each["data"]]
    return np.array([[note["time"], note["time"] + note["duration"], note["value"]] for note in notes])


def _midi(path: Path) -> Truth:
    from model_runtime import files
    from model_runtime.modality import Performance

    performance = files.read(path)
    assert isinstance(performance, Performance)
    return np.array([[note.onset_s, note.offset_s, note.pitch] for note in performance.notes])
