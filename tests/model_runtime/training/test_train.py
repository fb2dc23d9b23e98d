"""The trunk learns, and a run goes on from where it was cut off as if nothing had happened."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.tokens.distance import edit_distance
from model_runtime.training import curve
from model_runtime.training.dataset import Corpus, batches, dev_examples, image_example, pad
from model_runtime.training.evaluate import greedy, lmx_of, load_trunk, scored, sounding_notes
from model_runtime.training.train import Run, Settings, learning_rate, shares
from model_runtime.unified.architecture import Attention, Stepper, Trunk, TrunkConfig, symbol_id

TINY = TrunkConfig(width=32, heads=2, encoder_layers=1, decoder_layers=1, hidden=64, pointing_layer=0)
QUICK = Settings(
    steps=40, warmup=4, rate=3e-3, tokens=1500, pool=256, log_steps=2, save_s=1e9, evaluate_s=1e9, dev_windows=4
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(corpus_folder: Path, tmp_path: Path) -> None:
    with Run(tmp_path / "straight", corpus_folder, QUICK, resume=False, config=TINY) as straight:
        straight.train(until=8)
    with Run(tmp_path / "stopped", corpus_folder, QUICK, resume=False, config=TINY) as stopped:
        stopped.train(until=3)
    with Run(tmp_path / "stopped", corpus_folder, QUICK, resume=True) as resumed:
        assert resumed.step == 3
        resumed.train(until=8)
    for name, value in straight.trunk.state_dict().items():
        assert torch.equal(value, resumed.trunk.state_dict()[name]), name
    for name, value in straight.average.items():
        assert torch.equal(value, resumed.average[name]), name


_ENDLESS = """
import sys, torch
from pathlib import Path
from model_runtime.training.train import Run, Settings
from model_runtime.unified.architecture import TrunkConfig
torch.set_num_threads(1)
config = TrunkConfig(width=32, heads=2, encoder_layers=1, decoder_layers=1, hidden=64, pointing_layer=0)
settings = Settings(steps=10**6, warmup=4, tokens=1500, pool=256, log_steps=1, save_s=0.0, evaluate_s=1e9)
with Run(Path(sys.argv[1]), Path(sys.argv[2]), settings, resume=True, config=config) as run:
    run.train()
