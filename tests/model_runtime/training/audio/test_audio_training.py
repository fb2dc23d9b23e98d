"""The audio reader learns, goes on from where it was stopped, and says the same once it is exported."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from model_runtime.training import curve
from model_runtime.training.audio.corpus import Clip, path_of, restored, save, stored
from model_runtime.training.audio.dataset import batch, clips_there, load
from model_runtime.training.audio.evaluate import heads_of, measured, picked_notes, scores
from model_runtime.training.audio.export import export
from model_runtime.training.audio.targets import targets
from model_runtime.training.audio.train import Run, Settings, load_reader
from model_runtime.unified.audio_front_end import SAMPLE_RATE
from model_runtime.unified.audio_network import AudioNetwork, ReaderConfig
from model_runtime.unified.audio_reader import ReaderSession
from model_runtime.unified.audio_steps import LATE_STEPS, STEP_S, moment_s, step_of
from model_runtime.unified.note_picking import PickingSettings

TINY = ReaderConfig(first=4, width=16, narrow=4, hidden=16, context=8)
QUICK = Settings(steps=60, warmup=4, rate=1e-2, size=2, length=60, log_steps=2, save_s=1e9, evaluate_s=1e9, low=False)
LENGTH_S = 4.0


def clip(seed: int) -> Clip:
    """Four seconds of struck tones, two at a time."""
    draw = np.random.default_rng(seed)
    time_s = np.arange(round(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros(round(LENGTH_S * SAMPLE_RATE), np.float32)
    rows = []
    for onset_s in np.arange(0.3, LENGTH_S - 0.6, 0.4):
        for pitch in draw.choice(np.arange(50, 80), 2, replace=False):
            hertz = 440 * 2 ** ((pitch - 69) / 12)
            tone = sum(np.sin(2 * np.pi * k * hertz * time_s) * np.exp(-5 * time_s) / k for k in range(1, 7))
            first = round(onset_s * SAMPLE_RATE)
            sound[first : first + len(time_s)] += (0.1 * np.asarray(tone)).astype(np.float32)
            rows.append((onset_s, onset_s + 0.4, pitch, 80.0))
    return Clip(sound, np.array(rows), np.array([[0.5, 1.5]]), True, {"kind": "piano"})


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for split, count in (("train", 3), ("dev", 1)):
        (folder / split).mkdir()
        for number in range(count):
            save(clip(number), path_of(folder, split, number))
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_steps_on_one_batch_lower_its_loss(clips: Path, tmp_path: Path) -> None:
    with Run(tmp_path, clips, QUICK, resume=False, config=TINY) as run:
        same = run.next_batch()
        found = [run.train_step(same) for _ in range(45)]
    for head in ("onset", "frame", "offset"):
        assert found[-1][head] < 0.85 * found[0][head], head


def test_gradients_in_half_precision_lower_the_loss_as_well(clips: Path, tmp_path: Path) -> None:
    settings = Settings(**{**vars(QUICK), "low": True})
    with Run(tmp_path, clips, settings, resume=False, config=TINY) as run:
        same = run.next_batch()
        found = [run.train_step(same)["onset"] for _ in range(45)]
    assert found[-1] < 0.85 * found[0]


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(clips: Path, tmp_path: Path) -> None:
    with Run(tmp_path / "straight", clips, QUICK, resume=False, config=TINY) as straight:
        straight.train(until=8)
    with Run(tmp_path / "stopped", clips, QUICK, resume=False, config=TINY) as stopped:
        stopped.train(until=3)
    with Run(tmp_path / "stopped", clips, QUICK, resume=True) as resumed:
        assert resumed.step == 3
        resumed.train(until=8)
    for name, value in straight.reader.state_dict().items():
        assert torch.equal(value, resumed.reader.state_dict()[name]), name
    for name, value in straight.average.items():
        assert torch.equal(value, resumed.average[name]), name
    assert [row["step"] for row in curve.read(tmp_path / "stopped" / "curve.csv")] == [2, 4, 6, 8]


_ENDLESS = """
import sys, torch
from pathlib import Path
from model_runtime.training.audio.train import Run, Settings
from model_runtime.unified.audio_network import ReaderConfig
torch.set_num_threads(1)
config = ReaderConfig(first=4, width=16, narrow=4, hidden=16, context=8)
settings = Settings(steps=10**6, size=1, length=60, log_steps=1, save_s=0.0, evaluate_s=1e9, low=False)
with Run(Path(sys.argv[1]), Path(sys.argv[2]), settings, resume=True, config=config) as run:
    run.train()
