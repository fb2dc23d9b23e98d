"""The file formats: names, endings, what each holds, and how its content is recognised."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_runtime.errors import UnsupportedFormat
from model_runtime.modality import Modality

HEAD_BYTES = 1 << 16  # enough for an XML prolog with a long copyright comment


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        name: What messages and options call it: "mid", "musicxml", "wav".
        modality: What it holds.
        noun: How a sentence calls it, with its article: "a MIDI file".
        endings: Of file names, lower case, with the dot.
        readable: Whether ScoreBridge reads it.
        writable: Whether ScoreBridge writes it.
    """

    name: str
    modality: Modality
    noun: str
    endings: tuple[str, ...]
    readable: bool = True
    writable: bool = False


_ALL = (
    Format("png", Modality.SCORE_IMAGE, "a PNG picture", (".png",), writable=True),
    Format("jpeg", Modality.SCORE_IMAGE, "a JPEG picture", (".jpg", ".jpeg", ".jpe", ".jfif")),
    Format("tiff", Modality.SCORE_IMAGE, "a TIFF picture", (".tif", ".tiff")),
    Format("webp", Modality.SCORE_IMAGE, "a WebP picture", (".webp",)),
    Format("bmp", Modality.SCORE_IMAGE, "a BMP picture", (".bmp", ".dib")),
    Format("pdf", Modality.SCORE_IMAGE, "a PDF document", (".pdf",), writable=True),
    Format("svg", Modality.SCORE_IMAGE, "an SVG document", (".svg",), readable=False, writable=True),
    Format("musicxml", Modality.NOTATION, "MusicXML", (".musicxml", ".xml"), writable=True),
    Format("mxl", Modality.NOTATION, "compressed MusicXML", (".mxl",), writable=True),
    Format("kern", Modality.NOTATION, "a Humdrum kern score", (".krn", ".kern")),
    Format("abc", Modality.NOTATION, "an ABC tune", (".abc",)),
    Format("notes", Modality.NOTATION, "a notes document", (".notes.json",), writable=True),
    Format("mid", Modality.PERFORMANCE, "a MIDI file", (".mid", ".midi", ".kar", ".rmi", ".smf"), writable=True),
    Format("events", Modality.PERFORMANCE, "an events document", (".events.json",), writable=True),
    Format("wav", Modality.AUDIO, "a WAV recording", (".wav", ".wave", ".rf64", ".bwf"), writable=True),
    Format("flac", Modality.AUDIO, "a FLAC recording", (".flac",), writable=True),
    Format("ogg", Modality.AUDIO, "an Ogg recording", (".ogg", ".oga", ".opus")),
    Format("mp3", Modality.AUDIO, "an MP3 recording", (".mp3",)),
    Format("aiff", Modality.AUDIO, "an AIFF recording", (".aif", ".aiff", ".aifc")),
)

FORMATS: Mapping[str, Format] = {f.name: f for f in _ALL}
"""Every format by name."""

_BY_ENDING = {ending: f for f in _ALL for ending in f.endings}
_BY_DECLARED = {**{ending.lstrip("."): f for ending, f in _BY_ENDING.items()}, **FORMATS}

_FOREIGN_NOUNS = {
    "zip": "a ZIP archive",
    "mscz": "a MuseScore file",
    "museScore": "a MuseScore file",
    "mei": "an MEI document",
    "html": "a web page",
    "opus": "a MusicXML opus, a list of scores",
    "gif": "a GIF picture",
    "mp4": "an MP4 or M4A file",
    "soundfont": "a SoundFont",
    "gzip": "a gzip archive",
    "json": "a JSON document of another kind",
    "midi2": "a MIDI 2.0 clip",
}
"""Kinds of content that are recognised but never read, so that a refusal can say what the file is."""


def format_named(name: str) -> Format:
    """The format that `name` means: a format's name or a file name's ending, with or without the dot.

    Raises:
        UnsupportedFormat: there is no such format.
    """
    found = _BY_DECLARED.get(name.lower().lstrip("."))
    if found is None:
        raise UnsupportedFormat(f"ScoreBridge does not know the format {name[:40]!r}.", hint=_known_formats())
    return found


