"""Melodies and reductions to two staves are taken out of a score, and look as the engine would be given them."""

from __future__ import annotations

import csv
import sys
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from model_runtime.tokens.glyphs import from_compound
from model_runtime.tokens.lmx import lmx_measures
from model_runtime.tokens.score import heads, two_staved_part, visible_part
from model_runtime.tokens.vocabulary import symbols_of
from model_runtime.training import corpus as corpus_steps
from model_runtime.training import roundtrip
from model_runtime.training.clefs import under_clef
from model_runtime.training.corpus import build
from model_runtime.training.dataset import Corpus, image_example, performance_example
from model_runtime.training.engrave import Engraver, Style
from model_runtime.training.parts import Music, grand_staff, parts_of, single_staves, staff_alone, staves_of
from model_runtime.training.roundtrip import compare
from model_runtime.training.seen import seen_windows
from model_runtime.training.seen_pages import Truth, printed, tasks_of
from model_runtime.unified.image_reader import ImageReader
from model_runtime.unified.lines_of_music import Line, windows_of

MEASURES = 10
BARLINE_SPACES = 0.4  # between a measure's edge and the middle of its barline
_LETTERS = "CDEFGAB"


def note(pitch: str, length: int, *, voice: int = 1, staff: int = 0, extra: str = "") -> str:
    """A note of so many eighths with a stem; `staff` 0 says nothing."""
    kind = {1: "eighth", 2: "quarter", 4: "half"}[length]
    alter = "<alter>1</alter>" if pitch[0] == "F" else ""  # the key has one sharp
    on = f"<staff>{staff}</staff>" if staff else ""
    return (
        f"<note><pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[1]}</octave></pitch><duration>{length}</duration>"
        f"<voice>{voice}</voice><type>{kind}</type><stem>up</stem>{on}{extra}</note>"
    )


def opening(clefs: str, staves: str = "") -> str:
    return (
        "<attributes><divisions>2</divisions><key><fifths>1</fifths></key><time><beats>4</beats>"
        f"<beat-type>4</beat-type></time>{staves}{clefs}</attributes>"
    )


def clef(sign: str, line: int, *, number: str = "", octave: str = "") -> str:
    change = f"<clef-octave-change>{octave}</clef-octave-change>" if octave else ""
    return f"<clef{number}><sign>{sign}</sign><line>{line}</line>{change}</clef>"


def voice_part(name: str, shift: int, *, octave: str = "", height: int = 4) -> str:
    """A voice with words, as MusicXML of a song has it: it says neither staves nor staff."""
    body = []
    for i in range(MEASURES):
        words = "<lyric><syllabic>single</syllabic><text>la</text></lyric>"
        pitches = [f"{_LETTERS[(i + shift + k) % 7]}{height}" for k in range(3)]
        notes = note(pitches[0], 2, extra=words) + note(pitches[1], 2, extra=words) + note(pitches[2], 4, extra=words)
        start = opening(clef("G", 2, octave=octave)) if i == 0 else ""
        body.append(f'<measure number="{i + 1}">{start}{notes}</measure>')
    return f'<part id="{name}">{"".join(body)}</part>'


def piano_part(name: str) -> str:
    """In the third measure the lower voice goes over to the upper staff."""
    clefs = clef("G", 2, number=' number="1"') + clef("F", 4, number=' number="2"')
    body = []
    for i in range(MEASURES):
        upper = note("B4", 4, staff=1) + note("C5", 4, staff=1)
        crossing = i == 2
        low = f"{_LETTERS[(2 * i) % 7]}3"
        lower = note(low, 4, voice=5, staff=2) + note(
            "E4" if crossing else "G3", 4, voice=5, staff=1 if crossing else 2
        )
        start = opening(clefs, "<staves>2</staves>") if i == 0 else ""
        back = "<backup><duration>8</duration></backup>"
        body.append(f'<measure number="{i + 1}">{start}{upper}{back}{lower}</measure>')
    return f'<part id="{name}">{"".join(body)}</part>'


def song_xml(*parts: str) -> str:
    listed = "".join(f'<score-part id="P{i}"><part-name>x</part-name></score-part>' for i in range(1, len(parts) + 1))
    return f'<score-partwise version="4.0"><part-list>{listed}</part-list>{"".join(parts)}</score-partwise>'


@pytest.fixture
def song() -> ET.Element:
    return ET.fromstring(song_xml(voice_part("P1", 0), piano_part("P2")))


