"""What a C++ library writes to the process's standard error, caught instead of shown."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def caught_stderr(lines: list[str]) -> Iterator[None]:
    """Add to `lines` what is written to file descriptor 2 inside the block, by whatever language."""
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        try:
            kept = os.dup(2)
        except OSError:  # a process without standard error: nothing can be written there
            yield
            return
        try:
            os.dup2(caught.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            lines += caught.read().decode("utf-8", "replace").splitlines()
