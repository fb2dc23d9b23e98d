"""Pages on disk: bands as the reader's own staff finder cuts them, with the labels of everything in them.

    python -m model_runtime.training.image.dataset --data SCORES --out DIR [--pages 4000] [--split dev] [--fonts DIR]

One `.npz` a page, so an interrupted run goes on where it stopped. The split `test` is never read.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import sys
import xml.etree.ElementTree as ET
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.modality import GreyPage
from model_runtime.training.corpus import TRAINING_SPLITS, root_of, sources
from model_runtime.training.image.degrade import Damage, degrade
from model_runtime.training.image.labels import FIELDS, NONE, PageLabels
from model_runtime.training.image.musescore_pages import musescore_pages, random_style
from model_runtime.training.image.pages import DrawnPage, PageMaker, printed_score, random_options
from model_runtime.training.image.shapes import other_shapes
from model_runtime.unified.bands import cut_band, in_line, line_of
from model_runtime.unified.glyph_classes import GROUP_OF, GROUPS, KINDS, OWN_STAFF
from model_runtime.unified.page_light import flatten
from model_runtime.unified.staves import Staff, System, find_systems

_TIPS = (FIELDS.index("tip"), FIELDS.index("tip_2"))
_OWN = np.array([list(GROUPS)[GROUP_OF[kind]] in OWN_STAFF for kind in KINDS])
_BARLINES = np.array([kind.startswith("barline") for kind in KINDS])
STYLES, PAGES = 2, 2  # of a score in a round
_DRAWN_SPACE_PX = 13.0
_MATCH_SPACES = 0.35


@dataclass(frozen=True)
class Band:
    """One staff's band with its labels.

    Attributes:
        pixels: uint8, as `bands.cut_band` gives it.
        x: Of each label, in staff spaces from the line's left edge.
        positions: Of each, in staff positions, not rounded.
        values: Columns are `labels.FIELDS`; tips are staff positions.
    """

    pixels: npt.NDArray[np.uint8]
    x: npt.NDArray[np.float32]
    positions: npt.NDArray[np.float32]
    values: npt.NDArray[np.int16]


def bands_of(page: GreyPage, labels: PageLabels) -> tuple[list[Band], Counter[str]]:
    """Bands of the staves that are found on a page and known to its labels, in the page's pixels; and what was counted.

    Counted are true staves, those found, and found ones that are none.
    """
    counts: Counter[str] = Counter(staves=len(labels.staves))
    flat = flatten(page)
    if flat is None:
        return [], counts
    moved = PageLabels(labels.staves, np.stack(flat.from_page(*labels.places.T), axis=1), labels.values.copy())
    for column in _TIPS:
        has = moved.values[:, column] > NONE
        moved.values[has, column] = flat.from_page(labels.places[has, 0], labels.values[has, column])[1]
    bands = []
    for system in find_systems(flat):
        line = line_of(system.staves)
        for staff in system.staves:
            index = _true_staff(staff, labels, flat)
            if index is None:
                counts["spurious"] += 1
                continue
            counts["found"] += 1
            bands.append(_band(cut_band(flat, staff, line), staff, system, moved, index))
    return bands, counts


def _true_staff(staff: Staff, labels: PageLabels, flat: Any) -> int | None:
    """Index of the drawn staff that was found, None where there is none such."""
    best = None
    for index, drawn in enumerate(labels.staves):
        xs = np.linspace(drawn.left, drawn.right, 11)[1:-1]
        errors = []
        for height, found in ((drawn.top, staff.top), (drawn.bottom, staff.bottom)):
            x, y = flat.from_page(*_moved(labels, xs, height))
            seen = (x > staff.left) & (x < staff.right)
            errors.append(np.abs(found(x) - y)[seen])
        error = float(np.max(np.concatenate(errors), initial=0.0 if seen.sum() > 2 else 1e6))
        if error < _MATCH_SPACES * staff.space and (best is None or error < best[0]):
            best = (error, index)
    return None if best is None else best[1]


def _moved(labels: PageLabels, xs: npt.NDArray[np.float64], y: float) -> tuple[Any, Any]:
    warp = getattr(labels, "warp", None)
    return (xs, np.full_like(xs, y)) if warp is None else warp.points(xs, np.full_like(xs, y))


def _band(pixels: npt.NDArray[np.uint8], staff: Staff, system: System, labels: PageLabels, index: int) -> Band:
    line = line_of(system.staves)
    kinds = labels.values[:, 0].astype(int)
    x, positions = in_line(staff, line, labels.places[:, 0], labels.places[:, 1])
    own = labels.values[:, 1] == index
    length = (line.right - line.left) / line.space
    wanted = np.where(_OWN[kinds], own, (positions > -16.4) & (positions < 25.4)) & (x > -1.5) & (x < length + 1.5)
    values = labels.values[wanted].copy()
    for column in _TIPS:
        has = values[:, column] > NONE
        places = labels.places[wanted][has]
        values[has, column] = in_line(staff, line, places[:, 0], values[has, column])[1]
    heights = np.where(_BARLINES[kinds], 4.0, positions)[wanted]
    return Band(pixels, x[wanted].astype(np.float32), heights.astype(np.float32), np.rint(values).astype(np.int16))


@dataclass
class WarpedLabels(PageLabels):
    """Labels of a page that was bent: the staves are still where they were drawn, `warp` tells where they went."""

    warp: Any = None


def spoilt_page(
    page: GreyPage, labels: PageLabels, damage: Damage, rng: np.random.Generator
) -> tuple[GreyPage, WarpedLabels]:
    """A damaged page and its labels' places on it; what was cropped away is left out."""
    space = float(np.mean([s.bottom - s.top for s in labels.staves])) / 4
    spoilt, warp = degrade(page, space, damage, rng)
    x, y = warp.points(*labels.places.T)
    values = labels.values.copy()
    for column in _TIPS:
        has = values[:, column] > NONE
        values[has, column] = warp.points(labels.places[has, 0], values[has, column])[1]
    inside = (x >= 0) & (x < warp.size[0]) & (y >= 0) & (y < warp.size[1])
    return spoilt, WarpedLabels(labels.staves, np.stack([x, y], axis=1)[inside], values[inside], warp)


