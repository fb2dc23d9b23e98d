"""Where REAPER keeps its scripts, and its list of actions.

REAPER's resource folder is the user's, or, of a portable install, the folder of the program itself. Actions are listed
in `reaper-kb.ini` there: REAPER reads it when it starts and writes it when it ends, so it is changed only while REAPER
does not run.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from model_runtime.errors import MusicError

ACTION_LIST = "reaper-kb.ini"
MAIN_SECTION = 0
SCRIPT_FLAGS = 4
NAME_START = "RSscorebridge_"


def action_names(scripts: Path) -> dict[str, str]:
    """File of each action → the name by which REAPER knows it once it is listed, without the leading underscore."""
    return {
        path.name: NAME_START + re.sub(r"[^a-z0-9]+", "_", path.stem.removeprefix("ScoreBridge_").lower())
        for path in sorted(scripts.glob("ScoreBridge_*.lua"))
    }


def resource_folders() -> Iterator[Path]:
    """Resource folders of the REAPERs that were run on this machine, portable installs in usual places too."""
    home = Path.home()
    users = (
        home / ".config" / "REAPER",
        home / ".var" / "app" / "fm.reaper.Reaper" / "config" / "REAPER",
        home / "Library" / "Application Support" / "REAPER",
        Path(os.environ.get("APPDATA", home / "AppData" / "Roaming")) / "REAPER",
    )
    yield from (folder for folder in dict.fromkeys(users) if folder.is_dir())
    programs = [home / "REAPER", home / "opt" / "REAPER", home / "Applications" / "REAPER", Path("/opt/REAPER")]
    if sys.platform == "win32":
        programs += [Path(os.environ.get("SYSTEMDRIVE", "C:") + "\\") / "REAPER"]
    yield from (folder for folder in programs if (folder / "reaper.ini").is_file())


def scripts_folder(named: Path) -> Path:
    """The scripts folder that a user means: of a resource folder (it holds `reaper.ini`) its own, else the folder."""
    return named / "Scripts" if (named / "reaper.ini").is_file() else named


def next_step(registered: bool) -> str:
    """What the user does after the scripts were copied."""
    if registered:
        return "Start REAPER and search its action list for “ScoreBridge”."
    return (
        "In REAPER: Actions → Show action list → New action → Load ReaScript…, choose the files that begin with "
        "“ScoreBridge_” in that folder. Or close REAPER and let this command list them: "
        "scorebridge plugins install reaper --register"
    )


def register(scripts: Path) -> int:
    """List the actions of `scripts` (…/Scripts/ScoreBridge) in REAPER's action list; returns how many were new.

    Raises:
        MusicError: REAPER runs, the folder is not in a resource folder, or the list cannot be written.
    """
    return _rewrite(scripts, add=True)


def unregister(scripts: Path) -> int:
    """Take the actions of `scripts` out of REAPER's action list again; returns how many there were.

    Raises:
        MusicError: as `register`.
    """
    return _rewrite(scripts, add=False)


def action_lines(scripts: Path) -> list[str]:
    """The lines of `reaper-kb.ini` for the actions in `scripts`: flags, section, name, description, path in Scripts."""
    return [
        f'SCR {SCRIPT_FLAGS} {MAIN_SECTION} {name} "Script: {file}" "{scripts.name}/{file}"'
        for file, name in action_names(scripts).items()
    ]


def _rewrite(scripts: Path, *, add: bool) -> int:
    path = scripts.parent.parent / ACTION_LIST
    if scripts.parent.name != "Scripts":
        raise MusicError(
            f"{scripts} is not in REAPER's Scripts folder.",
            hint="Name REAPER's resource folder: Options → Show REAPER resource path.",
            code="not_in_reaper",
        )
    if not add and NAME_START.encode() not in (path.read_bytes() if path.is_file() else b""):
        return 0
    if _reaper_runs():
        raise MusicError(
            "REAPER is running, and would write over its action list when it ends.",
            hint="Close REAPER, then run this again.",
            code="host_running",
        )
    try:
        # Bytes that are no UTF-8 stay as they are; so do the line ends.
        before = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
        newline = "\r\n" if "\r\n" in before or (not before and os.name == "nt") else "\n"
        ours = f"SCR {SCRIPT_FLAGS} {MAIN_SECTION} {NAME_START}"
        kept = [line for line in before.splitlines() if not line.startswith(ours)]
        had = len(before.splitlines()) - len(kept)
        lines = kept + (action_lines(scripts) if add else [])
        if lines != before.splitlines():
            _replace(path, "".join(line + newline for line in lines).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise MusicError(
            f"{path} could not be changed: {error.strerror}.", hint="See that it can be written.", code="not_writable"
        ) from None
    return len(lines) - len(kept) - had if add else had


def _replace(path: Path, content: bytes) -> None:
    if path.exists():
        path.with_name(path.name + ".before-scorebridge").write_bytes(path.read_bytes())
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(path)


def _reaper_runs() -> bool:
    import psutil

    names = {"reaper", "reaper.exe"}
    return any((process.info["name"] or "").lower() in names for process in psutil.process_iter(["name"]))
