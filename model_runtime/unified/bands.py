"""A staff of a flattened page → a band of fixed height in which a row means a staff position.

`BAND_SPACE_PX` to the staff space, `CELL_PX` to the position: row `j` of cells is position `HIGHEST_ROW - j`, and a
column of cells is half a staff space wide. The staff's bends are straightened on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.unified.page_light import FlatPage
from model_runtime.unified.staves import Staff

BAND_SPACE_PX = 8
CELL_PX = 4
CELL_SPACES = CELL_PX / BAND_SPACE_PX
CELL_ROWS = 40
HIGHEST_ROW = 24  # staff position of the uppermost row of cells
LOWEST_ROW = HIGHEST_ROW - CELL_ROWS + 1
BAND_HEIGHT_PX = CELL_ROWS * CELL_PX
MARGIN_SPACES = 2.0  # left and right of the line of music
_TOP_POSITION = 8

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """Where a line of music lies, in pixels of a flattened page.

    Attributes:
        left: Where its staves begin: x = 0.
        right: Where they end.
        space: Pixels of a staff space along it.
    """

    left: float
    right: float
    space: float

    @property
    def columns(self) -> int:
        """Cells that a band of this line is wide."""
        return int(np.ceil(((self.right - self.left) / self.space + 2 * MARGIN_SPACES) / CELL_SPACES))


def line_of(staves: tuple[Staff, ...]) -> Line:
    """The line of music that the staves of a system make: they all begin and end together, so the longest tells."""
    left = min(s.left for s in staves)
    right = max(s.right for s in staves)
    return Line(left, right, float(np.mean([s.space for s in staves])))


def cut_band(page: FlatPage, staff: Staff, line: Line) -> npt.NDArray[np.uint8]:
    """The band around a staff: uint8, shape (BAND_HEIGHT_PX, columns · CELL_PX), 0 paper to 255 ink."""
    from scipy import ndimage

    across = (np.arange(line.columns * CELL_PX) + 0.5) / BAND_SPACE_PX - MARGIN_SPACES
    positions = HIGHEST_ROW + 0.5 - (np.arange(BAND_HEIGHT_PX) + 0.5) / CELL_PX
    x = line.left + across * line.space
    top, bottom = staff.top(x), staff.bottom(x)
    y = bottom[None] - positions[:, None] * ((bottom - top) / _TOP_POSITION)[None]
    first, last = int(max(np.floor(y.min()) - 2, 0)), int(min(np.ceil(y.max()) + 3, len(page.ink)))
    if last <= first:
        return np.zeros(y.shape, np.uint8)
    where = np.stack([y - first, np.broadcast_to(x[None], y.shape)])
    band = ndimage.map_coordinates(page.ink[first:last], where, order=1, mode="constant", prefilter=False)
    return np.asarray(np.clip(band * 255 + 0.5, 0, 255), np.uint8)


def in_line(staff: Staff, line: Line, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Points of the flattened page as staff spaces from the line's left edge, and staff positions (not rounded)."""
    across = np.asarray(x, float)
    top, bottom = staff.top(across), staff.bottom(across)
    return (across - line.left) / line.space, (bottom - np.asarray(y, float)) / (bottom - top) * _TOP_POSITION


def on_page(staff: Staff, line: Line, x_spaces: npt.ArrayLike, position: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The inverse of `in_line`."""
    x = line.left + np.asarray(x_spaces, float) * line.space
    top, bottom = staff.top(x), staff.bottom(x)
    return x, bottom - np.asarray(position, float) * (bottom - top) / _TOP_POSITION
