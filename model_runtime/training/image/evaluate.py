"""How well a reader reads pages whose glyphs are known.

python -m model_runtime.training.image.evaluate --data DIR --run RUN [--split dev-clean] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model_runtime.training.image.dataset import Band, load_bands, totals
from model_runtime.training.image.network import Reader
from model_runtime.training.image.samples import Targets, targets_of
from model_runtime.unified.bands import CELL_PX, CELL_SPACES, HIGHEST_ROW, MARGIN_SPACES
from model_runtime.unified.centres import HEAD, THRESHOLDS, Seen, read_centres
from model_runtime.unified.glyph_classes import GROUP_NAMES, STEM_ATTRIBUTES

_NEAR_SPACES = 0.6
DECIDED = np.where(np.isin(GROUP_NAMES, ["clef", "meter", "barline"]), np.float32(0.4), THRESHOLDS)  # of one band alone
_SHARED = ("kind", "stems", "dots", "accidental", "ties", "size")
_LOOSE_ROWS = {name: 1 for name in GROUP_NAMES if name not in ("head", "rest", "clef", "key-sign")}


@torch.no_grad()
def read_band(reader: Reader, pixels: npt.NDArray[np.uint8], thresholds: Any = DECIDED) -> Seen:
    """What the network sees in a whole band."""
    width = pixels.shape[1]
    padded = np.pad(pixels, [(0, 0), (0, -width % 16)])
    logits, fine, middle = reader.backbone(torch.from_numpy(padded[None, None].astype(np.float32) / 255.0))

    def attributes(features: Any, group: Any, stem: Any) -> Any:
        outputs = reader.attributes(*(torch.from_numpy(np.ascontiguousarray(a)) for a in (features, group, stem)))
        return tuple(output.numpy() for output in outputs)

    return read_centres(logits[0].numpy(), fine[0].numpy(), middle[0].numpy(), attributes, thresholds)


def measured(reader: Reader, paths: Iterable[Path], thresholds: Any = DECIDED) -> dict[str, float]:
    """F1 of each group's centres, share of each attribute right at heads found, F1 of heads with all of them right."""
    counts: Counter[str] = Counter()
    for path in paths:
        for band in load_bands(path):
            columns = band.pixels.shape[1] // CELL_PX
            compare(read_band(reader, band.pixels, thresholds), targets_of([(band, 0.0)], columns), counts)
    return figures(counts)


def compare(seen: Seen, truth: Targets, counts: Counter[str]) -> None:
    """Count hits, misses and false ones of each group, and right attributes at the heads that were hit."""
    _, groups, rows, columns = truth.cells.T
    x = (columns + truth.x) * CELL_SPACES - MARGIN_SPACES
    positions = HIGHEST_ROW - rows
    for number, name in enumerate(GROUP_NAMES):
        mine, theirs = np.flatnonzero(seen.group == number), np.flatnonzero(groups == number)
        pairs = matched(seen, mine, x, positions, theirs, _LOOSE_ROWS.get(name, 0))
        counts[f"{name}+"] += len(pairs)
        counts[f"{name}/"] += len(mine) + len(theirs)
        counts["all+"] += len(pairs)
        counts["all/"] += len(mine) + len(theirs)
        right = sum(seen.values["kind"][i] == truth.classes["kind"][j] for i, j in pairs)
        counts[f"{name} kind+"] += int(right)
        counts[f"{name} kind/"] += len(pairs)
        if number == HEAD:
            _compare_heads(seen, truth, pairs, counts)
            counts["head whole/"] += len(mine) + len(theirs)


def matched(
    seen: Seen, mine: npt.NDArray[np.int64], x: Any, positions: Any, theirs: npt.NDArray[np.int64], loose: int
) -> list[tuple[int, int]]:
    """Pairs of what was seen and what is there, each used once, the nearest first."""
    distance = np.abs(seen.x[mine][:, None] - x[theirs][None])
    rows = np.abs(seen.position[mine][:, None] - positions[theirs][None])
    cost = np.where((distance < _NEAR_SPACES) & (rows <= loose), distance + rows, np.inf)
    pairs = []
    while cost.size and np.isfinite(cost).any():
        i, j = np.unravel_index(int(cost.argmin()), cost.shape)
        pairs.append((int(mine[i]), int(theirs[j])))
        cost[i], cost[:, j] = np.inf, np.inf
    return pairs


def _compare_heads(seen: Seen, truth: Targets, pairs: list[tuple[int, int]], counts: Counter[str]) -> None:
    of_stem: dict[int, list[npt.NDArray[np.int64]]] = {}
    for row in truth.stems:
        of_stem.setdefault(int(row[0]), []).append(row)
    for i, j in pairs:
        whole = True
        for name in _SHARED:
            if truth.classes[name][j] >= 0:
                right = bool(seen.values[name][i] == truth.classes[name][j])
                counts[f"head {name}+"] += right
                counts[f"head {name}/"] += 1
                present = bool(truth.classes[name][j] > 0)
                counts[f"head {name} where there+"] += right and present
                counts[f"head {name} where there/"] += present
                whole &= right
        for row in of_stem.get(j, []):
            for at, name in enumerate(STEM_ATTRIBUTES):
                value, wanted = int(seen.of_stem[name][int(row[1]) - 1, i]), int(row[2 + at])
                right = abs(value - wanted) <= (1 if name == "length" else 0)
                counts[f"head {name}+"] += right
                counts[f"head {name}/"] += 1
                whole &= right
        counts["head whole+"] += whole


def figures(counts: Counter[str]) -> dict[str, float]:
    """Shares out of the counts, always the same ones in the same order; 0 where there was nothing to count."""
    result = {}
    for key in ("head", "head whole", "all", *(name for name in GROUP_NAMES if name != "head")):
        result[f"{key.replace(' ', '_')}_f1"] = round(2 * counts[key + "+"] / max(counts[key + "/"], 1), 4)
    attributes = [f"head {name}" for name in (*_SHARED, *STEM_ATTRIBUTES)]
    attributes += [f"head {name} where there" for name in _SHARED]
    for key in (*attributes, *(f"{name} kind" for name in GROUP_NAMES)):
        result[key.replace(" ", "_")] = round(counts[key + "+"] / max(counts[key + "/"], 1), 4)
    return result


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure an image reader on development pages.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--split", default="dev", help="folder within DIR")
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    state = torch.load(arguments.run / "checkpoint.pt", map_location="cpu", weights_only=True)
    reader = Reader()
    reader.load_state_dict(state["average"])
    paths = sorted((arguments.data / arguments.split).glob("*.npz"))[: arguments.pages]
    result: dict[str, Any] = {"hours": state["seconds"] / 3600, "pages": len(paths), **measured(reader.eval(), paths)}
    result["staves"] = totals(arguments.data / arguments.split)
    text = json.dumps(result, indent=1)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    else:
        import sys

        sys.stdout.write(text + "\n")


__all__ = ["Band", "compare", "figures", "measured", "read_band"]

if __name__ == "__main__":
    main()
