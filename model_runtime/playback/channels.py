"""Which MIDI channel and program each part plays on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_runtime.instruments import PERCUSSION_CHANNEL, is_percussion, program_number
from model_runtime.playback.score import Part

CHANNELS = tuple(channel for channel in range(16) if channel != PERCUSSION_CHANNEL)
PIANO = 0


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a part plays."""

    channel: int
    program: int


def seats(parts: Sequence[Part], instrument: str | None) -> list[Seat]:
    """A channel and program for each part; `instrument` replaces what pitched parts play.

    Percussion plays on channel 9. Where there are more than fifteen other parts, those of one program share a
    channel; where there are more than fifteen programs, the rest share the channels round and round.

    Raises:
        InvalidValue: the instrument is not known.
    """
    drums_only = instrument is not None and is_percussion(instrument)
    asked = program_number(instrument) if instrument and not drums_only else None
    percussive = [part.percussion or drums_only for part in parts]
    programs = [asked if asked is not None else part.program or PIANO for part in parts]
    pitched = [i for i, drum in enumerate(percussive) if not drum]
    share = len(pitched) > len(CHANNELS)
    taken: dict[int, int] = {}  # key → channel
    result: list[Seat] = []
    for i, drum in enumerate(percussive):
        if drum:
            result.append(Seat(PERCUSSION_CHANNEL, PIANO))
            continue
        key = programs[i] if share else i
        channel = taken.setdefault(key, CHANNELS[len(taken) % len(CHANNELS)])
        result.append(Seat(channel, programs[i]))
    return result
