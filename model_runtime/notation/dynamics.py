"""Dynamic marks out of velocities: written where the level changes for good, not for every accent."""

from __future__ import annotations

from collections.abc import Sequence

from model_runtime.notation.stems import PlacedNote

# Upper velocity of each mark; the values lie between the velocities that notation software plays the marks at.
_MARKS = ((22, "ppp"), (40, "pp"), (56, "p"), (71, "mp"), (87, "mf"), (103, "f"), (118, "ff"), (127, "fff"))


def mark_of(velocity: float) -> str:
    """The dynamic mark nearest to a MIDI velocity."""
    return next((mark for limit, mark in _MARKS if velocity <= limit), "fff")


def dynamic_marks(notes: Sequence[PlacedNote]) -> list[tuple[int, str]]:
    """Marks as (tick, mark) for one part."""
    if not notes:
        return []
    ordered = sorted(note.velocity for note in notes)
    return [(min(note.onset for note in notes), mark_of(ordered[len(ordered) // 2]))]
