"""`plugins install musescore` finds every MuseScore of the machine, copies, checks, and says how to switch it on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.musescore_places import musescore_places
from bridge.plugin_installer import MARKER, STARTER, differences, install, installed_in, uninstall
from model_runtime.errors import MusicError

SCOREBRIDGE = Path(sys.executable).with_name("scorebridge")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def settings(folder: Path, version: str, plugins: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    chosen = f"paths\\myPlugins={plugins}\n" if plugins else ""
    (folder / f"{version}.ini").write_text(f"[application]\nstartup\\firstStart=false\n{chosen}[ui]\nx=%1\n")


def folders() -> list[Path]:
    return [place.folder for place in musescore_places()]


# ---- where -----------------------------------------------------------------------------------------------------------


def test_no_musescore_no_folder(home: Path) -> None:
    assert folders() == []
    with pytest.raises(MusicError, match="No MuseScore was found"):
        install("musescore")


def test_a_version_that_was_started_is_found_by_its_documents_or_its_settings(home: Path) -> None:
    (home / "Documents" / "MuseScore3").mkdir(parents=True)
    settings(home / ".config" / "MuseScore", "MuseScore4")
    assert folders() == [home / "Documents" / version / "Plugins" for version in ("MuseScore3", "MuseScore4")]


def test_documents_may_be_called_otherwise(home: Path) -> None:
    (home / ".config").mkdir()
    (home / ".config" / "user-dirs.dirs").write_text('XDG_DOCUMENTS_DIR="$HOME/Dokumente"\n')
    (home / "Dokumente" / "MuseScore4").mkdir(parents=True)
    assert folders() == [home / "Dokumente" / "MuseScore4" / "Plugins"]


def test_the_folder_that_the_user_chose_in_the_preferences_wins(home: Path) -> None:
    (home / "Documents" / "MuseScore4").mkdir(parents=True)
    settings(home / ".config" / "MuseScore", "MuseScore4", plugins="/music/Zus\\xe4tze & more")
    assert folders() == [Path("/music/Zusätze & more")]


def test_settings_that_cannot_be_read_are_not_in_the_way(home: Path) -> None:
    (home / "Documents" / "MuseScore4").mkdir(parents=True)
    (home / ".config" / "MuseScore").mkdir(parents=True)
    (home / ".config" / "MuseScore" / "MuseScore4.ini").write_bytes(b"\xff\xfe no section\n====")
    assert folders() == [home / "Documents" / "MuseScore4" / "Plugins"]


def test_flatpak_snap_and_portable_appimages_are_found_where_they_live(home: Path) -> None:
    flatpak = home / ".var" / "app" / "org.musescore.MuseScore"
    (flatpak / "Documents" / "MuseScore4").mkdir(parents=True)
    snap = home / "snap" / "musescore" / "current"
    (snap / "Documents" / "MuseScore3").mkdir(parents=True)
    portable = home / "Applications" / "MuseScore-Studio-4.5.AppImage.home"
    settings(portable / ".config" / "MuseScore", "MuseScore4")
    found = {place.title: place.folder for place in musescore_places()}
    assert found == {
        "MuseScore 4 (Flatpak)": flatpak / "Documents" / "MuseScore4" / "Plugins",
        "MuseScore 3 (snap)": snap / "Documents" / "MuseScore3" / "Plugins",
        "MuseScore 4 (AppImage)": portable / "Documents" / "MuseScore4" / "Plugins",
    }


def test_a_flatpak_that_shares_the_documents_is_one_place_with_them(home: Path) -> None:
    (home / "Documents" / "MuseScore4").mkdir(parents=True)
    settings(home / ".var" / "app" / "org.musescore.MuseScore" / "config" / "MuseScore", "MuseScore4")
    assert folders() == [home / "Documents" / "MuseScore4" / "Plugins"]


def test_windows_and_macos_keep_their_settings_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    settings(home / ".config" / "MuseScore", "MuseScore4", plugins="/Users/me/plug")
    assert folders() == [Path("/Users/me/plug")]
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("APPDATA", str(home / "Roaming"))
    settings(home / "Roaming" / "MuseScore", "MuseScore3", plugins="/Users/me/plug3")
    assert folders() == [Path("/Users/me/plug3")]


# ---- what ------------------------------------------------------------------------------------------------------------


def test_what_is_copied_is_whole_and_knows_how_to_start_the_daemon(home: Path) -> None:
    (home / "Documents" / "MuseScore3").mkdir(parents=True)
    report = install("musescore")
    (folder,) = installed_in("musescore")
    assert report.folders == (folder,)
    assert differences("musescore", folder) == []
    assert {"ScoreBridge.qml", "session.js", "README.md"} <= {path.name for path in folder.iterdir()}
    marker = json.loads((folder / MARKER).read_text("utf-8"))
    assert Path(marker["client"]) == SCOREBRIDGE
    assert Path(marker["starter"]) == folder / STARTER
    assert marker["connection"].endswith("connection.json")


def test_the_starter_runs_the_client(tmp_path: Path) -> None:
    (folder,) = install("musescore", str(tmp_path / "a 'b' c")).folders
    starter = folder / STARTER
    starter.write_text(starter.read_text("utf-8").replace("serve --detach", "--version"), "utf-8")
    ran = subprocess.run([str(starter)], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.startswith("scorebridge ")


def test_each_version_is_told_in_its_own_words_how_to_switch_it_on(home: Path) -> None:
    for version in ("MuseScore3", "MuseScore4"):
        (home / "Documents" / version).mkdir(parents=True)
    first, second = install("musescore").next_step.splitlines()
    assert first.startswith("In MuseScore 3: Plugins → Plugin Manager…")
    assert second.startswith("In MuseScore 4: Home → Plugins")


def test_a_copy_that_was_changed_or_has_lost_its_client_is_noticed(home: Path) -> None:
    (home / "Documents" / "MuseScore3").mkdir(parents=True)
    (folder,) = install("musescore").folders
    (folder / "session.js").write_text("// of an earlier version")
    (folder / "extra.js").write_text("")
    (folder / MARKER).write_text('{"client": "/nowhere/scorebridge"}')
    assert differences("musescore", folder) == ["extra.js", "session.js", "client"]
    install("musescore")
    assert differences("musescore", folder) == []


def test_the_doctor_tells_of_it(home: Path) -> None:
    def doctor() -> str:
        ran = subprocess.run([str(SCOREBRIDGE), "doctor"], capture_output=True, text=True, timeout=120, env=environment)
        return " ".join(ran.stdout.split())

    environment = {**os.environ, "COLUMNS": "400", "SCOREBRIDGE_DATA": str(home / "data")}
    assert "musescore was not found on this machine" in doctor()
    (home / "Documents" / "MuseScore3").mkdir(parents=True)
    assert "Plugin for musescore is not installed scorebridge plugins install musescore" in doctor()
    (folder,) = install("musescore").folders
    assert f"Plugin for musescore {folder}" in doctor()
    (folder / "session.js").write_text("")
    assert "is of another version (session.js)" in doctor()


def test_uninstalling_takes_back_what_was_copied_and_nothing_else(home: Path) -> None:
    plugins = home / "Documents" / "MuseScore3" / "Plugins"
    plugins.mkdir(parents=True)
    (plugins / "other.qml").write_text("// somebody's")
    install("musescore")
    assert uninstall("musescore") == [plugins / "ScoreBridge"]
    assert [path.name for path in plugins.iterdir()] == ["other.qml"]
    assert uninstall("musescore") == []


def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MusicError, match="could not be copied"):
        install("musescore", str(tmp_path / "file"))
