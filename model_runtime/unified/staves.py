"""Staves on a flattened page, and the systems that they form.

A comb of five teeth slides down strips of the page where only thin ink is left; its peaks are tracked from strip to
strip, so that a staff may bend. Staves that a line joins at their left end are one system.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.unified.page_light import WORK_SPACE_PX, FlatPage, Ink, line_pixels

Floats = npt.NDArray[np.float64]
_STRIP_PX = 2 * WORK_SPACE_PX
_SPACINGS = WORK_SPACE_PX * np.array([0.9, 0.94, 0.97, 1.0, 1.03, 1.06, 1.1])
_SEED_SCORE, _GROWN_SCORE = 0.26, 0.1
_MOST_MISSED_STRIPS = 5
_SHORTEST_STRIPS = 4
_LINES = 5
_BRIDGED_PX = 15  # gaps in a worn line that are no end of it
_LEAST_GAP_SPACES = 2.0  # between two staves
_LEAST_SEEN = 0.5  # share of a staff's columns in which four of its lines are to be seen


@dataclass(frozen=True)
class Staff:
    """Five lines, in pixels of the flattened page.

    Attributes:
        xs: Where the heights were measured, ascending.
        tops: Height of the uppermost line there.
        bottoms: Of the lowest line.
        left: Where the lines begin.
        right: Where they end.
    """

    xs: Floats
    tops: Floats
    bottoms: Floats
    left: float
    right: float

    def top(self, x: npt.ArrayLike) -> Floats:
        """Height of the uppermost line; beyond the measured places the staff goes on straight."""
        return _followed(self.xs, self.tops, x)

    def bottom(self, x: npt.ArrayLike) -> Floats:
        """Height of the lowest line."""
        return _followed(self.xs, self.bottoms, x)

    @property
    def space(self) -> float:
        """Mean distance between two lines."""
        return float(np.mean(self.bottoms - self.tops)) / (_LINES - 1)


@dataclass(frozen=True)
class System:
    """Staves that sound together, from the top.

    Attributes:
        staves: At least one.
        groups: Numbers of staves that barlines run through, from the top: a piano's two are one group.
    """

    staves: tuple[Staff, ...]
    groups: tuple[tuple[int, ...], ...]


def _followed(xs: Floats, ys: Floats, x: npt.ArrayLike) -> Floats:
    """Interpolated between the places, continued along the outermost stretch beyond them."""
    at = np.asarray(x, float)
    result = np.interp(at, xs, ys)
    if len(xs) > 3:
        for end, inner, outside in ((0, 3, at < xs[0]), (-1, -4, at > xs[-1])):
            slope = (ys[end] - ys[inner]) / (xs[end] - xs[inner])
            result = np.where(outside, ys[end] + slope * (at - xs[end]), result)
    return result


def find_systems(page: FlatPage) -> list[System]:
    """Every system of a page, from the top, then from the left; empty where there is no music."""
    staves = find_staves(page.ink)
    return _systems(page.ink, staves)


def find_staves(ink: Ink) -> list[Staff]:
    """Every staff on a page at `WORK_SPACE_PX`, from the top."""
    lines = line_pixels(ink)
    if lines.shape[1] < _SHORTEST_STRIPS * _STRIP_PX or lines.shape[0] < 5 * WORK_SPACE_PX:
        return []
    scores, spacings = _comb(_strips(lines))
    staves = []
    for track in _tracks(scores):
        staff = _measured(track, spacings, lines, ink)
        if staff is not None:
            staves.append(staff)
    return sorted(_without_small(staves), key=lambda s: float(np.mean(s.tops)))


def _strips(lines: Ink) -> npt.NDArray[np.float32]:
    """Share of columns with thin ink within a row of each height, shape (rows, strips)."""
    from scipy import ndimage

    width = lines.shape[1] // _STRIP_PX * _STRIP_PX
    near = ndimage.maximum_filter1d(lines[:, :width], 3, axis=0)  # a line may lean
    shares = near.reshape(len(lines), -1, _STRIP_PX).mean(axis=2).astype(np.float32)
    return np.asarray(ndimage.uniform_filter1d(shares, 3, axis=1, mode="nearest"))


def _comb(strips: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """How much a staff with its top line at each height is there, and the spacing that fits best: (rows, strips)."""
    rows = np.arange(len(strips))
    reach = len(strips) + 6 * WORK_SPACE_PX
    padded = np.zeros((reach, strips.shape[1]), np.float32)
    padded[: len(strips)] = strips
    best = np.full(strips.shape, -1.0, np.float32)
    spacing = np.full(strips.shape, float(WORK_SPACE_PX))
    for space in _SPACINGS:
        teeth = np.stack([padded[rows + round(k * space)] for k in range(_LINES)])
        gaps = np.mean([padded[rows + round((k + 0.5) * space)] for k in range(_LINES - 1)], axis=0)
        above = np.where((rows >= space)[:, None], padded[np.maximum(rows - round(space), 0)], 0.0)
        outside = np.maximum(above, padded[rows + round(_LINES * space)])  # a sixth line: this is off by one
        ordered = np.sort(teeth, axis=0)
        score = 0.5 * teeth.mean(axis=0) + 0.2 * ordered[0] + 0.3 * ordered[1] - 0.6 * gaps - 0.3 * outside
        better = score > best
        best[better], spacing[better] = score[better], space
    return best, spacing


def _tracks(scores: npt.NDArray[np.float32]) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Strips and top rows of each staff, the surest first; each takes its rows away from the others."""
    free = scores.copy()
    strips = scores.shape[1]
    tracks: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    while True:
        row, strip = (int(i) for i in np.unravel_index(int(free.argmax()), free.shape))
        if free[row, strip] < _SEED_SCORE:
            return tracks
        found = {strip: row}
        for step in (-1, 1):
            _grow(free, found, strip, row, step)
        at = np.array(sorted(found))
        tops = np.array([found[s] for s in at])
        reach = 4 * WORK_SPACE_PX
        for s in range(strips):
            if at[0] - 1 <= s <= at[-1] + 1:
                top = int(np.interp(s, at, tops))
                free[max(top - reach, 0) : top + reach, s] = 0
        free[max(row - 2, 0) : row + 3, strip] = 0
        if len(at) >= _SHORTEST_STRIPS:
            tracks.append((at, tops))


