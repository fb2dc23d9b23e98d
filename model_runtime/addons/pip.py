"""Python packages as the carriers of add-ons: fetched by pip, checked by digest."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_runtime.errors import EngineUnavailable

_POLL_S = 0.5
_OFFLINE = ("No matching distribution", "ConnectionError", "NewConnectionError", "Max retries", "Read timed out")

Watch = Callable[[], None]


@dataclass(frozen=True)
class Wheel:
    """A file on the package index that never changes.

    Attributes:
        sha256: Of the wheel, hexadecimal.
    """

    package: str
    version: str
    sha256: str

    def download(self, folder: Path, watch: Watch) -> Path:
        """Fetch the wheel into `folder`, which may be missing, and check its digest.

        Raises:
            EngineUnavailable: it cannot be had, or is another file than it should be.
        """
        what = f"{self.package} {self.version}"
        run_pip(
            [
                "download",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--dest",
                str(folder),
                f"{self.package}=={self.version}",
            ],
            what,
            folder.parent,
            watch,
        )
        path = next(iter(folder.glob("*.whl")), None)
        if path is None or hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            raise EngineUnavailable(
                f"The package {what} that was downloaded is not the one ScoreBridge knows, so it was thrown away.",
                hint="Check which package index pip uses (`pip config list`).",
            )
        return path


def run_pip(arguments: Sequence[str], what: str, scratch: Path, watch: Watch) -> None:
    """Run pip in this Python, calling `watch` twice a second; pip ends when `watch` raises.

    Args:
        arguments: After `python -m pip`.
        what: What is fetched, for the musician.
        scratch: Folder for pip's temporary files.

    Raises:
        EngineUnavailable: pip is missing or could not do it.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    temporary = scratch / "pip"
    temporary.mkdir(exist_ok=True)
    with (scratch / "pip.log").open("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"TMPDIR": str(temporary), "TEMP": str(temporary)},
        )
        try:
            while True:
                try:
                    status = process.wait(_POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    watch()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if status:
            log.seek(0)
            raise _failure(log.read(), what)


def _failure(output: str, what: str) -> EngineUnavailable:
    if "No module named pip" in output:
        return EngineUnavailable(
            f"{what} cannot be fetched because this Python has no pip.",
            hint=f"Run `{sys.executable} -m ensurepip`, or install your system's python3-pip.",
        )
    if any(sign in output for sign in _OFFLINE):
        return EngineUnavailable(
            f"{what} could not be downloaded: the package index does not answer or does not have it.",
            hint="Check the network connection and try again.",
        )
    errors = [line.removeprefix("ERROR:").strip() for line in output.splitlines() if line.startswith("ERROR:")]
    return EngineUnavailable(f"{what} could not be installed: {errors[-1] if errors else 'pip failed'}")
