"""The performance reader's training run, both networks side by side, to be stopped and gone on with at any time.

    python -m model_runtime.training.performance.train --data CORPUS --out RUN --resume

RUN gets `checkpoint.pt`, `curve.csv`, `dev.csv`, `curve.png` and `settings.json`. Renditions are drawn by number, so a
run that was killed goes on with those that it would have heard.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model_runtime.training import curve
from model_runtime.training.checkpoint import write_checkpoint
from model_runtime.training.performance.corpus import DEV
from model_runtime.training.performance.dataset import IGNORED, Renditions, batch, training_corpora
from model_runtime.training.performance.network import BEATS, NOTE_VALUES, NetworkConfig, NoteNetwork
from model_runtime.training.performance.scores import loaded
from model_runtime.training.run_folder import RunFolder, decayed
from model_runtime.unified.performance_features import BAR_PLACES, PERIODS, PHASES, VALUES

log = logging.getLogger(__name__)
NETWORKS = {"beats": BEATS, "values": NOTE_VALUES}
_DEV_SEED = 977


@dataclass(frozen=True)
class Settings:
    """What a run is made of; kept in its checkpoint.

    Attributes:
        hours: Of training, over which the rate falls as a cosine.
        warmup: Steps to the highest learning rate.
        rate: That rate; the lowest is a fiftieth of it.
        size: Renditions in a batch.
        fresh: New renditions in each step; the others were drawn in steps before.
        kept: How many renditions are drawn from.
        period, staff: Weights of those losses beside the others.
        decay: Of the weights, for matrices.
        clip: Largest norm of the gradient.
        averaging: Share of the average that each step keeps.
        low: Whether gradients are computed in bfloat16.
        seed: Of renditions and first weights.
        log_steps: Steps a row of the curve.
        save_s, evaluate_s: Seconds between checkpoints and between evaluations.
        dev: Renditions in an evaluation.
    """

    hours: float = 1.0
    warmup: int = 100
    rate: float = 2e-3
    size: int = 12
    fresh: int = 4
    kept: int = 480
    period: float = 0.5
    staff: float = 0.5
    decay: float = 0.02
    clip: float = 1.0
    averaging: float = 0.995
    low: bool = True
    seed: int = 1
    log_steps: int = 20
    save_s: float = 120.0
    evaluate_s: float = 480.0
    dev: int = 48


def learning_rate(step: int, seconds: float, settings: Settings) -> float:
    """Linear up to `rate`, then a cosine of the hours trained down to a fiftieth of it."""
    if step < settings.warmup:
        return settings.rate * (step + 1) / settings.warmup
    done = min(seconds / 3600 / max(settings.hours, 1e-9), 1.0)
    return settings.rate * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done)))


def said(network: NoteNetwork, given: dict[str, Any]) -> Tensor:
    """What a network says of a batch, in single precision."""
    dtype = network.out.weight.dtype
    cosine, sine = network.angles(torch.from_numpy(given["places"]))
    features = torch.from_numpy(given["features"])
    there = torch.from_numpy(given["there"])
    return network(features.to(dtype), cosine.to(dtype), sine.to(dtype), there).float()


def losses(name: str, logits: Tensor, answers: Tensor) -> dict[str, Tensor]:
    """Mean loss of each head."""
    flat, wanted = logits.flatten(0, 1), answers.flatten(0, 1)
    if name == "beats":
        phase, bar, period = flat.split([PHASES, BAR_PLACES, PERIODS], dim=-1)
        known = wanted[:, 2] >= 0
        place = wanted[known, 2:].float() / 10
        shares = torch.exp(-0.5 * (torch.arange(PERIODS)[None] - place) ** 2)
        shares = shares / shares.sum(1, keepdim=True)
        return {
            "phase": F.cross_entropy(phase, wanted[:, 0], ignore_index=IGNORED),
            "bar": F.cross_entropy(bar, wanted[:, 1], ignore_index=IGNORED),
            "period": -(shares * F.log_softmax(period[known], dim=-1)).sum(1).mean(),
        }
    on_staff = wanted[:, 1] >= 0
    staff = F.binary_cross_entropy_with_logits(flat[on_staff, -1], wanted[on_staff, 1].float(), reduction="sum")
    return {
        "value": F.cross_entropy(flat[:, : len(VALUES)], wanted[:, 0], ignore_index=IGNORED),
        "staff": staff / max(int(on_staff.sum()), 1),
    }


class Trained:
    """One network with its optimizer and its average."""

    def __init__(self, config: NetworkConfig, settings: Settings) -> None:
        self.network = NoteNetwork(config)
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        groups = decayed(self.network, settings.decay)
        self.optimizer = torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98), fused=True)
        self.low: NoteNetwork | None = None
        if settings.low:
            self.low = NoteNetwork(config)
            turns = self.low.turns
            self.low.to(torch.bfloat16)
            self.low.turns = turns

    def step(self, name: str, given: dict[str, Any], rate: float, settings: Settings) -> dict[str, float]:
        """One update; returns the losses."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        worker = self.low or self.network
        if self.low is not None:
            with torch.no_grad():
                for low, high in zip(self.low.parameters(), self.network.parameters(), strict=True):
                    low.copy_(high)
        found = losses(name, said(worker, given), torch.from_numpy(given["answers"]))
        weights = {"period": settings.period, "staff": settings.staff}
        total = sum((weights.get(head, 1.0) * value for head, value in found.items()), torch.zeros(()))
        worker.zero_grad(set_to_none=True)
        total.backward()
        if self.low is not None:
            for low, high in zip(self.low.parameters(), self.network.parameters(), strict=True):
                high.grad = None if low.grad is None else low.grad.float()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self.optimizer.step()
        return {head: value.item() for head, value in found.items()}

    @torch.no_grad()
    def follow(self, keep: float) -> None:
        """Move the average towards the weights."""
        now = self.network.state_dict()
        torch._foreach_lerp_(list(self.average.values()), [now[name] for name in self.average], 1.0 - keep)

    def averaged(self) -> NoteNetwork:
        """The network with the averaged weights."""
        network = NoteNetwork(self.network.config)
        network.load_state_dict(self.average)
        return network.eval()