def _grow(free: npt.NDArray[np.float32], found: dict[int, int], strip: int, row: int, step: int) -> None:
    missed, expected, slope = 0, float(row), 0.0
    s = strip + step
    while 0 <= s < free.shape[1] and missed <= _MOST_MISSED_STRIPS:
        expected += slope
        low = max(round(expected) - 3, 0)
        window = free[low : round(expected) + 4, s]
        best = int(window.argmax()) if len(window) else 0
        if len(window) and window[best] > _GROWN_SCORE:
            found[s] = low + best
            error = low + best - expected
            expected += 0.5 * error
            slope = float(np.clip(slope + 0.15 * error, -1.5, 1.5))
            missed = 0
        else:
            missed += 1
        s += step


def _measured(
    track: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    spacings: npt.NDArray[np.float64],
    lines: Ink,
    ink: Ink,
) -> Staff | None:
    """The track's lines by their thin ink's centre of mass, smoothed along the staff."""
    strips, rows = track
    spaces = np.array([spacings[row, strip] for strip, row in zip(strips, rows, strict=True)])
    space = float(np.median(spaces))
    tops, bottoms, weights = [], [], []
    k = np.arange(_LINES)
    for strip, row in zip(strips, rows, strict=True):
        columns = lines[:, strip * _STRIP_PX : (strip + 1) * _STRIP_PX]
        low = max(row - 4, 0)
        profile = columns[low : row + int(4.5 * space) + 4].sum(axis=1).astype(float)
        heights = row + k * space - low
        offset, centres, masses = 0.0, heights, np.zeros(_LINES)
        for reach in (0.33 * space, 0.22 * space):
            near = np.abs(np.arange(len(profile))[None] - (heights + offset)[:, None]) <= reach
            masses = (near * profile).sum(axis=1)
            moments = (near * profile * np.arange(len(profile))).sum(axis=1)
            centres = np.where(masses > 0, moments / np.maximum(masses, 1e-9), heights + offset)
            offset += float(np.average(centres - heights - offset, weights=masses + 1e-6))
        mean_k = np.average(k, weights=masses + 1e-6)
        spread = np.average((k - mean_k) ** 2, weights=masses + 1e-6)
        fitted = np.average((k - mean_k) * centres, weights=masses + 1e-6) / max(spread, 1e-6)
        fitted = float(np.clip(fitted, 0.95 * space, 1.05 * space))
        middle = float(np.average(centres - fitted * k, weights=masses + 1e-6))
        tops.append(low + middle)
        bottoms.append(low + middle + 4 * fitted)
        weights.append(float(masses.sum()))
    xs = np.asarray((strips + 0.5) * _STRIP_PX - 0.5, np.float64)
    smooth_tops = _smoothed(xs, np.array(tops), np.array(weights))
    smooth_bottoms = _smoothed(xs, np.array(bottoms), np.array(weights))
    return _with_ends(Staff(xs, smooth_tops, smooth_bottoms, xs[0], xs[-1]), ink)


