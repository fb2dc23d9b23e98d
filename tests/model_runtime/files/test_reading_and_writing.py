"""The one way in and the one way out: names, contents, full disks and whatever a stranger may send."""

from __future__ import annotations

import os
import random
import resource
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from file_samples import (
    midi_bytes,
    musicxml_bytes,
    pdf_bytes,
    performance,
    picture_bytes,
    recording,
    sound_bytes,
    write_file,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from model_runtime import files
from model_runtime.errors import InvalidValue, MusicError, UnreadableFile, UnsupportedFormat
from model_runtime.modality import Audio, Clip, Modality, Notation, Performance, ScoreImage, modality_of

ODD_NAMES = ["with space", 'it\'s "quoted"', "🎹 é ñ 音", "-dash", "dots.and.dots", "$(echo)&;"]


def sample(name: str, tmp_path: Path) -> bytes:
    """A valid file of each format, by its ending."""
    written: dict[str, Callable[[], bytes]] = {
        "png": lambda: picture_bytes("PNG"),
        "jpg": lambda: picture_bytes("JPEG"),
        "tif": lambda: picture_bytes("TIFF"),
        "webp": lambda: picture_bytes("WEBP"),
        "bmp": lambda: picture_bytes("BMP"),
        "pdf": pdf_bytes,
        "musicxml": musicxml_bytes,
        "wav": lambda: sound_bytes("WAV", seconds=0.1),
        "flac": lambda: sound_bytes("FLAC", seconds=0.1),
        "ogg": lambda: sound_bytes("OGG", seconds=0.1),
        "mp3": lambda: sound_bytes("MP3", seconds=0.1),
        "aiff": lambda: sound_bytes("AIFF", seconds=0.1),
        "krn": lambda: b"**kern\n*clefG2\n*M4/4\n=1\n4c\n8d#L\n8eJ\n4r\n4.f\n==\n*-\n",
        "abc": lambda: b"X:1\nT:Tune\nM:4/4\nL:1/4\nK:G\nC^DE2|(3FGA [CEG]2|\n",
    }
    if name in written:
        return written[name]()
    value = files.read(write_file(tmp_path, "made.musicxml", musicxml_bytes()))
    path = tmp_path / f"made.{name}"
    files.write(performance() if name in ("mid", "events.json") else value, path)
    return path.read_bytes()


ENDINGS = [
    "png", "jpg", "tif", "webp", "bmp", "pdf", "musicxml", "mxl", "notes.json", "krn", "abc", "mid", "events.json",
    "wav", "flac", "ogg", "mp3", "aiff",
]  # fmt: skip


def kind(ending: str) -> Modality:
    named = files.format_named(ending.removesuffix(".json"))
    return named.modality


# ---- which format --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_is_read_by_its_ending_by_declaration_and_by_its_content(tmp_path: Path, ending: str) -> None:
    content = sample(ending, tmp_path)
    named = write_file(tmp_path, f"a.{ending.upper()}", content)
    nameless = write_file(tmp_path, "no ending", content)
    assert modality_of(files.read(named)) is kind(ending)
    assert modality_of(files.read(nameless)) is kind(ending)
    assert modality_of(files.read(nameless, format=ending.removesuffix(".json"))) is kind(ending)


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (picture_bytes("PNG"), "a.mid", "This is a PNG picture, not a MIDI file."),
        (midi_bytes(b"MTrk\x00\x00\x00\x00"), "a.wav", "This is a MIDI file, not a WAV recording."),
        (sound_bytes("FLAC"), "a.pdf", "This is a FLAC recording, not a PDF document."),
        (pdf_bytes(), "a.mxl", "This is a PDF document, not compressed MusicXML."),
        (musicxml_bytes("UTF-16"), "a.png", "This is MusicXML, not a PNG picture."),
        (sound_bytes("WAV"), "a.mid", "This is a WAV recording, not a MIDI file."),
        (b"\x1f\x8b\x08", "a.mid", "This is a gzip archive, not a MIDI file."),
        (b"GIF89a", "a.png", "This is a GIF picture, not a PNG picture."),
        (b"\x00\x00\x00\x20ftypM4A ", "a.wav", "This is an MP4 or M4A file, not a WAV recording."),
    ],
)
def test_what_a_file_really_is_is_said_in_one_sentence(
    tmp_path: Path, content: bytes, name: str, sentence: str
) -> None:
    with pytest.raises(UnreadableFile) as caught:
        files.read(write_file(tmp_path, name, content))
    assert caught.value.message == sentence


def test_a_picture_of_another_kind_than_its_name_is_read_all_the_same(tmp_path: Path) -> None:
    assert isinstance(files.read(write_file(tmp_path, "a.png", picture_bytes("JPEG"))), ScoreImage)
    assert isinstance(files.read(write_file(tmp_path, "a.wav", sound_bytes("FLAC"))), Audio)
    assert isinstance(files.read(write_file(tmp_path, "a.mxl", musicxml_bytes())), Notation)


