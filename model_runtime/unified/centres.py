"""Heat maps and attribute logits of one band → what is seen where. numpy only; the same for torch and onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.unified.bands import CELL_SPACES, HIGHEST_ROW, MARGIN_SPACES
from model_runtime.unified.glyph_classes import ATTRIBUTES, GROUP_NAMES, GROUP_OF, KINDS, STEM_ATTRIBUTES

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
# Probability above which a centre of a group is one: where F1 on development pages is highest. Of clefs far more are
# let through: a line has one at its start, and `key_signatures.likely_clefs` takes the likeliest.
_THRESHOLDS = {
    **{"head": 0.42, "rest": 0.42, "clef": 0.12, "key-sign": 0.38, "meter": 0.2, "barline": 0.25},
    **{"slur-left": 0.36, "slur-right": 0.36, "staccato": 0.35, "tenuto": 0.38, "mark": 0.35, "arpeggio": 0.38},
    **{"tuplet-number": 0.35, "bracket-left": 0.35, "bracket-right": 0.35, "ottava": 0.3},
}
THRESHOLDS = np.array([_THRESHOLDS[name] for name in GROUP_NAMES], np.float32)
HEAD = GROUP_NAMES.index("head")
_MEMBERS = np.array([[GROUP_OF[kind] == group for kind in KINDS] for group in range(len(GROUP_NAMES))])
# features (n, channels), group (n,), stem (n,) → shared logits, the stem's logits, x within the cell
AttributeReader = Callable[[Floats, Ints, Ints], tuple[Floats, Floats, Floats]]


@dataclass
class Seen:
    """Glyphs of one band.

    Attributes:
        group: Index into `GROUP_NAMES`, shape (n,).
        position: Staff position, shape (n,).
        x: Staff spaces from the line's left edge, shape (n,).
        probability: Of the centre and of its kind, 0 to 1, shape (n,).
        values: Class of each of `ATTRIBUTES`, shape (n,).
        of_stem: For stems up and down the class of each of `STEM_ATTRIBUTES`, shape (2, n).
    """

    group: Ints
    position: Ints
    x: Floats
    probability: Floats
    values: dict[str, Ints]
    of_stem: dict[str, Ints]

    def __len__(self) -> int:
        return len(self.x)


def peaks(heat: Floats, thresholds: Floats = THRESHOLDS) -> tuple[Ints, Ints, Ints]:
    """Groups, rows and columns where a heat map (groups, rows, columns) of probabilities has a peak above (groups,)."""
    from scipy import ndimage

    highest = ndimage.maximum_filter(heat, size=(1, 3, 3), mode="constant")
    group, row, column = np.nonzero((heat >= thresholds[:, None, None]) & (heat >= highest))
    return group.astype(np.int64), row.astype(np.int64), column.astype(np.int64)


def probabilities(logits: Floats) -> Floats:
    """Logistic function."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def read_centres(
    logits: Floats, fine: Floats, middle: Floats, attributes: AttributeReader, thresholds: Floats = THRESHOLDS
) -> Seen:
    """Everything above its group's threshold in one band.

    Args:
        logits: Heat maps, shape (groups, rows, columns).
        fine: Features, shape (channels, rows, columns).
        middle: Features at half of that resolution.
        attributes: Reads features.
    """
    heat = probabilities(logits)
    group, row, column = peaks(heat, thresholds)
    features = np.concatenate([fine[:, row, column], middle[:, row // 2, column // 2]]).T
    none = np.zeros(len(group), np.int64)
    if not len(group):
        empty: dict[str, Ints] = dict.fromkeys(ATTRIBUTES, none)
        return Seen(group, row, np.zeros(0, np.float32), np.zeros(0, np.float32), empty, {})
    shared, up, within = attributes(features, group, none + 1)
    down = up.copy()
    heads = group == HEAD
    if heads.any():
        down[heads] = attributes(features[heads], group[heads], none[heads] + 2)[1]
    values, sure = _classes(shared, group)
    x = (column + np.clip(within, -0.5, 1.5)) * CELL_SPACES - MARGIN_SPACES
    of_stem = {
        name: np.stack([part[:, a:b].argmax(axis=1) for part in (up, down)])
        for name, (a, b) in _spans(STEM_ATTRIBUTES).items()
    }
    return Seen(group, HIGHEST_ROW - row, x.astype(np.float32), heat[group, row, column] * sure, values, of_stem)


def _classes(shared: Floats, group: Ints) -> tuple[dict[str, Ints], Floats]:
    """Class of every attribute, and how sure the kind is."""
    values = {}
    sure = np.ones(len(group), np.float32)
    for name, (a, b) in _spans(ATTRIBUTES).items():
        logits = shared[:, a:b]
        if name == "kind":
            logits = np.where(_MEMBERS[group], logits, -np.inf)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            sure = (odds.max(axis=1) / odds.sum(axis=1)).astype(np.float32)
        values[name] = logits.argmax(axis=1)
    return values, sure


def _spans(sizes: dict[str, int]) -> dict[str, tuple[int, int]]:
    ends = np.cumsum([0, *sizes.values()])
    return {name: (int(ends[i]), int(ends[i + 1])) for i, name in enumerate(sizes)}
