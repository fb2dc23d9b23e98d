"""Which symbol may follow which: LMX's grammar, and the length of the measure.

LMX writes a note as prefixes (grace, chord, what it is, voice), its value, and suffixes in a fixed order (Mayer et al.,
ICDAR 2024, appendix). The order below was read off the training corpus: of its 4.4 million pairs of neighbouring
tokens it admits all but one in ten thousand (`python -m model_runtime.training.grammar_check --data CORPUS`). Symbols
of the shorthand are walked through token by token, once, when the table is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache

import numpy as np
import numpy.typing as npt

from model_runtime.tokens import vocabulary as v
from model_runtime.tokens.written import TYPE_QUARTERS

Bools = npt.NDArray[np.bool_]
_SUFFIXES: tuple[tuple[str, ...], ...] = (
    v.TIME_MODIFICATIONS,
    ("dot",),
    v.ACCIDENTALS,
    v.STEMS,
    v.STAVES,
    ("beam:begin", "beam:end"),
    ("beam:forward-hook", "beam:backward-hook"),
    ("tied:stop",),
    ("tied:start",),
    ("tuplet:start",),
    ("tuplet:stop",),
    ("slur:stop",),
    ("slur:start",),
    ("fermata",),
    ("arpeggiate",),
    v.ARTICULATIONS,
    ("trill-mark",),
    v.TREMOLO_TYPES,
    v.TREMOLO_MARKS,
)
_RANK = {token: rank for rank, tokens in enumerate(_SUFFIXES) for token in tokens}
_REPEATED = frozenset(
    (
        "dot",
        "beam:begin",
        "beam:end",
        "beam:forward-hook",
        "beam:backward-hook",
        "slur:start",
        "slur:stop",
        *v.ARTICULATIONS,
    )
)
_SOUNDING_ONLY = frozenset((*v.ACCIDENTALS, *v.STEMS, "tied:stop", "tied:start", "slur:stop", "slur:start"))
_PITCHES, _TYPES, _VOICES, _STAVES = map(frozenset, (v.PITCHES, v.NOTE_TYPES, v.VOICES, v.STAVES))
_KEYS, _BEATS, _BEAT_TYPES, _CLEFS = map(frozenset, (v.KEYS, v.BEATS, v.BEAT_TYPES, v.CLEFS))
_RATIOS = {t: Fraction(int(t.split("in")[1]), int(t.split("in")[0])) for t in v.TIME_MODIFICATIONS}
_SMALLEST_RATIO = float(min(_RATIOS.values()))
_SHORTEST = 1 / 256  # quarter notes
_TREMOLO = len(_SUFFIXES) - 2

START, MEASURE, KEY, TIME, BEATS, METER, CLEF, HEAD = range(8)
BETWEEN, GRACE, CHORD, KIND, CHORD_KIND, REST, FORWARD, BACKUP, VOICE, REST_VOICE = range(8, 18)
NOTE = 18  # NOTE + rank: behind the value or a suffix of a note
RESTING = NOTE + len(_SUFFIXES) + 1  # the same of a rest
CLEF_BETWEEN = RESTING + len(_SUFFIXES) + 1
STATES = CLEF_BETWEEN + 1
# Behind a jump back without a value, which leads to the measure's start, the next voice begins.
_NOTE_ENDS = frozenset((MEASURE, KEY, METER, HEAD, BETWEEN, BACKUP, CHORD_KIND, *range(NOTE, CLEF_BETWEEN)))


def follow(state: int, token: str) -> int | None:
    """The state behind `token` in `state`, or None where it may not stand there."""
    if state == START:
        return MEASURE if token == "measure" else None
    if state in (CLEF, CLEF_BETWEEN):
        return (HEAD if state == CLEF else BETWEEN) if token in _STAVES else _begin(BETWEEN, token)
    if state == TIME:
        return BEATS if token in _BEATS else None
    if state == BEATS:
        return METER if token in _BEAT_TYPES else None
    inside = _inside(state, token)
    if inside is not None or state not in _NOTE_ENDS:
        return inside
    return _begin(state, token)


def _inside(state: int, token: str) -> int | None:
    """What goes on with the note that is being written."""
    if state == GRACE:
        if token == "grace:slash":
            return GRACE
        return CHORD if token == "chord" else KIND if token in _PITCHES else None
    if state == CHORD:
        return CHORD_KIND if token in _PITCHES else None
    if state in (KIND, CHORD_KIND, VOICE):
        if token in _TYPES:
            return NOTE
        if token in _VOICES and state != VOICE:
            return VOICE
        return _suffix(0, token, sounding=True) if state == CHORD_KIND else None
    if state in (REST, REST_VOICE):
        if token in _TYPES or token == v.REST_MEASURE:
            return RESTING
        return REST_VOICE if token in _VOICES and state == REST else None
    if state in (FORWARD, BACKUP):
        return BETWEEN if token in _TYPES else None
    if NOTE <= state < CLEF_BETWEEN:
        resting = state >= RESTING
        return _suffix(state - (RESTING if resting else NOTE), token, sounding=not resting)
    return None


def _suffix(rank: int, token: str, *, sounding: bool) -> int | None:
    """State NOTE + r + 1 stands behind a suffix of rank r, NOTE itself behind the value."""
    own = _RANK.get(token)
    if own is None or own + 1 < rank or (own + 1 == rank and token not in _REPEATED):
        return None
    if not sounding and token in _SOUNDING_ONLY:
        return None
    if token in v.TREMOLO_MARKS and rank != _TREMOLO + 1:
        return None
    return (NOTE if sounding else RESTING) + own + 1


def _begin(state: int, token: str) -> int | None:
    """What may stand where a note has ended."""
    if token == "measure":
        return MEASURE
    if state in (MEASURE, KEY, METER, HEAD):
        if token in _KEYS and state == MEASURE:
            return KEY
        if token == "time" and state in (MEASURE, KEY):
            return TIME
        if token in _CLEFS:
            return CLEF
    if token in _CLEFS:
        return CLEF_BETWEEN
    if token in ("grace", "grace:slash"):
        return GRACE
    if token == "chord" and (state == CHORD_KIND or NOTE <= state < RESTING):
        return CHORD
    if token == "rest":
        return REST
    if token == "forward":
        return FORWARD
    if token == "backup" and state not in (MEASURE, KEY, METER, HEAD, BACKUP):
        return BACKUP
    return KIND if token in _PITCHES else None


@dataclass(frozen=True)
class Table:
    """The grammar over symbols of the shorthand, each one walked through token by token.

    Attributes:
        symbols: The symbols that may be written, n of them; `<end>` and `<more>` among them.
        next: State behind each symbol in each state, -1 where it may not stand; shape (states, n).
        quarters: Least length in quarter notes of the value that a symbol brings, before any ratio that may follow
            it; 0 where it brings none; shape (n,).
        opens: It begins something new, so that the note before it is over; shape (n,).
        ratio: The ratio that it begins with, 0 for none; shape (n,).
        timed: It begins something that takes time; shape (n,).
        whole: It rests for the whole measure; shape (n,).
    """

    symbols: tuple[str, ...]
    next: npt.NDArray[np.int16]
    quarters: npt.NDArray[np.float64]
    opens: Bools
    ratio: npt.NDArray[np.float64]
    timed: Bools
    whole: Bools


@cache
def table(symbols: tuple[str, ...]) -> Table:
    """The table of some symbols (a second to build, then kept)."""
    count = len(symbols)
    following = np.full((STATES, count), -1, np.int16)
    quarters = np.zeros(count)
    opens = np.zeros(count, bool)
    ratio, timed, whole = np.zeros(count), np.zeros(count, bool), np.zeros(count, bool)
    for i, symbol in enumerate(symbols):
        tokens = [] if symbol in (v.END, v.MORE) else symbol.split("+")
        opens[i] = not tokens or _opens(tokens[0])
        ratio[i] = float(_RATIOS.get(tokens[0], 0)) if tokens else 0.0
        quarters[i] = _least_quarters(tokens)
        timed[i] = bool(tokens) and (tokens[0] in ("rest", "forward") or tokens[0] in _PITCHES)
        whole[i] = v.REST_MEASURE in tokens
        for state in range(STATES):
            following[state, i] = _walked(state, tokens) if tokens else (state if state in _NOTE_ENDS else -1)
    return Table(symbols, following, quarters, opens, ratio, timed, whole)


def _walked(state: int, tokens: Iterable[str]) -> int:
    here: int | None = state
    for token in tokens:
        here = follow(here, token) if here is not None else None
    return -1 if here is None else here


def _opens(token: str) -> bool:
    return (
        token in ("measure", "grace", "grace:slash", "rest", "forward", "backup", "time")
        or token in _PITCHES
        or token in _KEYS
        or token in _CLEFS
    )


def _least_quarters(tokens: list[str]) -> float:
    if "chord" in tokens or "grace" in tokens or "grace:slash" in tokens or "backup" in tokens:
        return 0.0
    length, dots, ratio = Fraction(0), 0, Fraction(1)
    for token in tokens:
        length = TYPE_QUARTERS.get(token, length)
        ratio = _RATIOS.get(token, ratio)
        dots += token == "dot"
    least = float(length * (2 - Fraction(1, 2**dots)) * ratio)
    may_follow = bool(tokens) and tokens[-1] in _TYPES and "forward" not in tokens
    return least * _SMALLEST_RATIO if may_follow else least


@dataclass
class Row:
    """Where one sequence that is being written stands.

    Args:
        table: The grammar.
        measure_quarters: Length of a measure, None where it is not known; a metre that is written sets it.
        measures: Most measures that may be written, None for any number.
    """

    table: Table
    measure_quarters: float | None = None
    measures: int | None = None
    state: int = START
    written_measures: int = 0
    _at: Fraction = Fraction(0)  # where the note that is being written begins
    _value: Fraction = Fraction(0)
    _dots: int = 0
    _ratio: Fraction = Fraction(1)
    _beats: int = 0
    _before: Fraction = Fraction(0)  # where a jump back begins
    _grace: bool = False  # the last note was one: another in its chord would say so
    _prefix: list[str] = field(default_factory=list)

    def copy(self) -> Row:
        """One that goes on by itself."""
        return replace(self, _prefix=[*self._prefix])

    def allowed(self) -> Bools:
        """Which symbols may come next, shape (n,)."""
        rules = self.table
        allowed = rules.next[self.state] >= 0
        if self.measures is not None and self.written_measures >= self.measures:
            allowed = allowed & ~_column(rules, "measure")
        if self.measures is not None and self.written_measures < self.measures:
            allowed = allowed & ~_column(rules, v.END)
        if self._grace and not self._prefix:
            allowed = allowed & ~_column(rules, "chord")
        if self.measure_quarters is None:
            return allowed
        limit = self.measure_quarters + 1e-6
        end = float(self._at + self._length())
        if self._value:  # a ratio must make it fit, where it does not yet
            squeezed = float(self._at) + float(self._length()) * rules.ratio <= limit
            fitting = allowed & (rules.ratio > 0) & squeezed
            if end > limit:
                return fitting if fitting.any() else allowed
            allowed = allowed & ((rules.ratio == 0) | squeezed)
        if self._prefix and self._prefix[-1] in ("chord", "grace", "grace:slash"):
            return allowed  # what kind of note comes is still open
        hidden = "forward" in self._prefix  # no ratio may follow its value
        quarters = rules.quarters / _SMALLEST_RATIO if hidden else rules.quarters
        fits = (end + quarters <= limit) & ~(rules.whole & (end > 0))
        if any(p in ("chord", "grace", "grace:slash", "backup") for p in self._prefix):
            fits |= ~rules.opens  # its own value takes no time
        if end > limit - _SHORTEST:
            fits &= ~rules.timed
        if (allowed & fits).any():
            allowed = allowed & fits
        if self._value and float(self._at + self._length(dots=1)) > limit:
            allowed = allowed & ~_column(rules, "dot")
        return allowed

    def take(self, index: int) -> None:
        """Go on behind the symbol number `index`."""
        self.state = int(self.table.next[self.state, index])
        for token in self.table.symbols[index].split("+"):
            self._take(token)

    def _take(self, token: str) -> None:
        if token == "measure":
            self.written_measures += 1
            self._restart()
        elif token in _BEATS:
            self._beats = int(token[6:])
        elif token in _BEAT_TYPES:
            self.measure_quarters = 4.0 * self._beats / int(token[10:])
        elif token in ("chord", "grace", "grace:slash", "rest", "forward", "backup") or token in _PITCHES:
            if token != "chord" or not self._prefix:
                self._open(token)
            self._prefix.append(token)
        elif token in _TYPES:
            self._root(TYPE_QUARTERS[token])
        elif token == v.REST_MEASURE:
            self._prefix = []
        elif token == "dot" and self._value:
            self._dots += 1
        elif token in _RATIOS and self._value:
            self._ratio = _RATIOS[token]

    def _restart(self) -> None:
        self._at, self._value, self._dots, self._ratio, self._prefix = Fraction(0), Fraction(0), 0, Fraction(1), []

    def _open(self, token: str) -> None:
        """The note before is over (a chord's stays, for nothing that follows takes time)."""
        if self._prefix and self._prefix[-1] in ("grace", "grace:slash", "chord"):
            return
        at = self._at + self._length()
        self._restart()
        self._at, self._before = (Fraction(0), at) if token == "backup" else (at, at)

    def _root(self, quarters: Fraction) -> None:
        prefix, self._prefix = self._prefix, []
        self._grace = "grace" in prefix or "grace:slash" in prefix
        if "backup" in prefix:  # by that much, and not to the start of the measure
            self._at = max(self._before - quarters, Fraction(0))
            return
        if any(p in ("chord", "grace", "grace:slash") for p in prefix):
            return
        self._value, self._dots, self._ratio = quarters, 0, Fraction(1)

    def _length(self, dots: int = 0) -> Fraction:
        return self._value * (2 - Fraction(1, 2 ** (self._dots + dots))) * self._ratio


@cache
def _columns(symbols: tuple[str, ...], token: str) -> Bools:
    return np.array([symbol.split("+")[0] == token for symbol in symbols])


def _column(rules: Table, token: str) -> Bools:
    return _columns(rules.symbols, token)
