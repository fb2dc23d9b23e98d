"""Beats, metre and barlines while the music is still being played.

The search of `beats` under every metre at once, one chord at a time. Each remembers where its latest chords came from,
so the best explanation of the last bars can be read off at any moment; what it says of a bar holds once the music has
gone on for a while, at the latest when two bars wait, and then does not change any more. When later music speaks
clearly for another place of the barlines, or another metre, the bars after that follow it: one of them is then longer
or shorter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.notation.beats import POPULARITY_WEIGHT, Float32Array, MeterSearch, Step
from model_runtime.notation.metre import beat_of
from model_runtime.notation.rhythm_prior import TICKS, meter_priors

LOOK_BACK = 256
"""Chords whose explanation may still be looked up."""

MEMORY_CHORDS = 500.0
"""How many chords, about, speak for a metre: what lies longer ago fades."""

SWITCH_GAIN = 4.0
"""How much better another metre must explain what was heard before it is taken."""

JUMP_GAIN = 8.0
"""How much better another place of the barlines must be before they move."""

SETTLED_BARS = 0.6
"""A bar holds once the music has been heard so far beyond its end."""

NEXT_LOOK_S = 0.2
"""A bar is given out, whatever was heard, before a second one after it is over as well: so long before, because nobody
may look at the clock again until then."""

PAUSE_BARS = 2.0
SHORTEST_PAUSE_S = 4.0
"""After a silence of so many bars, and at least so long, the next note begins anew."""

NEAR_BEAT = 0.4
"""A barline that lies within this share of a beat from where the last bar ended is the same."""

ALREADY_KNOWN_TEMPO = 0.5
"""How much of what was known of the tempo counts after a pause."""


@dataclass(frozen=True)
class BarTimes:
    """Where a bar and its beats lie in time.

    Attributes:
        beats_s: When each beat begins; the first is the barline.
        end_s: The next barline.
        numerator: Of its time signature; an irregular bar has one of its own.
    """

    beats_s: tuple[float, ...]
    end_s: float
    numerator: int
    denominator: int

    @property
    def start_s(self) -> float:
        """When it begins."""
        return self.beats_s[0]

    @property
    def quarters(self) -> float:
        """Its length in quarter notes."""
        return 4.0 * self.numerator / self.denominator


@dataclass(frozen=True)
class _Path:
    """Times and ticks of the latest chords, ticks counted from some barline, both strictly increasing."""

    times_s: npt.NDArray[np.float64]
    ticks: npt.NDArray[np.float64]
    first_tick_s: float
    last_tick_s: float

    def time_at(self, tick: float) -> float:
        if tick <= self.ticks[0]:
            return float(self.times_s[0] + (tick - self.ticks[0]) * self.first_tick_s)
        if tick >= self.ticks[-1]:
            return float(self.times_s[-1] + (tick - self.ticks[-1]) * self.last_tick_s)
        return float(np.interp(tick, self.ticks, self.times_s))

    def tick_at(self, time_s: float) -> float:
        if time_s <= self.times_s[0]:
            return float(self.ticks[0] + (time_s - self.times_s[0]) / self.first_tick_s)
        if time_s >= self.times_s[-1]:
            return float(self.ticks[-1] + (time_s - self.times_s[-1]) / self.last_tick_s)
        return float(np.interp(time_s, self.times_s, self.ticks))


class _Hypothesis:
    """One metre's search so far.

    Attributes:
        cost: How badly it explains what was heard; what lies long ago fades.
        score: Cost of each state (position, tempo), the best is 0.
    """

    def __init__(self, search: MeterSearch) -> None:
        self.search = search
        self.cost = POPULARITY_WEIGHT * search.meter.popularity
        self.score: Float32Array | None = None
        self.steps: deque[Step] = deque(maxlen=LOOK_BACK)

    @property
    def measure_ticks(self) -> int:
        return self.search.meter.measure_ticks

    @property
    def beat_ticks(self) -> int:
        return self.search.beat_ticks

    def hear(self, elapsed_s: float, accents: npt.NDArray[np.int64]) -> None:
        if self.score is None:
            score = self.search.first(accents)
        else:
            score, step = self.search.step(self.score, elapsed_s, accents)
            self.steps.append(step)
        self._take(score)

    def begin_anew(self, accents: npt.NDArray[np.int64]) -> None:
        """The first chord after a pause: any position, the tempo probably as before."""
        score = self.search.first(accents)
        if self.score is not None:
            score = score + ALREADY_KNOWN_TEMPO * self.score.min(axis=0)[None, :]
        self.steps.clear()
        self._take(score)

    def _take(self, score: Float32Array) -> None:
        gain = float(score.min())
        popularity = POPULARITY_WEIGHT * self.search.meter.popularity
        self.cost = popularity + (self.cost - popularity) * (1.0 - 1.0 / MEMORY_CHORDS) + gain
        self.score = score - np.float32(gain)

    def best(self, from_place: tuple[int, int] | None) -> tuple[int, int]:
        """The state to believe in now.

        Args:
            from_place: (chords ago, position index) that should hold if it is not much worse; None: nothing should.
        """
        assert self.score is not None
        best = int(self.score.argmin())
        if from_place is not None and from_place[0] <= len(self.steps):
            consistent = np.where(self._ancestors(from_place[0]) == from_place[1], self.score, np.inf)
            if float(consistent.min()) <= JUMP_GAIN:
                best = int(consistent.argmin())
        place, tempo = np.unravel_index(best, self.score.shape)
        return int(place), int(tempo)

    def _ancestors(self, chords_ago: int) -> npt.NDArray[np.int64]:
        """Position index of each present state so many chords ago, shape (positions, tempos)."""
        assert self.score is not None
        indices = np.indices(self.score.shape)
        place: npt.NDArray[np.int64] = indices[0]
        tempo: npt.NDArray[np.int64] = indices[1]
        for back in range(1, chords_ago + 1):
            step = self.steps[-back]
            source = step.from_place[place, tempo].astype(np.int64)
            stayed = step.whole[place, tempo] < 0
            tempo = np.where(stayed, tempo, tempo + step.from_tempo[source, tempo])
            place = source
        return place

    def trace(self, state: tuple[int, int], chords: int) -> tuple[list[int], list[int], list[float], int]:
        """Back from a state over so many chords: positions, ticks between, seconds of a tick, each in order of time."""
        place, tempo = state
        places, ticks, tick_s = [place], [], [float(self.search.tick_s[tempo])]
        for back in range(1, min(chords, len(self.steps)) + 1):
            step = self.steps[-back]
            kind, source = int(step.whole[place, tempo]), int(step.from_place[place, tempo])
            ticks.append(int(self.search.distance[source, place]) + kind * self.measure_ticks if kind >= 0 else 0)
            if kind >= 0:
                tempo += int(step.from_tempo[source, tempo])
            place = source
            places.append(place)
            tick_s.append(float(self.search.tick_s[tempo]))
        return places[::-1], ticks[::-1], tick_s[::-1], int(self.search.meter.positions[place])


class TrackedBars:
    """Barlines out of chords that are heard one after the other. Holds a bounded number of them.

    Args:
        from_s: No bar begins before this.
    """

    def __init__(self, from_s: float = -np.inf) -> None:
        self._hypotheses = [_Hypothesis(MeterSearch(meter)) for meter in meter_priors()]
        self._chosen = 0
        self._times_s: deque[float] = deque(maxlen=LOOK_BACK + 1)
        self._heard = 0  # chords since the start
        self._frontier_s: float | None = None
        self._end_s = from_s  # of the last bar that was given out
        self._held: tuple[int, int, int] | None = None  # hypothesis, chord, position that the given bars rest on
        self._bar_s = 0.0

    @property
    def bar_s(self) -> float:
        """Length of the last bar that was given out; 0 before any."""
        return self._bar_s

    def begins_anew(self, time_s: float) -> bool:
        """Whether a chord at this time is so far from the last one that the beat cannot have been kept."""
        if not self._times_s:
            return False
        return time_s - self._times_s[-1] > max(PAUSE_BARS * self._bar_s, SHORTEST_PAUSE_S)

    def hear(self, time_s: float, accents: npt.NDArray[np.int64]) -> None:
        """The next chord: mean onset, and accent classes of shape (4,)."""
        anew = self.begins_anew(time_s)
        elapsed_s = time_s - self._times_s[-1] if self._times_s else 0.0
        if anew:
            self._times_s.clear()
            self._frontier_s = self._held = None
        for hypothesis in self._hypotheses:
            if anew:
                hypothesis.begin_anew(accents)
            else:
                hypothesis.hear(elapsed_s, accents)
        self._times_s.append(time_s)
        self._heard += 1

    def next_bar(self, now_s: float, sounds_until_s: float) -> BarTimes | None:
        """The next bar, once it holds; it begins where the one before ended, or later after a pause.

        Args:
            now_s: What was played up to here has been heard.
            sounds_until_s: End of the last note: bars of silence after it wait until it goes on.
        """
        if not self._times_s:
            return None
        path = self._follow()
        bar, end_tick = self._bar_after(path)
        if bar.start_s >= sounds_until_s:
            return None
        measure = self._meter.measure_ticks
        settled = path.ticks[-1] >= end_tick + SETTLED_BARS * measure
        if not settled and now_s + NEXT_LOOK_S < self._times(path, end_tick, end_tick + measure, bar.end_s).end_s:
            return None
        self._frontier_s = self._end_s = bar.end_s
        self._bar_s = bar.end_s - bar.start_s
        self._hold(path, end_tick)
        return bar

    def ahead(self, until_s: float) -> list[BarTimes]:
        """What the bars to come will probably be, at least one, up to the one that holds a time."""
        bars: list[BarTimes] = []
        if not self._times_s:
            return bars
        path = self._follow()
        bar, end_tick = self._bar_after(path)
        bars.append(bar)
        while bars[-1].end_s < until_s and len(bars) < 16:
            start, start_s = end_tick, bars[-1].end_s
            end_tick = start + self._meter.measure_ticks
            bars.append(self._times(path, start, end_tick, start_s))
        return bars

    @property
    def _meter(self) -> _Hypothesis:
        return self._hypotheses[self._chosen]

    def _follow(self) -> _Path:
        """The best explanation of the chords from a little before the frontier on, under the best metre."""
        costs = [hypothesis.cost for hypothesis in self._hypotheses]
        best = int(np.argmin(costs))
        if self._held is None or costs[best] + SWITCH_GAIN < costs[self._chosen]:
            self._chosen = best
        held = None
        if self._held is not None and self._held[0] == self._chosen:
            held = (self._heard - 1 - self._held[1], self._held[2])
        state = self._meter.best(held)
        first_s = -np.inf if self._frontier_s is None else self._frontier_s
        after = sum(time >= first_s for time in self._times_s)
        _, steps, tick_s, first = self._meter.trace(state, after + 2)
        ticks = np.cumsum([first, *steps]).astype(np.float64)
        times = np.array(list(self._times_s)[-len(ticks) :])
        ticks, firsts = np.unique(ticks, return_index=True)
        times = _increasing(times[firsts])
        return _Path(times, ticks, tick_s[0], tick_s[-1])

    def _bar_after(self, path: _Path) -> tuple[BarTimes, float]:
        """The bar that begins at the frontier, and the tick of its end."""
        measure, beat = self._meter.measure_ticks, self._meter.beat_ticks
        start_s = self._frontier_s
        if start_s is None:
            start_s = path.time_at(np.floor(path.ticks[0] / measure) * measure)
            start_s = max(start_s, self._end_s)
        at = path.tick_at(start_s)
        barline = round(at / measure) * measure
        if abs(at - barline) <= NEAR_BEAT * beat:
            return self._times(path, barline, barline + measure, start_s), barline + measure
        unit = min(beat, TICKS) / 2
        start = round(at / unit) * unit
        end = np.ceil(start / measure) * measure
        if end - start < beat:
            end += measure
        return self._times(path, start, end, start_s), float(end)

    def _times(self, path: _Path, start: float, end: float, start_s: float) -> BarTimes:
        prior = self._meter.search.meter
        numerator, denominator = prior.numerator, prior.denominator
        if end - start != prior.measure_ticks:
            eighths = round((end - start) * 2 / TICKS)
            halved = eighths % 2 == 0 and denominator == 4
            numerator, denominator = (eighths // 2, 4) if halved else (eighths, 8)
        beat = float(beat_of(numerator, denominator)[0]) * TICKS
        beats = np.arange(start, end - beat / 4, beat)
        times = [start_s, *(path.time_at(tick) for tick in beats[1:]), path.time_at(end)]
        times = _increasing(np.array(times)).tolist()
        return BarTimes(tuple(times[:-1]), times[-1], numerator, denominator)

    def _hold(self, path: _Path, barline: float) -> None:
        """Remember the first chord at or after a barline as the one that later explanations should agree on."""
        count = len(path.ticks)
        index = int(np.searchsorted(path.ticks, barline - 1e-6))
        if index >= count:
            self._held = None
            return
        place = int(path.ticks[index] % self._meter.measure_ticks)
        found = int(np.searchsorted(self._meter.search.meter.positions, place))
        times = list(self._times_s)
        chord = self._heard - len(times) + int(np.argmin(np.abs(np.array(times) - path.times_s[index])))
        self._held = (self._chosen, chord, found)


_STEP_S = 0.03  # beats are never closer than this, whatever was heard


def _increasing(times_s: npt.NDArray[np.float64] | Sequence[float]) -> npt.NDArray[np.float64]:
    """Times moved so that each is later than the one before."""
    moved = np.array(times_s, np.float64)
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + _STEP_S)
    return moved
