"""MusicXML, plain and compressed, and what passes for it."""

from __future__ import annotations

import io
import struct
import zipfile
from importlib import util
from pathlib import Path

import pytest
from file_samples import SCORE, musicxml_bytes, write_file

from model_runtime import files
from model_runtime.errors import EngineUnavailable, TooLarge, UnreadableFile, UnsupportedFormat
from model_runtime.files.limits import Limits
from model_runtime.modality import Notation

CONTAINER = """<container><rootfiles>{}</rootfiles></container>"""
ROOTFILE = '<rootfile full-path="{}" media-type="{}"/>'
SCORE_TYPE = "application/vnd.recordare.musicxml+xml"

KERN = "**kern\n*clefG2\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-\n"
ABC = "X:1\nT:Tune\nM:4/4\nL:1/4\nK:C\nCDEF|\n"


def read(tmp_path: Path, content: bytes, name: str = "a.musicxml", limits: Limits | None = None) -> Notation:
    value = files.read(write_file(tmp_path, name, content), limits=limits)
    assert isinstance(value, Notation)
    return value


def steps(notation: Notation) -> list[str | None]:
    return [note.findtext("pitch/step") for note in notation.root.iter("note")]


def mxl(members: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# ---- plain ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1"])
def test_a_score_with_the_usual_document_type_is_read_in_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    notation = read(tmp_path, musicxml_bytes(encoding))
    assert notation.root.findtext("part-list/score-part/part-name") == "Flöte"
    assert notation.measure_count == 1


def test_a_timewise_score_becomes_partwise(tmp_path: Path) -> None:
    measure = (
        '<measure number="{0}"><part id="P1"><note><rest/><duration>4</duration></note></part>'
        '<part id="P2"><note><pitch><step>{1}</step><octave>4</octave></pitch><duration>4</duration></note></part>'
        "</measure>"
    )
    score = (
        '<score-timewise><part-list><score-part id="P1"><part-name/></score-part>'
        '<score-part id="P2"><part-name/></score-part></part-list>'
        f"{measure.format(1, 'A')}{measure.format(2, 'B')}</score-timewise>"
    )
    notation = read(tmp_path, score.encode())
    assert [part.get("id") for part in notation.root.findall("part")] == ["P1", "P2"]
    assert [m.get("number") for m in notation.root.findall("part[@id='P2']/measure")] == ["1", "2"]
    assert steps(notation)[2:] == ["A", "B"]


def test_a_namespace_is_taken_off(tmp_path: Path) -> None:
    score = musicxml_bytes().replace(b"<score-partwise ", b'<score-partwise xmlns="http://www.musicxml.org/x" ')
    assert steps(read(tmp_path, score)) == ["C"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "This is an SVG document, not MusicXML."),
        (b"<museScore version='3.0'/>", "This is a MuseScore file, not MusicXML."),
        (b"<mei xmlns='http://www.music-encoding.org/ns/mei'/>", "This is an MEI document, not MusicXML."),
        (b"<!DOCTYPE html><html></html>", "This is a web page, not MusicXML."),
        (b"<feed/>", "This is an XML document (feed), not MusicXML."),
    ],
)
def test_another_kind_of_xml_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(tmp_path, content, "a.xml")
    assert caught.value.message == sentence


def test_a_score_without_music_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no part with a measure"):
        read(tmp_path, b"<score-partwise><part-list/></score-partwise>")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = musicxml_bytes().rstrip()
    for size in range(30, len(whole), 7):
        with pytest.raises(UnreadableFile):
            read(tmp_path, whole[:size])


BILLION_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE score-partwise [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><score-partwise><part id="P1"><measure>&c;</measure></part>'
    b"</score-partwise>"
)
OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE score-partwise [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    b'<score-partwise><part id="P1"><measure><x>&x;</x></measure></part></score-partwise>'
)
UNDECLARED = (
    b'<?xml version="1.0"?><!DOCTYPE score-partwise SYSTEM "http://localhost:1/x.dtd">'
    b'<score-partwise><part id="P1"><measure><x>&x;</x></measure></part></score-partwise>'
)


@pytest.mark.parametrize("hostile", [BILLION_LAUGHS, OUTSIDE, UNDECLARED], ids=["laughs", "file", "elsewhere"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_and_never_followed(tmp_path: Path, hostile: bytes, encoding: str) -> None:
    with pytest.raises(UnreadableFile, match="entities"):
        read(tmp_path, hostile.decode().encode(encoding))


def test_an_encoding_in_which_an_attack_could_hide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="encoding"):
        read(tmp_path, b'<?xml version="1.0" encoding="UTF-7"?><score-partwise/>')


def test_more_notes_than_a_score_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="1 notes, and at most 0"):
        read(tmp_path, musicxml_bytes(), limits=Limits(notes=0))


# ---- compressed ----------------------------------------------------------------------------------------------------


def test_compressed_musicxml_comes_back_as_it_was_written(tmp_path: Path) -> None:
    notation = read(tmp_path, musicxml_bytes())
    for name in ("a b.musicxml", "a 'b' \"c\".mxl", "🎹.mxl", "a.xml"):
        assert files.write(notation, tmp_path / name) == [tmp_path / name]
        back = files.read(tmp_path / name)
        assert isinstance(back, Notation)
        assert steps(back) == steps(notation)


