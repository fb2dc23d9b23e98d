"""Which keys are down: what is heard becomes key strokes, and every key that goes down comes up again."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass

from bridge.live.heard import Heard

SHORTEST_S = 0.03  # of a note whose end is known as soon as its beginning
LONGEST_WHOLE_S = 2.0
REMEMBERED = 4096  # notes whose keys are up: a later word about them presses nothing


@dataclass(frozen=True, slots=True)
class Stroke:
    """A key goes down, or up (`velocity` 0)."""

    pitch: int
    velocity: int


class Keyboard:
    """The keys of one destination.

    Args:
        early: Whether a key goes down as soon as a note is heard, or only once it is confirmed.
    """

    def __init__(self, *, early: bool = True) -> None:
        self._early = early
        self._held: dict[int, int] = {}  # note number → pitch
        self._owner: dict[int, int] = {}  # pitch → the note that pressed it last
        self._played: OrderedDict[int, None] = OrderedDict()
        self._due: list[tuple[float, int]] = []  # when keys of notes come up that were heard whole

    @property
    def down(self) -> set[int]:
        """Pitches of the keys that are down."""
        return set(self._owner)

    def take(self, note: Heard, now_s: float) -> list[Stroke]:
        """What a word about a note presses and releases."""
        if note.phase == "withdrawn":
            self._remember(note.number)
            return self._up(note.number)
        if note.number in self._played:
            return []
        if note.number in self._held:
            strokes = [] if self._held[note.number] == note.pitch else self._moved(note)
            return strokes if note.offset_s is None else strokes + self._ended(note.number)
        if note.phase == "provisional" and not self._early:
            return []
        strokes = self._pressed(note)
        if note.offset_s is not None:
            length_s = min(max(note.offset_s - note.onset_s, SHORTEST_S), LONGEST_WHOLE_S)
            heapq.heappush(self._due, (now_s + length_s, note.number))
        return strokes

    def due(self, now_s: float) -> list[Stroke]:
        """Keys whose time has come to come up."""
        strokes = []
        while self._due and self._due[0][0] <= now_s:
            strokes += self._ended(heapq.heappop(self._due)[1])
        return strokes

    def release_all(self) -> list[Stroke]:
        """Every key comes up."""
        for number in self._held:
            self._remember(number)
        strokes = [Stroke(pitch, 0) for pitch in self._owner]
        self._held.clear()
        self._owner.clear()
        self._due.clear()
        return strokes

    def _pressed(self, note: Heard) -> list[Stroke]:
        # A key that is down already comes up first: a receiver counts one note-off for one note-on.
        strokes = self._up(self._owner[note.pitch]) if note.pitch in self._owner else []
        self._held[note.number] = note.pitch
        self._owner[note.pitch] = note.number
        return [*strokes, Stroke(note.pitch, max(1, note.velocity))]

    def _moved(self, note: Heard) -> list[Stroke]:
        return self._up(note.number) + self._pressed(note)

    def _ended(self, number: int) -> list[Stroke]:
        self._remember(number)
        return self._up(number)

    def _up(self, number: int) -> list[Stroke]:
        pitch = self._held.pop(number, None)
        if pitch is None or self._owner.get(pitch) != number:
            return []
        self._remember(number)
        del self._owner[pitch]
        return [Stroke(pitch, 0)]

    def _remember(self, number: int) -> None:
        self._played[number] = None
        if len(self._played) > REMEMBERED:
            self._played.popitem(last=False)
