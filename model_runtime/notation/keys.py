"""The key of a piece, when nobody said it.

Pitch classes weighted by length are compared with the key profiles of D. Temperley, "What's key for key?", Music
Perception 17 (1999), after the Kostka–Payne corpus; a key gains when the last bass note is its tonic and loses for
what lies outside its scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.notation.stems import PlacedNote

_MAJOR = np.array([0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400])
_MINOR = np.array([0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330])
_LONGEST = 2 * TICKS_PER_QUARTER  # what a held note counts at most
_FINAL_BASS = 0.2
_OUTSIDE = 1.0


def find_key(notes: Sequence[PlacedNote], *, ended: bool = True) -> tuple[int, str]:
    """Key signature (-6 to 5 fifths) and mode ("major", "minor"); (0, "") for no notes.

    Args:
        notes: In any order.
        ended: Whether the last of them end the piece, so that the last bass note tells of the tonic.
    """
    if not notes:
        return 0, ""
    heard = np.zeros(12)
    for note in notes:
        heard[note.pitch % 12] += max(min(note.end - note.onset, _LONGEST), 1)
    heard /= heard.sum()
    end = max(note.end for note in notes)
    final_bass = min(note.pitch for note in notes if note.end > end - TICKS_PER_QUARTER // 2) % 12
    final = _FINAL_BASS if ended else 0.0
    scores = {
        (fifths, mode): _score(heard, final_bass, final, fifths, mode)
        for mode in ("major", "minor")
        for fifths in range(-6, 6)
    }
    return max(scores, key=scores.__getitem__)


def _score(heard: npt.NDArray[np.float64], final_bass: int, final: float, fifths: int, mode: str) -> float:
    tonic = (7 * fifths + (9 if mode == "minor" else 0)) % 12
    profile = np.roll(_MINOR if mode == "minor" else _MAJOR, tonic)
    likeness = _correlation(heard, profile)
    inside = sum(heard[7 * place % 12] for place in range(fifths - 1, fifths + 6))
    return float(likeness + final * (final_bass == tonic) - _OUTSIDE * (1 - inside))


def _correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0
