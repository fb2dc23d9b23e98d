"""Clefs and key signatures out of single signs, with what is known of them: where each sign of a key stands on a staff
under each clef, and that every line of music begins with a clef.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Staff positions of the signs of a key under a G clef on the second line, in their order; F lies two lower, C one.
_SHARPS, _FLATS = (8, 5, 9, 6, 3, 7, 4), (4, 7, 3, 6, 2, 5, 1)
_LOWER = {"clef:G": 0, "clef:F": 2, "clef:C": 1}  # a C clef on the middle line, which names position 4
_CLEF_POSITIONS = {"clef:G": (2,), "clef:F": (6, 4, 8), "clef:C": (4, 6, 2, 0, 8)}
_MOST_MISSED = 2  # signs of a key that may have been overlooked
_GAP_SPACES = 2.6
_SAME_PLACE_SPACES = 3.5
_LINE_HEAD_SPACES = 9.0  # a key left of this, with no barline before it, is the line's own
_SURE_SIGNS = 3
LINE_START_SPACES = 4.5  # a clef left of this is the line's own
LEAST_CLEF = 0.35  # probability of a clef elsewhere


@dataclass(frozen=True)
class Sign:
    """A clef, sharp, flat or natural on a staff (counted from 1)."""

    kind: str
    staff: int
    x: float
    position: int
    probability: float


@dataclass(frozen=True)
class Key:
    """A key signature on a staff."""

    staff: int
    x: float
    fifths: int
    probability: float
    signs: int = 1


def likely_clefs(clefs: Sequence[Sign]) -> list[Sign]:
    """The surest clef at the start of each staff, and those sure elsewhere; each on a line that it may have."""
    result = []
    for staff in sorted({clef.staff for clef in clefs}):
        own = sorted((c for c in clefs if c.staff == staff), key=lambda c: -c.probability)
        first = [c for c in own if c.x < LINE_START_SPACES][:1]
        later = [c for c in own if c.x >= LINE_START_SPACES and c.probability >= LEAST_CLEF]
        for clef in first + later:
            nearest = min(_CLEF_POSITIONS[clef.kind], key=lambda p: abs(p - clef.position))
            result.append(Sign(clef.kind, staff, clef.x, nearest, clef.probability))
    return result


def key_signatures(signs: Sequence[Sign], clefs: Sequence[Sign]) -> list[Key]:
    """A key for each run of signs on each staff; staves that show one in the same place agree."""
    runs = [
        Key(run[0].staff, run[0].x, _fifths(run, clefs), sum(s.probability for s in run) / len(run), len(run))
        for staff in sorted({sign.staff for sign in signs})
        for run in _runs([s for s in signs if s.staff == staff])
    ]
    result = []
    for key in runs:
        votes: Counter[int] = Counter()
        for other in runs:
            if abs(other.x - key.x) < _SAME_PLACE_SPACES:  # signs are overlooked more often than imagined
                votes[other.fifths] += round(1000 * other.probability * (1 + 0.15 * abs(other.fifths)))
        fifths = max(votes, key=lambda f: (votes[f], abs(f)))
        result.append(Key(key.staff, key.x, fifths, key.probability, key.signs))
    return result


def likely_keys(keys: Sequence[Key], staves: int, music: Sequence[float], barlines: Sequence[float]) -> list[Key]:
    """Keys without what must be accidentals: within a line a key stands on every staff, before the measure's music.

    Args:
        music: x of the part's notes and rests.
        barlines: x of its barlines.
    """
    result = []
    for key in keys:
        begin = max((x for x in barlines if x < key.x), default=0.0)
        first = key.x < _LINE_HEAD_SPACES and begin < LINE_START_SPACES
        together = {other.staff for other in keys if abs(other.x - key.x) < _SAME_PLACE_SPACES}
        seen = len(together) == staves or key.signs >= _SURE_SIGNS
        if first or (seen and not any(begin < x < key.x for x in music)):
            result.append(key)
    return result


def _runs(signs: Sequence[Sign]) -> list[list[Sign]]:
    runs: list[list[Sign]] = []
    for sign in sorted(signs, key=lambda s: s.x):
        if runs and sign.x - runs[-1][-1].x < _GAP_SPACES:
            runs[-1].append(sign)
        else:
            runs.append([sign])
    return runs


def _fifths(run: Sequence[Sign], clefs: Sequence[Sign]) -> int:
    """How many sharps or flats a run means: as many as there are, or as the last one's place on the staff tells."""
    weights: Counter[str] = Counter()
    for sign in run:
        if sign.kind != "key-sign:natural":
            weights[sign.kind] += round(1000 * sign.probability)
    if not weights:
        return 0
    kind = weights.most_common(1)[0][0]
    own = [sign for sign in run if sign.kind == kind]
    before = [c for c in clefs if c.staff == run[0].staff and c.x < run[0].x]
    order = _SHARPS if kind == "key-sign:sharp" else _FLATS
    lower = _lower(before[-1]) if before else 0
    reached = max((order.index(s.position + lower) + 1 for s in own if s.position + lower in order), default=0)
    count = max(len(own), reached) if reached <= len(own) + _MOST_MISSED else len(own)
    return min(count, 7) * (1 if kind == "key-sign:sharp" else -1)


def _lower(clef: Sign) -> int:
    """How many staff positions lower the signs of a key stand than under a G clef."""
    return _LOWER[clef.kind] + (4 - clef.position if clef.kind == "clef:C" else 0)
