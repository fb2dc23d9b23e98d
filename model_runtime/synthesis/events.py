"""A performance as the timed messages that a synthesiser plays."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import IntEnum

from model_runtime.instruments import PERCUSSION_CHANNEL, is_percussion, program_number
from model_runtime.modality import Note, Performance
from model_runtime.options import Options

SHORTEST_NOTE_S = 0.001


class Kind(IntEnum):
    """Messages in the order in which they are played when they fall on the same moment."""

    NOTE_OFF = 0
    PROGRAM = 1
    CONTROL = 2
    PITCH_BEND = 3
    NOTE_ON = 4


@dataclass(frozen=True, slots=True, order=True)
class SynthEvent:
    """One message: `number` is a pitch, program, controller or bend; `value` a velocity or controller value."""

    time_s: float
    kind: Kind
    channel: int
    number: int = 0
    value: int = 0


def synth_events(performance: Performance, options: Options) -> list[SynthEvent]:
    """All messages of a performance in playing order; `options.instrument` replaces every pitched instrument.

    Raises:
        InvalidValue: the instrument is not known.
    """
    drums_only = options.instrument is not None and is_percussion(options.instrument)
    program = program_number(options.instrument) if options.instrument and not drums_only else None
    notes = list(performance.notes)
    if drums_only:
        notes = [replace(note, channel=PERCUSSION_CHANNEL) for note in notes]
    events: list[SynthEvent] = []
    for note in without_overlaps(notes):
        events.append(SynthEvent(note.onset_s, Kind.NOTE_ON, note.channel, note.pitch, note.velocity))
        events.append(SynthEvent(note.offset_s, Kind.NOTE_OFF, note.channel, note.pitch))
    if program is None:
        events += [SynthEvent(p.time_s, Kind.PROGRAM, p.channel, p.program) for p in performance.programs]
    else:
        channels = {note.channel for note in notes} - {PERCUSSION_CHANNEL}
        events += [SynthEvent(0.0, Kind.PROGRAM, channel, program) for channel in sorted(channels)]
    events += [SynthEvent(b.time_s, Kind.PITCH_BEND, b.channel, b.value) for b in performance.pitch_bends]
    events += [SynthEvent(c.time_s, Kind.CONTROL, c.channel, c.number, c.value) for c in performance.controls]
    # Sorting is stable and looks at time and kind alone: two pedal changes of one moment keep their order.
    return sorted(events, key=lambda e: (e.time_s, e.kind))


def without_overlaps(notes: list[Note]) -> list[Note]:
    """End a note where its key is struck again; of two struck together the longer stays.

    A synthesiser knows keys, not notes: the release of the first would silence the second.
    """
    by_key: dict[tuple[int, int], list[Note]] = defaultdict(list)
    for note in notes:
        by_key[note.channel, note.pitch].append(note)
    kept: list[Note] = []
    for same_key in by_key.values():
        last: Note | None = None
        for note in sorted(same_key, key=lambda n: n.onset_s):
            if last is not None and note.onset_s < last.offset_s:
                if note.onset_s - last.onset_s < SHORTEST_NOTE_S:
                    last = replace(
                        last, offset_s=max(last.offset_s, note.offset_s), velocity=max(last.velocity, note.velocity)
                    )
                    continue
                note = replace(note, offset_s=max(note.offset_s, last.offset_s))
                last = replace(last, offset_s=note.onset_s)
            if last is not None:
                kept.append(last)
            last = note
        if last is not None:
            kept.append(last)
    return kept
