"""Finds beats, metre and barlines in notes that come without them.

A metrical hidden Markov model: the state at a chord is its position in the measure and the tempo; the chord is heard
at a time that agrees with the score distance at that tempo, and with an accent that agrees with its position (chord
size, low bass, length, new harmony). Positions follow one another as they do in scores (`rhythm_prior`). The metre is
the one whose model explains the most. After the metrical models of Raphael (2001) and Nakamura et al. (2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model_runtime.modality import Note
from model_runtime.notation.metre import beat_of
from model_runtime.notation.onsets import Chord, bass_low, gather_chords, length_class, novelty_class, size_class
from model_runtime.notation.rhythm_prior import TICKS, MeterPrior, meter_priors
from model_runtime.tempo import Meter, TempoMap

FASTEST_BEAT_S, SLOWEST_BEAT_S = 60.0 / 220.0, 60.0 / 38.0
TEMPO_STEP = 0.04
"""Tempos are this far apart, in natural logarithm."""

USUAL_BEAT_S, TEMPO_SPREAD = 0.56, 0.33
"""Centre and width (natural logarithm) of how long a beat is."""

TEMPO_WEIGHT = 0.15
"""How much of the tempo's cost each chord pays."""

TEMPO_DRIFT = 0.08
"""How much the tempo changes in half a second (natural logarithm)."""

TIMING_SIGMA_S, TIMING_SHARE = 0.022, 0.06
TIMING_LIMIT = 9.0
"""Nothing that is played costs more than this: a fermata does not derail the search."""

ACCENT_WEIGHT = 0.6
STAY_COST, STAY_SCALE_S = 2.5, 0.05
"""Cost of a chord that takes no score time (a spread chord, a grace note), and how it grows with the time it takes."""

POPULARITY_WEIGHT = 5.0
"""How much rarer metres must gain: chords are not as independent of each other as the model has them."""

EXCERPT_CHORDS = 500
"""The metre is chosen on so many chords, from the start and the middle."""

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """What the tracker hears: onset times and accent classes, one a chord."""

    times_s: npt.NDArray[np.float64]
    accents: npt.NDArray[np.int64]  # (n, 4): size, bass, length, novelty

    def part(self, start: int, end: int) -> Heard:
        return Heard(self.times_s[start:end], self.accents[start:end])


@dataclass(frozen=True)
class Path:
    """The best explanation under one metre: ticks from a barline, and tempo, at each chord."""

    ticks: npt.NDArray[np.int64]
    tick_s: npt.NDArray[np.float64]
    cost: float


def track_beats(notes: Sequence[Note], progress: Callable[[int, int], None] | None = None) -> TempoMap:
    """Beats, one metre and the first barline of notes sorted by onset, at least one.

    The map has a point on every beat; its quarter 0 is a barline, and notes before it are a pickup.
    """
    chords = gather_chords(notes)
    heard = _listen(chords)
    meter = _choose_meter(heard, (lambda *_: progress(0, len(chords))) if progress is not None else None)
    path = MeterSearch(meter).follow(heard, progress)
    return map_of(meter, heard, path)


def _listen(chords: Sequence[Chord]) -> Heard:
    return Heard(np.array([chord.time_s for chord in chords]), accent_classes(chords))


def accent_classes(chords: Sequence[Chord]) -> npt.NDArray[np.int64]:
    """What is heard of each chord, shape (n, 4): classes of size, bass, length and novelty (see `onsets`)."""
    times = np.array([chord.time_s for chord in chords])
    lowest = [min(note.pitch for note in chord.notes) for chord in chords]
    harmony = [frozenset(note.pitch % 12 for note in chord.notes) for chord in chords]
    accents = [
        (
            size_class(len(chord.notes)),
            bass_low(lowest, index),
            length_class(times, index, max(note.duration_s for note in chord.notes)),
            novelty_class(harmony, index),
        )
        for index, chord in enumerate(chords)
    ]
    return np.array(accents, np.int64).reshape(-1, 4)