def page_arrays(bands: list[Band]) -> dict[str, npt.NDArray[Any]]:
    """Bands as arrays to be saved: pixels side by side, labels one after another with offsets."""
    return {
        "pixels": np.concatenate([b.pixels for b in bands], axis=1),
        "columns": np.cumsum([0, *(b.pixels.shape[1] for b in bands)]).astype(np.int64),
        "offsets": np.cumsum([0, *(len(b.x) for b in bands)]).astype(np.int64),
        "x": np.concatenate([b.x for b in bands]),
        "positions": np.concatenate([b.positions for b in bands]),
        "values": np.concatenate([b.values for b in bands]),
    }


def load_bands(path: Path) -> list[Band]:
    """The bands of one page."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    result = []
    for k in range(len(arrays["columns"]) - 1):
        a, b = arrays["columns"][k : k + 2]
        i, j = arrays["offsets"][k : k + 2]
        result.append(Band(arrays["pixels"][:, a:b], arrays["x"][i:j], arrays["positions"][i:j], arrays["values"][i:j]))
    return result


def build_score(
    source: Path,
    folder: Path,
    name: str,
    seed: list[int],
    clean: bool = False,
    fonts: Sequence[Path] = (),
    musescore: float = 0.0,
) -> None:
    """Draw a score in a few styles, damage and cut the pages and save them, then what was counted as `<name>.json`."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter(scores=1)
    root = printed_score(root_of(source), rng)
    other = bool(rng.random() < musescore)
    for style, drawn in enumerate([] if root is None else _pages_of(root, rng, clean, fonts, musescore=other)):
        for number, page in enumerate(drawn):
            damage = Damage.random(rng, clean=0.4 if other else 0.12)
            if clean:
                damage = Damage(space_px=damage.space_px)
            spoilt, labels = spoilt_page(page.pixels, page.labels, damage, rng)
            bands, found = bands_of(spoilt, labels)
            counts.update(found, pages=1, bands=len(bands))
            if bands:
                _store(folder / f"{name}-{style}-{number}.npz", bands)
    (folder / f"{name}.json").write_text(json.dumps(dict(counts)) + "\n", encoding="utf-8")


