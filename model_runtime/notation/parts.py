"""One instrument's staves, voices and measures, from its notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_runtime.engines.base import Context
from model_runtime.notation.accidentals import needed_accidentals
from model_runtime.notation.beams import set_beams
from model_runtime.notation.durations import COARSE
from model_runtime.notation.hands import split_hands
from model_runtime.notation.instruments import PIANO, has_two_staves, part_name
from model_runtime.notation.measures import REST, Measure, fill_measure, repair, write_voice
from model_runtime.notation.musicxml import WrittenMeasure, WrittenPart, WrittenVoice
from model_runtime.notation.percussion import strokes
from model_runtime.notation.quantised import ScoreKey, ScoreTrack
from model_runtime.notation.staves import choose_clefs
from model_runtime.notation.stems import Chord, PlacedNote
from model_runtime.notation.tuplets import Event, Unwritable
from model_runtime.notation.voices import attach_graces, separate

VOICES_PER_STAFF = 4  # numbers set aside for each staff, as notation software does
MOVED = "Some notes lay between all note values and tuplets and were moved to the nearest one."
_PERCUSSION_CHANNEL = 10


@dataclass(frozen=True, slots=True)
class Frame:
    """What all parts share.

    Attributes:
        measures: From the first to the last, at least one.
        keys: (from tick, key), the first from before everything.
        split_point: See `Options.split_point`.
        done: Called with the number of notes that a step of work has finished; may raise `Cancelled`.
    """

    measures: Sequence[Measure]
    keys: Sequence[tuple[int, ScoreKey]]
    split_point: int | None
    context: Context
    done: Callable[[int], None]


def write_part(track: ScoreTrack, index: int, notes: list[PlacedNote], frame: Frame) -> WrittenPart:
    """Everything that is printed of one track but its dynamics and pedal.

    Args:
        notes: Sorted by onset, then pitch, with their names.
    """
    staves = 2 if has_two_staves(track) else 1
    if staves == 1:
        for note in notes:
            note.staff = 1
    elif frame.split_point is not None or any(note.staff == 0 for note in notes):
        split_hands(notes, frame.split_point)
    frame.done(len(notes))
    part = WrittenPart(
        index=index,
        name=part_name(track),
        program=PIANO if track.program is None else track.program,
        percussion=track.percussion,
        channel=_PERCUSSION_CHANNEL if track.percussion else _channel(index),
        staves=staves,
        measures=[WrittenMeasure(measure, []) for measure in frame.measures],
        accidentals={},
        drums=sorted({note.pitch for note in notes}) if track.percussion else [],
    )
    for staff in range(1, staves + 1):
        on_staff = [note for note in notes if note.staff == staff]
        _write_staff(part, staff, on_staff, frame)
        for measure, clef in choose_clefs(on_staff, frame.measures, track, staff, staves):
            part.measures[measure].clefs[staff] = clef
        frame.done(len(on_staff))
    fifths = _place_keys(part, frame.keys)
    if not track.percussion:
        part.accidentals = needed_accidentals(part, fifths)
    return part


def _channel(index: int) -> int:
    """A MIDI channel, counted from 1, that is not the percussion's."""
    channel = 1 + index % 15
    return channel + (channel >= _PERCUSSION_CHANNEL)


def _write_staff(part: WrittenPart, staff: int, notes: Sequence[PlacedNote], frame: Frame) -> None:
    voices = _writable_voices(notes, part.percussion, frame)
    events = [_events(voice, frame.measures) for voice in voices]
    for index, written in enumerate(part.measures):
        present = [v for v, measures in enumerate(events) if [e.index for e in measures[index]] != [REST]]
        for v in present or [0]:
            pieces = write_voice(written.measure, events[v][index])
            pieces = repair(written.measure, pieces, frame.context)
            set_beams(written.measure, pieces)
            written.voices.append(
                WrittenVoice(
                    number=(staff - 1) * VOICES_PER_STAFF + v + 1,
                    staff=staff,
                    pieces=pieces,
                    chords=voices[v],
                    stem="" if len(present) < 2 else ("up", "down")[v % 2],
                    hides_rests=len(present) > 1 and v != present[0],
                )
            )


def _writable_voices(notes: Sequence[PlacedNote], percussion: bool, frame: Frame) -> list[list[Chord]]:
    """The voices of a staff; notes that no tuplet fits together are moved until all measures can be written."""
    moved = False
    while True:
        sounding = [note for note in notes if note.end > note.onset]
        voices = strokes(sounding, frame.measures) if percussion else separate(sounding)
        attach_graces(voices, [note for note in notes if note.end == note.onset])
        stuck = [note for voice in voices for note in _unwritable(voice, frame.measures)]
        if not stuck:
            return voices
        frame.context.warn(MOVED)
        for note in notes if moved else stuck:
            is_grace = note.end == note.onset
            note.onset = round(note.onset / COARSE) * COARSE
            note.end = note.onset if is_grace else max(note.onset + COARSE, round(note.end / COARSE) * COARSE)
        moved = True


def _unwritable(voice: Sequence[Chord], measures: Sequence[Measure]) -> list[PlacedNote]:
    """Notes of the measures that cannot be written."""
    stuck = []
    for measure, events in zip(measures, _events(voice, measures), strict=True):
        try:
            write_voice(measure, events)
        except Unwritable:
            stuck += [note for event in events if event.index >= 0 for note in voice[event.index].notes]
    return stuck


def _events(voice: Sequence[Chord], measures: Sequence[Measure]) -> list[list[Event]]:
    """Chords and rests of a voice, measure by measure."""
    result = []
    first = 0
    for measure in measures:
        while first < len(voice) and voice[first].end <= measure.start and voice[first].onset < measure.start:
            first += 1
        result.append(fill_measure(measure, voice, first))
    return result


def _place_keys(part: WrittenPart, keys: Sequence[tuple[int, ScoreKey]]) -> list[int]:
    """Set the key signatures where they change; returns the key of each measure."""
    fifths: list[int] = []
    index = 0
    for written in part.measures:
        while index + 1 < len(keys) and keys[index + 1][0] <= written.measure.start:
            index += 1
        key = keys[index][1]
        if not fifths or key.fifths != fifths[-1]:
            written.fifths, written.mode = key.fifths, key.mode
        fifths.append(key.fifths)
    return fifths
