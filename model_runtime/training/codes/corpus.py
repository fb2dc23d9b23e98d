"""Pictures of windows → files of codes, and windows of codes out of them.

`FOLDER/<name>.npz` is a file of `windows.py` without its pixels; in its place are, for N windows and each shift s:
    rows, columns    (N,), patches of a window
    codes_<s>        int16 (patches of all windows, CODEBOOKS), column by column
    shift_<s>        (N, 2), pixels by which the picture was moved down and to the right
So one folder holds both: `dataset.Corpus` reads the glyphs in it, `CodeCorpus` the codes.
A pixel's shift changes nearly every code, so each picture is coded several times, as Jung et al. do (32 times there).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model_runtime.modality import GreyPage
from model_runtime.tokens.glyphs import COMPOUND_FIELDS
from model_runtime.tokens.vocabulary import BLOCKS, CODEBOOKS, END_ID, PAD_ID
from model_runtime.training.codes.autoencoder import PATCH_PX, AutoEncoder
from model_runtime.training.codes.fitting import ink_of
from model_runtime.training.codes.windows import SPACE_PX, pictures_of
from model_runtime.training.dataset import (
    LONGEST_SOURCE,
    LONGEST_TARGET,
    Batch,
    Corpus,
    Example,
    grouped,
    in_shorthand,
    pad,
)
from model_runtime.training.note_windows import NoteBatch

VOCABULARY = BLOCKS[f"image_code_{CODEBOOKS - 1}"].start + len(BLOCKS[f"image_code_{CODEBOOKS - 1}"])
"""Ids of a trunk that reads codes."""

_CARRIED_SPACES = 6.0
_PATCHES_AT_ONCE = 2000
_PIXELS = ("pixels", "heights", "widths")
Ints = npt.NDArray[np.int64]


def write_codes(source: Path, target: Path, model: AutoEncoder, shifts: int, seed: int = 1) -> None:
    """Code every file of a folder of windows that is not coded yet, so many times."""
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.glob("*.npz")):
        if (target / file.name).exists():
            continue
        with np.load(file) as archive:
            arrays: dict[str, Any] = {name: archive[name] for name in archive}
        pictures = pictures_of(arrays)
        sizes = [tuple(-(-(side + PATCH_PX - 1) // PATCH_PX) for side in picture.shape) for picture in pictures]
        arrays = {name: values for name, values in arrays.items() if name not in _PIXELS}
        arrays |= {"rows": np.array([r for r, _ in sizes]), "columns": np.array([c for _, c in sizes])}
        rng = np.random.default_rng((seed, zlib.crc32(file.stem.encode())))
        for number in range(shifts):
            moved = rng.integers(0, PATCH_PX, (len(pictures), 2))
            canvases = [_on_canvas(p, size, by) for p, size, by in zip(pictures, sizes, moved.tolist(), strict=True)]
            codes = coded(model, canvases)
            arrays[f"shift_{number}"] = moved.astype(np.int8)
            arrays[f"codes_{number}"] = np.concatenate([c.transpose(1, 0, 2).reshape(-1, CODEBOOKS) for c in codes])
        temporary = (target / file.name).with_suffix(".partial")
        with temporary.open("wb") as opened:
            np.savez_compressed(opened, **arrays)
        temporary.replace(target / file.name)


def _on_canvas(picture: GreyPage, size: Sequence[int], by: Sequence[int]) -> npt.NDArray[np.float32]:
    """Ink of a picture on paper of so many rows and columns of patches, moved down and to the right."""
    canvas = np.zeros((size[0] * PATCH_PX, size[1] * PATCH_PX), np.float32)
    canvas[by[0] : by[0] + picture.shape[0], by[1] : by[1] + picture.shape[1]] = ink_of(picture)
    return canvas


@torch.inference_mode()
def coded(model: AutoEncoder, canvases: Sequence[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.int16]]:
    """Codes of each canvas, (rows, columns, CODEBOOKS); canvases of the same height go together."""
    result: list[npt.NDArray[np.int16]] = [np.zeros((0, 0, CODEBOOKS), np.int16)] * len(canvases)
    order = sorted(range(len(canvases)), key=lambda i: canvases[i].shape)
    while order:
        height = canvases[order[0]].shape[0]
        group = [i for i in order[:64] if canvases[i].shape[0] == height]
        widest = [max(canvases[i].shape[1] for i in group[: n + 1]) for n in range(len(group))]
        fits = [n for n, w in enumerate(widest, 1) if n * w * height <= _PATCHES_AT_ONCE * PATCH_PX**2]
        group = group[: max(fits, default=1)]
        order = [i for i in order if i not in set(group)]
        ink = np.zeros((len(group), 1, height, widest[len(group) - 1]), np.float32)
        for row, i in enumerate(group):
            ink[row, 0, :, : canvases[i].shape[1]] = canvases[i]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            codes = model.codes(torch.from_numpy(ink).contiguous(memory_format=torch.channels_last))
        for row, i in enumerate(group):
            result[i] = codes[row, :, : canvases[i].shape[1] // PATCH_PX].numpy().astype(np.int16)
    return result


class CodeCorpus(Corpus):
    """The windows of a folder of codes, in memory.

    Attributes:
        shifts: How often each picture was coded.
    """

    def _join(self, parts: list[dict[str, Any]]) -> None:
        super()._join(parts)

        def joined(name: str) -> npt.NDArray[Any]:
            return np.concatenate([p[name] for p in parts])

        self.shifts = min(sum(1 for name in part if name.startswith("codes_")) for part in parts)
        self.rows, self.columns, self.carried = joined("rows"), joined("columns"), joined("carried")
        self.patch_offsets = np.cumsum([0, *(self.rows.astype(np.int64) * self.columns)])
        self.codes = [joined(f"codes_{s}") for s in range(self.shifts)]
        self.shift = [joined(f"shift_{s}").astype(np.float32) for s in range(self.shifts)]
        counts = np.concatenate([np.diff(p["note_offsets"]) for p in parts])
        self.note_offsets = np.cumsum([0, *counts])
        self.note_numbers, self.note_x, self.note_y = joined("note_numbers"), joined("note_x"), joined("note_y")

    def example(self, window: int, shift: int) -> Example | None:
        """A window's codes → its LMX; None where it is too long.

        What is carried stands in front as the same glyphs that the other input has. A patch is a compound token of its
        codes and its row, at the place of its middle.
        """
        start, carried = int(self.glyph_offsets[0][window]), int(self.carried[window])
        rows, columns = int(self.rows[window]), int(self.columns[window])
        codes = self.codes[shift][self.patch_offsets[window] : self.patch_offsets[window + 1]].astype(np.int64)
        ids = np.full((carried + len(codes), len(COMPOUND_FIELDS)), PAD_ID, np.int64)
        ids[:carried] = self.glyph_ids[0][start : start + carried]
        ids[carried:, :CODEBOOKS] = codes + [BLOCKS[f"image_code_{book}"].start for book in range(CODEBOOKS)]
        ids[carried:, CODEBOOKS] = BLOCKS["position"].start + np.tile(np.arange(rows), columns)
        left = _CARRIED_SPACES + abs(int(self.fifths[window])) if carried > 1 else 0.0
        middles = (np.repeat(np.arange(columns), rows) + 0.5) * PATCH_PX / SPACE_PX
        x = np.concatenate([self.glyph_x[0][start : start + carried], left + middles]).astype(np.float32)
        lmx, notes = self.target(window, 1, with_meter=False)
        patches = self._patches_of_notes(window, shift)
        pointers = [patches.get(number, -1) for _, number in notes]
        target, pointed = in_shorthand(lmx, [p + carried if p >= 0 else -1 for p in pointers], END_ID)
        fits = len(ids) <= LONGEST_SOURCE and len(target) <= LONGEST_TARGET
        return Example("image", ids, x, target, pointed) if fits else None

    def _patches_of_notes(self, window: int, shift: int) -> dict[int, int]:
        """Number of a note → the patch that its head or rest lies in, counted column by column."""
        rows, columns = int(self.rows[window]), int(self.columns[window])
        down, right = self.shift[shift][window].tolist()
        result = {}
        for i in range(self.note_offsets[window], self.note_offsets[window + 1]):
            row, column = int((self.note_y[i] + down) // PATCH_PX), int((self.note_x[i] + right) // PATCH_PX)
            if 0 <= row < rows and 0 <= column < columns:
                result[int(self.note_numbers[i])] = column * rows + row
        return result


def code_batches(corpus: CodeCorpus, tokens: int, seed: int, pool: int, pool_size: int) -> list[Batch | NoteBatch]:
    """Pool number `pool` of the endless stream of windows, each at one of its shifts, as `dataset.batches` makes it."""
    rng = np.random.default_rng((seed, pool))
    examples: list[Example] = []
    while len(examples) < pool_size:
        example = corpus.example(int(rng.integers(corpus.measures)), int(rng.integers(corpus.shifts)))
        if example is not None:
            examples.append(example)
    result: list[Batch | NoteBatch] = [pad(group) for group in grouped(examples, tokens)]
    rng.shuffle(result)
    return result
