"""Pages are engraved and read, and what was seen in each measure is paired with what is written there."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from model_runtime.tokens.glyphs import from_compound
from model_runtime.tokens.score import two_staved_part
from model_runtime.tokens.vocabulary import END_ID, symbols_of
from model_runtime.training import corpus as corpus_steps
from model_runtime.training.corpus import root_of
from model_runtime.training.dataset import Corpus, image_example
from model_runtime.training.editions import EngravedPage, MeasureBox, MuseScoreStyle, by_musescore, by_verovio, spoilt
from model_runtime.training.image.dataset import totals
from model_runtime.training.image.degrade import Damage
from model_runtime.training.seen import build, seen_windows
from model_runtime.training.seen_errors import errors_table
from model_runtime.training.seen_pages import EDITIONS, printed, tasks_of
from model_runtime.unified.image_reader import ImageReader


@pytest.fixture(scope="module")
def reader() -> ImageReader:
    return ImageReader(threads=1)


@pytest.fixture
def part(scores: Path) -> ET.Element:
    found = two_staved_part(root_of(scores / "1.mxl"))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def folder(scores: Path, reader: ImageReader, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seen windows of both training scores, in one edition each."""
    out = tmp_path_factory.mktemp("seen")
    build(tasks_of(scores, "train"), out / "train", 1000, reader, seed=6, most_rounds=1)
    return out


def test_what_was_seen_of_a_musescore_page_is_paired_with_its_own_measure(
    part: ET.Element, reader: ImageReader
) -> None:
    pages, truth = printed(part, "MuseScore", (1,))
    counts: Counter[str] = Counter()
    windows = seen_windows(pages, truth, reader, np.random.default_rng(0), counts)
    assert counts["true measures"] == 12 and len(windows) >= 9
    for window in windows:
        exact = {(g.staff, g.position) for g in truth.exact[window.number].glyphs if g.kind.startswith("head")}
        seen = {(g.staff, g.position) for g in window.glyphs if g.kind.startswith("head")}
        assert len(exact & seen) >= 3, "each measure has other notes than its neighbours"


def test_measures_stand_where_barlines_are_drawn(part: ET.Element) -> None:
    part.set("id", "P1")
    by_edition = {
        "MuseScore": by_musescore(part, MuseScoreStyle()),
        "Verovio": by_verovio(part, 1, np.random.default_rng(3)),
    }
    for edition, pages in by_edition.items():
        boxes = [b for p in pages for b in p.measures]
        assert [b.number for b in boxes] == list(range(len(boxes))), edition
        page = pages[0]
        inner = [a for a, b in zip(page.measures, page.measures[1:], strict=False) if a.system == b.system]
        dark = [_darkest_column(page, box) for box in inner]
        assert len(dark) > 2 and np.mean(dark) > 0.9, edition


def test_music_behind_a_mordent_is_printed_by_musescore(part: ET.Element) -> None:
    part.set("id", "P1")
    plain = by_musescore(part, MuseScoreStyle())[0]
    note = part[0].find("note")
    assert note is not None
    notations = note.find("notations")
    assert notations is not None
    ET.SubElement(ET.SubElement(notations, "ornaments"), "mordent")
    marked = by_musescore(part, MuseScoreStyle())[0]
    ink = [(page.pixels < 128).sum() for page in (plain, marked)]
    assert ink[1] > ink[0]


def _darkest_column(page: EngravedPage, box: MeasureBox) -> float:
    """Share of ink between a measure's top and bottom in the darkest column near its right edge."""
    rows = slice(round(box.top), round(box.bottom))
    columns = slice(round(box.right - 0.6 * page.space_px), round(box.right + 0.6 * page.space_px))
    return float((page.pixels[rows, columns] < 128).mean(axis=0).max())


def test_measures_of_a_spoilt_page_stand_where_they_went() -> None:
    pixels = np.full((600, 500), 255, np.uint8)
    pixels[200:300, 250:254] = 0
    page = EngravedPage(pixels, (MeasureBox(0, 0, 100, 200, 252, 300),), 12.0)
    bent = spoilt(page, Damage(turn=0.05, space_px=9.0), np.random.default_rng(0))
    (box,) = bent.measures
    ys, xs = np.nonzero(bent.pixels < 128)
    middle = np.abs(ys - (box.top + box.bottom) / 2) < 5
    assert abs(xs[middle].mean() - box.right) < 2
    assert abs((box.bottom - box.top) - 75) < 2


def test_the_trunk_can_learn_from_the_files(folder: Path) -> None:
    corpus = Corpus(folder, ("train",))
    assert corpus.measures >= 16 and corpus.variants == 1
    pointed = 0
    for measure in range(corpus.measures):
        assert corpus.measures_that_follow(measure, 4, 0) == 1
        example = image_example(corpus, measure, 1, 0, 0.0, None)
        assert example is not None and example.target[-1] == END_ID
        assert symbols_of(example.target)[:2] == ["measure", "key:fifths:1"]
        glyphs = [from_compound(row, float(x)) for row, x in zip(example.ids.tolist(), example.places, strict=True)]
        assert sum(g.kind.startswith("clef:") for g in glyphs) >= 2, "clefs are printed or carried"
        pointed += int((example.pointers >= 0).any())
    assert pointed > 0.8 * corpus.measures


def test_windows_within_a_line_carry_what_the_engine_carries(folder: Path) -> None:
    corpus = Corpus(folder, ("train",))
    starts = corpus.glyph_offsets[0]
    first = [symbols_of(corpus.glyph_ids[0][start][:2]) for start in starts[:-1]]
    carried = [kind == ["meter:digits", "on-staff:0"] for kind in first]
    assert sum(carried) >= corpus.measures - 6
    assert (corpus.meter == 0).all(), "the metre stands among the glyphs and is not put there a second time"


def test_building_again_reads_nothing_again(folder: Path, scores: Path, reader: ImageReader) -> None:
    before = {file: file.stat().st_mtime_ns for file in (folder / "train").iterdir()}
    counts = build(tasks_of(scores, "train"), folder / "train", 1000, reader, seed=6, most_rounds=1)
    assert {file: file.stat().st_mtime_ns for file in (folder / "train").iterdir()} == before
    assert counts["scores"] == 2 and counts["windows kept"] == totals(folder / "train")["windows kept"] >= 16


def test_the_table_says_what_was_missed(folder: Path) -> None:
    table = errors_table(totals(folder / "train"), EDITIONS)
    assert any(f"## {edition}:" in table for edition in EDITIONS)
    assert "| head:black |" in table


def test_a_score_that_cannot_be_engraved_is_counted(tmp_path: Path, reader: ImageReader) -> None:
    counts = build([("odd", lambda: None)], tmp_path / "train", 10, reader, most_rounds=1)
    assert counts == {"scores": 1, "ms engraving": counts["ms engraving"], "score failed: no such part": 1}


def test_the_command_for_the_corpus_offers_it(scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--kind", "seen", "--data", str(scores), "--out", str(tmp_path), "--split", "dev", "--measures", "1"]
    monkeypatch.setattr(sys, "argv", ["corpus", *arguments])
    corpus_steps.main()
    assert (tmp_path / "totals-dev.json").is_file() and list((tmp_path / "dev").glob("0-3.npz"))
