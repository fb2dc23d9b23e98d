"""From the page's time line to the performance's: measures unfolded, quarter notes turned into seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from model_runtime.playback.score import Measure, Score
from model_runtime.playback.tempo_marks import TempoCurve, TempoEvent, words_as_tempo
from model_runtime.tempo import KeySignature, Meter, TempoMap

FERMATA_STRETCH = 1.8  # a note under a fermata lasts this much longer
BARLINE_FERMATA_QUARTERS = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Passage:
    """One playing of one measure: `start` in performed, `written` in written quarter notes."""

    measure: int
    start: Fraction
    written: Fraction
    length: Fraction


class Timeline:
    """Where every moment of the score lies in the performance.

    Args:
        score: The score.
        order: Indices of its measures as they are played.
        deadpan: Leave out gradual tempo changes and fermatas.
    """

    def __init__(self, score: Score, order: Sequence[int], *, deadpan: bool) -> None:
        self.score = score
        self.starts = score.starts()
        self.passages = _passages(order, self.starts, score.measures)
        self.length = self.passages[-1].start + self.passages[-1].length
        self._passage_starts = [p.start for p in self.passages]
        self.curve = TempoCurve(
            _tempo_events(score, self.starts, deadpan=deadpan),
            self.starts,
            () if deadpan else _holds(score, self.starts),
        )

    def written(self, measure: int, onset: Fraction) -> Fraction:
        """Written quarter note of a place in a measure."""
        return self.starts[measure] + onset

    def passage_at(self, quarter: Fraction) -> Passage:
        """The passage in which a performed quarter note lies."""
        return self.passages[max(bisect_right(self._passage_starts, quarter) - 1, 0)]

    def tempo_map(self) -> TempoMap:
        """Seconds and quarter notes from 0 on, with the metres and keys as they are performed."""
        times, quarters = [0.0], [0.0]
        for passage in self.passages:
            end = passage.written + passage.length
            steps = self.curve.steps_between(passage.written, end)
            for i, (quarter, tempo) in enumerate(steps):
                stop = steps[i + 1][0] if i + 1 < len(steps) else end
                times.append(times[-1] + float(stop - quarter) * 60.0 / tempo)
                quarters.append(float(passage.start + stop - passage.written))
        kept_times, kept_quarters = _without_needless_points(times, quarters)
        return TempoMap(kept_times, kept_quarters, self._meters(), self._keys())

    def _meters(self) -> tuple[Meter, ...]:
        """Time signatures on performed barlines; what lies before the first one is a pickup."""
        meters: list[Meter] = []
        measures = self.score.measures
        i = 0
        first = measures[self.passages[0].measure]
        if len(self.passages) > 1 and self.passages[0].length < first.nominal_length:
            i = 1
        while i < len(self.passages):
            passage = self.passages[i]
            measure = measures[passage.measure]
            count = self._passages_in_one_measure(i)
            length = sum((p.length for p in self.passages[i : i + count]), Fraction(0))
            is_last = i + count == len(self.passages)
            if length == measure.nominal_length or (is_last and length < measure.nominal_length):
                found = measure.beats, measure.beat_type
            else:
                found = _meter_of(length, measure)
            if not meters or (meters[-1].numerator, meters[-1].denominator) != found:
                meters.append(Meter(float(passage.start), *found))
            i += count
        return tuple(meters)

    def _passages_in_one_measure(self, i: int) -> int:
        """How many passages from `i` on make up one full measure: two where a repeat divides it."""
        measure = self.score.measures[self.passages[i].measure]
        if self.passages[i].length < measure.nominal_length and i + 1 < len(self.passages):
            following = self.score.measures[self.passages[i + 1].measure]
            together = self.passages[i].length + self.passages[i + 1].length
            if together == measure.nominal_length == following.nominal_length:
                return 2
        return 1

    def _keys(self) -> tuple[KeySignature, ...]:
        keys: list[KeySignature] = []
        for passage in self.passages:
            measure = self.score.measures[passage.measure]
            if not keys or (keys[-1].fifths, keys[-1].mode) != (measure.fifths, measure.mode):
                keys.append(KeySignature(float(passage.start), max(min(measure.fifths, 7), -7), measure.mode))
        return tuple(keys)


def _passages(order: Sequence[int], starts: Sequence[Fraction], measures: Sequence[Measure]) -> list[Passage]:
    passages: list[Passage] = []
    now = Fraction(0)
    for i in order:
        passages.append(Passage(i, now, starts[i], measures[i].length))
        now += measures[i].length
    return passages


def _meter_of(length: Fraction, measure: Measure) -> tuple[int, int]:
    """A time signature for a measure that is longer or shorter than its own says."""
    for denominator in (measure.beat_type, 4, 8, 16, 32, 64):
        beats = length * denominator / 4
        if beats.denominator == 1 and 1 <= beats <= 64:
            return int(beats), denominator
    return measure.beats, measure.beat_type


def _without_needless_points(times: list[float], quarters: list[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Drop points on a straight line between their neighbours."""
    kept_times, kept_quarters = [times[0]], [quarters[0]]
    for i in range(1, len(times)):
        if i + 1 < len(times):
            before = (quarters[i] - kept_quarters[-1]) / (times[i] - kept_times[-1])
            after = (quarters[i + 1] - quarters[i]) / (times[i + 1] - times[i])
            if abs(before - after) < 1e-9 * before:
                continue
        kept_times.append(times[i])
        kept_quarters.append(quarters[i])
    return tuple(kept_times), tuple(kept_quarters)


def _tempo_events(score: Score, starts: Sequence[Fraction], *, deadpan: bool) -> list[TempoEvent]:
    """Tempo instructions of all parts; a figure wins over what words at the same place mean."""
    figures: list[TempoEvent] = []
    words: list[TempoEvent] = []
    for part in score.parts:
        for direction in part.directions:
            quarter = starts[direction.measure] + direction.onset
            if direction.kind == "tempo":
                figures.append(TempoEvent(quarter, "absolute", direction.number))
            elif direction.kind == "modulation":
                figures.append(TempoEvent(quarter, "factor", direction.number))
            elif direction.kind == "tempo-words":
                meaning = words_as_tempo(direction.text)
                if meaning and not (deadpan and meaning[0] == "gradual"):
                    words.append(TempoEvent(quarter, *meaning))
    with_figure = {event.quarter for event in figures}
    return figures + [event for event in words if event.quarter not in with_figure or event.kind == "gradual"]


def _holds(score: Score, starts: Sequence[Fraction]) -> list[tuple[Fraction, Fraction, float]]:
    holds = []
    for part in score.parts:
        for note in part.notes:
            if "fermata" in note.marks and note.duration > 0:
                start = starts[note.measure] + note.onset
                holds.append((start, start + note.duration, FERMATA_STRETCH))
    for i, measure in enumerate(score.measures):
        if measure.fermata:
            end = starts[i + 1]
            holds.append((max(end - BARLINE_FERMATA_QUARTERS, starts[i]), end, FERMATA_STRETCH))
    return holds
