"""What a session heard, on disk as it is heard: nothing is lost when a process dies, and memory does not grow.

A log is a row of fixed records. A note's later record takes the place of its earlier ones.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.live.heard import Heard

_RECORD = struct.Struct("<BIBBBfdd")  # kind, number, pitch, velocity, channel, confidence, onset, offset
_NOTE, _WITHDRAWN, _CONTROL = range(3)
_CHUNK_RECORDS = 4096


@dataclass(frozen=True, slots=True)
class ControlChange:
    """A pedal or another MIDI controller."""

    time_s: float
    number: int
    value: int
    channel: int = 0


class NoteLog:
    """Writes what is confirmed.

    Args:
        path: The file; it is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb", buffering=0)

    def add(self, notes: list[Heard]) -> None:
        """Write down notes that were confirmed, corrected or withdrawn; provisional ones are left out."""
        records = b"".join(_packed(note) for note in notes if note.phase != "provisional")
        if records:
            self._file.write(records)

    def add_controls(self, controls: list[ControlChange]) -> None:
        """Write down controller changes."""
        for control in controls:
            record = (_CONTROL, 0, control.number, control.value, control.channel, 1.0, control.time_s, 0.0)
            self._file.write(_RECORD.pack(*record))

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._file.close()


@dataclass(frozen=True)
class Kept:
    """What a log holds: notes in order of onset, each with its end, and controller changes."""

    notes: tuple[Heard, ...]
    controls: tuple[ControlChange, ...]


def read_log(path: Path, end_s: float, last_s: float | None = None) -> Kept:
    """Read a log; one whose last record was cut short is read up to there.

    Args:
        path: The file.
        end_s: The session's position: where notes end that still sound.
        last_s: How much is wanted, from `end_s` backwards; None: everything.
    """
    begin_s = -math.inf if last_s is None else end_s - last_s
    notes: dict[int, Heard] = {}
    controls = []
    for kind, number, pitch, velocity, channel, confidence, onset_s, offset_s in _records(path):
        if kind == _CONTROL:
            controls.append(ControlChange(onset_s, pitch, velocity, channel))
        elif kind == _WITHDRAWN or onset_s < begin_s:
            notes.pop(number, None)
        else:
            end = max(end_s, onset_s + 0.05) if math.isnan(offset_s) else offset_s
            notes[number] = Heard(number, "confirmed", pitch, onset_s, end, velocity, confidence, channel)
    ordered = sorted(notes.values(), key=lambda note: (note.onset_s, note.pitch))
    return Kept(tuple(ordered), _from(controls, begin_s))


def _from(controls: list[ControlChange], begin_s: float) -> tuple[ControlChange, ...]:
    """Changes from a time on, and where each controller stood then."""
    standing = {(c.channel, c.number): c for c in controls if c.time_s < begin_s}
    before = [ControlChange(begin_s, c.number, c.value, c.channel) for c in standing.values() if c.value]
    return (*before, *(c for c in controls if c.time_s >= begin_s))


def _packed(note: Heard) -> bytes:
    kind = _WITHDRAWN if note.phase == "withdrawn" else _NOTE
    offset_s = math.nan if note.offset_s is None else note.offset_s
    return _RECORD.pack(
        kind, note.number, note.pitch, note.velocity, note.channel, note.confidence, note.onset_s, offset_s
    )


def _records(path: Path) -> Iterator[tuple[int, int, int, int, int, float, float, float]]:
    with path.open("rb") as file:
        while chunk := file.read(_RECORD.size * _CHUNK_RECORDS):
            whole = len(chunk) - len(chunk) % _RECORD.size
            yield from _RECORD.iter_unpack(chunk[:whole])
