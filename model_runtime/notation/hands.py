"""Which hand plays a note: a search over time that keeps hands small, calm and on their own side of the keyboard.

At every onset the notes that begin are parted at one pitch; hands may still cross, because notes that are held count
only where they are. The cheapest of the ways that a beam search keeps is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.notation.stems import PlacedNote

RIGHT, LEFT = 1, 2
_BEAM_WIDTH = 10

# Found by a random search over 40 piano parts of the OpenScore Lieder corpus.
_BORDER = 57.0  # pitch at which either hand is as likely
_SIDE = 0.05  # cost of a semitone on the wrong side of the border
_SPAN = 8  # semitones that a hand takes without effort
_STRETCH = 0.6  # cost of each semitone beyond
_MOVE = 0.03  # cost of a semitone that a hand moves
_CROSS = 0.4  # cost of a semitone that one hand reaches over the other
_MIXED = 0.7  # cost of each further length that a hand begins at once
_HELD = 0.45  # cost of beginning notes while others are held in the same hand
_IDLE = 0.14  # cost of beginning notes in a hand that rested
_NEAR = 0.03  # cost of each semitone by which the hands come closer than an octave at one onset
_CALM_QUARTERS = 6.5  # after so long a rest a move costs half


@dataclass(frozen=True, slots=True)
class _Hand:
    """Where a hand was last: lowest and highest key, and when they are let go."""

    low: int
    high: int
    end: int


@dataclass(slots=True)
class _Way:
    cost: float
    right: _Hand
    left: _Hand
    choices: _Choices | None


# How many of the notes at an onset the left hand took, newest first.
_Choices = tuple[int, "_Choices | None"]


def split_hands(notes: Sequence[PlacedNote], split_point: int | None) -> None:
    """Set `staff` of every note of a keyboard part: 1 for the right hand, 2 for the left.

    Args:
        notes: Sorted by onset, then pitch; grace notes among them.
        split_point: MIDI pitch from which notes belong to the right hand; None: the split moves with the hands.
    """
    if split_point is not None:
        for note in notes:
            note.staff = RIGHT if note.pitch >= split_point else LEFT
        return
    groups = [list(group) for _, group in groupby(notes, key=lambda n: n.onset)]
    for group, from_left in zip(groups, _search(groups), strict=True):
        for rank, note in enumerate(sorted(group, key=lambda n: n.pitch)):
            note.staff = LEFT if rank < from_left else RIGHT


def _search(groups: Sequence[Sequence[PlacedNote]]) -> list[int]:
    """For each onset, how many of its notes, from below, the left hand takes."""
    first = groups[0][0].onset if groups else 0
    ways = [_Way(0.0, _Hand(72, 72, first), _Hand(48, 48, first), None)]
    for group in groups:
        onset = group[0].onset
        pitches = sorted(note.pitch for note in group)
        ends = [note.end for note in sorted(group, key=lambda n: n.pitch)]
        sides = _side_costs(pitches)
        best: dict[tuple[_Hand, _Hand], _Way] = {}
        for way in ways:
            for cut in range(len(pitches) + 1):
                left, left_cost = _take(way.left, pitches[:cut], ends[:cut], onset)
                right, right_cost = _take(way.right, pitches[cut:], ends[cut:], onset)
                crossed = max(0, left.high - right.low) if left.end > onset and right.end > onset else 0
                near = max(0, 12 - pitches[cut] + pitches[cut - 1]) if 0 < cut < len(pitches) else 0
                cost = way.cost + _NEAR * near + sides[cut] + left_cost + right_cost + _CROSS * crossed
                known = best.get((right, left))
                if known is None or cost < known.cost:
                    best[right, left] = _Way(cost, right, left, (cut, way.choices))
        ways = sorted(best.values(), key=lambda w: w.cost)[:_BEAM_WIDTH]
    taken: list[int] = []
    link = ways[0].choices
    while link is not None:
        taken.append(link[0])
        link = link[1]
    return taken[::-1]


def _side_costs(pitches: Sequence[int]) -> list[float]:
    """Cost of giving the lowest 0, 1, … all notes to the left hand, by the keyboard's middle alone."""
    costs = [sum(_SIDE * max(0.0, _BORDER - pitch) for pitch in pitches)]
    for pitch in pitches:
        costs.append(costs[-1] + _SIDE * (pitch - _BORDER if pitch > _BORDER else -(_BORDER - pitch)))
    return costs


def _take(hand: _Hand, pitches: Sequence[int], ends: Sequence[int], onset: int) -> tuple[_Hand, float]:
    """The hand after it played the pitches, and what that costs."""
    if not pitches:
        return hand, 0.0
    low, high = pitches[0], pitches[-1]
    move = abs(low + high - hand.low - hand.high) / 2
    cost = _MOVE * move
    end = max(ends)
    if hand.end > onset:  # still holding what it played before
        low, high, end = min(low, hand.low), max(high, hand.high), min(end, hand.end)
        cost += _HELD
    elif hand.end < onset:
        cost = _IDLE + cost / (1 + (onset - hand.end) / TICKS_PER_QUARTER / _CALM_QUARTERS)
    cost += _STRETCH * max(0, high - low - _SPAN) + _MIXED * (len(set(ends)) - 1)
    return _Hand(low, high, end), cost
