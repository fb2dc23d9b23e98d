"""The key of what was played lately: it changes only when another one has been heard for some bars."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.notation.keys import find_key
from model_runtime.notation.live_bars import Bar
from model_runtime.notation.quantised import ScoreKey
from model_runtime.notation.stems import PlacedNote

BARS = 24
"""The key is that of so many bars."""

FIRST_BARS = 6
"""Within these the key follows at once."""

LASTING_BARS = 4
"""Later a new key must have been found so many times on end."""


class RunningKey:
    """Hears bar after bar; at a constant cost."""

    def __init__(self) -> None:
        self._bars: deque[list[PlacedNote]] = deque(maxlen=BARS)
        self._heard = 0
        self._key = (0, "")
        self._other = (0, "")
        self._times = 0

    def hear(self, bar: Bar) -> None:
        """The next bar."""
        self._bars.append(
            [
                PlacedNote(
                    self._heard * TICKS_PER_QUARTER * 8 + round(note.onset * TICKS_PER_QUARTER),
                    self._heard * TICKS_PER_QUARTER * 8 + round((note.onset + note.duration) * TICKS_PER_QUARTER),
                    note.pitch,
                    note.velocity,
                    0,
                )
                for note in bar.notes
            ]
        )
        self._heard += 1
        found = find_key([note for notes in self._bars for note in notes], ended=False)
        self._times = self._times + 1 if found == self._other else 1
        self._other = found
        if self._heard <= FIRST_BARS or self._times >= LASTING_BARS:
            self._key = found

    def key(self) -> ScoreKey:
        """What stands at the beginning of a line now."""
        return ScoreKey(Fraction(0), *self._key)
