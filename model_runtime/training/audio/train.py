"""The audio reader's training run, to be stopped and gone on with at any time.

    python -m model_runtime.training.audio.train --data CLIPS --out RUN --resume

RUN gets `checkpoint.pt`, `curve.csv`, `dev.csv`, `curve.png` and `settings.json`. A run that was killed goes on from
its last checkpoint with exactly the batches it would have seen; clips that were added meanwhile are used from the next
pool of steps on.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from model_runtime.training import curve
from model_runtime.training.audio.dataset import Batch, StoredClip, batch, clips_there
from model_runtime.training.audio.evaluate import measured
from model_runtime.training.checkpoint import write_checkpoint
from model_runtime.training.run_folder import RunFolder, decayed
from model_runtime.unified.audio_network import AudioNetwork, ReaderConfig, State
from model_runtime.unified.audio_steps import LATE_STEPS, STEP_S

log = logging.getLogger(__name__)
_POOL_STEPS = 100  # between looks for new clips
_CACHED_CLIPS = 6000  # half a megabyte each
_UNSURE_STEPS = 6  # at the start of a stretch, where what was struck before cannot be known


@dataclass(frozen=True)
class Settings:
    """What a run is made of; kept in its checkpoint.

    Attributes:
        steps: Length of the cosine.
        warmup: Steps to the highest learning rate.
        rate: That rate; the lowest is a fiftieth of it.
        size: Stretches in a batch.
        length: Steps of 23 ms in a stretch.
        onset, frame, offset, velocity, pedal: Weights of the losses.
        rare: How much more a cell counts where an onset or offset is.
        decay: Of the weights, for matrices.
        clip: Largest norm of the gradient.
        averaging: Share of the average that each step keeps.
        low: Whether gradients are computed in bfloat16.
        seed: Of batches and first weights.
        log_steps: Steps a row of the curve.
        save_s, evaluate_s: Seconds between checkpoints and between evaluations.
        dev_clips: Clips in an evaluation.
    """

    steps: int = 12000
    warmup: int = 100
    rate: float = 3e-3
    size: int = 4
    length: int = 172
    onset: float = 1.0
    frame: float = 0.3
    offset: float = 0.2
    velocity: float = 0.2
    pedal: float = 0.3
    rare: float = 3.0
    decay: float = 0.01
    clip: float = 3.0
    averaging: float = 0.995
    low: bool = True
    seed: int = 1
    log_steps: int = 20
    save_s: float = 120.0
    evaluate_s: float = 600.0
    dev_clips: int = 24


def learning_rate(step: int, settings: Settings) -> float:
    """Linear up to `rate`, then a cosine down to a fiftieth of it."""
    if step < settings.warmup:
        return settings.rate * (step + 1) / settings.warmup
    done = min((step - settings.warmup) / max(settings.steps - settings.warmup, 1), 1.0)
    return settings.rate * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done)))


def losses(reader: AudioNetwork, given: Batch, settings: Settings) -> dict[str, Tensor]:
    """Loss of each head, a mean over steps of the sum over keys, the late heads' beside the others'."""
    dtype = reader.heads.weight.dtype
    start = reader.start(len(given.frames))
    state = State(torch.from_numpy(given.before).to(dtype), start.keys, start.context)
    logits, late, pedal, _ = reader(torch.from_numpy(given.frames).to(dtype), state)
    logits, late = logits[:, _UNSURE_STEPS:-LATE_STEPS].float(), late[:, _UNSURE_STEPS + LATE_STEPS :].float()
    pedal = pedal[:, _UNSURE_STEPS:].float()
    heads = torch.from_numpy(given.heads[:, _UNSURE_STEPS:-LATE_STEPS])  # (B, T, KEYS, 4)
    struck = torch.from_numpy(given.struck[:, _UNSURE_STEPS:-LATE_STEPS])
    each = F.binary_cross_entropy_with_logits(torch.cat([logits, late]), heads.repeat(2, 1, 1, 1), reduction="none")
    heads, struck = heads.repeat(2, 1, 1, 1), struck.repeat(2, 1, 1)
    cells = heads.shape[0] * heads.shape[1]
    pedalled = torch.from_numpy(given.pedalled)[:, None]
    wanted = torch.from_numpy(given.pedal[:, _UNSURE_STEPS:])
    pedal_each = F.binary_cross_entropy_with_logits(pedal, wanted, reduction="none") * pedalled
    return {
        "onset": (each[..., 0] * (1 + settings.rare * heads[..., 0])).sum() / cells,
        "frame": each[..., 1].sum() / cells,
        "offset": (each[..., 2] * (1 + settings.rare * heads[..., 2])).sum() / cells,
        "velocity": (each[..., 3] * struck).sum() / cells,
        "pedal": pedal_each.mean(),
    }


class Run(RunFolder):
    """A training run in a folder, which it holds for itself while it is open (`with Run(…) as run:`).

    Args:
        out: The folder.
        data: The clips.
        settings: As `settings.json` then tells; a run that goes on may be given others.
        resume: Go on from the folder's checkpoint where there is one.
        config: Sizes of a new network; one that is resumed keeps its own.
        start: A checkpoint whose averaged weights a new run starts from.
    """

    def __init__(
        self,
        out: Path,
        data: Path,
        settings: Settings,
        *,
        resume: bool,
        config: ReaderConfig | None = None,
        start: Path | None = None,
    ) -> None:
        super().__init__(out)
        self.data, self.settings = data, settings
        try:
            self._prepare(config, start, resume=resume)
        except BaseException:
            self.close()
            raise

    def _prepare(self, config: ReaderConfig | None, start: Path | None, *, resume: bool) -> None:
        settings = self.settings
        self.step = self.clips = 0
        self.seconds = 0.0
        torch.manual_seed(settings.seed)
        state = self._saved() if resume else None
        self.reader = AudioNetwork(ReaderConfig(**state["config"]) if state else config)
        if state is None and start is not None:
            self.reader = load_reader(start)
        self.average = {name: value.detach().clone() for name, value in self.reader.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            decayed(self.reader, settings.decay), lr=settings.rate, betas=(0.9, 0.98), fused=True
        )
        if state:
            self._restore(state)
        self._low = self.reader.lowered() if settings.low else None
        self._cache: dict[int, StoredClip] = {}
        self.tell(settings)

    def _saved(self) -> dict[str, Any] | None:
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        self.reader.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = state["average"]
        self.step, self.clips, self.seconds = state["step"], state["clips"], state["seconds"]
        for name in ("curve.csv", "dev.csv"):
            curve.forget_after(self.out / name, self.step)

    def save(self) -> None:
        """Write the checkpoint beside the old one, then take its place."""
        state = {
            "config": self.reader.config.as_dict(),
            "settings": asdict(self.settings),
            "model": self.reader.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            **{"step": self.step, "clips": self.clips, "seconds": self.seconds},
        }
        write_checkpoint(state, self.out)

    def next_batch(self) -> Batch:
        """The batch of the step that comes next.

        Raises:
            FileNotFoundError: there are no clips.
        """
        if self.step % _POOL_STEPS == 0 or not self.clips:
            self.clips = clips_there(self.data, "train")
            if not self.clips:
                raise FileNotFoundError(f"{self.data / 'train'} holds no clips")
        if len(self._cache) > _CACHED_CLIPS:
            self._cache.clear()
        settings = self.settings
        history = self.reader.config.history
        seed = (settings.seed, self.step)
        return batch(self.data, self.clips, history, settings.length, settings.size, seed, self._cache)

    def train_step(self, given: Batch) -> dict[str, float]:
        """One update; returns the losses."""
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, settings)
        worker = self._low or self.reader
        if self._low is not None:
            with torch.no_grad():
                for low, high in zip(self._low.parameters(), self.reader.parameters(), strict=True):
                    low.copy_(high)
        found = losses(worker, given, settings)
        total = sum((getattr(settings, name) * value for name, value in found.items()), torch.zeros(()))
        worker.zero_grad(set_to_none=True)
        total.backward()
        if self._low is not None:
            for low, high in zip(self._low.parameters(), self.reader.parameters(), strict=True):
                high.grad = None if low.grad is None else low.grad.float()
        torch.nn.utils.clip_grad_norm_(self.reader.parameters(), settings.clip)
        self.optimizer.step()
        self.step += 1
        self._average()
        return {name: value.item() for name, value in found.items()}

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.settings.averaging, (1 + self.step) / (10 + self.step))
        now = self.reader.state_dict()
        torch._foreach_lerp_(list(self.average.values()), [now[name] for name in self.average], 1.0 - keep)

    def averaged(self) -> AudioNetwork:
        """The network with the averaged weights."""
        reader = AudioNetwork(self.reader.config)
        reader.load_state_dict(self.average)
        return reader.eval()

    def evaluate(self) -> dict[str, float]:
        """F1 of the averaged weights on the development clips, appended to `dev.csv`; draws the curve."""
        result = measured(self.averaged(), self.data, self.settings.dev_clips)
        curve.append(self.out / "dev.csv", {"step": self.step, "hours": round(self.seconds / 3600, 4), **result})
        draw(self.out)
        return result

    def train(self, until: int | None = None) -> None:
        """Train to the end of the cosine, to step `until`, or until told to stop."""
        settings, last_save = self.settings, time.monotonic()
        sums: dict[str, float] = {}
        row_s = 0.0
        end = min(until or settings.steps, settings.steps)
        while self.step < end and not self.stopping:
            started, evaluations = time.monotonic(), int(self.seconds // settings.evaluate_s)
            for name, value in self.train_step(self.next_batch()).items():
                sums[name] = sums.get(name, 0.0) + value
            self.seconds += time.monotonic() - started
            row_s += time.monotonic() - started
            if self.step % settings.log_steps == 0:
                self._log(sums, row_s)
                sums, row_s = {}, 0.0
            if int(self.seconds // settings.evaluate_s) > evaluations:
                self.save()
                log.info("step %d dev %s", self.step, self.evaluate())
            if time.monotonic() - last_save > settings.save_s:
                last_save = time.monotonic()
                self.save()
        self.save()

    def _log(self, sums: dict[str, float], seconds: float) -> None:
        settings = self.settings
        row: dict[str, object] = {name: round(value / settings.log_steps, 5) for name, value in sums.items()}
        heard_s = settings.log_steps * settings.size * settings.length * STEP_S
        row |= {"clips": self.clips, "x_real_time": round(heard_s / max(seconds, 1e-9), 1)}
        rate = round(learning_rate(self.step, settings), 7)
        head = {"step": self.step, "hours": round(self.seconds / 3600, 4), "rate": rate}
        curve.append(self.out / "curve.csv", head | row)
        log.info("step %d %s", self.step, row)


def load_reader(checkpoint: Path) -> AudioNetwork:
    """The averaged network of a checkpoint."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    reader = AudioNetwork(ReaderConfig(**state["config"]))
    reader.load_state_dict(state["average"])
    return reader.eval()