@pytest.fixture
def quartet() -> ET.Element:
    heights = ((0, 5, ""), (4, 4, ""), (2, 3, "-1"), (1, 3, "-1"))
    voices = (voice_part(f"P{i}", s, height=h, octave=o) for i, (s, h, o) in enumerate(heights, 1))
    return ET.fromstring(song_xml(*voices))


def taken(root: ET.Element, music: Music, seed: int = 0) -> dict[str, ET.Element]:
    return {p.name: p.part for p in parts_of(root, music, np.random.default_rng(seed))}


def pitches(part: ET.Element) -> list[str]:
    return [f"{n.findtext('pitch/step')}{n.findtext('pitch/octave')}" for n in part.iter("note") if n.find("pitch")]


def test_a_melody_has_one_staff_and_one_clef_and_no_signs_of_staves(song: ET.Element) -> None:
    part = single_staves(song)[0].part
    visible = visible_part(part)
    assert [head.clefs for head in heads(visible)] == [{1: "G2"}] * (MEASURES + 1)
    first, second = lmx_measures(visible)[:2]
    assert first.tokens[:7] == ("measure", "key:fifths:1", "time", "beats:4", "beat-type:4", "clef:G2", "staff:1")
    assert not any(token.startswith(("staff:", "clef:")) for token in (*first.tokens[7:], *second.tokens))
    assert pitches(part) == pitches(song[1])[: 3 * MEASURES]


def test_some_scores_give_a_hand_of_the_piano_too_and_some_voices_come_under_a_bass_clef(song: ET.Element) -> None:
    drawn = [taken(song, Music.MELODY, seed) for seed in range(60)]
    names = Counter(name for parts in drawn for name in parts)
    assert names["part1"] == 60 and 5 < names["upper"] < 25 and 5 < names["lower"] < 25
    clefs = Counter(parts["part1"].findtext("measure/attributes/clef/sign") for parts in drawn)
    assert clefs["G"] > 35 and 3 < clefs["F"] < 25


def test_notes_under_a_clef_with_an_eight_are_where_the_eye_sees_them(quartet: ET.Element) -> None:
    tenor = single_staves(quartet)[2].part
    assert tenor.find("measure/attributes/clef/clef-octave-change") is None
    assert pitches(tenor) == [f"{p[0]}{int(p[1]) + 1}" for p in pitches(quartet.findall("part")[2])]


def test_a_hand_stands_alone_with_voices_counted_from_one(song: ET.Element) -> None:
    piano = two_staved_part(song)
    assert piano is not None
    lower, emptied = staff_alone(piano, 2)
    assert emptied == 1
    assert {n.findtext("voice") for n in lower.iter("note")} == {"1"}
    by_measure = [[n.findtext("type", "rest") for n in measure.iter("note")] for measure in lower]
    assert by_measure == [["rest"] if i == 2 else ["half", "half"] for i in range(MEASURES)]
    upper, emptied = staff_alone(piano, 1)
    assert emptied == 1, "the note from below would stand there without its voice"
    assert pitches(upper) == ["B4", "C5"] * (MEASURES - 1)


def test_a_voice_over_the_left_hand_is_a_grand_staff(song: ET.Element) -> None:
    found = taken(song, Music.REDUCTION)
    assert list(found) == ["part1-over-lower"]
    part = found["part1-over-lower"]
    assert staves_of(part) == 2
    visible = visible_part(part)
    assert heads(visible)[1].clefs == {1: "G2", 2: "F4"}
    tokens = lmx_measures(visible)[0].tokens
    assert tokens[5:9] == ("clef:G2", "staff:1", "clef:F4", "staff:2") and tokens.count("backup") == 1
    upper = [n for n in part.iter("note") if n.findtext("staff") == "1"]
    assert len(upper) == 3 * MEASURES and {n.findtext("voice") for n in upper} == {"1"}
    assert {n.findtext("voice") for n in part.iter("note") if n.findtext("staff") == "2"} == {"5"}


def test_four_voices_share_two_staves_and_are_told_apart_by_their_stems(quartet: ET.Element) -> None:
    voices = [single.part for single in single_staves(quartet)]
    part = grand_staff(voices[:2], voices[2:])
    seen = Counter((n.findtext("staff"), n.findtext("voice"), n.findtext("stem")) for n in part.iter("note"))
    expected = {("1", "1", "up"), ("1", "2", "down"), ("2", "5", "up"), ("2", "6", "down")}
    assert seen == dict.fromkeys(expected, 3 * MEASURES)
    assert all(m.whole for m in Engraver(visible_part(part)).engrave(Style()))


