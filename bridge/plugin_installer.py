"""Copies a host's plugin into the host's folders and writes there where the ScoreBridge client is.

What is copied is whatever lies in `plugins/<host>`; every folder that we make carries a marker file, and only folders
with that marker are ever replaced or removed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from model_runtime.errors import InvalidValue, MusicError

FOLDER_NAME = "ScoreBridge"
MARKER = "scorebridge.json"  # where the client is; also marks the folder as ours
HOSTS = ("musescore", "reaper")
NEXT_STEP = {
    "musescore": "In MuseScore: Plugins → Plugin Manager (4.x: Home → Plugins), switch ScoreBridge on.",
    "reaper": "In REAPER: Actions → Show action list → New action → Load ReaScript, choose the scripts in that folder.",
}


@dataclass(frozen=True)
class Report:
    """What `install` did."""

    folders: tuple[Path, ...]
    files: int
    next_step: str


def install(host: str, folder: str | None = None) -> Report:
    """Copy the plugin of `host` into `folder`, or into every place where the host is found.

    Raises:
        InvalidValue: the host is not known.
        MusicError: the host is not found, its folder holds something that is not ours, or cannot be written.
    """
    source = plugin_source(host)
    targets = [Path(folder).expanduser()] if folder else list(host_folders(host))
    if not targets:
        raise MusicError(
            f"No {_title(host)} was found on this machine.",
            hint=f"Start {_title(host)} once, or name its plugin folder with --folder.",
            code="host_not_found",
        )
    installed = []
    copied = 0
    for target in targets:
        destination = target / FOLDER_NAME
        copied = _copy(source, destination)
        installed.append(destination)
    return Report(tuple(installed), copied, NEXT_STEP[host])


def uninstall(host: str, folder: str | None = None) -> list[Path]:
    """Remove the plugin of `host` from `folder`, or from every place where the host is found."""
    plugin_source(host)
    targets = [Path(folder).expanduser()] if folder else list(host_folders(host))
    removed = []
    for target in targets:
        destination = target / FOLDER_NAME
        if (destination / MARKER).is_file():
            shutil.rmtree(destination)
            removed.append(destination)
    return removed


def installed_in(host: str) -> list[Path]:
    """The folders in which the plugin of `host` lies now."""
    return [f / FOLDER_NAME for f in host_folders(host) if (f / FOLDER_NAME / MARKER).is_file()]


def plugin_source(host: str) -> Path:
    """The folder of the plugin within the package.

    Raises:
        InvalidValue: the host is not known.
    """
    if host not in HOSTS:
        raise InvalidValue(f"There is no plugin for {host!r}.", hint=f"There are plugins for: {', '.join(HOSTS)}.")
    return Path(str(package_files("plugins"))) / host


def host_folders(host: str) -> Iterator[Path]:
    """Plugin folders of the versions of `host` that were run on this machine: Linux, macOS and Windows."""
    home = Path.home()
    documents = [
        home / "Documents",
        *([Path(os.environ["XDG_DOCUMENTS_DIR"])] if "XDG_DOCUMENTS_DIR" in os.environ else []),
    ]
    if host == "musescore":
        for base in documents:
            for version in ("MuseScore3", "MuseScore4"):
                if (base / version).is_dir():
                    yield base / version / "Plugins"
    else:
        for place in (
            home / ".config" / "REAPER",
            home / "Library" / "Application Support" / "REAPER",
            Path(os.environ.get("APPDATA", home / "AppData" / "Roaming")) / "REAPER",
        ):
            if place.is_dir():
                yield place / "Scripts"


def _copy(source: Path, destination: Path) -> int:
    if destination.exists() and not (destination / MARKER).is_file():
        raise MusicError(
            f"{destination} is there already and was not made by ScoreBridge.",
            hint="Move it away and install again.",
            code="not_ours",
        )
    staging = destination.with_name(destination.name + ".new")
    try:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.copytree(source, staging, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        (staging / MARKER).write_text(json.dumps(_client(), indent=2), "utf-8")
        if destination.exists():
            shutil.rmtree(destination)
        staging.rename(destination)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise MusicError(
            f"The plugin could not be copied to {destination}: {error.strerror}.",
            hint="See that the folder can be written, or name another with --folder.",
            code="not_writable",
        ) from None
    return sum(1 for path in destination.rglob("*") if path.is_file() and path.name != MARKER)


def _client() -> dict[str, str]:
    """Where the command-line client is: plugins start it, or the daemon, from here."""
    command = Path(sys.executable).with_name("scorebridge.exe" if os.name == "nt" else "scorebridge")
    return {"client": str(command), "python": sys.executable}


def _title(host: str) -> str:
    return {"musescore": "MuseScore", "reaper": "REAPER"}[host]