def test_a_file_that_nobody_knows_is_refused_with_what_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        files.read(write_file(tmp_path, "a.xyz", b"\x07\x03 nothing"))
    assert "musicxml" in caught.value.hint
    with pytest.raises(UnsupportedFormat, match="'docx'"):
        files.read(write_file(tmp_path, "b", b"x"), format="docx")
    with pytest.raises(UnsupportedFormat, match="writes but does not read"):
        files.read(write_file(tmp_path, "a.svg", b"<svg/>"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_file_is_refused_in_every_format(tmp_path: Path, ending: str) -> None:
    with pytest.raises(UnreadableFile, match=r"^The file is empty\.$"):
        files.read(write_file(tmp_path, f"a.{ending}", b""))


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no file called"):
        files.read(tmp_path / "missing.mid")
    with pytest.raises(UnreadableFile, match="is a folder"):
        files.read(tmp_path)
    os.mkfifo(tmp_path / "pipe.mid")
    with pytest.raises(UnreadableFile):
        files.read(tmp_path / "pipe.mid")


def test_a_clip_of_a_score_is_refused_and_the_whole_is_not(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.musicxml", musicxml_bytes())
    assert isinstance(files.read(path, clip=Clip()), Notation)
    with pytest.raises(InvalidValue, match="recording or a MIDI file"):
        files.read(path, clip=Clip(offset_s=1.0))


# ---- writing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", ODD_NAMES)
def test_names_of_any_kind_are_written_and_read(tmp_path: Path, stem: str) -> None:
    page = ScoreImage((np.full((9, 9), 255, np.uint8),))
    for value, ending in ((performance(), "mid"), (recording(0.1), "wav"), (page, "png"), (page, "pdf")):
        (path,) = files.write(value, tmp_path / f"{stem}.{ending}")
        assert path == tmp_path / f"{stem}.{ending}"
        assert type(files.read(path)).__mro__[-2] is type(value).__mro__[-2]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_value_is_not_written_in_a_format_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match="performance cannot be written as a WAV recording") as caught:
        files.write(performance(), tmp_path / "a.wav")
    assert "mid" in caught.value.hint
    with pytest.raises(UnsupportedFormat, match="does not say which format"):
        files.write(performance(), tmp_path / "a")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(files.UnwritableFile, match=r"folder for a\.mid does not exist"):
        files.write(performance(), tmp_path / "missing" / "a.mid")


def test_a_written_file_may_be_read_by_whom_the_mask_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        (path,) = files.write(performance(), tmp_path / "a.mid")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


FULL_DISK = """
    import signal, sys
    from pathlib import Path
    import numpy as np
    from model_runtime import files
    from model_runtime.modality import Note, Performance, SampledAudio, ScoreImage
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    noise = np.random.default_rng(0)
    audio = SampledAudio(noise.standard_normal((100_000, 2)).astype(np.float32) / 9, 44100)
    notes = Performance(tuple(Note(i / 100, i / 100 + 0.005, 60) for i in range(9000)))
    page = ScoreImage((noise.integers(0, 255, (400, 400), dtype=np.uint8),))
    targets = ((audio, "wav"), (audio, "flac"), (notes, "mid"), (notes, "events.json"), (page, "png"), (page, "pdf"))
    for value, ending in targets:
        try:
            files.write(value, folder / f"a.{ending}")
        except files.UnwritableFile as error:
            print(ending, error.message)
"""


def test_where_no_room_is_left_a_sentence_is_said_and_nothing_half_is_left(tmp_path: Path) -> None:
    """The system ends every file at 50 kB, as a full disk does, and what was there before stays."""
    (tmp_path / "a.mid").write_bytes(b"before")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = subprocess.run(
        [sys.executable, "-B", "-c", textwrap.dedent(FULL_DISK), str(tmp_path)],
        capture_output=True, text=True, check=True, preexec_fn=limit,
    )  # fmt: skip
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["wav", "flac", "mid", "events.json", "png", "pdf"]
    assert "The disk is full, so a.mid was not written." in done.stdout
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.mid", b"before")]


# ---- whatever a stranger may send ----------------------------------------------------------------------------------


def consumed(path: Path) -> None:
    """Read a file to its end; only a `MusicError` may come out."""
    try:
        value = files.read(path, limits=files.Limits(seconds=600, page_pixels=4_000_000, pages=20))
        if isinstance(value, Audio):
            for _ in value.blocks():
                pass
        if isinstance(value, Notation):
            files.notation_to_notes(value)
        if isinstance(value, Performance):
            files.performance_to_events(value)
    except MusicError as error:
        assert error.message.endswith((".", "!", "?")), error.message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ENDINGS), st.binary(max_size=300))
@example("mid", b"MThd")
@example("wav", b"RIFF\x00\x00\x00\x00WAVEfmt ")
@example("mxl", b"PK\x03\x04")
def test_random_bytes_give_a_value_or_a_refusal(tmp_path: Path, ending: str, content: bytes) -> None:
    consumed(write_file(tmp_path, f"random.{ending}", content))


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 32))
def test_a_damaged_file_gives_a_value_or_a_refusal(tmp_path: Path, ending: str, seed: int) -> None:
    content = bytearray(sample(ending, tmp_path))
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(content))
        damage = chance.choice(["flip", "cut", "repeat", "number"])
        if damage == "flip":
            content[at] ^= 1 << chance.randrange(8)
        elif damage == "cut" and len(content) > 20:
            del content[at : at + chance.randint(1, 16)]
        elif damage == "repeat":
            content[at:at] = content[at : at + chance.randint(1, 40)]
        else:
            content[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"9999", b"-1.5", b"nan "])
        if not content:
            content = bytearray(b"x")
    consumed(write_file(tmp_path, f"damaged.{ending}", bytes(content)))
