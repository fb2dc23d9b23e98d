"""A picture of damaged pages with their labels, so that a person can check what the image reader is fed.

python -m model_runtime.training.image.contact_sheet --data SCORES --out FILE.png [--seed 1] [--plain]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.training.corpus import TRAINING_SPLITS, read_index, root_of
from model_runtime.training.image.dataset import spoilt_page
from model_runtime.training.image.degrade import Damage
from model_runtime.training.image.labels import FIELDS, PageLabels, groups_of
from model_runtime.training.image.pages import PageMaker, printed_score, random_options

_CELL = (900, 620)
_COLOURS = ("red", "blue", "green", "purple", "orange", "teal", "magenta", "brown")
_SIGNS = ("", "#", "b", "n", "x", "bb", "n#", "nb")


def marked(page: npt.NDArray[np.uint8], labels: PageLabels) -> npt.NDArray[np.uint8]:
    """The page in grey with a ring at every label, stems as lines, and what is seen at heads as text."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray((255 - (255 - page) // 2).astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    column = {name: i for i, name in enumerate(FIELDS)}
    for (x, y), values, group in zip(labels.places, labels.values, groups_of(labels.values), strict=True):
        colour = _COLOURS[int(group) % len(_COLOURS)]
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), outline=colour)
        if group == 0:
            if values[column["stems"]] > 0:
                draw.line((x, y, x, values[column["tip"]]), fill="blue")
            seen = _SIGNS[int(max(values[column["accidental"]], 0))] + "." * int(values[column["dots"]])
            draw.text((x - 12, y - 4), seen + ("", "(", ")", "()")[int(values[column["ties"]])], fill="red")
        elif values[column["number"]] > 0:
            draw.text((x, y + 5), str(int(values[column["number"]])), fill=colour)
    return np.asarray(picture, np.uint8)


def contact_sheet(data: Path, out: Path, *, seed: int, plain: bool, rows: int = 4, columns: int = 2) -> None:
    """Write the picture: the upper left part of `rows` × `columns` random pages."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    names = [name for name, split in read_index(data) if split in TRAINING_SPLITS]
    sheet = Image.new("RGB", (_CELL[0] * columns, _CELL[1] * rows), "white")
    placed = 0
    while placed < rows * columns:
        root = printed_score(root_of(data / f"{names[int(rng.integers(len(names)))]}.mxl"), rng)
        if root is None:
            continue
        for page in PageMaker(root).pages(random_options(rng), 13.0, 1, rng):
            spoilt, labels = spoilt_page(page.pixels, page.labels, Damage.random(rng), rng)
            shown = np.repeat(spoilt[:, :, None], 3, axis=2) if plain else marked(spoilt, labels)
            corner = Image.fromarray(shown[: _CELL[1], : _CELL[0]])
            sheet.paste(corner, (placed % columns * _CELL[0], placed // columns * _CELL[1]))
            placed += 1
    sheet.save(out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Draw what the image reader is fed.")
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv and <id>.mxl")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="without labels")
    arguments = parser.parse_args()
    contact_sheet(arguments.data, arguments.out, seed=arguments.seed, plain=arguments.plain)


if __name__ == "__main__":
    main()