"""


def test_a_run_survives_being_killed(clips: Path, tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(tmp_path), str(clips)])
    try:
        deadline = time.monotonic() + 120
        while len(curve.read(tmp_path / "curve.csv")) < 6 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    with Run(tmp_path, clips, Settings(**{**vars(QUICK), "log_steps": 1}), resume=True) as resumed:
        before = resumed.step
        resumed.train(until=before + 2)
    assert before >= 4
    steps = [row["step"] for row in curve.read(tmp_path / "curve.csv")]
    assert steps == sorted(set(steps))
    assert steps[-1] == resumed.step == before + 2


def test_two_runs_do_not_share_a_folder(clips: Path, tmp_path: Path) -> None:
    with Run(tmp_path, clips, QUICK, resume=False, config=TINY), pytest.raises(BlockingIOError):
        Run(tmp_path, clips, QUICK, resume=False, config=TINY)


def test_an_evaluation_draws_the_curve(clips: Path, tmp_path: Path) -> None:
    with Run(tmp_path, clips, QUICK, resume=False, config=TINY) as run:
        run.train(until=4)
        result = run.evaluate()
    assert 0.0 <= result["onset_f1"] <= 1.0
    assert (tmp_path / "curve.png").stat().st_size > 5000
    assert measured(load_reader(tmp_path / "checkpoint.pt"), clips, 1)["onset_f1"] == result["onset_f1"]


@pytest.mark.parametrize("block", [1, 3, 8])
def test_the_exported_network_says_what_the_trained_one_says(clips: Path, tmp_path: Path, block: int) -> None:
    torch.manual_seed(3)
    network = AudioNetwork(TINY)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    frames = restored(load(path_of(clips, "train", 0)).frames)[:96]
    heads, late = heads_of(network.eval(), frames)
    session = ReaderSession(export(network, tmp_path))
    parts = [session.heads(frames[start : start + 2 * block]) for start in range(0, len(frames), 2 * block)]
    np.testing.assert_allclose(np.concatenate([part[0] for part in parts]), heads, atol=2e-5)
    np.testing.assert_allclose(np.concatenate([part[1] for part in parts])[LATE_STEPS:], late, atol=2e-5)


def test_targets_read_back_are_the_notes() -> None:
    notes = np.array([[0.5, 1.0, 60, 90], [0.513, 1.2, 64, 50], [1.0, 1.5, 60, 30], [1.337, 2.0, 108, 127]], np.float32)
    made = targets(notes, np.zeros((0, 2), np.float32), 0, 120)
    found = picked_notes(made.heads, PickingSettings(onset=0.5))
    assert [note.pitch for note in found] == [60, 64, 60, 108]
    for note, (onset_s, end_s, _, velocity) in zip(found, notes, strict=True):
        assert note.onset_s == pytest.approx(onset_s, abs=1e-3)
        assert note.offset_s == pytest.approx(end_s, abs=STEP_S)
        assert note.velocity == pytest.approx(velocity, abs=1)
    assert scores(notes, found)["note_f1"] == 1.0


def test_steps_and_moments_are_inverse() -> None:
    assert step_of(moment_s(17.25)) == pytest.approx(17.25)


def test_a_batch_comes_back_for_its_seed_and_holds_only_numbers(clips: Path) -> None:
    one, again = (batch(clips, 3, 6, 60, 4, (1, 5), {}) for _ in range(2))
    for first, second in zip(vars(one).values(), vars(again).values(), strict=True):
        np.testing.assert_array_equal(first, second)
        assert np.isfinite(first).all()
    assert one.frames.shape == (4, 120, 306)
    assert one.frames.min() >= 0.0
    assert one.heads.min() >= 0.0
    assert one.heads.max() <= 1.0


def test_stored_frames_come_back_within_half_a_step() -> None:
    frames = np.random.default_rng(0).uniform(0.0, 2.0, (10, 306)).astype(np.float32)
    assert np.abs(restored(stored(frames)) - frames).max() <= 0.2 / 50 + 1e-6


def test_clips_are_counted_up_to_the_first_gap(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for number in (0, 1, 3):
        path_of(tmp_path, "train", number).touch()
    assert clips_there(tmp_path, "train") == 2
