"""Performance → quantised score: the steps in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

import numpy as np

from model_runtime.engines.base import Context
from model_runtime.modality import Note, Performance
from model_runtime.notation.beats import track_beats
from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.notation.grid import PlacedChord, place_chords
from model_runtime.notation.hands import split_hands
from model_runtime.notation.instruments import has_two_staves
from model_runtime.notation.lengths import PlacedNote, end_before_same_pitch, find_lengths
from model_runtime.notation.metre import BeatFrame, beat_frame, beat_of, exact_meters
from model_runtime.notation.onsets import gather_chords
from model_runtime.notation.ornaments import gather_ornaments, without_ghosts
from model_runtime.notation.pedals import down_at, pedal_spans, pedals_on_grid
from model_runtime.notation.quantised import (
    QuantisedScore,
    ScoreKey,
    ScoreMeter,
    ScoreNote,
    ScorePedal,
    ScoreTrack,
)
from model_runtime.notation.stems import PlacedNote as HandNote
from model_runtime.notation.tempo_marks import tempo_marks
from model_runtime.options import Options
from model_runtime.tempo import TempoMap

PERCUSSION_CHANNEL = 9
LEGATO_OVERLAP_S = 0.08  # a key may still be down for so long when the next one of a melody is struck
MELODY_CHORDS = 0.05  # share of notes that may sound together in what is still a single line
MELODY_COMPASS = 31  # semitones that one staff holds: two and a half octaves


class Reading(Protocol):
    """What may say in place of the rules where beats are, how long notes are written and on which staff.

    See `unified.notation_reading.NotationReading`.
    """

    def track_beats(
        self,
        notes: Sequence[Note],
        pedal: Sequence[tuple[float, float]],
        progress: Callable[[int, int], None] | None = None,
    ) -> TempoMap:
        """Beats, metre and first barline."""

    def find_lengths(
        self,
        notes: Sequence[PlacedNote],
        meters: Sequence[ScoreMeter],
        tempo_map: TempoMap,
        time_at: Callable[[Fraction], float],
        pedal: Sequence[tuple[float, float]],
        *,
        two_staves: bool,
    ) -> None:
        """Set length and staccato of notes that are not grace notes, and `hand` of all where there are two staves."""


def quantise(
    performance: Performance, options: Options, context: Context, reading: Reading | None = None
) -> QuantisedScore:
    """A performance on the grid of its tempo map, or of the beats that are found in it.

    Args:
        reading: What finds beats, lengths and staves; None: the rules do.

    Raises:
        InvalidValue: the tempo map of the options does not move forwards.
        Cancelled: out of `context.progress`.
    """
    tracks = score_tracks(performance)
    notes = without_ghosts(performance.notes)
    if len(notes) < len(performance.notes):
        context.warn(f"{len(performance.notes) - len(notes)} doubled or barely touched notes were left out.")
    tempo_map = options.tempo_map.tempo_map() if options.tempo_map is not None else performance.tempo_map
    if not notes:
        return _empty(tempo_map, tracks, options)
    ornamented = gather_ornaments([n for n in notes if not tracks[n.track].percussion])
    ornamented += [(note, "") for note in notes if tracks[note.track].percussion]
    ornaments = {note: ornament for note, ornament in ornamented if ornament}
    plain = sorted((note for note, _ in ornamented), key=lambda n: (n.onset_s, n.pitch))
    if tempo_map is None:
        context.progress("Finding beats", 0, 1)

        def told(done: int, total: int) -> None:
            context.progress("Finding beats", done, total)

        if reading is None:
            tempo_map = track_beats(plain, told)
        else:
            spans = pedal_spans(performance.controls, performance.duration_s)
            pitched = [note for note in notes if not tracks[note.track].percussion]
            tempo_map = reading.track_beats(pitched or notes, spans, told)
    meters = exact_meters(tempo_map.meters)
    frame = beat_frame(tempo_map, meters, plain[0].onset_s, max(note.offset_s for note in plain))
    chords = gather_chords(plain)
    placed = place_chords(
        chords, frame, options.quantise, lambda done, total: context.progress("Placing notes", done, total)
    )
    placing = Placing(tempo_map, meters, frame, placed, ornaments)
    return score_of(performance, options, context, tracks, placing, reading)


class Placing:
    """What is known when every chord has its place."""

    def __init__(
        self,
        tempo_map: TempoMap,
        meters: list[ScoreMeter],
        frame: BeatFrame,
        chords: list[PlacedChord],
        ornaments: dict[Note, str],
    ) -> None:
        self.tempo_map = tempo_map
        self.meters = meters
        self.chords = chords
        self.ornaments = ornaments
        self._quarters = np.array([float(q) for q in frame.quarters])
        self._times = frame.times_s

    def time_at(self, quarter: Fraction) -> float:
        """Seconds at a position."""
        return float(np.interp(float(quarter), self._quarters, self._times))

    def notes_of(self, track: int) -> list[PlacedNote]:
        """Notes of one track in order of time; grace notes at one place are numbered."""
        notes: list[PlacedNote] = []
        orders: dict[Fraction, int] = defaultdict(int)
        for placed in self.chords:
            own = [note for note in placed.chord.notes if note.track == track]
            for note in own:
                ornament = self.ornaments.get(note, "")
                order = orders[placed.onset] if placed.grace else 0
                notes.append(PlacedNote(placed.onset, note, 0, placed.grace, order, ornament))
            if own and placed.grace:
                orders[placed.onset] += 1
        return sorted(notes, key=lambda n: n.onset)


def score_tracks(performance: Performance) -> tuple[ScoreTrack, ...]:
    """The instruments of a performance: a track whose notes are on the percussion channel is percussion."""
    channels: dict[int, set[int]] = defaultdict(set)
    notes: dict[int, list[Note]] = defaultdict(list)
    for note in performance.notes:
        channels[note.track].add(note.channel)
        notes[note.track].append(note)
    programs: dict[int, int] = {}
    for change in performance.programs:
        programs.setdefault(change.channel, change.program)
    count = max([len(performance.tracks), *(track + 1 for track in channels)])
    tracks = []
    for index in range(count):
        own = channels.get(index, set())
        program = next((programs[channel] for channel in sorted(own) if channel in programs), None)
        name = performance.tracks[index] if index < len(performance.tracks) else ""
        melody = len(channels) > 1 and _is_melody(notes[index])
        tracks.append(ScoreTrack(name, program, bool(own) and own == {PERCUSSION_CHANNEL}, melody))
    return tuple(tracks)


def _is_melody(notes: Sequence[Note]) -> bool:
    """Whether a track's notes, sorted by onset, are a single line that one staff can hold."""
    if not notes:
        return False
    pitches = [note.pitch for note in notes]
    together = sum(then.onset_s < note.offset_s - LEGATO_OVERLAP_S for note, then in pairwise(notes))
    return together <= MELODY_CHORDS * len(notes) and max(pitches) - min(pitches) <= MELODY_COMPASS