def _pages_of(
    root: ET.Element, rng: np.random.Generator, clean: bool, fonts: Sequence[Path], *, musescore: bool
) -> Iterator[Iterator[DrawnPage]]:
    """Pages of a score in each style: by Verovio, or by MuseScore."""
    maker = None if musescore else PageMaker(root)
    for _ in range(STYLES):
        if maker is None:
            style = {} if clean else random_style(rng)
            yield musescore_pages(root, style, _DRAWN_SPACE_PX, PAGES, rng, reshape=bool(style))
        else:
            reshape = str if clean else functools.partial(other_shapes, rng=rng, fonts=fonts)
            yield maker.pages(random_options(rng), _DRAWN_SPACE_PX, PAGES, rng, reshape)


def _store(target: Path, bands: list[Band]) -> None:
    temporary = target.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez(file, **page_arrays(bands))  # type: ignore[arg-type]
    temporary.replace(target)


def build(
    data: Path,
    out: Path,
    split: str,
    pages: int,
    seed: int = 1,
    *,
    clean: bool = False,
    fonts: Path | None = None,
    musescore: float = 0.0,
) -> dict[str, int]:
    """Make pages until there are so many; returns what was counted over all of them.

    Each score is drawn in a process of its own: the engraver ends the whole process on a few of them.
    """
    folder = out / (f"{split}-clean" if clean else split)
    folder.mkdir(parents=True, exist_ok=True)
    splits = TRAINING_SPLITS if split == "train" else (split,)
    files = {name: file for name, own, file in sources(data) if own in splits}
    processes: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    others = sorted(fonts.glob("*.otf")) if fonts else []
    round_ = 0
    while True:
        for name in np.random.default_rng([seed, round_]).permutation(list(files)):
            if len(list(folder.glob("*.npz"))) >= pages:
                return totals(folder)
            task = f"{round_}-{name}"
            if (folder / f"{task}.json").exists():
                continue
            seeds = [seed, round_, zlib.crc32(str(name).encode())]
            process = processes.Process(
                target=build_score, args=(files[str(name)], folder, task, seeds, clean, others, musescore)
            )
            process.start()
            process.join()
            if process.exitcode:
                failed = json.dumps({"scores": 1, "scores that cannot be drawn": 1})
                (folder / f"{task}.json").write_text(failed + "\n", encoding="utf-8")
        round_ += 1


def totals(folder: Path) -> dict[str, int]:
    """What was counted over all scores of a folder."""
    sums: Counter[str] = Counter()
    for path in folder.glob("*.json"):
        sums.update(json.loads(path.read_text(encoding="utf-8")))
    return dict(sums)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Draw and damage pages for the image reader.")
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv and <id>.mxl, or of .krn files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=("train", "dev"), default="train")
    parser.add_argument("--pages", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fonts", type=Path, help="folder of SMuFL fonts (.otf) whose signs are drawn as well")
    parser.add_argument("--musescore", type=float, default=0.0, help="share of scores that MuseScore 3 engraves")
    parser.add_argument("--clean", action="store_true", help="undamaged, into <split>-clean")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    build(
        arguments.data,
        arguments.out,
        arguments.split,
        arguments.pages,
        arguments.seed,
        clean=arguments.clean,
        fonts=arguments.fonts,
        musescore=arguments.musescore,
    )


if __name__ == "__main__":
    main()