def format_of_name(path: Path) -> Format | None:
    """The format that a file name's ending stands for, or None."""
    name = path.name.lower()
    for ending in (*_BY_ENDING,):
        if name.endswith(ending) and len(name) > len(ending):
            return _BY_ENDING[ending]
    return None


def readable_formats(modality: Modality) -> list[str]:
    """Names of the formats of a modality that can be read."""
    return [f.name for f in _ALL if f.modality is modality and f.readable]


def writable_formats(modality: Modality) -> list[str]:
    """Names of the formats of a modality that can be written."""
    return [f.name for f in _ALL if f.modality is modality and f.writable]


def _known_formats() -> str:
    return f"It reads {', '.join(f.name for f in _ALL if f.readable)}."


def unknown_content() -> UnsupportedFormat:
    """The refusal of a file that neither its name nor its content tells about."""
    return UnsupportedFormat(
        "What kind of file this is cannot be told from its name or its content.", hint=_known_formats()
    )


def noun(kind: str) -> str:
    """How a sentence calls what `sniff` found."""
    return FORMATS[kind].noun if kind in FORMATS else _FOREIGN_NOUNS.get(kind, f"an XML document ({kind[:40]})")


def sniff(path: Path) -> str | None:
    """What a file's content is: a format's name, the name of another known kind, or None where nobody can tell.

    Looks at the beginning of the file, and into the table of contents of a zip archive.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _sniff_zip(path)
    return _sniff_magic(head) or _sniff_text(head)


def _sniff_magic(head: bytes) -> str | None:
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return {b"WAVE": "wav", b"RMID": "mid", b"WEBP": "webp", b"sfbk": "soundfont"}.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] == b"ftyp":
        return "mp4"
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "bmp"
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 in (2, 4) and head[2] < 0xF0:
        return "mp3"  # a frame of MPEG layer II or III without an ID3 tag before it
    return None


_MAGIC = (
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"GIF8", "gif"),
    (b"MThd", "mid"),
    (b"SMF2CLIP", "midi2"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"\x1f\x8b", "gzip"),
)


def _sniff_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError):
        return "mxl" if path.name.lower().endswith(".mxl") else "zip"  # damaged: its reader says how
    if any(name.lower().endswith(".mscx") for name in names):
        return "mscz"
    if "META-INF/container.xml" in names or any(name.lower().endswith((".musicxml", ".xml")) for name in names):
        return "mxl"
    return "zip"


def _sniff_text(head: bytes) -> str | None:
    text = _decoded(head)
    if text is None:
        return None
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("<"):
        return _sniff_xml(start)
    if start.startswith("{"):
        declared = re.search(r'"format"\s*:\s*"(notes|events)"', text)
        return declared[1] if declared else "json"
    if re.search(r"^\*\*(kern|recip|dynam|text|dyn)\b", text, re.MULTILINE):
        return "kern"
    if start.startswith("%abc") or re.search(r"^X:\s*\d+\s*$", text, re.MULTILINE):
        return "abc"
    return None


def _decoded(head: bytes) -> str | None:
    """The beginning of a text file as text, or None where it is not text."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head[: len(head) & ~1].decode("utf-16", "replace")
    if head[:4] in (b"<\x00?\x00", b"<\x00s\x00"):
        return head.decode("utf-16-le", "replace")
    if head[:4] in (b"\x00<\x00?", b"\x00<\x00s"):
        return head.decode("utf-16-be", "replace")
    return None if b"\x00" in head else head.decode("utf-8", "replace")


def _sniff_xml(text: str) -> str | None:
    """The kind of an XML document by the name of its root element, or of its document type."""
    bare = re.sub(r"<!--.*?-->|<\?.*?\?>", "", text, flags=re.DOTALL)
    if doctype := re.match(r"\s*<!DOCTYPE\s+([\w.:-]+)", bare, re.IGNORECASE):
        root = doctype[1]
    elif element := re.match(r"\s*<([\w.:-]+)", bare):
        root = element[1]
    else:
        return None
    root = root.rpartition(":")[2]
    if root in ("score-partwise", "score-timewise"):
        return "musicxml"
    return root.lower() if root.lower() in ("svg", "html", "mei", "opus") else root
