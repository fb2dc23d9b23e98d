"""Writing a file so that it is either whole or not there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_runtime.errors import MusicError, UnreadableFile


class UnwritableFile(MusicError):
    """The file cannot be written: no room, no right, no such folder."""

    code = "unwritable_file"


@contextmanager
def stored(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes the name `path` when the block ends well.

    When the block raises, nothing is left behind and a file that had that name before stays as it was.

    Raises:
        UnwritableFile: the disk is full, the folder is missing or may not be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=".scorebridge-", suffix=".part", dir=path.parent)
        os.close(descriptor)
    except OSError as error:
        raise _unwritable(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def store(path: Path, content: bytes) -> None:
    """Write `content` whole or not at all; see `stored`."""
    with stored(path) as temporary:
        temporary.write_bytes(content)


def content_of(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        UnreadableFile: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> UnreadableFile:
    """The refusal of a file that the system does not hand out."""
    if isinstance(error, FileNotFoundError):
        return UnreadableFile(f"There is no file called {path.name}.", hint="Check the path.")
    if isinstance(error, IsADirectoryError):
        return UnreadableFile(f"{path.name} is a folder, not a file.")
    if isinstance(error, PermissionError):
        return UnreadableFile(f"{path.name} may not be read.", hint="Check the file's permissions.")
    return UnreadableFile(f"{path.name} cannot be read ({error.strerror or 'input/output error'}).")


def _unwritable(path: Path, error: OSError) -> UnwritableFile:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return UnwritableFile(f"The disk is full, so {path.name} was not written.", hint="Make room and try again.")
    if isinstance(error, FileNotFoundError):
        return UnwritableFile(
            f"The folder for {path.name} does not exist.", hint=f"Make the folder {path.parent} first."
        )
    if isinstance(error, (PermissionError, IsADirectoryError)):
        return UnwritableFile(f"{path.name} may not be written there.", hint="Choose another folder or name.")
    return UnwritableFile(f"{path.name} could not be written ({error.strerror or 'input/output error'}).")


def _umask() -> int:
    """What a new file's mode leaves out; Linux tells it without changing it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0o077
    mask = next((line.split()[1] for line in status.splitlines() if line.startswith("Umask:")), "077")
    return int(mask, 8)
