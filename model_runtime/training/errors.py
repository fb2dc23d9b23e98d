"""Tokens as readers deliver them: missed, invented, shifted, mistaken, with probabilities that tell a little.

The rates of glyphs follow what the image reader does to pages of held-out scores (`python -m
model_runtime.training.seen --out DIR --errors`), and are those at `level` 1; training draws a level for each window,
and how much of it each kind of error gets, so that some windows have every slur and no tie. Small signs are what a
reader misses and invents; where it invents, it is rarely sure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.glyphs import COMPOUND_FIELDS, Glyph, compound
from model_runtime.tokens.vocabulary import (
    BLOCKS,
    COARSE_STEPS,
    FINE_TICKS,
    GLYPH_KINDS,
    IDS,
    LOWEST_POSITION,
    NOTEHEADS,
    PAD_ID,
    PROBABILITY_BINS,
    TICK_S,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
_COLUMN = {name: i for i, name in enumerate(COMPOUND_FIELDS)}
_LAST_TICK = COARSE_STEPS * FINE_TICKS - 1

# Shares at level 1, by the beginning of the kind's name: the longest that fits counts.
_MISSED = {
    **{"head": 0.015, "rest": 0.06, "clef": 0.03, "glyph-key": 0.03, "meter": 0.1, "barline": 0.02, "slur-end": 0.2},
    **{"mark:staccato": 0.15, "mark:accent": 0.08, "mark:fermata": 0.12, "mark:strong-accent": 0.12},
    **{"mark:arpeggio": 0.25, "mark": 0.5, "tuplet": 0.4, "ottava": 0.5},
}
_MISSED_CLEF_CHANGES = 0.2
_ALL_NUMBERS_MISSED = 0.3  # of the windows with any errors: many editions print a triplet's number only at first
_INVENTED = {  # for each notehead there is
    **{"slur-end:left": 0.03, "slur-end:right": 0.03, "mark:staccato": 0.006, "mark:accent": 0.003},
    **{"mark:tenuto": 0.002, "mark:fermata": 0.001, "mark:arpeggio": 0.015, "mark:strong-accent": 0.001},
    **{"mark:trill": 0.001, "tuplet-number": 0.008},
    **{"rest:16th": 0.001, "rest:quarter": 0.001, "rest:eighth": 0.001, "clef:G": 0.002, "clef:F": 0.002},
}
_TAKEN_FOR = {  # another kind, and how often
    **{"head:black": ("head:half", 0.004), "head:half": ("head:black", 0.12), "head:whole": ("head:half", 0.06)},
    **{"rest:whole": ("rest:half", 0.03), "rest:half": ("rest:whole", 0.03), "rest:quarter": ("rest:eighth", 0.01)},
    **{"rest:eighth": ("rest:16th", 0.01), "rest:16th": ("rest:eighth", 0.03), "rest:32nd": ("rest:16th", 0.2)},
    **{"mark:staccato": ("mark:tenuto", 0.02), "mark:tenuto": ("mark:staccato", 0.1)},
    **{"mark:strong-accent": ("mark:accent", 0.2), "slur-end:left": ("slur-end:right", 0.02)},
    **{"slur-end:right": ("slur-end:left", 0.02), "barline:double": ("barline:single", 0.5)},
}


@dataclass(frozen=True)
class AttributeErrors:
    """How often something seen at a notehead is missed, where it is; taken for another; and seen where it is not."""

    missed: float
    mistaken: float
    invented: float
    values: int  # likely ones: 1 to this


_ATTRIBUTES = {
    "dots": AttributeErrors(0.05, 0.01, 0.003, 2),
    "accidental": AttributeErrors(0.05, 0.05, 0.003, 3),
    "stem": AttributeErrors(0.005, 0.005, 0.002, 2),
    "flags": AttributeErrors(0.08, 0.02, 0.004, 3),
    "beams_left": AttributeErrors(0.025, 0.03, 0.006, 3),
    "beams_right": AttributeErrors(0.025, 0.03, 0.006, 3),
    "ties": AttributeErrors(0.16, 0.02, 0.006, 3),
    "size": AttributeErrors(0.3, 0.0, 0.001, 1),
    "strokes": AttributeErrors(0.6, 0.0, 0.0005, 3),
}
_SHIFTED = 0.008  # of the heads by a position
_DOUBLED = 0.006  # of the heads, with another position
_PLACE_SPACES = 0.15  # standard deviation of x


@dataclass(frozen=True)
class NoteErrorRates:
    """Shares of notes that go wrong at level 1, and spreads of the rest."""

    missed: float = 0.04
    spurious: float = 0.04
    octave: float = 0.01
    duration: float = 0.3  # standard deviation of the logarithm
    onset_s: float = 0.01
    velocity: float = 2.0  # steps of four


def _by_kind(rates: Mapping[str, float]) -> Floats:
    """A rate for each id of the block `glyph`."""
    fitting = [[name for name in rates if kind.startswith(name)] for kind in GLYPH_KINDS]
    return np.array([rates[max(names, key=len)] if names else 0.0 for names in fitting])


_FIRST_KIND = BLOCKS["glyph"].start
_MISSED_BY_KIND = _by_kind(_MISSED)
_FAMILIES = np.unique([k.partition(":")[0] if k[:4] != "mark" else k for k in GLYPH_KINDS], return_inverse=True)[1]
_CLEFS = np.array([kind.startswith("clef:") for kind in GLYPH_KINDS])
_SMALL = np.array([kind.startswith(("slur", "mark", "tuplet", "ottava")) for kind in GLYPH_KINDS])
_CONFUSED = {IDS[kind]: (IDS[other], rate) for kind, (other, rate) in _TAKEN_FOR.items()}
# How sure a reader is, by bin, of small signs that are there, and of what is not.
_SMALL_AND_RIGHT = np.array([0.08, 0.08, 0.10, 0.11, 0.14, 0.14, 0.17, 0.18])
_SMALL_AND_INVENTED = np.array([0.60, 0.12, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02])


def spoil_glyphs(ids: Ints, x: Floats, level: float, rng: np.random.Generator) -> tuple[Ints, Floats, Ints]:
    """Glyphs with errors.

    Args:
        ids: Compound ids, shape (n, fields).
        x: Places in staff spaces, shape (n,).
        level: 0 is a perfect reader, 1 a poor one.

    Returns:
        ids (m, fields), x (m,), and for each the row that it was, -1 for one that was never there; sorted by x.
    """
    n = len(ids)
    ids, x, source = ids.copy(), x + rng.normal(0.0, 0.02 + _PLACE_SPACES * level, n), np.arange(n)
    missed = _missed(ids, x, level, rng)
    wrong = np.zeros(n, bool)
    _shift_positions(ids, wrong, level, rng)
    for row, chance in enumerate(rng.random(n).tolist()):
        other, rate = _CONFUSED.get(int(ids[row, 0]), (0, 0.0))
        if chance < rate * level:
            ids[row, 0], wrong[row] = other, True
    _mistake_attributes(ids, wrong, level, rng)
    more_ids, more_x = _invented(ids, x, level, rng)
    ids, x = np.concatenate([ids, more_ids]), np.concatenate([x, more_x])
    source = np.concatenate([source, np.full(len(more_ids), -1)])
    ids[:, _COLUMN["probability"]] = _probabilities(ids[:, 0] - _FIRST_KIND, wrong, source < 0, level, rng)
    kept = np.append(~missed, np.ones(len(more_ids), bool))
    if not kept.any():
        kept[:] = True
    order = np.argsort(x[kept], kind="stable")
    return ids[kept][order], x[kept][order], source[kept][order]


def _missed(ids: Ints, x: Floats, level: float, rng: np.random.Generator) -> Flags:
    """Which glyphs are not seen. A window has its own luck with each family of signs."""
    kinds = ids[:, 0] - _FIRST_KIND
    luck = 2.0 * rng.random(_FAMILIES.max() + 1)
    rates = _MISSED_BY_KIND[kinds] * luck[_FAMILIES[kinds]]
    heads = x[_heads(ids)]
    if len(heads):
        rates[_CLEFS[kinds] & (x > heads.min())] = _MISSED_CLEF_CHANGES
    if level > 0 and rng.random() < _ALL_NUMBERS_MISSED:
        rates[ids[:, 0] == IDS["tuplet-number"]] = 1.0 / level
    return np.asarray(rng.random(len(ids)) < rates * level)


def _heads(ids: Ints) -> Flags:
    return np.asarray(ids[:, 0] < _FIRST_KIND + len(NOTEHEADS))


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


def _shift_positions(ids: Ints, wrong: Flags, level: float, rng: np.random.Generator) -> None:
    shifted = _heads(ids) & (rng.random(len(ids)) < _SHIFTED * level)
    column = _COLUMN["position"]
    ids[shifted, column] = _within(ids[shifted, column] + rng.choice([-1, 1], int(shifted.sum())), "position")
    wrong |= shifted
    tips = ids[:, _COLUMN["tip"]] != PAD_ID
    jitter = rng.integers(-1, 2, len(ids)) * (rng.random(len(ids)) < 0.3 * level)
    ids[tips, _COLUMN["tip"]] = _within(ids[tips, _COLUMN["tip"]] + jitter[tips], "tip")


def _mistake_attributes(ids: Ints, wrong: Flags, level: float, rng: np.random.Generator) -> None:
    heads = _heads(ids)
    for name, errors in _ATTRIBUTES.items():
        column = _COLUMN[name]
        luck = 2.0 * rng.random() * level
        present = ids[:, column] != PAD_ID
        chance = rng.random(len(ids))
        missed = present & (chance < errors.missed * luck)
        other = ~missed & (chance < np.where(present, errors.missed + errors.mistaken, errors.invented) * luck)
        for row in np.flatnonzero(heads & (missed | other)).tolist():
            value = 0 if missed[row] else 1 + int(rng.integers(errors.values))
            ids[row, column] = PAD_ID if value == 0 else BLOCKS[name].id_of(value)
            if name == "stem":
                ids[row, _COLUMN["tip"]] = PAD_ID if value == 0 else BLOCKS["tip"].id_of(4 - LOWEST_POSITION)
            wrong[row] = True


def _invented(ids: Ints, x: Floats, level: float, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Signs that are nowhere, near heads; and heads that are seen twice, in two places."""
    heads = np.flatnonzero(_heads(ids))
    doubled = heads[rng.random(len(heads)) < _DOUBLED * level]
    added = ids[doubled].copy()
    column = _COLUMN["position"]
    added[:, column] = _within(added[:, column] + rng.integers(-6, 7, len(doubled)), "position")
    rows, places = [*added], [*(x[doubled] + rng.normal(0.0, 1.0, len(doubled)))]
    for kind, rate in _INVENTED.items():
        for head in heads[rng.random(len(heads)) < rate * level * 2.0 * rng.random()].tolist():
            staff = BLOCKS["glyph_staff"].value_of(int(ids[head, _COLUMN["staff"]])) or 0
            beside = int(ids[head, column]) - BLOCKS["position"].start + LOWEST_POSITION + int(rng.integers(-9, 10))
            height = {"rest": 4, "clef": 6 if kind == "clef:F" else 2}.get(kind.partition(":")[0], beside)
            glyph = Glyph(kind, 0.0, staff, height, number=3 if kind == "tuplet-number" else 0)
            rows.append(np.array(compound(glyph)))
            places.append(float(x[head] + rng.normal(0.0, 1.0)))
    return np.array(rows, np.int64).reshape(-1, ids.shape[1]), np.array(places)


