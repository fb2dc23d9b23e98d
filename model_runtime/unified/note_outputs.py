"""What the trunk says of every note by itself: is it there, when and how long does it sound, how loud, how slow.

The encoder tells these five numbers of each of its tokens, beside what the decoder writes, so that no note is lost and
none is made up. Of what a recording's reader heard they are corrections, of a score's notes they are how to play them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

OUTPUTS = ("kept", "late", "length", "velocity", "slow")
KEPT, LATE, LENGTH, VELOCITY, SLOW = range(len(OUTPUTS))
LATE_S = 0.05  # seconds for each unit by which a note sounds after its place
VELOCITY_STEP = 32.0  # MIDI velocities for each unit, from whatever is usual there
SLOW_OCTAVE = 4.0  # units for a beat of twice the usual length
LONGEST = 96  # tokens of a window
_NEW = 48  # tokens that each further window adds; the rest of it is context, on both sides
_METADATA_BYTES = 65536  # at the end of an ONNX file, where its metadata lie
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NoteWindow:
    """Tokens that the encoder sees at once.

    Attributes:
        ids: Compound tokens, shape (n, fields).
        places: Tenths of a second, or fifths of a quarter note for notes of a score; shape (n,).
    """

    ids: npt.NDArray[np.int64]
    places: Floats


class NoteTrunk(Protocol):
    """Whatever tells `OUTPUTS` of windows: `inference.TrunkRuntime`."""

    def note_outputs(
        self, source: str, windows: list[NoteWindow], *, progress: Callable[[int, int], None] | None = None
    ) -> list[Floats]:
        """One array (n, 5) for each window, see `note_outputs_of`."""
        ...


def note_outputs_of(
    trunk: NoteTrunk,
    source: str,
    ids: npt.NDArray[np.int64],
    places: Floats,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """What the trunk says of a long row of tokens, in overlapping windows.

    Args:
        trunk: That has these outputs.
        source: "audio" or "notation".
        ids: Compound tokens in order of time, shape (n, fields).
        places: Shape (n,), see `NoteWindow`.
        progress: Called with how many windows are done and how many there are.

    Returns:
        Shape (n, 5), in the order of `OUTPUTS`: `kept` from 0 to 1, `late` in seconds, `length` as log2 of the length
        that it has to the one that was given, `velocity` in MIDI velocities, `slow` as log2 of the beat to the usual.
    """
    result = np.zeros((len(ids), len(OUTPUTS)), np.float32)
    spans = _spans(len(ids))
    windows = [NoteWindow(ids[a:b], (places[a:b] - places[a]).astype(np.float32)) for a, b, _, _ in spans]
    told = trunk.note_outputs(source, windows, progress=progress) if windows else []
    for (start, _, first, last), values in zip(spans, told, strict=True):
        result[first:last] = values[first - start : last - start]
    result[:, LATE] *= LATE_S
    result[:, VELOCITY] *= VELOCITY_STEP
    result[:, SLOW] /= SLOW_OCTAVE
    return result


def _spans(count: int) -> list[tuple[int, int, int, int]]:
    """Start and end of each window, and from where to where it is believed."""
    if count <= LONGEST:
        return [(0, count, 0, count)] if count else []
    margin = (LONGEST - _NEW) // 2
    starts = [*range(0, count - LONGEST, _NEW), count - LONGEST]
    edges = [0, *(start + margin for start in starts[1:]), count]
    return [(start, start + LONGEST, first, last) for start, first, last in zip(starts, edges, edges[1:], strict=False)]


def judges_notes(encoder: Path) -> bool:
    """Whether an exported encoder tells `OUTPUTS`, without loading it: by the configuration at its file's end."""
    state = encoder.stat()
    return _judges(encoder, state.st_mtime_ns, state.st_size)


@cache
def _judges(encoder: Path, changed_ns: int, size: int) -> bool:
    with encoder.open("rb") as file:
        file.seek(max(size - _METADATA_BYTES, 0))
        found = re.search(rb'"note_outputs": (\d+)', file.read())
    return found is not None and int(found[1]) > 0
