"""The image reader's training run, to be stopped and gone on with at any time.

    python -m model_runtime.training.image.train --data DIR --out RUN --resume [--hours 3]

DIR is what `dataset` makes, also while it is still making it. RUN gets `checkpoint.pt`, `curve.csv`, `dev.csv` and
`curve.png`. The learning rate falls over the hours given; a run that is resumed with more of them goes on from there.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from model_runtime.training import curve
from model_runtime.training.checkpoint import write_checkpoint
from model_runtime.training.image.evaluate import measured
from model_runtime.training.image.network import Reader, gathered
from model_runtime.training.image.samples import UNKNOWN, Pool, Targets
from model_runtime.training.run_folder import RunFolder, decayed
from model_runtime.unified.glyph_classes import ATTRIBUTES, STEM_ATTRIBUTES

log = logging.getLogger(__name__)
_LONGEST_STEP_S = 10.0  # what took longer was spent asleep: a run that is halted for a while has not trained
_STEM_COLUMNS = {name: 2 + i for i, name in enumerate(STEM_ATTRIBUTES)}


@dataclass(frozen=True)
class Settings:
    """What a run is made of; kept in its checkpoint.

    Attributes:
        hours: Over which the learning rate falls.
        rate: Its highest value.
        warmup: Steps to it.
        batch: Chunks in a step.
        pool_pages: Pages held in memory at a time.
        pool_steps: Steps before other pages are loaded.
        heat: Weight of the heat maps' loss.
        decay: Of matrices.
        clip: Largest norm of the gradient.
        averaging: Share of the average that each step keeps.
        seed: Of everything.
        log_steps: Steps a row of the curve.
        save_s, evaluate_s: Seconds between checkpoints and between evaluations.
        dev_pages: In an evaluation.
        half: Convolutions in bfloat16, weights in float32: twice as fast where the processor has such products.
    """

    hours: float = 3.0
    rate: float = 1.5e-3
    warmup: int = 200
    batch: int = 8
    pool_pages: int = 60
    pool_steps: int = 40
    heat: float = 1.0
    decay: float = 0.01
    clip: float = 5.0
    averaging: float = 0.998
    seed: int = 1
    log_steps: int = 20
    save_s: float = 120.0
    evaluate_s: float = 900.0
    dev_pages: int = 40
    half: bool = True


def heat_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Focal loss on centres, penalty-reduced beside them, summed and divided by the number of centres."""
    chance = torch.sigmoid(logits)
    centre = target >= 0.999
    missed = F.softplus(-logits) * (1 - chance) ** 2
    invented = F.softplus(logits) * chance**2 * (1 - target) ** 4
    return torch.where(centre, missed, invented).sum() / centre.sum().clamp(min=1)


