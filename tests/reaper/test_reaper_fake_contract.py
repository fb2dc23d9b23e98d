"""The contract is what the scripts use, and the scripts use nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from running_reaper import FAKE, SCRIPTS

ROOT = SCRIPTS.parents[1]


def luacheck(*paths: Path) -> subprocess.CompletedProcess[str]:
    """The Lua linter, with the project's configuration."""
    command = ["luacheck", "--no-color", "--codes", "--config", str(ROOT / ".luacheckrc"), *map(str, paths)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def functions(table: str) -> set[str]:
    """Names of a table of the contract."""
    chunk = f"for name in pairs(dofile('{FAKE}/contract.lua').{table}) do print(name) end"
    return set(subprocess.run(["lua5.4", "-e", chunk], capture_output=True, text=True, check=True).stdout.split())


def test_luacheck_finds_nothing_in_the_scripts_and_in_the_stand_in() -> None:
    done = luacheck(SCRIPTS.relative_to(ROOT), FAKE.relative_to(ROOT))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mistake", ["reaper.GetSetMediaTrackInfo(1)", "gfx.blit(1)", "x = 1", "local y", "gfx.w = 1"])
def test_luacheck_notices_what_reaper_does_not_have(mistake: str) -> None:
    path = SCRIPTS / "lib" / "files.lua"
    command = ["luacheck", "--no-color", "--config", str(ROOT / ".luacheckrc"), "--filename", str(path), "-"]
    done = subprocess.run(command, cwd=ROOT, input=mistake + "\n", capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stdout


@pytest.mark.parametrize("lua", ["luac5.4", "luac5.3"])
def test_every_script_is_understood_by_both_versions_of_lua(lua: str) -> None:
    for path in SCRIPTS.rglob("*.lua"):
        subprocess.run([lua, "-p", str(path)], check=True)


@pytest.mark.parametrize("table", ["reaper", "gfx"])
def test_the_contract_has_no_function_that_the_scripts_do_not_use(table: str) -> None:
    text = "\n".join(path.read_text() for path in SCRIPTS.rglob("*.lua"))
    used = set(re.findall(rf"\b{table}\.(\w+)", text))
    assert functions(table) - used == set()
