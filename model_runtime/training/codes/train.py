"""The trunk trained for so many processor seconds, on codes or on glyphs: nothing else differs.

    python -m model_runtime.training.codes.train --data CODES --out RUN --minutes 20 [--glyphs]

CODES is what `codes.corpus` wrote; `python -m benchmarks.image_codes` makes it from scores, and measures. A run that
was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import time
from dataclasses import replace
from pathlib import Path

import torch

from model_runtime.training.codes.corpus import VOCABULARY, CodeCorpus, code_batches
from model_runtime.training.corpus import TRAINING_SPLITS
from model_runtime.training.dataset import Batch
from model_runtime.training.note_windows import NoteBatch
from model_runtime.training.train import Run, Settings
from model_runtime.unified.architecture import TrunkConfig

_ENDLESS = 10**9  # steps: the processor's time ends the run


class TimedRun(Run):
    """A run whose learning rate falls over processor seconds, in drawing windows and in learning; then it ends.

    Args:
        seconds: Of the processor.
        out, data, settings, config: As those of `Run`; a run that was cut off goes on.
    """

    def __init__(self, out: Path, data: Path, settings: Settings, seconds: float, config: TrunkConfig) -> None:
        self.limit_s, self.processor_s = seconds, 0.0
        again = (out / "checkpoint.pt").exists()
        super().__init__(out, data, replace(settings, steps=_ENDLESS), resume=again, config=config)
        if again:
            self.processor_s = float(json.loads(self._clock().read_text(encoding="utf-8"))["processor_s"])
        self.stopping = self.processor_s >= self.limit_s  # it has been trained to its end

    def _clock(self) -> Path:
        return self.out / "processor.json"

    def rate(self) -> float:
        """Linear over the warm-up's steps, then a cosine over the seconds down to a fiftieth."""
        warm = min((self.step + 1) / self.settings.warmup, 1.0)
        done = min(self.processor_s / self.limit_s, 1.0)
        return self.settings.rate * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done)))

    def next_batch(self) -> Batch | NoteBatch:
        """The batch that comes next."""
        started = time.process_time()
        batch = super().next_batch()
        self.processor_s += time.process_time() - started
        return batch

    def train_step(self, batch: Batch | NoteBatch) -> tuple[float, float]:
        """One update; returns the loss a token and the pointer's."""
        started = time.process_time()
        losses = super().train_step(batch)
        self.processor_s += time.process_time() - started
        self.stopping = self.stopping or self.processor_s >= self.limit_s
        return losses

    def save(self) -> None:
        """Write the checkpoint, and the clock beside it."""
        super().save()
        self._clock().write_text(json.dumps({"processor_s": self.processor_s}) + "\n", encoding="utf-8")


class CodesRun(TimedRun):
    """The same on windows of codes; the trunk's vocabulary holds the codes as well.

    Args:
        data: Of `corpus.write_codes`, with folders of the training splits.
    """

    def __init__(self, out: Path, data: Path, settings: Settings, seconds: float, config: TrunkConfig) -> None:
        super().__init__(out, data, settings, seconds, replace(config, vocabulary=VOCABULARY))
        self.codes = CodeCorpus(data, TRAINING_SPLITS)

    def pool_of(self, number: int) -> list[Batch | NoteBatch]:
        """Batches of pool `number` of the endless stream."""
        return code_batches(self.codes, self.settings.tokens, self.settings.seed, number, self.settings.pool)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the trunk on codes of pictures, or on the glyphs seen there.")
    parser.add_argument("--data", type=Path, required=True, help="folder of codes")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run, which goes on if it is there")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the processor")
    parser.add_argument("--glyphs", action="store_true", help="read the same windows' glyphs")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    kind = TimedRun if arguments.glyphs else CodesRun
    settings = Settings(weights={"seen": 1.0}, evaluate_s=math.inf)
    with kind(arguments.out, arguments.data, settings, 60.0 * arguments.minutes, TrunkConfig()) as run:
        run.stop_when_told()
        run.train()


if __name__ == "__main__":
    main()
