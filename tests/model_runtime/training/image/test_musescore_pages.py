"""Pages that MuseScore 3 engraves carry labels that stand where its ink is."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from model_runtime.tokens.vocabulary import ACCIDENTALS
from model_runtime.training.image import musescore_pages as drawing
from model_runtime.training.image.dataset import build, load_bands
from model_runtime.training.image.labels import FIELDS, groups_of
from model_runtime.training.image.musescore_pages import musescore_pages, random_style
from model_runtime.training.image.pages import DrawnPage
from model_runtime.unified.glyph_classes import GROUP_NAMES, KIND_INDEX, KINDS

SPACE_PX = 12.0
BLACK = KIND_INDEX["head:black"]


def note(pitch: str, duration: int, kind: str, *, inner: str = "", notations: str = "", voice: int = 1) -> str:
    """A note as "C4" or "F#5", a rest as "rest"; `inner` follows the type, "chord" in it joins the note before."""
    chord = "<chord/>" if "chord" in inner else ""
    alter = f"<alter>{ {'#': 1, 'b': -1}[pitch[1]] }</alter>" if pitch[1] in "#b" else ""
    sound = (
        "<rest/>" if pitch == "rest" else f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
    )
    marks = f"<notations>{notations}</notations>" if notations else ""
    staff = 1 if voice < 5 else 2
    return (
        f"<note>{chord}{sound}<duration>{duration}</duration><voice>{voice}</voice><type>{kind}</type>"
        f"{inner.replace('chord', '')}<staff>{staff}</staff>{marks}</note>"
    )


def score() -> ET.Element:
    """Four measures for piano with a little of everything."""
    start = (
        "<attributes><divisions>6</divisions><key><fifths>-2</fifths></key><time><beats>3</beats><beat-type>4"
        '</beat-type></time><staves>2</staves><clef number="1"><sign>G</sign><line>2</line></clef>'
        '<clef number="2"><sign>F</sign><line>4</line></clef></attributes>'
    )
    back = "<backup><duration>18</duration></backup>"
    rest = note("rest", 18, "half", voice=5, inner="<dot/>")
    triple = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"

    def beam(kind: str) -> str:
        return f'{triple}<beam number="1">{kind}</beam>'

    first = (
        note("F#4", 6, "quarter", inner="<accidental>sharp</accidental>", notations='<slur type="start" number="1"/>')
        + note("A4", 6, "quarter", inner="chord")
        + note("D5", 6, "quarter", notations='<articulations><staccato/></articulations><slur type="stop" number="1"/>')
        + note("C5", 6, "quarter", notations="<articulations><accent/></articulations>")
    )
    second = (
        note("B5", 2, "eighth", inner=beam("begin"), notations='<tuplet type="start" bracket="yes"/>')
        + note("A5", 2, "eighth", inner=beam("continue"))
        + note("G5", 2, "eighth", inner=beam("end"), notations='<tuplet type="stop"/>')
        + note("D5", 12, "half", inner='<tie type="start"/>', notations='<tied type="start"/><fermata/>')
    )
    third = note(
        "D5", 18, "half", inner="<dot/>", notations='<tied type="stop"/><articulations><tenuto/></articulations>'
    )
    lower = (
        note("B2", 6, "quarter", voice=5)
        + '<attributes><clef number="2"><sign>G</sign><line>2</line></clef></attributes>'
        + note("G4", 12, "half", voice=5, notations="<arpeggiate/>")
        + note("D5", 12, "half", voice=5, inner="chord", notations="<arpeggiate/>")
    )
    meter = "<attributes><time><beats>6</beats><beat-type>8</beat-type></time></attributes>"
    again = '<barline location="right"><bar-style>light-heavy</bar-style><repeat direction="backward"/></barline>'
    measures = [
        start + first + back + rest,
        second + back + rest,
        third + back + lower + again,
        meter + note("rest", 18, "half", inner="<dot/>") + back + note("B3", 18, "half", voice=5, inner="<dot/>"),
    ]
    body = "".join(f'<measure number="{i}">{m}</measure>' for i, m in enumerate(measures, 1))
    return ET.fromstring(
        '<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>Piano</part-name></score-part>'
        f'</part-list><part id="P1">{body}</part></score-partwise>'
    )


@pytest.fixture(scope="module")
def page() -> DrawnPage:
    """The score as MuseScore sets it unasked."""
    return next(musescore_pages(score(), {}, SPACE_PX, 1, np.random.default_rng(0)))


def column(name: str) -> int:
    return FIELDS.index(name)


def ink_at(pixels: np.ndarray, x: float, y: float, reach: int = 2) -> float:
    """Share of ink in a small square."""
    part = pixels[int(y) - reach : int(y) + reach + 1, int(x) - reach : int(x) + reach + 1]
    return float((part < 128).mean())


def heads(page: DrawnPage) -> dict[int, np.ndarray]:
    """Values of the heads of the upper staff by their staff position."""
    result = {}
    for (_, y), values in zip(page.labels.places, page.labels.values, strict=True):
        staff = page.labels.staves[int(values[1])]
        if values[0] <= KIND_INDEX["head:half"] and staff.number == 0:
            position = (staff.bottom - y) / (staff.bottom - staff.top) * 8
            assert abs(position - round(position)) < 0.06
            result.setdefault(round(position), values)
    return result


def test_everything_on_the_page_is_named(page: DrawnPage) -> None:
    kinds = Counter(KINDS[int(kind)] for kind in page.labels.values[:, 0])
    assert kinds["head:black"] == 8
    assert kinds["head:half"] == 5
    assert kinds["clef:G"], kinds["clef:F"] == (2, 1)
    assert kinds["key-sign:flat"] == 4
    assert kinds["meter:digits"] == 4
    assert kinds["slur-end:left"] == kinds["slur-end:right"] == 1
    assert kinds["barline:repeat-end"] == 2
    for name in ("staccato", "accent", "tenuto", "fermata", "arpeggio"):
        assert kinds[f"mark:{name}"] == 1
    assert kinds["tuplet-number"] == kinds["tuplet-bracket:left"] == kinds["tuplet-bracket:right"] == 1
    numbers = page.labels.values[page.labels.values[:, 0] == KIND_INDEX["tuplet-number"], column("number")]
    assert list(numbers) == [3]
    meters = page.labels.values[page.labels.values[:, 0] == KIND_INDEX["meter:digits"]]
    assert {(int(m[column("number")]), int(m[column("denominator")])) for m in meters} == {(3, 4), (6, 8)}


def test_heads_are_where_the_ink_is_and_show_what_is_printed_at_them(page: DrawnPage) -> None:
    black = page.labels.places[page.labels.values[:, 0] == BLACK]
    assert all(ink_at(page.pixels, x, y) > 0.95 for x, y in black)
    seen = heads(page)
    assert seen[1][column("accidental")] == ACCIDENTALS.index("sharp") + 1  # F sharp, the key has two flats
    assert seen[3][column("accidental")] == 0
    assert seen[1][column("stems")] == seen[3][column("stems")] == 1
    assert seen[1][column("tip")] == seen[3][column("tip")]
    assert [seen[p][column("beams_right")] for p in (11, 10, 9)] == [1, 1, 0]
    assert [seen[p][column("stems")] for p in (11, 10, 9)] == [2, 2, 2]


def test_ties_are_told_at_both_of_their_heads(page: DrawnPage) -> None:
    half = [v for v in page.labels.values if KINDS[int(v[0])] == "head:half" and v[column("ties")] > 0]
    assert sorted(int(v[column("ties")]) for v in half) == [1, 2]


def test_a_stem_ends_at_its_tip(page: DrawnPage) -> None:
    for (x, y), values in zip(page.labels.places, page.labels.values, strict=True):
        if values[0] == BLACK and values[column("stems")] > 0:
            up = values[column("stems")] == 1
            at = int(x + (0.6 if up else -0.6) * SPACE_PX)
            tip = int(values[column("tip")])
            between = slice(*sorted((int(y), tip)))
            assert (page.pixels[between, at - 2 : at + 3].min(axis=1) < 128).mean() > 0.9


def test_other_fonts_sizes_and_shapes_leave_heads_in_their_places() -> None:
    sizes = set()
    for seed in range(3):
        rng = np.random.default_rng(seed)
        style = {"Spatium": "1.6", **random_style(rng), "musicalSymbolFont": drawing.FONTS[seed]}
        drawn = next(musescore_pages(score(), style, SPACE_PX, 1, rng, reshape=True))
        black = drawn.labels.places[drawn.labels.values[:, 0] == BLACK]
        assert len(black) == 8
        assert all(ink_at(drawn.pixels, x, y) > 0.9 for x, y in black)
        sizes.add(drawn.pixels.shape)
    assert len(sizes) >= 2


def test_bands_of_musescore_pages_are_built_like_others(scores: Path, tmp_path: Path) -> None:
    build(scores, tmp_path, "train", 1, seed=2, musescore=1.0)
    bands = [band for f in (tmp_path / "train").glob("*.npz") for band in load_bands(f)]
    groups = np.concatenate([groups_of(band.values) for band in bands])
    assert {"head", "clef", "barline", "rest"} <= {GROUP_NAMES[g] for g in groups}


def test_a_missing_musescore_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "PROGRAM", "no-such-musescore")
    with pytest.raises(RuntimeError, match="MuseScore 3 is not installed"):
        next(musescore_pages(score(), {}, SPACE_PX, 1, np.random.default_rng(0)))
