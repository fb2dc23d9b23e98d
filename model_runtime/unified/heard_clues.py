"""What is said of a note that may have been heard, besides the note itself: numbers that the trunk sees as tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FRAME_LEVELS = (0.15, 0.3, 0.7, 0.85)  # of the frame head, besides the usual one: where else the note might end
RATIOS = 32  # values of a length against the length that was given: a sixth of an octave each
SHARES = 8  # values of a probability
_CLOSE_BY = 4  # semitones
_CHORD_S = 0.04
_LATER_S = 0.05
Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Clue:
    """Something said of a candidate, as a number of `count` values.

    Attributes:
        name: What it is.
        block: Of the vocabulary, whose symbols stand for it; they mean this only where the source is audio.
        first: Its value 0 is that block's value `first`.
        count: How many values it has.
    """

    name: str
    block: str
    first: int
    count: int


NEIGHBOURS = (
    Clue("next onset", "x_fine", 0, RATIOS),
    Clue("onset near the end", "reserved", 0, RATIOS),
    Clue("onset near the end, close by", "reserved", 32, RATIOS),
    Clue("next onset, close by", "position", 32, RATIOS),
    Clue("end near the end", "position", 64, 25),
    Clue("length of the chord", "tip", 64, 25),
)
"""Lengths that the note would have if it ended where another note, one that is likely enough, begins or ends."""

CLUES = (
    Clue("onset", "number", 0, 33),
    Clue("early onset", "denominator", 0, 33),
    *(Clue(f"frame below {level}", "x_coarse", 32 * i, RATIOS) for i, level in enumerate(FRAME_LEVELS[:2])),
    *(Clue(f"frame below {level}", "onset_coarse", 32 * i, RATIOS) for i, level in enumerate(FRAME_LEVELS[2:])),
    Clue("strongest offset", "onset_fine", 0, RATIOS),
    Clue("its strength", "onset_fine", 32, SHARES),
    Clue("frame after", "onset_fine", 40, SHARES),
    Clue("frame before", "onset_fine", 48, SHARES),
    Clue("frame within", "onset_fine", 56, SHARES),
    Clue("struck again", "tip", 0, RATIOS),
    Clue("how surely again", "tip", 32, SHARES),
    Clue("struck before", "tip", 40, 16),
    Clue("how surely before", "tip", 56, SHARES),
    Clue("octave below", "position", 0, SHARES),
    Clue("octave above", "position", 8, SHARES),
    Clue("pedal", "position", 16, SHARES),
    Clue("pedal at the end", "position", 24, SHARES),
    *NEIGHBOURS,
)


def neighbours(onset_s: Reals, offset_s: Reals, pitch: Ints, likely: npt.NDArray[np.bool_]) -> Ints:
    """Values of the clues `NEIGHBOURS`, shape (n, 6).

    Args:
        onset_s, offset_s: Of n candidates in order of time.
        pitch: Their MIDI numbers.
        likely: Which of them are likely to be notes.
    """
    given, later = np.maximum(offset_s - onset_s, 1e-3), onset_s + _LATER_S
    onsets = onset_s[likely]
    found = np.full((len(NEIGHBOURS), len(pitch)), np.nan)
    found[0], found[1] = _next(onsets, later), _nearest(onsets, offset_s, later)
    for each in np.unique(pitch).tolist():
        own = pitch == each
        close = np.sort(onset_s[likely & (np.abs(pitch - each) <= _CLOSE_BY) & ~own])
        found[2, own], found[3, own] = _nearest(close, offset_s[own], later[own]), _next(close, later[own])
    found[4] = _nearest_other_end(offset_s, likely, later)
    found[5] = onset_s + _length_of_the_chord(onset_s, given, likely)
    octaves = np.log2(np.maximum(found - onset_s, 1e-3) / given)
    values = np.empty(found.shape, np.int64)
    for clue, row, shown in zip(NEIGHBOURS, octaves, values, strict=True):
        lowest = 2.5 if clue.count == RATIOS else 2.0
        shown[:] = np.nan_to_num(np.rint((row + lowest) * 6), nan=clue.count - 1).clip(0, clue.count - 1)
    return values.T


def _next(moments: Reals, later: Reals) -> Reals:
    """The first of the moments, which are in order, after each time; not a number where there is none."""
    return np.append(moments, np.nan)[np.searchsorted(moments, later, side="right")]


def _nearest(moments: Reals, wanted: Reals, later: Reals) -> Reals:
    """The moment nearest to each wanted one among those after `later`; not a number where there is none."""
    padded = np.concatenate([[-np.inf], moments, [np.inf]])
    at = np.searchsorted(moments, wanted)
    before, after = padded[at], padded[at + 1]
    before = np.where(before > later, before, -np.inf)
    after = np.maximum(after, np.append(moments, np.inf)[np.searchsorted(moments, later, side="right")])
    nearest = np.where(wanted - before <= after - wanted, before, after)
    return np.where(np.isfinite(nearest), nearest, np.nan)


def _nearest_other_end(offset_s: Reals, likely: npt.NDArray[np.bool_], later: Reals) -> Reals:
    """Of each candidate, the end of another that is likely which lies nearest to its own."""
    order = np.argsort(offset_s, kind="stable")
    ends = offset_s[order]
    rows = np.arange(len(ends))
    before = np.maximum.accumulate(np.where(likely[order], rows, -1)) if len(ends) else rows
    after = np.minimum.accumulate(np.where(likely[order], rows, len(ends))[::-1])[::-1] if len(ends) else rows
    padded = np.concatenate([ends, [np.inf, -np.inf]])  # the last one stands at -1
    earlier = padded[np.append(-1, before[:-1])] if len(ends) else ends
    latter = padded[np.append(after[1:], len(ends))] if len(ends) else ends
    earlier = np.where(earlier > later[order], earlier, -np.inf)
    nearest = np.where(ends - earlier <= latter - ends, earlier, latter)
    result = np.empty(len(ends))
    result[order] = np.where(np.isfinite(nearest), nearest, np.nan)
    return result


def _length_of_the_chord(onset_s: Reals, given: Reals, likely: npt.NDArray[np.bool_]) -> Reals:
    """The middle length of what else that is likely is struck at the same time; not a number where there is nothing."""
    first = np.searchsorted(onset_s, onset_s - _CHORD_S)
    last = np.searchsorted(onset_s, onset_s + _CHORD_S, side="right")
    result = np.full(len(onset_s), np.nan)
    for i, (start, stop) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        others = [given[j] for j in range(start, stop) if j != i and likely[j]]
        if others:
            result[i] = np.median(others)
    return result
