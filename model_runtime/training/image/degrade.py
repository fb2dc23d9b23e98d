"""A clean page → the page as a scanner, a copier or a telephone's camera delivers it, and where each point went.

Bent and turned by a mesh of quadrilaterals; ink spread, worn and broken by a blurred page cut at an uneven threshold;
shine-through of the other side, uneven light, dark margins, specks, grain, fewer pixels, black and white, JPEG.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model_runtime.modality import GreyPage

Floats = npt.NDArray[np.float64]
_THIN_LINE_SPACES = 0.1
_MESH = (20, 28)  # quadrilaterals across and down


@dataclass(frozen=True)
class Damage:
    """How a page was treated; lengths are in staff spaces, shares in 0 to 1.

    Attributes:
        turn: Radians.
        bend: Height of the curve that lines make.
        tilt: Share by which one side is smaller than the other.
        spread: Blur of the ink before it is cut.
        threshold: At which the blurred ink is cut: below 0.5 it spreads, above it wears.
        worn: How unevenly.
        grain: Noise of single pixels within the ink's edges.
        shine: Of the other side.
        shade: Of uneven light.
        dirt: Specks on a hundred square spaces.
        edge: Darkness of a margin.
        noise: Of the sensor.
        blur: Of the lens.
        space_px: Pixels of a staff space in the result.
        bilevel: Whether it is black and white only.
        quality: JPEG's, 100 for none.
        crop: Share of the page cut off at each side: left, top, right, bottom.
    """

    turn: float = 0.0
    bend: float = 0.0
    tilt: float = 0.0
    spread: float = 0.0
    threshold: float = 0.5
    worn: float = 0.0
    grain: float = 0.0
    shine: float = 0.0
    shade: float = 0.0
    dirt: float = 0.0
    edge: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    space_px: float = 10.0
    bilevel: bool = False
    quality: int = 100
    crop: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @classmethod
    def random(cls, rng: np.random.Generator, clean: float = 0.12) -> Damage:
        """A clean export (that share of them), a scan in black and white, a grey scan, or a photograph."""
        shares = np.array([clean, *((1 - clean) * np.array([0.49, 0.28, 0.23]))])
        kind = rng.choice(["clean", "copy", "scan", "photo"], p=shares)

        def u(low: float, high: float) -> float:
            return float(rng.uniform(low, high))

        left, top, right, bottom = (float(c) for c in (rng.random(4) < 0.2) * rng.uniform(0, 0.12, 4))
        damage = cls(space_px=u(7.5, 16), crop=(left, top, right, bottom))
        if kind == "clean":
            return replace(damage, quality=int(rng.choice([100, 80, 50])))
        damage = replace(damage, spread=u(0.04, 0.13), threshold=u(0.25, 0.6), worn=u(0, 0.1), grain=u(0, 0.22))
        damage = replace(damage, dirt=u(0, 1.2) ** 3, edge=u(0.3, 1.0) if rng.random() < 0.15 else 0.0)
        if kind == "copy":
            return replace(damage, turn=float(rng.normal(0, 0.006)), bend=float(rng.normal(0, 0.25)), bilevel=True)
        damage = replace(damage, shine=u(0, 0.25) * (rng.random() < 0.4), noise=u(0, 0.05))
        if kind == "scan":
            bent = replace(damage, turn=float(rng.normal(0, 0.01)), bend=float(rng.normal(0, 0.35)))
            return replace(bent, shade=u(0, 0.2), blur=u(0, 0.1), quality=int(u(30, 100)))
        bent = replace(damage, turn=float(rng.normal(0, 0.03)), bend=float(rng.normal(0, 0.6)))
        return replace(
            bent, tilt=float(rng.normal(0, 0.03)), shade=u(0.1, 0.6), blur=u(0, 0.16), quality=int(u(25, 95))
        )


class Warp:
    """Where the points of a page lie after it was bent, scaled and cropped."""

    def __init__(self, size: tuple[int, int], damage: Damage, space_px: float, rng: np.random.Generator) -> None:
        self._size = size
        self._scale = damage.space_px / space_px
        width, height = size
        left, top, right, bottom = damage.crop
        self._origin = (left * width, top * height)
        self._extent = (width * (1 - left - right), height * (1 - top - bottom))
        self.size = (max(round(self._extent[0] * self._scale), 16), max(round(self._extent[1] * self._scale), 16))
        self._phase, self._waves = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.5, 1.6))
        self._damage, self._bend = damage, damage.bend * space_px
        self._xs = np.linspace(0, self.size[0], _MESH[0] + 1)
        self._ys = np.linspace(0, self.size[1], _MESH[1] + 1)
        grid = np.meshgrid(self._xs, self._ys)
        self._source_x, self._source_y = self._source(*grid)

    def _source(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """The point of the clean page that is seen at a point of the result."""
        across = self._origin[0] + x / self.size[0] * self._extent[0]
        down = self._origin[1] + y / self.size[1] * self._extent[1]
        width, height = self._size
        u, v = (across - width / 2), (down - height / 2)
        cos, sin = np.cos(self._damage.turn), np.sin(self._damage.turn)
        turned_u, turned_v = cos * u - sin * v, sin * u + cos * v
        shrunk = 1 + self._damage.tilt * v / height
        curve = self._bend * np.sin(self._phase + self._waves * 2 * np.pi * u / width) * (1 + 0.3 * v / height)
        squeezed = 0.3 * self._bend * np.cos(self._phase + 2 * np.pi * v / height)
        lower = 1 + 0.5 * self._damage.tilt * u / width
        return turned_u * shrunk + width / 2 + squeezed, turned_v * lower + height / 2 + curve

    def pixels(self, page: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The page as it lies in the result; what comes from outside of it is 0."""
        from PIL import Image

        picture = Image.fromarray(page)
        if self._scale < 0.75:
            small = (max(round(self._size[0] * self._scale), 8), max(round(self._size[1] * self._scale), 8))
            picture = picture.resize(small, Image.Resampling.BOX)
        ratio = picture.size[0] / self._size[0], picture.size[1] / self._size[1]
        mesh = []
        for j in range(_MESH[1]):
            for i in range(_MESH[0]):
                box = tuple(round(float(v)) for v in (self._xs[i], self._ys[j], self._xs[i + 1], self._ys[j + 1]))
                corners = []
                for row, column in ((j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)):
                    corners += [self._source_x[row, column] * ratio[0], self._source_y[row, column] * ratio[1]]
                if box[2] > box[0] and box[3] > box[1]:
                    mesh.append((box, tuple(corners)))
        bent = picture.transform(self.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
        return np.asarray(bent, np.float32)

    def points(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Where points of the clean page are seen in the result."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        across, down = (x - self._origin[0]) * self._scale, (y - self._origin[1]) * self._scale
        for _ in range(12):
            where = np.stack([down / self.size[1] * _MESH[1], across / self.size[0] * _MESH[0]])
            seen_x = _bilinear(self._source_x, where)
            seen_y = _bilinear(self._source_y, where)
            across = across + (x - seen_x) * self._scale
            down = down + (y - seen_y) * self._scale
        return across, down


def _bilinear(grid: Floats, where: Floats) -> Floats:
    rows, columns = where
    j = np.clip(np.floor(rows).astype(int), 0, grid.shape[0] - 2)
    i = np.clip(np.floor(columns).astype(int), 0, grid.shape[1] - 2)
    v, u = rows - j, columns - i
    upper = grid[j, i] * (1 - u) + grid[j, i + 1] * u
    lower = grid[j + 1, i] * (1 - u) + grid[j + 1, i + 1] * u
    return np.asarray(upper * (1 - v) + lower * v)


def degrade(page: GreyPage, space_px: float, damage: Damage, rng: np.random.Generator) -> tuple[GreyPage, Warp]:
    """The damaged page and where its points went.

    Args:
        page: Clean.
        space_px: Pixels of its staff space.
    """
    warp = Warp((page.shape[1], page.shape[0]), damage, space_px, rng)
    ink = warp.pixels(1.0 - page.astype(np.float32) / 255.0)
    space = damage.space_px
    if damage.spread > 0:
        ink = _worn(ink, space, damage, rng)
    grey = 1.0 - ink * float(rng.uniform(0.75, 1.0) if not damage.bilevel else 1.0)
    grey = _specked(grey, space, damage, rng)
    if damage.shine > 0:
        other = _blurred(1.0 - np.roll(ink[:, ::-1], int(rng.integers(0, len(ink))), axis=0), 0.15 * space)
        grey = grey * (1 - damage.shine * (1 - other))
    if damage.edge > 0:
        grey = _with_edge(grey, space, damage, rng)
    if damage.shade > 0:
        grey = grey * (1 - damage.shade * _slow_noise(grey.shape, rng, 2))
    if damage.blur > 0:
        grey = _blurred(grey, damage.blur * space)
    if damage.noise > 0:
        grey = grey + rng.normal(0, damage.noise, grey.shape).astype(np.float32)
    if damage.bilevel:
        grey = (grey > rng.uniform(0.4, 0.6)).astype(np.float32)
    result = np.clip(grey * 255 + 0.5, 0, 255).astype(np.uint8)
    return _compressed(result, damage.quality), warp


def _blurred(values: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(values, sigma, truncate=3.0), np.float32)


def _slow_noise(shape: tuple[int, ...], rng: np.random.Generator, cells: int) -> npt.NDArray[np.float32]:
    """Smooth values from 0 to 1, so many cells across."""
    from PIL import Image

    small = rng.random((cells + 2, cells + 2)).astype(np.float32)
    big = Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(big, np.float32), 0, 1)


def _worn(
    ink: npt.NDArray[np.float32], space: float, damage: Damage, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Ink spread or lost: blurred, then cut softly at a threshold that is not the same everywhere."""
    soft = _blurred(ink, damage.spread * space)
    left = math.erf(_THIN_LINE_SPACES / 2 / (math.sqrt(2) * damage.spread))  # of a thin line's darkness
    share = 0.25 + 0.75 * left
    threshold = np.full(ink.shape, damage.threshold, np.float32)
    if damage.worn > 0:
        across = max(int(ink.shape[1] / space / 3), 2)
        threshold += damage.worn * (_slow_noise(ink.shape, rng, across) + _slow_noise(ink.shape, rng, 4) - 1.0)
    if damage.grain > 0:
        grain = _blurred(rng.standard_normal(ink.shape, dtype=np.float32), 0.06 * space)
        threshold += damage.grain * 0.4 * grain / max(float(grain[::7, ::7].std()), 1e-6)
    steep = float(rng.uniform(6, 30)) / share
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(-steep * (soft - share * threshold), -30, 30))), np.float32)


def _specked(
    grey: npt.NDArray[np.float32], space: float, damage: Damage, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    count = rng.poisson(damage.dirt * grey.size / space**2 / 100)
    height, width = grey.shape
    for _ in range(min(int(count), 4000)):
        size = max(int(abs(rng.normal(0, 0.12)) * space), 1)
        y, x = int(rng.integers(height)), int(rng.integers(width))
        grey[y : y + size, x : x + int(size * rng.uniform(0.5, 2)) + 1] = 0.0 if rng.random() < 0.7 else 1.0
    return grey


def _with_edge(
    grey: npt.NDArray[np.float32], space: float, damage: Damage, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """A dark margin at one side, as the fold of a book or the lid of a copier leaves it."""
    side, width = int(rng.integers(4)), max(int(rng.uniform(0.3, 2.5) * space), 1)
    turned = np.rot90(grey, side).copy()
    fall = np.clip(1.6 - np.arange(width * 2) / width, 0, 1)[: turned.shape[1]]
    turned[:, : len(fall)] *= (1 - damage.edge * fall).astype(np.float32)
    return np.rot90(turned, -side)


def _compressed(page: GreyPage, quality: int) -> GreyPage:
    from PIL import Image

    if quality >= 100:
        return page
    with io.BytesIO() as file:
        Image.fromarray(page).save(file, format="JPEG", quality=quality)
        file.seek(0)
        with Image.open(file) as image:
            return np.asarray(image, np.uint8).copy()
