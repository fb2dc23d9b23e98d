"""Training of the autoencoder for so many processor seconds, to be stopped and gone on with at any time.

A batch is random squares of random pictures, shifted by any number of pixels. The loss is the mean difference of ink
and its square, the difference of neighbouring pixels' steps (edges), and the commitment to the codes.
"""

from __future__ import annotations

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
from torch import Tensor

from model_runtime.modality import GreyPage
from model_runtime.training.checkpoint import write_checkpoint
from model_runtime.training.codes.autoencoder import PATCH_PX, AutoEncoder

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FittingSettings:
    """How the autoencoder is trained.

    Attributes:
        seconds: Of the processor.
        rate: Highest learning rate; it falls to a hundredth by a cosine over the seconds.
        batch: Squares in a step.
        side_px: Of a square.
        commitment: Weight of that loss.
        save_s: Seconds between checkpoints.
        seed: Of everything.
        half: Convolutions in bfloat16.
    """

    seconds: float = 900.0
    rate: float = 2e-3
    batch: int = 32
    side_px: int = 6 * PATCH_PX
    commitment: float = 0.25
    save_s: float = 60.0
    seed: int = 1
    half: bool = True


def fitted(
    pictures: Sequence[GreyPage], folder: Path, settings: FittingSettings, tell: Callable[[str], None]
) -> tuple[AutoEncoder, float]:
    """The autoencoder trained on pictures, and the processor seconds it took; goes on from the folder's checkpoint.

    Args:
        pictures: uint8, 0 is ink.
        folder: Of `checkpoint.pt`.
        tell: Told now and then how far it is.
    """
    torch.manual_seed(settings.seed)
    model = AutoEncoder().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.rate, weight_decay=0.01)
    folder.mkdir(parents=True, exist_ok=True)
    seconds, step = 0.0, 0
    if (folder / "checkpoint.pt").exists():
        state: dict[str, Any] = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        seconds, step = state["seconds"], state["step"]

    def save() -> None:
        write_checkpoint(
            {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "seconds": seconds, "step": step}, folder
        )

    last_save = seconds
    sums = np.zeros(3)
    while seconds < settings.seconds:
        started = time.process_time()
        rng = np.random.default_rng((settings.seed, step))
        squares = _squares(pictures, settings.batch, settings.side_px, rng)
        rate = _rate(seconds, step, settings)
        sums += _fit_step(model, optimizer, torch.from_numpy(squares), rate, settings)
        step += 1
        seconds += time.process_time() - started
        if step % 100 == 0:
            error, edges, commitment = sums / 100
            tell(f"step {step}, {seconds:.0f} s: error {error:.4f}, edges {edges:.4f}, commitment {commitment:.4f}")
            sums[:] = 0
        if seconds - last_save > settings.save_s:
            save()
            last_save = seconds
    if seconds > last_save:
        save()
    return model.eval(), seconds


def _rate(seconds: float, step: int, settings: FittingSettings) -> float:
    warm = min((step + 1) / 100, 1.0)
    done = min(seconds / settings.seconds, 1.0)
    return settings.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def _fit_step(
    model: AutoEncoder, optimizer: torch.optim.Optimizer, ink: Tensor, rate: float, settings: FittingSettings
) -> tuple[float, float, float]:
    """One update; returns the differences of ink and of edges, and the commitment."""
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = rate
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=settings.half):
        drawn, _, commitment = model(ink.contiguous(memory_format=torch.channels_last))
    error = F.l1_loss(drawn, ink)
    edges = F.l1_loss(drawn.diff(dim=2), ink.diff(dim=2)) + F.l1_loss(drawn.diff(dim=3), ink.diff(dim=3))
    optimizer.zero_grad(set_to_none=True)
    (error + 2.0 * F.mse_loss(drawn, ink) + 0.5 * edges + settings.commitment * commitment).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return error.item(), edges.item(), commitment.item()


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
