"""Codes of an autoencoder or glyphs, which is read better? `python -m benchmarks.image_codes --data DIR --json FILE`.

Jung et al. (arXiv 2505.12863) give their Transformer score images as codes of a residual-quantised autoencoder. Here
the same small trunk is trained from nothing on the same windows for the same processor time, once on such codes
(`model_runtime/training/codes`), once on the glyphs that the shipped image reader sees in the same engravings. Both
are told the same of the music before. One run each.

Figures, <input> being `codes` or `glyphs`:
    ser_<input>, note_f1_<input>, exact_<input>   on held-out scores: symbol error rate in per cent, F1 of notes (onset,
                                                  duration, pitch), per cent of windows without any error
    ser_learnt_<input>                            on 150 of the windows that it learnt from
    loss_<input>                                  of the last training steps
    tokens_<input>, windows_s_<input>             tokens of a window; windows learnt from in a processor second
    passes_<input>, minutes_<input>               through the training windows; processor minutes
    million_weights_<input>                       of the trunk, with its vocabulary
    ser_shipped, note_f1_shipped                  of the shipped trunk, which was trained for hours, on the same glyphs
    windows_train, windows_dev, scores_dev        measures that were learnt from and measured
    autoencoder_minutes, autoencoder_psnr_db, autoencoder_error, autoencoder_share_used, autoencoder_million_weights
                                                  its training; how its drawings of held-out windows differ (ink from 0
                                                  to 1); per cent of codes that occur in the training windows

`--work` keeps everything, and an interrupted run goes on there; `reconstructions.png` shows what the codes hold. Needs
the `train` extra. `--minutes` and `--autoencoder-minutes` are the processor's.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import report
from benchmarks.multitask import SETTINGS, SMALL
from model_runtime.modality import GreyPage
from model_runtime.tokens.vocabulary import CODEBOOKS, CODES
from model_runtime.training import curve
from model_runtime.training.codes import windows
from model_runtime.training.codes.autoencoder import PATCH_PX, AutoEncoder
from model_runtime.training.codes.corpus import CodeCorpus, write_codes
from model_runtime.training.codes.fitting import Fitting, FittingSettings, ink_of
from model_runtime.training.codes.train import CodesRun, TimedRun
from model_runtime.training.corpus import TRAINING_SPLITS
from model_runtime.training.dataset import Example, image_example
from model_runtime.training.evaluate import load_trunk, scored
from model_runtime.training.export import weights_of
from model_runtime.training.seen_pages import tasks_of
from model_runtime.unified.architecture import Trunk, TrunkConfig
from model_runtime.unified.image_reader import ImageReader
from model_runtime.unified.inference import weights_folder

PAGES = {"train": 3, "dev": 1}  # of a score at most
SHIFTS = {"train": 4, "dev": 1}
LEARNING = replace(SETTINGS, weights={"seen": 1.0})
_DEV_WINDOWS, _LEARNT_WINDOWS = 300, 150
_SHOWN = 24

log = logging.getLogger(__name__)


def main() -> None:
    """Make the windows, train three networks, measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(description="Codes of pictures against glyphs, as the trunk's input.")
    parser.add_argument("--data", type=Path, required=True, help="folder with data/lieder")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--work", type=Path, help="folder for everything that is made, to go on from; else temporary")
    parser.add_argument("--minutes", type=float, default=15.0, help="processor minutes of each trunk")
    parser.add_argument("--autoencoder-minutes", type=float, default=10.0, help="processor minutes of the autoencoder")
    parser.add_argument("--limit", type=int, default=3000, help="windows to learn from")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        figures = measured(
            arguments.data / "data" / "lieder",
            work,
            60.0 * arguments.minutes,
            60.0 * arguments.autoencoder_minutes,
            arguments.limit,
        )
    rows = [{"figure": name, "measured": float(value)} for name, value in figures.items()]
    report.write(figures, rows, arguments.json, "Codes of pictures against glyphs")


def measured(scores: Path, work: Path, seconds: float, autoencoder_seconds: float, limit: int) -> dict[str, float]:
    """All figures; what is in the folder `work` already is not made again. Seconds are the processor's."""
    reader = ImageReader(threads=1)
    for split, count in (("train", limit), ("dev", min(limit, _DEV_WINDOWS))):
        counts = windows.build(tasks_of(scores, split), work / "windows" / split, count, reader, PAGES[split])
        told = ", ".join(f"{number} {name}" for name, number in counts.items() if "|" not in name)
        log.info("%s: %s", split, told)
    model, autoencoder = _autoencoder(work, autoencoder_seconds)
    for split, shifts in SHIFTS.items():
        write_codes(work / "windows" / split, work / "codes" / split, model, shifts)
        log.info("%s is coded", split)
    train, dev = (CodeCorpus(work / "codes", splits) for splits in (TRAINING_SPLITS, ("dev",)))
    used = sum(len(np.unique(train.codes[0][:, book])) for book in range(CODEBOOKS))
    autoencoder["autoencoder_share_used"] = 100.0 * used / (CODEBOOKS * CODES)
    return _trunks(work, train, dev, seconds) | autoencoder


def _pictures(work: Path, split: str) -> list[GreyPage]:
    pictures: list[GreyPage] = []
    for file in sorted((work / "windows" / split).glob("*.npz")):
        with np.load(file) as archive:
            pictures += windows.pictures_of({name: archive[name] for name in ("pixels", "heights", "widths")})
    return pictures


