"""Scores become aligned tokens: what is written, what is seen, and what is played."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from model_runtime.tokens.glyphs import compound
from model_runtime.tokens.lmx import lmx_measures
from model_runtime.tokens.score import heads, two_staved_part, visible_part
from model_runtime.tokens.vocabulary import END_ID, MORE_ID, ids_of, symbols_of
from model_runtime.training.corpus import build, read_index, root_of
from model_runtime.training.dataset import Corpus, dev_examples, image_example, performance_example
from model_runtime.training.engrave import EngravedMeasure, Engraver, Style
from model_runtime.training.roundtrip import compare
from model_runtime.training.tuplet_numbers import missing_numbers


@pytest.fixture
def part(scores: Path) -> ET.Element:
    found = two_staved_part(root_of(scores / "1.mxl"))
    assert found is not None
    return found


def test_the_test_split_is_never_built(scores: Path, corpus_folder: Path) -> None:
    assert [split for _, split in read_index(scores)] == ["train", "train", "dev"]
    assert sorted(f.stem for f in corpus_folder.rglob("*.npz")) == ["1", "2", "3"]


def test_building_again_does_only_what_is_missing(scores: Path, corpus_folder: Path) -> None:
    kept, removed = corpus_folder / "train" / "1.npz", corpus_folder / "train" / "2.npz"
    before = kept.stat().st_mtime_ns, removed.read_bytes()
    removed.unlink()
    counts = build(scores, corpus_folder, variants=2, workers=1)
    assert kept.stat().st_mtime_ns == before[0]
    assert len(removed.read_bytes()) == len(before[1])
    assert counts["scores"] == 3 and counts["measures"] == 36


def test_a_score_that_cannot_be_read_is_counted_and_the_others_are_built(scores: Path, tmp_path: Path) -> None:
    for file in scores.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "1.mxl").write_bytes(b"PK not an archive")
    counts = build(tmp_path, tmp_path / "out", variants=1, workers=1)
    assert sum(n for name, n in counts.items() if name.startswith("score failed")) == 1
    assert sorted(f.stem for f in (tmp_path / "out").rglob("*.npz")) == ["2", "3"]


def test_hidden_notes_are_neither_written_nor_seen(part: ET.Element) -> None:
    visible = visible_part(part)
    assert all(n.get("print-object") != "no" for n in visible.iter("note"))
    tokens = lmx_measures(visible)[1].tokens
    assert "print-object:no" not in tokens and "forward" not in tokens
    assert tokens.count("rest") == 1 and "G3" not in tokens[-4:]


def test_a_window_starts_with_key_and_clefs_wherever_it_is_cut(corpus_folder: Path) -> None:
    corpus = Corpus(corpus_folder, ("train",))
    ids, _ = corpus.target(5, 2, with_meter=False)
    head = "measure key:fifths:1 clef:G2 staff:1 clef:F4 staff:2"
    assert " ".join(symbols_of(ids)).startswith(head + " ")
    first, _ = corpus.target(0, 1, with_meter=False)
    assert symbols_of(first)[1:5] == ["key:fifths:1", "time", "beats:4", "beat-type:4"]


def test_every_written_note_points_at_the_glyph_that_shows_it(corpus_folder: Path) -> None:
    corpus = Corpus(corpus_folder, ("train",))
    for first in range(corpus.measures - 1):
        count = corpus.measures_that_follow(first, 2, 0)
        example = image_example(corpus, first, count, 0, 0.0, None)
        assert example is not None and example.target[-1] == END_ID
        for token, pointer in zip(symbols_of(example.target), example.pointers, strict=True):
            if token in ("half", "quarter"):
                shape = symbols_of(example.ids[pointer][:1])[0]
                assert pointer >= 0 and shape in ("head:half", "head:black", "rest:quarter")
                assert (token == "half") == (shape == "head:half")


def test_glyph_heights_are_those_of_the_clefs(part: ET.Element) -> None:
    engraver = Engraver(visible_part(part))
    notes = [n for m in part.findall("measure") for n in m.findall("note") if n.get("print-object") != "no"]
    seen = [
        g
        for m in engraver.engrave(Style())
        for g, n in sorted(zip(m.glyphs, m.notes, strict=True), key=_by_note)
        if n >= 0
    ]
    assert len(seen) == len(notes)
    for glyph, note in zip(seen, notes, strict=True):
        if glyph.kind.startswith("head"):
            step = "CDEFGAB".index(note.findtext("pitch/step", "")) + 7 * int(note.findtext("pitch/octave", "0"))
            lowest = {1: 2 + 7 * 4, 2: 4 + 7 * 2}[glyph.staff]  # E4 and G2 stand on the lowest lines
            assert glyph.position == step - lowest


def _by_note(pair: tuple[object, int]) -> int:
    return pair[1]


def test_fonts_and_spacings_change_places_but_not_what_is_seen(part: ET.Element) -> None:
    engraver = Engraver(visible_part(part))
    plain = engraver.engrave(Style("Leipzig", 3000))
    other = engraver.engrave(Style("Petaluma", 1500, 0.3, 0.55))
    assert max(m.system for m in other) > max(m.system for m in plain)
    for a, b in zip(plain, other, strict=True):
        heads_a = sorted((n, g.kind, g.position) for g, n in zip(a.glyphs, a.notes, strict=True) if n >= 0)
        heads_b = sorted((n, g.kind, g.position) for g, n in zip(b.glyphs, b.notes, strict=True) if n >= 0)
        assert heads_a == heads_b


def test_tuplets_that_the_score_hides_are_numbered_in_the_styles_that_say_so(tuplets: ET.Element) -> None:
    engraver = Engraver(tuplets)
    drawn_twice = [engraver.engrave(Style()) for _ in range(2)]
    numbered = engraver.engrave(Style(tuplet_numbers=True))
    again = engraver.engrave(Style())
    for plain in (*drawn_twice, again):
        assert [kinds_of(m)["tuplet-number"] for m in plain] == [4, 0, 0]
    assert [kinds_of(m)["tuplet-number"] for m in numbered] == [4, 4, 0]
    assert all(g.number == 3 for m in numbered for g in m.glyphs if g.kind == "tuplet-number")
    assert [m.whole for m in numbered] == [True] * 3
    assert tuplets.find(".//notations[@print-object='no']") is not None  # what is written stays as it was
    flags = {Style.random(np.random.default_rng(seed)).tuplet_numbers for seed in range(20)}
    assert flags == {True, False}


def test_a_number_that_is_drawn_is_not_added_again_in_training(tuplets: ET.Element) -> None:
    measures = lmx_measures(tuplets)
    added = {}
    for numbers in (False, True):
        engraved = Engraver(tuplets).engrave(Style(tuplet_numbers=numbers))
        added[numbers] = []
        for measure, drawn in zip(measures, engraved, strict=True):
            rows = {note: row for row, note in enumerate(drawn.notes) if note >= 0}
            ids = np.array([compound(glyph) for glyph in drawn.glyphs], np.int64)
            x = np.array([glyph.x for glyph in drawn.glyphs])
            shows = [rows.get(note, -1) for note in measure.notes]
            added[numbers].append(len(missing_numbers(ids_of(measure.tokens), shows, ids, x)))
    assert added == {False: [0, 4, 4], True: [0, 0, 4]}


def test_brackets_of_tuplets_and_repeats_are_seen(tuplets: ET.Element) -> None:
    first, second, last = (kinds_of(m) for m in Engraver(tuplets).engrave(Style()))
    assert first["tuplet-bracket:left"] == first["tuplet-bracket:right"] == 4
    assert first["barline:single"] == 1
    assert second["barline:repeat-end"] == 1 and not second["barline:final"]
    assert not last["barline:repeat-end"]


def test_a_slur_over_two_lines_ends_on_both(part: ET.Element) -> None:
    notes = [n for n in part.iter("note") if n.findtext("pitch/step") and n.get("print-object") != "no"]
    for slur in part.iter("notations"):
        slur.clear()
    for note_, kind in ((notes[0], "start"), (notes[-1], "stop")):
        ET.SubElement(ET.SubElement(note_, "notations"), "slur", {"type": kind, "number": "1"})
    engraved = Engraver(visible_part(part)).engrave(Style(page_width=1200))
    lines = 1 + engraved[-1].system
    assert lines > 1
    for end in ("left", "right"):
        assert [m.system for m in engraved for g in m.glyphs if g.kind == f"slur-end:{end}"] == list(range(lines))


def kinds_of(measure: EngravedMeasure) -> Counter[str]:
    return Counter(glyph.kind for glyph in measure.glyphs)


def test_a_performance_holds_each_sounding_note_once(corpus_folder: Path) -> None:
    corpus = Corpus(corpus_folder, ("train",))
    rng = np.random.default_rng(0)
    for _ in range(40):
        example = performance_example(corpus, 2, 2, 0.0, rng)
        assert example is not None
        kinds = symbols_of(example.ids[:, 0])
        complete = example.target[-1] == END_ID
        assert complete or example.target[-1] == MORE_ID
        if complete:
            assert kinds.count("note") == 8  # three above and one below in each of two measures
        assert (np.diff(example.places) >= 0).all()
        pointed = {p for p in example.pointers.tolist() if p >= 0}
        assert all(kinds[p] == "note" for p in pointed) and len(pointed) == 8


def test_the_same_development_windows_come_every_time(corpus_folder: Path) -> None:
    corpus = Corpus(corpus_folder, ("dev",))
    for source in ("image", "performance"):
        once = dev_examples(corpus, source, 5, 7, spoil=True)
        again = dev_examples(corpus, source, 5, 7, spoil=True)
        assert all(
            np.array_equal(a.ids, b.ids) and np.array_equal(a.target, b.target)
            for a, b in zip(once, again, strict=True)
        )


def test_the_scores_come_back_from_lmx_note_by_note(part: ET.Element) -> None:
    counts = compare(part)
    assert counts["windows that are equal"] == counts["windows"] == 3
    assert counts["measures that were repaired"] == 0


def test_what_holds_before_a_measure_is_followed(part: ET.Element) -> None:
    states = heads(visible_part(part))
    assert states[3].fifths == 1 and states[3].meter == (4, 4) and states[3].clefs == {1: "G2", 2: "F4"}
