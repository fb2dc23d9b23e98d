"""Several processes train one trunk: `torchrun` starts them, gloo joins them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model_runtime.training import curve
from model_runtime.training.export import DECODER, export
from model_runtime.training.train import Run, Settings
from model_runtime.unified.architecture import Trunk, TrunkConfig
from model_runtime.unified.inference import weights_folder

_TRAIN = """
import sys, torch
from pathlib import Path
from model_runtime.training.train import Run, Settings
from model_runtime.unified.architecture import TrunkConfig
torch.set_num_threads(1)
config = TrunkConfig(width=32, heads=2, encoder_layers=1, decoder_layers=1, hidden=64, pointing_layer=0)
weights = {"image": 0.3, "performance": 0.3, **({"refining": 0.4} if sys.argv[4:] else {})}
settings = Settings(
    steps=40, warmup=4, tokens=1500, pool=256, weights=weights, log_steps=1, save_s=1e9, evaluate_s=1e9
)
out = Path(sys.argv[1])
with Run(out, [Path(name) for name in (sys.argv[2], *sys.argv[4:])], settings, resume=True, config=config) as run:
    run.train(until=int(sys.argv[3]))
    torch.save(run.trunk.state_dict(), out / f"rank{run.fabric.global_rank}.pt")
"""


def _torchrun(script: Path, processes: int, *arguments: object) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    done = subprocess.run([*command, str(script), *map(str, arguments)], capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr[-3000:]


def test_two_processes_keep_the_same_weights_and_one_goes_on_from_them(corpus_folder: Path, tmp_path: Path) -> None:
    script, out = tmp_path / "train.py", tmp_path / "run"
    script.write_text(_TRAIN, encoding="utf-8")
    _torchrun(script, 2, out, corpus_folder, 3)
    first, second = (torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    assert len(state["places"]) == 2
    with Run(out, corpus_folder, Settings(steps=40, tokens=1500, pool=256, log_steps=1), resume=True) as alone:
        assert alone.step == 3
        assert torch.equal(alone.trunk.state_dict()["out_bias"], first["out_bias"])
        alone.train(until=5)
    assert [row["step"] for row in curve.read(out / "curve.csv")] == [1, 2, 3, 4, 5]


def test_two_processes_judge_notes_and_write_notation_in_turns(
    corpus_folder: Path, notes_folder: Path, tmp_path: Path
) -> None:
    script, out = tmp_path / "train.py", tmp_path / "run"
    script.write_text(_TRAIN, encoding="utf-8")
    _torchrun(script, 2, out, corpus_folder, 4, notes_folder)
    first, second = (torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(row.get("loss_audio") for row in curve.read(out / "curve.csv"))


def test_a_run_in_an_empty_folder_goes_on_from_shipped_weights(
    corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    shipped = Trunk(TrunkConfig(width=32, heads=2, encoder_layers=1, decoder_layers=1, hidden=64, pointing_layer=0))
    with torch.no_grad():  # as trained weights are: no two the same
        for parameter in shipped.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    export(shipped, tmp_path / "weights", {})
    assert (tmp_path / "weights" / DECODER).stat().st_size > 10_000
    from model_runtime.unified import inference

    monkeypatch.setattr(inference, "weights_folder", lambda: tmp_path / "weights")
    with Run(tmp_path / "run", corpus_folder, Settings(tokens=1500), resume=True) as run:
        assert run.step == 0
        for name, value in shipped.state_dict().items():
            assert torch.allclose(run.trunk.state_dict()[name], value, atol=1e-3), name
    assert weights_folder().name == "weights"