def test_parts_with_other_divisions_sound_together(song: ET.Element) -> None:
    voice, piano = single_staves(song)[0].part, two_staved_part(song)
    assert piano is not None
    for element in voice.iter("divisions"):
        element.text = "6"
    for element in voice.iter("duration"):
        element.text = str(3 * int(element.text or "0"))
    lower = staff_alone(piano, 2)[0]
    counts = compare(grand_staff([voice], [lower]))
    assert counts["measures that are equal"] == counts["measures"] == MEASURES


@pytest.mark.parametrize("name", ["F4", "C3", "C4", "C1"])
def test_under_another_clef_heads_stay_on_their_lines_and_pitches_go_along(song: ET.Element, name: str) -> None:
    plain = single_staves(song)[0].part
    flat = plain.find("measure[4]/note")
    assert flat is not None
    ET.SubElement(flat, "accidental").text = "natural"
    alter = flat.find("pitch/alter")
    if alter is not None:
        alter.text = "0"
    moved = under_clef(plain, name)
    assert moved is not plain and heads(visible_part(moved))[1].clefs == {1: name}
    assert pitches(moved) != pitches(plain)
    before, after = (Engraver(visible_part(part)).engrave(Style()) for part in (plain, moved))
    for a, b in zip(before, after, strict=True):
        places = [[(g.position, bool(g.accidental)) for g in m.glyphs if g.kind.startswith("head")] for m in (a, b)]
        assert places[0] == places[1]
    assert compare(moved)["measures that are equal"] == MEASURES


def test_a_part_with_changing_clefs_or_a_far_key_stays_as_it_is(song: ET.Element) -> None:
    part = single_staves(song)[0].part
    assert under_clef(under_clef(part, "F4"), "C3").findtext("measure/attributes/clef/line") == "4"
    odd = part.find("measure/note/pitch/alter")
    step = part.find("measure/note/pitch")
    assert step is not None
    (odd if odd is not None else ET.SubElement(step, "alter")).text = "2"
    assert under_clef(part, "C1") is part or all(
        abs(int(e.text or "0")) <= 2 for e in under_clef(part, "C1").iter("alter")
    )


