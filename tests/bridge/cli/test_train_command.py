"""`scorebridge train` reaches each part's own steps, and says in a sentence what is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PARTS = ("trunk", "audio-reader", "image-reader", "performance-reader")
STEPS = ("corpus", "run", "evaluate", "export")


def train(*arguments: str, torch: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `scorebridge train`, with PyTorch or as if it were not installed."""
    start = "import sys; from bridge.cli import main; main()"
    if not torch:
        start = (
            "import sys, importlib.util as u; found = u.find_spec\n"
            "u.find_spec = lambda name, *rest: None if name == 'torch' else found(name, *rest)\n" + start
        )
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-c", start, "train", *arguments], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.parametrize("step", STEPS)
def test_every_step_of_the_audio_reader_tells_its_options(step: str) -> None:
    told = train(step, "--part", "audio-reader", "--help")
    assert told.returncode == 0
    assert told.stdout.startswith(f"usage: scorebridge train {step} --part audio-reader")
    assert "--out" in told.stdout or "--run" in told.stdout


def test_the_trunk_is_what_is_trained_unless_another_part_is_named() -> None:
    told = train("run", "--help")
    assert told.returncode == 0
    assert "trunk" in told.stdout


def test_an_unknown_part_is_named_with_those_there_are() -> None:
    told = train("run", "--part", "violin")
    assert told.returncode == 2
    for part in PARTS:
        assert part in told.stderr


def test_a_missing_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    told = train("evaluate", "--part", "audio-reader", "--data", str(tmp_path), "--run", str(tmp_path / "none"))
    assert told.returncode == 1
    assert "checkpoint.pt" in told.stderr
    assert "Traceback" not in told.stderr


def test_without_pytorch_it_says_what_to_install() -> None:
    told = train("run", "--data", "x", "--out", "y", torch=False)
    assert told.returncode == 1
    assert "Training needs PyTorch, which is not installed." in told.stderr
    assert "scorebridge[train]" in told.stderr


def test_a_step_really_runs(tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "index.csv").write_text("id,composer,set,title,split\n", encoding="utf-8")
    done = train("corpus", "--data", str(tmp_path / "scores"), "--out", str(tmp_path / "corpus"))
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "corpus" / "totals.json").read_text(encoding="utf-8")) == {"scores": 0}
