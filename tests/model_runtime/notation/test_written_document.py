"""The document itself: valid MusicXML that real readers open, with the marks that a musician expects."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from fractions import Fraction as F
from pathlib import Path

import pytest
from exact_reader import ReadScore, read
from lxml import etree
from score_examples import FOUR_FOUR, chamber_piece, dense_piano

from model_runtime.engines.base import Context
from model_runtime.notation.quantised import (
    QuantisedScore,
    ScoreKey,
    ScoreMeter,
    ScoreNote,
    ScorePedal,
    ScoreTempo,
    ScoreTrack,
)
from model_runtime.notation.write import write_score
from model_runtime.options import Options

EXAMPLES = {"chamber piece": chamber_piece(), "dense piano": dense_piano(), "nothing": QuantisedScore((), FOUR_FOUR)}


def document(score: QuantisedScore, **options: object) -> etree._Element:
    return write_score(score, Options(**options), Context()).root


def sounding(score: ReadScore) -> list[tuple[F, F, int, int]]:
    return sorted((n.onset, n.duration, n.pitch, n.part) for n in score.notes)


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> etree.XMLSchema:
    """The schema that partitura ships, its two imports replaced by what this project writes of them: nothing."""
    folder = tmp_path_factory.mktemp("schema")
    source = Path(sysconfig.get_paths()["purelib"]) / "partitura" / "assets" / "musicxml.xsd"
    attributes = {"xml": ("lang", "space"), "xlink": ("href", "type", "role", "title", "show", "actuate")}
    spaces = {"xml": "http://www.w3.org/XML/1998/namespace", "xlink": "http://www.w3.org/1999/xlink"}
    text = source.read_text(encoding="utf-8")
    for name, space in spaces.items():
        lines = "".join(f'<xs:attribute name="{a}" type="xs:string"/>' for a in attributes[name])
        body = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{space}">{lines}</xs:schema>'
        (folder / f"{name}.xsd").write_text(body)
        text = text.replace(f"http://www.musicxml.org/xsd/{name}.xsd", f"{name}.xsd")
    (folder / "musicxml.xsd").write_text(text, encoding="utf-8")
    return etree.XMLSchema(etree.parse(folder / "musicxml.xsd"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_document_is_valid(name: str, schema: etree.XMLSchema) -> None:
    schema.assertValid(document(EXAMPLES[name]))


@pytest.mark.parametrize("name", EXAMPLES)
def test_musescore_reads_every_note_as_it_was_written(name: str, tmp_path: Path) -> None:
    notation = write_score(EXAMPLES[name], Options(), Context())
    source, target = tmp_path / "in.musicxml", tmp_path / "out.musicxml"
    source.write_bytes(notation.musicxml)
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path)}
    command = ["mscore3", "-o", str(target), str(source)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    ours, theirs = read(notation.musicxml), read(target.read_bytes())
    assert sounding(theirs) == sounding(ours)
    assert theirs.faults == []
    assert theirs.measures == ours.measures


@pytest.mark.parametrize("name", EXAMPLES)
def test_verovio_draws_it_without_a_complaint(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    import verovio

    toolkit = verovio.toolkit()
    toolkit.loadData(write_score(EXAMPLES[name], Options(), Context()).musicxml.decode())
    for page in range(1, toolkit.getPageCount() + 1):
        assert "<svg" in toolkit.renderToSVG(page)
    assert capfd.readouterr().err == ""


def test_an_empty_score_is_one_full_measure_of_rest() -> None:
    root = document(QuantisedScore((), (ScoreMeter(F(0), 3, 4),)))
    assert len(root.findall("part")) == 1
    assert len(root.findall("part/measure")) == 1
    assert [rest.get("measure") for rest in root.iter("rest")] == ["yes", "yes"]
    assert [d.text for d in root.findall("part/measure/note/duration")] == ["3", "3"]


def test_a_score_ends_with_a_final_barline_and_begins_with_its_title() -> None:
    root = document(QuantisedScore((), FOUR_FOUR, title="Op. 1 <“Été” & more>\x07"))
    assert root.findtext("work/work-title") == "Op. 1 <“Été” & more>"
    assert root.findtext("part/measure[last()]/barline/bar-style") == "light-heavy"
    assert document(QuantisedScore((), FOUR_FOUR), title="Asked for").findtext("work/work-title") == "Asked for"


def test_a_pickup_is_measure_zero_and_not_counted() -> None:
    notes = (ScoreNote(F(-1), F(1), 67), ScoreNote(F(0), F(4), 72))
    root = document(QuantisedScore(notes, FOUR_FOUR, pickup=F(1)))
    assert [(m.get("number"), m.get("implicit")) for m in root.findall("part/measure")] == [("0", "yes"), ("1", None)]
    assert read(root).pickup == 1


def test_a_pickup_of_a_third_of_a_beat_is_shown_as_a_beat() -> None:
    notes = (ScoreNote(F(-1, 3), F(1, 3), 67), ScoreNote(F(0), F(4), 72))
    result = read(document(QuantisedScore(notes, FOUR_FOUR, pickup=F(1, 3))))
    assert [(n.onset, n.duration) for n in result.notes] == [(F(-1, 3), F(1, 3)), (F(0), F(4))]
    assert result.faults == []


def test_a_change_of_metre_stands_at_its_barline() -> None:
    notes = (ScoreNote(F(0), F(11), 60),)
    meters = (ScoreMeter(F(0), 4, 4), ScoreMeter(F(8), 3, 4))
    assert read(document(QuantisedScore(notes, meters))).meters == [(0, 4, 4), (8, 3, 4)]


def test_a_given_key_stands_and_changes_where_it_says() -> None:
    notes = (ScoreNote(F(0), F(12), 60),)
    keys = (ScoreKey(F(0), -3, "minor"), ScoreKey(F(8), 2, "major"))
    root = document(QuantisedScore(notes, FOUR_FOUR, keys))
    assert read(root).keys == [(0, -3), (8, 2)]
    assert root.findtext("part/measure/attributes/key/mode") == "minor"


def test_a_tempo_is_seen_and_heard_in_the_value_that_is_counted() -> None:
    notes = (ScoreNote(F(0), F(6), 60),)
    score = QuantisedScore(notes, (ScoreMeter(F(0), 6, 8),), tempos=(ScoreTempo(F(0), 90.0), ScoreTempo(F(3), 61.25)))
    root = document(score)
    assert [m.text for m in root.iter("per-minute")] == ["60", "41"]
    assert len(list(root.iter("beat-unit-dot"))) == 2
    assert [s.get("tempo") for s in root.iter("sound")] == ["90", "61.25"]


def test_the_pedal_is_marked_between_down_and_up() -> None:
    notes = tuple(ScoreNote(F(i), F(1), 48) for i in range(8))
    pedals = (ScorePedal(F(0), F(4)), ScorePedal(F(9, 2), F(15, 2)))
    root = document(QuantisedScore(notes, FOUR_FOUR, pedals=pedals))
    measures = root.findall("part/measure")
    kinds = [[p.get("type") for p in m.iter("pedal")] for m in measures]
    assert kinds == [["start", "stop"], ["start", "stop"]]
    divisions = int(root.findtext("part/measure/attributes/divisions", "0"))
    assert [int(o.text or 0) / divisions for o in measures[1].iter("offset")] == [0.5, 3.5]


def test_dynamics_follow_lasting_changes_and_not_accents() -> None:
    levels = [40] * 4 + [45, 120, 45, 40] + [100] * 8
    notes = tuple(
        ScoreNote(F(i), F(1), 60, velocity=120 if level == 120 else level)
        for i, level in enumerate(level for level in levels for _ in range(4))
    )
    root = document(QuantisedScore(notes, FOUR_FOUR))
    marks = [d[0].tag for d in root.iter("dynamics")]
    assert marks[0] in ("pp", "p")
    assert marks[-1] == "f"
    steady = tuple(ScoreNote(F(i), F(1), 60, velocity=64 + (10 if i % 4 == 0 else -4)) for i in range(64))
    assert [d[0].tag for d in document(QuantisedScore(steady, FOUR_FOUR)).iter("dynamics")] == ["mp"]


def test_ornaments_staccato_and_grace_notes_are_written_at_their_notes() -> None:
    notes = (
        ScoreNote(F(0), F(0), 71, grace=True),
        ScoreNote(F(0), F(1), 72, ornament="trill"),
        ScoreNote(F(1), F(1), 74, ornament="mordent"),
        ScoreNote(F(2), F(1), 76, ornament="tremolo"),
        ScoreNote(F(3), F(1), 77, staccato=True),
        ScoreNote(F(4), F(0), 74, grace=True, order=0),
        ScoreNote(F(4), F(0), 76, grace=True, order=1),
        ScoreNote(F(4), F(4), 77),
    )
    root = document(QuantisedScore(notes, FOUR_FOUR))
    for tag in ("trill-mark", "mordent", "tremolo", "staccato"):
        assert len(list(root.iter(tag))) == 1, tag
    assert [g.get("slash") for g in root.iter("grace")] == ["yes", None, None]
    graces = [(n.onset, n.pitch) for n in read(root).notes if n.grace]
    assert graces == [(0, 71), (4, 74), (4, 76)]


def test_a_grace_note_alone_is_kept() -> None:
    notes = (ScoreNote(F(1), F(0), 71, grace=True), ScoreNote(F(8), F(0), 72, grace=True))
    result = read(document(QuantisedScore(notes, FOUR_FOUR)))
    assert [(n.onset, n.pitch) for n in result.notes] == [(1, 71), (8, 72)]
    assert result.faults == []


def test_instruments_have_their_names_programs_staves_and_clefs() -> None:
    tracks = (ScoreTrack(program=0), ScoreTrack("Solo", 41), ScoreTrack(program=32), ScoreTrack(percussion=True))
    notes = (
        ScoreNote(F(0), F(4), 60, track=0),
        ScoreNote(F(0), F(4), 60, track=1),
        ScoreNote(F(0), F(4), 36, track=2),
        ScoreNote(F(0), F(4), 38, track=3),
    )
    root = document(QuantisedScore(notes, FOUR_FOUR, tracks=tracks))
    assert [n.text for n in root.iter("part-name")] == ["Piano", "Solo", "Acoustic Bass", "Drums"]
    assert [p.text for p in root.iter("midi-program")] == ["1", "42", "33", "1"]
    assert [s.text for s in root.iter("staves")] == ["2"]
    assert root.findall("part-list/score-part")[3].findtext("midi-instrument/midi-channel") == "10"
    assert root.findall("part-list/score-part")[3].findtext("midi-instrument/midi-unpitched") == "39"
    clefs = [(c.findtext("sign"), c.findtext("line"), c.findtext("clef-octave-change")) for c in root.iter("clef")]
    assert clefs == [
        ("G", "2", None),
        ("F", "4", None),
        ("C", "3", None),
        ("F", "4", "-1"),
        ("percussion", None, None),
    ]


def test_drums_are_written_up_to_the_next_stroke_with_the_feet_below() -> None:
    hat = [ScoreNote(F(i, 2), F(1, 32), 42) for i in range(8)]
    kick = [ScoreNote(F(i), F(1, 32), 36) for i in range(0, 4, 2)]
    root = document(QuantisedScore((*hat, *kick), FOUR_FOUR, tracks=(ScoreTrack(percussion=True),)))
    voices = {n.findtext("voice"): [] for n in root.iter("note")}
    for note in root.iter("note"):
        voices[note.findtext("voice")].append((note.findtext("type"), note.find("rest") is not None))
    assert voices["1"] == [("eighth", False)] * 8
    assert voices["2"] == [("quarter", False), ("quarter", True)] * 2


def test_eighths_are_beamed_by_half_measures_and_sixteenths_by_beats() -> None:
    notes = [ScoreNote(F(i, 2), F(1, 2), 72) for i in range(8)] + [
        ScoreNote(4 + F(i, 4), F(1, 4), 72) for i in range(16)
    ]
    root = document(QuantisedScore(tuple(notes), FOUR_FOUR, tracks=(ScoreTrack(program=73),)))
    first = [[b.text for b in n.findall("beam")] for n in root.findall("part/measure[1]/note")]
    assert first == [["begin"], ["continue"], ["continue"], ["end"]] * 2
    second = [[b.text for b in n.findall("beam")] for n in root.findall("part/measure[2]/note")]
    assert second == [["begin"] * 2, ["continue"] * 2, ["continue"] * 2, ["end"] * 2] * 4


def test_a_dotted_eighth_and_sixteenth_share_a_beam_with_a_hook() -> None:
    notes = (ScoreNote(F(0), F(3, 4), 72), ScoreNote(F(3, 4), F(1, 4), 72), ScoreNote(F(1), F(3), 72))
    root = document(QuantisedScore(notes, FOUR_FOUR, tracks=(ScoreTrack(program=73),)))
    beams = [[b.text for b in n.findall("beam")] for n in root.findall("part/measure[1]/note")]
    assert beams == [["begin"], ["end", "backward hook"], []]


def test_accidentals_hold_for_their_measure_and_are_taken_back() -> None:
    pitches = [60, 62, 64, 67, 66, 66, 65, 65, 66, 67, 65, 67, 65, 67, 64, 60]
    notes = tuple(ScoreNote(F(i), F(1), pitch) for i, pitch in enumerate(pitches))
    root = document(QuantisedScore(notes, FOUR_FOUR, (ScoreKey(F(0), 0),), tracks=(ScoreTrack(program=73),)))
    signs = [n.findtext("accidental") for n in root.iter("note")]
    assert signs == [
        *(None, None, None, None),
        *("sharp", None, "natural", None),
        *("sharp", None, "natural", None),
        *(None, None, None, None),
    ]


def test_a_sign_of_the_measure_before_is_taken_back_as_a_courtesy() -> None:
    pitches = [60, 62, 64, 66, 67, 65, 64, 60, 65, 64, 62, 60]
    notes = tuple(ScoreNote(F(i), F(1), pitch) for i, pitch in enumerate(pitches))
    root = document(QuantisedScore(notes, FOUR_FOUR, (ScoreKey(F(0), 0),), tracks=(ScoreTrack(program=73),)))
    signs = [n.findtext("accidental") for n in root.iter("note")]
    assert signs == [None, None, None, "sharp", None, "natural", *[None] * 6]


def test_a_tied_note_keeps_its_sign_without_repeating_it() -> None:
    notes = (ScoreNote(F(2), F(4), 65), ScoreNote(F(6), F(2), 65))
    root = document(QuantisedScore(notes, FOUR_FOUR, (ScoreKey(F(0), 1),), tracks=(ScoreTrack(program=73),)))
    signs = [n.findtext("accidental") for n in root.iter("note") if n.find("pitch") is not None]
    assert signs == ["natural", None, "natural"]


def test_a_chord_of_short_notes_has_one_dot() -> None:
    notes = tuple(ScoreNote(F(0), F(1), pitch, staccato=pitch != 60) for pitch in (60, 64, 67))
    root = document(QuantisedScore(notes, FOUR_FOUR))
    assert len(list(root.iter("staccato"))) == 1
