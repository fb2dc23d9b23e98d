"""What the performance reader hears of each chord → beats and barlines: the likeliest way through the measure.

The states are those of the classical tracker (`notation.beats`), a position in the measure and a tempo, and so is the
time that a way takes. What a chord says of its position comes from the network in place of counted accents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from model_runtime.notation.beats import (
    Float32Array,
    Heard,
    MeterSearch,
    Path,
    map_of,
)
from model_runtime.notation.metre import beat_of
from model_runtime.notation.rhythm_prior import MeterPrior, meter_priors
from model_runtime.tempo import TempoMap
from model_runtime.unified.performance_features import (
    BAR_STARTS,
    BARS,
    COMPOUND_PHASES,
    ORNAMENT,
    PERIOD_OCTAVE,
    PERIODS,
    SHORTEST_PERIOD_S,
    SIMPLE_PHASES,
    Features,
    Floats,
    Ints,
)
from model_runtime.unified.performance_reader import ReadBeats

FASTEST_BEAT_S, SLOWEST_BEAT_S = 60.0 / 280.0, 2.4
PHASE_WEIGHT, BAR_WEIGHT, PERIOD_WEIGHT = 0.8, 0.4, 0.4
"""How much each head counts: neighbouring chords say much the same, so less than once."""

SURELY_ORNAMENT = 0.6
"""Chords that are ornaments with this probability are passed over."""

PHASE_PRIOR = (
    *(0.324, 0.003, 0.009, 0.047, 0.024, 0.006, 0.188, 0.003, 0.023, 0.061, 0.009, 0.006),
    *(0.095, 0.001, 0.013, 0.001, 0.048, 0.001, 0.020, 0.001, 0.076, 0.001, 0.014, 0.001),
)
"""Share of chords at each phase in what the network was trained on."""

PRIOR_SHARE = 0.3
"""How much of that is taken out of what the network says: the search knows by itself how usual a rhythm is."""

LEVEL_MARGIN = 1.2
"""How many times likelier beats of half or twice the length must be to be taken instead."""

USUAL_BEAT_S, USUAL_OCTAVES = 0.6, 0.8
"""Beats that people would tap: near 100 a minute, with this spread (after Parncutt 1994)."""

FEW_CHORDS = 64
"""Up to so many chords what is usual counts in full, beyond that in proportion less."""

HELD_SIGMA, HELD_LIMIT = 0.12, 8.0
"""Spread (natural logarithm) and largest cost of a beat's length that is held."""

MOST_POSITIONS = 14
"""Positions that a way is followed from: the cheapest, before each chord."""

LEAST = 1e-4
"""Probability that anything has: the network is never so sure."""

_METER_OF = {(2, False): (2, 4), (3, False): (3, 4), (4, False): (4, 4)}
_METER_OF |= {(1, True): (3, 8), (2, True): (6, 8), (3, True): (9, 8), (4, True): (12, 8)}


class HeardSearch(MeterSearch):
    """The search under one metre, listening to the network.

    Args:
        meter: One of those that the network knows.
        read: What it says.
        kept: Numbers of the chords that have a place.
    """

    drift, tempo_step = 0.045, 0.06

    def __init__(self, meter: MeterPrior, read: ReadBeats, kept: Ints) -> None:
        super().__init__(meter, FASTEST_BEAT_S, SLOWEST_BEAT_S)
        compound = beat_of(meter.numerator, meter.denominator)[1]
        beats = meter.measure_ticks // self.beat_ticks
        beat, tick = np.divmod(meter.positions, self.beat_ticks)
        names = COMPOUND_PHASES if compound else SIMPLE_PHASES
        phases = np.searchsorted(names, tick) + (len(SIMPLE_PHASES) if compound else 0)
        start = BAR_STARTS[BARS.index((beats, compound))]
        bar = np.exp(read.bar[kept, start : start + beats])
        bar = bar / np.maximum(bar.sum(axis=1, keepdims=True), LEAST)
        phase = _cost(np.exp(read.phase[kept])[:, phases]) + PRIOR_SHARE * np.log(np.array(PHASE_PRIOR)[phases])
        places = PHASE_WEIGHT * phase + BAR_WEIGHT * _cost(bar[:, beat])
        self._places: Float32Array = places.astype(np.float32)
        beats_s = self.tick_s * self.beat_ticks
        classes = np.clip(PERIOD_OCTAVE * np.log2(beats_s / SHORTEST_PERIOD_S), 0, PERIODS - 1)
        near = np.floor(classes).astype(np.int64)
        share = (classes - near).astype(np.float32)
        said = np.exp(read.period[kept])
        tempo = said[:, near] * (1 - share) + said[:, np.minimum(near + 1, PERIODS - 1)] * share
        self._tempos: Float32Array = (PERIOD_WEIGHT * _cost(tempo)).astype(np.float32)

    def hold(self, beats_s: Floats) -> None:
        """Stay near a length of the beat at each chord, shape (T,)."""
        known = np.log(self.tick_s * self.beat_ticks)[None, :]
        far = (known - np.log(beats_s)[:, None]) / HELD_SIGMA
        self._tempos = np.minimum(0.5 * far * far, HELD_LIMIT).astype(np.float32)

    def _moves(
        self, table: tuple[Float32Array, Float32Array, Float32Array], drifted: Float32Array, elapsed: float
    ) -> tuple[Float32Array, npt.NDArray[np.int8]]:
        """As the classical search has it, from the cheapest positions only."""
        if len(drifted) <= MOST_POSITIONS:
            return super()._moves(table, drifted, elapsed)
        rows = np.sort(np.argpartition(drifted.min(axis=1), MOST_POSITIONS)[:MOST_POSITIONS])
        expected, precision, cost = (part[rows] for part in table)
        best, source = super()._moves((expected, precision, cost), drifted[rows], elapsed)
        return best, rows[source].astype(np.int8)

    def follow(self, heard: Heard, progress: Callable[[int, int], None] | None = None) -> Path:
        """The best path through the chords that are kept, whose times `heard` has."""
        count = len(heard.times_s)
        shape = (count, len(self.meter.positions), len(self.tick_s))
        from_place, from_tempo, whole = (np.zeros(shape, np.int8) for _ in range(3))
        start: Float32Array = self.meter.start.astype(np.float32)
        score = start[:, None] + self._places[0][:, None] + self._tempos[0][None, :]
        for index in range(1, count):
            if progress is not None and index % 128 == 0:
                progress(index, count)
            elapsed = float(heard.times_s[index] - heard.times_s[index - 1])
            drifted, from_tempo[index] = self._drift(score, elapsed)
            score, from_place[index], whole[index] = self._advance(drifted, score, elapsed)
            score += self._places[index][:, None] + self._tempos[index][None, :]
        return self._trace(score, from_place, from_tempo, whole)