def draw(run: Path) -> None:
    """`curve.png` out of `curve.csv` and `dev.csv`."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows, dev = curve.read(run / "curve.csv"), curve.read(run / "dev.csv")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name in ("onset", "frame", "offset", "velocity", "pedal"):
        left.plot([r["hours"] for r in rows if name in r], [r[name] for r in rows if name in r], label=name)
    left.set(xlabel="hours of training", ylabel="loss a step", yscale="log")
    for name in [n for n in (dev[0] if dev else {}) if "f1" in n]:
        right.plot([r["hours"] for r in dev if name in r], [r[name] for r in dev if name in r], marker=".", label=name)
    right.set(xlabel="hours of training", ylabel="F1 on dev", ylim=(0, 1))
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
    parser = argparse.ArgumentParser(description="Train the audio reader.")
    parser.add_argument("--data", type=Path, required=True, help="folder of clips")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    parser.add_argument("--start", type=Path, default=None, help="checkpoint whose weights a new run starts from")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--rate", type=float, default=Settings.rate)
    parser.add_argument("--until", type=int, default=None, help="stop at this step, without changing the schedule")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    settings = Settings(steps=arguments.steps, rate=arguments.rate)
    with Run(arguments.out, arguments.data, settings, resume=arguments.resume, start=arguments.start) as run:
        run.stop_when_told()
        log.info("from step %d, %d clips", run.step, clips_there(run.data, "train"))
        run.train(arguments.until)


if __name__ == "__main__":
    main()
