"""How far what was written disagrees with what was seen.

In engraved windows each notehead is one written note (20,833 of 20,833), with its pitch by place and clef, its
accidental and its ties, and each rest is one sign. So of several ways to write a window the better one leaves no head
out, writes none twice, and its voices fill the measure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from model_runtime.tokens import vocabulary as v
from model_runtime.tokens.glyphs import Glyph
from model_runtime.tokens.lmx_reader import voice_ends
from model_runtime.tokens.shorthand import expand

_STEP_OF = {pitch: i for i, pitch in enumerate(v.PITCHES)}  # steps of the scale above C0
_CLEF_STEP = {"G": _STEP_OF["G4"], "F": _STEP_OF["F3"], "C": _STEP_OF["C4"]}
_USUAL_CLEFS = {1: ("G", 2), 2: ("F", 6)}
_ACCIDENTALS, _TIES = frozenset(v.ACCIDENTALS), frozenset(v.TIES)
# Nats, so that they can be held against logarithms of probabilities. 0.5 to 2 serve alike on held-out windows.
_HEAD, _REST, _ATTRIBUTE, _VOICE = 1.0, 1.0, 0.5, 0.7


@dataclass(frozen=True)
class Seen:
    """What a window shows that each way to write it must account for.

    Attributes:
        pitches: How often each step of the scale above C0 is shown by a head.
        rests, accidentals, ties: How many there are; a tie counts at each of its ends.
    """

    pitches: Counter[int]
    rests: int
    accidentals: int
    ties: int


def seen_in(glyphs: Iterable[Glyph]) -> Seen:
    """What some glyphs show."""
    base = {staff: _CLEF_STEP[sign] - position for staff, (sign, position) in _USUAL_CLEFS.items()}
    octaves: dict[int, int] = {}
    seen = Seen(Counter(), 0, 0, 0)
    rests = accidentals = ties = 0
    for glyph in sorted(glyphs, key=lambda g: (g.x, g.kind.startswith("head:"))):
        if glyph.kind.startswith("clef:"):
            base[glyph.staff] = _CLEF_STEP[glyph.kind[5]] - glyph.position
        elif glyph.kind == "ottava:end":
            octaves.pop(glyph.staff, None)
        elif glyph.kind.startswith("ottava:"):
            octaves[glyph.staff] = (2 if "15" in glyph.kind else 1) * (1 if glyph.kind.endswith("a") else -1)
        elif glyph.kind.startswith("rest:"):
            rests += 1
        elif glyph.kind.startswith("head:"):
            step = base.get(glyph.staff, base[1]) + glyph.position + 7 * octaves.get(glyph.staff, 0)
            seen.pitches[step] += 1
            accidentals += bool(glyph.accidental)
            ties += (0, 1, 1, 2)[glyph.ties]
    return Seen(seen.pitches, rests, accidentals, ties)


def disagreement(seen: Seen, symbols: Sequence[str], measure_quarters: float | None) -> float:
    """Nats that speak against a way to write a window.

    Args:
        seen: In the window.
        symbols: Shorthand of one or several measures.
        measure_quarters: Length of a measure, None where it is not known.
    """
    tokens = expand(symbols)
    written = Counter(_STEP_OF[token] for token in tokens if token in _STEP_OF)
    heads = (seen.pitches - written).total() + (written - seen.pitches).total()
    attributes = abs(seen.accidentals - sum(token in _ACCIDENTALS for token in tokens))
    attributes += abs(seen.ties - sum(token in _TIES for token in tokens))
    result = _HEAD * heads + _REST * abs(seen.rests - tokens.count("rest")) + _ATTRIBUTE * attributes
    if measure_quarters is None:
        return result
    length = Fraction(measure_quarters)
    return result + _VOICE * sum(end != length for ends in voice_ends(tokens) for end in ends)
