"""Writes the pieces of all songs as `training.note_windows` reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_runtime.training.note_windows import write_notes
from model_runtime.training.rendering.pieces import Piece, broadened, pieces_of
from model_runtime.training.rendering.song import read_song
from model_runtime.unified.note_outputs import OUTPUTS
from model_runtime.unified.written_notes import note_tokens

DEV_EVERY = 20
_BROAD_QPM = 100.0  # slower songs could as well be written in note values of twice the length; every other one is


def save(piece: Piece, path: Path) -> None:
    """Write a piece as `training.note_windows` reads it."""
    tokens = note_tokens(piece.notes)
    order = tokens.order
    write_notes(path, "notation", tokens.ids, tokens.places, piece.wanted[order], piece.weights[order])


def totals(out: Path) -> dict[str, dict[str, int]]:
    """Of each split: songs, pieces, notes, and how many notes each output is known of."""
    found = {}
    for split in ("train", "dev"):
        paths = sorted((out / split).glob("*.npz"))
        known = np.zeros(len(OUTPUTS), np.int64)
        notes = 0
        for path in paths:
            with np.load(path) as arrays:
                known += (arrays["weights"] > 0).sum(axis=0)
                notes += len(arrays["places"])
        songs = len({path.stem.split("_")[0] for path in paths})
        counts = {name: int(count) for name, count in zip(OUTPUTS, known, strict=True) if count}
        found[split] = {"songs": songs, "pieces": len(paths), "notes": notes} | counts
    return found


def build(data: Path, out: Path, limit: int | None = None) -> int:
    """Make the pieces of all songs that are not there yet; returns how many songs were read."""
    read = 0
    for number, path in enumerate(sorted((data / "data" / "pop909").glob("*.mid"))[:limit]):
        folder = out / ("dev" if number % DEV_EVERY == 0 else "train")
        folder.mkdir(parents=True, exist_ok=True)
        done = folder / f".{path.stem}"
        if done.exists():
            continue
        for name, piece in pieces_of(read_song(path)):
            broad = number % 2 == 1 and float(np.median(piece.notes.qpm)) < _BROAD_QPM
            save(broadened(piece) if broad else piece, folder / f"{path.stem}_{name}.npz")
        done.touch()
        read += 1
    return read