def _smoothed(xs: Floats, ys: Floats, weights: Floats) -> Floats:
    """A straight line through each place's neighbours, outliers counted less."""
    weights = weights + 1e-3
    result = ys
    for _ in range(2):
        close = np.exp(-0.5 * ((xs[:, None] - xs[None]) / (3.0 * _STRIP_PX)) ** 2) * weights
        total = close.sum(axis=1)
        mean_x, mean_y = close @ xs / total, close @ ys / total
        covariance = close @ (xs * ys) / total - mean_x * mean_y
        variance = close @ xs**2 / total - mean_x**2
        slope = covariance / np.maximum(variance, _STRIP_PX**2 / 4.0)
        result = mean_y + slope * (xs - mean_x)
        weights = weights / (1.0 + ((ys - result) / 1.5) ** 2)
    return result


def _with_ends(staff: Staff, ink: Ink) -> Staff | None:
    """The staff with the places where at least four of its lines begin and end."""
    from scipy import ndimage

    first = int(max(staff.xs[0] - 5 * WORK_SPACE_PX, 0))
    last = int(min(staff.xs[-1] + 5 * WORK_SPACE_PX, ink.shape[1] - 1))
    columns = np.arange(first, last + 1)
    tops, bottoms = staff.top(columns), staff.bottom(columns)
    seen, bare = np.zeros(len(columns)), np.zeros(len(columns))
    for k in range(_LINES):
        heights = tops + (bottoms - tops) * k / (_LINES - 1)
        rows = np.clip(np.rint(heights).astype(int)[None] + np.array([-1, 0, 1])[:, None], 0, len(ink) - 1)
        darkest = ink[rows, columns[None]].max(axis=0)
        bridged = ndimage.grey_closing(darkest, _BRIDGED_PX)
        least = min(0.35, 0.6 * float(np.median(bridged)) + 0.02)
        seen += bridged > least
        bare += darkest > least
    blank = np.zeros(len(columns))
    for k in range(_LINES - 1):
        rows = np.clip(np.rint(tops + (bottoms - tops) * (k + 0.5) / (_LINES - 1)).astype(int), 0, len(ink) - 1)
        blank += ink[rows, columns] < 0.35
    seen[blank < 2] = 0  # the dark edge of a copy is no staff
    some = (seen >= _LINES - 1) & (bare >= 2)  # a brace is near enough to be bridged to
    there = np.convolve(some, np.ones(WORK_SPACE_PX) / WORK_SPACE_PX, "full")
    begins = there[WORK_SPACE_PX - 1 :]  # share of the next space's columns
    ends = there[: len(columns)]
    starts = np.flatnonzero((begins > 0.7) & some)
    stops = np.flatnonzero((ends > 0.7) & some)
    if not len(starts) or not len(stops) or stops[-1] - starts[0] < 6 * WORK_SPACE_PX:
        return None
    if np.mean(seen[starts[0] : stops[-1] + 1] >= _LINES - 1) < _LEAST_SEEN:
        return None
    return Staff(staff.xs, staff.tops, staff.bottoms, float(columns[starts[0]]), float(columns[stops[-1]]))


