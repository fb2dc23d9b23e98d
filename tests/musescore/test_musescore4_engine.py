"""What we write opens in MuseScore 4's engine, and it finds the same notes."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_documents import made

from benchmarks.musescore4_engine import opened
from benchmarks.written_notes import equal_notes, written_notes
from model_runtime import translate
from model_runtime.files.notes import notes_to_notation
from model_runtime.modality import Notation


@pytest.mark.timeout(600)  # npm fetches the engine at the first run
@pytest.mark.parametrize("is_played", [False, True], ids=["as written", "played and written down"])
@pytest.mark.parametrize("name", list(made()))
def test_musescore_4_finds_the_notes_that_we_write(name: str, is_played: bool, tmp_path: Path) -> None:
    document = made()[name]
    notation: object = notes_to_notation(document)
    if is_played:
        notation = translate(translate(notes_to_notation(document), "performance").value, "notation").value
    assert isinstance(notation, Notation)
    ours, theirs = written_notes(notation.musicxml), written_notes(opened(notation.musicxml, tmp_path))
    assert len(ours) >= len(document.notes) / 2
    assert len(ours) == len(theirs) == equal_notes(ours, theirs)
