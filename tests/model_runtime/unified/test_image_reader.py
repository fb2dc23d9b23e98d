"""The shipped image reader reads a small engraved page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_runtime.engraving.raster import grey_page
from model_runtime.unified.image_reader import ImageReader, ReadSystem

NOTES = (("C", 5), ("D", 5), ("E", 5), ("F", 5), ("G", 4), ("A", 4), ("B", 4), ("C", 5))
POSITIONS = (5, 6, 7, 8, 2, 3, 4, 5)
STEPS = "CDEFGAB"


def _note(step: str, octave: int, kind: str, duration: int, staff: int) -> str:
    return (
        f"<note><pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>{duration}</duration>"
        f"<voice>{staff}</voice><type>{kind}</type><staff>{staff}</staff></note>"
    )


def _score(measures: int = 8) -> str:
    """Quarters above and halves below, in E flat major."""
    body = []
    for i in range(measures):
        upper = "".join(_note(*NOTES[(4 * i + k) % 8], "quarter", 1, 1) for k in range(4))
        lower = _note("C", 3, "half", 2, 2) + _note("G", 3, "half", 2, 2)
        head = (
            "<attributes><divisions>1</divisions><key><fifths>-3</fifths></key><time><beats>4</beats>"
            '<beat-type>4</beat-type></time><staves>2</staves><clef number="1"><sign>G</sign><line>2</line></clef>'
            '<clef number="2"><sign>F</sign><line>4</line></clef></attributes>'
        )
        back = "<backup><duration>4</duration></backup>"
        body.append(f'<measure number="{i + 1}">{head if i == 0 else ""}{upper}{back}{lower}</measure>')
    return (
        '<score-partwise version="4.0"><part-list><score-part id="P1"><part-name/></score-part></part-list>'
        f'<part id="P1">{"".join(body)}</part></score-partwise>'
    )


@pytest.fixture(scope="module")
def page() -> np.ndarray:
    """The score engraved, two systems of four measures, 11 pixels to the staff space."""
    import verovio

    toolkit = verovio.toolkit()
    width = 1500
    toolkit.setOptions({"pageWidth": width, "pageHeight": 1400, "header": "none", "footer": "none", "breaks": "auto"})
    toolkit.loadData(_score())
    return grey_page(toolkit.renderToSVG(1), round(width / 18 * 11))


@pytest.fixture(scope="module")
def reader() -> ImageReader:
    return ImageReader(threads=1)


@pytest.fixture(scope="module")
def systems(reader: ImageReader, page: np.ndarray) -> list[ReadSystem]:
    return reader.read_page(page)


def test_each_system_is_one_grand_staff(systems: list[ReadSystem], page: np.ndarray) -> None:
    assert len(systems) >= 2
    assert all(len(system.parts) == 1 and system.parts[0].staves == 2 for system in systems)
    tops = [system.top for system in systems]
    assert tops == sorted(tops)
    assert all(0 < s.left < s.right < page.shape[1] and s.top < s.bottom < page.shape[0] for s in systems)


def test_the_heads_are_found_with_staff_and_position(systems: list[ReadSystem]) -> None:
    upper = [
        g.position for system in systems for g in system.parts[0].glyphs if g.kind == "head:black" and g.staff == 1
    ]
    wanted = [POSITIONS[i % 8] for i in range(32)]
    assert len(upper) >= 29
    hits = sum(a == b for a, b in zip(upper, wanted, strict=False)) if len(upper) == 32 else 0
    lower = [g.position for s in systems for g in s.parts[0].glyphs if g.kind == "head:half" and g.staff == 2]
    assert hits >= 30 or len(upper) != 32
    assert sum(p in (3, 7) for p in lower) >= 14


def test_stems_point_away_from_the_middle_and_quarters_have_no_flags(systems: list[ReadSystem]) -> None:
    heads = [g for s in systems for g in s.parts[0].glyphs if g.kind == "head:black"]
    assert np.mean([g.stem == (1 if g.position < 4 else 2) for g in heads if g.position != 4]) > 0.9
    assert np.mean([g.flags == 0 and g.beams_left == 0 and g.beams_right == 0 for g in heads]) > 0.9
    assert np.mean([abs(abs(g.tip - g.position) - 7) <= 1 for g in heads]) > 0.9


def test_clefs_key_metre_and_barlines_stand_where_they_are_printed(systems: list[ReadSystem]) -> None:
    for number, system in enumerate(systems):
        glyphs = system.parts[0].glyphs
        clefs = [(g.kind, g.staff, g.position) for g in glyphs if g.kind.startswith("clef:")]
        assert sorted(clefs) == [("clef:F", 2, 6), ("clef:G", 1, 2)]
        keys = {g.kind for g in glyphs if g.kind.startswith("glyph-key:")}
        assert keys == {"glyph-key:-3"}
        meters = [(g.number, g.denominator) for g in glyphs if g.kind.startswith("meter:")]
        assert meters == ([(4, 4)] * 2 if number == 0 else [])
        bars = [g.x for g in glyphs if g.kind.startswith("barline:")]
        assert bars == sorted(bars)
        assert abs(bars[-1] - system.width) < 1.5
    assert sum(g.kind.startswith("barline:") for s in systems for g in s.parts[0].glyphs) == 8


def test_glyphs_are_sorted_and_mostly_certain(systems: list[ReadSystem]) -> None:
    for system in systems:
        glyphs = system.parts[0].glyphs
        assert list(glyphs) == sorted(glyphs, key=lambda g: (g.x, -g.position))
        assert all(-1.5 < g.x < system.width + 1.5 for g in glyphs)
        assert np.mean([g.probability for g in glyphs]) > 4


def test_reading_tells_how_far_it_is_and_can_be_cancelled(reader: ImageReader, page: np.ndarray) -> None:
    told: list[float] = []
    assert reader.read_page(page, progress=told.append, cancelled=lambda: len(told) == 1) == []
    assert told == [pytest.approx(0.5, abs=0.2)]


@pytest.mark.parametrize("shape", [(300, 400), (1, 1), (2000, 10)])
def test_a_page_without_music_has_no_systems(reader: ImageReader, shape: tuple[int, int]) -> None:
    assert reader.read_page(np.full(shape, 255, np.uint8)) == []


def test_weights_that_are_not_there_or_for_other_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ImageReader(tmp_path)
