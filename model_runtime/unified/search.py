"""Which symbols a window goes on with: the best sequences so far, and at the end the one that fits what was seen.

Several sequences of each window are followed (beam search), every step constrained by LMX's grammar (`grammar.py`).
Of those that came to an end the one is taken that is likely and agrees with the glyphs (`agreement.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.glyphs import from_compound
from model_runtime.tokens.vocabulary import BLOCKS, END_ID, MORE_ID, NOTATION_IDS, SYMBOLS
from model_runtime.unified.agreement import disagreement, seen_in
from model_runtime.unified.grammar import Row, Table

WRITABLE = tuple(i for i in NOTATION_IDS if i in (END_ID, MORE_ID) or i >= BLOCKS["lmx"].start)
LONGEST_TARGET = 320
_NEVER = np.float32(-1e30)
_MARGIN = 4.0  # nats: sequences that much less likely than one that has ended are not followed to their end
_LEAST_LONG, _LONG_PER_TOKEN = 24, 6  # symbols: what goes on for longer than a source can say repeats itself
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """What the trunk reads at once.

    Attributes:
        source: "image" or "performance".
        ids: Compound tokens, shape (s, fields).
        places: x in staff spaces, or onsets in units of 0.1 s, shape (s,).
        measure_quarters: Length of a measure in quarter notes where it is known.
        measures: How many measures it holds, where that is known.
        whole: Nothing of it is cut off, so it cannot end in the middle of a measure.
        opening: Symbols that it begins with, where that is known: its key, metre and clefs.
    """

    source: str
    ids: npt.NDArray[np.int64]
    places: Floats
    measure_quarters: float | None = None
    measures: int | None = None
    whole: bool = True
    opening: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """What the trunk wrote.

    Attributes:
        symbols: Shorthand, without the closing symbol.
        probabilities: Of each symbol, shape (t,).
        pointers: Which source token each symbol describes most likely, shape (t,).
        more: It ended before the source did, in the middle of a measure.
    """

    symbols: tuple[str, ...]
    probabilities: Floats
    pointers: npt.NDArray[np.int64]
    more: bool


_INDEX_OF = {SYMBOLS[i]: n for n, i in enumerate(WRITABLE)}
_END, _MORE = WRITABLE.index(END_ID), WRITABLE.index(MORE_ID)


class _Row:
    """One sequence that is being written."""

    def __init__(self, window: Window, grammar: Row) -> None:
        self._window, self._grammar = window, grammar
        self.symbols: list[str] = []
        self._probabilities: list[float] = []
        self._pointers: list[int] = []
        self._more = True
        self.last = -1
        self.score = 0.0

    def copy(self) -> _Row:
        """One that goes on by itself."""
        row = _Row(self._window, self._grammar.copy())
        row.symbols, row._probabilities, row._pointers = [*self.symbols], [*self._probabilities], [*self._pointers]
        row.score = self.score
        return row

    def weighed(self, scores: Floats, constrained: bool) -> Floats:
        """Logarithm of the probability of each symbol among those that may come next."""
        if len(self.symbols) < len(self._window.opening):
            known = np.full(len(scores), _NEVER, np.float32)
            known[_INDEX_OF[self._window.opening[len(self.symbols)]]] = 0.0
            return known
        if constrained:
            allowed = self._grammar.allowed().copy()
            allowed[_MORE] &= not self._window.whole
            scores = np.where(allowed, scores, _NEVER) if allowed.any() else scores
        scores = scores - scores.max()
        return np.asarray(scores - np.log(np.exp(scores).sum()), np.float32)

    def take(self, chosen: int, gain: float, pointer: int) -> bool:
        """Whether it goes on."""
        self.last = chosen
        self.score += gain
        if chosen in (_END, _MORE):
            self._more = chosen == _MORE
            return False
        self.symbols.append(SYMBOLS[WRITABLE[chosen]])
        self._probabilities.append(float(np.exp(gain)))
        self._pointers.append(pointer)
        if self._grammar.table.next[self._grammar.state, chosen] >= 0:
            self._grammar.take(chosen)
        return True

    def written(self) -> Written:
        """What it says so far."""
        probabilities, pointers = np.array(self._probabilities, np.float32), np.array(self._pointers, np.int64)
        return Written(tuple(self.symbols), probabilities, pointers, self._more)


class Search:
    """The best sequences of one window.

    Args:
        window: To write.
        rules: The grammar.
        width: How many sequences are followed.
        constrained: Keep to the grammar.
    """

    def __init__(self, window: Window, rules: Table, width: int, constrained: bool) -> None:
        self._window, self._width, self._constrained = window, width, constrained
        self.rows = [_Row(window, Row(rules, _length(window), window.measures))]
        self._ended: list[_Row] = []
        self._longest = LONGEST_TARGET
        if constrained and window.source == "image":
            self._longest = _LEAST_LONG + _LONG_PER_TOKEN * len(window.ids)

    def step(self, scores: Floats, pointing: Floats) -> list[int]:
        """Go on by a symbol.

        Args:
            scores: Of each symbol behind each of `rows`, shape (rows, symbols).
            pointing: How much each of the source's tokens is looked at, shape (rows, source).

        Returns:
            For each of the new `rows` the number of the one that it continues; none when the search is over.
        """
        if not self.rows:
            return []
        weighed = np.stack([row.weighed(s, self._constrained) for row, s in zip(self.rows, scores, strict=True)])
        totals = weighed + np.array([[row.score] for row in self.rows])
        ranked = np.argsort(totals, axis=None)[: -self._width - 1 : -1] if self._width > 1 else [totals.argmax()]
        rows: list[_Row] = []
        parents: list[int] = []
        for flat in ranked:
            parent, chosen = divmod(int(flat), totals.shape[1])
            if totals[parent, chosen] < _NEVER / 2:
                continue
            row = self.rows[parent].copy() if self._width > 1 else self.rows[parent]
            going = row.take(chosen, float(weighed[parent, chosen]), int(pointing[parent].argmax()))
            if going and len(row.symbols) < self._longest:
                rows.append(row)
                parents.append(parent)
            else:
                self._ended.append(row)
        self.rows = [] if self._is_over(rows) else rows
        return parents if self.rows else []

    def _is_over(self, rows: Sequence[_Row]) -> bool:
        if not rows or len(self._ended) >= 2 * self._width:
            return True
        best = max((row.score for row in self._ended), default=-np.inf)
        return bool(best >= max(row.score for row in rows) + (_MARGIN if self._width > 1 else 0.0))

    def best(self) -> Written:
        """The likeliest sequence that fits what was seen."""
        rows = self._ended or self.rows
        if self._window.source != "image" or len(rows) == 1:
            return max(rows, key=lambda row: row.score).written()
        glyphs = [from_compound(ids, x) for ids, x in zip(self._window.ids, self._window.places, strict=True)]
        seen = seen_in(glyphs)
        quarters = self._window.measure_quarters
        return max(rows, key=lambda row: row.score - disagreement(seen, row.symbols, quarters)).written()


def _length(window: Window) -> float | None:
    """The length of a measure that decoding keeps to. Not from images: there a value that was read wrong would make all
    that follows wrong, and 27 % of symbols are wrong without, 29 % with it."""
    return None if window.source == "image" else window.measure_quarters
