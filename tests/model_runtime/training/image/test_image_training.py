"""The image reader learns, goes on where it was cut off, and reads the same without torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from model_runtime.training import curve
from model_runtime.training.image.dataset import bands_of, build
from model_runtime.training.image.evaluate import measured, read_band
from model_runtime.training.image.export import export, load_reader
from model_runtime.training.image.network import Reader
from model_runtime.training.image.pages import DrawnPage
from model_runtime.training.image.train import Run, Settings, losses
from model_runtime.unified.image_reader import ImageReader

SMALL = Settings(batch=2, pool_pages=2, pool_steps=3, log_steps=2, warmup=2, dev_pages=1)


@pytest.fixture(scope="module")
def pages(scores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few pages for training and for measuring."""
    folder = tmp_path_factory.mktemp("pages")
    for split in ("train", "dev"):
        build(scores, folder, split, 1, seed=1)
    return folder


def test_steps_on_the_same_chunks_lower_the_loss(pages: Path, tmp_path: Path) -> None:
    with Run(tmp_path, pages, SMALL, resume=False) as run:
        pixels, targets = run.next_batch()
        losses = [sum(run.train_step(pixels, targets)) for _ in range(8)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.9 * losses[0]


def test_a_run_goes_on_from_its_checkpoint(pages: Path, tmp_path: Path) -> None:
    with Run(tmp_path, pages, SMALL, resume=False) as run:
        run.train(until=4)
        weights, chunks = run.reader.state_dict(), run.chunks
    curve.append(tmp_path / "curve.csv", dict.fromkeys(curve.read(tmp_path / "curve.csv")[0], 99))
    with Run(tmp_path, pages, SMALL, resume=True) as again:
        assert (again.step, again.chunks) == (4, chunks)
        assert all(torch.equal(value, weights[name]) for name, value in again.reader.state_dict().items())
        assert [row["step"] for row in curve.read(tmp_path / "curve.csv")] == [2, 4]  # what came later is forgotten
        again.train(until=6)
        figures = again.evaluate()
    assert 0 <= figures["head_f1"] <= 1
    assert [row["step"] for row in curve.read(tmp_path / "curve.csv")] == [2, 4, 6]
    assert (tmp_path / "curve.png").stat().st_size > 5000


def test_two_runs_cannot_share_a_folder(pages: Path, tmp_path: Path) -> None:
    with Run(tmp_path, pages, SMALL, resume=False), pytest.raises(BlockingIOError):
        Run(tmp_path, pages, SMALL, resume=False)


def test_a_run_that_is_told_to_stop_saves_and_ends(pages: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "model_runtime.training.image.train", "--data", str(pages), "--out", str(tmp_path)]
    process = subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "settings.json").exists():
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()
    with Run(tmp_path, pages, SMALL, resume=True) as run:
        assert run.step >= 0
        assert (tmp_path / "checkpoint.pt").exists()


def test_the_exported_reader_reads_as_the_network_does(page: DrawnPage, tmp_path: Path) -> None:
    torch.manual_seed(3)
    reader = Reader().eval()
    torch.nn.init.normal_(reader.backbone.heat.weight, std=20.0)  # so that there is something to see
    torch.nn.init.zeros_(reader.backbone.heat.bias)
    export(reader, tmp_path, {"hours": 0})
    runtime = ImageReader(tmp_path, threads=1)
    bands, _ = bands_of(page.pixels, page.labels)
    seen, same = read_band(reader, bands[1].pixels), runtime.read_band(bands[1].pixels)
    assert len(seen) > 10
    mine = set(zip(seen.group.tolist(), seen.position.tolist(), np.round(seen.x, 1).tolist(), strict=True))
    theirs = set(zip(same.group.tolist(), same.position.tolist(), np.round(same.x, 1).tolist(), strict=True))
    assert len(mine & theirs) > 0.9 * len(mine | theirs)  # 16-bit weights move a few near the threshold
    if len(seen) == len(same) and (seen.group == same.group).all():
        assert np.abs(seen.probability - same.probability).max() < 0.02
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) < 4e6


def test_a_saved_run_can_be_exported_and_measured(pages: Path, tmp_path: Path) -> None:
    with Run(tmp_path, pages, SMALL, resume=False) as run:
        run.train(until=1)
    reader, state = load_reader(tmp_path)
    assert state["step"] == 1
    figures = measured(reader, sorted((pages / "dev").glob("*.npz"))[:1])
    assert set(figures) >= {"head_f1", "all_f1"}


def test_convolutions_in_bfloat16_give_nearly_the_same_losses(pages: Path, tmp_path: Path) -> None:
    with Run(tmp_path, pages, SMALL, resume=False) as run:
        pixels, targets = run.next_batch()
        exact = [loss.item() for loss in losses(run.reader, pixels, targets)]
        half = [loss.item() for loss in losses(run.reader, pixels, targets, half=True)]
    assert np.allclose(exact, half, rtol=0.03)
    assert exact != half
