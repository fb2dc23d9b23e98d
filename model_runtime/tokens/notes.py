"""Notes and pedal of a performance ⇄ tokens: onset and duration in 10 ms, 32 velocities.

What is lost: times are rounded to 10 ms (a duration to at least 10 ms), velocities to 32 steps of 4, onsets and
durations past 40.95 s are cut to it, and of all controllers only the sustain pedal is kept, as down or up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model_runtime.modality import SUSTAIN_PEDAL, Control, Note, Performance
from model_runtime.tokens.vocabulary import BLOCKS, COARSE_STEPS, FINE_TICKS, NOTE_KINDS, PAD_ID, TICK_S

_LAST_TICK = COARSE_STEPS * FINE_TICKS - 1
_KIND_VALUES = {kind: value for value, kind in enumerate(NOTE_KINDS)}
_VELOCITY_STEP = 4
COMPOUND_FIELDS = ("kind", "pitch", "duration_coarse", "duration_fine", "velocity", "probability")


@dataclass(frozen=True, slots=True)
class NoteToken:
    """One event.

    Attributes:
        kind: "note", "note:held" (it sounds already when the window starts), "pedal:down" or "pedal:up".
        onset: In ticks of 10 ms from the start of the window.
        pitch: MIDI note number; 0 for the pedal.
        duration: In ticks; 0 for the pedal.
        velocity: 0 to 31, four MIDI velocities each.
        probability: 0 to 7, how sure the reader is; 7 is certain.
    """

    kind: str
    onset: int
    pitch: int = 0
    duration: int = 0
    velocity: int = 0
    probability: int = 7


def tokens_of(performance: Performance, start_s: float = 0.0, end_s: float = float("inf")) -> list[NoteToken]:
    """The events with an onset in [start_s, end_s), in order of time; notes that sound over `start_s` are held."""
    events = []
    for note in performance.notes:
        if note.onset_s >= end_s or note.offset_s <= start_s:
            continue
        held = note.onset_s < start_s
        onset = 0 if held else _ticks(note.onset_s - start_s)
        length = max(_ticks(note.offset_s - (start_s if held else note.onset_s)), 1)
        events.append(NoteToken(NOTE_KINDS[held], onset, note.pitch, length, note.velocity // _VELOCITY_STEP))
    down = False
    for control in performance.controls:
        if control.number != SUSTAIN_PEDAL or not start_s <= control.time_s < end_s:
            continue
        if (control.value >= 64) != down:
            down = not down
            events.append(NoteToken("pedal:down" if down else "pedal:up", _ticks(control.time_s - start_s)))
    return sorted(events, key=_order)


def _order(event: NoteToken) -> tuple[int, int, int]:
    return event.onset, _KIND_VALUES[event.kind], event.pitch


def _ticks(seconds: float) -> int:
    return min(max(round(seconds / TICK_S), 0), _LAST_TICK)


def performance_of(events: Iterable[NoteToken]) -> Performance:
    """The performance of a window's events; a held note starts at 0."""
    notes, controls = [], []
    for event in events:
        onset_s = event.onset * TICK_S
        if event.kind.startswith("pedal"):
            controls.append(Control(onset_s, SUSTAIN_PEDAL, 127 if event.kind == "pedal:down" else 0))
        else:
            velocity = min(max(event.velocity * _VELOCITY_STEP + _VELOCITY_STEP // 2, 1), 127)
            notes.append(Note(onset_s, onset_s + max(event.duration, 1) * TICK_S, event.pitch, velocity))
    return Performance(tuple(notes), tuple(controls))


def compound(event: NoteToken) -> list[int]:
    """The ids of a compound token, one for each of `COMPOUND_FIELDS`; its place in time is not among them."""
    kind = BLOCKS["note"].id_of(_KIND_VALUES[event.kind])
    probability = BLOCKS["probability"].id_of(event.probability)
    if event.kind.startswith("pedal"):
        return [kind, PAD_ID, PAD_ID, PAD_ID, PAD_ID, probability]
    return [
        kind,
        BLOCKS["pitch"].id_of(event.pitch),
        BLOCKS["duration_coarse"].id_of(event.duration // FINE_TICKS),
        BLOCKS["duration_fine"].id_of(event.duration % FINE_TICKS),
        BLOCKS["velocity"].id_of(event.velocity),
        probability,
    ]


def from_compound(ids: Sequence[int], onset: int) -> NoteToken:
    """The event of a compound token at `onset` ticks."""
    kind = NOTE_KINDS[BLOCKS["note"].value_of(ids[0]) or 0]
    pitch, coarse, fine, velocity, probability = (
        BLOCKS[name].value_of(token) or 0 for name, token in zip(COMPOUND_FIELDS[1:], ids[1:], strict=True)
    )
    return NoteToken(kind, onset, pitch, coarse * FINE_TICKS + fine, velocity, probability)


def flat(events: Iterable[NoteToken]) -> list[int]:
    """Events as one sequence: kind, onset, and for a note pitch, duration, velocity."""
    tokens: list[int] = []
    for event in events:
        columns = compound(event)
        onset = min(max(event.onset, 0), _LAST_TICK)
        tokens += [columns[0], BLOCKS["onset_coarse"].id_of(onset // FINE_TICKS)]
        tokens.append(BLOCKS["onset_fine"].id_of(onset % FINE_TICKS))
        tokens += [token for token in columns[1:-1] if token != PAD_ID]
    return tokens


def from_flat(tokens: Iterable[int]) -> list[NoteToken]:
    """The events of any sequence of ids whatever: a kind opens an event, what does not belong to one is passed over."""
    events: list[NoteToken] = []
    kind: str | None = None
    values: dict[str, int] = {}

    def close() -> None:
        if kind is None:
            return
        onset = values.get("onset_coarse", 0) * FINE_TICKS + values.get("onset_fine", 0)
        if kind.startswith("pedal"):
            events.append(NoteToken(kind, onset))
        else:
            duration = max(values.get("duration_coarse", 0) * FINE_TICKS + values.get("duration_fine", 0), 1)
            events.append(NoteToken(kind, onset, values.get("pitch", 60), duration, values.get("velocity", 16)))

    for token in tokens:
        opened = BLOCKS["note"].value_of(token)
        if opened is not None:
            close()
            kind, values = NOTE_KINDS[opened], {}
            continue
        for name in ("onset_coarse", "onset_fine", "pitch", "duration_coarse", "duration_fine", "velocity"):
            value = BLOCKS[name].value_of(token)
            if value is not None:
                values[name] = value
    close()
    return events