def _choose_meter(heard: Heard, waiting: Callable[[int, int], None] | None) -> MeterPrior:
    count = len(heard.times_s)
    half = EXCERPT_CHORDS // 2
    if count <= EXCERPT_CHORDS:
        excerpts = [heard]
    else:
        middle = max(half, count // 2)
        excerpts = [heard.part(0, half), heard.part(middle, middle + half)]
    costs = [
        POPULARITY_WEIGHT * meter.popularity
        + sum(MeterSearch(meter).follow(excerpt, waiting).cost for excerpt in excerpts)
        for meter in meter_priors()
    ]
    return meter_priors()[int(np.argmin(costs))]


class Step(NamedTuple):
    """Where each state (position, tempo) of a chord came from.

    Attributes:
        from_place: Index of the position before.
        from_tempo: Index of the tempo before, less that of the state.
        whole: -1: stayed where it was; 0: moved within a measure; 1: passed a whole measure more.
    """

    from_place: npt.NDArray[np.int8]
    from_tempo: npt.NDArray[np.int8]
    whole: npt.NDArray[np.int8]


class MeterSearch:
    """The search under one metre. Arrays have the axes (position before, position, tempo).

    Args:
        fastest_beat_s, slowest_beat_s: Lengths of the beats that are considered.

    Attributes:
        distance: Ticks from a position to another one later, shape (positions, positions).
        tick_s: Seconds of a tick at each tempo, shape (tempos,).
    """

    drift, tempo_step = TEMPO_DRIFT, TEMPO_STEP

    def __init__(
        self, meter: MeterPrior, fastest_beat_s: float = FASTEST_BEAT_S, slowest_beat_s: float = SLOWEST_BEAT_S
    ) -> None:
        self.meter = meter
        beat, _ = beat_of(meter.numerator, meter.denominator)
        self.beat_ticks = int(beat * TICKS)
        count = int(np.ceil(np.log(slowest_beat_s / fastest_beat_s) / self.tempo_step)) + 1
        beats_s = fastest_beat_s * np.exp(self.tempo_step * np.arange(count))
        self.tick_s = beats_s / self.beat_ticks
        self.tempo_cost = (0.5 * (np.log(beats_s / USUAL_BEAT_S) / TEMPO_SPREAD) ** 2).astype(np.float32)
        places = meter.positions
        length = meter.measure_ticks
        self.distance = (places[None, :] - places[:, None]) % length
        self.distance[self.distance == 0] = length
        self.near = self._expectation(self.distance, meter.advance)
        self.far = self._expectation(self.distance + length, meter.advance + meter.skip_measure)
        self.far_from_s = 0.4 * length * self.tick_s[0]
        self.accent = (ACCENT_WEIGHT * meter.accent).astype(np.float32)

    def _expectation(
        self, distance: npt.NDArray[np.int64], prior: npt.NDArray[np.float64]
    ) -> tuple[Float32Array, Float32Array, Float32Array]:
        expected = distance[:, :, None] * self.tick_s[None, None, :]
        sigma = np.hypot(TIMING_SIGMA_S, TIMING_SHARE * expected)
        cost = prior[:, :, None] + np.log(sigma)
        return expected.astype(np.float32), (1.0 / sigma).astype(np.float32), cost.astype(np.float32)

    def follow(self, heard: Heard, progress: Callable[[int, int], None] | None = None) -> Path:
        """The best path through all chords."""
        count = len(heard.times_s)
        places, tempos = len(self.meter.positions), len(self.tick_s)
        score = self.first(heard.accents[0])
        from_place = np.zeros((count, places, tempos), np.int8)
        from_tempo = np.zeros((count, places, tempos), np.int8)
        whole = np.zeros((count, places, tempos), np.int8)
        for index in range(1, count):
            if progress is not None and index % 128 == 0:
                progress(index, count)
            elapsed = float(heard.times_s[index] - heard.times_s[index - 1])
            score, step = self.step(score, elapsed, heard.accents[index])
            from_place[index], from_tempo[index], whole[index] = step
        return self._trace(score, from_place, from_tempo, whole)

    def first(self, accents: npt.NDArray[np.int64]) -> Float32Array:
        """Costs of the states at the first chord, whose accent classes have shape (4,)."""
        start: Float32Array = self.meter.start.astype(np.float32)
        cost: Float32Array = start[:, None] + self.tempo_cost[None, :] + self._accent(accents)[:, None]
        return cost

    def step(self, score: Float32Array, elapsed: float, accents: npt.NDArray[np.int64]) -> tuple[Float32Array, Step]:
        """Costs of the states at the next chord, `elapsed` seconds later, and where each of them came from."""
        drifted, from_tempo = self._drift(score, elapsed)
        score, from_place, whole = self._advance(drifted, score, elapsed)
        score += self._accent(accents)[:, None] + TEMPO_WEIGHT * self.tempo_cost[None, :]
        return score, Step(from_place, from_tempo, whole)

    def _accent(self, accents: npt.NDArray[np.int64]) -> Float32Array:
        size, bass, length, novelty = accents
        cost: Float32Array = self.accent[:, size, bass, length, novelty]
        return cost

    def _drift(self, score: Float32Array, elapsed: float) -> tuple[Float32Array, npt.NDArray[np.int8]]:
        """Cheapest way to each tempo from the tempos around it."""
        sigma = self.drift * float(np.sqrt(min(max(elapsed, 0.04), 4.0) / 0.5))
        reach = max(1, min(8, int(3 * sigma / self.tempo_step)))
        best, source = score.copy(), np.zeros(score.shape, np.int8)
        for step in range(1, reach + 1):
            cost = np.float32(0.5 * (step * self.tempo_step / sigma) ** 2)
            for shift in (step, -step):
                moved = np.full_like(score, np.inf)
                if shift > 0:
                    moved[:, shift:] = score[:, :-shift] + cost
                else:
                    moved[:, :shift] = score[:, -shift:] + cost
                better = moved < best
                best[better] = moved[better]
                source[better] = -shift
        return best, source

    def _advance(
        self, drifted: Float32Array, still: Float32Array, elapsed: float
    ) -> tuple[Float32Array, npt.NDArray[np.int8], npt.NDArray[np.int8]]:
        """Cheapest way to each position: within a measure, over a measure more, or staying where it was."""
        best, source = self._moves(self.near, drifted, elapsed)
        whole = np.zeros(best.shape, np.int8)
        if elapsed > self.far_from_s:
            further, further_source = self._moves(self.far, drifted, elapsed)
            better = further < best
            best[better], source[better], whole[better] = further[better], further_source[better], 1
        stay = still + np.float32(STAY_COST + min(elapsed / STAY_SCALE_S, 40.0) + np.log(STAY_SCALE_S))
        better = stay < best
        rows = np.broadcast_to(np.arange(best.shape[0], dtype=np.int8)[:, None], best.shape)
        best[better], source[better], whole[better] = stay[better], rows[better], -1
        return best, source, whole

    def _moves(
        self, table: tuple[Float32Array, Float32Array, Float32Array], drifted: Float32Array, elapsed: float
    ) -> tuple[Float32Array, npt.NDArray[np.int8]]:
        expected, precision, cost = table
        error = (np.float32(elapsed) - expected) * precision
        total = np.minimum(np.float32(0.5) * error * error, np.float32(TIMING_LIMIT)) + cost + drifted[:, None, :]
        source = total.argmin(axis=0)
        best = np.take_along_axis(total, source[None], axis=0)[0]
        return best, source.astype(np.int8)

    def _trace(
        self,
        score: Float32Array,
        from_place: npt.NDArray[np.int8],
        from_tempo: npt.NDArray[np.int8],
        whole: npt.NDArray[np.int8],
    ) -> Path:
        count = len(from_place)
        place, tempo = (int(i) for i in np.unravel_index(int(score.argmin()), score.shape))
        cost = float(score[place, tempo])
        steps = np.zeros(count, np.int64)
        tick_s = np.zeros(count)
        for index in range(count - 1, -1, -1):
            tick_s[index] = self.tick_s[tempo]
            if index == 0:
                break
            kind, source = int(whole[index, place, tempo]), int(from_place[index, place, tempo])
            if kind >= 0:
                steps[index] = self.distance[source, place] + kind * self.meter.measure_ticks
                tempo += int(from_tempo[index, source, tempo])
            place = source
        return Path(np.cumsum(steps) + int(self.meter.positions[place]), tick_s, cost)


def map_of(meter: MeterPrior, heard: Heard, path: Path) -> TempoMap:
    """Beat times out of a path: a beat's time is its chord's, or lies between those of the chords around it."""
    beat, _ = beat_of(meter.numerator, meter.denominator)
    beat_ticks = int(beat * TICKS)
    first = int(path.ticks[0])
    # What starts late in a measure is a pickup; what starts early in it comes after a rest.
    zero = meter.measure_ticks if first * 3 >= meter.measure_ticks else 0
    ticks, firsts = np.unique(path.ticks, return_index=True)
    times = np.maximum.accumulate(heard.times_s[firsts])
    before, after = ticks[0] - 2 * beat_ticks, ticks[-1] + 2 * beat_ticks
    ticks_around = np.concatenate([[before], ticks, [after]]).astype(np.float64)
    times_around = np.concatenate(
        [[times[0] - 2 * beat_ticks * path.tick_s[0]], times, [times[-1] + 2 * beat_ticks * path.tick_s[-1]]]
    )
    start = int(np.floor(before / beat_ticks) + 1) * beat_ticks
    beats = np.arange(start, after + 1, beat_ticks, dtype=np.float64)
    beat_times = np.interp(beats, ticks_around, times_around)
    shortest = FASTEST_BEAT_S / 8
    for index in range(1, len(beat_times)):
        beat_times[index] = max(beat_times[index], beat_times[index - 1] + shortest)
    return TempoMap(
        tuple(float(t) for t in beat_times),
        tuple(float(b - zero) / TICKS for b in beats),
        (Meter(0.0, meter.numerator, meter.denominator),),
    )
