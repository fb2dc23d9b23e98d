"""What ScoreBridge can fetch for a user who wants it: networks, engines and sounds that it does not ship itself.

An add-on comes out of a Python package of known name, version and digest, and lives in the user's data folder.
"""

from __future__ import annotations

from functools import cache

from model_runtime.addons.base import AddOn
from model_runtime.addons.folder import data_folder
from model_runtime.addons.soundfonts import find_soundfont
from model_runtime.errors import InvalidValue

__all__ = ["AddOn", "addon", "addons", "data_folder", "find_soundfont"]


@cache
def addons() -> tuple[AddOn, ...]:
    """All add-ons, installed or not."""
    from model_runtime.addons.known import BASIC_PITCH, SOUNDFONT, TRANSKUN

    return BASIC_PITCH, TRANSKUN, SOUNDFONT


def addon(name: str) -> AddOn:
    """The add-on called `name`.

    Raises:
        InvalidValue: there is none.
    """
    for candidate in addons():
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in addons())
    raise InvalidValue(f"There is no add-on called {name!r}.", hint=f"Known are: {known}.")
