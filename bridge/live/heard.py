"""A note of a session, in the words of `model_runtime.listening`, and what it becomes on the way to the daemon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Phase = Literal["provisional", "confirmed", "corrected", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Heard:
    """A note as it is known now. The fields of `model_runtime.listening.HeardNote`, with a MIDI channel."""

    number: int
    phase: Phase
    pitch: int
    onset_s: float
    offset_s: float | None
    velocity: int
    confidence: float
    channel: int = 0

    def to_wire(self) -> list[Any]:
        """The fields in order, for JSON."""
        return [
            self.number,
            self.phase,
            self.pitch,
            round(self.onset_s, 6),
            None if self.offset_s is None else round(self.offset_s, 6),
            self.velocity,
            round(self.confidence, 4),
            self.channel,
        ]

    @classmethod
    def from_wire(cls, fields: list[Any]) -> Heard:
        """What `to_wire` wrote."""
        return cls(*fields)
