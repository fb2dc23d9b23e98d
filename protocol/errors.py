"""What a client can run into, as exceptions that carry a stable code, one sentence and a hint."""

from __future__ import annotations


class ProtocolError(Exception):
    """Base of everything that `protocol` raises.

    Args:
        message: One sentence.
        hint: What to do about it, or an empty string.
        code: Stable identifier for programs; defaults to the class's.
    """

    code = "protocol"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class DaemonError(ProtocolError):
    """The daemon answered a request with `error` or `rejected`, or a job ended with `failed`."""

    code = "error"


class JobCancelled(DaemonError):
    """The job was cancelled before it was done."""

    code = "cancelled"


class DaemonTimeout(ProtocolError):
    """The daemon is there but did not answer in time."""

    code = "timeout"


class DaemonNotRunning(ProtocolError):
    """No daemon of this user answers."""

    code = "not_running"

    def __init__(self, message: str = "The ScoreBridge daemon is not running.", *, hint: str = "") -> None:
        super().__init__(message, hint=hint or "Start it with: scorebridge serve")