"""


def test_a_run_survives_being_killed(corpus_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(out), str(corpus_folder)])
    try:
        deadline = time.monotonic() + 90
        while len(curve.read(out / "curve.csv")) < 6 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    with Run(out, corpus_folder, Settings(steps=10**6, log_steps=1, tokens=1500, pool=256), resume=True) as resumed:
        before = resumed.step
        resumed.train(until=before + 4)
    assert before >= 4
    steps = [row["step"] for row in curve.read(out / "curve.csv")]
    assert steps == sorted(set(steps))
    assert steps[-1] == resumed.step == before + 4


def test_two_runs_do_not_share_a_folder(corpus_folder: Path, tmp_path: Path) -> None:
    with Run(tmp_path, corpus_folder, QUICK, resume=False, config=TINY), pytest.raises(BlockingIOError):
        Run(tmp_path, corpus_folder, QUICK, resume=False, config=TINY)
    with Run(tmp_path, corpus_folder, QUICK, resume=False, config=TINY) as later:
        assert later.step == 0


def test_the_trunk_learns_a_small_corpus(corpus_folder: Path, tmp_path: Path) -> None:
    config = TrunkConfig(width=64, heads=2, encoder_layers=1, decoder_layers=1, hidden=128, pointing_layer=0)
    long = Settings(steps=160, warmup=10, rate=5e-3, tokens=1500, pool=256, log_steps=20, averaging=0.9, evaluate_s=1e9)
    with Run(tmp_path, corpus_folder, long, resume=False, config=config) as run:
        run.train()
    losses = [row["loss_image"] for row in curve.read(tmp_path / "curve.csv")]
    assert losses[-1] < 0.6 * losses[0]
    trunk, state = load_trunk(tmp_path / "checkpoint.pt")
    examples = dev_examples(Corpus(corpus_folder, ("dev",)), "image", 6, 1, spoil=False)
    assert state["step"] == 160
    assert scored(trunk, examples).symbol_error_rate < 80


def test_an_evaluation_leaves_a_row_and_a_picture(corpus_folder: Path, tmp_path: Path) -> None:
    with Run(tmp_path, corpus_folder, QUICK, resume=False, config=TINY) as run:
        run.train(until=2)
        result = run.evaluate()
    kinds = ("image_clean", "image_spoilt", "performance_spoilt")
    assert set(result) == {*kinds, *(f"{kind}_note_f1" for kind in kinds)}
    assert curve.read(tmp_path / "dev.csv")[0]["step"] == 2
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_what_the_reader_saw_is_trained_on_and_measured_by_itself(
    corpus_folder: Path, seen_folder: Path, tmp_path: Path
) -> None:
    settings = replace(QUICK, weights={"image": 0.5, "seen": 0.5})
    with Run(tmp_path, [corpus_folder, seen_folder], settings, resume=False, config=TINY) as run:
        assert {kind: corpus.seen for kind, corpus in run.corpora.items()} == {
            **{"image": False, "performance": False, "seen": True}
        }
        run.train(until=3)
        result = run.evaluate()
    assert {"seen", "seen_note_f1", "image_clean"} <= set(result)
    assert "seen" in curve.read(tmp_path / "dev.csv")[0]


def test_a_kind_of_windows_that_is_nowhere_is_said(corpus_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'seen' are wanted"):
        Run(tmp_path, corpus_folder, replace(QUICK, weights={"seen": 1.0}), resume=False, config=TINY)


def test_a_measure_that_was_read_is_moved_a_little_but_never_told_anew(seen_folder: Path) -> None:
    corpus = Corpus(seen_folder, ("train",))
    plain = image_example(corpus, 3, 1, 0, 0.0, None)
    jolted = image_example(corpus, 3, 1, 0, 1.0, np.random.default_rng(5))
    assert plain is not None and jolted is not None
    assert not np.array_equal(plain.places[: len(jolted.places)], jolted.places)
    assert {tuple(row) for row in jolted.ids.tolist()} <= {tuple(row) for row in plain.ids.tolist()}
    assert np.array_equal(plain.target, jolted.target)


def test_padding_changes_nothing(corpus_folder: Path) -> None:
    trunk = Trunk(TINY).eval()
    examples = dev_examples(Corpus(corpus_folder, ("dev",)), "image", 4, 1, spoil=True)
    both = pad(examples)
    with torch.inference_mode():
        together, _ = trunk.encode(torch.from_numpy(both.ids), torch.from_numpy(both.places), 8, 5)
        for row, example in enumerate(examples):
            alone, _ = trunk.encode(torch.from_numpy(example.ids[None]), torch.from_numpy(example.places[None]), 8, 5)
            assert torch.allclose(together[row, : len(example.ids)], alone[0], atol=1e-5)


def test_decoding_step_by_step_is_decoding_at_once(corpus_folder: Path) -> None:
    trunk = Trunk(TINY).eval()
    batch = pad(dev_examples(Corpus(corpus_folder, ("dev",)), "performance", 3, 1, spoil=True))
    start, ids = symbol_id("to", "notation"), torch.arange(TINY.vocabulary)
    with torch.inference_mode():
        memory, mask = trunk.encode(
            torch.from_numpy(batch.ids), torch.from_numpy(batch.places), symbol_id("from", "performance"), start
        )
        given_ids = torch.cat([torch.full((3, 1), start), torch.from_numpy(batch.target)[:, :9]], dim=1)
        at_once = trunk.logits(trunk.decode(given_ids, memory, mask)[0], ids)
        stepper = Stepper(trunk, memory, mask, ids)
        for step in range(10):
            assert torch.allclose(stepper.step(given_ids[:, step]), at_once[:, step], atol=1e-4)


def test_whatever_an_untrained_trunk_writes_is_lmx(corpus_folder: Path) -> None:
    examples = dev_examples(Corpus(corpus_folder, ("dev",)), "image", 3, 1, spoil=True)
    written = greedy(Trunk(TINY).eval(), examples, longest=30)
    assert len(written) == 3
    assert not any(token.startswith("<") for ids in written for token in lmx_of(ids))


def test_the_same_seed_gives_the_same_batches_and_they_keep_to_their_size(corpus_folder: Path) -> None:
    corpus = Corpus(corpus_folder, ("train",))
    weights = {"image": 0.5, "performance": 0.5}
    of_kind = {"image": corpus, "performance": corpus}
    once, again = (batches(of_kind, weights, 1500, seed=1, pool=3, pool_size=40) for _ in range(2))
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(once, again, strict=True))
    assert sum(len(b.ids) for b in once) == 40
    for batch in once:
        assert len(batch.ids) == 1 or len(batch.ids) * (batch.ids.shape[1] + batch.target.shape[1]) <= 1500


def test_half_the_bits_give_the_same_losses(corpus_folder: Path, tmp_path: Path) -> None:
    losses = {}
    for precision in ("32-true", "bf16-mixed"):
        settings = replace(QUICK, precision=precision)
        with Run(tmp_path / precision, corpus_folder, settings, resume=False, config=TINY) as run:
            losses[precision] = [run.train_step(run.next_batch()) for _ in range(6)]
            assert all(p.dtype == torch.float32 for p in run.trunk.parameters())
    for full, half in zip(losses["32-true"], losses["bf16-mixed"], strict=True):
        assert half != full
        assert half == pytest.approx(full, rel=0.02)


def test_attention_in_half_the_bits_looks_where_it_did() -> None:
    torch.manual_seed(2)
    attention = Attention(TrunkConfig(width=64, heads=2))
    x, memory = torch.randn(3, 7, 64), torch.randn(3, 5, 64)
    mask = torch.ones(3, 1, 1, 5, dtype=torch.bool)
    mask[1, ..., 3:] = False
    for given_memory, given_mask, causal in ((memory, mask, False), (x, None, True)):
        full = attention(x, *attention.remember(given_memory), given_mask, causal=causal)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = attention(x, *attention.remember(given_memory), given_mask, causal=causal)
        assert half.dtype == torch.bfloat16
        assert torch.allclose(half.float(), full, atol=0.03)


def test_shares_are_read_from_the_command_line() -> None:
    assert shares("image=0.85,performance=.15") == {"image": 0.85, "performance": 0.15}
    for wrong in ("image", "image=x", "sound=1", "image=0", "image=-1,performance=2", ""):
        with pytest.raises(argparse.ArgumentTypeError):
            shares(wrong)


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
@settings(deadline=None)
def test_edit_distance_is_levenshteins(ours: list[int], theirs: list[int]) -> None:
    table = [[i + j if i * j == 0 else 0 for j in range(len(theirs) + 1)] for i in range(len(ours) + 1)]
    for i, a in enumerate(ours, 1):
        for j, b in enumerate(theirs, 1):
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a != b))
    assert edit_distance(ours, theirs) == table[-1][-1]


def test_a_note_counts_by_measure_onset_duration_and_pitch() -> None:
    head = "measure key:fifths:0 time beats:2 beat-type:4"
    truth = sounding_notes(f"{head} C4 quarter D4 quarter".split())
    assert sounding_notes(f"{head} C4 quarter D4 quarter".split()) == truth
    assert (sounding_notes(f"{head} C4 quarter D4 quarter sharp".split()) & truth).total() == 1
    assert (sounding_notes(f"{head} C4 eighth D4 quarter".split()) & truth).total() == 0
    assert (sounding_notes(f"{head} rest half measure C4 quarter D4 quarter".split()) & truth).total() == 0


def test_the_learning_rate_rises_and_falls() -> None:
    plan = Settings(steps=1000, warmup=100, rate=1.0)
    rates = [learning_rate(step, plan) for step in range(1001)]
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) in (99, 100)
    assert rates[0] == pytest.approx(0.01) and rates[-1] == pytest.approx(0.02)


def test_a_curve_that_was_torn_while_it_was_written_is_mended(tmp_path: Path) -> None:
    file = tmp_path / "curve.csv"
    for step in range(1, 6):
        curve.append(file, {"step": step, "loss_image": "" if step == 1 else 0.5 * step, "loss_performance": 1.0})
    file.write_text(file.read_text(encoding="utf-8") + "6,3.", encoding="utf-8")
    assert [row["step"] for row in curve.read(file)] == [1, 2, 3, 4, 5]
    curve.forget_after(file, 3)
    curve.append(file, {"step": 4, "loss_image": 7.0, "loss_performance": 1.0})
    assert [row.get("loss_image") for row in curve.read(file)] == [None, 1.0, 1.5, 7.0]
    curve.append(file, {"step": 5, "seen": 9.0})
    assert [row.get("seen") for row in curve.read(file)] == [None, None, None, None, 9.0]
    assert [row.get("loss_image") for row in curve.read(file)] == [None, 1.0, 1.5, 7.0, None]
