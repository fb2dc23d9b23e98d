"""Engraving: what is written in MusicXML is seen on the page."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from model_runtime.engines.base import Context
from model_runtime.engines.verovio import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Verovio
from model_runtime.engraving.raster import font_files, grey_page, ink_box, needs_only_bundled_fonts
from model_runtime.errors import Cancelled, InvalidValue, UnreadableFile
from model_runtime.modality import Notation, ScoreImage
from model_runtime.options import Options

NOTE = (
    "<note><pitch><step>{step}</step><octave>4</octave></pitch><duration>1</duration><type>quarter</type>{more}</note>"
)


def score(measures: int, *, title: str = "", lyric: str = "", direction: str = "") -> Notation:
    """A melody in quarters, four to a measure."""
    parts = []
    for number in range(1, measures + 1):
        attributes = (
            "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
            "<clef><sign>G</sign><line>2</line></clef></attributes>" + direction
            if number == 1
            else ""
        )
        words = f"<lyric><syllabic>single</syllabic><text>{lyric}</text></lyric>" if lyric else ""
        notes = "".join(NOTE.format(step="CEGB"[(number + i) % 4], more=words) for i in range(4))
        parts.append(f'<measure number="{number}">{attributes}{notes}</measure>')
    work = f"<work><work-title>{title}</work-title></work>" if title else ""
    return Notation(
        f'<?xml version="1.0" encoding="UTF-8"?><score-partwise version="4.0">{work}<part-list><score-part id="P1">'
        f'<part-name/></score-part></part-list><part id="P1">{"".join(parts)}</part></score-partwise>'.encode()
    )


def engrave(notation: Notation, **arguments: float) -> ScoreImage:
    return Verovio(**arguments).translate(notation, Options(), Context())


def ink(image: ScoreImage) -> int:
    return int(sum((page < 128).sum() for page in image.pages))


def test_short_music_is_cropped_to_its_content_with_a_small_margin() -> None:
    image = engrave(score(2))
    (page,) = image.pages
    assert page.dtype == np.uint8 and page.shape[0] < 500
    left, top, right, bottom = ink_box(page) or (0, 0, 0, 0)
    assert 0 < left <= 33 and 0 < top <= 33 and 0 < page.shape[1] - right <= 33 and 0 < page.shape[0] - bottom <= 33


def test_long_music_comes_on_whole_a4_pages_and_shows_progress() -> None:
    seen: list[tuple[str, float, float]] = []
    image = Verovio(100).translate(score(180), Options(), Context(on_progress=lambda *step: seen.append(step)))
    assert len(image.pages) == len(image.svg) >= 2
    for page in image.pages:
        assert abs(page.shape[1] - PAGE_WIDTH_MM / 25.4 * 100) <= 1
        assert abs(page.shape[0] - PAGE_HEIGHT_MM / 25.4 * 100) <= 1
    assert seen[-1] == ("Engraving", len(image.pages), len(image.pages))
    assert {step[1] for step in seen} >= set(range(len(image.pages)))


def test_resolution_scales_the_picture_and_is_told() -> None:
    low, high = engrave(score(2), dots_per_inch=100), engrave(score(2), dots_per_inch=300)
    assert (low.dots_per_inch, high.dots_per_inch) == (100, 300)
    assert high.pages[0].shape[1] / low.pages[0].shape[1] == pytest.approx(3, rel=0.05)


def test_the_svg_is_the_same_picture_in_real_millimetres() -> None:
    image = engrave(score(2))
    again = grey_page(image.svg[0], image.pages[0].shape[1])
    assert abs(again.shape[0] - image.pages[0].shape[0]) <= 1
    assert ink_box(again) == pytest.approx(ink_box(image.pages[0]), abs=2)
    assert (again < 128).sum() == pytest.approx((image.pages[0] < 128).sum(), rel=0.05)
    width_mm = float(image.svg[0].split('width="')[1].split("mm")[0])
    assert width_mm == pytest.approx(image.pages[0].shape[1] / 200 * 25.4, abs=0.2)


def test_the_same_music_gives_the_same_svg_and_pixels() -> None:
    engine = Verovio()
    first = engine.translate(score(3, title="Once"), Options(), Context())
    engine.translate(score(9), Options(), Context())
    second = engine.translate(score(3, title="Once"), Options(), Context())
    assert first.svg == second.svg and np.array_equal(first.pages[0], second.pages[0])


METRONOME = (
    '<direction placement="above"><direction-type><metronome><beat-unit>quarter</beat-unit>'
    "<per-minute>96</per-minute></metronome></direction-type></direction>"
)
WORDS = '<direction placement="above"><direction-type><words>Allegro ma non troppo</words></direction-type></direction>'


def test_title_lyrics_and_tempo_are_drawn_without_any_font_on_the_machine() -> None:
    """Every text adds ink although resvg is given no fonts but the package's own."""
    bare = ink(engrave(score(2)))
    for texts in ({"title": "Étude für Łucja, Ваня и Ωμέγα"}, {"lyric": "schön"}, {"direction": WORDS}):
        image = engrave(score(2, **texts))
        assert needs_only_bundled_fonts(image.svg[0])
        assert ink(image) > bare + 300, texts


def test_the_note_of_a_metronome_mark_is_drawn_as_a_note() -> None:
    words_only = METRONOME.replace("<metronome><beat-unit>quarter</beat-unit><per-minute>96</per-minute></metronome>",
                                   "<words>= 96</words>")  # fmt: skip
    assert ink(engrave(score(2, direction=METRONOME))) > ink(engrave(score(2, direction=words_only))) + 60


def test_scripts_that_the_bundled_fonts_lack_ask_the_system() -> None:
    assert not needs_only_bundled_fonts("<svg><text>春の海</text></svg>")
    assert needs_only_bundled_fonts("<svg><defs><g id='春'/></defs><text>Frühling, B♭ \ue1d5 = 60 “zart”…</text></svg>")


def test_the_bundled_fonts_are_small_and_carry_their_licence() -> None:
    sizes = [os.path.getsize(path) for path in font_files()]  # noqa: PTH202
    assert len(sizes) == 5 and sum(sizes) < 300_000


def test_what_verovio_says_becomes_a_warning_and_not_output(capfd: pytest.CaptureFixture[str]) -> None:
    wedge = '<direction><direction-type><wedge type="crescendo" number="1"/></direction-type></direction>'
    context = Context()
    Verovio().translate(score(2, direction=wedge), Options(), context)
    assert any("hairpin" in warning for warning in context.warnings)
    assert capfd.readouterr() == ("", "")


EMPTY_MEASURE = b'<score-partwise><part id="P1"><measure number="1"/></part></score-partwise>'


@pytest.mark.parametrize("musicxml", [b"<score-partwise/>", b"<html/>", EMPTY_MEASURE])
def test_xml_without_music_is_refused_in_a_sentence(musicxml: bytes) -> None:
    with pytest.raises(UnreadableFile, match="score has no measures"):
        engrave(Notation(musicxml))


def test_cancelling_stops_between_pages() -> None:
    def stop_at_second_page(stage: str, current: float, total: float) -> None:
        if current == 1 and total > 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        Verovio(60).translate(score(180), Options(), Context(on_progress=stop_at_second_page))


def test_an_unreadable_resolution_is_refused() -> None:
    with pytest.raises(InvalidValue, match="dots per inch"):
        Verovio(5)


def test_importing_the_engine_imports_neither_verovio_nor_pillow() -> None:
    code = "import sys, model_runtime.engines.verovio; print({'verovio', 'PIL', 'resvg_py'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
