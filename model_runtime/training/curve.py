"""A training run's curve: rows of numbers as CSV, and a picture of them."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from model_runtime.unified.note_outputs import OUTPUTS


def append(path: Path, row: Mapping[str, object]) -> None:
    """Add a row; a new file starts with the names, and an old one gets those that it lacks."""
    new = not path.exists()
    names = list(row)
    if not new:
        known = _names(path)
        names = [*known, *(name for name in row if name not in known)]
        if names != known:
            _rewrite(path, names, (row for row in _rows(path) if None not in row.values()))
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=names)
        if new:
            writer.writeheader()
        writer.writerow(row)


def _names(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])


def _rewrite(path: Path, names: list[str], rows: Iterable[Mapping[str, str]]) -> None:
    temporary = path.with_suffix(".partial")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=names)
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)


def read(path: Path) -> list[dict[str, float]]:
    """Every row as numbers, without the fields that are empty; a row that was cut off while it was written is none."""
    rows = []
    for line in _rows(path):
        with contextlib.suppress(ValueError):
            row = {name: float(value) for name, value in line.items() if value}
            if "step" in row and None not in line.values():
                rows.append(row)
    return rows


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def forget_after(path: Path, step: int) -> None:
    """Drop rows of steps after `step`, and torn ones: a resumed run makes them again."""
    rows = _rows(path)
    if not rows:
        return
    known = {row["step"] for row in read(path) if row["step"] <= step}
    whole = (row for row in rows if None not in row.values() and _number(row["step"]) in known)
    _rewrite(path, list(rows[0]), whole)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def draw(run: Path) -> None:
    """`curve.png` out of `curve.csv` and `dev.csv`: loss, symbol error rate, and where notes are judged one by one what
    is left of their loss, over hours of training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    losses, dev = read(run / "curve.csv"), read(run / "dev.csv")
    names = list(dict.fromkeys(name for row in dev for name in row if not name.endswith("_note_f1")))
    judged = [name for name in names if name.endswith(tuple(f"_{output}" for output in OUTPUTS))]
    figure, axes = plt.subplots(1, 3 if judged else 2, figsize=(16 if judged else 11, 4), layout="constrained")
    left, right = axes[:2]
    for name in dict.fromkeys(name for row in losses for name in row if name.startswith("loss_")):
        points = [(row["hours"], row[name]) for row in losses if name in row]
        if points:
            left.plot(*zip(*points, strict=True), label=name.removeprefix("loss_"))
    left.set(xlabel="hours of training", ylabel="loss (nats a token)")
    for name in [n for n in names if n not in ("step", "hours")]:
        points = [(row["hours"], row[name]) for row in dev if name in row]
        own = axes[2] if name in judged else right
        own.plot(*zip(*points, strict=True), marker=".", label=name.replace("_", ", "))
    right.set(xlabel="hours of training", ylabel="symbol error rate on dev (%)", ylim=(0, 100))
    if judged:
        axes[2].set(xlabel="hours of training", ylabel="loss of notes on dev (1: a constant's)", ylim=(0, 1.1))
    for own in axes:
        own.grid(alpha=0.3)
        if own.lines:
            own.legend()
    temporary = run / "curve.partial.png"
    figure.savefig(temporary, dpi=110)
    plt.close(figure)
    temporary.replace(run / "curve.png")
