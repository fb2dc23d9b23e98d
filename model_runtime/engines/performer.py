"""Notation → performance: a score played as written, with its repeats, tempo, dynamics, articulation and ornaments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import ClassVar

from model_runtime.engines.base import Context, Engine, Measurement
from model_runtime.errors import InvalidValue, NothingFound, TooLarge
from model_runtime.instruments import PERCUSSION_CHANNEL
from model_runtime.modality import Control, Modality, Notation, Note, Performance, ProgramChange, Value
from model_runtime.options import Options
from model_runtime.playback.channels import Seat, seats
from model_runtime.playback.dynamics import DEFAULT_VELOCITY, DynamicsCurve
from model_runtime.playback.manner import Manner
from model_runtime.playback.pedalling import pedal_controls
from model_runtime.playback.reading import read_score
from model_runtime.playback.realising import Realiser, Struck, TimeAt, realise_exactly
from model_runtime.playback.repeats import performed_order
from model_runtime.playback.score import Direction, Part
from model_runtime.playback.swing import swung
from model_runtime.playback.timeline import Timeline
from model_runtime.playback.unfolding import Tone, unfold
from model_runtime.synthesis.events import without_overlaps
from model_runtime.tempo import TempoMap

MOST_NOTES = 1_000_000
_BENCHMARK = "python -m benchmarks.playback --data DIR --json FILE"


class Performer(Engine):
    """Plays MusicXML.

    Quarter 0 of the result's tempo map is the start of the piece; its metres and keys lie at performed barlines, the
    first metre after the pickup. A tempo map among the options replaces the score's own tempo.
    """

    name = "performer"
    source = Modality.NOTATION
    target = Modality.PERFORMANCE
    summary = "Plays a score: repeats, dynamics, articulation, ornaments, pedal and tempo; or exactly what is written."
    quality = 0.98
    measurements: ClassVar[tuple[Measurement, ...]] = (
        Measurement("note F1 (pitch, onset) against MuseScore 3's playback", "24 Lieder, deadpan", 0.976, _BENCHMARK),
        Measurement("the same without grace notes, ornaments, arpeggios", "24 Lieder, deadpan", 0.998, _BENCHMARK),
    )

    def translate(self, value: Value, options: Options, context: Context) -> Performance:
        if not isinstance(value, Notation):
            raise InvalidValue("The performer plays notation only.")
        score = read_score(value.root, context)
        timeline = Timeline(score, performed_order(score.measures), deadpan=options.deadpan)
        tones = [unfold(part, timeline) for part in score.parts]
        if sum(map(len, tones)) > MOST_NOTES:
            raise _too_many()
        manner = self.manner(timeline, tones, options, context)
        tempo_map = _on_host_tempo(timeline.tempo_map(), options)
        playing = _Playing(timeline, tempo_map, options)
        notes: list[Note] = []
        strokes: list[Struck] = []
        controls: list[Control] = []
        programs: list[ProgramChange] = []
        for track, (part, seat) in enumerate(zip(score.parts, seats(score.parts, options.instrument), strict=True)):
            context.progress("Playing", track, len(score.parts))
            for struck in playing.part(part, tones[track]):
                strokes.append(struck)
                notes.append(Note(struck.onset_s, struck.offset_s, struck.pitch, struck.velocity, seat.channel, track))
                if len(notes) > MOST_NOTES:
                    raise _too_many()
                if len(notes) % 5000 == 0:
                    context.progress("Playing", track, len(score.parts))
            controls += pedal_controls(part, timeline, playing.time_at, seat.channel)
            programs += _programs(part, timeline, playing.time_at, seat, options)
        if not notes:
            raise NothingFound("The score has no notes to play.")
        context.progress("Playing", len(score.parts), len(score.parts))
        names = tuple(part.name for part in score.parts)
        played = without_overlaps(manner.played(notes, strokes))
        performance = Performance(tuple(played), tuple(dict.fromkeys(controls)), (), tuple(programs), names, tempo_map)
        return performance if options.tempo_map is not None else at_pace(performance, manner.paced(tempo_map))

    def manner(self, timeline: Timeline, tones: Sequence[Sequence[Tone]], options: Options, context: Context) -> Manner:
        """How the tones of each part are played beside what their marks ask for."""
        return Manner()


def _too_many() -> TooLarge:
    return TooLarge(f"The score has more than {MOST_NOTES:,} notes to play.")


def at_pace(performance: Performance, tempo_map: TempoMap) -> Performance:
    """The performance with everything at its quarter note of another tempo map."""
    own = performance.tempo_map
    if own is None or tempo_map == own:
        return performance

    def moved(times_s: Sequence[float]) -> list[float]:
        times: list[float] = tempo_map.times_at(own.quarters_at(times_s)).tolist()
        return times

    ends = zip(
        performance.notes,
        moved([note.onset_s for note in performance.notes]),
        moved([note.offset_s for note in performance.notes]),
        strict=True,
    )
    controls = zip(performance.controls, moved([control.time_s for control in performance.controls]), strict=True)
    programs = zip(performance.programs, moved([program.time_s for program in performance.programs]), strict=True)
    return replace(
        performance,
        notes=tuple(replace(note, onset_s=onset_s, offset_s=offset_s) for note, onset_s, offset_s in ends),
        controls=tuple(replace(control, time_s=time_s) for control, time_s in controls),
        programs=tuple(replace(program, time_s=time_s) for program, time_s in programs),
        tempo_map=tempo_map,
    )


class _Playing:
    """What is the same for all parts: time and manner."""

    def __init__(self, timeline: Timeline, tempo_map: TempoMap, options: Options) -> None:
        self.timeline = timeline
        self.tempo_map = tempo_map
        self.options = options
        self._times: dict[Fraction, float] = {}
        self._first_quarter = tempo_map.quarter_at(0.0)

    def time_at(self, quarter: Fraction) -> float:
        """Seconds at a performed quarter note."""
        known = self._times.get(quarter)
        if known is None:
            moved = swung(quarter, self.timeline, self.options.swing)
            known = self._times[quarter] = max(self.tempo_map.time_at(float(moved) + self._first_quarter), 0.0)
        return known

    def part(self, part: Part, tones: list[Tone]) -> Iterator[Struck]:
        """All notes of a part."""
        if self.options.deadpan:
            return realise_exactly(tones, self.time_at, DEFAULT_VELOCITY)
        curve = DynamicsCurve(part, self.timeline.starts)
        return Realiser(self.time_at, curve.velocity).realise(tones)


def _on_host_tempo(own: TempoMap, options: Options) -> TempoMap:
    """The tempo map that the options ask for, with the score's metres and keys where it has none."""
    if options.tempo_map is None:
        return own
    host = options.tempo_map.tempo_map()
    first = host.quarter_at(0.0)
    meters = host.meters or tuple(replace(m, quarter=m.quarter + first) for m in own.meters)
    keys = host.keys or tuple(replace(k, quarter=k.quarter + first) for k in own.keys)
    return TempoMap(host.times_s, host.quarters, meters, keys)


def _programs(part: Part, timeline: Timeline, time_at: TimeAt, seat: Seat, options: Options) -> list[ProgramChange]:
    """The instrument at the start, and those that the part changes to."""
    if seat.channel == PERCUSSION_CHANNEL:
        return []
    found = [ProgramChange(0.0, seat.program, seat.channel)]
    if options.instrument is not None:
        return found
    by_measure: dict[int, list[Direction]] = defaultdict(list)
    for direction in part.directions:
        if direction.kind == "program":
            by_measure[direction.measure].append(direction)
    for passage in timeline.passages:
        for direction in by_measure[passage.measure]:
            change = ProgramChange(time_at(passage.start + direction.onset), int(direction.number), seat.channel)
            if change.program != found[-1].program:
                found.append(change)
    return found
