"""The plugin's scripts in a real MuseScore 3 without a window: reading a score's notes, and inserting them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_runtime.files.notes import NotesDocument

PLUGIN = Path(__file__).parent.parent / "plugins" / "musescore"
SLICE_MS = 25
_QML = Path(__file__).with_name("musescore_notes.qml")
_PATIENCE_S = 300


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        reply: What the plugin's scripts said: `seconds`, `longest_slice_ms`, `warnings`, `document`.
        score: MusicXML that MuseScore exported.
        undone: MusicXML after one undo, for writing.
    """

    reply: dict[str, Any]
    score: bytes
    undone: bytes


def read_notes(score: Path, scratch: Path, part: dict[str, int] | None = None) -> Outcome:
    """The notes of a score file, read by cursor; of `part` as `Selection.describe` gives it, else of all of it.

    Raises:
        RuntimeError: MuseScore did not run, or the scripts failed.
    """
    return _run(score, {"task": "read", "range": part, "slice_ms": SLICE_MS}, scratch)


def write_notes(
    score: Path, document: NotesDocument, scratch: Path, *, musicxml: Path | None = None, tick: int = 0, staff: int = 0
) -> Outcome:
    """The score file with a document inserted; `musicxml` are the same notes for what the cursor cannot make.

    Raises:
        RuntimeError: MuseScore did not run, or the scripts failed.
    """
    request = {
        "task": "write",
        "document": document.model_dump(),
        "place": {"tick": tick, "staff": staff},
        "options": {} if musicxml is None else {"musicxml": str(musicxml)},
        "slice_ms": SLICE_MS,
    }
    return _run(score, request, scratch)


def _run(score: Path, request: dict[str, Any], scratch: Path) -> Outcome:
    folder = scratch / "musescore"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    qml = _QML.read_text(encoding="utf-8").replace("@PLUGIN@", PLUGIN.as_uri()).replace("@FOLDER@", str(folder))
    (folder / "notes.qml").write_text(qml, encoding="utf-8")
    finished = subprocess.run(
        [program(), "-c", str(folder / "profile"), "-p", str(folder / "notes.qml"), str(score)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(folder)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_PATIENCE_S,
        check=False,
    )
    if not (folder / "reply.json").exists():
        raise RuntimeError(f"MuseScore ended with {finished.returncode} and said nothing: {finished.stderr[-2000:]}")
    reply = json.loads((folder / "reply.json").read_text(encoding="utf-8"))
    if "error" in reply:
        raise RuntimeError(f"{reply['error']}\n{finished.stderr[-2000:]}")
    undone = folder / "undone.musicxml"
    return Outcome(reply, (folder / "score.musicxml").read_bytes(), undone.read_bytes() if undone.exists() else b"")


def program() -> str:
    """MuseScore 3's program.

    Raises:
        RuntimeError: it is not installed.
    """
    found = next((p for p in ("mscore3", "musescore3", "mscore") if shutil.which(p)), None)
    if found is None:
        raise RuntimeError("MuseScore 3 is not installed: apt-get install musescore3")
    return found
