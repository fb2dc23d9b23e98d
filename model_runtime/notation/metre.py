"""Barlines and the beats between them: the frame that onsets are placed in.

A frame knows where every beat lies in exact quarter notes and in seconds, whether it comes from a tempo map that
somebody gave or from beats that were tracked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from model_runtime.notation.quantised import ScoreMeter
from model_runtime.tempo import Meter, TempoMap

SLOW_BEAT_S = 1.3
"""A beat longer than this is divided before onsets are placed in it, as a player would count it."""

_LIMIT_DENOMINATOR = 48
"""Barlines of a given map are taken to lie on this fraction of a quarter note."""


@dataclass(frozen=True)
class BeatFrame:
    """Beats one after the other, covering all notes.

    Attributes:
        quarters: Exact position of each beat, and of the end of the last, length n + 1.
        times_s: The same in seconds, shape (n + 1,).
        compound: For each beat whether it is dotted (falls into three by nature), shape (n,).
    """

    quarters: tuple[Fraction, ...]
    times_s: npt.NDArray[np.float64]
    compound: npt.NDArray[np.bool_]


def exact_meters(meters: Sequence[Meter]) -> list[ScoreMeter]:
    """Meters of a tempo map with exact barlines, none empty: the first at its own barline, later ones on barlines.

    A change that lies between barlines is moved to the nearest one. Without any meter the music is in 4/4 from 0.
    """
    exact: list[ScoreMeter] = []
    for meter in meters or (Meter(0.0, 4, 4),):
        onset = Fraction(meter.quarter).limit_denominator(_LIMIT_DENOMINATOR)
        if exact:
            length = exact[-1].measure_quarters
            onset = exact[-1].onset + max(0, round((onset - exact[-1].onset) / length)) * length
            if onset == exact[-1].onset:
                exact.pop()
            elif (exact[-1].numerator, exact[-1].denominator) == (meter.numerator, meter.denominator):
                continue
        exact.append(ScoreMeter(onset, meter.numerator, meter.denominator))
    return exact


def beat_of(numerator: int, denominator: int) -> tuple[Fraction, bool]:
    """Length of a metre's beat in quarter notes, and whether it is dotted."""
    if denominator >= 8 and numerator % 3 == 0:
        return Fraction(12, denominator), True
    if denominator >= 8 and numerator % 2:
        return Fraction(4, denominator), False
    return Fraction(1), False


def beat_frame(tempo_map: TempoMap, meters: Sequence[ScoreMeter], first_s: float, last_s: float) -> BeatFrame:
    """All beats from before `first_s` to after `last_s`."""
    first_quarter, last_quarter = tempo_map.quarter_at(first_s), tempo_map.quarter_at(last_s)
    quarters: list[Fraction] = []
    compound: list[bool] = []
    for index, meter in enumerate(meters):
        beat, dotted = beat_of(meter.numerator, meter.denominator)
        seconds = _seconds_of_beat(tempo_map, meter, beat, meters[index + 1 : index + 2], first_quarter, last_quarter)
        if seconds > SLOW_BEAT_S:
            beat, dotted = (beat / 3, False) if dotted else (beat / 2, False)
        start = meter.onset
        if index == 0 and first_quarter < start + 1:
            start -= beat * (int((float(start) - first_quarter) / float(beat)) + 3)
        end = meters[index + 1].onset if index + 1 < len(meters) else Fraction(int(last_quarter) + 4)
        while start < end:
            quarters.append(start)
            compound.append(dotted)
            start += beat
    quarters.append(max(start, quarters[-1] + beat) if len(meters) == 1 else start)
    times = tempo_map.times_at([float(q) for q in quarters])
    return BeatFrame(tuple(quarters), times, np.array(compound))


def _seconds_of_beat(
    tempo_map: TempoMap,
    meter: ScoreMeter,
    beat: Fraction,
    following: Sequence[ScoreMeter],
    first_quarter: float,
    last_quarter: float,
) -> float:
    """Mean length of a beat while a metre holds, in seconds."""
    start = max(float(meter.onset), first_quarter)
    end = min(float(following[0].onset), last_quarter) if following else last_quarter
    end = max(end, start + float(beat))
    return (tempo_map.time_at(end) - tempo_map.time_at(start)) / (end - start) * float(beat)