def _autoencoder(work: Path, seconds: float) -> tuple[AutoEncoder, dict[str, float]]:
    """The autoencoder, trained, and its figures; draws `reconstructions.png`."""
    pictures = _pictures(work, "train")
    with Fitting(pictures, work / "autoencoder", FittingSettings(seconds=seconds)) as fitting:
        model = fitting.train()
    squared, absolute, pixels = 0.0, 0.0, 0
    shown: list[tuple[GreyPage, GreyPage]] = []
    for number, picture in enumerate(_pictures(work, "dev")):
        drawn = _drawn(model, picture)
        difference = drawn - ink_of(picture)
        squared, absolute = squared + float((difference**2).sum()), absolute + float(np.abs(difference).sum())
        pixels += difference.size
        if number % 12 == 0 and len(shown) < _SHOWN:
            shown.append((picture, np.asarray(255.0 * (1.0 - drawn), np.uint8)))
    _sheet(shown, work / "reconstructions.png")
    return model, {
        "autoencoder_minutes": fitting.processor_s / 60,
        "autoencoder_psnr_db": float(10 * np.log10(pixels / squared)),
        "autoencoder_error": absolute / pixels,
        "autoencoder_million_weights": sum(p.numel() for p in model.parameters()) / 1e6,
    }


@torch.inference_mode()
def _drawn(model: AutoEncoder, picture: GreyPage) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A picture's ink as its codes hold it."""
    height, width = picture.shape
    paper = ((0, -height % PATCH_PX), (0, -width % PATCH_PX))
    ink = torch.from_numpy(np.pad(ink_of(picture), paper))[None, None]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        drawn = model.draw(model.codes(ink))
    return drawn[0, 0, :height, :width].numpy()


def _sheet(pairs: list[tuple[GreyPage, GreyPage]], path: Path) -> None:
    """Pictures above what their codes hold, several to a line, twice as large."""
    from PIL import Image

    lines = []
    for first in range(0, len(pairs), 6):
        own = pairs[first : first + 6]
        height = max(picture.shape[0] for picture, _ in own)
        for which in (0, 1):
            padded = [np.pad(p[which], ((0, height - p[which].shape[0] + 4), (0, 8)), constant_values=200) for p in own]
            lines.append(np.concatenate(padded, axis=1))
    widest = max((line.shape[1] for line in lines), default=0)
    whole = np.concatenate([np.pad(x, ((0, 0), (0, widest - x.shape[1])), constant_values=200) for x in lines])
    image = Image.fromarray(whole)
    image.resize((2 * image.width, 2 * image.height), Image.Resampling.NEAREST).save(path)


def _trunks(work: Path, train: CodeCorpus, dev: CodeCorpus, seconds: float) -> dict[str, float]:
    """Figures of the trunks on both inputs."""
    examples = _examples(dev, range(dev.measures))
    some = np.random.default_rng(0).permutation(train.measures)[:_LEARNT_WINDOWS]
    learnt = _examples(train, [int(i) for i in some])
    figures: dict[str, float] = {
        "windows_train": train.measures,
        "windows_dev": len(examples["codes"]),
        "scores_dev": len(dev.names),
    }
    for name, kind in (("codes", CodesRun), ("glyphs", TimedRun)):
        with kind(work / f"trunk_{name}", work / "codes", LEARNING, seconds, SMALL) as run:
            run.train()
            figures[f"windows_s_{name}"] = run.windows / run.processor_s
            figures[f"passes_{name}"] = run.windows / train.measures
            figures[f"minutes_{name}"] = run.processor_s / 60
        trunk, _ = load_trunk(work / f"trunk_{name}" / "checkpoint.pt")
        score = scored(trunk, examples[name])
        figures[f"ser_{name}"] = score.symbol_error_rate
        figures[f"note_f1_{name}"] = score.note_f1
        figures[f"exact_{name}"] = 100.0 * score.exact_windows
        figures[f"ser_learnt_{name}"] = scored(trunk, learnt[name]).symbol_error_rate
        losses = [row["loss_image"] for row in curve.read(work / f"trunk_{name}" / "curve.csv")]
        figures[f"loss_{name}"] = float(np.mean(losses[-10:])) if losses else 0.0
        figures[f"tokens_{name}"] = float(np.mean([len(e.ids) for e in examples[name]]))
        figures[f"million_weights_{name}"] = sum(p.numel() for p in trunk.parameters()) / 1e6
        log.info("%s: %s", name, score)
    shipped = scored(_shipped(), examples["glyphs"])
    return {**figures, "ser_shipped": shipped.symbol_error_rate, "note_f1_shipped": shipped.note_f1}


def _examples(corpus: CodeCorpus, numbers: Sequence[int]) -> dict[str, list[Example]]:
    """The same windows as codes and as glyphs, as they are."""
    pairs = [(corpus.example(i, 0), image_example(corpus, i, 1, 0, 0.0, None)) for i in numbers]
    both = [(codes, glyphs) for codes, glyphs in pairs if codes is not None and glyphs is not None]
    return {"codes": [codes for codes, _ in both], "glyphs": [glyphs for _, glyphs in both]}


def _shipped() -> Trunk:
    """The trunk that lies in the package."""
    config, weights = weights_of(weights_folder())
    trunk = Trunk(TrunkConfig(**config))
    trunk.load(weights)
    return trunk.eval()


if __name__ == "__main__":
    main()
