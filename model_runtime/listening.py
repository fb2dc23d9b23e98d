"""What a live session hears, and the interface of whatever hears it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Phase = Literal["provisional", "confirmed", "corrected", "withdrawn"]


@dataclass(frozen=True, slots=True)
class HeardNote:
    """A note as it is known now; a later one with the same `number` takes its place.

    Attributes:
        number: Of the note within the session, counted from 0. What is known of a note changes, its number does not.
        phase: "provisional" when its onset is first heard, and while something is added before it is settled;
            "confirmed" once, when it will not be taken back; "corrected" when pitch, onset, offset or velocity change
            after that (the end of a note comes this way); "withdrawn" when it was none.
        pitch: MIDI note number.
        onset_s: Seconds since the first sample that was listened to.
        offset_s: The same for its end; None while it sounds.
        velocity: 1 to 127.
        confidence: 0 to 1.
    """

    number: int
    phase: Phase
    pitch: int
    onset_s: float
    offset_s: float | None
    velocity: int
    confidence: float


class Listener(Protocol):
    """Hears notes in sound that comes in pieces. It holds the state of one session and costs the same for each second.

    Attributes:
        sample_rate: Hz of the samples that it takes.
        look_ahead_s: How much sound after an onset it needs before it can tell of it.
    """

    sample_rate: int
    look_ahead_s: float

    def listen(self, samples: npt.NDArray[np.float32]) -> list[HeardNote]:
        """The next samples, mono, shape (n,), any n → what is now known that was not before, in order of time."""
        ...

    def finish(self) -> list[HeardNote]:
        """The sound is over: the ends of what still sounds, and what was still provisional confirmed or withdrawn."""
        ...