def score_of(
    performance: Performance,
    options: Options,
    context: Context,
    tracks: tuple[ScoreTrack, ...],
    placing: Placing,
    reading: Reading | None = None,
) -> QuantisedScore:
    """The score of placed chords, at least one: hands, lengths, pedals and tempo marks are found here."""
    spans = pedal_spans(performance.controls, performance.duration_s)
    pedal_down = down_at(spans)
    meters, zero = _first_barline(placing.meters, min(chord.onset for chord in placing.chords))
    beat, _ = beat_of(meters[0].numerator, meters[0].denominator)
    notes: list[ScoreNote] = []
    for index, track in enumerate(tracks):
        context.progress("Finding note lengths", index, len(tracks))
        own = placing.notes_of(index)
        two_staves = not track.percussion and has_two_staves(track)
        if reading is None or track.percussion:
            if two_staves:
                _part_hands(own, options.split_point, placing.time_at)
            find_lengths(own, placing.time_at, pedal_down, beat)
        else:
            found = (meters, placing.tempo_map, placing.time_at, spans)
            reading.find_lengths(own, *found, two_staves=two_staves)
        known = reading is not None and two_staves
        notes.extend(_score_note(note, zero, index, known) for note in end_before_same_pitch(own))
    first = min((note.onset for note in notes), default=Fraction(0))
    pickup = max(Fraction(0), -first)
    shifted = tuple(replace(meter, onset=meter.onset - zero) for meter in meters)
    end = max(note.onset + note.duration for note in notes)
    barlines = _barlines(shifted, end)
    times = placing.tempo_map.times_at([float(b + zero) for b in barlines])
    return QuantisedScore(
        notes=tuple(notes),
        meters=shifted,
        keys=_keys(placing.tempo_map, zero),
        tempos=tempo_marks(barlines, times),
        pedals=tuple(_pedals(spans, placing.tempo_map, zero, -pickup, end)),
        pickup=pickup,
        tracks=tracks,
        title=options.title,
    )


