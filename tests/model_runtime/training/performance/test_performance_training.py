"""The performance reader's networks, their training run and their export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from model_runtime.training import curve
from model_runtime.training.performance.corpus import DEV, TRAINING
from model_runtime.training.performance.dataset import Renditions, batch
from model_runtime.training.performance.export import export
from model_runtime.training.performance.network import NetworkConfig, NoteNetwork
from model_runtime.training.performance.scores import Score, stored
from model_runtime.training.performance.train import NETWORKS, Run, Settings, load_networks, said
from model_runtime.unified.performance_features import BAR_PLACES, BEAT_FEATURES, PHASES, VALUE_FEATURES, VALUES
from model_runtime.unified.performance_reader import BEATS, NOTE_VALUES

_SMALL = Settings(hours=1.0, warmup=4, size=2, fresh=1, kept=4, log_steps=2, dev=2, low=False)


@pytest.fixture
def corpus(tmp_path: Path, waltz: Score) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name in (*TRAINING, DEV):
        np.savez(folder / f"{name}.npz", **stored(iter([("waltz", waltz)])))  # type: ignore[arg-type]
    return folder


def test_what_is_padded_changes_nothing(waltz: Score) -> None:
    torch.manual_seed(0)
    renditions = Renditions([([waltz], 1.0)], seed=1)
    for index, config in enumerate(NETWORKS.values()):
        network = NoteNetwork(config).eval()
        tasks = [renditions.tasks(number)[index] for number in range(2)]
        both = batch(tasks, np.random.default_rng(0))
        shorter = int(np.argmin(both["there"].sum(axis=1)))
        size = int(both["there"][shorter].sum())
        alone = {name: array[shorter : shorter + 1, :size] for name, array in both.items()}
        with torch.no_grad():
            padded, plain = said(network, both)[shorter, :size], said(network, alone)[0]
        assert torch.allclose(padded, plain, atol=1e-4)


def test_where_a_piece_starts_in_time_changes_nothing() -> None:
    torch.manual_seed(0)
    network = NoteNetwork(NETWORKS["beats"]).eval()
    features, places = torch.randn(1, 30, BEAT_FEATURES), torch.rand(1, 30, 1) * 20
    with torch.no_grad():
        early, late = (network(features, *network.angles(places + shift)) for shift in (0.0, 7.0))
    assert torch.allclose(early, late, atol=1e-3)


def test_a_run_learns_and_goes_on_as_if_it_had_not_stopped(corpus: Path, tmp_path: Path) -> None:
    with Run(tmp_path / "whole", corpus, _SMALL, resume=False) as run:
        run.seconds = 1.0  # the rate depends on the time that was spent: here none passes
        losses = [run.train_step() for _ in range(6)]
        whole = {name: own.network.state_dict() for name, own in run.trained.items()}
    assert sum(losses[-1].values()) < sum(losses[0].values())
    with Run(tmp_path / "parts", corpus, _SMALL, resume=False) as run:
        run.seconds = 1.0
        for _ in range(4):
            run.train_step()
        run.save()
    with Run(tmp_path / "parts", corpus, _SMALL, resume=True) as run:
        assert run.step == 4
        for _ in range(2):
            run.train_step()
        for name, own in run.trained.items():
            for key, value in own.network.state_dict().items():
                assert torch.allclose(value, whole[name][key], atol=1e-6), key


def test_a_run_keeps_its_curve_and_what_it_reached(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with Run(out, corpus, _SMALL, resume=False) as run:
        run.train(until=4)
        result = run.evaluate()
    assert set(result) == {"phase", "bar", "period", "value", "staff"}
    rows = curve.read(out / "curve.csv")
    assert [row["step"] for row in rows] == [2, 4] and "phase" in rows[0] and "value" in rows[0]
    assert (out / "curve.png").stat().st_size > 1000
    assert set(load_networks(out / "checkpoint.pt")) == set(NETWORKS)


def test_two_runs_do_not_share_a_folder(corpus: Path, tmp_path: Path) -> None:
    with Run(tmp_path / "run", corpus, _SMALL, resume=False), pytest.raises(BlockingIOError):
        Run(tmp_path / "run", corpus, _SMALL, resume=False)


def test_exported_networks_say_what_the_trained_ones_say(tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(3)
    networks = {name: NoteNetwork(config).eval() for name, config in NETWORKS.items()}
    beats, values = export(networks, tmp_path, {})
    assert (beats.name, values.name) == (BEATS, NOTE_VALUES)
    assert beats.stat().st_size + values.stat().st_size < 1.5e6
    draw = np.random.default_rng(0)
    for path, name, width, axes in ((beats, "beats", BEAT_FEATURES, 1), (values, "values", VALUE_FEATURES, 2)):
        for rows in (1, 17, 320):
            features = draw.normal(0, 1, (rows, width)).astype(np.float32)
            places = (draw.random((rows, axes)) * 40).astype(np.float32)
            found = onnxruntime.InferenceSession(str(path)).run(None, {"features": features, "places": places})
            network = networks[name]
            with torch.no_grad():
                given = torch.from_numpy(features)[None], *network.angles(torch.from_numpy(places)[None])
                wanted = network(*given)[0]
            head = PHASES if name == "beats" else len(VALUES)
            assert np.allclose(found[0], torch.log_softmax(wanted[:, :head], dim=-1).numpy(), atol=5e-3)
            if name == "beats":
                bar = torch.log_softmax(wanted[:, PHASES : PHASES + BAR_PLACES], dim=-1)
                assert np.allclose(found[1], bar.numpy(), atol=5e-3)
            else:
                assert np.allclose(found[1], torch.sigmoid(wanted[:, -1]).numpy(), atol=5e-3)


def test_a_config_survives_a_checkpoint() -> None:
    config = NETWORKS["values"]
    assert NetworkConfig(**config.as_dict()) == config  # type: ignore[arg-type]
