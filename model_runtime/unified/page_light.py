"""A grey page as scanned or photographed → its ink at a fixed staff space: light, size and skew taken out.

Only numpy, scipy and Pillow. The staff space is found from vertical runs (after Fujinaga, "Staff detection and
removal", 2004): the commonest sum of a black run and the white run below it is the distance between two lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.modality import GreyPage

Ink = npt.NDArray[np.float32]  # 0 is paper, 1 is ink
WORK_SPACE_PX = 12  # staff space of every flattened page
LINE_PX = 4  # ink of fewer rows may be a staff line
SMALLEST_SPACE_PX, LARGEST_SPACE_PX = 4.0, 90.0
_LARGEST_SKEW = 0.12
_FEWEST_RUNS = 200
_STRIP_PX = WORK_SPACE_PX
_FAINTEST_LINE, _FULL_LINE = 0.05, 0.3


@dataclass(frozen=True)
class FlatPage:
    """A page made ready for finding staves.

    Attributes:
        ink: float32, shape (height, width), 0 paper to 1 ink; `WORK_SPACE_PX` to the staff space.
        scale: Pixels of `ink` for a pixel of the page.
        slope: Rows by which lines of the page fell for each column, taken out by turning.
        centre: What the page was turned around, x and y in scaled pixels.
    """

    ink: Ink
    scale: float
    slope: float
    centre: tuple[float, float]

    def from_page(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Points of the page, in its pixels, as they lie in `ink`."""
        return self._turned(np.asarray(x) * self.scale, np.asarray(y) * self.scale, -np.arctan(self.slope))

    def to_page(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Points of `ink` as they lie on the page, in its pixels."""
        across, down = self._turned(np.asarray(x, float), np.asarray(y, float), np.arctan(self.slope))
        return across / self.scale, down / self.scale

    def _turned(
        self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], angle: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        cos, sin = np.cos(angle), np.sin(angle)
        across, down = x - self.centre[0], y - self.centre[1]
        return self.centre[0] + cos * across - sin * down, self.centre[1] + sin * across + cos * down


def flatten(page: GreyPage) -> FlatPage | None:
    """The page's ink at `WORK_SPACE_PX`, upright; None where nothing on it looks like staff lines."""
    from PIL import Image

    space = staff_space(even_light(page))
    if space is None:
        return None
    scale = WORK_SPACE_PX / space
    height, width = page.shape
    size = (max(round(width * scale), 8), max(round(height * scale), 8))
    picture = Image.fromarray(page)
    resized = picture.resize(size, Image.Resampling.BOX if scale < 0.6 else Image.Resampling.BICUBIC)
    ink = even_light(np.asarray(resized))
    slope = skew(line_pixels(ink))
    centre = ((size[0] - 1) / 2, (size[1] - 1) / 2)
    if abs(slope) > 0.0008:
        turned = Image.fromarray(ink).rotate(float(np.degrees(np.arctan(slope))), Image.Resampling.BILINEAR)
        ink = np.asarray(turned, np.float32)
    else:
        slope = 0.0
    return FlatPage(ink, size[0] / width, slope, centre)


def even_light(page: GreyPage) -> Ink:
    """Ink as 0 to 1 whatever the paper's colour and the light on it."""
    from scipy import ndimage

    grey = page.astype(np.float32)
    block = int(np.clip(min(page.shape) // 40, 12, 64))
    padded = np.pad(grey, [(0, -n % block) for n in grey.shape], mode="edge")
    rows, columns = padded.shape[0] // block, padded.shape[1] // block
    blocks = padded.reshape(rows, block, columns, block).swapaxes(1, 2).reshape(rows, columns, -1)
    paper = np.percentile(blocks, 85, axis=2).astype(np.float32)
    paper = ndimage.gaussian_filter(ndimage.maximum_filter(paper, 3), 1.0, mode="nearest")
    paper = np.asarray(_enlarged(paper, padded.shape)[: grey.shape[0], : grey.shape[1]])
    ink = 1.0 - grey / np.maximum(paper, 1.0)
    dark = ink[::3, ::3]
    dark = dark[dark > 0.25]
    full = float(np.percentile(dark, 75)) if dark.size > 50 else 1.0
    return np.clip((ink - 0.03) / max(full - 0.03, 0.2), 0.0, 1.0).astype(np.float32)


def _enlarged(small: Ink, shape: tuple[int, ...]) -> Ink:
    from PIL import Image

    return np.asarray(Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def staff_space(ink: Ink) -> float | None:
    """Pixels between two staff lines, centre to centre; None where no distance stands out."""
    black = ink > 0.35
    column = np.zeros((black.shape[0] + 1, black.shape[1]), np.int8)
    column[1:] = black
    changes = np.flatnonzero(np.diff(np.concatenate([column.T.ravel(), [0]])))
    starts = changes[::2]
    rows = black.shape[0] + 1
    sums = np.diff(starts)[(starts[:-1] // rows) == (starts[1:] // rows)]
    thick = (changes[1::2] - starts)[:-1][(starts[:-1] // rows) == (starts[1:] // rows)]
    sums = sums[thick * 2 < sums]
    counts = np.bincount(sums[sums < LARGEST_SPACE_PX * 1.2], minlength=int(SMALLEST_SPACE_PX) + 4).astype(float)
    counts[: int(SMALLEST_SPACE_PX)] = 0
    if counts.sum() < _FEWEST_RUNS:
        return None
    smooth = np.convolve(counts, [0.5, 1.0, 0.5], "same")
    mode = int(smooth.argmax())
    near = np.arange(max(mode - 1, 0), min(mode + 2, len(counts)))
    return float((near * counts[near]).sum() / max(counts[near].sum(), 1.0))


def line_pixels(ink: Ink) -> Ink:
    """How far each pixel is ink that is at most `LINE_PX` rows high: staff lines, ledger lines, little else; 0 to 1."""
    from scipy import ndimage

    size = LINE_PX + 1
    opened = ndimage.maximum_filter1d(ndimage.minimum_filter1d(ink, size, axis=0), size, axis=0)
    return np.asarray(np.clip((ink - opened - _FAINTEST_LINE) / _FULL_LINE, 0.0, 1.0), np.float32)


def skew(lines: Ink) -> float:
    """Slope, rows for a column, along which the page's lines add up to the sharpest profile."""
    width = lines.shape[1] // _STRIP_PX * _STRIP_PX
    if width < 4 * _STRIP_PX:
        return 0.0
    strips = lines[:, :width].reshape(lines.shape[0], -1, _STRIP_PX).sum(axis=2).astype(np.float32).T
    places = (np.arange(len(strips)) - len(strips) / 2) * _STRIP_PX

    def sharpness(slope: float) -> float:
        total = np.zeros(strips.shape[1], np.float32)
        for strip, place in zip(strips, places, strict=True):
            total += np.roll(strip, -round(slope * place))
        return float((total**2).sum())

    best = 0.0
    for step, reach in ((0.008, _LARGEST_SKEW), (0.002, 0.008), (0.0005, 0.002)):
        slopes = best + np.arange(-reach, reach + step / 2, step)
        best = float(max(slopes, key=sharpness))
    return best
