"""Songs as MIDI files hold them, in quarter notes of the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Track:
    """Notes of one track in quarter notes of the file: onset and length, pitch, velocity; arrays of shape (n,)."""

    onset: Floats
    length: Floats
    pitch: Ints
    velocity: Floats


@dataclass(frozen=True)
class Song:
    """A file: its tracks by name, and its tempo: from which quarter note on, seconds of one; shape (m,)."""

    tracks: dict[str, Track]
    changes: Floats
    beat_s: Floats

    def beat_s_at(self, quarter: Floats) -> Floats:
        """Seconds of a quarter note at each of these."""
        at = np.searchsorted(self.changes, quarter + 1e-6) - 1
        return self.beat_s[np.clip(at, 0, len(self.changes) - 1)]


def read_song(path: Path) -> Song:
    """Read a MIDI file."""
    import mido

    file = mido.MidiFile(path)
    tempos, tracks = {0: 500_000}, {}
    for track in file.tracks:
        tick, down, rows = 0, dict[int, tuple[int, int]](), []
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                tempos[tick] = message.tempo
            elif message.type in ("note_on", "note_off"):
                started = down.pop(message.note, None)
                if started is not None:
                    rows.append((started[0], tick - started[0], message.note, started[1]))
                if message.type == "note_on" and message.velocity:
                    down[message.note] = tick, message.velocity
        if rows:
            table = np.array(sorted(rows), float)
            quarters = table[:, :2] / file.ticks_per_beat
            pitch = table[:, 2].astype(np.int64)
            tracks[track.name] = Track(quarters[:, 0], np.maximum(quarters[:, 1], 1e-3), pitch, table[:, 3])
    ticks = sorted(tempos)
    return Song(tracks, np.array(ticks) / file.ticks_per_beat, np.array([tempos[t] / 1e6 for t in ticks]))
