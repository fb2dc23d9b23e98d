"""The command line as a user types it: a process of its own, in folders of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


class Terminal:
    """A user's terminal: commands run in `folder`; what they print is in `output` and `errors`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.environment = {
            **os.environ,
            "SCOREBRIDGE_DATA": str(self.data),
            "SCOREBRIDGE_RUNTIME": str(folder / "run"),
            "SCOREBRIDGE_CONFIG": str(folder / "no-config.toml"),
            "SCOREBRIDGE_ROOTS": str(folder),
            "HOME": str(folder),
            "COLUMNS": "200",
        }

    def type(self, *words: str | Path, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run `scorebridge` with these words."""
        command = [str(Path(sys.executable).with_name("scorebridge")), *map(str, words)]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=timeout_s
        )