def test_everything_comes_back_from_lmx_note_by_note(song: ET.Element, quartet: ET.Element) -> None:
    for root in (song, quartet):
        for music in (Music.MELODY, Music.REDUCTION):
            for name, part in taken(root, music, 3).items():
                counts = compare(part)
                assert counts["measures that are equal"] == counts["measures"] == MEASURES, name
                assert not counts["measures that were repaired"], name


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two songs to train with, one to develop with and one never to be read."""
    folder = tmp_path_factory.mktemp("songs")
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "split"])
        rows.writerows([["1", "train"], ["2", "train"], ["3", "dev"], ["4", "test"]])
    for number in range(1, 5):
        with zipfile.ZipFile(folder / f"{number}.mxl", "w") as archive:
            archive.writestr("score.xml", song_xml(voice_part("P1", number), piano_part("P2")))
    return folder


@pytest.fixture(scope="module")
def melodies(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("melodies")
    build(songs, out, variants=2, workers=1, music=Music.MELODY)
    return out


def test_each_melody_is_a_piece_of_the_corpus(melodies: Path) -> None:
    names = sorted(file.stem for file in melodies.rglob("*.npz"))
    assert [name for name in names if name.endswith("+part1")] == ["1+part1", "2+part1", "3+part1"]
    assert not any(name.startswith("4") for name in names)
    corpus = Corpus(melodies, ("train",))
    assert corpus.variants == 2 and corpus.readable.all() and all(whole.all() for whole in corpus.whole)
    rng = np.random.default_rng(0)
    assert performance_example(corpus, 1, 2, 0.0, rng) is not None


def test_a_window_of_a_melody_is_what_the_engine_makes_of_its_line(melodies: Path) -> None:
    corpus = Corpus(melodies, ("train",))
    lines = 0
    for piece in range(len(corpus.names)):
        for variant in range(corpus.variants):
            measures = np.flatnonzero(corpus.piece == piece)
            systems = corpus.system[variant][measures]
            for system in np.unique(systems):
                own = measures[systems == system]
                span = slice(corpus.glyph_offsets[variant][own[0]], corpus.glyph_offsets[variant][own[-1] + 1])
                rows, x = corpus.glyph_ids[variant][span].tolist(), corpus.glyph_x[variant][span].tolist()
                line = Line(tuple(from_compound(row, place) for row, place in zip(rows, x, strict=True)), 1)
                meter = (0, 0) if system == 0 else (4, 4)
                placed = windows_of([line], meter=meter)
                assert len(placed) == len(own)
                lines += 1
                for measure, window in zip(own.tolist(), placed, strict=True):
                    example = image_example(corpus, measure, 1, variant, 0.0, None)
                    assert example is not None
                    given = sorted(zip(window.window.ids.tolist(), window.window.places.tolist(), strict=True))
                    trained = sorted(zip(example.ids.tolist(), example.places.tolist(), strict=True))
                    assert [ids for ids, _ in given] == [ids for ids, _ in trained]
                    assert np.allclose([x for _, x in given], [x for _, x in trained], atol=BARLINE_SPACES)
    assert lines > 6


def test_windows_within_a_line_carry_one_clef(melodies: Path) -> None:
    corpus = Corpus(melodies, ("train",))
    example = image_example(corpus, 2, 1, 0, 0.0, None)
    assert example is not None
    kinds = Counter(symbols_of(example.ids[:, 0]))
    assert sum(count for kind, count in kinds.items() if kind.startswith("clef:")) == 1
    assert sum(token.startswith("clef:") for token in symbols_of(example.target)) <= 1


def test_a_run_that_was_cut_off_goes_on_with_what_is_missing(melodies: Path, songs: Path) -> None:
    kept, removed = melodies / "train" / "1+part1.npz", melodies / "train" / "2+part1.npz"
    before = kept.stat().st_mtime_ns, len(removed.read_bytes())
    removed.unlink()
    counts = build(songs, melodies, variants=2, workers=1, music=Music.MELODY)
    assert kept.stat().st_mtime_ns == before[0] and len(removed.read_bytes()) == before[1]
    assert counts["scores"] == 3 and counts["measures"] == MEASURES * counts["parts"]


def test_what_the_engine_never_gives_is_not_in_the_windows(tuplets: ET.Element, tmp_path: Path) -> None:
    root = ET.Element("score-partwise")
    part = ET.SubElement(root, "part")
    part.extend(tuplets)
    with zipfile.ZipFile(tmp_path / "1.mxl", "w") as archive:
        archive.writestr("score.xml", ET.tostring(root))
    (tmp_path / "index.csv").write_text("id,split\n1,train\n", encoding="utf-8")
    build(tmp_path, tmp_path / "out", variants=1, workers=1)
    with np.load(tmp_path / "out" / "train" / "1.npz") as archive:
        kinds = Counter(symbols_of(archive["glyph_ids_0"][:, 0]))
        assert len(archive["glyph_notes_0"]) == kinds.total()
    assert kinds["tuplet-number"] and not kinds["tuplet-bracket:left"]
    assert kinds["barline:final"] and not kinds["barline:repeat-end"]


def test_the_commands_take_melodies_and_reductions(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reductions"
    arguments = ["--data", str(songs), "--music", "reduction", "--out", str(out), "--variants", "1"]
    monkeypatch.setattr(sys, "argv", ["corpus", *arguments])
    corpus_steps.main()
    assert sorted(file.stem for file in out.rglob("*.npz")) == [f"{i}+part1-over-lower" for i in (1, 2, 3)]
    assert '"measures emptied: a voice goes over to another staff": 3' in (out / "totals.json").read_text("utf-8")
    monkeypatch.setattr(sys, "argv", ["roundtrip", "--data", str(songs), "--music", "reduction"])
    roundtrip.main()
    told = capsys.readouterr().out
    assert '"scores": 3' in told and f'"measures that are equal": {3 * MEASURES}' in told


def test_a_score_without_such_parts_is_counted(scores: Path, tmp_path: Path) -> None:
    counts = build(scores, tmp_path, variants=1, workers=1, music=Music.REDUCTION, limit=1)
    assert counts["score failed: ValueError: no parts to put on two staves"] == 1


def test_what_is_seen_of_a_melody_is_paired_with_its_own_measures(songs: Path) -> None:
    name, load = tasks_of(songs, "train", Music.MELODY)[0]
    part = load()
    assert name == "1" and part is not None and staves_of(part) == 1
    counts: Counter[str] = Counter()
    pages, truth = printed(part, "MuseScore", (1,))
    windows = seen_windows(pages, truth, ImageReader(threads=1), np.random.default_rng(0), counts)
    assert isinstance(truth, Truth) and truth.staves == 1
    assert counts["true measures"] == MEASURES and len(windows) >= MEASURES - 2
    for window in windows:
        assert window.placed.staves == 1 and list(window.placed.head.clefs) == [1]
