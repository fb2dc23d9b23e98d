"""What rhythms look like in scores, counted: the prior of the quantiser and of the beat tracker.

The counts in `rhythm_prior.npz` come from the training part of the OpenScore Lieder corpus (CC0) by
`python -m model_runtime.training.rhythm_prior LIEDER`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatTable = npt.NDArray[np.float64]

PRIOR_FILE = Path(__file__).with_name("rhythm_prior.npz")

TICKS = 24
"""Grid of the beat tracker: ticks in a quarter note; thirty-second notes and sixteenth triplets fall on it."""

TICKS_IN_USE = (0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 20, 21)
"""Positions within a quarter note that the beat tracker considers."""

METERS = ((2, 4), (3, 4), (4, 4), (6, 8), (9, 8), (12, 8), (3, 8))
"""Metres that the beat tracker chooses from; others come only from a tempo map."""

SUBDIVISIONS = (1, 2, 3, 4, 6, 8, 12, 5, 7, 9, 16, 24)
"""Equal parts into which a beat may fall."""

LARGEST_SUBDIVISION = max(SUBDIVISIONS)
START, END = LARGEST_SUBDIVISION + 1, LARGEST_SUBDIVISION
"""Rows and columns of a chain table that stand for "before the first onset of the beat" and "after its last"."""

SIZES, BASS, LENGTHS, NOVELTY = 4, 2, 4, 3
"""Classes of what a beat tracker hears of a chord: notes in it, whether it is a low point, how long it lasts, and
how much of its harmony is new."""


@dataclass(frozen=True)
class MeterPrior:
    """Costs (negative log probabilities) of one metre, over the positions that the tracker considers.

    Attributes:
        positions: In ticks from the barline, shape (n,).
        advance: Cost of the next onset lying at a position, shape (n, n), within a measure's length.
        skip_measure: Cost of letting a whole further measure pass.
        accent: Cost of a chord's class at a position, shape (n, SIZES, BASS, LENGTHS, NOVELTY).
        start: Cost of a piece's first onset at a position, shape (n,).
        popularity: Cost of the metre itself.
    """

    numerator: int
    denominator: int
    positions: npt.NDArray[np.int64]
    advance: FloatTable
    skip_measure: float
    accent: FloatTable
    start: FloatTable
    popularity: float

    @property
    def measure_ticks(self) -> int:
        """Length of a measure in ticks."""
        return TICKS * 4 * self.numerator // self.denominator


@dataclass(frozen=True)
class BeatPrior:
    """Costs of how beats divide, for beats of two (simple) or three (compound) natural parts.

    Attributes:
        follow: Cost of a subdivision after another, shape (len(SUBDIVISIONS),) * 2.
        chain: Cost of the next onset within a beat, by subdivision, last onset and next, shape (subdivisions,
            LARGEST_SUBDIVISION + 2, LARGEST_SUBDIVISION + 2), with START and END.
    """

    follow: FloatTable
    chain: FloatTable


def positions_of(numerator: int, denominator: int) -> npt.NDArray[np.int64]:
    """Ticks from the barline that the beat tracker considers in a metre, ascending."""
    length = TICKS * 4 * numerator // denominator
    ticks = [quarter * TICKS + tick for quarter in range(length // TICKS + 1) for tick in TICKS_IN_USE]
    return np.array([tick for tick in ticks if tick < length and (denominator == 4 or tick % 3 == 0)], np.int64)


def subdivision_of(phases: list[Fraction]) -> int | None:
    """Index of the coarsest subdivision on which all phases (0 ≤ phase < 1) lie; None where there is none."""
    for index in sorted(range(len(SUBDIVISIONS)), key=lambda i: SUBDIVISIONS[i]):
        if all((phase * SUBDIVISIONS[index]).denominator == 1 for phase in phases):
            return index
    return None


@cache
def meter_priors() -> tuple[MeterPrior, ...]:
    """The costs of every metre in `METERS`."""
    with np.load(PRIOR_FILE) as counts:
        total = sum(float(counts[f"pieces_{n}_{d}"]) + 20.0 for n, d in METERS)
        return tuple(
            _meter_prior(
                (n, d),
                counts[f"advance_{n}_{d}"].astype(np.float64),
                counts[f"accent_{n}_{d}"].astype(np.float64),
                counts[f"start_{n}_{d}"].astype(np.float64),
                (float(counts[f"pieces_{n}_{d}"]) + 20.0) / total,
            )
            for n, d in METERS
        )


@cache
def beat_prior(compound: bool) -> BeatPrior:
    """How beats divide; `compound` for dotted beats."""
    name = "compound" if compound else "simple"
    with np.load(PRIOR_FILE) as counts:
        follow = counts[f"follow_{name}"].astype(np.float64)
        chain = counts[f"chain_{name}"].astype(np.float64)
    share = follow.sum(axis=0, keepdims=True) / follow.sum() + 1e-4
    follow_cost = -np.log((follow + 20.0 * share) / (follow.sum(axis=1, keepdims=True) + 20.0 * share.sum()))
    chain_cost = np.full(chain.shape, np.inf)
    for index, parts in enumerate(SUBDIVISIONS):
        rows = [START, *range(parts)]
        for row in rows:
            columns = [*range(0 if row == START else row + 1, parts), END]
            if row == START:
                columns = columns[:-1]
            smooth = np.array([4.0 if column in (0, row + 1) else 0.4 for column in columns])
            weights = chain[index, row, columns] + smooth
            chain_cost[index, row, columns] = -np.log(weights / weights.sum())
    return BeatPrior(follow_cost, chain_cost)


def _meter_prior(
    meter: tuple[int, int], advance: FloatTable, accent: FloatTable, start: FloatTable, popularity: float
) -> MeterPrior:
    positions = positions_of(*meter)
    beat = TICKS * 3 // 2 if meter[1] == 8 else TICKS
    within = advance[0]  # (n, n): the next onset comes before a whole measure has passed
    # Positions of the same phase in the beat share what they know: rare rows lean on it.
    phases = positions % beat
    distance = (positions[None, :] - positions[:, None]) % (TICKS * 4 * meter[0] // meter[1])
    distance[distance == 0] = TICKS * 4 * meter[0] // meter[1]
    shared = np.full_like(within, 0.02)
    pooled: dict[tuple[int, int], float] = {}
    for (i, j), count in np.ndenumerate(within):
        key = (int(phases[i]), int(distance[i, j]))
        pooled[key] = pooled.get(key, 0.0) + float(count)
    for i, j in np.ndindex(within.shape):
        shared[i, j] += pooled[int(phases[i]), int(distance[i, j])]
    shared /= shared.sum(axis=1, keepdims=True)
    probability = (within + 30.0 * shared) / (within.sum(axis=1, keepdims=True) + 30.0)
    skipped = float(advance[1].sum() + 1.0) / float(advance.sum() + 2.0)
    classes = accent.reshape(len(positions), -1)
    overall = (classes.sum(axis=0) + 1.0) / (classes.sum() + classes.shape[1])
    per_class = (classes + 20.0 * overall) / (classes.sum(axis=1, keepdims=True) + 20.0)
    first = (start + 0.2) / (start + 0.2).sum()
    return MeterPrior(
        numerator=meter[0],
        denominator=meter[1],
        positions=positions,
        advance=-np.log(probability),
        skip_measure=-float(np.log(skipped)),
        accent=-np.log(per_class).reshape(accent.shape),
        start=-np.log(first),
        popularity=-float(np.log(popularity)),
    )
