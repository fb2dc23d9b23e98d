"""What was seen in a measure beside what stands there: which glyph is which, and how they differ.

The same measure has other widths in other engravings, so places are first brought into line by the noteheads and rests
that agree; then every glyph is given to the nearest like one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.glyphs import Glyph
from model_runtime.tokens.vocabulary import ACCIDENTALS

_NOTES = ("head", "rest")
_ATTRIBUTES = {
    "head": ("position", "stem", "dots", "accidental", "flags", "beams_left", "beams_right", "ties", "size", "strokes"),
    "rest": ("dots",),
    "clef": ("position",),
    "meter": ("number", "denominator"),
    "tuplet-number": ("number",),
}
_TIP = "head.tip (off by more than 1)"
_SIGNS = ("none", *ACCIDENTALS)
_NEAR_SPACES = 1.5  # a difference that costs as much as another kind
_MOST = 2.0  # what a pair may cost
_COLUMN_SPACES = 0.7  # heads nearer than this to each other stand above each other
Floats = npt.NDArray[np.float64]


def family(kind: str) -> str:
    """What a glyph is compared with: all heads, all rests, all clefs, …, but each mark only with its like."""
    name = kind.partition(":")[0]
    return kind if name == "mark" else name


def match(exact: Sequence[Glyph], seen: Sequence[Glyph]) -> list[tuple[int, int]]:
    """Pairs of indices into what stands there and what was seen; each at most once."""
    from scipy.optimize import linear_sum_assignment

    if not exact or not seen:
        return []
    places = _brought_into_line(exact, seen)
    families, others = [family(g.kind) for g in exact], [family(g.kind) for g in seen]
    pairs = []
    for name in sorted(set(families) & set(others)):
        rows = [i for i, f in enumerate(families) if f == name]
        columns = [j for j, f in enumerate(others) if f == name]
        costs = np.array([[_cost(exact[i], seen[j], places[i]) for j in columns] for i in rows])
        for a, b in zip(*linear_sum_assignment(costs), strict=True):
            if costs[a, b] < _MOST:
                pairs.append((rows[a], columns[b]))
    return sorted(pairs)


def _cost(exact: Glyph, seen: Glyph, place: float) -> float:
    off = 0.0 if exact.staff == seen.staff or 0 in (exact.staff, seen.staff) else 0.8
    if exact.kind.startswith("head"):
        off += min(0.5 * abs(exact.position - seen.position), 1.6) + 0.05 * (exact.stem != seen.stem)
    elif exact.kind.startswith(("slur", "mark", "tuplet")):
        off += min(0.1 * abs(exact.position - seen.position), 0.8)
    return min(abs(place - seen.x) / _NEAR_SPACES, 3.0) + off + 0.6 * (exact.kind != seen.kind)


def _brought_into_line(exact: Sequence[Glyph], seen: Sequence[Glyph]) -> Floats:
    """x of each exact glyph where it should be among the seen ones."""
    anchors = _agreeing(_columns(exact), _columns(seen))
    ends = [[g.x for g in glyphs if g.kind.startswith("barline:")] for glyphs in (exact, seen)]
    if all(ends) and (not anchors or (ends[0][-1] > anchors[-1][0] and ends[1][-1] > anchors[-1][1])):
        anchors.append((max(ends[0]), max(ends[1])))
    x = np.array([g.x for g in exact])
    if not anchors:
        low, high = min(g.x for g in seen), max(g.x for g in seen)
        return np.interp(x, [x.min(), max(x.max(), x.min() + 1e-3)], [low, high])
    known, found = np.array(anchors).T
    before, after = np.minimum(x - known[0], 0.0), np.maximum(x - known[-1], 0.0)
    return np.asarray(np.interp(x, known, found) + before + after)


Column = tuple[float, Counter[tuple[str, int, int]]]


def _columns(glyphs: Sequence[Glyph]) -> list[Column]:
    """Heads and rests that stand above each other, from the left: mean x, and how often each kind, staff, position."""
    notes = sorted((g for g in glyphs if family(g.kind) in _NOTES), key=lambda g: g.x)
    groups: list[list[Glyph]] = []
    for glyph in notes:
        if groups and glyph.x - groups[-1][-1].x < _COLUMN_SPACES:
            groups[-1].append(glyph)
        else:
            groups.append([glyph])
    return [(float(np.mean([g.x for g in group])), Counter(map(_look, group))) for group in groups]


def _look(glyph: Glyph) -> tuple[str, int, int]:
    return glyph.kind, glyph.staff, 0 if glyph.kind.startswith("rest") else glyph.position


def _agreeing(exact: Sequence[Column], seen: Sequence[Column]) -> list[tuple[float, float]]:
    """Places of the columns that agree, in order, so that most notes do."""
    shared = np.array([[(a & b).total() for _, b in seen] for _, a in exact]).reshape(len(exact), len(seen))
    best = np.zeros((len(exact) + 1, len(seen) + 1), np.int64)
    for i in range(len(exact) - 1, -1, -1):
        for j in range(len(seen) - 1, -1, -1):
            best[i, j] = max(best[i + 1, j + 1] + shared[i, j], best[i + 1, j], best[i, j + 1])
    pairs = []
    i = j = 0
    while i < len(exact) and j < len(seen):
        if shared[i, j] and best[i, j] == best[i + 1, j + 1] + shared[i, j]:
            pairs.append((exact[i][0], seen[j][0]))
            i, j = i + 1, j + 1
        elif best[i + 1, j] >= best[i, j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def differences(exact: Sequence[Glyph], seen: Sequence[Glyph], pairs: Sequence[tuple[int, int]]) -> Counter[str]:
    """How often each kind stood there, was missed or invented, was taken for another, and had an attribute wrong."""
    counts: Counter[str] = Counter()
    for glyph in exact:
        counts[f"{glyph.kind}|there"] += 1
        for name in _ATTRIBUTES.get(family(glyph.kind), ()):
            counts[f"{family(glyph.kind)}.{name}|there"] += bool(getattr(glyph, name)) or name in ("position", "stem")
        counts[f"{_TIP}|there"] += family(glyph.kind) == "head" and bool(glyph.stem)
    matched, found = {i for i, _ in pairs}, {j for _, j in pairs}
    counts.update(f"{g.kind}|missed" for i, g in enumerate(exact) if i not in matched)
    counts.update(f"{g.kind}|invented" for j, g in enumerate(seen) if j not in found)
    for i, j in pairs:
        counts.update(_wrong(exact[i], seen[j]))
    return counts


def _wrong(exact: Glyph, seen: Glyph) -> list[str]:
    if exact.kind != seen.kind:
        return [f"{exact.kind}|taken for another", f"{exact.kind} read as {seen.kind}|wrong"]
    name = family(exact.kind)
    result = []
    for attribute in _ATTRIBUTES.get(name, ()):
        a, b = getattr(exact, attribute), getattr(seen, attribute)
        if a != b:
            what = "wrong" if (a and b) or attribute in ("position", "stem") else "missed" if a else "invented"
            result.append(f"{name}.{attribute}|{what}")
            if attribute == "accidental":
                result.append(f"accidental: {_SIGNS[a]} read as {_SIGNS[b]}|wrong")
    if name == "head" and exact.stem and exact.stem == seen.stem and abs(exact.tip - seen.tip) > 1:
        result.append(f"{_TIP}|wrong")
    return result
