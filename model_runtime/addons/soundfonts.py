"""Finding a SoundFont: the one that was asked for, else the best of those that the system or an add-on brought."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from model_runtime.addons.folder import data_folder
from model_runtime.errors import EngineUnavailable, UnreadableFile

SOUNDFONT_VARIABLE = "SCOREBRIDGE_SOUNDFONT"
ADDON_SOUNDFONT = "TimGM6mb.sf2"

_PREFERRED = ("FluidR3_GM", "MuseScore_General", "MS Basic", "GeneralUser", "default-GM", "TimGM6mb")

_SYSTEM_FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
    "~/.local/share/soundfonts",
    "~/Library/Audio/Sounds/Banks",
    "/Library/Audio/Sounds/Banks",
    "/Applications/MuseScore 4.app/Contents/Resources/sound",
    "/Applications/MuseScore 3.app/Contents/Resources/sound",
    "%ProgramFiles%/MuseScore 4/sound",
    "%ProgramFiles%/MuseScore 3/sound",
    "C:/soundfonts",
)


def find_soundfont(option: str | None = None, formats: tuple[str, ...] = (".sf2", ".sf3")) -> Path:
    """The SoundFont to play with.

    Args:
        option: Path that the user named; None looks at the variable SCOREBRIDGE_SOUNDFONT, then in the system's
            folders, then among the add-ons.
        formats: Endings that the caller can load; they bind only what is searched, not what was named.

    Raises:
        EngineUnavailable: there is none.
        UnreadableFile: the named one is missing or is no SoundFont.
    """
    named = option or os.environ.get(SOUNDFONT_VARIABLE)
    if named:
        return _checked(Path(named).expanduser().absolute())
    found = [path for path in _candidates() if path.suffix.lower() in formats and _is_soundfont(path)]
    if not found:
        raise EngineUnavailable(
            "There is no SoundFont to play with.",
            hint="Run `scorebridge models add soundfont`, or install your system's fluid-soundfont-gm package.",
        )
    return min(found, key=_rank)


def _candidates() -> Iterator[Path]:
    for name in _SYSTEM_FOLDERS:
        folder = Path(os.path.expandvars(name)).expanduser()
        if folder.is_dir():
            yield from sorted(folder.iterdir())
    yield data_folder() / "soundfont" / ADDON_SOUNDFONT


def _rank(path: Path) -> tuple[int, bool]:
    order = [i for i, start in enumerate(_PREFERRED) if path.name.startswith(start)]
    return (order[0] if order else len(_PREFERRED), path.suffix.lower() != ".sf2")


def _checked(path: Path) -> Path:
    if not path.is_file():
        raise UnreadableFile(f"There is no SoundFont at {path}.", hint="Name a .sf2 or .sf3 file.")
    if not _is_soundfont(path):
        raise UnreadableFile(f"{path.name} is not a SoundFont.", hint="Name a .sf2 or .sf3 file.")
    return path


def _is_soundfont(path: Path) -> bool:
    """Whether it begins as the SoundFont 2 specification says: a RIFF file of form "sfbk"."""
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start[:4] == b"RIFF" and start[8:] == b"sfbk"
