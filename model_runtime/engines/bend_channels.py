"""Pitch bends of several notes at once.

A MIDI bend moves everything on its channel. So notes that sound together go to different channels, as MIDI Polyphonic
Expression does it, and each carries its own bend; the percussion channel stays free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from model_runtime.engines.note_creation import FoundNote
from model_runtime.instruments import PERCUSSION_CHANNEL
from model_runtime.modality import Note, PitchBend

CHANNELS = tuple(channel for channel in range(16) if channel != PERCUSSION_CHANNEL)

_BEND_RANGE_SEMITONES = 2.0
_BEND_LIMIT = 8192
_SMALLEST_STEP = 128  # three cents


def spread(
    found: Sequence[FoundNote], notes: Sequence[Note], time_of: Callable[[int], float]
) -> tuple[list[Note], list[PitchBend], bool]:
    """Give each note a channel of its own while it sounds, and its bend on it.

    Args:
        found: Notes in frames with their bends.
        notes: The same in seconds, in the same order, by onset.
        time_of: Frame → seconds.

    Returns:
        The notes on their channels, the bends, and whether some notes had to do without (more than 15 at once).
    """
    free_at = dict.fromkeys(CHANNELS, 0.0)
    placed: list[Note] = []
    bends: list[PitchBend] = []
    crowded = False
    for source, note in zip(found, notes, strict=True):
        channel = min(free_at, key=lambda c: free_at[c])
        if free_at[channel] > note.onset_s:
            crowded = True
        elif source.bend is not None:
            bends += _bends(source, note, channel, time_of)
        free_at[channel] = max(free_at[channel], note.offset_s)
        placed.append(replace(note, channel=channel))
    return placed, bends, crowded


def _bends(source: FoundNote, note: Note, channel: int, time_of: Callable[[int], float]) -> list[PitchBend]:
    assert source.bend is not None
    values = np.clip(np.round(source.bend / _BEND_RANGE_SEMITONES * _BEND_LIMIT), -_BEND_LIMIT, _BEND_LIMIT - 1)
    bends: list[PitchBend] = []
    for i, value in enumerate(values.astype(int).tolist()):
        if not bends or abs(value - bends[-1].value) >= _SMALLEST_STEP:
            bends.append(PitchBend(max(time_of(source.start_frame + i), note.onset_s), value, channel))
    return bends