class Run(RunFolder):
    """A training run in a folder, which it holds for itself while it is open (`with Run(…) as run:`).

    Args:
        out: The folder.
        data: What `corpus` built.
        settings: As `settings.json` then tells; a run that goes on may be given others.
        resume: Go on from the folder's checkpoint where there is one.
    """

    def __init__(self, out: Path, data: Path, settings: Settings, *, resume: bool) -> None:
        super().__init__(out)
        self.settings = settings
        try:
            self._prepare(data, resume=resume)
        except BaseException:
            self.close()
            raise

    def _prepare(self, data: Path, *, resume: bool) -> None:
        settings = self.settings
        self.step, self.seconds = 0, 0.0
        torch.manual_seed(settings.seed)
        self.trained = {name: Trained(config, settings) for name, config in NETWORKS.items()}
        path = self.out / "checkpoint.pt"
        if resume and path.exists():
            self._restore(torch.load(path, map_location="cpu", weights_only=True))
        self.renditions = Renditions(training_corpora(data), settings.seed, settings.kept + settings.fresh)
        dev = [score for _, score in loaded(data / f"{DEV}.npz")]
        self.dev = Renditions([(dev, 1.0)], _DEV_SEED, settings.dev)
        self.tell(settings)

    def _restore(self, state: dict[str, Any]) -> None:
        for name, own in self.trained.items():
            own.network.load_state_dict(state[name]["model"])
            own.optimizer.load_state_dict(state[name]["optimizer"])
            own.average = state[name]["average"]
        self.step, self.seconds = state["step"], state["seconds"]
        for name in ("curve.csv", "dev.csv"):
            curve.forget_after(self.out / name, self.step)

    def save(self) -> None:
        """Write the checkpoint beside the old one, then take its place."""
        state: dict[str, Any] = {"settings": asdict(self.settings), "step": self.step, "seconds": self.seconds}
        for name, own in self.trained.items():
            state[name] = {
                "config": own.network.config.as_dict(),
                "model": own.network.state_dict(),
                "average": own.average,
                "optimizer": own.optimizer.state_dict(),
            }
        write_checkpoint(state, self.out)

    def train_step(self) -> dict[str, float]:
        """One update of both networks; returns the losses."""
        settings = self.settings
        rng = np.random.default_rng((settings.seed, 1, self.step))
        last = (self.step + 1) * settings.fresh + settings.size
        numbers = rng.choice(np.arange(max(0, last - settings.kept), last), settings.size, replace=False)
        numbers[: settings.fresh] = np.arange(last - settings.fresh, last)
        tasks = [self.renditions.tasks(int(number)) for number in numbers]
        rate = learning_rate(self.step, self.seconds, settings)
        found: dict[str, float] = {}
        keep = min(settings.averaging, (1 + self.step) / (10 + self.step))
        for index, (name, own) in enumerate(self.trained.items()):
            found |= own.step(name, batch([pair[index] for pair in tasks], rng), rate, settings)
            own.follow(keep)
        self.step += 1
        return found

    def evaluate(self) -> dict[str, float]:
        """How often the averaged networks are right on played dev scores, appended to `dev.csv`; draws the curve."""
        result = measured({name: own.averaged() for name, own in self.trained.items()}, self.dev, self.settings.dev)
        curve.append(self.out / "dev.csv", {"step": self.step, "hours": round(self.seconds / 3600, 4), **result})
        draw(self.out)
        return result

    def train(self, until: int | None = None) -> None:
        """Train for the hours of the settings, to step `until`, or until told to stop."""
        settings, last_save = self.settings, time.monotonic()
        sums: dict[str, float] = {}
        row_s, row_steps = 0.0, 0
        while self.seconds < 3600 * settings.hours and self.step != until and not self.stopping:
            started, evaluations = time.monotonic(), int(self.seconds // settings.evaluate_s)
            for name, value in self.train_step().items():
                sums[name] = sums.get(name, 0.0) + value
            self.seconds += time.monotonic() - started
            row_s, row_steps = row_s + time.monotonic() - started, row_steps + 1
            if self.step % settings.log_steps == 0:
                self._log(sums, row_s, row_steps)
                sums, row_s, row_steps = {}, 0.0, 0
            if int(self.seconds // settings.evaluate_s) > evaluations:
                self.save()
                log.info("step %d dev %s", self.step, self.evaluate())
            if time.monotonic() - last_save > settings.save_s:
                last_save = time.monotonic()
                self.save()
        self.save()

    def _log(self, sums: dict[str, float], seconds: float, steps: int) -> None:
        settings = self.settings
        row: dict[str, object] = {name: round(value / steps, 5) for name, value in sums.items()}
        row["renditions_a_second"] = round(steps * settings.size / max(seconds, 1e-9), 2)
        rate = round(learning_rate(self.step, self.seconds, settings), 7)
        head = {"step": self.step, "hours": round(self.seconds / 3600, 4), "rate": rate}
        curve.append(self.out / "curve.csv", head | row)
        log.info("step %d rate %g %s", self.step, rate, row)


@torch.no_grad()
def measured(networks: dict[str, NoteNetwork], renditions: Renditions, count: int) -> dict[str, float]:
    """Shares of right answers over so many renditions."""
    right: dict[str, list[Tensor]] = {}
    for number in range(count):
        for index, name in enumerate(networks):
            given = batch([renditions.tasks(number)[index]], np.random.default_rng(number))
            logits = said(networks[name], given)[0]
            answers = torch.from_numpy(given["answers"][0])
            for head, found in _right(name, logits, answers).items():
                right.setdefault(head, []).append(found)
    return {head: round(float(torch.cat(found).float().mean()), 4) for head, found in right.items()}


def _right(name: str, logits: Tensor, answers: Tensor) -> dict[str, Tensor]:
    if name == "beats":
        phase, bar, period = logits.split([PHASES, BAR_PLACES, PERIODS], dim=-1)
        near = (period.argmax(1) - answers[:, 2] / 10).abs()
        return {
            "phase": (phase.argmax(1) == answers[:, 0])[answers[:, 0] >= 0],
            "bar": (bar.argmax(1) == answers[:, 1])[answers[:, 1] >= 0],
            "period": near <= 1.5,
        }
    value = logits[:, : len(VALUES)].argmax(1) == answers[:, 0]
    staff = (logits[:, -1] > 0).long() == answers[:, 1]
    return {"value": value[answers[:, 0] >= 0], "staff": staff[answers[:, 1] >= 0]}


def load_networks(checkpoint: Path) -> dict[str, NoteNetwork]:
    """The averaged networks of a checkpoint."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    networks = {}
    for name in NETWORKS:
        networks[name] = NoteNetwork(NetworkConfig(**state[name]["config"]))
        networks[name].load_state_dict(state[name]["average"])
        networks[name].eval()
    return networks


def draw(run: Path) -> None:
    """`curve.png` out of `curve.csv` and `dev.csv`."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows, dev = curve.read(run / "curve.csv"), curve.read(run / "dev.csv")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name in ("phase", "bar", "period", "value", "staff"):
        left.plot([r["hours"] for r in rows if name in r], [r[name] for r in rows if name in r], label=name)
        right.plot([r["hours"] for r in dev if name in r], [r[name] for r in dev if name in r], marker=".", label=name)
    left.set(xlabel="hours of training", ylabel="loss (nats)", yscale="log")
    right.set(xlabel="hours of training", ylabel="share right on dev", ylim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=7)
    temporary = run / "curve.partial.png"
    figure.savefig(temporary, dpi=110)
    plt.close(figure)
    temporary.replace(run / "curve.png")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the performance reader.")
    parser.add_argument("--data", type=Path, required=True, help="folder that corpus built")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    parser.add_argument("--hours", type=float, default=Settings.hours, help="of training in all")
    parser.add_argument("--rate", type=float, default=Settings.rate)
    parser.add_argument("--until", type=int, default=None, help="stop at this step, without changing the schedule")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    settings = Settings(hours=arguments.hours, rate=arguments.rate)
    with Run(arguments.out, arguments.data, settings, resume=arguments.resume) as run:
        run.stop_when_told()
        log.info("from step %d", run.step)
        run.train(arguments.until)


if __name__ == "__main__":
    main()
