"""Copies a host's plugin into the host's folders, checks the copy, and writes there where the ScoreBridge client is.

What is copied is whatever lies in `plugins/<host>`; every folder that we make carries a marker file, and only folders
with that marker are ever replaced or removed.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from model_runtime.errors import InvalidValue, MusicError

FOLDER_NAME = "ScoreBridge"
MARKER = "scorebridge.json"  # where the client is; also marks the folder as ours
STARTER = "start-daemon.cmd" if os.name == "nt" else "start-daemon.sh"
HOSTS = ("musescore", "reaper")
MUSESCORE_NEXT_STEP = "In MuseScore: Plugins → Plugin Manager (4.x: Home → Plugins), switch ScoreBridge on."


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
        MusicError: the host is not found, its folder holds something that is not ours, cannot be written, or what was
            written is not what was copied.
    """
    source = plugin_source(host)
    targets = [_named(host, folder)] if folder else list(host_folders(host))
    if not targets:
        raise MusicError(
            f"No {_title(host)} was found on this machine.",
            hint=f"Start {_title(host)} once, or name its plugin folder with --folder.",
            code="host_not_found",
        )
    installed = []
    for target in targets:
        destination = target / FOLDER_NAME
        _copy(host, source, destination)
        if differences(host, destination):
            raise MusicError(
                f"The plugin in {destination} is not what was copied there.",
                hint="See that the disk has room and that nothing else writes there, and install again.",
                code="not_writable",
            )
        installed.append(destination)
    return Report(tuple(installed), len(_contents(source)), _next_step(host, folder))


def uninstall(host: str, folder: str | None = None) -> list[Path]:
    """Remove the plugin of `host` from `folder`, or from every place where the host is found.

    Raises:
        InvalidValue: the host is not known.
        MusicError: it cannot be removed.
    """
    plugin_source(host)
    targets = [_named(host, folder)] if folder else list(host_folders(host))
    removed = []
    for target in targets:
        destination = target / FOLDER_NAME
        if (destination / MARKER).is_file():
            try:
                shutil.rmtree(destination)
            except OSError as error:
                raise MusicError(
                    f"The plugin in {destination} could not be removed: {error.strerror}.",
                    hint=f"Close {_title(host)}, or remove the folder by hand.",
                    code="not_writable",
                ) from None
            removed.append(destination)
    return removed


def installed_in(host: str) -> list[Path]:
    """The folders in which the plugin of `host` lies now."""
    return [f / FOLDER_NAME for f in host_folders(host) if (f / FOLDER_NAME / MARKER).is_file()]


def differences(host: str, destination: Path) -> list[str]:
    """What an installed plugin has otherwise than this version would install it: names of files, "client" among them
    where the plugin would start a client that is not there."""
    expected, present = _contents(plugin_source(host)), _contents(destination)
    for name in (MARKER, STARTER):
        present.pop(name, None)
    different = [name for name in sorted(expected.keys() | present.keys()) if expected.get(name) != present.get(name)]
    try:
        client = json.loads((destination / MARKER).read_text("utf-8")).get("client", "")
    except (OSError, ValueError, AttributeError):
        client = ""
    return different if client and Path(client).exists() else [*different, "client"]


def plugin_source(host: str) -> Path:
    """The folder of the plugin within the package.

    Raises:
        InvalidValue: the host is not known.
    """
    if host not in HOSTS:
        raise InvalidValue(f"There is no plugin for {host!r}.", hint=f"There are plugins for: {', '.join(HOSTS)}.")
    return Path(str(package_files("plugins"))) / host


def host_folders(host: str) -> Iterator[Path]:
    """Plugin folders of the versions of `host` that were run on this machine."""
    if host == "musescore":
        from bridge.musescore_places import musescore_places

        yield from (place.folder for place in musescore_places())
        return
    from bridge.reaper_places import resource_folders

    yield from (folder / "Scripts" for folder in resource_folders())


def _named(host: str, folder: str) -> Path:
    named = Path(folder).expanduser()
    if host == "reaper":
        from bridge.reaper_places import scripts_folder

        return scripts_folder(named)
    return named


def _next_step(host: str, folder: str | None) -> str:
    if host == "musescore" and folder is None:
        from bridge.musescore_places import musescore_places

        return "\n".join(place.next_step for place in musescore_places())
    if host == "reaper":
        from bridge.reaper_places import next_step

        return next_step(registered=False)
    return MUSESCORE_NEXT_STEP


def _contents(folder: Path) -> dict[str, bytes]:
    """Name within the folder → content of every file that belongs to a plugin."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def _copy(host: str, source: Path, destination: Path) -> None:
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
        (staging / MARKER).write_text(json.dumps(_marker(host, destination), indent=2), "utf-8")
        if host == "musescore":
            _write_starter(staging / STARTER)
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


def _client() -> str:
    return str(Path(sys.executable).with_name("scorebridge.exe" if os.name == "nt" else "scorebridge"))


def _marker(host: str, destination: Path) -> dict[str, str]:
    """Where the command-line client is: plugins start it, or the daemon, from here; and where the daemon says how it
    is reached, which MuseScore's scripts cannot find out (they see no environment variables)."""
    marker = {"client": _client(), "python": sys.executable}
    if host == "musescore":
        from protocol.connection import connection_path

        marker |= {"starter": str(destination / STARTER), "connection": str(connection_path())}
    return marker


def _write_starter(path: Path) -> None:
    """A program without arguments that starts the daemon: MuseScore 4.0 to 4.2 can start no other."""
    if os.name == "nt":
        path.write_text(f'@echo off\r\n"{_client()}" serve --detach\r\n', "utf-8")
    else:
        path.write_text(f"#!/bin/sh\nexec {shlex.quote(_client())} serve --detach\n", "utf-8")
        path.chmod(0o755)


def _title(host: str) -> str:
    return {"musescore": "MuseScore", "reaper": "REAPER"}[host]
