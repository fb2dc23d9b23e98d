"""Plugins are copied into their hosts, know where the client is, and never harm what is not ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.plugin_installer import MARKER, host_folders, install, installed_in, uninstall
from model_runtime.errors import InvalidValue, MusicError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_DOCUMENTS_DIR", raising=False)
    monkeypatch.delenv("APPDATA", raising=False)
    return tmp_path


def test_every_version_of_the_host_gets_the_plugin(home: Path):
    for version in ("MuseScore3", "MuseScore4"):
        (home / "Documents" / version).mkdir(parents=True)
    report = install("musescore")
    assert report.files > 0
    assert installed_in("musescore") == [
        home / "Documents" / version / "Plugins" / "ScoreBridge" for version in ("MuseScore3", "MuseScore4")
    ]
    assert "Plugin Manager" in report.next_step


def test_the_plugin_is_told_where_the_client_is(tmp_path: Path):
    (folder,) = install("reaper", str(tmp_path)).folders
    assert Path(json.loads((folder / MARKER).read_text())["client"]).name.startswith("scorebridge")


def test_installing_again_replaces_what_lay_there(tmp_path: Path):
    (folder,) = install("reaper", str(tmp_path)).folders
    (folder / "old.lua").write_text("-- of an earlier version")
    install("reaper", str(tmp_path))
    assert not (folder / "old.lua").exists()


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path):
    precious = tmp_path / "ScoreBridge" / "mine.txt"
    precious.parent.mkdir()
    precious.write_text("keep me")
    with pytest.raises(MusicError, match="not made by ScoreBridge"):
        install("reaper", str(tmp_path))
    assert uninstall("reaper", str(tmp_path)) == []
    assert precious.read_text() == "keep me"


def test_uninstalling_takes_everything_back(home: Path):
    (home / ".config" / "REAPER").mkdir(parents=True)
    install("reaper")
    assert len(uninstall("reaper")) == 1
    assert installed_in("reaper") == []


def test_a_host_that_is_not_there_and_a_host_that_does_not_exist_get_a_sentence(home: Path):
    assert list(host_folders("reaper")) == []
    with pytest.raises(MusicError, match="No REAPER was found"):
        install("reaper")
    with pytest.raises(InvalidValue, match="no plugin for 'sibelius'"):
        install("sibelius")


def test_names_with_spaces_quotes_and_emoji_work(tmp_path: Path):
    (folder,) = install("musescore", str(tmp_path / "mein 'Ordner' 🎹")).folders
    assert (folder / MARKER).is_file()