def _probabilities(kinds: Ints, wrong: Flags, invented: Flags, level: float, rng: np.random.Generator) -> Ints:
    """Ids of how sure the reader is; it does not know of what it mistook, and half knows of what it invented."""
    count, highest = len(kinds), PROBABILITY_BINS - 1
    wrong = np.append(wrong, np.zeros(count - len(wrong), bool))
    unsure = rng.random(count) < 0.02 + 0.15 * level + 0.3 * wrong
    value = np.where(unsure, rng.integers(2, highest + 1, count), highest)
    value = np.where(invented, rng.integers(0, highest + 1, count), value)
    if level > 0:
        small = _SMALL[kinds]
        value[small] = rng.choice(PROBABILITY_BINS, int(small.sum()), p=_SMALL_AND_RIGHT)
        small &= invented
        value[small] = rng.choice(PROBABILITY_BINS, int(small.sum()), p=_SMALL_AND_INVENTED)
    return np.asarray(np.where(value > 0, BLOCKS["probability"].start + value, PAD_ID), np.int64)


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
    ids[:, 5] = _note_probabilities(wrong, level, rng)
    kept = rng.random(len(ids)) >= rates.missed * level
    if not kept.any():
        kept[:] = True
    order = np.argsort(ticks[kept], kind="stable")
    return ids[kept][order], ticks[kept][order], source[kept][order]


def _note_probabilities(wrong: Flags, level: float, rng: np.random.Generator) -> Ints:
    highest = PROBABILITY_BINS - 1
    unsure = rng.random(len(wrong)) < 0.02 + 0.15 * level
    right = np.where(unsure, rng.integers(2, highest + 1, len(wrong)), highest)
    mistaken = rng.integers(0, highest + 1, len(wrong))
    value = np.where(wrong, mistaken, right)
    return np.asarray(BLOCKS["probability"].start + value, np.int64)


def _spoil_lengths(ids: Ints, notes: Flags, spread: float, rng: np.random.Generator) -> None:
    coarse, fine = BLOCKS["duration_coarse"].start, BLOCKS["duration_fine"].start
    length = (ids[notes, 2] - coarse) * FINE_TICKS + (ids[notes, 3] - fine)
    length = np.clip(np.rint(length * np.exp(rng.normal(0.0, spread, len(length)))), 1, _LAST_TICK).astype(np.int64)
    ids[notes, 2], ids[notes, 3] = coarse + length // FINE_TICKS, fine + length % FINE_TICKS
