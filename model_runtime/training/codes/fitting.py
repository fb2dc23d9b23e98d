"""Training of the autoencoder for so many processor seconds, to be stopped and gone on with at any time.

A batch is random squares of random pictures, shifted by any number of pixels. The loss is the mean difference of ink
and its square, the difference of neighbouring pixels' steps (edges), and the commitment to the codes.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from model_runtime.modality import GreyPage
from model_runtime.training.checkpoint import write_checkpoint
from model_runtime.training.codes.autoencoder import PATCH_PX, AutoEncoder
from model_runtime.training.run_folder import RunFolder, decayed

_TOLD_STEPS = 200
_log = logging.getLogger(__name__)
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FittingSettings:
    """How the autoencoder is trained.

    Attributes:
        seconds: Of the processor.
        rate: Highest learning rate; it falls to a hundredth by a cosine over the seconds.
        batch: Squares in a step.
        side_px: Of a square.
        plain: Share of the seconds at first in which nothing is quantised: codes begin where the encoder knows already
            what matters.
        commitment: Weight of that loss.
        save_s: Seconds between checkpoints.
        seed: Of everything.
        half: Convolutions in bfloat16.
    """

    seconds: float = 900.0
    rate: float = 2e-3
    batch: int = 8
    side_px: int = 6 * PATCH_PX
    plain: float = 0.2
    commitment: float = 0.25
    save_s: float = 15.0
    seed: int = 1
    half: bool = True


class Fitting(RunFolder):
    """A training run of the autoencoder in a folder, which goes on from the folder's checkpoint.

    Args:
        pictures: uint8, 0 is ink.
        out: The folder.
        settings: How; `seconds` may be changed on the way.
    """

    def __init__(self, pictures: Sequence[GreyPage], out: Path, settings: FittingSettings) -> None:
        super().__init__(out)
        self.tell(settings)
        torch.manual_seed(settings.seed)
        self.settings, self.pictures = settings, pictures
        self.model = AutoEncoder().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(decayed(self.model, 0.01), lr=settings.rate)
        self.step, self.processor_s = 0, 0.0
        if (out / "checkpoint.pt").exists():
            state: dict[str, Any] = torch.load(out / "checkpoint.pt", map_location="cpu", weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.processor_s = state["step"], state["processor_s"]

    def save(self) -> None:
        """Write the checkpoint."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        write_checkpoint({**state, "step": self.step, "processor_s": self.processor_s}, self.out)

    def train(self, tell: Callable[[str], None] = _log.info) -> AutoEncoder:
        """The autoencoder, trained to its end or until it is told to stop; `tell` hears now and then how far it is."""
        last_save = self.processor_s
        sums = np.zeros(3)
        while self.processor_s < self.settings.seconds and not self.stopping:
            started = time.process_time()
            sums += self.train_step()
            self.processor_s += time.process_time() - started
            if self.step % _TOLD_STEPS == 0:
                error, edges, commitment = sums / _TOLD_STEPS
                tell(
                    f"step {self.step}, {self.processor_s:.0f} s: error {error:.4f}, edges {edges:.4f}, "
                    f"commitment {commitment:.4f}"
                )
                sums[:] = 0
            if self.processor_s - last_save > self.settings.save_s:
                self.save()
                last_save = self.processor_s
        if self.processor_s > last_save:
            self.save()
        return self.model.eval()

    def train_step(self) -> tuple[float, float, float]:
        """One update; returns the differences of ink and of edges, and the commitment."""
        settings, model = self.settings, self.model
        model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        rng = np.random.default_rng((settings.seed, self.step))
        ink = torch.from_numpy(_squares(self.pictures, settings.batch, settings.side_px, rng))
        coded = self.processor_s >= settings.plain * settings.seconds
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=settings.half):
            drawn, commitment = model(ink.contiguous(memory_format=torch.channels_last), coded=coded)
        error = F.l1_loss(drawn, ink)
        edges = F.l1_loss(drawn.diff(dim=2), ink.diff(dim=2)) + F.l1_loss(drawn.diff(dim=3), ink.diff(dim=3))
        self.optimizer.zero_grad(set_to_none=True)
        (error + 2.0 * F.mse_loss(drawn, ink) + 0.5 * edges + settings.commitment * commitment).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        return error.item(), edges.item(), commitment.item()

    def _rate(self) -> float:
        warm = min((self.step + 1) / 100, 1.0)
        done = min(self.processor_s / self.settings.seconds, 1.0)
        return self.settings.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def _squares(pictures: Sequence[GreyPage], count: int, side: int, rng: np.random.Generator) -> Floats:
    """Ink of random squares of random pictures, up to a patch of paper beside them: (count, 1, side, side)."""
    result = np.zeros((count, 1, side, side), np.float32)
    for row, number in enumerate(rng.integers(len(pictures), size=count)):
        picture = pictures[int(number)]
        starts = [int(rng.integers(-PATCH_PX, max(size - side, 0) + PATCH_PX + 1)) for size in picture.shape]
        (top, bottom), (left, right) = (
            (max(start, 0), min(start + side, size)) for start, size in zip(starts, picture.shape, strict=True)
        )
        if bottom > top and right > left:
            into = result[row, 0, top - starts[0] : bottom - starts[0], left - starts[1] : right - starts[1]]
            into[:] = ink_of(picture[top:bottom, left:right])
    return result


def ink_of(picture: GreyPage) -> Floats:
    """Grey pixels → ink from 0 (paper) to 1."""
    return 1.0 - picture.astype(np.float32) / 255.0
