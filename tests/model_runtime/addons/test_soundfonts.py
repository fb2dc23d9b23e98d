"""Which SoundFont is played."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_runtime.addons import addon, find_soundfont, soundfonts
from model_runtime.errors import EngineUnavailable, UnreadableFile

SOUNDFONT_START = b"RIFF\x00\x00\x00\x00sfbk"


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system that has only what a test puts there."""
    monkeypatch.setenv("SCOREBRIDGE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SCOREBRIDGE_SOUNDFONT", raising=False)
    folder = tmp_path / "sounds"
    folder.mkdir()
    monkeypatch.setattr(soundfonts, "_SYSTEM_FOLDERS", (str(folder), str(tmp_path / "missing")))
    return folder


def soundfont(path: Path) -> Path:
    path.write_bytes(SOUNDFONT_START)
    return path


def test_the_named_one_comes_first(system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfont(system / "FluidR3_GM.sf2")
    from_variable = soundfont(tmp_path / "variable.sf2")
    from_option = soundfont(tmp_path / "option 🎹.sf3")
    monkeypatch.setenv("SCOREBRIDGE_SOUNDFONT", str(from_variable))
    assert find_soundfont() == from_variable
    assert find_soundfont(str(from_option)) == from_option


def test_of_the_systems_the_best_known_comes_first(system: Path) -> None:
    soundfont(system / "zither.sf2")
    soundfont(system / "default-GM.sf2")
    assert find_soundfont().name == "default-GM.sf2"
    soundfont(system / "MuseScore_General.sf3")
    assert find_soundfont().name == "MuseScore_General.sf3"
    soundfont(system / "FluidR3_GM.sf2")
    assert find_soundfont().name == "FluidR3_GM.sf2"


def test_only_formats_that_the_caller_loads_are_searched(system: Path) -> None:
    soundfont(system / "FluidR3_GM.sf3")
    soundfont(system / "TimGM6mb.sf2")
    assert find_soundfont(formats=(".sf2",)).name == "TimGM6mb.sf2"


def test_a_file_that_is_no_soundfont_is_passed_over_when_found_and_refused_when_named(system: Path) -> None:
    fake = system / "FluidR3_GM.sf2"
    fake.write_text("not a SoundFont")
    soundfont(system / "other.sf2")
    assert find_soundfont().name == "other.sf2"
    with pytest.raises(UnreadableFile, match="is not a SoundFont"):
        find_soundfont(str(fake))


def test_a_named_one_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"gone\.sf2"):
        find_soundfont(str(tmp_path / "gone.sf2"))


def test_where_there_is_none_the_error_says_how_to_get_one_and_that_helps() -> None:
    with pytest.raises(EngineUnavailable) as refusal:
        find_soundfont()
    assert "scorebridge models add soundfont" in refusal.value.hint
    addon("soundfont").install()
    found = find_soundfont()
    assert found.name == "TimGM6mb.sf2"
    assert found.stat().st_size > 5_000_000
