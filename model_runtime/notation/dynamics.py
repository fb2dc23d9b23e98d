"""Dynamic marks out of velocities: written where the level changes for good, not for every accent.

The level of each measure is the mean velocity of its notes; the marks are the cheapest way through all measures when
every change of mark costs something, so that a single loud measure leaves no trace and a new section does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from model_runtime.notation.measures import Measure
from model_runtime.notation.stems import PlacedNote

# MIDI velocity that a mark is played at, as common notation software does.
_LEVELS = (("ppp", 16), ("pp", 33), ("p", 49), ("mp", 64), ("mf", 80), ("f", 96), ("ff", 112), ("fff", 126))
_CHANGE = 3.0  # in squared steps between neighbouring marks: three measures one step off, or one measure two steps
_STEP = 16.0


def dynamic_marks(notes: Sequence[PlacedNote], measures: Sequence[Measure]) -> list[tuple[int, str]]:
    """Marks of one part as (tick of the first note that they hold for, mark)."""
    starts = [measure.start for measure in measures]
    within: list[list[PlacedNote]] = [[] for _ in measures]
    for note in notes:
        within[max(0, bisect_right(starts, note.onset) - 1)].append(note)
    groups = [group for group in within if group]
    if not groups:
        return []
    chosen = _cheapest([sum(note.velocity for note in group) / len(group) for group in groups])
    marks = []
    for i, group in enumerate(groups):
        if i == 0 or chosen[i] != chosen[i - 1]:
            marks.append((min(note.onset for note in group), _LEVELS[chosen[i]][0]))
    return marks


def _cheapest(levels: Sequence[float]) -> list[int]:
    """Index into `_LEVELS` for each measure that has notes."""
    marks = range(len(_LEVELS))
    total = [0.0] * len(_LEVELS)
    back: list[list[int]] = []
    for level in levels:
        best = min(marks, key=total.__getitem__)
        origins = [mark if total[mark] <= total[best] + _CHANGE else best for mark in marks]
        back.append(origins)
        total = [
            total[origin] + (_CHANGE if origin != mark else 0.0) + ((level - _LEVELS[mark][1]) / _STEP) ** 2
            for mark, origin in enumerate(origins)
        ]
    chosen = [min(marks, key=total.__getitem__)]
    for origins in reversed(back[1:]):
        chosen.append(origins[chosen[-1]])
    return chosen[::-1]
