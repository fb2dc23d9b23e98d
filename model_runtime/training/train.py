"""The training run: endless windows, one step after another, to be stopped and gone on with at any time.

    python -m model_runtime.training.train --data CORPUS [--data SEEN …] --out RUN --resume

RUN gets `checkpoint.pt` (every few minutes, and when told to stop), `curve.csv`, `dev.csv`, `curve.png` and
`settings.json`. A run that was killed goes on from its last checkpoint with exactly the batches it would have seen; one
whose folder is empty goes on, if told to resume, from the weights that are shipped. On several processes or GPUs:

    torchrun --nproc-per-node 2 -m model_runtime.training.train --data CORPUS --out RUN --resume
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.tokens.vocabulary import NOTATION_IDS, PAD_ID, SYMBOLIC_SIZE, fingerprint
from model_runtime.training import curve
from model_runtime.training.checkpoint import write_checkpoint
from model_runtime.training.corpus import TRAINING_SPLITS
from model_runtime.training.dataset import DIRECTIONS, KINDS, Batch, Corpus, batches, corpora
from model_runtime.training.evaluate import load_trunk, measured
from model_runtime.training.note_losses import note_losses
from model_runtime.training.note_windows import NOTE_KINDS, NoteBatch
from model_runtime.training.run_folder import RunFolder, decayed
from model_runtime.unified.architecture import Trunk, TrunkConfig, symbol_id
from model_runtime.unified.note_outputs import OUTPUTS

log = logging.getLogger(__name__)
Precision = Literal["bf16-mixed", "32-true"]


@dataclass(frozen=True)
class Settings:
    """What a run is made of; kept in its checkpoint.

    Attributes:
        steps: Length of the cosine.
        warmup: Steps to the highest learning rate.
        rate: That rate; the lowest is a fiftieth of it.
        tokens: Padded source and target tokens in a batch.
        pool: Windows drawn at a time and sorted by length: the more, the less of a batch is padding.
        weights: How often each of `dataset.KINDS` is drawn.
        pointer: Weight of the pointer's loss.
        notes: Weight of the loss of notes that are judged one by one.
        smoothing: Of the labels.
        decay: Of the weights, for matrices.
        clip: Largest norm of the gradient.
        averaging: Share of the average that each step keeps.
        precision: Of products, as Lightning Fabric names it: "bf16-mixed", "32-true"; "auto" is the first where the
            processor or GPU computes with such numbers. Weights, sums and losses keep 32 bits.
        seed: Of the windows and of the first weights.
        log_steps: Steps a row of the curve.
        save_s, evaluate_s: Seconds between checkpoints and between evaluations.
        dev_windows: Windows of each kind in an evaluation.
    """

    steps: int = 80000
    warmup: int = 500
    rate: float = 8e-4
    tokens: int = 4000
    pool: int = 2048
    weights: dict[str, float] = field(default_factory=lambda: {"image": 0.6, "performance": 0.4})
    pointer: float = 0.5
    notes: float = 0.5
    smoothing: float = 0.02
    decay: float = 0.02
    clip: float = 1.0
    averaging: float = 0.9995
    precision: Precision | Literal["auto"] = "auto"
    seed: int = 1
    log_steps: int = 25
    save_s: float = 180.0
    evaluate_s: float = 1500.0
    dev_windows: int = 96


def learning_rate(step: int, settings: Settings) -> float:
    """Linear up to `rate`, then a cosine down to a fiftieth of it."""
    if step < settings.warmup:
        return settings.rate * (step + 1) / settings.warmup
    done = min((step - settings.warmup) / max(settings.steps - settings.warmup, 1), 1.0)
    return settings.rate * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done)))


class Objective(nn.Module):
    """What a step makes smaller: the loss of a batch's symbols, and of where the taught head looks."""

    def __init__(self, trunk: Trunk, smoothing: float) -> None:
        super().__init__()
        self.trunk = trunk
        self._smoothing = smoothing
        self.written: Tensor
        self.index_of: Tensor
        self.register_buffer("written", torch.tensor(NOTATION_IDS), persistent=False)
        index_of = torch.full((SYMBOLIC_SIZE,), -1)
        index_of[self.written] = torch.arange(len(NOTATION_IDS))
        self.register_buffer("index_of", index_of, persistent=False)

    def forward(self, source: str, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Mean loss a target token, and mean loss of the pointer where there is something to point at (else 0); of a
        batch of notes the sum of `note_losses` and 0."""
        trunk = self.trunk
        if "wanted" in batch:
            memory, _ = trunk.encode(
                batch["ids"], batch["places"], symbol_id("from", source), symbol_id("to", "performance")
            )
            if trunk.notes is None:
                raise ValueError("this trunk has no heads for notes")
            loss = note_losses(trunk.notes(memory).float(), batch["wanted"], batch["weights"]).sum()
            return loss, loss.new_zeros(())
        target = batch["target"]
        start = symbol_id("to", "notation")
        memory, mask = trunk.encode(batch["ids"], batch["places"], symbol_id("from", source), start)
        given = torch.cat([torch.full_like(target[:, :1], start), target[:, :-1]], dim=1)  # (B, T)
        hidden, pointing = trunk.decode(given, memory, mask)  # (B, T, d), (B, T, S)
        there = target != PAD_ID
        logits = trunk.logits(hidden[there], self.written).float()
        symbols = F.cross_entropy(logits, self.index_of[target[there]], label_smoothing=self._smoothing)
        pointers = F.cross_entropy(
            pointing.float().flatten(0, 1), batch["pointers"].flatten(), ignore_index=-1, reduction="sum"
        ) / (batch["pointers"] >= 0).sum().clamp(min=1)
        return symbols, pointers


class Run(RunFolder):
    """A training run in a folder, which it holds for itself while it is open (`with Run(…) as run:`).

    Args:
        out: The folder.
        data: The corpus' folders.
        settings: As `settings.json` then tells; a run that goes on may be given others.
        resume: Go on from the folder's checkpoint where there is one.
        config: Sizes of a new trunk; one that is resumed keeps its own.
        start: A checkpoint whose averaged weights, hours and windows a new run begins with.
    """

    def __init__(
        self,
        out: Path,
        data: Path | Sequence[Path],
        settings: Settings,
        *,
        resume: bool,
        config: TrunkConfig | None = None,
        start: Path | None = None,
    ) -> None:
        self._judges = any(settings.weights.get(kind, 0) > 0 for kind in NOTE_KINDS)
        self.fabric = processes(settings.precision, idle_parameters=self._judges)
        super().__init__(out, held=self.fabric.is_global_zero)
        self.settings = settings
        try:
            self._prepare([data] if isinstance(data, Path) else data, config, start, resume=resume)
        except BaseException:
            self.close()
            raise

    def _prepare(self, data: Sequence[Path], config: TrunkConfig | None, start: Path | None, *, resume: bool) -> None:
        settings = self.settings
        self.step = self.pool = self.batch = self.windows = 0
        self.seconds = 0.0
        torch.manual_seed(settings.seed)
        state = self._saved() if resume else None
        known = state
        if known is None and start is not None:
            _, known = load_trunk(start)
            known["model"] = known["average"]
            self.windows, self.seconds = known["windows"], known["seconds"]
        if known is None and resume and config is None:
            known = _shipped()
        sizes = TrunkConfig(**known["config"]) if known else config or TrunkConfig()
        if self._judges and not sizes.note_outputs:
            if state:
                raise ValueError(f"the run in {self.out} judges no notes; start another one from it")
            sizes = replace(sizes, note_outputs=len(OUTPUTS))
        self.trunk = Trunk(sizes)
        if known:
            self.trunk.load(known["model"])
        objective = Objective(self.trunk, settings.smoothing)
        optimizer = torch.optim.AdamW(
            decayed(self.trunk, settings.decay), lr=settings.rate, betas=(0.9, 0.98), fused=True
        )
        self._objective, self.optimizer = self.fabric.setup(objective, optimizer)
        self.average = {name: value.detach().clone() for name, value in self.trunk.state_dict().items()}
        if state:
            self._restore(state)
        self.corpora, self.dev = corpora(data, TRAINING_SPLITS), corpora(data, ("dev",))
        for kind, weight in settings.weights.items():
            if weight > 0 and kind not in self.corpora:
                raise ValueError(f"windows of the kind {kind!r} are wanted, but no folder of the corpus holds any")
        if self.fabric.is_global_zero:
            self.tell(settings)
        self._pool: list[Batch | NoteBatch] | None = None

    def _saved(self) -> dict[str, Any] | None:
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["vocabulary"] != fingerprint():
            raise ValueError(f"{path} was trained with another vocabulary")
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = {name: value.to(self.fabric.device) for name, value in state["average"].items()}
        self.step = state["step"]
        places = state.get("places") or [(state["pool"], state["batch"])]
        if len(places) == self.fabric.world_size:
            self.pool, self.batch = places[self.fabric.global_rank]
        else:  # on another number of processes than before: behind all that was seen
            self.pool = max(pool for pool, _ in places) + 1
        self.windows, self.seconds = state["windows"], state["seconds"]
        torch.set_rng_state(state["random"])
        if self.fabric.is_global_zero:
            for name in ("curve.csv", "dev.csv"):
                curve.forget_after(self.out / name, self.step)

    def save(self) -> None:
        """Write the checkpoint beside the old one, then take its place. Every process calls it."""
        own = torch.tensor([self.pool, self.batch], device=self.fabric.device)
        places = self.fabric.all_gather(own).view(-1, 2).tolist()
        if not self.fabric.is_global_zero:
            return
        state = {
            "vocabulary": fingerprint(),
            "config": self.trunk.config.as_dict(),
            "settings": asdict(self.settings),
            "model": self.trunk.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            **{"step": self.step, "pool": self.pool, "batch": self.batch, "windows": self.windows, "places": places},
            **{"seconds": self.seconds, "random": torch.get_rng_state()},
        }
        write_checkpoint(state, self.out)

    def next_batch(self) -> Batch | NoteBatch:
        """The batch that comes next; the run then stands behind it."""
        while self._pool is None or self.batch >= len(self._pool):
            if self._pool is not None:
                self.pool, self.batch = self.pool + 1, 0
            self._pool = self.pool_of(self.pool * self.fabric.world_size + self.fabric.global_rank)
        self.batch += 1
        return self._pool[self.batch - 1]

    def pool_of(self, number: int) -> list[Batch | NoteBatch]:
        """Batches of pool `number` of the endless stream."""
        settings = self.settings
        return batches(self.corpora, settings.weights, settings.tokens, settings.seed, number, settings.pool)

    def rate(self) -> float:
        """The learning rate of the next step."""
        return learning_rate(self.step, self.settings)

    def train_step(self, batch: Batch | NoteBatch) -> tuple[float, float]:
        """One update; returns the loss a token and the pointer's, of notes their loss and 0."""
        self.trunk.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        arrays = {name: value for name, value in vars(batch).items() if isinstance(value, np.ndarray)}
        tensors = {name: torch.from_numpy(value).to(self.fabric.device) for name, value in arrays.items()}
        loss, pointer_loss = self._objective(batch.source, tensors)
        weighted = self.settings.notes * loss if isinstance(batch, NoteBatch) else loss
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(weighted + self.settings.pointer * pointer_loss)
        torch.nn.utils.clip_grad_norm_(self.trunk.parameters(), self.settings.clip)
        self.optimizer.step()
        self.step += 1
        self.windows += len(batch.ids) * self.fabric.world_size
        self._average()
        return loss.item(), pointer_loss.item()

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.settings.averaging, (1 + self.step) / (10 + self.step))
        now = self.trunk.state_dict()
        torch._foreach_lerp_(list(self.average.values()), [now[name] for name in self.average], 1.0 - keep)

    def evaluate(self) -> dict[str, float]:
        """SER of the averaged weights on the development windows, appended to `dev.csv`; draws the curve.

        One process does it, on the CPU.
        """
        trunk = Trunk(self.trunk.config)
        trunk.load(self.average)
        result = measured(trunk, self.dev, self.settings.dev_windows)
        curve.append(self.out / "dev.csv", {"step": self.step, "hours": round(self.seconds / 3600, 4), **result})
        curve.draw(self.out)
        return result

    def _evaluations_due(self) -> int:
        """Counted in hours trained, so that a run that is often cut off is evaluated as often as another."""
        return int(self.seconds // self.settings.evaluate_s)

    def train(self, until: int | None = None) -> None:
        """Train to the end of the cosine, to step `until`, or until told to stop."""
        sources = (*DIRECTIONS, *NOTE_KINDS.values()) if self._judges else DIRECTIONS
        meter = _Meter(self.windows, sources)
        last_save = time.monotonic()
        end = min(until or self.settings.steps, self.settings.steps)
        first = self.fabric.is_global_zero
        while self.step < end and not self._agreed(self.stopping):
            started = time.monotonic()
            evaluations = self._evaluations_due()
            batch = self.next_batch()
            loss, pointer_loss = self.train_step(batch)
            self.seconds += time.monotonic() - started
            meter.add(batch.source, loss, pointer_loss, time.monotonic() - started)
            if self.step % self.settings.log_steps == 0 and first:
                row = meter.row(self.windows)
                rate = round(self.rate(), 7)
                curve.append(
                    self.out / "curve.csv",
                    {"step": self.step, "hours": round(self.seconds / 3600, 4), "rate": rate, **row},
                )
                log.info("step %d %s", self.step, row)
            if self._agreed(self._evaluations_due() > evaluations):
                self.save()
                if first:
                    log.info("step %d dev %s", self.step, self.evaluate())
                self.fabric.barrier()
            if self._agreed(time.monotonic() - last_save > self.settings.save_s):
                last_save = time.monotonic()
                self.save()
        self.save()

    def _agreed(self, wish: bool) -> bool:
        """What the first process wishes: clocks and signals differ between processes."""
        return bool(self.fabric.broadcast(wish)) if self.fabric.world_size > 1 else wish


def processes(precision: Precision | Literal["auto"] = "auto", *, idle_parameters: bool = False) -> Any:
    """This process alone, or the group that `torchrun` started, on GPUs where there are any.

    `idle_parameters` says that not every step uses every parameter.
    """
    from lightning_fabric import Fabric

    together = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    nodes = int(os.environ.get("WORLD_SIZE", "1")) // together
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    shared = "ddp_find_unused_parameters_true" if idle_parameters else "ddp"
    strategy = shared if together * nodes > 1 else "auto"
    if precision == "auto":
        precision = "bf16-mixed" if _computes_bfloat16(accelerator) else "32-true"
    fabric = Fabric(accelerator=accelerator, devices=together, num_nodes=nodes, strategy=strategy, precision=precision)
    fabric.launch()
    return fabric


def _computes_bfloat16(accelerator: str) -> bool:
    """Whether products of bfloat16 are faster than those of float32; without instructions for them they are slower."""
    if accelerator == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and "avx512_bf16" in flags.read_text(encoding="utf-8")


def _shipped() -> dict[str, Any] | None:
    """Config and weights that lie in the package, if any do."""
    from model_runtime.training.export import weights_of
    from model_runtime.unified.inference import ENCODER, weights_folder

    if not (weights_folder() / ENCODER).is_file():
        return None
    config, weights = weights_of(weights_folder())
    return {"config": config, "model": weights}


class _Meter:
    """Means over the steps since the last row.

    Args:
        windows: Seen before.
        names: Sources that losses come from.
    """

    def __init__(self, windows: int, names: Sequence[str]) -> None:
        self._names = names
        self._start(windows)

    def _start(self, windows: int) -> None:
        self._windows = windows
        self._losses: dict[str, list[float]] = {name: [] for name in self._names}
        self._pointers: list[float] = []
        self._seconds = 0.0

    def add(self, source: str, loss: float, pointer: float, seconds: float) -> None:
        self._losses[source].append(loss)
        if source in DIRECTIONS:
            self._pointers.append(pointer)
        self._seconds += seconds

    def row(self, windows: int) -> dict[str, object]:
        means: dict[str, object] = {}
        for name, values in self._losses.items():
            means[f"loss_{name}"] = round(sum(values) / len(values), 4) if values else ""
        means["pointer"] = round(sum(self._pointers) / max(len(self._pointers), 1), 4)
        means["windows_per_s"] = round((windows - self._windows) / self._seconds, 2)
        self._start(windows)
        return means


def shares(text: str) -> dict[str, float]:
    """How often each kind of windows is drawn, of "image=0.6,performance=0.4".

    Raises:
        ArgumentTypeError: not like that.
    """
    try:
        weights = {name: float(share) for name, share in (part.split("=") for part in text.split(","))}
    except ValueError:
        weights = {}
    if not weights or not set(weights) <= set(KINDS) or min(weights.values()) < 0 or not sum(weights.values()):
        raise argparse.ArgumentTypeError(f"{text!r} is not like image=0.6,performance=0.4")
    return weights


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the unified model's trunk.")
    parser.add_argument("--data", type=Path, required=True, action="append", help="corpus folder; may be repeated")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the folder's checkpoint, or from the shipped weights"
    )
    parser.add_argument("--start", type=Path, help="checkpoint whose weights a new run starts from")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--rate", type=float, default=Settings.rate, help="highest learning rate")
    parser.add_argument("--weights", type=shares, default=Settings().weights, help="image=0.6,performance=0.2,seen=0.2")
    parser.add_argument("--precision", choices=("auto", "bf16-mixed", "32-true"), default=Settings.precision)
    parser.add_argument("--until", type=int, default=None, help="stop at this step, without changing the schedule")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    settings = Settings(
        steps=arguments.steps, rate=arguments.rate, weights=arguments.weights, precision=arguments.precision
    )
    with Run(arguments.out, arguments.data, settings, resume=arguments.resume, start=arguments.start) as run:
        run.stop_when_told()
        log.info("from step %d", run.step)
        for kind, corpus in run.corpora.items():
            count = corpus.measures if isinstance(corpus, Corpus) else len(corpus)
            log.info("%s: %d measures or notes of %d pieces", kind, count, len(corpus.names))
        run.train(arguments.until)


if __name__ == "__main__":
    main()
