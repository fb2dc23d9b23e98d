"""Pages on disk → batches for the network: chunks of bands, spoilt a little more, with dense targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.training.image.dataset import Band, load_bands
from model_runtime.training.image.labels import FIELDS, groups_of
from model_runtime.unified.bands import BAND_HEIGHT_PX, CELL_PX, CELL_ROWS, CELL_SPACES, HIGHEST_ROW, MARGIN_SPACES
from model_runtime.unified.glyph_classes import DENOMINATORS, GROUP_NAMES, LONGEST_STEM

CHUNK_COLUMNS = 128  # cells: 64 staff spaces
_SPREAD_COLUMNS, _SPREAD_ROWS = 0.55, 0.35
_COLUMN = {name: i for i, name in enumerate(FIELDS)}
STRETCH = (0.86, 1.16)
_MOST_MOVED_PX = 3.0
UNKNOWN = -100  # a class that is not known, as `cross_entropy` passes it over
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass
class Targets:
    """What a network should say of a batch.

    Attributes:
        heat: float32, shape (bands, groups, rows, columns): 1 at centres, less beside them.
        cells: Band, group, row and column of each centre, shape (n, 4).
        x: Of the centre within its cell, 0 to 1, shape (n,).
        classes: Shared attributes by name, shape (n,), `UNKNOWN` where there is none.
        stems: Row of `cells`, stem (1 up, 2 down), then length, flags, beams left, beams right, strokes; shape (m, 7).
    """

    heat: Floats
    cells: Ints
    x: Floats
    classes: dict[str, Ints]
    stems: Ints


def cells_of(x: Floats, positions: Floats) -> tuple[Floats, Ints]:
    """Columns (with fraction) and rows of places in a band."""
    columns = (x + MARGIN_SPACES) / CELL_SPACES
    return columns.astype(np.float32), (HIGHEST_ROW - np.rint(positions)).astype(np.int64)


def targets_of(bands: list[tuple[Band, float]], columns: int) -> Targets:
    """Targets of bands whose first column is given beside each."""
    heat = np.zeros((len(bands), len(GROUP_NAMES), CELL_ROWS, columns), np.float32)
    cells, places, values, rows_exact = [], [], [], []
    for number, (band, first) in enumerate(bands):
        across, rows = cells_of(band.x, band.positions)
        across = across - first
        inside = (across >= 0) & (across < columns) & (rows >= 0) & (rows < CELL_ROWS)
        across, rows = across[inside], rows[inside]
        whole = np.floor(across).astype(np.int64)
        group = groups_of(band.values[inside])
        cells.append(np.stack([np.full(len(rows), number), group, rows, whole], axis=1))
        places.append(across - whole)
        values.append(band.values[inside])
        rows_exact.append(HIGHEST_ROW - band.positions[inside] - rows)
    joined, x, seen = np.concatenate(cells), np.concatenate(places).astype(np.float32), np.concatenate(values)
    _draw_heat(heat, joined, x, np.concatenate(rows_exact).astype(np.float32))
    return Targets(heat, joined, x, _classes(seen), _stems(seen, joined))


def _draw_heat(heat: Floats, cells: Ints, x: Floats, off_row: Floats) -> None:
    band, group, row, column = cells.T
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            r, c = row + down, column + across
            value = np.exp(
                -0.5 * (((across + 0.5 - x) / _SPREAD_COLUMNS) ** 2 + ((down - off_row) / _SPREAD_ROWS) ** 2)
            )
            inside = (r >= 0) & (r < heat.shape[2]) & (c >= 0) & (c < heat.shape[3])
            np.maximum.at(heat, (band[inside], group[inside], r[inside], c[inside]), value[inside] * 0.9)
    heat[band, group, row, column] = 1.0


def _classes(values: npt.NDArray[np.int16]) -> dict[str, Ints]:
    result = {"kind": values[:, 0].astype(np.int64)}
    for name in ("stems", "dots", "accidental", "ties", "size", "number"):
        column = values[:, _COLUMN[name]].astype(np.int64)
        result[name] = np.where(column < 0, UNKNOWN, column)
    result["dots"] = np.minimum(result["dots"], 3)
    below = values[:, _COLUMN["denominator"]]
    known = {value: index for index, value in enumerate(DENOMINATORS)}
    result["denominator"] = np.array([known.get(int(v), UNKNOWN) for v in below], np.int64)
    return result


def _stems(values: npt.NDArray[np.int16], cells: Ints) -> Ints:
    rows = []
    stems = values[:, _COLUMN["stems"]]
    positions = HIGHEST_ROW - cells[:, 2]
    for index in np.flatnonzero(stems > 0):
        for stem in (1, 2) if stems[index] == 3 else (int(stems[index]),):
            suffix = "_2" if stems[index] == 3 and stem == 2 else ""
            seen = [int(values[index, _COLUMN[n + suffix]]) for n in ("flags", "beams_left", "beams_right", "strokes")]
            tip = int(values[index, _COLUMN["tip" + suffix]])
            length = min(abs(tip - int(positions[index])), LONGEST_STEM)
            rows.append([index, stem, length, *(UNKNOWN if v < 0 else min(v, 4) for v in seen)])
    return np.array(rows, np.int64).reshape(-1, 7)


class Pool:
    """Pages in memory from which chunks are drawn."""

    def __init__(self, paths: list[Path], seed: list[int], *, spoil: bool = True) -> None:
        self._rng = np.random.default_rng(seed)
        self._spoil = spoil
        self.bands = [band for path in paths for band in load_bands(path) if len(band.x) > 2]
        widths = np.array([band.pixels.shape[1] for band in self.bands], float)
        self._shares = widths / widths.sum()
        rarity = np.zeros(256)
        for band in self.bands:
            rarity[:64] += np.bincount(band.values[:, 0], minlength=64)[:64]
        self._rarity = 1.0 / np.sqrt(rarity + 20.0)
        self._rare_shares = np.array([self._rarity[band.values[:, 0]].max() for band in self.bands])
        self._rare_shares = self._rare_shares**2 / (self._rare_shares**2).sum()

    def batch(self, size: int, columns: int = CHUNK_COLUMNS) -> tuple[Floats, Targets]:
        """Bands (size, 1, BAND_HEIGHT_PX, columns · CELL_PX) from 0 to 1 and their targets."""
        pixels = np.zeros((size, 1, BAND_HEIGHT_PX, columns * CELL_PX), np.float32)
        chosen = []
        for slot in range(size):
            stretch = float(self._rng.uniform(*STRETCH)) if self._spoil and self._rng.random() < 0.6 else 1.0
            rare = bool(self._rng.random() < 0.3)
            band = stretched(self.bands[self._number(rare=rare)], stretch)
            total = band.pixels.shape[1] // CELL_PX
            first = self._first_column(band, total, columns, rare=rare)
            a, b = max(first, 0), min(first + columns, total)
            part = band.pixels[:, a * CELL_PX : b * CELL_PX].astype(np.float32) / 255.0
            pixels[slot, 0, :, (a - first) * CELL_PX : (b - first) * CELL_PX] = part
            chosen.append((band, float(first)))
            if self._spoil:
                pixels[slot, 0] = spoilt(pixels[slot, 0], self._rng)
        return pixels, targets_of(chosen, columns)

    def _number(self, *, rare: bool) -> int:
        return int(self._rng.choice(len(self.bands), p=self._rare_shares if rare else self._shares))

    def _first_column(self, band: Band, total: int, columns: int, *, rare: bool) -> int:
        """Where a chunk of a band begins: anywhere, or so that something rare is within it."""
        lowest, highest = min(total - columns, 0), max(total - columns, 0)
        if not rare:
            return int(self._rng.integers(lowest, highest + 1))
        weights = self._rarity[band.values[:, 0]] ** 3
        label = int(self._rng.choice(len(band.x), p=weights / weights.sum()))
        at = int(cells_of(band.x[label : label + 1], band.positions[label : label + 1])[0][0])
        return int(np.clip(at - self._rng.integers(4, columns - 4), lowest, highest))


def stretched(band: Band, factor: float) -> Band:
    """A band whose signs are wider or narrower than drawn."""
    if factor == 1.0:
        return band
    width = max(round(band.pixels.shape[1] * factor) // CELL_PX, 1) * CELL_PX
    at = (np.arange(width) + 0.5) / factor - 0.5
    left = np.clip(np.floor(at).astype(int), 0, band.pixels.shape[1] - 1)
    right = np.minimum(left + 1, band.pixels.shape[1] - 1)
    share = np.clip(at - left, 0, 1).astype(np.float32)
    pixels = band.pixels[:, left] * (1 - share) + band.pixels[:, right] * share
    x = (band.x + MARGIN_SPACES) * factor - MARGIN_SPACES
    return Band(pixels.astype(np.uint8), x.astype(np.float32), band.positions, band.values)


def with_other_ledgers(pixels: Floats, wider: float, most_px: float = _MOST_MOVED_PX) -> Floats:
    """A chunk whose ledger lines are further apart than its staff lines, as old plates have them; rows still mean
    positions, so that the lines must be counted there.

    Args:
        wider: Share by which they are further apart.
        most_px: How far any may be moved: on some plates only the first is set apart.
    """
    rows = np.arange(BAND_HEIGHT_PX) + 0.5
    above = np.maximum((HIGHEST_ROW - 8) * CELL_PX + CELL_PX / 2 - rows, 0.0)
    below = np.maximum(rows - HIGHEST_ROW * CELL_PX - CELL_PX / 2, 0.0)
    moved = np.clip(wider * above, -most_px, most_px) - np.clip(wider * below, -most_px, most_px)
    source = np.clip(rows + moved - 0.5, 0, BAND_HEIGHT_PX - 1)
    upper = np.floor(source).astype(int)
    share = (source - upper).astype(np.float32)[:, None]
    return np.asarray(pixels[upper] * (1 - share) + pixels[np.minimum(upper + 1, BAND_HEIGHT_PX - 1)] * share)


def spoilt(pixels: Floats, rng: np.random.Generator) -> Floats:
    """A chunk with other contrast, a little noise or blur, and not quite at its height."""
    from scipy import ndimage

    if rng.random() < 0.25:
        pixels = with_other_ledgers(pixels, float(rng.normal(0.03, 0.05)))
    elif rng.random() < 0.4:
        pixels = with_other_ledgers(pixels, float(rng.uniform(0.08, 0.4)), float(rng.uniform(0.8, 4.2)))
    if rng.random() < 0.35:
        pixels = np.roll(pixels, int(rng.choice([-1, 1])), axis=0)
    if rng.random() < 0.2:
        pixels = ndimage.gaussian_filter(pixels, float(rng.uniform(0.2, 0.9)))
    if rng.random() < 0.4:
        pixels = np.clip(pixels * float(rng.uniform(0.7, 1.3)), 0, 1) ** float(rng.uniform(0.6, 1.6))
    if rng.random() < 0.25:
        noise = rng.standard_normal(pixels.shape, dtype=np.float32)
        pixels = np.clip(pixels + float(rng.uniform(0.01, 0.1)) * noise, 0, 1)
    return np.asarray(pixels, np.float32)
