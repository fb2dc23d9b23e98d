"""Tokens as readers deliver them: missed, doubled, shifted, mistaken, with probabilities that tell a little.

A reader is surer where it is right, but not always: wrong tokens draw their probability from the lower bins, right
ones mostly from the highest. The rates are those at `level` 1; training draws a level for each window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.glyphs import COMPOUND_FIELDS
from model_runtime.tokens.vocabulary import (
    BLOCKS,
    COARSE_STEPS,
    FINE_TICKS,
    IDS,
    LOWEST_POSITION,
    PAD_ID,
    PROBABILITY_BINS,
    TICK_S,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_COLUMN = {name: i for i, name in enumerate(COMPOUND_FIELDS)}
_LAST_TICK = COARSE_STEPS * FINE_TICKS - 1


@dataclass(frozen=True)
class GlyphErrorRates:
    """Shares of glyphs that go wrong at level 1."""

    missed: float = 0.04
    spurious: float = 0.03
    position: float = 0.015
    kind: float = 0.015
    attribute: float = 0.02  # of each attribute that a notehead has
    place_spaces: float = 0.15  # standard deviation of x


@dataclass(frozen=True)
class NoteErrorRates:
    """Shares of notes that go wrong at level 1, and spreads of the rest."""

    missed: float = 0.04
    spurious: float = 0.04
    octave: float = 0.01
    duration: float = 0.3  # standard deviation of the logarithm
    onset_s: float = 0.01
    velocity: float = 2.0  # steps of four


_CONFUSED_KINDS: dict[str, tuple[str, ...]] = {
    "head:black": ("head:half",),
    "head:half": ("head:black", "head:whole"),
    "head:whole": ("head:half",),
    "rest:whole": ("rest:half",),
    "rest:half": ("rest:whole",),
    "rest:quarter": ("rest:eighth",),
    "rest:eighth": ("rest:16th", "rest:quarter"),
    "rest:16th": ("rest:eighth", "rest:32nd"),
    "mark:staccato": ("mark:tenuto",),
    "mark:tenuto": ("mark:staccato",),
    "mark:accent": ("mark:strong-accent",),
    "slur-end:left": ("slur-end:right",),
    "slur-end:right": ("slur-end:left",),
    "barline:single": ("barline:double",),
}
_CONFUSED = {IDS[kind]: [IDS[other] for other in others] for kind, others in _CONFUSED_KINDS.items()}
_ATTRIBUTES = ("dots", "accidental", "stem", "flags", "beams_left", "beams_right", "ties", "size", "strokes")
_LIKELY = {"dots": 2, "accidental": 4, "stem": 3, "flags": 3, "beams_left": 3, "beams_right": 3, "ties": 4, "size": 3}


def spoil_glyphs(
    ids: Ints, x: Floats, level: float, rng: np.random.Generator, rates: GlyphErrorRates | None = None
) -> tuple[Ints, Floats, Ints]:
    """Glyphs with errors.

    Args:
        ids: Compound ids, shape (n, fields).
        x: Places in staff spaces, shape (n,).
        level: 0 is a perfect reader, 1 a poor one.

    Returns:
        ids (m, fields), x (m,), and for each the row that it was, -1 for one that was never there; sorted by x.
    """
    rates = rates or GlyphErrorRates()
    n = len(ids)
    ids, x, source = ids.copy(), x + rng.normal(0.0, 0.02 + rates.place_spaces * level, n), np.arange(n)
    wrong = np.zeros(n, bool)
    _shift_positions(ids, wrong, level, rates, rng)
    for row in np.flatnonzero(rng.random(n) < rates.kind * level):
        others = _CONFUSED.get(int(ids[row, 0]))
        if others:
            ids[row, 0], wrong[row] = others[int(rng.integers(len(others)))], True
    _mistake_attributes(ids, wrong, level, rates, rng)
    extra = np.flatnonzero(rng.random(n) < rates.spurious * level)
    ids, x = np.concatenate([ids, ids[extra]]), np.concatenate([x, x[extra] + rng.normal(0.0, 1.5, len(extra))])
    source = np.concatenate([source, np.full(len(extra), -1)])
    wrong = np.concatenate([wrong, np.ones(len(extra), bool)])
    if len(extra):
        column = ids[n:, _COLUMN["position"]]
        moved = column + rng.integers(-6, 7, len(extra))
        ids[n:, _COLUMN["position"]] = _within(moved, "position")
    ids[:, _COLUMN["probability"]] = _probabilities(wrong, level, rng)
    kept = rng.random(len(ids)) >= rates.missed * level
    if not kept.any():
        kept[:] = True
    order = np.argsort(x[kept], kind="stable")
    return ids[kept][order], x[kept][order], source[kept][order]


def jolt_glyphs(ids: Ints, x: Floats, level: float, rng: np.random.Generator) -> tuple[Ints, Floats, Ints]:
    """What a reader saw, once more a little different: moved, and a few glyphs fewer; results as `spoil_glyphs`."""
    x = x + rng.normal(0.0, 0.02 + 0.1 * level, len(ids))
    kept = rng.random(len(ids)) >= 0.02 * level
    if not kept.any():
        kept[:] = True
    order = np.argsort(x[kept], kind="stable")
    return ids[kept][order], x[kept][order], np.flatnonzero(kept)[order]


def _within(ids: Ints, block: str) -> Ints:
    return np.clip(ids, BLOCKS[block].start, BLOCKS[block].start + len(BLOCKS[block]) - 1)


def _shift_positions(
    ids: Ints, wrong: npt.NDArray[np.bool_], level: float, rates: GlyphErrorRates, rng: np.random.Generator
) -> None:
    heads = ids[:, 0] < BLOCKS["glyph"].start + 4
    shifted = heads & (rng.random(len(ids)) < rates.position * level)
    column = _COLUMN["position"]
    ids[shifted, column] = _within(ids[shifted, column] + rng.choice([-1, 1], int(shifted.sum())), "position")
    wrong |= shifted
    tips = ids[:, _COLUMN["tip"]] != PAD_ID
    jitter = rng.integers(-1, 2, len(ids)) * (rng.random(len(ids)) < 0.3 * level)
    ids[tips, _COLUMN["tip"]] = _within(ids[tips, _COLUMN["tip"]] + jitter[tips], "tip")


def _mistake_attributes(
    ids: Ints, wrong: npt.NDArray[np.bool_], level: float, rates: GlyphErrorRates, rng: np.random.Generator
) -> None:
    """An attribute that is there is missed or mistaken; one that is not is seen, ten times less often."""
    heads = ids[:, 0] < BLOCKS["glyph"].start + 4
    for name in _ATTRIBUTES:
        column = _COLUMN[name]
        present = ids[:, column] != PAD_ID
        rate = np.where(present, rates.attribute, rates.attribute / 10) * level
        for row in np.flatnonzero(heads & (rng.random(len(ids)) < rate)):
            value = int(rng.integers(0, _LIKELY.get(name, 4)))
            ids[row, column] = PAD_ID if value == 0 else BLOCKS[name].id_of(value)
            if name == "stem":
                no_stem = value == 0
                ids[row, _COLUMN["tip"]] = PAD_ID if no_stem else BLOCKS["tip"].id_of(4 - LOWEST_POSITION)
            wrong[row] = True


def _probabilities(wrong: npt.NDArray[np.bool_], level: float, rng: np.random.Generator) -> Ints:
    highest = PROBABILITY_BINS - 1
    unsure = rng.random(len(wrong)) < 0.02 + 0.15 * level
    right = np.where(unsure, rng.integers(2, highest + 1, len(wrong)), highest)
    mistaken = rng.integers(0, highest + 1, len(wrong))
    value = np.where(wrong, mistaken, right)
    return np.asarray(BLOCKS["probability"].start + value, np.int64)


def spoil_notes(
    ids: Ints, ticks: Ints, level: float, rng: np.random.Generator, rates: NoteErrorRates | None = None
) -> tuple[Ints, Ints, Ints]:
    """Notes with errors, as `spoil_glyphs`: compound ids (m, 6), onsets in ticks (m,), the row that each was."""
    rates = rates or NoteErrorRates()
    if level <= 0 or not len(ids):
        return ids, ticks, np.arange(len(ids))
    n = len(ids)
    ids, source = ids.copy(), np.arange(n)
    notes = ids[:, 1] != PAD_ID
    moved = ticks + np.rint(rng.normal(0.0, rates.onset_s * level / TICK_S, n)).astype(np.int64)
    ticks = np.clip(moved, 0, _LAST_TICK)
    _spoil_lengths(ids, notes, rates.duration * level, rng)
    wrong = notes & (rng.random(n) < rates.octave * level)
    ids[wrong, 1] = _within(ids[wrong, 1] + rng.choice([-12, 12], int(wrong.sum())), "pitch")
    velocity = ids[:, 4] + np.rint(rng.normal(0.0, rates.velocity * level, n)).astype(np.int64)
    ids[notes, 4] = _within(velocity[notes], "velocity")
    extra = np.flatnonzero(notes & (rng.random(n) < rates.spurious * level))
    added = ids[extra].copy()
    added[:, 1] = _within(added[:, 1] + rng.choice([-12, 12, 19, 7, 1, -1], len(extra)), "pitch")
    ids = np.concatenate([ids, added])
    late = rng.integers(0, 30, len(extra))
    ticks = np.concatenate([ticks, np.clip(ticks[extra] + late, 0, _LAST_TICK)])
    source = np.concatenate([source, np.full(len(extra), -1)])
    wrong = np.concatenate([wrong, np.ones(len(extra), bool)])
    ids[:, 5] = _probabilities(wrong, level, rng)
    kept = rng.random(len(ids)) >= rates.missed * level
    if not kept.any():
        kept[:] = True
    order = np.argsort(ticks[kept], kind="stable")
    return ids[kept][order], ticks[kept][order], source[kept][order]


def _spoil_lengths(ids: Ints, notes: npt.NDArray[np.bool_], spread: float, rng: np.random.Generator) -> None:
    coarse, fine = BLOCKS["duration_coarse"].start, BLOCKS["duration_fine"].start
    length = (ids[notes, 2] - coarse) * FINE_TICKS + (ids[notes, 3] - fine)
    length = np.clip(np.rint(length * np.exp(rng.normal(0.0, spread, len(length)))), 1, _LAST_TICK).astype(np.int64)
    ids[notes, 2], ids[notes, 3] = coarse + length // FINE_TICKS, fine + length % FINE_TICKS
