"""What can go wrong with music, said in one sentence for the musician.

Every error that leaves `model_runtime` for a user is a `MusicError`: a stable code for programs, one sentence for
people and, where there is one, a hint for the mend. Anything else that escapes is a bug.
"""

from __future__ import annotations


class MusicError(Exception):
    """An expected failure.

    Args:
        message: One sentence for the musician, without a trailing hint.
        hint: What to do about it, or an empty string.
        code: Stable identifier for programs; defaults to the class's.
    """

    code = "failed"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UnreadableFile(MusicError):
    """The file is empty, truncated, encrypted, hostile, or not of the kind its name says."""

    code = "unreadable_file"


class UnsupportedFormat(MusicError):
    """The format is not known, or not known in this direction."""

    code = "unsupported_format"


class TooLarge(MusicError):
    """The input passes a limit: pages, pixels, notes, seconds or bytes."""

    code = "too_large"


class InvalidValue(MusicError):
    """A value or option is out of its range (NaN samples, 0 Hz, a negative length)."""

    code = "invalid_value"


class EngineUnavailable(MusicError):
    """The engine exists but cannot run here: a network, library or SoundFont is missing."""

    code = "engine_unavailable"


class NoRoute(MusicError):
    """No engine or chain of engines leads from the source modality to the target."""

    code = "no_route"


class NothingFound(MusicError):
    """The source could be read but holds no music that the engine can find."""

    code = "nothing_found"


class Cancelled(MusicError):
    """The caller asked to stop; raised out of a progress callback."""

    code = "cancelled"

    def __init__(self, message: str = "The translation was cancelled.", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
