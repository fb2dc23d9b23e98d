"""Alto and tenor clefs are found by their shape, and nothing else is taken for one."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from model_runtime.training.clefs import under_clef
from model_runtime.training.editions import EngravedPage, MuseScoreStyle, by_musescore
from model_runtime.training.parts import single_staff
from model_runtime.unified.c_clefs import find, with_c_clef
from model_runtime.unified.centres import Seen
from model_runtime.unified.image_reader import ImageReader

MEASURES = 9


def melody() -> ET.Element:
    body = []
    for i in range(MEASURES):
        start = (
            "<attributes><divisions>1</divisions><key><fifths>-1</fifths></key><time><beats>4</beats>"
            "<beat-type>4</beat-type></time><clef><sign>G</sign><line>2</line></clef></attributes>"
        )
        notes = "".join(
            f"<note><pitch><step>{'CDFGA'[(i + k) % 5]}</step><octave>5</octave></pitch><duration>1</duration>"
            "<voice>1</voice><type>quarter</type></note>"
            for k in range(4)
        )
        body.append(f'<measure number="{i + 1}">{"" if i else start}{notes}</measure>')
    return single_staff(ET.fromstring(f'<part id="P1">{"".join(body)}</part>'))


def page(clef: str, font: str = "Leland") -> EngravedPage:
    part = under_clef(melody(), clef)
    return by_musescore(part, MuseScoreStyle(font))[0]


@pytest.fixture(scope="module")
def reader() -> ImageReader:
    return ImageReader(threads=1)


@pytest.mark.parametrize(
    ("clef", "position", "font"), [("C3", 4, "Leland"), ("C4", 6, "Emmentaler"), ("G2", 2, "Leland")]
)
def test_each_line_begins_with_its_clef_and_its_key(reader: ImageReader, clef: str, position: int, font: str) -> None:
    printed = page(clef, font) if clef != "G2" else by_musescore(melody(), MuseScoreStyle(font))[0]
    systems = reader.read_page(printed.pixels)
    fifths = {"C3": 1, "C4": -3, "G2": -1}[clef]
    assert systems
    for system in systems:
        (part,) = system.parts
        clefs = [g for g in part.glyphs if g.kind.startswith("clef:")]
        assert [(g.kind, g.position) for g in clefs] == [(f"clef:{clef[0]}", position)]
        keys = [g for g in part.glyphs if g.kind.startswith("glyph-key:")]
        assert [g.kind for g in keys] == [f"glyph-key:{fifths}"] and keys[0].x > clefs[0].x + 2


def test_nothing_is_found_where_nothing_or_a_thick_barline_stands() -> None:
    blank = np.zeros((160, 400), np.uint8)
    for position in (0, 2, 4, 6, 8):
        blank[round((24.5 - position) * 4)] = 255
    assert find(blank) is None
    thick = blank.copy()
    thick[66:98, 20:24] = 255  # a repeat's stroke from the lowest line to the highest
    assert find(thick) is None


def test_a_clef_that_was_seen_is_kept() -> None:
    none = np.zeros(0, np.int64)
    nothing = Seen(none, none, np.zeros(0, np.float32), np.zeros(0, np.float32), {}, {})
    assert with_c_clef(nothing, np.zeros((160, 400), np.uint8)) is nothing
