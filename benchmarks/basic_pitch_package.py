"""The `basic_pitch` package, to compare with: on onnxruntime, without TensorFlow, in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

_PACKAGE = "basic-pitch==0.4.0"
_IMPORTS = (
    "librosa",
    "mir_eval",
    "onnxruntime",
    "pretty_midi",
    "resampy<0.4.3",
    "scikit-learn",
    "scipy",
    "setuptools<81",
    "typing-extensions",
)
_WORKER = Path(__file__).with_name("basic_pitch_worker.py")


class BasicPitchPackage:
    """The package's own `predict` in a process that keeps its network loaded."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [str(_environment()), "-I", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def predict(self, path: Path) -> tuple[float, npt.NDArray[np.float64]]:
        """Seconds that `predict` took, and the notes, shape (notes, 3): onset, offset, pitch."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(path, file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        return answer["seconds"], np.array(answer["notes"], np.float64).reshape(-1, 3)


def _environment() -> Path:
    """The environment's interpreter; made in the user's cache when it is missing."""
    import platformdirs

    folder = platformdirs.user_cache_path("scorebridge", appauthor=False) / "benchmarks" / "basic-pitch-0.4.0"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "complete"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        install = [sys.executable, "-m", "pip", "--python", str(python), "install"]
        for packages in (["--no-deps", _PACKAGE], _IMPORTS):
            subprocess.run([*install, *packages], check=True, capture_output=True)  # pip misses TensorFlow, loudly
        done.touch()
    return python
