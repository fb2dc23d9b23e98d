"""Add-ons that need an environment of their own, so that no dependency of theirs touches ours."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from model_runtime.addons.base import AddOn, Progress
from model_runtime.addons.pip import Wheel, run_pip
from model_runtime.errors import EngineUnavailable


@dataclass(frozen=True)
class OwnEnvironment(AddOn):
    """A virtual environment in the data folder with one package of known digest and what it imports.

    Attributes:
        wheel: The package; installed without the dependencies it names.
        requirements: What it really imports.
        modules: Names that must be importable in the end.
    """

    name: str
    summary: str
    licence: str
    size_mb: float
    wheel: Wheel
    requirements: tuple[str, ...]
    modules: tuple[str, ...]
    version: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "version", self.wheel.version)

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return _python(self.folder / "venv")

    def installed(self) -> bool:
        return super().installed() and self.python.exists()

    def _fetch(self, folder: Path, scratch: Path, progress: Progress) -> None:
        def watch() -> None:
            progress(f"Installing {self.name}", min(_megabytes(scratch), self.size_mb), self.size_mb)

        watch()
        wheel = self.wheel.download(scratch / "wheel", watch)
        venv = folder / "venv"
        _run([sys.executable, "-m", "venv", "--without-pip", str(venv)], f"An environment for {self.name}")
        # The environment has no pip: ours installs into it.
        install = ["--python", str(_python(venv)), "install", "--no-compile"]
        run_pip([*install, *self.requirements], f"What {self.name} needs", scratch, watch)
        run_pip([*install, "--no-deps", str(wheel)], f"{self.wheel.package} {self.version}", scratch, watch)
        check = ";".join(f"import {module}" for module in self.modules)
        _run([str(_python(venv)), "-c", check], f"The add-on {self.name}")
        progress(f"Installing {self.name}", self.size_mb, self.size_mb)


def _python(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise EngineUnavailable(
            f"{what} could not be set up: {lines[-1] if lines else 'Python ended without a word'}.",
            hint="Install your system's python3-venv package and try again.",
        )


def _megabytes(folder: Path) -> float:
    """What lies under a folder while another process writes there."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size  # noqa: PTH118 - ten thousand files, twice a second
            except FileNotFoundError:
                continue
    return total / 1e6
