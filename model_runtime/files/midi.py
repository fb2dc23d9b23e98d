"""Reading MIDI files as performances."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from model_runtime.errors import TooLarge
from model_runtime.files import smf
from model_runtime.files.limits import Limits
from model_runtime.files.midi_writer import write_midi
from model_runtime.files.storing import content_of
from model_runtime.modality import Control, Note, Performance, PitchBend, ProgramChange
from model_runtime.tempo import KeySignature, Meter, TempoMap

__all__ = ["read_midi", "write_midi"]

DEFAULT_TEMPO = 500_000  # microseconds a quarter note, where a file says nothing
GRIDS = (2, 3, 4)  # lines a quarter note that played notes may lie on: eighths, triplets, sixteenths
ON_GRID = 0.4  # concentration of onsets around the lines from which a file was played to its own beat
SURE = 7.0  # Rayleigh's statistic n·R²: chance reaches it once in a thousand files


def read_midi(path: Path, limits: Limits | None = None) -> Performance:
    """Read a MIDI file of format 0 or 1.

    Times are exact: whole ticks times whole microseconds. A note-off ends the oldest sounding note of its track,
    channel and pitch; a note that is never ended lasts to the file's end; a note of no length lasts a tick. A first
    track without channel messages is a conductor's and is not among the performance's tracks.

    The performance's tempo map is the file's, unless the file plainly was not played to it: it sets no tempo at all,
    or a single one (as programs that record without a click do) while its notes gather on no grid of it.

    Raises:
        UnreadableFile: damaged, truncated, or of format 2.
        TooLarge: too many notes, or too long.
    """
    limits = limits or Limits()
    file = smf.decode(content_of(path), limits.notes)
    clock = _Clock.of(file)
    end_tick = max(track.end_tick for track in file.tracks)
    if clock.seconds(end_tick) > limits.seconds:
        raise TooLarge(
            f"The file lasts {clock.seconds(end_tick) / 3600:.1f} hours, "
            f"and at most {limits.seconds / 3600:.1f} are read."
        )
    tracks = file.tracks[1:] if len(file.tracks) > 1 and not file.tracks[0].events else file.tracks
    notes = tuple(note for i, track in enumerate(tracks) for note in _notes(track, i, clock, end_tick))
    return Performance(
        notes=notes,
        controls=tuple(
            Control(clock.seconds(e.tick), e.first, e.second, e.channel) for e in _events(tracks, smf.CONTROL)
        ),
        pitch_bends=tuple(
            PitchBend(clock.seconds(e.tick), (e.first | e.second << 7) - 8192, e.channel)
            for e in _events(tracks, smf.BEND)
        ),
        programs=tuple(ProgramChange(clock.seconds(e.tick), e.first, e.channel) for e in _events(tracks, smf.PROGRAM)),
        tracks=tuple(_name(track) for track in tracks),
        tempo_map=_tempo_map(file, clock, notes),
    )


@dataclass(frozen=True)
class _Clock:
    """Ticks to seconds: `tempos[i]` microseconds a quarter from `ticks[i]` on, which lies at `elapsed[i]` (in
    microseconds times ticks a quarter, a whole number)."""

    ticks: list[int]
    tempos: list[int]
    elapsed: list[int]
    scale: float

    @classmethod
    def of(cls, file: smf.MidiFile) -> _Clock:
        if file.ticks_per_quarter is None:
            return cls([0], [1], [0], float(file.ticks_per_second or 1.0))
        changes = {0: DEFAULT_TEMPO}
        for tick, kind, payload in sorted((m for t in file.tracks for m in t.metas), key=lambda m: m[0]):
            if kind == smf.SET_TEMPO and len(payload) == 3 and any(payload):
                changes[tick] = int.from_bytes(payload)
        ticks = sorted(changes)
        elapsed = [0]
        for before, after in pairwise(ticks):
            elapsed.append(elapsed[-1] + (after - before) * changes[before])
        return cls(ticks, [changes[t] for t in ticks], elapsed, 1e6 * file.ticks_per_quarter)

    def seconds(self, tick: int) -> float:
        i = bisect_right(self.ticks, tick) - 1
        return (self.elapsed[i] + (tick - self.ticks[i]) * self.tempos[i]) / self.scale


def _events(tracks: Sequence[smf.Track], kind: int) -> list[smf.ChannelEvent]:
    return [event for track in tracks for event in track.events if event.kind == kind]


def _notes(track: smf.Track, index: int, clock: _Clock, end_tick: int) -> list[Note]:
    """The track's notes: each note-off ends the oldest sounding note of its channel and pitch."""
    sounding: defaultdict[tuple[int, int], deque[tuple[int, int]]] = defaultdict(deque)
    notes: list[Note] = []

    def end(key: tuple[int, int], tick: int) -> None:
        start, velocity = sounding[key].popleft()
        offset = clock.seconds(max(tick, start + 1))
        notes.append(Note(clock.seconds(start), offset, key[1], velocity, key[0], index))

    for event in track.events:
        key = (event.channel, event.first)
        if event.kind == smf.NOTE_ON and event.second:
            sounding[key].append((event.tick, event.second))
        elif event.kind in (smf.NOTE_ON, smf.NOTE_OFF) and sounding[key]:
            end(key, event.tick)
    for key, left in sounding.items():
        while left:
            end(key, end_tick)
    return notes


