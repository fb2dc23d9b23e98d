"""Kern becomes a part of two staves that LMX can write."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from model_runtime.tokens.lmx import lmx_measures
from model_runtime.tokens.score import drop_unprinted_tuplets, heads, two_staved_part, visible_part
from model_runtime.training.corpus import sources
from model_runtime.training.kern import root_of_kern, scores, tally

SCORE = """**kern\t**kern
*staff2\t*staff1
*clefF4\t*clefG2
*k[f#]\t*k[f#]
*M3/4\t*M3/4
=1\t=1
2.GG 2.D\t(4g
.\t8aL 8cc
.\t8b-J)
.\tqb
.\t[4cc#
=2\t=2
*\t*8va
4r\t4cc#]
4D 4F#\t12ddL
.\t12ee
.\t12ffJ
*clefG2\t*X8va
4d;\t4g'^
=3\t=3
*^\t*
4e\t2.G\t2.r
2d\t.\t.
*v\t*v\t*
==\t==
*-\t*-
"""


@pytest.fixture
def part(tmp_path: Path) -> ET.Element:
    file = tmp_path / "001-1-A.krn"
    file.write_text(SCORE, encoding="utf-8")
    found = two_staved_part(root_of_kern(file))
    assert found is not None
    return found


def test_every_note_and_rest_is_written(part: ET.Element) -> None:
    notes = part.findall("measure/note")
    assert len(part.findall("measure")) == 3 and len(notes) == 2 + 6 + 4 + 5 + 4
    pitches = [n.findtext("pitch/step", "r") + n.findtext("pitch/octave", "") for n in part[0].findall("note")]
    assert pitches == ["G4", "A4", "C5", "B4", "B4", "C5", "G2", "D3"]


def test_lmx_writes_every_measure(part: ET.Element) -> None:
    visible = visible_part(part)
    drop_unprinted_tuplets(visible)
    measures = lmx_measures(visible)
    assert [m.failure for m in measures] == [""] * 3
    first, second, third = (" ".join(m.tokens) for m in measures)
    assert "G4 voice:1 quarter stem:up staff:1 slur:start" in first
    assert "A4 eighth stem:down beam:begin chord C5 eighth B4 eighth flat beam:end slur:stop" in first
    assert "grace B4 quarter natural stem:up C5 quarter sharp stem:down tied:start" in first
    assert "tuplet:start E5 eighth 3in2 F5 eighth 3in2 natural beam:end tuplet:stop" in second
    assert "G4 quarter staccato accent" in second and "D4 quarter stem:up fermata" in second
    assert "clef:G2 staff:2" in second
    assert "E4 voice:5 quarter" in third and "G3 voice:6 half dot" in third


def test_what_holds_in_a_measure_is_known(part: ET.Element) -> None:
    states = heads(visible_part(part))
    assert states[1].fifths == 1 and states[1].meter == (3, 4) and states[2].clefs == {1: "G2", 2: "G2"}


def test_an_ottava_is_drawn_over_its_notes(part: ET.Element) -> None:
    shifts = [(e.get("type"), e.get("size")) for e in part.iter("octave-shift")]
    assert shifts == [("down", "8"), ("stop", "8")]
    assert heads(visible_part(part))[2].ottavas == {}


def test_every_stem_is_written(part: ET.Element) -> None:
    assert all(n.find("stem") is not None for n in part.iter("note") if n.find("pitch") is not None)


def test_works_that_are_read_to_measure_never_train(tmp_path: Path) -> None:
    for name in ("006-1-KI-001", "024-1-A-002", "063-1-B", "015-1-BH-001", "028-1-BH-004"):
        (tmp_path / f"{name}.krn").write_text(SCORE, encoding="utf-8")
    assert [(name, split) for name, split, _ in scores(tmp_path)] == [
        ("015-1-BH-001", "dev"),
        ("028-1-BH-004", "train"),
    ]
    assert sources(tmp_path) == scores(tmp_path)


def test_a_single_staff_is_left_out_and_counted(tmp_path: Path) -> None:
    lines = [line.split("\t")[-1] for line in SCORE.splitlines()]
    (tmp_path / "001-1-B.krn").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ((name, counts),) = tally(tmp_path)
    assert name == "001-1-B" and counts["left out: not two staves of kern"] == 1
