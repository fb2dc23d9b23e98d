"""The trunk learns to judge notes one by one beside reading, and tells the same without torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model_runtime.tokens.vocabulary import BLOCKS, fingerprint
from model_runtime.training import curve
from model_runtime.training.evaluate import load_trunk
from model_runtime.training.export import export, weights_of
from model_runtime.training.note_losses import note_losses, note_scores
from model_runtime.training.note_windows import NoteCorpus, dev_notes, draw_notes, grouped_notes, pad_notes
from model_runtime.training.train import Run, Settings
from model_runtime.unified.architecture import Trunk, TrunkConfig, symbol_id
from model_runtime.unified.inference import TrunkRuntime
from model_runtime.unified.note_outputs import (
    KEPT,
    LATE,
    LATE_S,
    LENGTH,
    LONGEST,
    OUTPUTS,
    VELOCITY,
    VELOCITY_STEP,
    NoteWindow,
    note_outputs_of,
)

TINY = TrunkConfig(width=32, heads=2, encoder_layers=1, decoder_layers=1, hidden=64, pointing_layer=0)
QUICK = Settings(
    steps=40, warmup=4, rate=3e-3, tokens=1500, pool=64, log_steps=2, save_s=1e9, evaluate_s=1e9, dev_windows=4
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_windows_keep_to_a_piece_and_move_together(notes_folder: Path) -> None:
    corpus = NoteCorpus(sorted((notes_folder / "train").glob("*.npz")))
    assert len(corpus) == 150 + 170 + 190 + 210
    whole = corpus.window(140, LONGEST)
    assert len(whole.places) == 10  # then another piece begins
    rng = np.random.default_rng(1)
    pitch = BLOCKS["pitch"]
    transposed = 0
    for _ in range(20):
        example = draw_notes(corpus, rng)
        assert 8 <= len(example.places) <= LONGEST
        assert np.all(np.diff(example.places) >= -1e-3)
        rows = (example.wanted[:, LATE] * 25 + 65).round().astype(int)
        steps = set((example.ids[:, 1] - pitch.start - rows).tolist())
        assert len(steps) == 1
        transposed += steps != {0}
    assert 8 <= transposed <= 20


def test_batches_keep_to_their_size(notes_folder: Path) -> None:
    corpus = NoteCorpus(sorted((notes_folder / "train").glob("*.npz")))
    rng = np.random.default_rng(2)
    examples = [draw_notes(corpus, rng) for _ in range(30)]
    batches = [pad_notes(group) for group in grouped_notes(examples, 600)]
    assert sum(len(batch.ids) for batch in batches) == 30
    assert all(batch.ids.shape[0] * batch.ids.shape[1] <= 600 for batch in batches)
    assert all((batch.weights[batch.ids[:, :, 0] == 0] == 0).all() for batch in batches)


def test_a_trunk_that_reads_learns_to_judge_notes_as_well(
    corpus_folder: Path, notes_folder: Path, tmp_path: Path
) -> None:
    with Run(tmp_path / "reads", corpus_folder, QUICK, resume=False, config=TINY) as run:
        run.train(until=3)
    both = replace(QUICK, steps=120, weights={"image": 0.2, "refining": 0.8}, averaging=0.9, notes=1.0)
    folders = [corpus_folder, notes_folder]
    with Run(tmp_path / "judges", folders, both, resume=False, start=tmp_path / "reads" / "checkpoint.pt") as run:
        assert run.trunk.config.note_outputs == len(OUTPUTS)
        assert run.windows > 0 and run.step == 0
        before = note_scores(run.trunk.eval(), dev_notes(run.dev["refining"], 4, 1))  # type: ignore[arg-type]
        run.train()
        result = run.evaluate()
    assert set(before) == {"kept", "late"}
    assert result["refining_kept"] < 0.5 < before["kept"]
    assert result["refining_late"] < 0.8 * before["late"]
    assert "image_clean" in result
    rows = curve.read(tmp_path / "judges" / "curve.csv")
    assert rows[-1]["loss_audio"] < rows[0]["loss_audio"]
    with Run(tmp_path / "judges", folders, both, resume=True) as again:
        assert again.step == 120 and again.trunk.notes is not None


def test_a_run_that_judges_no_notes_cannot_be_gone_on_with_as_one_that_does(
    corpus_folder: Path, notes_folder: Path, tmp_path: Path
) -> None:
    with Run(tmp_path, corpus_folder, QUICK, resume=False, config=TINY) as run:
        run.train(until=1)
    wanted = replace(QUICK, weights={"image": 0.5, "refining": 0.5})
    with pytest.raises(ValueError, match="judges no notes"):
        Run(tmp_path, [corpus_folder, notes_folder], wanted, resume=True)


def test_what_weighs_nothing_changes_no_loss() -> None:
    told, wanted = torch.randn(2, 6, 5), torch.rand(2, 6, 5)
    weights = torch.ones(2, 6, 5)
    weights[1, 3:] = 0
    elsewhere = told.clone()
    elsewhere[1, 3:] += 5.0
    assert torch.allclose(note_losses(told, wanted, weights), note_losses(elsewhere, wanted, weights))
    assert float(note_losses(told, wanted, torch.zeros_like(weights)).sum()) == 0.0


@pytest.fixture(scope="module")
def judging() -> Trunk:
    torch.manual_seed(3)
    trunk = Trunk(replace(TINY, note_outputs=len(OUTPUTS))).eval()
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
            parameter.copy_(parameter.half().float())
    return trunk


@pytest.fixture(scope="module")
def weights(judging: Trunk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    export(judging, folder, {"hours": 0})
    return folder


def test_notes_are_judged_the_same_with_torch_and_without(judging: Trunk, weights: Path, notes_folder: Path) -> None:
    corpus = NoteCorpus(sorted((notes_folder / "dev").glob("*.npz")))
    examples = [corpus.window(0, 40), corpus.window(40, 96), corpus.window(100, 9)]
    windows = [NoteWindow(e.ids, e.places) for e in examples]
    runtime = TrunkRuntime(weights, threads=1)
    assert runtime.judges_notes
    told = runtime.note_outputs("audio", windows, batch_tokens=200)
    start = symbol_id("to", "performance")
    for example, values in zip(examples, told, strict=True):
        with torch.inference_mode():
            ids, places = torch.from_numpy(example.ids[None]), torch.from_numpy(example.places[None])
            memory, _ = judging.encode(ids, places, symbol_id("from", "audio"), start)
            assert judging.notes is not None
            expected = judging.notes(memory)[0].clone()
            expected[:, KEPT] = expected[:, KEPT].sigmoid()
        assert np.allclose(values, expected.numpy(), atol=2e-4)


def test_a_long_piece_is_judged_in_windows_that_overlap(weights: Path, notes_folder: Path) -> None:
    runtime = TrunkRuntime(weights, threads=1)
    corpus = NoteCorpus(sorted((notes_folder / "train").glob("3.npz")))
    ids, places = corpus.ids.astype(np.int64), corpus.places
    seen: list[tuple[int, int]] = []
    told = note_outputs_of(runtime, "audio", ids, places, progress=lambda done, all_: seen.append((done, all_)))
    assert told.shape == (210, len(OUTPUTS))
    assert seen[-1][0] == seen[-1][1] == 4
    first = runtime.note_outputs("audio", [NoteWindow(ids[:LONGEST], places[:LONGEST] - places[0])])[0]
    assert np.allclose(told[:72, LATE], first[:72, LATE] * LATE_S, atol=1e-5)
    assert np.allclose(told[:72, LENGTH], first[:72, LENGTH], atol=1e-5)
    assert np.allclose(told[:72, VELOCITY], first[:72, VELOCITY] * VELOCITY_STEP, atol=1e-3)
    assert note_outputs_of(runtime, "audio", ids[:0], places[:0]).shape == (0, len(OUTPUTS))


def test_weights_go_there_and_back_with_their_heads(judging: Trunk, weights: Path) -> None:
    config, values = weights_of(weights)
    again = Trunk(TrunkConfig(**config))
    again.load(values)
    for name, value in judging.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_weights_without_heads_say_that_they_judge_no_notes(tmp_path: Path) -> None:
    export(Trunk(TINY).eval(), tmp_path, {"hours": 0})
    runtime = TrunkRuntime(tmp_path, threads=1)
    assert not runtime.judges_notes
    with pytest.raises(ValueError, match="do not judge notes"):
        runtime.note_outputs("audio", [])


def test_a_checkpoint_with_heads_is_loaded_as_any_other(judging: Trunk, tmp_path: Path) -> None:
    state = {"vocabulary": fingerprint(), "config": judging.config.as_dict(), "model": judging.state_dict()}
    torch.save({**state, "average": judging.state_dict()}, tmp_path / "checkpoint.pt")
    trunk, _ = load_trunk(tmp_path / "checkpoint.pt")
    assert trunk.notes is not None
