"""What the options ask of a finished performance: play rate, pedal as sounding length, quantising with a strength."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace

from model_runtime.errors import InvalidValue
from model_runtime.modality import SUSTAIN_PEDAL, Note, Performance
from model_runtime.options import Options
from model_runtime.tempo import TempoMap

PEDAL_DOWN = 64  # controller values from here upwards hold the dampers up
SHORTEST_NOTE_S = 0.001

GRID_QUARTERS = {
    "1/4": 1.0,
    "1/8": 1 / 2,
    "1/16": 1 / 4,
    "1/32": 1 / 8,
    "1/4t": 2 / 3,
    "1/8t": 1 / 3,
    "1/16t": 1 / 6,
}
AUTOMATIC_GRID_QUARTERS = 1 / 4


def edited(performance: Performance, options: Options) -> Performance:
    """Apply `pedal` and `quantise_strength` to a performance that is about to be handed out."""
    if options.quantise_strength > 0 and options.quantise != "none":
        performance = quantised(performance, options)
    return sounding(performance) if options.pedal == "sounding" else performance


def sounding(performance: Performance) -> Performance:
    """Let notes last as long as the sustain pedal lets them sound, and drop the pedal.

    A note that is released while the pedal is down ends when the pedal is lifted or when its key is struck again,
    whichever comes first; under a pedal that is never lifted it ends with the performance.
    """
    lifts = _pedal_states(performance)
    strikes: dict[tuple[int, int], list[float]] = defaultdict(list)
    for note in performance.notes:
        strikes[note.channel, note.pitch].append(note.onset_s)
    end_s = performance.duration_s

    def lasting(note: Note) -> Note:
        states = lifts.get(note.channel)
        if states is None:
            return note
        times, downs = states
        i = bisect_right(times, note.offset_s) - 1
        if i < 0 or not downs[i]:
            return note
        lift = next((t for t, down in zip(times[i + 1 :], downs[i + 1 :], strict=True) if not down), end_s)
        same_key = strikes[note.channel, note.pitch]
        j = bisect_right(same_key, note.onset_s)
        struck_again = same_key[j] if j < len(same_key) else lift
        return replace(note, offset_s=max(note.offset_s, min(lift, struck_again)))

    controls = tuple(c for c in performance.controls if c.number != SUSTAIN_PEDAL)
    return replace(performance, notes=tuple(lasting(n) for n in performance.notes), controls=controls)


def _pedal_states(performance: Performance) -> dict[int, tuple[list[float], list[bool]]]:
    """Channel → times at which the pedal changes, and whether it is down from there on."""
    states: dict[int, tuple[list[float], list[bool]]] = {}
    for control in performance.controls:
        if control.number == SUSTAIN_PEDAL:
            times, downs = states.setdefault(control.channel, ([], []))
            down = control.value >= PEDAL_DOWN
            if not downs or downs[-1] != down:
                times.append(control.time_s)
                downs.append(down)
    return states


def quantised(performance: Performance, options: Options) -> Performance:
    """Move onsets towards the nearest grid line by `options.quantise_strength`; lengths are kept.

    Controllers stay where they were played: a pedal follows the ear, not the grid.

    Raises:
        InvalidValue: nobody says where the beats are.
    """
    tempo_map = options.tempo_map.tempo_map() if options.tempo_map else performance.tempo_map
    if tempo_map is None:
        raise InvalidValue(
            "Quantising a performance needs to know where the beats are.",
            hint="Give a tempo map or a tempo (tempo_map), or ask for notation, which finds the beats.",
        )
    grid = GRID_QUARTERS.get(options.quantise, AUTOMATIC_GRID_QUARTERS)

    def moved(time_s: float) -> float:
        return time_s + options.quantise_strength * (_nearest_line(tempo_map, time_s, grid) - time_s)

    notes = []
    for note in performance.notes:
        onset_s = moved(note.onset_s)
        offset_s = max(onset_s + SHORTEST_NOTE_S, note.offset_s + onset_s - note.onset_s)
        notes.append(replace(note, onset_s=onset_s, offset_s=offset_s))
    return replace(performance, notes=_without_overlaps(notes))


def _nearest_line(tempo_map: TempoMap, time_s: float, grid_quarters: float) -> float:
    return tempo_map.time_at(round(tempo_map.quarter_at(time_s) / grid_quarters) * grid_quarters)


def _without_overlaps(notes: list[Note]) -> tuple[Note, ...]:
    """End a note where the same key is struck again, and keep one of two that fell onto the same moment."""
    by_key: dict[tuple[int, int, int], list[Note]] = defaultdict(list)
    for note in notes:
        by_key[note.track, note.channel, note.pitch].append(note)
    kept: list[Note] = []
    for same_key in by_key.values():
        same_key.sort()
        for note, following in zip(same_key, [*same_key[1:], None], strict=True):
            if following is None or note.offset_s <= following.onset_s:
                kept.append(note)
            elif following.onset_s - note.onset_s >= SHORTEST_NOTE_S:
                kept.append(replace(note, offset_s=following.onset_s))
    return tuple(kept)
