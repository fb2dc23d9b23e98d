"""A voice whose values do not add up → the likeliest one that does.

Note values that were read wrong, or a tuplet whose number was not seen, make a voice too long or leave a tuplet open.
The cheapest change that makes it end where its measure ends is found by dynamic programming over its notes: every place
in the measure that a note can begin at is a state, every way to read the note's value a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from model_runtime.tokens.written import TYPE_QUARTERS, WrittenNote

Ratio = tuple[int, int]
_KINDS = tuple(TYPE_QUARTERS)
_SHORTEST, _LONGEST = Fraction(1, 32), Fraction(8)
_USUAL_RATIO = (3, 2)
# What a change costs. A tuplet is paid for at its first note; that a group is whole is a condition.
_NEW_TUPLET, _LOST_TUPLET, _OTHER_VALUE, _OTHER_DOTS, _LEFT_OUT, _TOO_SHORT = 3.0, 1.2, 2.0, 1.2, 2.5, 0.8
_MORE_OF_TUPLET = 0.5
_BEAMED_TUPLET, _MORE_UNDER_BEAM = 1.6, 0.05  # of five or more notes alike under one beam
_MOST_COST = 4.0  # of a change; where more would be needed the measure is cut instead
_MOST_STATES = 60  # followed behind each note, the cheapest


@dataclass(frozen=True)
class _Reading:
    """A way to read a note: its value, dots and ratio, or left out."""

    kind: str
    dots: int
    ratio: Ratio | None
    cost: float
    cost_inside: float  # where a tuplet is open already
    left_out: bool = False

    @property
    def quarters(self) -> Fraction:
        if self.left_out:
            return Fraction(0)
        length = TYPE_QUARTERS[self.kind] * (2 - Fraction(1, 2**self.dots))
        return length * self.ratio[1] / self.ratio[0] if self.ratio else length


@dataclass(frozen=True)
class _Path:
    """Readings of the notes so far, the last one first in a chain."""

    cost: float
    reading: _Reading | None
    before: _Path | None


def adds_up(notes: Sequence[WrittenNote], start: Fraction, length: Fraction) -> bool:
    """Whether a voice stays within its measure and leaves no tuplet open.

    Args:
        notes: Of one voice, each behind the one before; the later ones of chords and grace notes may be among them.
        start: Where it begins, in quarter notes.
        length: Of the measure.
    """
    at = start
    ratio: Ratio | None = None
    timed = list(_timed(notes))
    for note, gap in zip(timed, _gaps(timed, start), strict=True):
        if (note.ratio != ratio or gap) and not _plain(at - start):
            return False
        ratio = note.ratio
        at += gap + note.duration
    return at <= length and _plain(at - start)


def made_to_fit(notes: Sequence[WrittenNote], start: Fraction, length: Fraction) -> list[WrittenNote]:
    """The notes of a voice that stay, with values that end by the end of the measure, and their onsets.

    Args:
        notes, start, length: As `adds_up` takes them; values, dots, ratios and onsets are changed in place.
    """
    timed = list(_timed(notes))
    beams = _beamed(timed)
    paths: dict[tuple[Fraction, Ratio | None], _Path] = {(start, None): _Path(0.0, None, None)}
    gaps = _gaps(timed, start)
    for note, group, gap in zip(timed, beams, gaps, strict=True):
        following: dict[tuple[Fraction, Ratio | None], _Path] = {}
        readings = list(_readings(note, group))
        for (at, ratio), path in paths.items():
            for reading in readings:
                step = _step(at - start, ratio, reading)
                end = at + gap + reading.quarters
                if step is None or end > length or (gap and not _plain(at - start)):
                    continue
                state = (end, ratio if reading.left_out else reading.ratio)
                cost = path.cost + step
                if state not in following or cost < following[state].cost:
                    following[state] = _Path(cost, reading, path)
        cheapest = sorted(following.items(), key=lambda item: item[1].cost)[:_MOST_STATES]
        paths = dict(cheapest)
    ends = [(path.cost + _TOO_SHORT * (at < length), path) for (at, _), path in paths.items() if _plain(at - start)]
    if not ends:
        return list(notes)
    if min(ends, key=lambda end: end[0])[0] > _MOST_COST:
        return list(notes)
    best: _Path | None = min(ends, key=lambda end: end[0])[1]
    chosen: list[_Reading] = []
    while best is not None and best.reading is not None:
        chosen.append(best.reading)
        best = best.before
    return _applied(notes, gaps, chosen[::-1], start)


def _timed(notes: Sequence[WrittenNote]) -> Iterator[WrittenNote]:
    return (note for note in notes if not note.chord and not note.grace and note.kind)


def _gaps(timed: Sequence[WrittenNote], start: Fraction) -> list[Fraction]:
    """What is hidden before each note."""
    ends = [start, *(note.onset + note.duration for note in timed)]
    return [note.onset - end for note, end in zip(timed, ends[:-1], strict=True)]


def _plain(quarters: Fraction) -> bool:
    """Whether no tuplet is open behind that much of a voice."""
    return quarters.denominator & (quarters.denominator - 1) == 0


def _step(passed: Fraction, ratio: Ratio | None, reading: _Reading) -> float | None:
    """What it costs to go on with a reading; None where a tuplet would be left open."""
    if reading.left_out:
        return reading.cost
    inside = not _plain(passed)
    if inside and reading.ratio != ratio:
        return None
    return reading.cost_inside if inside else reading.cost


def _readings(note: WrittenNote, group: int) -> Iterator[_Reading]:
    """As written, as another ratio, with another value, or not at all."""

    def read(kind: str, dots: int, ratio: Ratio | None, cost: float, inside: float | None = None) -> _Reading:
        return _Reading(kind, dots, ratio, cost, cost if inside is None else inside)

    yield read(note.kind, note.dots, note.ratio, 0.0)
    if note.ratio:
        yield read(note.kind, note.dots, None, _LOST_TUPLET)
    if note.ratio != _USUAL_RATIO:
        yield read(note.kind, note.dots, _USUAL_RATIO, _NEW_TUPLET, _MORE_OF_TUPLET)
    if group > 4 and group & (group - 1):
        ratio = (group, 1 << (group.bit_length() - 1))
        if note.ratio != ratio:
            yield read(note.kind, note.dots, ratio, _BEAMED_TUPLET, _MORE_UNDER_BEAM)
    index = _KINDS.index(note.kind)
    for other in (index - 1, index + 1):
        if 0 <= other < len(_KINDS) and _SHORTEST <= TYPE_QUARTERS[_KINDS[other]] <= _LONGEST:
            yield read(_KINDS[other], note.dots, note.ratio, _OTHER_VALUE)
    if note.dots:
        yield read(note.kind, note.dots - 1, note.ratio, _OTHER_DOTS)
    elif not note.ratio:
        yield read(note.kind, 1, None, _OTHER_DOTS)
    cost = _LEFT_OUT / (2 if note.rest else 1)
    yield _Reading(note.kind, note.dots, note.ratio, cost, cost, left_out=True)


def _beamed(timed: Sequence[WrittenNote]) -> list[int]:
    """How many notes of the same value stand under each note's beam, 0 where it has none or they differ."""
    result = [0] * len(timed)
    first, level = 0, 0
    for i, note in enumerate(timed):
        if level == 0:
            first = i
        level = max(level + note.begins - note.ends, 0)
        if level == 0 and i > first:
            group = timed[first : i + 1]
            if all(a.kind == b.kind for a, b in pairwise(group)):
                result[first : i + 1] = [len(group)] * len(group)
    return result


