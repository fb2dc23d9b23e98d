"""Scores on disk → arrays on disk, all of a split in one file.

    python -m model_runtime.training.performance.corpus --data DATA --out CORPUS

`DATA/lieder` holds `index.csv` (`id`, `split`) and `<id>.mxl`; its split `test` is never read.
`DATA/chopin_first_editions` holds kern. What is there already is not made again.
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from model_runtime.training.corpus import read_index
from model_runtime.training.performance.kern import read_kern, whole
from model_runtime.training.performance.scores import Score, read_archive, stored

log = logging.getLogger(__name__)
FEWEST_NOTES = 60
TRAINING = ("lieder_train", "lieder_train_extra", "chopin")
DEV = "lieder_dev"
MEASURED_OPERA = (6, 24, 63)
"""Chopin's works that systems are measured on; they never train."""


def lieder(folder: Path, split: str) -> Iterator[tuple[str, Score]]:
    """Songs of a split that can be read."""
    for name, own in read_index(folder):
        if own == split:
            try:
                score = read_archive(folder / f"{name}.mxl")
            except (ValueError, KeyError, IndexError) as error:
                log.info("%s: %s", name, error)
                continue
            if len(score.notes) >= FEWEST_NOTES:
                yield name, score


def chopin(folder: Path) -> Iterator[tuple[str, Score]]:
    """Piano works of the first editions, without those of `MEASURED_OPERA`."""
    for path in sorted(folder.glob("*.krn")):
        opus = re.match(r"(\d+)", path.stem)
        solo = "-vio" not in path.stem and "piano" not in path.stem
        if opus is None or int(opus[1]) in MEASURED_OPERA or not solo:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if re.search(r"^!!!OPS:.*\b(6|24|63)\b", text, re.MULTILINE):
            continue
        try:
            score = read_kern(text)
        except (ValueError, IndexError) as error:
            log.info("%s: %s", path.stem, error)
            continue
        if len(score.notes) >= FEWEST_NOTES and whole(score):
            yield path.stem, score


def build(data: Path, out: Path) -> None:
    """Write what is missing."""
    out.mkdir(parents=True, exist_ok=True)
    sources = {"chopin": lambda: chopin(data / "chopin_first_editions")}
    for split in ("train", "train_extra", "dev"):
        sources[f"lieder_{split}"] = lambda split=split: lieder(data / "lieder", split)  # type: ignore[misc]
    for name, source in sources.items():
        target = out / f"{name}.npz"
        if target.exists():
            continue
        arrays = stored(source())
        temporary = target.with_suffix(".partial")
        with temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        temporary.replace(target)
        log.info("%s: %d scores, %d notes", name, len(arrays["names"]), len(arrays["notes"]))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Scores as arrays for the performance reader.")
    parser.add_argument("--data", type=Path, required=True, help="folder with lieder and chopin_first_editions")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    build(arguments.data, arguments.out)


if __name__ == "__main__":
    main()
