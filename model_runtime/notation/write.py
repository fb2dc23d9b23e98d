"""From a quantised score to MusicXML: staves, voices, names, measures and marks, then the document."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from math import gcd

from model_runtime.engines.base import Context
from model_runtime.modality import Notation
from model_runtime.notation.accidentals import needed_accidentals
from model_runtime.notation.beams import set_beams
from model_runtime.notation.durations import TICKS_PER_QUARTER, nearest_writable, to_ticks
from model_runtime.notation.dynamics import dynamic_marks
from model_runtime.notation.hands import split_hands
from model_runtime.notation.instruments import PIANO, has_two_staves, part_name
from model_runtime.notation.keys import find_key
from model_runtime.notation.measures import REST, Measure, fill_measure, lay_out, write_voice
from model_runtime.notation.musicxml import Mark, WrittenMeasure, WrittenPart, WrittenVoice, to_musicxml
from model_runtime.notation.quantised import QuantisedScore, ScoreKey, ScoreTrack
from model_runtime.notation.spelling import spell
from model_runtime.notation.staves import choose_clefs
from model_runtime.notation.stems import Chord, PlacedNote
from model_runtime.notation.tuplets import Event, Unwritable
from model_runtime.notation.voices import attach_graces, separate
from model_runtime.options import Options

_STAGE = "writing"
_COARSE = TICKS_PER_QUARTER // 48  # a grid on which everything is writable
_MOVED = "Some notes lay between all note values and tuplets and were moved to the nearest one."
_VOICES_PER_STAFF = 4  # numbers set aside for each staff, as notation software does


def write_score(score: QuantisedScore, options: Options, context: Context) -> Notation:
    """Write a quantised score as MusicXML 4.0.

    Every pitch, onset and duration is kept exactly; what no note value and tuplet can show is moved to the nearest
    position that they can, with a warning. Every measure of every voice is exactly full.

    Raises:
        Cancelled: out of `context.progress`.
    """
    notes = _enter(score, context)
    pickup = _exact(score.pickup)
    meters = [(_exact(meter.onset), meter) for meter in score.meters]
    end = max((note.end + (note.end == note.onset) for note in notes), default=0)
    measures = lay_out(meters, pickup, end)
    keys = _keys(score, notes)
    spell([n for n in notes if not score.tracks[n.part].percussion], [(at, key.fifths) for at, key in keys])
    parts = []
    for index, track in enumerate(score.tracks):
        context.progress(_STAGE, index, len(score.tracks) + 1)
        own = [note for note in notes if note.part == index]
        if own or len(score.tracks) == 1:
            parts.append(_write_part(track, index, own, measures, keys, options, context))
    if not parts:
        parts.append(_write_part(score.tracks[0], 0, [], measures, keys, options, context))
    _add_marks(score, notes, parts)
    step = _common_step(parts)
    context.progress(_STAGE, len(score.tracks), len(score.tracks) + 1)
    title = score.title or options.title
    musicxml = to_musicxml(parts, title, step, TICKS_PER_QUARTER // step, lambda _: None)
    context.progress(_STAGE, 1, 1)
    return Notation(musicxml)


def _exact(quarters: Fraction) -> int:
    ticks = to_ticks(quarters)
    return nearest_writable(quarters) if ticks is None else ticks


def _enter(score: QuantisedScore, context: Context) -> list[PlacedNote]:
    """The notes in ticks, sorted by onset, then pitch."""
    notes = []
    for note in score.notes:
        onset, end = nearest_writable(note.onset), nearest_writable(note.onset + note.duration)
        if not note.grace and end <= onset:
            end = onset + _COARSE
        if (
            Fraction(onset, TICKS_PER_QUARTER) != note.onset
            or Fraction(end - onset, TICKS_PER_QUARTER) != note.duration
        ):
            context.warn(_MOVED)
        notes.append(
            PlacedNote(onset, end, note.pitch, note.velocity, note.track, note.order, note.staccato, note.ornament)
        )
    return sorted(notes, key=lambda n: (n.onset, n.pitch))


def _keys(score: QuantisedScore, notes: Sequence[PlacedNote]) -> list[tuple[int, ScoreKey]]:
    """(from tick, key), the first from before everything."""
    if score.keys:
        keys = [(_exact(key.onset), key) for key in score.keys]
    else:
        fifths, mode = find_key([n for n in notes if not score.tracks[n.part].percussion])
        keys = [(0, ScoreKey(Fraction(0), fifths, mode))]
    return [(min(keys[0][0], -_exact(score.pickup)), keys[0][1]), *keys[1:]]


def _write_part(
    track: ScoreTrack,
    index: int,
    notes: list[PlacedNote],
    measures: Sequence[Measure],
    keys: Sequence[tuple[int, ScoreKey]],
    options: Options,
    context: Context,
) -> WrittenPart:
    two_staves = has_two_staves(track)
    if two_staves:
        split_hands(notes, options.split_point)
    staves = 2 if two_staves else 1
    part = WrittenPart(
        index=index,
        name=part_name(track),
        program=PIANO if track.program is None else track.program,
        percussion=track.percussion,
        channel=10 if track.percussion else 1 + index % 9,
        staves=staves,
        measures=[WrittenMeasure(measure, []) for measure in measures],
        accidentals={},
        drums=sorted({note.pitch for note in notes}) if track.percussion else [],
    )
    for staff in range(1, staves + 1):
        on_staff = [note for note in notes if note.staff == staff]
        _write_staff(part, staff, on_staff, context)
        for measure, clef in choose_clefs(on_staff, measures, track, staff, staves):
            part.measures[measure].clefs[staff] = clef
    fifths = _place_keys(part, keys)
    if not track.percussion:
        part.accidentals = needed_accidentals(part, fifths)
    return part


def _write_staff(part: WrittenPart, staff: int, notes: Sequence[PlacedNote], context: Context) -> None:
    voices = _writable_voices(part, notes, context)
    start_events = [_events(voice, [m.measure for m in part.measures]) for voice in voices]
    for number, written in enumerate(part.measures):
        present = [
            v for v, events in enumerate(start_events) if len(events[number]) > 1 or events[number][0].index != REST
        ]
        for v in present or [0]:
            pieces = write_voice(written.measure, start_events[v][number])
            set_beams(written.measure, pieces)
            stem = "" if len(present) < 2 else ("up", "down")[v % 2]
            written.voices.append(WrittenVoice((staff - 1) * _VOICES_PER_STAFF + v + 1, staff, pieces, voices[v], stem))


def _writable_voices(part: WrittenPart, notes: Sequence[PlacedNote], context: Context) -> list[list[Chord]]:
    """The voices of a staff; notes that no tuplet fits together are moved until all measures can be written."""
    for attempt in range(3):
        voices = separate([note for note in notes if note.end > note.onset])
        attach_graces(voices, [note for note in notes if note.end == note.onset])
        stuck = []
        for voice in voices:
            for written, events in zip(part.measures, _events(voice, [m.measure for m in part.measures]), strict=True):
                try:
                    write_voice(written.measure, events)
                except Unwritable:
                    stuck += [note for e in events if e.index >= 0 for note in voice[e.index].notes]
        if not stuck:
            break
        context.warn(_MOVED)
        for note in notes if attempt else stuck:
            note.onset = round(note.onset / _COARSE) * _COARSE
            note.end = max(note.onset + _COARSE * (note.end > note.onset), round(note.end / _COARSE) * _COARSE)
    return voices


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
    index = -1
    for written in part.measures:
        before = index
        while index + 1 < len(keys) and keys[index + 1][0] <= written.measure.start:
            index += 1
        key = keys[max(index, 0)][1]
        if index != before and (not fifths or key.fifths != fifths[-1]):
            written.fifths, written.mode = key.fifths, key.mode
        fifths.append(key.fifths)
    return fifths


def _add_marks(score: QuantisedScore, notes: Sequence[PlacedNote], parts: Sequence[WrittenPart]) -> None:
    """Tempo marks on the first part, pedal signs on the first keyboard, dynamics on every part but drums."""
    for tempo in score.tempos:
        _mark(parts[0], Mark(_exact(tempo.onset), "tempo", f"{tempo.quarters_per_minute:.3f}".rstrip("0").rstrip(".")))
    keyboard = next((part for part in parts if part.staves > 1), None)
    for pedal in score.pedals if keyboard is not None else ():
        assert keyboard is not None
        _mark(keyboard, Mark(_exact(pedal.onset), "pedal", "start", 2))
        _mark(keyboard, Mark(_exact(pedal.release), "pedal", "stop", 2))
    for part in parts:
        for at, value in dynamic_marks([note for note in notes if note.part == part.index]):
            _mark(part, Mark(at, "dynamics", value))


def _mark(part: WrittenPart, mark: Mark) -> None:
    starts = [written.measure.start for written in part.measures]
    index = min(max(0, bisect_right(starts, mark.at) - 1), len(starts) - 1)
    measure = part.measures[index].measure
    mark.at = min(max(mark.at, measure.start), measure.end)
    if mark.kind == "pedal" and mark.value == "stop" and mark.at == measure.start and index:
        index -= 1  # a release at a barline is drawn before it
    part.measures[index].marks.append(mark)


def _common_step(parts: Sequence[WrittenPart]) -> int:
    """The largest number of ticks that divides every position and a quarter note."""
    step = TICKS_PER_QUARTER
    for part in parts:
        for written in part.measures:
            step = gcd(step, written.measure.start, written.measure.end, *(mark.at for mark in written.marks))
            for voice in written.voices:
                step = gcd(step, *(piece.start for piece in voice.pieces), *(piece.end for piece in voice.pieces))
    return step
