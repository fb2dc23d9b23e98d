"""Add-ons are fetched from the package index, checked, and appear whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from model_runtime.addons import addon, addons, data_folder
from model_runtime.addons.environment import OwnEnvironment
from model_runtime.addons.known import BASIC_PITCH, SOUNDFONT
from model_runtime.errors import Cancelled, EngineUnavailable, InvalidValue


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data with ünicode"
    monkeypatch.setenv("SCOREBRIDGE_DATA", str(folder))
    return folder


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_data_folder_is_the_users_own_unless_the_variable_names_one(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data_folder() == data
    monkeypatch.delenv("SCOREBRIDGE_DATA")
    assert data_folder().is_absolute()
    assert "scorebridge" in data_folder().parts


def test_every_addon_says_what_it_is_whose_it_is_and_how_large() -> None:
    assert [each.name for each in addons()] == ["basic-pitch", "transkun", "soundfont"]
    for each in addons():
        assert each.summary.endswith(".")
        assert "MB" in each.summary or "GB" in each.summary
        assert each.licence
        assert each.size_mb > 0


def test_an_unknown_addon_is_refused_with_the_names_that_are_known() -> None:
    with pytest.raises(InvalidValue) as refusal:
        addon("basic-bitch")
    assert "basic-pitch" in refusal.value.hint


def test_basic_pitch_is_installed_with_its_network_and_licence_and_nothing_else(data: Path) -> None:
    seen: list[tuple[str, float, float]] = []
    assert not BASIC_PITCH.installed()
    BASIC_PITCH.install(lambda *step: seen.append(step))
    assert BASIC_PITCH.installed()
    assert contents(data) == ["basic-pitch"]
    assert contents(data / "basic-pitch") == ["LICENSE", "NOTICE", "addon.json", "nmp.onnx"]
    assert seen[0][1] == 0 and seen[-1][1] == seen[-1][2]
    assert "Apache License" in BASIC_PITCH.path("LICENSE").read_text(encoding="utf-8")


def test_an_installed_addon_can_be_removed_and_removing_twice_does_no_harm(data: Path) -> None:
    BASIC_PITCH.install()
    BASIC_PITCH.remove()
    assert not BASIC_PITCH.installed()
    assert contents(data) == []
    BASIC_PITCH.remove()


def test_a_package_with_another_digest_is_refused_and_nothing_of_it_is_kept(data: Path) -> None:
    tampered = replace(BASIC_PITCH, wheel=replace(BASIC_PITCH.wheel, sha256="0" * 64))
    with pytest.raises(EngineUnavailable, match="not the one ScoreBridge knows"):
        tampered.install()
    assert contents(data) == []


def test_an_older_copy_stays_when_its_successor_cannot_be_fetched(data: Path) -> None:
    BASIC_PITCH.install()
    with pytest.raises(EngineUnavailable):
        replace(BASIC_PITCH, wheel=replace(BASIC_PITCH.wheel, sha256="0" * 64)).install()
    assert BASIC_PITCH.installed()
    assert contents(data) == ["basic-pitch"]


def test_another_version_than_the_known_one_counts_as_not_installed() -> None:
    BASIC_PITCH.install()
    assert not replace(BASIC_PITCH, wheel=replace(BASIC_PITCH.wheel, version="0.5.0")).installed()


def test_without_network_the_error_says_so_and_nothing_is_kept(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: nobody answers
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(EngineUnavailable, match="package index") as refusal:
        BASIC_PITCH.install()
    assert "network" in refusal.value.hint
    assert contents(data) == []


def test_without_pip_the_error_names_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    monkeypatch.setattr(sys, "executable", str(bare / "bin" / "python"))
    with pytest.raises(EngineUnavailable, match="no pip") as refusal:
        BASIC_PITCH.install()
    assert "ensurepip" in refusal.value.hint


def test_an_unwritable_data_folder_is_an_error_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SCOREBRIDGE_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(EngineUnavailable, match="could not be written"):
        BASIC_PITCH.install()


def test_cancelling_an_installation_ends_pip_and_leaves_nothing(data: Path) -> None:
    def stop(stage: str, current: float, total: float) -> None:
        if (data / "soundfont").exists() or any(data.glob(".soundfont-*/pip")):
            raise Cancelled

    with pytest.raises(Cancelled):
        SOUNDFONT.install(stop)
    assert contents(data) == []


def test_an_own_environment_holds_the_package_and_none_of_what_surrounds_us(data: Path) -> None:
    small = OwnEnvironment(
        name="small",
        summary="",
        licence="",
        size_mb=1,
        wheel=BASIC_PITCH.wheel,
        requirements=("typing-extensions",),
        modules=("typing_extensions",),
    )
    small.install()
    assert small.installed()
    listing = subprocess.run(
        [
            str(small.python),
            "-c",
            "import sys, importlib.util as u; print(u.find_spec('basic_pitch') is not None, u.find_spec('numpy'))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listing.stdout.split() == ["True", "None"]


def test_an_environment_whose_package_cannot_be_imported_is_refused(data: Path) -> None:
    broken = OwnEnvironment("broken", "", "", 1, BASIC_PITCH.wheel, ("typing-extensions",), ("no_such_module",))
    with pytest.raises(EngineUnavailable, match="no_such_module"):
        broken.install()
    assert contents(data) == []