def _without_small(staves: list[Staff]) -> list[Staff]:
    """Staves whose space is near to that of most, and which do not lie across a longer one."""
    if not staves:
        return []
    lengths = np.array([s.right - s.left for s in staves])
    spaces = np.array([s.space for s in staves])
    order = np.argsort(spaces)
    middle = float(spaces[order][np.searchsorted(np.cumsum(lengths[order]), lengths.sum() / 2)])
    kept: list[Staff] = []
    for staff in sorted(staves, key=lambda s: s.left - s.right):
        if abs(staff.space / middle - 1) < 0.12 and not any(_across(staff, other) for other in kept):
            kept.append(staff)
    return kept


def _across(staff: Staff, other: Staff) -> bool:
    """Whether a staff lies on another one, or so near to it that it must be ledger lines and hairpins."""
    xs = np.linspace(staff.left, staff.right, 9)
    xs = xs[(xs > other.left) & (xs < other.right)]
    reach = _LEAST_GAP_SPACES * WORK_SPACE_PX
    near = (staff.top(xs) < other.bottom(xs) + reach) & (staff.bottom(xs) > other.top(xs) - reach)
    return bool(np.any(near))


def _systems(ink: Ink, staves: list[Staff]) -> list[System]:
    """Join each staff with the one below it where a line at their left ends does."""
    systems: list[list[Staff]] = []
    through: list[list[bool]] = []
    for staff in staves:
        for members, joined in zip(systems, through, strict=True):
            upper = members[-1]
            overlap = min(upper.right, staff.right) - max(upper.left, staff.left)
            if overlap > 0.5 * min(upper.right - upper.left, staff.right - staff.left):
                strokes = _strokes_between(ink, upper, staff)
                left = max(upper.left, staff.left)
                at_left = bool(np.any(np.abs(strokes - left) < 2.0 * WORK_SPACE_PX))
                inside = int(np.sum(strokes > left + 4 * WORK_SPACE_PX))
                if (at_left or inside >= 2) and abs(upper.left - staff.left) < 4 * WORK_SPACE_PX:
                    members.append(staff)
                    joined.append(inside >= 1)
                    break
        else:
            systems.append([staff])
            through.append([])
    return [System(tuple(s), _groups(len(s), j)) for s, j in zip(systems, through, strict=True)]


def _groups(count: int, joined: list[bool]) -> tuple[tuple[int, ...], ...]:
    groups = [[0]]
    for number in range(1, count):
        if joined[number - 1]:
            groups[-1].append(number)
        else:
            groups.append([number])
    return tuple(tuple(group) for group in groups)


def _strokes_between(ink: Ink, upper: Staff, lower: Staff) -> Floats:
    """x of every upright stroke that fills the gap between two staves."""
    first = int(max(min(upper.left, lower.left) - 2 * WORK_SPACE_PX, 0))
    last = int(min(max(upper.right, lower.right) + WORK_SPACE_PX, ink.shape[1] - 1))
    columns = np.arange(first, last + 1)
    shares = np.linspace(0.02, 0.98, 60)[:, None]
    begin, end = upper.bottom(columns), lower.top(columns)
    if float(np.median(end - begin)) < 1 or float(np.median(end - begin)) > 40 * WORK_SPACE_PX:
        return np.zeros(0)
    rows = np.clip(np.rint(begin + (end - begin) * shares).astype(int), 0, len(ink) - 1)
    black = ink[rows, columns[None]] > 0.35
    wide = black.copy()
    wide[:, 1:] |= black[:, :-1]
    wide[:, :-1] |= black[:, 1:]
    full = wide.mean(axis=0) > 0.93
    starts = np.flatnonzero(full & ~np.concatenate([[False], full[:-1]]))
    return columns[starts].astype(float)
