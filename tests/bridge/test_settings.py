"""What a user may set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from bridge.settings import Settings
from bridge.validation import sentence_of


def test_the_defaults_allow_the_home_and_the_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    roots = Settings().roots
    assert tmp_path.resolve() in roots
    assert Path("/tmp").resolve() in roots
    assert Path("/") not in roots


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'workers = 3\nkeep_days = 2.5\nroots = ["{tmp_path}"]\n')
    monkeypatch.setenv("SCOREBRIDGE_CONFIG", str(file))
    assert (Settings().workers, Settings().keep_days, Settings().roots) == (3, 2.5, (tmp_path.resolve(),))
    monkeypatch.setenv("SCOREBRIDGE_WORKERS", "4")
    monkeypatch.setenv("SCOREBRIDGE_ROOTS", os.pathsep.join(["/opt", "~"]))
    assert Settings().workers == 4
    assert Settings().roots == (Path("/opt").resolve(), Path.home().resolve())


def test_a_setting_out_of_range_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCOREBRIDGE_HTTP_PORT", "70000")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "'http_port' should be less than or equal to 65535" in sentence_of(caught.value, "setting")
