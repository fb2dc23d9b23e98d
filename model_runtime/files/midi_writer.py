"""Writing performances as MIDI files of format 1."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_runtime.files.storing import stored
from model_runtime.modality import Performance
from model_runtime.tempo import TempoMap

if TYPE_CHECKING:
    import mido

TICKS_PER_QUARTER = 960
HIGHEST_TICKS_PER_QUARTER = 18 * TICKS_PER_QUARTER  # half a tick is 0.49 ms at MIDI's slowest tempo
SLOWEST_TEMPO = (1 << 24) - 1  # microseconds a quarter note
DEFAULT_TEMPO = 500_000
NO_LEAD_IN_S = 1e-6

# What comes first where several events lie on one tick: a released key is free before it is struck again, and an
# instrument is chosen before it plays.
_OFF, _PROGRAM, _CONTROL, _BEND, _ON = range(5)


def write_midi(performance: Performance, path: Path) -> None:
    """Write a MIDI file of format 1: a conductor's track, then one track for each of `performance.tracks`.

    Times are right within 0.5 ms. Beats of the tempo map fall on whole ticks; where the map's first beat is not at
    0 s, a lead-in of one quarter note makes room. Without a tempo map no tempo is set: who reads the file can tell.

    Raises:
        UnwritableFile: no room, no right or no folder.
    """
    import mido

    clock = _WrittenClock.of(performance.tempo_map)
    file = mido.MidiFile(type=1, ticks_per_beat=clock.ticks_per_quarter, charset="utf-8")
    file.tracks.append(_conductor(performance.tempo_map, clock))
    events = _events_by_track(performance, clock)
    for index, name in enumerate(performance.tracks):
        file.tracks.append(_track(name, events[index]))
    with stored(path) as temporary:
        file.save(temporary)


@dataclass(frozen=True)
class _WrittenClock:
    """Seconds to ticks by the tempos as they stand in the file, rounded to whole microseconds.

    `tempos[i]` holds from `ticks[i]` on, which is at `times[i]` seconds; `shift` is added to the map's quarters.
    """

    ticks_per_quarter: int
    ticks: list[int]
    tempos: list[int]
    times: list[float]
    shift: float

    @classmethod
    def of(cls, tempo_map: TempoMap | None) -> _WrittenClock:
        if tempo_map is None:
            return cls(TICKS_PER_QUARTER, [0], [DEFAULT_TEMPO], [0.0], 0.0)
        points, shift = _points_from_zero(tempo_map)
        slowest = max(min((t1 - t0) / (q1 - q0), SLOWEST_TEMPO * 1e-6) for (t0, q0), (t1, q1) in pairwise(points))
        multiple = max(1, math.ceil(slowest * 1000 / TICKS_PER_QUARTER))
        per_quarter = min(multiple * TICKS_PER_QUARTER, HIGHEST_TICKS_PER_QUARTER)
        ticks, tempos, times = [0], [DEFAULT_TEMPO], [0.0]
        for time_s, quarter in points[1:]:
            tick = round(quarter * per_quarter)
            if tick == ticks[-1]:
                continue
            # From where the file really is, not from where it should be: rounding does not add up.
            tempo = round((time_s - times[-1]) * 1e6 * per_quarter / (tick - ticks[-1]))
            tempos[-1] = min(max(tempo, 1), SLOWEST_TEMPO)
            times.append(times[-1] + tempos[-1] * (tick - ticks[-1]) / (1e6 * per_quarter))
            ticks.append(tick)
            tempos.append(tempos[-1])
        return cls(per_quarter, ticks, tempos, times, shift)

    def tick(self, time_s: float) -> int:
        i = max(bisect_right(self.times, time_s) - 1, 0)
        return max(0, self.ticks[i] + round((time_s - self.times[i]) * 1e6 * self.ticks_per_quarter / self.tempos[i]))

    def tick_of_quarter(self, quarter: float) -> int:
        return round((quarter + self.shift) * self.ticks_per_quarter)


def _points_from_zero(tempo_map: TempoMap) -> tuple[list[tuple[float, float]], float]:
    """The map's points from second 0 and quarter 0 on, and what was added to its quarters.

    A beat keeps its whole number of ticks: when second 0 lies between two beats, what lies before the first beat
    (half a quarter note to one and a half) is written as one quarter note in a tempo of its own.
    """
    start = tempo_map.quarter_at(0.0)
    origin = tempo_map.meters[0].quarter if tempo_map.meters else 0.0
    beat = origin + math.ceil(start - origin - 1e-9)
    lead_in = tempo_map.time_at(beat) > NO_LEAD_IN_S
    if lead_in and beat - start < 0.5:
        beat += 1.0
    shift = (1.0 if lead_in else 0.0) - beat
    points = [(0.0, 0.0)]
    if lead_in:
        points.append((tempo_map.time_at(beat), 1.0))
    points += [
        (time_s, quarter + shift)
        for time_s, quarter in zip(tempo_map.times_s, tempo_map.quarters, strict=True)
        if time_s > points[-1][0] and quarter + shift > points[-1][1]
    ]
    last = max(tempo_map.quarters[-1], points[-1][1] - shift) + 1.0  # so that the last slope goes on
    points.append((tempo_map.time_at(last), last + shift))
    return points, shift


def _conductor(tempo_map: TempoMap | None, clock: _WrittenClock) -> mido.MidiTrack:
    import mido

    events: list[tuple[int, int, Any]] = []
    if tempo_map is not None:
        for i, (tick, tempo) in enumerate(zip(clock.ticks, clock.tempos, strict=True)):
            if i == 0 or tempo != clock.tempos[i - 1]:
                events.append((tick, 0, mido.MetaMessage("set_tempo", tempo=tempo)))
        events += [(tick, 1, _meter_message(*meter)) for tick, meter in _meters_from_zero(tempo_map, clock).items()]
        keys: dict[int, str] = {}
        for key in tempo_map.keys:
            names = _MINOR_KEYS if key.mode == "minor" else _MAJOR_KEYS
            keys[max(0, clock.tick_of_quarter(key.quarter))] = names[key.fifths + 7]
        events += [(tick, 2, mido.MetaMessage("key_signature", key=key)) for tick, key in keys.items()]
    return _with_deltas(events, mido.MidiTrack())


_MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR_KEYS = ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m", "A#m")


def _meter_message(numerator: int, denominator: int) -> Any:
    import mido

    return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)


def _meters_from_zero(tempo_map: TempoMap, clock: _WrittenClock) -> dict[int, tuple[int, int]]:
    """Tick → meter; one that began before second 0 begins at its first barline from there on."""
    meters: dict[int, tuple[int, int]] = {}
    for i, meter in enumerate(tempo_map.meters):
        tick = clock.tick_of_quarter(meter.quarter)
        if tick < 0:
            measure = meter.measure_quarters
            quarter = meter.quarter + math.ceil((-clock.shift - meter.quarter) / measure - 1e-9) * measure
            if i + 1 < len(tempo_map.meters) and tempo_map.meters[i + 1].quarter <= quarter:
                continue
            tick = max(0, clock.tick_of_quarter(quarter))
        meters[tick] = (meter.numerator, meter.denominator)
    return meters


def _events_by_track(performance: Performance, clock: _WrittenClock) -> defaultdict[int, list[tuple[int, int, Any]]]:
    """Track index → (tick, order on that tick, message)."""
    import mido

    events: defaultdict[int, list[tuple[int, int, Any]]] = defaultdict(list)
    home: dict[int, int] = {}  # channel → the track that first uses it, where its controllers go
    last_track = len(performance.tracks) - 1
    for note in performance.notes:
        track = min(max(note.track, 0), last_track)
        home.setdefault(note.channel, track)
        on = clock.tick(note.onset_s)
        off = max(clock.tick(note.offset_s), on + 1)
        common = {"note": note.pitch, "channel": note.channel}
        events[track].append((on, _ON, mido.Message("note_on", velocity=note.velocity, **common)))
        events[track].append((off, _OFF, mido.Message("note_off", velocity=64, **common)))
    for program in performance.programs:
        message = mido.Message("program_change", program=program.program, channel=program.channel)
        events[home.get(program.channel, 0)].append((clock.tick(program.time_s), _PROGRAM, message))
    for control in performance.controls:
        message = mido.Message("control_change", control=control.number, value=control.value, channel=control.channel)
        events[home.get(control.channel, 0)].append((clock.tick(control.time_s), _CONTROL, message))
    for bend in performance.pitch_bends:
        message = mido.Message("pitchwheel", pitch=bend.value, channel=bend.channel)
        events[home.get(bend.channel, 0)].append((clock.tick(bend.time_s), _BEND, message))
    return events


def _track(name: str, events: list[tuple[int, int, Any]]) -> mido.MidiTrack:
    import mido

    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name=name.encode("utf-8", "replace").decode("utf-8")))
    return _with_deltas(events, track)


def _with_deltas(events: list[tuple[int, int, Any]], track: mido.MidiTrack) -> mido.MidiTrack:
    import mido

    now = 0
    for tick, _, message in sorted(events, key=lambda e: e[:2]):
        message.time = tick - now
        now = tick
        track.append(message)
    track.append(mido.MetaMessage("end_of_track"))
    return track
