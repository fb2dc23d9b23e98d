"""Where beats and barlines lie in time: the map between seconds and quarter notes.

One class serves a constant tempo, a host's tempo markers (a linear ramp becomes dense points), the tempo changes of
a MIDI file and a human annotator's beats.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from model_runtime.errors import InvalidValue


@dataclass(frozen=True, slots=True, order=True)
class Meter:
    """A time signature that holds from a barline onwards.

    Attributes:
        quarter: Position of that barline in quarter notes. The first meter's may be later than the first note:
            what lies before it is a pickup.
        numerator: Beats in a measure.
        denominator: Note value of a beat: 1, 2, 4, 8, 16, …
    """

    quarter: float
    numerator: int
    denominator: int

    @property
    def measure_quarters(self) -> float:
        """Length of a measure in quarter notes."""
        return 4.0 * self.numerator / self.denominator


@dataclass(frozen=True, slots=True, order=True)
class KeySignature:
    """A key signature that holds from `quarter` onwards: `fifths` from -7 (flats) to 7 (sharps)."""

    quarter: float
    fifths: int
    mode: str = ""  # "major", "minor" or unknown


@dataclass(frozen=True)
class TempoMap:
    """Piecewise linear map between seconds and quarter notes, extended by its first and last slope.

    Attributes:
        times_s: Strictly increasing, at least two.
        quarters: Strictly increasing, one for each time.
        meters: Sorted; empty where the metre is not known.
        keys: Sorted; empty where the key is not known.
    """

    times_s: tuple[float, ...]
    quarters: tuple[float, ...]
    meters: tuple[Meter, ...] = ()
    keys: tuple[KeySignature, ...] = ()
    _times: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)
    _quarters: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.quarters) or len(self.times_s) < 2:
            raise InvalidValue("A tempo map needs at least two points, each with a time and a quarter-note position.")
        if not (np.isfinite(self.times_s).all() and np.isfinite(self.quarters).all()):
            raise InvalidValue("The tempo map holds a position that is not a number.")
        for (t0, q0), (t1, q1) in pairwise(zip(self.times_s, self.quarters, strict=True)):
            if t1 <= t0 or q1 <= q0:
                raise InvalidValue("The tempo map does not move forwards all the time.")
        for meter in self.meters:
            if not (1 <= meter.numerator <= 64 and meter.denominator in (1, 2, 4, 8, 16, 32, 64)):
                raise InvalidValue(f"{meter.numerator}/{meter.denominator} is not a time signature.")
        for key in self.keys:
            if not -7 <= key.fifths <= 7:
                raise InvalidValue(f"A key signature has at most seven accidentals, not {abs(key.fifths)}.")
        object.__setattr__(self, "meters", tuple(sorted(self.meters)))
        object.__setattr__(self, "keys", tuple(sorted(self.keys, key=lambda k: k.quarter)))
        object.__setattr__(self, "_times", np.asarray(self.times_s, np.float64))
        object.__setattr__(self, "_quarters", np.asarray(self.quarters, np.float64))

    @classmethod
    def constant(cls, quarters_per_minute: float, meters: Sequence[Meter] = ()) -> TempoMap:
        """A constant tempo that starts at quarter 0 and second 0."""
        if not np.isfinite(quarters_per_minute) or not 1 <= quarters_per_minute <= 10000:
            raise InvalidValue(f"{quarters_per_minute} quarter notes a minute is not a tempo.")
        return cls((0.0, 60.0 / quarters_per_minute), (0.0, 1.0), tuple(meters))

    def quarter_at(self, time_s: float) -> float:
        """Position in quarter notes at a time in seconds."""
        return _interpolate(self.times_s, self.quarters, time_s)

    def time_at(self, quarter: float) -> float:
        """Time in seconds at a position in quarter notes."""
        return _interpolate(self.quarters, self.times_s, quarter)

    def quarters_at(self, times_s: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """`quarter_at` for an array of times, shape (n,)."""
        return _interpolate_array(self._times, self._quarters, np.asarray(times_s, np.float64))

    def times_at(self, quarters: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """`time_at` for an array of positions, shape (n,)."""
        return _interpolate_array(self._quarters, self._times, np.asarray(quarters, np.float64))

    def quarters_per_minute_at(self, time_s: float) -> float:
        """Tempo at a time, in quarter notes a minute."""
        i = min(max(bisect_right(self.times_s, time_s) - 1, 0), len(self.times_s) - 2)
        return 60.0 * (self.quarters[i + 1] - self.quarters[i]) / (self.times_s[i + 1] - self.times_s[i])


def _interpolate(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    i = min(max(bisect_right(xs, x) - 1, 0), len(xs) - 2)
    return ys[i] + (x - xs[i]) * (ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i])


def _interpolate_array(
    xs: npt.NDArray[np.float64], ys: npt.NDArray[np.float64], x: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    i = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(xs) - 2)
    result: npt.NDArray[np.float64] = ys[i] + (x - xs[i]) * (ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i])
    return result
