"""What several glyphs say only together, written at each of them: how many stems a beam joins, and the tuplet's number.

Whether an eighth is one of a triplet shows in the number over its beam or, where none is printed, in that three stems
share it. A trunk could count that out; told at every head, it reads it off. The fields are those of metres and of the
numbers of tuplets, which heads leave free: `number` holds the stems, `denominator` the tuplet's number.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.glyphs import COMPOUND_FIELDS
from model_runtime.tokens.vocabulary import BLOCKS, IDS, NOTEHEADS, PAD_ID

Ints = npt.NDArray[np.int64]
_COLUMN = {name: i for i, name in enumerate(COMPOUND_FIELDS)}
_HEADS = frozenset(IDS[kind] for kind in NOTEHEADS)
_TUPLET_NUMBER = IDS["tuplet-number"]
_STEM_SPACES = 1.4  # between the heads of one stem, a second apart
_OUTSIDE_SPACES = 1.0  # by which a number may stand beside the stems that it counts
_OTHER_STAFF_SPACES = 1.5  # how much nearer a group on the other staff must be


@dataclass
class _Group:
    """Stems under one beam."""

    staff: int
    x: list[float] = field(default_factory=list)  # of each stem
    rows: list[list[int]] = field(default_factory=list)  # the heads of each


def with_beam_groups(ids: Ints, x: npt.NDArray[np.floating]) -> Ints:
    """The same glyphs, each beamed head knowing its beam.

    Args:
        ids: Compound ids of a window of one system, shape (n, fields).
        x: Places in staff spaces, shape (n,).
    """
    groups = _groups(ids, x)
    if not groups:
        return ids
    result = ids.copy()
    number, denominator = BLOCKS["number"], BLOCKS["denominator"]
    for group in groups:
        for rows in group.rows:
            result[rows, _COLUMN["number"]] = number.id_of(len(group.x))
    for row in np.flatnonzero(ids[:, 0] == _TUPLET_NUMBER).tolist():
        digits = number.value_of(int(ids[row, _COLUMN["number"]]))
        for rows in _counted(groups, int(ids[row, _COLUMN["staff"]]), float(x[row]), digits or 0):
            result[rows, _COLUMN["denominator"]] = denominator.id_of(digits or 0)
    return result


def _groups(ids: Ints, x: npt.NDArray[np.floating]) -> list[_Group]:
    """Beams of each staff and direction of stems, from left to right."""
    left, right = BLOCKS["beams_left"].start, BLOCKS["beams_right"].start
    voices: dict[tuple[int, int], list[tuple[float, int, bool, bool]]] = defaultdict(list)
    columns = ids[:, [_COLUMN[n] for n in ("kind", "staff", "stem", "size", "beams_left", "beams_right")]].tolist()
    for row, (kind, staff, stem, size, to_left, to_right) in enumerate(columns):
        if kind in _HEADS and size == PAD_ID and (to_left, to_right) != (PAD_ID, PAD_ID):
            voices[staff, stem].append((float(x[row]), row, to_left > left, to_right > right))
    result = []
    for (staff, _), heads in voices.items():
        open_group: _Group | None = None
        continues = False
        for at, row, to_left, to_right in sorted(heads):
            if open_group and at - open_group.x[-1] < _STEM_SPACES:
                open_group.rows[-1].append(row)
                continues = continues or to_right
                continue
            if open_group is None or not to_left or not continues:
                open_group = _Group(staff)
                result.append(open_group)
            open_group.x.append(at)
            open_group.rows.append([row])
            continues = to_right
    return result


def _counted(groups: list[_Group], staff: int, x: float, digits: int) -> list[list[int]]:
    """Heads of the stems that a number stands at: as many neighbours under one beam, as nearly around it as may be."""

    def nearest(group: _Group) -> list[int]:
        return sorted(range(len(group.x)), key=lambda i: abs(group.x[i] - x))[:digits]

    def distance(group: _Group) -> float:
        own = [group.x[i] for i in nearest(group)]
        return abs(sum(own) / len(own) - x) + _OTHER_STAFF_SPACES * (group.staff != staff)

    around = [g for g in groups if g.x[0] - _OUTSIDE_SPACES <= x <= g.x[-1] + _OUTSIDE_SPACES]
    if not around or not digits:
        return []
    group = min(around, key=distance)
    return [group.rows[i] for i in nearest(group)]
