"""C clefs at the start of a line, found by their shape: songs and piano music, of which the network learned, have none.

A C clef is a thick upright as high as the staff, centred on the line that it names, and behind it two bows that mirror
each other there. Only where no other clef was seen is one looked for.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model_runtime.unified.bands import BAND_SPACE_PX, CELL_PX, HIGHEST_ROW, MARGIN_SPACES
from model_runtime.unified.centres import Floats, Seen
from model_runtime.unified.glyph_classes import GROUP_NAMES, KIND_INDEX
from model_runtime.unified.key_signatures import LINE_START_SPACES

_LINES = (0, 2, 4, 6, 8)  # staff positions that it may name
_INK, _UPRIGHT = 0.4, 0.85  # darkness of ink; share of it in a column of the upright
_THINNEST_PX, _THICKEST_PX = 2, 8
_FROM_SPACES, _TO_SPACES, _BOWS_SPACES = -0.6, 4.0, 2.3
_USUAL_FILL = 0.2  # share of ink between the staff lines where the bows are
_LEAST_LIKENESS = 0.45  # on development pages C clefs have 0.5 to 0.96, other line starts below 0.3
_WIDTH_SPACES = 2.8
_PROBABILITY = 0.6
_CLEF = GROUP_NAMES.index("clef")
_INSIDE = [GROUP_NAMES.index(name) for name in ("head", "rest", "key-sign", "meter")]


def with_c_clef(seen: Seen, band: npt.NDArray[np.uint8]) -> Seen:
    """What is seen in a band, with the C clef at its start if it shows one and no other clef was seen there."""
    if not len(seen) or ((seen.group == _CLEF) & (seen.x < LINE_START_SPACES)).any():
        return seen
    found = find(band)
    if found is None:
        return seen
    x, position = found
    keep = ~(np.isin(seen.group, _INSIDE) & (seen.x < x + _WIDTH_SPACES))
    values = {name: np.append(own[keep], 0) for name, own in seen.values.items()}
    values["kind"][-1] = KIND_INDEX["clef:C"]
    return Seen(
        np.append(seen.group[keep], _CLEF),
        np.append(seen.position[keep], position),
        np.append(seen.x[keep], x).astype(np.float32),
        np.append(seen.probability[keep], _PROBABILITY).astype(np.float32),
        values,
        {name: np.append(own[:, keep], [[0], [0]], axis=1) for name, own in seen.of_stem.items()},
    )


def find(band: npt.NDArray[np.uint8]) -> tuple[float, int] | None:
    """Place in staff spaces and staff position of the C clef at the start of a band (`bands.cut_band`), if any."""
    ink: Floats = (band / 255).astype(np.float32)
    margin = round(MARGIN_SPACES * BAND_SPACE_PX)
    lines = np.median(ink[:, margin:], axis=1, keepdims=True)
    clean: Floats = np.clip(ink - lines, 0, 1).astype(np.float32)
    best, place = _LEAST_LIKENESS, None
    for position in _LINES:
        middle = round((HIGHEST_ROW + 0.5 - position) * CELL_PX)
        rows = slice(middle - 4 * CELL_PX, middle + 4 * CELL_PX)  # two staff spaces each way
        upright = (ink[rows][1:-1] > _INK).mean(axis=0) > _UPRIGHT
        for begin, end in _runs(upright):
            if begin < margin + _FROM_SPACES * BAND_SPACE_PX or begin > margin + _TO_SPACES * BAND_SPACE_PX:
                continue
            bows = clean[rows, end + 1 : end + 1 + round(_BOWS_SPACES * BAND_SPACE_PX)]
            if _THINNEST_PX <= end - begin <= _THICKEST_PX and _likeness(bows) > best:
                best, place = _likeness(bows), ((begin - margin) / BAND_SPACE_PX, position)
    return place


def _runs(columns: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], columns, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _likeness(bows: Floats) -> float:
    """How far what stands there mirrors itself, 0 to 1; less where there is little."""
    if bows.size == 0 or bows.std() == 0:
        return 0.0
    mirrored = float(np.corrcoef(bows.ravel(), bows[::-1].ravel())[0, 1])
    return mirrored * min(float(bows.mean()) / _USUAL_FILL, 1.0)