def losses(reader: Reader, pixels: Tensor, targets: Targets, *, half: bool = False) -> tuple[Tensor, Tensor]:
    """The heat maps' loss, and that of the attributes at true centres; convolutions in bfloat16 where `half`."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        logits, fine, middle = reader.backbone(pixels)
    heat = heat_loss(logits.float(), torch.from_numpy(targets.heat))
    band, group, row, column = torch.from_numpy(targets.cells).T
    features = gathered(fine, middle, band, row, column).float()
    stems = torch.from_numpy(targets.stems)
    none = torch.zeros_like(group)
    shared, _, within = reader.attributes(features, group, none)
    total = 2.0 * F.smooth_l1_loss(within, torch.from_numpy(targets.x))
    parts = dict(zip(ATTRIBUTES, shared.split(list(ATTRIBUTES.values()), dim=1), strict=True))
    for name, part in parts.items():
        wanted = torch.from_numpy(targets.classes[name])
        if bool((wanted != UNKNOWN).any()):
            total = total + F.cross_entropy(part, wanted, ignore_index=UNKNOWN)
    if len(stems):
        rows = stems[:, 0]
        _, of_stem, _ = reader.attributes(features[rows], group[rows], stems[:, 1])
        for (name, at), part in zip(
            _STEM_COLUMNS.items(), of_stem.split(list(STEM_ATTRIBUTES.values()), dim=1), strict=True
        ):
            if bool((stems[:, at] != UNKNOWN).any()):
                weight = 0.5 if name == "length" else 1.0
                total = total + weight * F.cross_entropy(part, stems[:, at], ignore_index=UNKNOWN)
    return heat, total


class Run(RunFolder):
    """A training run in a folder, which it holds for itself while it is open."""

    def __init__(self, out: Path, data: Path, settings: Settings, *, resume: bool) -> None:
        super().__init__(out)
        self.data, self.settings = data, settings
        try:
            self._prepare(resume=resume)
        except BaseException:
            self.close()
            raise

    def _prepare(self, *, resume: bool) -> None:
        settings = self.settings
        self.step = self.pool_number = self.chunks = 0
        self.seconds = 0.0
        torch.manual_seed(settings.seed)
        self.reader = Reader().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(decayed(self.reader, settings.decay), lr=settings.rate)
        path = self.out / "checkpoint.pt"
        if resume and path.exists():
            self._restore(torch.load(path, map_location="cpu", weights_only=True))
        else:
            self.average = {name: value.detach().clone() for name, value in self.reader.state_dict().items()}
        self.tell(settings)
        self._pool: Pool | None = None
        self._left = 0

    def _restore(self, state: dict[str, Any]) -> None:
        self.reader.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = state["average"]
        self.step, self.pool_number, self.chunks = state["step"], state["pool"], state["chunks"]
        self.seconds = state["seconds"]
        for name in ("curve.csv", "dev.csv"):
            curve.forget_after(self.out / name, self.step)

    def save(self) -> None:
        """Write the checkpoint beside the old one, then take its place."""
        state = {
            **{"settings": asdict(self.settings), "model": self.reader.state_dict(), "average": self.average},
            **{"optimizer": self.optimizer.state_dict(), "step": self.step, "pool": self.pool_number},
            **{"chunks": self.chunks, "seconds": self.seconds},
        }
        write_checkpoint(state, self.out)

    def next_batch(self) -> tuple[Tensor, Targets]:
        """The next chunks; other pages are loaded from time to time, also ones that were made in the meantime."""
        if self._pool is None or self._left == 0:
            seed = [self.settings.seed, self.pool_number]
            paths = sorted((self.data / "train").glob("*.npz"))
            if not paths:
                raise ValueError(f"no pages in {self.data / 'train'}")
            chosen = np_choice(len(paths), self.settings.pool_pages, seed)
            self._pool = Pool([paths[i] for i in chosen], seed)
            self._left = self.settings.pool_steps
            self.pool_number += 1
        self._left -= 1
        pixels, targets = self._pool.batch(self.settings.batch)
        return torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last), targets

    def rate(self) -> float:
        """Linear up to `rate`, then a cosine over the hours down to a fiftieth."""
        done = min(self.seconds / 3600 / self.settings.hours, 1.0)
        warm = min((self.step + 1) / self.settings.warmup, 1.0)
        return self.settings.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))

    def train_step(self, pixels: Tensor, targets: Targets) -> tuple[float, float]:
        """One update; returns the losses of heat maps and attributes."""
        self.reader.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        heat, attributes = losses(self.reader, pixels, targets, half=self.settings.half)
        self.optimizer.zero_grad(set_to_none=True)
        (self.settings.heat * heat + attributes).backward()
        torch.nn.utils.clip_grad_norm_(self.reader.parameters(), self.settings.clip)
        self.optimizer.step()
        self.step += 1
        self.chunks += len(pixels)
        self._average()
        return heat.item(), attributes.item()

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.settings.averaging, (1 + self.step) / (10 + self.step))
        for name, value in self.reader.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1.0 - keep)
            else:
                self.average[name].copy_(value)

    def averaged(self) -> Reader:
        """A reader with the averaged weights."""
        reader = Reader()
        reader.load_state_dict(self.average)
        return reader.eval()

    def evaluate(self) -> dict[str, float]:
        """Figures of the averaged weights on development pages, appended to `dev.csv`; draws the curve."""
        paths = sorted((self.data / "dev").glob("*.npz"))[: self.settings.dev_pages]
        result = measured(self.averaged(), paths)
        curve.append(self.out / "dev.csv", {"step": self.step, "hours": round(self.seconds / 3600, 4), **result})
        draw_curve(self.out)
        return result

    def train(self, until: int | None = None) -> None:
        """Train for the hours, to step `until`, or until told to stop."""
        last_save = time.monotonic()
        sums = [0.0, 0.0, 0.0]
        while self.seconds < self.settings.hours * 3600 and not self.stopping and (until is None or self.step < until):
            started = time.monotonic()
            due = int(self.seconds // self.settings.evaluate_s)
            heat, attributes = self.train_step(*self.next_batch())
            took = min(time.monotonic() - started, _LONGEST_STEP_S)
            self.seconds += took
            sums = [sums[0] + heat, sums[1] + attributes, sums[2] + took]
            if self.step % self.settings.log_steps == 0:
                self._log(sums)
                sums = [0.0, 0.0, 0.0]
            if time.monotonic() - last_save > self.settings.save_s:
                self.save()
                last_save = time.monotonic()
            if int(self.seconds // self.settings.evaluate_s) > due:
                log.info("dev %s", self.evaluate())
        self.save()

    def _log(self, sums: list[float]) -> None:
        steps = self.settings.log_steps
        row = {
            **{"step": self.step, "hours": round(self.seconds / 3600, 4), "rate": round(self.rate(), 7)},
            **{"heat": round(sums[0] / steps, 4), "attributes": round(sums[1] / steps, 4)},
            "chunks_s": round(steps * self.settings.batch / max(sums[2], 1e-9), 2),
        }
        curve.append(self.out / "curve.csv", row)
        log.info("%s", row)


def np_choice(count: int, most: int, seed: list[int]) -> list[int]:
    """Different numbers below `count`, at most so many."""
    import numpy as np

    return [int(i) for i in np.random.default_rng(seed).permutation(count)[:most]]


def draw_curve(run: Path) -> None:
    """`curve.png`: losses and development figures over hours of training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows, dev = curve.read(run / "curve.csv"), curve.read(run / "dev.csv")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name in ("heat", "attributes"):
        left.plot([row["hours"] for row in rows], [row[name] for row in rows], label=name, linewidth=0.8)
    left.set(xlabel="hours of training", ylabel="loss", yscale="log")
    for name in [n for n in (dev[0] if dev else {}) if n in ("head_f1", "head_whole_f1", "rest_f1", "all_f1")]:
        right.plot([row["hours"] for row in dev], [row[name] for row in dev], marker=".", label=name)
    right.set(xlabel="hours of training", ylabel="on development pages", ylim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    temporary = run / "curve.partial.png"
    figure.savefig(temporary, dpi=110)
    plt.close(figure)
    temporary.replace(run / "curve.png")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the image reader.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by model_runtime.training.image.dataset")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--hours", type=float, default=Settings.hours)
    parser.add_argument("--evaluate-s", type=float, default=Settings.evaluate_s)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    settings = Settings(hours=arguments.hours, evaluate_s=arguments.evaluate_s)
    with Run(arguments.out, arguments.data, settings, resume=arguments.resume) as run:
        run.stop_when_told()
        log.info("%.2f M parameters", sum(p.numel() for p in run.reader.parameters()) / 1e6)
        run.train()


if __name__ == "__main__":
    main()
