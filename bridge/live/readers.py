"""What hears the notes of a session: a setting names it, because readers differ in speed and in what they know."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from model_runtime.errors import MusicError

if TYPE_CHECKING:
    from model_runtime.listening import Listener

READERS = {"unified": "model_runtime.unified.audio_reader:listener"}
"""Name → module and function that opens it."""


class ReaderUnavailable(MusicError):
    """There is no such reader, or what it needs is missing."""

    code = "reader_unavailable"


def opener(name: str) -> Callable[[], Listener]:
    """What opens the reader of a name, or of `MODULE:FUNCTION`.

    Raises:
        ReaderUnavailable: with a sentence.
    """
    module_name, _, function = READERS.get(name, name).partition(":")
    try:
        found = getattr(import_module(module_name), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ReaderUnavailable(
            f"There is no live reader called {name!r}.",
            hint=f"`live_reader` in config.toml may be {', '.join(READERS)}.",
        ) from error
    opened: Callable[[], Listener] = found
    return opened
