"""Which files may be read, and how large things may be.

A path is opened only after `realpath`: what counts is where a file really lies. Only regular files under an allowed
root are read; links that lead out, devices, pipes and the system's own folders are refused.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SYSTEM_FOLDERS = tuple(Path(name) for name in ("/proc", "/sys", "/dev"))
"""Never read from, even where the whole disk is allowed."""


class Refused(Exception):
    """A request that is not allowed.

    Args:
        code: Stable identifier for programs.
        message: One sentence for the musician.
        hint: What to do about it.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class CheckedFile:
    """A file that may be read.

    Attributes:
        path: Its real path, without links.
        size: In bytes.
        identity: Device and inode: whether it is still the same file later on.
    """

    path: Path
    size: int
    identity: tuple[int, int]


class Gate:
    """Checks the files that clients name.

    Args:
        roots: Real paths of the folders that may be read from.
        max_bytes: Largest file.
    """

    def __init__(self, roots: Sequence[Path], max_bytes: int) -> None:
        self.roots = tuple(roots)
        self.max_bytes = max_bytes

    def check(self, name: str) -> CheckedFile:
        """See whether the file may be read.

        Raises:
            Refused: its code is "invalid_path", "not_found", "not_allowed", "not_a_file", "unreadable_file" or
                "too_large".
        """
        if not name or "\0" in name or not Path(name).is_absolute():
            raise Refused("invalid_path", f"{_shown(name)} is not an absolute path.", "Send the file's whole path.")
        try:
            path = Path(os.path.realpath(name, strict=True))
        except OSError as error:
            raise _from_os_error(error, name) from None
        if not self.allows(path):
            raise Refused(
                "not_allowed",
                f"The folder {path.parent} is not one that ScoreBridge may read from.",
                "Add it to `roots` in ScoreBridge's config.toml or to SCOREBRIDGE_ROOTS, and start ScoreBridge again.",
            )
        return self._opened(path)

    def allows(self, real_path: Path) -> bool:
        """Whether a path without links lies under an allowed root."""
        if any(real_path.is_relative_to(folder) for folder in SYSTEM_FOLDERS):
            return False
        return any(real_path.is_relative_to(root) for root in self.roots)

    def _opened(self, path: Path) -> CheckedFile:
        # O_NOFOLLOW: the last part may have become a link since realpath. O_NONBLOCK: a pipe would wait for a writer.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            # Looked at before it is opened, too: opening some devices has effects.
            if not stat.S_ISREG(path.lstat().st_mode):
                raise Refused("not_a_file", f"{path} is not an ordinary file.")
            descriptor = os.open(path, flags)
        except OSError as error:
            raise _from_os_error(error, str(path)) from None
        try:
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Refused("not_a_file", f"{path} is not an ordinary file.")
        if found.st_size > self.max_bytes:
            raise Refused(
                "too_large",
                f"{path.name} has {found.st_size / 1e6:.0f} MB, and at most {self.max_bytes / 1e6:.0f} MB are read.",
                "Send a part of it, or raise `max_file_bytes` in ScoreBridge's config.toml.",
            )
        return CheckedFile(path, found.st_size, (found.st_dev, found.st_ino))


def _from_os_error(error: OSError, name: str) -> Refused:
    shown = _shown(name)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Refused("not_found", f"There is no file {shown}.", "Has it been moved, or not been saved yet?")
    if error.errno == errno.ELOOP:
        return Refused("not_allowed", f"{shown} is a link that leads nowhere allowed.")
    if error.errno == errno.ENAMETOOLONG:
        return Refused("invalid_path", f"The path {shown} is too long.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Refused("not_allowed", f"ScoreBridge has no permission to read {shown}.")
    return Refused("unreadable_file", f"{shown} cannot be opened: {os.strerror(error.errno or errno.EIO)}.")


def _shown(name: str) -> str:
    return repr(name if len(name) <= 200 else name[:199] + "…")
