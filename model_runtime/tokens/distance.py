"""How far two sequences of tokens are apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def edit_distance(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """Levenshtein distance of two sequences."""
    row = np.arange(len(theirs) + 1)
    other = np.asarray(theirs)
    for i, token in enumerate(ours, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (other != token))
        candidates = np.concatenate([[i], best]) - np.arange(len(row))
        row = np.minimum.accumulate(candidates) + np.arange(len(row))
    return int(row[-1])
