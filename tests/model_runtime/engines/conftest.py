"""Add-ons that engines need, really installed, once a test run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model_runtime.addons.known import BASIC_PITCH, TRANSKUN


@pytest.fixture(scope="session")
def _basic_pitch_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("basic-pitch-data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCOREBRIDGE_DATA", str(folder))
        BASIC_PITCH.install()
    return folder


@pytest.fixture
def basic_pitch_data(_basic_pitch_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder in which basic-pitch is installed."""
    monkeypatch.setenv("SCOREBRIDGE_DATA", str(_basic_pitch_data))
    return _basic_pitch_data


@pytest.fixture(scope="session")
def transkun_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which transkun is installed, PyTorch included; the variable is set for the whole module."""
    folder = tmp_path_factory.mktemp("transkun-data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCOREBRIDGE_DATA", str(folder))
        TRANSKUN.install()
        yield folder
        TRANSKUN.remove()
