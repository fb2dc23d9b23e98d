"""Where the MuseScore versions of this machine look for plugins: Linux, macOS, Windows, Flatpak, snap and AppImage.

A version is present when it has been started once: it then has a settings file, or a folder among the user's documents.
The folder in its settings wins over the usual one.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

VERSIONS = ("MuseScore3", "MuseScore3Development", "MuseScore4", "MuseScore4Development")
FLATPAK = "org.musescore.MuseScore"
APPIMAGE_FOLDERS = ("", "Applications", "Apps", "AppImages", "Downloads", "Desktop", "bin", ".local/bin")


@dataclass(frozen=True)
class MuseScorePlace:
    """A plugin folder.

    Attributes:
        folder: Where plugins lie, each in a folder of its own; it may not exist yet.
        version: "MuseScore3", "MuseScore4", …
        packaging: "Flatpak", "snap", "AppImage", or "" where it is installed as other programs are.
    """

    folder: Path
    version: str
    packaging: str = ""

    @property
    def title(self) -> str:
        """As people call it: "MuseScore 4 (Flatpak)"."""
        name = f"MuseScore {self.version.removeprefix('MuseScore').replace('Development', ' (development)')}"
        return f"{name} ({self.packaging})" if self.packaging else name

    @property
    def next_step(self) -> str:
        """How the user switches the plugin on."""
        if self.version.startswith("MuseScore3"):
            return f"In {self.title}: Plugins → Plugin Manager…, tick ScoreBridge, OK. It is then in the Plugins menu."
        step = f"In {self.title}: Home → Plugins → ScoreBridge → Enable. It is then in the Plugins menu."
        if self.packaging in ("Flatpak", "snap"):
            step += " It cannot start the daemon from in there: run scorebridge serve --detach."
        return step


def musescore_places() -> Iterator[MuseScorePlace]:
    """The plugin folder of every version that was started on this machine, each folder once."""
    seen: set[Path] = set()
    for house in _houses():
        for version in VERSIONS:
            folder = _plugin_folder(house, version)
            if folder is not None and folder not in seen:
                seen.add(folder)
                yield MuseScorePlace(folder, version, house.packaging)


@dataclass(frozen=True)
class _House:
    """Where one kind of installation keeps its settings and its documents; the first documents are its own."""

    settings: Path
    documents: tuple[Path, ...]
    packaging: str = ""


def _houses() -> Iterator[_House]:
    home = Path.home()
    documents = tuple(dict.fromkeys((platformdirs.user_documents_path(), home / "Documents")))
    yield _House(_settings_folder(home), documents)
    if sys.platform != "linux":
        return
    sandbox = home / ".var" / "app" / FLATPAK
    yield _House(sandbox / "config" / "MuseScore", (sandbox / "Documents", *documents), "Flatpak")
    snap = home / "snap" / "musescore" / "current"
    yield _House(snap / ".config" / "MuseScore", (snap / "Documents",), "snap")
    for folder in APPIMAGE_FOLDERS:
        for portable in sorted((home / folder).glob("[Mm]u[Ss][Ee]*.AppImage.home")):
            yield _House(portable / ".config" / "MuseScore", (portable / "Documents",), "AppImage")


def _settings_folder(home: Path) -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", home / "AppData" / "Roaming")) / "MuseScore"
    if sys.platform == "darwin":
        return home / ".config" / "MuseScore"
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "MuseScore"


def _plugin_folder(house: _House, version: str) -> Path | None:
    settings = house.settings / f"{version}.ini"
    named = _named_in(settings)
    if named is not None:
        return named
    present = [documents for documents in house.documents if (documents / version).is_dir()]
    if house.packaging and not settings.is_file():
        present = [documents for documents in present if documents == house.documents[0]]
    if not present and not settings.is_file():
        return None
    return (present or house.documents)[0] / version / "Plugins"


def _named_in(settings: Path) -> Path | None:
    """The plugin folder that the user has chosen in the preferences."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    try:
        parser.read_string(settings.read_text("utf-8", "replace"))
    except (OSError, configparser.Error):
        return None
    value = parser.get("application", r"paths\myplugins", fallback="").strip('"')
    # Qt writes what is not ASCII as \x1234.
    value = re.sub(r"\\x([0-9a-f]{1,4})", lambda code: chr(int(code[1], 16)), value).replace("\\\\", "\\")
    return Path(value) if value and Path(value).is_absolute() else None
