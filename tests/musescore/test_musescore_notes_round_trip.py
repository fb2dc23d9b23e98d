"""Notes by cursor in a real MuseScore 3: what is read is what stands there, what is inserted is what was read."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_documents import PIANO, figures, made, note, two_hands

from benchmarks.musescore_plugin import Outcome, read_notes, write_notes
from benchmarks.written_notes import WrittenNote, equal_notes, written_notes
from model_runtime.files.notes import KeyChange, MeterChange, NotesDocument, Part, notation_to_notes, notes_to_notation
from model_runtime.modality import Notation


def score_of(document: NotesDocument, path: Path) -> Path:
    path.write_bytes(notes_to_notation(document).musicxml)
    return path


def emptied(document: NotesDocument, **more: object) -> NotesDocument:
    return document.model_copy(update={"notes": (), "dynamics": (), **more})


def assert_equal(found: list[WrittenNote], wanted: list[WrittenNote]) -> None:
    assert len(found) == len(wanted) == equal_notes(found, wanted)


def inserted(document: NotesDocument, into: NotesDocument, folder: Path, **place: int) -> Outcome:
    answer = score_of(document, folder / "answer.musicxml")
    return write_notes(score_of(into, folder / "score.musicxml"), document, folder, musicxml=answer, **place)


def carried(document: NotesDocument) -> set[tuple[object, ...]]:
    """What a document says of its notes; places in tuplets, which are rounded one way or the other, counted out."""
    return {
        (
            *(
                n.tick if n.tuplet is None else round((n.tick - (n.tuplet.tick or 0)) / n.duration),
                n.pitch,
                n.staff,
                n.staff_move,
                n.voice,
                n.step,
                n.alter,
                n.tie_start,
                n.tie_stop,
            ),
            *(n.grace, frozenset(n.articulations), n.lyrics),
            n.tuplet and (n.tuplet.actual, n.tuplet.normal, n.tuplet.type, n.tuplet.tick),
        )
        for n in document.notes
    }


@pytest.mark.parametrize("name", list(made()))
def test_what_is_read_by_cursor_is_what_stands_there_and_comes_back(name: str, tmp_path: Path) -> None:
    reading = read_notes(score_of(made()[name], tmp_path / "score.musicxml"), tmp_path)
    document = NotesDocument.model_validate(reading.reply["document"])
    assert reading.reply["warnings"] == []
    exported = notation_to_notes(Notation(reading.score))
    assert carried(document) == carried(exported)
    for same in ("length", "pickup", "meters", "keys", "dynamics"):
        assert getattr(document, same) == getattr(exported, same)
    written = inserted(document, emptied(document), tmp_path)
    assert written.reply["warnings"] == []
    assert_equal(written_notes(written.score), written_notes(reading.score))
    assert carried(notation_to_notes(Notation(written.score))) == carried(exported)
    assert written_notes(written.undone) == [], "one undo takes all of it back"


def test_a_score_that_is_too_short_grows_and_takes_over_the_meters(tmp_path: Path) -> None:
    document = two_hands()
    plain = NotesDocument(length=1920, meters=(MeterChange(numerator=4, denominator=4),), parts=PIANO)
    written = inserted(document, plain, tmp_path)
    found = notation_to_notes(Notation(written.score))
    assert found.meters == document.meters
    assert found.length < document.length + 1440, "not more measures than it takes"
    assert {(n.tick, n.pitch, n.staff, n.voice) for n in found.notes} == {
        (n.tick, n.pitch, n.staff, n.voice) for n in document.notes
    }
    # 3.2 has no way to make a key signature; the accidentals are there
    assert written.reply["warnings"] == [{"code": "key", "count": 2}]
    undone = notation_to_notes(Notation(written.undone))
    assert (undone.length, undone.notes, undone.meters) == (1920, (), plain.meters)


def test_an_answer_replaces_what_stood_at_its_place_and_nothing_else(tmp_path: Path) -> None:
    meters = (MeterChange(numerator=4, denominator=4),)
    before = [note(tick, 480, 60 + tick // 480, staff=staff) for tick in range(0, 7680, 480) for staff in (1, 2)]
    score = NotesDocument(length=7680, meters=meters, parts=PIANO, notes=tuple(before))
    answer = NotesDocument(
        length=1920,
        meters=meters,
        parts=(Part(staves=1),),
        notes=(note(0, 960, 84), note(960, 480, 86), note(0, 480, 74, voice=2)),
    )
    written = inserted(answer, score, tmp_path, tick=3840, staff=1)
    found = notation_to_notes(Notation(written.score)).notes
    kept = {(n.tick, n.pitch, n.staff) for n in before if n.staff == 1 or not 3840 <= n.tick < 5760}
    assert {(n.tick, n.pitch, n.staff) for n in found} == kept | {(3840, 84, 2), (4800, 86, 2), (3840, 74, 2)}
    assert_equal(written_notes(written.undone), written_notes(notes_to_notation(score).musicxml))


def graced(document: NotesDocument) -> NotesDocument:
    """With a grace note, so that MuseScore 3 has to paste it."""
    return document.model_copy(update={"notes": (note(0, 240, 71, grace="appoggiatura"), *document.notes)})


@pytest.mark.parametrize("document", [graced(two_hands()), figures()], ids=["two hands", "figures"])
def test_what_is_pasted_from_its_own_format_is_what_would_be_pasted_from_musicxml(
    document: NotesDocument, tmp_path: Path
) -> None:
    answer = score_of(document, tmp_path / "answer.musicxml")
    score = score_of(emptied(document), tmp_path / "score.musicxml")
    own = write_notes(score, document, tmp_path, musicxml=answer)
    answer.write_bytes(answer.read_bytes().replace(b"<score-partwise", b"<!-- <slur> --><score-partwise"))
    opened = write_notes(score, document, tmp_path, musicxml=answer)
    assert own.reply["warnings"] == opened.reply["warnings"] == []
    assert_equal(written_notes(own.score), written_notes(opened.score))
    ours, theirs = notation_to_notes(Notation(own.score)), notation_to_notes(Notation(opened.score))
    assert carried(ours) == carried(theirs)
    assert (ours.dynamics, ours.tempos) == (theirs.dynamics, theirs.tempos)
    assert written_notes(own.undone) == []


def test_slurs_of_the_answer_come_along(tmp_path: Path) -> None:
    document = graced(two_hands())
    answer = score_of(document, tmp_path / "answer.musicxml")
    first, rest = answer.read_bytes().split(b"<staccato/>", 1)
    assert b"<articulations>" in first
    begun = first.rpartition(b"<articulations>")[0] + b'<slur type="start" number="1"/><articulations><staccato/>'
    ended = rest.replace(b"<tied", b'<slur type="stop" number="1"/><tied', 1)
    answer.write_bytes(begun + ended)
    score = score_of(emptied(document), tmp_path / "score.musicxml")
    written = write_notes(score, document, tmp_path, musicxml=answer)
    assert written.score.count(b"<slur ") == 2
    assert_equal(written_notes(written.score), written_notes(answer.read_bytes()))


def test_an_answer_that_ends_within_a_measure_leaves_the_rest_of_it(tmp_path: Path) -> None:
    meters = (MeterChange(numerator=4, denominator=4),)
    before = [note(tick, 480, 60 + tick // 480) for tick in range(0, 3840, 480)]
    score = NotesDocument(length=3840, meters=meters, parts=(Part(),), notes=tuple(before))
    answer = NotesDocument(
        length=960, meters=meters, parts=(Part(),), notes=(note(0, 960, 84), note(0, 240, 83, grace="acciaccatura"))
    )
    written = inserted(answer, score, tmp_path, tick=1920)
    found = notation_to_notes(Notation(written.score)).notes
    kept = {(n.tick, n.pitch) for n in before if not 1920 <= n.tick < 2880}
    assert {(n.tick, n.pitch) for n in found} == kept | {(1920, 84), (1920, 83)}


def test_a_selection_is_read_from_its_own_beginning(tmp_path: Path) -> None:
    score = score_of(two_hands(), tmp_path / "score.musicxml")
    part = {"startTick": 1920, "endTick": 3360, "startStaff": 1, "endStaff": 2, "isWhole": False}
    document = NotesDocument.model_validate(read_notes(score, tmp_path, part).reply["document"])
    assert [(n.tick, n.pitch, n.staff) for n in document.notes] == [(0, 41, 1), (960, 41, 1), (960, 53, 1)]
    assert document.meters == (MeterChange(numerator=3, denominator=4),)
    assert document.keys == (KeyChange(fifths=2),)
    assert (document.length, document.tempos[0].quarters_per_minute) == (1440, 96)
    assert document.dynamics[0].mark == "f" and document.dynamics[0].staff == 1


def test_instruments_that_transpose_are_read_as_they_sound(tmp_path: Path) -> None:
    notation = notes_to_notation(
        NotesDocument(
            length=1920,
            parts=(Part(name="Clarinet"),),
            keys=(KeyChange(fifths=2),),
            notes=(note(0, 480, 62, step="D", octave=4), note(480, 480, 66, step="F", alter=1, octave=4)),
        )
    )
    transposing = notation.musicxml.replace(
        b"</clef>", b"</clef><transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>", 1
    )
    (tmp_path / "score.musicxml").write_bytes(transposing)
    document = NotesDocument.model_validate(read_notes(tmp_path / "score.musicxml", tmp_path).reply["document"])
    assert [(n.pitch, n.step, n.alter) for n in document.notes] == [(60, "C", 0), (64, "E", 0)]
    assert [key.fifths for key in document.keys] == [0]
