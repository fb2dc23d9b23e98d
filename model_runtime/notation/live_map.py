"""Barlines that a host's tempo map says, for live notation: nothing has to be found."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from model_runtime.notation.live_beats import BarTimes
from model_runtime.notation.metre import beat_of, exact_meters
from model_runtime.tempo import TempoMap

SETTLED_S = 0.5
"""A bar is given out so long after its end: by then its last notes are known."""

MOST_AHEAD = 16


class MappedBars:
    """Bars of a tempo map, from the one that holds the first note on.

    Args:
        tempo_map: On the clock of the notes.
        from_s: No bar ends before this.
    """

    def __init__(self, tempo_map: TempoMap, from_s: float) -> None:
        self._map = tempo_map
        self._meters = exact_meters(tempo_map.meters)
        at = Fraction(tempo_map.quarter_at(from_s)).limit_denominator(960)
        first = self._meters[0]
        bars = max(0, int((at - first.onset) // first.measure_quarters)) if len(self._meters) == 1 else 0
        before = max(Fraction(0), first.onset - at)
        self._start = first.onset + (bars - -(-before // first.measure_quarters)) * first.measure_quarters
        self.passed = bars
        """Bars of the map before the next one that is given out."""
        while self._bar_at(self._start)[0].end_s <= from_s:
            self._start = self._bar_at(self._start)[1]
            self.passed += 1

    def next_bar(self, now_s: float, sounds_until_s: float) -> BarTimes | None:
        """The next bar, once it is over; silence waits until it goes on."""
        bar, end = self._bar_at(self._start)
        if bar.start_s >= sounds_until_s or now_s < bar.end_s + SETTLED_S:
            return None
        self._start = end
        self.passed += 1
        return bar

    def ahead(self, until_s: float) -> list[BarTimes]:
        """The bars after the last one given out, at least one, up to the one that holds a time."""
        bar, end = self._bar_at(self._start)
        bars = [bar]
        while bars[-1].end_s < until_s and len(bars) < MOST_AHEAD:
            bar, end = self._bar_at(end)
            bars.append(bar)
        return bars

    def _bar_at(self, start: Fraction) -> tuple[BarTimes, Fraction]:
        meter = self._meters[max((i for i, m in enumerate(self._meters) if m.onset <= start), default=0)]
        end = start + meter.measure_quarters
        beat, _ = beat_of(meter.numerator, meter.denominator)
        beats = np.arange(float(start), float(end) - float(beat) / 4, float(beat))
        times = self._map.times_at([*beats, float(end)]).tolist()
        return BarTimes(tuple(times[:-1]), times[-1], meter.numerator, meter.denominator), end
