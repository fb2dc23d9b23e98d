"""How a score is played beside what its marks ask for."""

from __future__ import annotations

from collections.abc import Sequence

from model_runtime.modality import Note
from model_runtime.playback.realising import Struck
from model_runtime.tempo import TempoMap


class Manner:
    """As the rules say, neither more nor less; who plays otherwise has another."""

    def paced(self, tempo_map: TempoMap) -> TempoMap:
        """The score's own tempo as it is really taken, with the same quarter notes, metres and keys."""
        return tempo_map

    def played(self, notes: list[Note], strokes: Sequence[Struck]) -> list[Note]:
        """The notes as they are really played, none more and none less; `strokes` are the same as the rules made them.

        Notes of one key may overlap.
        """
        return notes
