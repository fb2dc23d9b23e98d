"""One trunk for two directions, or one for each? `python -m benchmarks.multitask --data DIR --json FILE`.

Small trunks are trained from nothing on the same windows with the same settings: one reads glyphs, one reads played
notes, and one does both — once for as many steps in all, so that each direction gets half (`both`), and once for twice
as many, so that each direction gets as many steps as alone (`longer`). Then each is measured on the same
development windows.

Figures:
    ser_image_<trunk>, ser_performance_<trunk>       symbol error rate in per cent, exact glyphs, played notes
    note_f1_image_<trunk>, note_f1_performance_<…>   F1 of notes (measure, onset, duration, pitch)
    steps, million_weights, minutes                  of a single task; of the trunk; of all four together

Needs the `train` extra. The corpus is built under --work when it is not there (hours; --limit takes fewer scores).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import report
from model_runtime.training import corpus as scores
from model_runtime.training.dataset import DIRECTIONS, Corpus, dev_examples
from model_runtime.training.evaluate import load_trunk, scored
from model_runtime.training.train import Run, Settings
from model_runtime.unified.architecture import TrunkConfig

SMALL = TrunkConfig(width=128, heads=4, encoder_layers=3, decoder_layers=3, hidden=384)
SETTINGS = Settings(warmup=100, rate=2e-3, averaging=0.99, save_s=60.0, evaluate_s=1e9, dev_windows=0)
SHARES = {
    "image_alone": {"image": 1.0},
    "performance_alone": {"performance": 1.0},
    "both": {"image": 0.5, "performance": 0.5},
    "longer": {"image": 0.5, "performance": 0.5},
}


def trained(name: str, corpus: Path, out: Path, steps: int) -> Path:
    """Folder of the run of this name, trained to its end; what an interrupted run left is gone on with."""
    settings = replace(SETTINGS, steps=2 * steps if name == "longer" else steps, weights=SHARES[name])
    with Run(out / name, corpus, settings, resume=(out / name / "checkpoint.pt").exists(), config=SMALL) as run:
        run.train()
    return out / name


def main() -> None:
    """Train four trunks, measure them, print the table, write JSON."""
    parser = argparse.ArgumentParser(description="Multitask against single task.")
    parser.add_argument("--data", type=Path, required=True, help="folder with data/lieder")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--work", type=Path, help="folder for corpus and runs, to go on from; else a temporary one")
    parser.add_argument("--corpus", type=Path, help="a corpus that is there already")
    parser.add_argument("--limit", type=int, help="scores of a corpus that is built here")
    parser.add_argument("--steps", type=int, default=2000, help="of a single task")
    parser.add_argument("--windows", type=int, default=256, help="development windows of each direction")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        corpus = arguments.corpus or work / "corpus"
        if not arguments.corpus:
            scores.build(arguments.data / "data" / "lieder", corpus, 3, 1, arguments.limit)
        began_s = time.monotonic()
        figures = measured(corpus, work, arguments.steps, arguments.windows)
        figures["minutes"] = (time.monotonic() - began_s) / 60
    rows = [{"figure": name, "measured": float(value)} for name, value in figures.items()]
    report.write(figures, rows, arguments.json, "Multitask against single task")


def measured(corpus: Path, work: Path, steps: int, windows: int) -> dict[str, float]:
    """Figures of all four trunks."""
    held_out = Corpus(corpus, ("dev",))
    examples = {source: dev_examples(held_out, source, windows, 7, spoil=source != "image") for source in DIRECTIONS}
    figures: dict[str, float] = {"steps": steps}
    for name, shares in SHARES.items():
        trunk, _ = load_trunk(trained(name, corpus, work, steps) / "checkpoint.pt")
        figures["million_weights"] = sum(p.numel() for p in trunk.parameters()) / 1e6
        for source in shares:
            score = scored(trunk, examples[source])
            trunk_name = "alone" if name.endswith("_alone") else name
            figures[f"ser_{source}_{trunk_name}"] = score.symbol_error_rate
            figures[f"note_f1_{source}_{trunk_name}"] = score.note_f1
    return figures


if __name__ == "__main__":
    main()
