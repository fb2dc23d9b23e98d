"""What every destination of a live session is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bridge.live.heard import Heard
from bridge.live.keyboard import Stroke


class Destination(Protocol):
    """Somewhere notes go while they are played.

    Attributes:
        name: For people.
        early: Whether it takes notes that are not confirmed yet.
    """

    name: str
    early: bool

    def play(self, strokes: Sequence[Stroke]) -> None:
        """Keys go down and come up. Never waits."""
        ...

    def tell(self, live: str, notes: Sequence[Heard]) -> None:
        """What was heard, word for word. Never waits."""
        ...

    def close(self) -> None:
        """Let go of it; the keys are up already. Idempotent."""
        ...