def _name(track: smf.Track) -> str:
    """The track's name; MIDI does not say in which encoding, so UTF-8 where it is that, else Latin-1."""
    raw = next((payload for _, kind, payload in track.metas if kind == smf.TRACK_NAME), b"")
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = raw.decode("latin-1")
    return name.strip("\x00 ")


def _tempo_map(file: smf.MidiFile, clock: _Clock, notes: Sequence[Note]) -> TempoMap | None:
    metas = sorted((m for t in file.tracks for m in t.metas), key=lambda m: m[0])
    per_quarter = file.ticks_per_quarter
    if per_quarter is None or not any(kind == smf.SET_TEMPO for _, kind, _ in metas):
        return None
    ticks = [*clock.ticks, clock.ticks[-1] + per_quarter]
    points = _moving_forwards([(clock.seconds(tick), tick / per_quarter) for tick in ticks])
    if len(points) < 2:
        return None
    times, quarters = zip(*points, strict=True)
    tempo_map = TempoMap(times, quarters, _meters(metas, per_quarter), _keys(metas, per_quarter))
    if len(set(clock.tempos)) == 1 and not _played_to(tempo_map, notes):
        return None
    return tempo_map


def _moving_forwards(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without points that rounding laid onto the one before."""
    kept = [points[0]]
    for time_s, quarter in points[1:]:
        if time_s > kept[-1][0] and quarter > kept[-1][1]:
            kept.append((time_s, quarter))
    return kept


def _played_to(tempo_map: TempoMap, notes: Sequence[Note]) -> bool:
    """Whether onsets gather around the map's eighths, triplets or sixteenths more than chance lets them."""
    if not notes:
        return True
    quarters = tempo_map.quarters_at([note.onset_s for note in notes])
    for lines in GRIDS:
        concentration = abs(np.exp(2j * math.pi * lines * quarters).mean())
        if concentration > 0.99 or (concentration > ON_GRID and len(notes) * concentration**2 > SURE):
            return True
    return False


def _meters(metas: Sequence[tuple[int, int, bytes]], per_quarter: int) -> tuple[Meter, ...]:
    meters: dict[int, Meter] = {}
    for tick, kind, payload in metas:
        if kind == smf.TIME_SIGNATURE and len(payload) >= 2 and 1 <= payload[0] <= 64 and payload[1] <= 6:
            meters[tick] = Meter(tick / per_quarter, payload[0], 1 << payload[1])
    return tuple(meters.values())


def _keys(metas: Sequence[tuple[int, int, bytes]], per_quarter: int) -> tuple[KeySignature, ...]:
    keys: dict[int, KeySignature] = {}
    for tick, kind, payload in metas:
        if kind == smf.KEY_SIGNATURE and len(payload) >= 2:
            fifths = payload[0] - 256 if payload[0] > 127 else payload[0]
            if -7 <= fifths <= 7:
                keys[tick] = KeySignature(tick / per_quarter, fifths, {0: "major", 1: "minor"}.get(payload[1], ""))
    return tuple(keys.values())