def _cost(probability: Features) -> Features:
    found: Features = -np.log(np.maximum(probability, LEAST))
    return found


def beats_of(read: ReadBeats, progress: Callable[[int, int], None] | None = None) -> TempoMap:
    """A map with a point on every beat, whose quarter 0 is a barline, in the one metre that is likeliest."""
    kept = np.flatnonzero(np.exp(read.phase[:, ORNAMENT]) < SURELY_ORNAMENT)
    if not len(kept):
        kept = np.arange(len(read.times_s))
    meter = likeliest_meter(read, kept)
    heard = Heard(read.times_s[kept], np.zeros((len(kept), 4), np.int64))
    search = HeardSearch(meter, read, kept)
    path = search.follow(heard, progress)
    beats_s = path.tick_s * search.beat_ticks
    level = likeliest_level(read.period[kept], beats_s)
    if level != 1.0:
        search.hold(level * beats_s)
        path = search.follow(heard, progress)
    return map_of(meter, heard, path)


def likeliest_level(period: Features, beats_s: Floats) -> float:
    """By how much beats that were found should be longer: 1, 2 or a half.

    A way through the positions prefers few and strong ones, for those are surest; asked for the length of a beat
    alone, the network has no such leaning. What people would tap decides where little was heard.

    Args:
        period: What it says of each chord, shape (T, PERIODS).
        beats_s: Length of the beat that was found at each chord, shape (T,).
    """
    shares = {}
    rows = np.arange(len(beats_s))[:, None]
    weight = min(1.0, FEW_CHORDS / len(beats_s))
    for level in (0.5, 1.0, 2.0):
        place = np.rint(PERIOD_OCTAVE * np.log2(level * beats_s / SHORTEST_PERIOD_S)).astype(np.int64)
        near = place[:, None] + np.arange(-2, 3)
        said = np.exp(period[rows, np.clip(near, 0, PERIODS - 1)]) * ((near >= 0) & (near < PERIODS))
        unusual = np.log2(level * float(np.median(beats_s)) / USUAL_BEAT_S) / USUAL_OCTAVES
        share = float(said.sum(axis=1).mean()) * math.exp(-0.5 * unusual * unusual * weight)
        shares[level] = share * (LEVEL_MARGIN if level == 1.0 else 1.0)
    return max(shares, key=lambda level: shares[level])


def likeliest_meter(read: ReadBeats, kept: Ints) -> MeterPrior:
    """The metre that most of the probability is given to, over all chords.

    Of little music two and four count together against three: that they are hard to tell apart says nothing for three.
    """
    said = np.exp(read.bar[kept]).mean(axis=0)
    totals = [float(said[a:b].sum()) for a, b in pairwise(BAR_STARTS)]
    two, three, four = (BARS.index((beats, False)) for beats in (2, 3, 4))
    if len(kept) <= FEW_CHORDS and totals[two] + totals[four] > totals[three]:
        totals[three] = 0.0
    phases = np.exp(read.phase[kept])
    compound = phases[:, len(SIMPLE_PHASES) : ORNAMENT].sum() > phases[:, : len(SIMPLE_PHASES)].sum()
    best = max((i for i, (_, dotted) in enumerate(BARS) if dotted == compound), key=lambda i: totals[i])
    wanted = _METER_OF[BARS[best]]
    return next(m for m in meter_priors() if (m.numerator, m.denominator) == wanted)
