"""Installing the scripts into REAPER: portable installs, the action list, ReaPack's index."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
from lxml import etree

from bridge.plugin_installer import install, installed_in, uninstall
from bridge.reaper_places import action_names, register, unregister
from model_runtime.errors import MusicError

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "plugins" / "reaper"
ACTIONS = action_names(SCRIPTS)
KEPT = 'KEY 1 65 40001 0\nSCR 4 0 RS0123 "Custom: Größe.lua" "mine/Größe.lua"\n'


@pytest.fixture
def resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A portable REAPER in the user's home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("APPDATA", raising=False)
    folder = tmp_path / "REAPER"
    folder.mkdir()
    (folder / "reaper.ini").write_text("[REAPER]\n")
    return folder


@pytest.mark.parametrize("named", [True, False])
def test_a_portable_install_gets_the_scripts_in_its_own_folder(resources: Path, named: bool) -> None:
    report = install("reaper", str(resources) if named else None)
    assert report.folders == (resources / "Scripts" / "ScoreBridge",)
    assert "Load ReaScript" in report.next_step
    assert installed_in("reaper") == [resources / "Scripts" / "ScoreBridge"]
    assert len(uninstall("reaper", str(resources))) == 1


def test_actions_are_listed_once_and_taken_out_again_and_all_else_stays(resources: Path) -> None:
    (scripts,) = install("reaper").folders
    actions = resources / "reaper-kb.ini"
    actions.write_text(KEPT, "utf-8")
    assert register(scripts) == len(ACTIONS)
    assert register(scripts) == 0
    text = actions.read_text("utf-8")
    assert text.startswith(KEPT)
    assert text.count("SCR 4 0 RSscorebridge_") == len(ACTIONS)
    line = 'SCR 4 0 RSscorebridge_doctor "Script: ScoreBridge_Doctor.lua" "ScoreBridge/ScoreBridge_Doctor.lua"'
    assert line in text.splitlines()
    assert unregister(scripts) == len(ACTIONS)
    assert actions.read_text("utf-8") == KEPT


def test_a_list_with_other_bytes_and_line_ends_keeps_them(resources: Path) -> None:
    (scripts,) = install("reaper").folders
    actions = resources / "reaper-kb.ini"
    actions.write_bytes(b'SCR 4 0 RS01 "Custom: Gr\xf6\xdfe.lua" "x.lua"\r\n')
    register(scripts)
    content = actions.read_bytes()
    assert content.startswith(b'SCR 4 0 RS01 "Custom: Gr\xf6\xdfe.lua" "x.lua"\r\nSCR 4 0 RSscorebridge_')
    assert content.count(b"\n") == content.count(b"\r\n") == 1 + len(ACTIONS)


def test_the_list_is_left_alone_while_reaper_runs(resources: Path, tmp_path: Path) -> None:
    (scripts,) = install("reaper").folders
    program = tmp_path / "reaper"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    running = subprocess.Popen([str(program), "60"])
    try:
        with pytest.raises(MusicError, match="REAPER is running"):
            register(scripts)
    finally:
        running.kill()
        running.wait()
    assert not (resources / "reaper-kb.ini").exists()


def test_reapacks_index_lists_every_script_and_its_actions(tmp_path: Path) -> None:
    index = etree.parse(SCRIPTS / "index.xml")
    (release,) = index.iter("version")
    sources = {source.get("file"): source for source in release.iter("source")}
    present = {path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*.lua")}
    assert set(sources) == present, "run: python scripts/make_reapack_index.py"
    assert {name for name, source in sources.items() if source.get("main")} == set(ACTIONS)
    for name, source in sources.items():
        assert source.text.startswith("https://")
        assert unquote(source.text).endswith("/" + name)


@pytest.mark.parametrize("compiler", ["luac5.3", "luac5.4"])
def test_every_script_compiles(compiler: str) -> None:
    for path in SCRIPTS.rglob("*.lua"):
        subprocess.run([compiler, "-p", str(path)], check=True)
