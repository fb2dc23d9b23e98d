"""A terminal of its own for each test, and something to translate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import SCALE, Terminal

from model_runtime import files
from model_runtime.modality import Note, Performance
from model_runtime.tempo import KeySignature, Meter, TempoMap


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal; a daemon that was started from it ends with the test."""
    made = Terminal(tmp_path)
    yield made
    if (tmp_path / "run" / "connection.json").exists():
        made.type("serve", "stop")


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    """A MIDI file: a scale in eighths at 120, 4/4, C major."""
    tempo_map = TempoMap((0.0, 0.5), (0.0, 1.0), (Meter(0, 4, 4),), (KeySignature(0, 0, "major"),))
    notes = tuple(Note(i * 0.25, i * 0.25 + 0.24, pitch) for i, pitch in enumerate(SCALE))
    (path,) = files.write(Performance(notes, tempo_map=tempo_map), tmp_path / "scale.mid")
    return path
