"""The shipped model reads a page that was engraved here."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest

from model_runtime.engines.base import Context
from model_runtime.engines.unified_image import UnifiedImage
from model_runtime.engines.verovio import Verovio
from model_runtime.errors import InvalidValue, UnreadableFile
from model_runtime.modality import Notation, Performance, ScoreImage
from model_runtime.notation.score_notes import read_measures
from model_runtime.options import Options
from model_runtime.tokens.glyphs import Glyph
from model_runtime.tokens.score import two_staved_part
from model_runtime.training.parts import single_staff, staff_alone
from model_runtime.unified.image_reader import ReadPart, ReadSystem
from model_runtime.unified.lines_of_music import Line
from model_runtime.unified.page_reading import assumed_clefs, instruments


@pytest.fixture(scope="module")
def engine() -> UnifiedImage:
    engine = UnifiedImage()
    engine.load()
    return engine


def demo() -> Notation:
    return Notation((files("bridge") / "demo" / "little_bridge.musicxml").read_bytes())


def pitches(notation: Notation) -> Counter[tuple[int, int]]:
    """Measure and pitch of every note."""
    measures = read_measures(notation.musicxml)
    return Counter((number, note.pitch) for number, measure in enumerate(measures) for note in measure.notes)


def test_most_notes_of_an_engraved_page_are_read(engine: UnifiedImage) -> None:
    drawn = Verovio().translate(demo(), Options(), Context())
    told: list[tuple[str, float, float]] = []
    context = Context(on_progress=lambda *step: told.append(step))
    read = engine.translate(drawn, Options(), context)
    ours, theirs = pitches(read), pitches(demo())
    assert 2 * (ours & theirs).total() / (ours.total() + theirs.total()) > 0.7
    assert len(read.confidence) == read.measure_count and all(0 < sure <= 1 for sure in read.confidence)
    assert {stage for stage, _, _ in told} == {"Reading the pages", "Writing the score"}
    assert all(0 <= done <= total for _, done, total in told)
    assert any("compare the notes with the page" in text for text in context.warnings)


def test_pages_follow_each_other_in_one_score(engine: UnifiedImage) -> None:
    drawn = Verovio().translate(demo(), Options(), Context())
    page = drawn.pages[0]
    once = read_measures(engine.translate(ScoreImage((page,)), Options(), Context()).musicxml)
    twice = read_measures(engine.translate(ScoreImage((page, page)), Options(), Context()).musicxml)
    assert len(twice) == 2 * len(once)


def test_a_melody_is_read_on_its_one_staff(engine: UnifiedImage) -> None:
    root = ET.fromstring(demo().musicxml)
    piano = two_staved_part(root)
    assert piano is not None
    melody = single_staff(staff_alone(piano, 1)[0])
    melody.set("id", piano.get("id", "P1"))
    root.remove(piano)
    root.append(melody)
    written = Notation(ET.tostring(root))
    drawn = Verovio().translate(written, Options(), Context())
    read = engine.translate(drawn, Options(), Context())
    ours, theirs = pitches(read), pitches(written)
    assert 2 * (ours & theirs).total() / (ours.total() + theirs.total()) > 0.7
    made = ET.fromstring(read.musicxml)
    assert made.findtext("part/measure/attributes/staves", "1") == "1"
    assert {note.findtext("staff", "1") for note in made.iter("note")} == {"1"}
    assert made.findtext("part-list/score-part/part-name") == "Part"


def test_a_clef_that_is_not_seen_is_said_to_be_assumed() -> None:
    head, treble = Glyph("head:black", 9.0, 1, 3), Glyph("clef:G", 0.7, 1, 2)
    voice, piano = [Line((head,), 1), Line((treble, head), 1)], [Line((treble, head), 2), Line((head,), 2)]
    assert assumed_clefs([voice]) == []
    assert assumed_clefs([voice[:1]]) == ["No clef was seen on staff 1: its notes are read in the treble clef."]
    assert assumed_clefs([voice, piano]) == [
        "No clef was seen on staff 2 of part 2: its notes are read in the bass clef."
    ]


@pytest.mark.parametrize("picture", ["empty", "noise"])
def test_a_picture_without_music_is_refused_with_a_hint(engine: UnifiedImage, picture: str) -> None:
    rng = np.random.default_rng(0)
    page = np.full((900, 700), 255, np.uint8) if picture == "empty" else rng.integers(0, 256, (900, 700), np.uint8)
    with pytest.raises(UnreadableFile, match="No music was found") as error:
        engine.translate(ScoreImage((page,)), Options(), Context())
    assert "staves" in error.value.hint


def test_only_score_images_are_read(engine: UnifiedImage) -> None:
    with pytest.raises(InvalidValue, match="score images only"):
        engine.translate(Performance(()), Options(), Context())


def system(*staves: int) -> ReadSystem:
    return ReadSystem(tuple(ReadPart((), count) for count in staves), 0, 0, 100, 100, 80.0)


def test_instruments_are_followed_where_one_is_silent_on_a_line() -> None:
    systems = [system(1, 2), system(2), system(1, 2)]
    voice, piano = instruments(systems)
    assert [part is None for part in voice] == [False, True, False]
    assert all(part is not None and part.staves == 2 for part in piano)