def _applied(
    notes: Sequence[WrittenNote], gaps: Sequence[Fraction], chosen: Sequence[_Reading], start: Fraction
) -> list[WrittenNote]:
    """The notes as they are read now; chords follow their first note, grace notes stand where the next one does."""
    reading = {id(note): own for note, own in zip(_timed(notes), zip(chosen, gaps, strict=True), strict=True)}
    kept: list[WrittenNote] = []
    at, head = start, None
    changed: list[WrittenNote] = []
    for note in notes:
        if id(note) in reading:
            own, gap = reading[id(note)]
            at += gap
            head = None if own.left_out else note
            if own.left_out:
                continue
            if note.ratio != own.ratio:
                note.tuplet = ""
                if own.ratio:
                    changed.append(note)
            note.kind, note.dots, note.ratio = own.kind, own.dots, own.ratio
            note.onset, note.duration = at, own.quarters
            at += own.quarters
        elif note.grace:
            note.onset = at
        elif note.chord:
            if head is None:
                continue
            note.kind, note.dots, note.ratio, note.onset, note.duration = (
                *(head.kind, head.dots, head.ratio),
                *(head.onset, head.duration),
            )
        kept.append(note)
    _mark_tuplets(changed, start)
    return kept


def _mark_tuplets(changed: Sequence[WrittenNote], start: Fraction) -> None:
    """Start and stop of tuplets that nothing was known of before."""
    for note in changed:
        if _plain(note.onset - start):
            note.tuplet = "start"
        elif _plain(note.onset + note.duration - start):
            note.tuplet = "stop"