def test_of_several_rootfiles_the_first_score_is_read(tmp_path: Path) -> None:
    container = CONTAINER.format(ROOTFILE.format("a.pdf", "application/pdf") + ROOTFILE.format("b.xml", SCORE_TYPE))
    members = {"META-INF/container.xml": container, "a.pdf": "%PDF-", "b.xml": musicxml_bytes()}
    assert steps(read(tmp_path, mxl(members), "a.mxl")) == ["C"]


def test_without_a_container_an_only_score_is_found_and_two_are_refused(tmp_path: Path) -> None:
    assert steps(read(tmp_path, mxl({"a.xml": musicxml_bytes()}), "a.mxl")) == ["C"]
    with pytest.raises(UnreadableFile, match="which of its files"):
        read(tmp_path, mxl({"a.xml": musicxml_bytes(), "b.xml": musicxml_bytes()}), "a.mxl")


@pytest.mark.parametrize("outside", ["../../etc/passwd", "/etc/passwd", "C:\\score.xml", "..\\x.xml"])
def test_a_container_that_names_a_file_outside_is_refused(tmp_path: Path, outside: str) -> None:
    members = {"META-INF/container.xml": CONTAINER.format(ROOTFILE.format(outside, SCORE_TYPE)), outside: "x"}
    with pytest.raises(UnreadableFile, match="outside itself"):
        read(tmp_path, mxl(members), "a.mxl")


def test_a_container_that_names_nothing_or_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="holds no score"):
        read(tmp_path, mxl({"META-INF/container.xml": CONTAINER.format("")}), "a.mxl")
    missing = CONTAINER.format(ROOTFILE.format("b.xml", SCORE_TYPE))
    with pytest.raises(UnreadableFile, match="does not hold"):
        read(tmp_path, mxl({"META-INF/container.xml": missing}), "a.mxl")


def test_a_zip_bomb_is_refused_by_its_ratio_and_by_its_size(tmp_path: Path) -> None:
    bomb = mxl({"a.xml": b"<score-partwise>" + b" " * 30_000_000})
    with pytest.raises(TooLarge, match="times its size"):
        read(tmp_path, bomb, "a.mxl")
    with pytest.raises(TooLarge, match="unpacks to 30 MB"):
        read(tmp_path, bomb, "a.mxl", Limits(unpacked_bytes=1_000_000))


def test_a_zip_bomb_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    honest = mxl({"a.xml": b"<score-partwise>" + b" " * 30_000_000})
    lying = honest.replace(struct.pack("<I", 30_000_016), struct.pack("<I", 1000))
    assert lying != honest
    with pytest.raises((TooLarge, UnreadableFile)):
        read(tmp_path, lying, "a.mxl", Limits(unpacked_bytes=2_000_000))


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    archive = bytearray(mxl({"a.xml": musicxml_bytes()}))
    central = archive.index(b"PK\x01\x02")
    archive[6] |= 1
    archive[central + 8] |= 1
    with pytest.raises(UnreadableFile, match="encrypted"):
        read(tmp_path, bytes(archive), "a.mxl")


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    whole = mxl({"a.xml": musicxml_bytes()})
    for size in range(4, len(whole), 11):
        with pytest.raises(UnreadableFile, match="truncated or damaged"):
            read(tmp_path, whole[:size], "a.mxl")


def test_a_musescore_file_is_named_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="This is a MuseScore file, not compressed MusicXML") as caught:
        read(tmp_path, mxl({"a.mscx": "<museScore/>"}), "a.mxl")
    assert caught.value.hint == "Export it as MusicXML."


# ---- kern and ABC --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "content"), [("a.krn", KERN), ("a.kern", KERN), ("a.abc", ABC), ("tune", ABC)])
def test_kern_and_abc_become_notation(tmp_path: Path, name: str, content: str) -> None:
    assert steps(read(tmp_path, content.encode(), name)) == ["C", "D", "E", "F"]


def test_without_music21_kern_is_refused_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = util.find_spec
    monkeypatch.setattr("model_runtime.files.kern.find_spec", lambda name: None if name == "music21" else found(name))
    with pytest.raises(UnsupportedFormat, match="music21") as caught:
        read(tmp_path, KERN.encode(), "a.krn")
    assert caught.value.hint == "pip install 'scorebridge[formats]'"


@pytest.mark.parametrize("name", ["a.krn", "a.abc"])
@pytest.mark.parametrize("content", [b"nothing musical", b"\x00\x01\x02", b"**kern\n*-\n", b"X:1\nK:C\n"])
def test_text_without_notes_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises((UnreadableFile, UnsupportedFormat)):
        read(tmp_path, content, name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.abc", ABC.replace("CDEF", "C99999")),
        ("a.abc", ABC.replace("4/4", "99999/4")),
        ("a.krn", KERN.replace("4d", "99999d")),
    ],
)
def test_a_length_that_would_fill_a_million_measures_is_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(UnreadableFile, match="no music has"):
        read(tmp_path, content.encode(), name)


def test_a_notation_can_be_had_as_a_music21_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notation = Notation(SCORE.format(encoding="UTF-8").encode())
    score = files.music21_score(notation)
    assert [note.nameWithOctave for note in score.recurse().notes] == ["C5"]
    monkeypatch.setitem(__import__("sys").modules, "music21", None)
    with pytest.raises(EngineUnavailable, match="music21 is not installed"):
        files.music21_score(notation)
