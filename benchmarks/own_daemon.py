"""A daemon of the benchmark's own, in a folder of its own: the user's daemon and settings are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from protocol.connection import Connection, read_connection
from protocol.errors import ProtocolError

START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0


class OwnDaemon:
    """Starts `python -m bridge.daemon`, and ends it with the `with` block.

    Args:
        settings: Environment variables of `bridge.settings` without their prefix.

    Attributes:
        connection: Where it listens.
    """

    def __init__(self, **settings: str) -> None:
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="scorebridge-benchmark-")
        self.folder = Path(self._folder.name)

    def __enter__(self) -> Self:
        started = time.perf_counter()
        environment = {
            **os.environ,
            "SCOREBRIDGE_CONFIG": str(self.folder / "no-config.toml"),
            "SCOREBRIDGE_RUNTIME": str(self.folder / "run"),
            "SCOREBRIDGE_DATA": str(self.folder / "data"),
            **{f"SCOREBRIDGE_{name}": value for name, value in self._settings.items()},
        }
        self.process = subprocess.Popen([sys.executable, "-m", "bridge.daemon"], env=environment)
        self.connection = self._connection(started)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()

    def _connection(self, started: float) -> Connection:
        while time.perf_counter() - started < START_LIMIT_S:
            try:
                return read_connection(self.folder / "run" / "connection.json")
            except ProtocolError:
                time.sleep(0.002)
            if self.process.poll() is not None:
                break
        self.process.kill()
        raise RuntimeError("The daemon did not start.")

    @property
    def daemon_mb(self) -> float:
        """Resident memory of the daemon alone, in MB."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)
