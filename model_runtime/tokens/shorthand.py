"""LMX in fewer symbols, as the decoder writes it: about 38 a measure of piano music instead of 61.

Three things are left out or joined, and put back by `expand`:

- a chord's later notes have the first one's value, ratio and dots, so they do not repeat them;
- `backup` alone goes back to the start of its measure, which is where voices start;
- symbols that often stand side by side within a note are one symbol (byte-pair merging, Sennrich et al. 2016, over
  notes as words; the merges are `merges.MERGES`).

What does not fit, a chord of unlike values or a jump to elsewhere, stays written out, so that
`expand(shorten(x)) == x` for whatever LMX writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from model_runtime.tokens import vocabulary
from model_runtime.tokens.merges import MERGES
from model_runtime.tokens.written import TYPE_QUARTERS

_RANKS = {tuple(_pair): rank for rank, _pair in enumerate(MERGES)}
_PITCHES = frozenset(vocabulary.PITCHES)
_RATIOS = {t: Fraction(int(t.split("in")[1]), int(t.split("in")[0])) for t in vocabulary.TIME_MODIFICATIONS}
_KINDS = frozenset(("rest", "forward", "backup")) | _PITCHES
_ATTRIBUTES = ("key:", "time", "clef:")
_PREFIXES = frozenset(
    ("print-object:no", "grace", "grace:slash", "chord", "rest", "forward", "backup", *_PITCHES, *vocabulary.VOICES)
)
_ROOTS = frozenset((*vocabulary.NOTE_TYPES, vocabulary.REST_MEASURE))
_DESCRIBES_VALUE = frozenset((*vocabulary.NOTE_TYPES, *vocabulary.TIME_MODIFICATIONS, "dot"))


def words(tokens: Sequence[str]) -> Iterator[list[str]]:
    """LMX cut into notes, jumps, attributes and `measure`."""
    word: list[str] = []
    in_prefix = has_kind = False
    for token in tokens:
        prefix = token in _PREFIXES
        opens = prefix and (not in_prefix or (has_kind and not token.startswith("voice:")))
        if token == "measure" or token.startswith(_ATTRIBUTES) or opens:
            if word:
                yield word
            word, has_kind = [], False
        word.append(token)
        in_prefix = prefix
        has_kind = has_kind or token in _KINDS
    if word:
        yield word


class _Clock:
    """Follows where in its measure the music stands and which value a chord repeats."""

    def __init__(self) -> None:
        self.at: Fraction | None = Fraction(0)  # None: behind a rest that fills the measure
        self.value: list[str] = []

    def pass_over(self, word: Sequence[str]) -> None:
        """Move on behind a word that is written out."""
        if word[0] == "measure":
            self.at, self.value = Fraction(0), []
        elif "backup" in word:
            self.at = None if self.at is None or len(word) < 2 else self.at - _quarters(word)
        elif "forward" in word:
            self.at = None if self.at is None else self.at + _quarters(word)
        elif vocabulary.REST_MEASURE in word:
            self.at = None
        elif any(token in _ROOTS for token in word) and "chord" not in word:
            self.value = [token for token in word if token in _DESCRIBES_VALUE]
            if "grace" not in word and self.at is not None:
                self.at += _quarters(word)

    def jump_back(self) -> list[str]:
        """The jump back to the start of the measure, written out; nothing where it cannot be said."""
        spelled = [] if self.at is None else spell(self.at)
        self.at = Fraction(0)
        return [token for kind in spelled for token in ("backup", kind)]


def _quarters(word: Sequence[str]) -> Fraction:
    length, dots, ratio = Fraction(0), 0, Fraction(1)
    for token in word:
        length = TYPE_QUARTERS.get(token, length)
        ratio = _RATIOS.get(token, ratio)
        dots += token == "dot"
    return length * (2 - Fraction(1, 2**dots)) * ratio


def spell(length: Fraction) -> list[str]:
    """Note values that add up to a length, the longest first, as LMX writes a jump; empty where none do."""
    result = []
    for kind in reversed(TYPE_QUARTERS):
        if TYPE_QUARTERS[kind] <= length:
            result.append(kind)
            length -= TYPE_QUARTERS[kind]
    return result if length == 0 else []


def shorten(tokens: Sequence[str]) -> tuple[list[str], list[int]]:
    """LMX in shorthand, and for each symbol the index of the LMX token that its note starts with."""
    symbols: list[str] = []
    starts: list[int] = []
    clock = _Clock()
    index = 0
    gathered = list(words(tokens))
    position = 0
    while position < len(gathered):
        word = gathered[position]
        taken = 1
        written = word
        if word[0] == "backup":
            while position + taken < len(gathered) and gathered[position + taken][0] == "backup":
                taken += 1
            run = [t for w in gathered[position : position + taken] for t in w]
            before = clock.at
            if clock.jump_back() == run:
                written = ["backup"]
            else:
                clock.at, taken = before, 1
                clock.pass_over(word)
        else:
            if "chord" in word and clock.value and [t for t in word if t in _DESCRIBES_VALUE] == clock.value:
                bare = [t for t in word if t not in _DESCRIBES_VALUE]
                written = bare if _with_value(bare, clock.value) == word else word
            clock.pass_over(word)
        for symbol in _merged(tuple(written)):
            symbols.append(symbol)
            starts.append(index)
        index += sum(len(w) for w in gathered[position : position + taken])
        position += taken
    return symbols, starts


@lru_cache(maxsize=200_000)
def _merged(word: tuple[str, ...]) -> tuple[str, ...]:
    symbols = list(word)
    while len(symbols) > 1:
        ranked = [(_RANKS.get(pair, len(_RANKS)), i) for i, pair in enumerate(pairwise(symbols))]
        rank, i = min(ranked)
        if rank == len(_RANKS):
            break
        symbols[i : i + 2] = [f"{symbols[i]}+{symbols[i + 1]}"]
    return tuple(symbols)


def _with_value(word: Sequence[str], value: Sequence[str]) -> list[str]:
    """The word with a note value behind its prefixes."""
    cut = next((i for i, token in enumerate(word) if token not in _PREFIXES), len(word))
    return [*word[:cut], *value, *word[cut:]]


def expand(symbols: Iterable[str]) -> list[str]:
    """LMX out of any sequence of symbols whatever."""
    tokens = [token for symbol in symbols for token in symbol.split("+")]
    result: list[str] = []
    clock = _Clock()
    for word in words(tokens):
        written = word
        if word == ["backup"]:
            result += clock.jump_back()
            continue
        if "chord" in word and clock.value and not any(token in _ROOTS for token in word):
            written = _with_value(word, clock.value)
        clock.pass_over(written)
        result += written
    return result
