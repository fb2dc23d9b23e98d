"""Add-ons that engines need, really installed, once a test run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_runtime.addons.known import BASIC_PITCH, SOUNDFONT, TRANSKUN


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
def _transkun_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("transkun-data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCOREBRIDGE_DATA", str(folder))
        TRANSKUN.install()
        SOUNDFONT.install()
    yield folder
    shutil.rmtree(folder)  # PyTorch is too large to keep for the next runs


@pytest.fixture
def transkun_data(_transkun_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder in which transkun is installed, PyTorch included, and a SoundFont to play to it."""
    monkeypatch.setenv("SCOREBRIDGE_DATA", str(_transkun_data))
    return _transkun_data
