"""Beams: short notes of one beat share a beam, as the metre groups them."""

from __future__ import annotations

from collections.abc import Sequence

from model_runtime.notation.durations import FLAGS, TICKS_PER_QUARTER, beat_groups
from model_runtime.notation.measures import Measure, Piece

_EIGHTH = TICKS_PER_QUARTER // 2


def set_beams(measure: Measure, pieces: Sequence[Piece]) -> None:
    """Fill `Piece.beams` of one voice's measure."""
    edges = _beat_edges(measure)
    wide = _wide_edges(measure)
    groups: list[list[Piece]] = []
    group: list[Piece] = []
    place: tuple[int, ...] = ()
    for piece in pieces:
        if piece.index < 0 or not FLAGS[piece.kind]:
            group = []
            continue
        at = piece.start - measure.start + measure.offset
        plain = piece.tuplet is None and _only_eighths(pieces, measure, wide, at)
        here = (_slot(wide if plain else edges, at), int(plain))
        if piece.tuplet is not None:
            here = (piece.tuplet.start, -1)
        if group and here == place:
            group.append(piece)
        else:
            group = [piece]
            groups.append(group)
        place = here
    for group in groups:
        _connect(group)


def _beat_edges(measure: Measure) -> list[int]:
    unit = 4 * TICKS_PER_QUARTER // measure.denominator
    groups, felt = beat_groups(measure.numerator, measure.denominator)
    if measure.denominator <= 4 and not felt:
        groups = (1,) * measure.numerator
    if measure.denominator == 2:
        unit, groups = unit // 2, (1,) * (2 * measure.numerator)
    if measure.denominator >= 8 and groups == (1, 1, 1):
        groups = (3,)
    return _edges(unit, groups)


def _wide_edges(measure: Measure) -> list[int]:
    """Where a run of nothing but eighths breaks: half measures of 4/4, whole measures of 2/4 and 3/4."""
    unit = 4 * TICKS_PER_QUARTER // measure.denominator
    if measure.denominator == 4 and measure.numerator in (2, 3):
        return _edges(unit, (measure.numerator,))
    if measure.denominator == 4 and measure.numerator % 2 == 0:
        return _edges(unit, (2,) * (measure.numerator // 2))
    if measure.denominator == 2:
        return _edges(unit, (1,) * measure.numerator)
    return _beat_edges(measure)


def _edges(unit: int, groups: Sequence[int]) -> list[int]:
    edges = [0]
    for group in groups:
        edges.append(edges[-1] + group * unit)
    return edges


def _slot(edges: Sequence[int], position: int) -> int:
    return max(edge for edge in edges if edge <= position)


def _only_eighths(pieces: Sequence[Piece], measure: Measure, edges: Sequence[int], position: int) -> bool:
    shift = measure.offset - measure.start
    slot = _slot(edges, position)
    return all(
        p.end - p.start == _EIGHTH and p.tuplet is None and p.index >= 0
        for p in pieces
        if _slot(edges, p.start + shift) == slot
    )


def _connect(group: Sequence[Piece]) -> None:
    if len(group) < 2:
        return
    counts = [FLAGS[piece.kind] for piece in group]
    for i, piece in enumerate(group):
        left = counts[i - 1] if i else 0
        right = counts[i + 1] if i + 1 < len(group) else 0
        for level in range(1, counts[i] + 1):
            piece.beams.append(_beam(level <= left, level <= right, bool(i)))


def _beam(joins_left: bool, joins_right: bool, has_left: bool) -> str:
    if joins_left:
        return "continue" if joins_right else "end"
    if joins_right:
        return "begin"
    return "backward hook" if has_left else "forward hook"