def _score_note(note: PlacedNote, zero: Fraction, track: int, staff_is_known: bool) -> ScoreNote:
    return ScoreNote(
        onset=note.onset - zero,
        duration=Fraction(0) if note.grace else note.duration,
        pitch=note.note.pitch,
        velocity=note.note.velocity,
        track=track,
        grace=note.grace,
        order=note.order,
        staccato=note.staccato and not note.grace,
        ornament="" if note.grace else note.ornament,
        staff=note.hand if staff_is_known else 0,
    )


def _part_hands(notes: Sequence[PlacedNote], split_point: int | None, time_at: Callable[[Fraction], float]) -> None:
    """Set `hand` of a keyboard's notes, by the search that later chooses their staves."""
    entries = []
    for note in notes:
        beat_s = time_at(note.onset + 1) - time_at(note.onset)
        held = note.note.duration_s / max(beat_s, 1e-3)
        onset = round(note.onset * TICKS_PER_QUARTER)
        end = onset if note.grace else onset + max(1, round(held * TICKS_PER_QUARTER))
        entries.append(HandNote(onset, end, note.note.pitch, note.note.velocity, 0))
    in_order = sorted(range(len(entries)), key=lambda i: (entries[i].onset, entries[i].pitch))
    split_hands([entries[i] for i in in_order], split_point)
    for note, entry in zip(notes, entries, strict=True):
        note.hand = entry.staff


def _first_barline(meters: Sequence[ScoreMeter], first: Fraction) -> tuple[list[ScoreMeter], Fraction]:
    """Meters from the barline that becomes quarter 0, and its position: at most one measure after the first onset."""
    start, length = meters[0].onset, meters[0].measure_quarters
    if first < start:
        start -= int((start - first) / length) * length
    return [replace(meters[0], onset=start), *meters[1:]], start


def _barlines(meters: Sequence[ScoreMeter], end: Fraction) -> list[Fraction]:
    """Barlines from quarter 0 to the first at or after `end`; at least two."""
    barlines = [Fraction(0)]
    index = 0
    while barlines[-1] < end or len(barlines) < 2:
        while index + 1 < len(meters) and meters[index + 1].onset <= barlines[-1]:
            index += 1
        barlines.append(barlines[-1] + meters[index].measure_quarters)
    return barlines


def _keys(tempo_map: TempoMap, zero: Fraction) -> tuple[ScoreKey, ...]:
    keys: dict[Fraction, ScoreKey] = {}
    for key in tempo_map.keys:
        onset = max(Fraction(0), Fraction(key.quarter).limit_denominator(48) - zero)
        keys[onset] = ScoreKey(onset, key.fifths, key.mode)
    return tuple(keys[onset] for onset in sorted(keys))


def _pedals(
    spans: Sequence[tuple[float, float]], tempo_map: TempoMap, zero: Fraction, first: Fraction, end: Fraction
) -> list[ScorePedal]:
    pedals = pedals_on_grid(spans, lambda time: tempo_map.quarter_at(time) - float(zero), first)
    return [replace(pedal, release=min(pedal.release, end)) for pedal in pedals if pedal.onset < end]


def _empty(tempo_map: TempoMap | None, tracks: tuple[ScoreTrack, ...], options: Options) -> QuantisedScore:
    meters = exact_meters(tempo_map.meters if tempo_map is not None else ())
    first = replace(meters[0], onset=Fraction(0))
    keys = _keys(tempo_map, meters[0].onset)[:1] if tempo_map is not None else ()
    return QuantisedScore(notes=(), meters=(first,), keys=keys, tracks=tracks, title=options.title)
