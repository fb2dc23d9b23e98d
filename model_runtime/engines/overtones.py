"""Leaving out notes that are only the overtones of another."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from model_runtime.engines.note_creation import FoundNote

_OVERTONE_SEMITONES = (12, 19, 24, 28, 31, 34, 36)  # second to eighth partial
_WEAKER = 0.7  # an overtone's posterior against its fundamental's; chosen on synthesised pieces
_LATER_START_FRAMES = 4  # a fundamental is often found a little after its overtone
_SHARED_FRAMES = 3

END = 1 << 62  # a frame after all others


class OvertoneFilter:
    """Drops each note that starts while a much surer note sounds of which it could be a partial.

    Works on a stream: a note is passed on as soon as every note that could be its fundamental is known.
    """

    def __init__(self) -> None:
        self._undecided: list[FoundNote] = []
        self._fundamentals: list[FoundNote] = []

    def feed(self, notes: Iterable[FoundNote], known_before: int) -> list[FoundNote]:
        """Take notes in any order; return those that are decided and no overtones.

        Args:
            notes: New notes.
            known_before: Frame before which no further note will start.
        """
        new = list(notes)
        self._undecided += new
        self._fundamentals += new
        decided = [n for n in self._undecided if n.start_frame + _LATER_START_FRAMES < known_before]
        self._undecided = [n for n in self._undecided if n.start_frame + _LATER_START_FRAMES >= known_before]
        kept = self._without_overtones(decided)
        earliest = min((n.start_frame for n in self._undecided), default=known_before)
        earliest = min(earliest, known_before)
        self._fundamentals = [n for n in self._fundamentals if n.end_frame >= earliest]
        return kept

    def _without_overtones(self, notes: list[FoundNote]) -> list[FoundNote]:
        if not notes:
            return []
        columns = [(f.start_frame, f.end_frame, f.pitch, f.amplitude) for f in self._fundamentals]
        starts, ends, pitches, amplitudes = np.array(columns, np.float64).T
        kept = []
        for note in notes:
            explains = (
                (starts <= note.start_frame + _LATER_START_FRAMES)
                & (ends >= note.start_frame + _SHARED_FRAMES)
                & (note.amplitude < _WEAKER * amplitudes)
                & np.isin(note.pitch - pitches, _OVERTONE_SEMITONES)
            )
            if not explains.any():
                kept.append(note)
        return kept
