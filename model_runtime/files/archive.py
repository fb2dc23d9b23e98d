"""Taking the score out of a compressed MusicXML file that somebody else made."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from model_runtime.errors import TooLarge, UnreadableFile
from model_runtime.files.limits import MEBIBYTE, Limits
from model_runtime.files.xml_guard import parsed

CONTAINER = "META-INF/container.xml"
SCORE_TYPE = "application/vnd.recordare.musicxml+xml"
RATIO_COUNTS_FROM = MEBIBYTE  # a small file may be as repetitive as it likes
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


def score_in_archive(data: bytes, limits: Limits) -> bytes:
    """The MusicXML in an `.mxl` archive: its container's first score, or its only one where the container is missing.

    Raises:
        UnreadableFile: damaged, encrypted, without a score, or naming one outside the archive.
        TooLarge: it unpacks to too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _refuse_bombs(archive, len(data), limits)
            return _member(archive, _score_name(archive, limits), limits)
    except _DAMAGES as error:
        raise UnreadableFile(
            "The compressed MusicXML is truncated or damaged.", hint="Copy or export it again."
        ) from error


def _refuse_bombs(archive: zipfile.ZipFile, packed_bytes: int, limits: Limits) -> None:
    unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > limits.unpacked_bytes:
        raise TooLarge(
            f"The archive unpacks to {unpacked / 1e6:.0f} MB, "
            f"and at most {limits.unpacked_bytes / 1e6:.0f} MB are read."
        )
    if unpacked > RATIO_COUNTS_FROM and unpacked > packed_bytes * limits.unpacking_ratio:
        raise TooLarge(f"The archive unpacks to {unpacked / packed_bytes:.0f} times its size, as no score does.")


def _member(archive: zipfile.ZipFile, name: str, limits: Limits) -> bytes:
    """An entry's content, however large its table of contents says it is."""
    entry = archive.getinfo(name)
    if entry.flag_bits & 1:
        raise UnreadableFile("The compressed MusicXML is encrypted.", hint="Save it without a password.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableFile("The archive is packed in a way that compressed MusicXML does not use.")
    with archive.open(entry) as file:
        content = file.read(limits.unpacked_bytes + 1)
    if len(content) > limits.unpacked_bytes:
        raise TooLarge(f"The archive unpacks to more than {limits.unpacked_bytes / 1e6:.0f} MB.")
    return content


def _score_name(archive: zipfile.ZipFile, limits: Limits) -> str:
    names = archive.namelist()
    if CONTAINER in names:
        name = _named_by_container(_member(archive, CONTAINER, limits))
    else:
        scores = [n for n in names if n.lower().endswith((".musicxml", ".xml")) and not n.startswith("META-INF/")]
        if len(scores) != 1:
            raise UnreadableFile("The archive does not say which of its files is the score.")
        name = scores[0]
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name:
        raise UnreadableFile("The archive names a score outside itself.")
    if name not in names:
        raise UnreadableFile(f"The archive names a score that it does not hold ({name[:60]}).")
    return name


def _named_by_container(container: bytes) -> str:
    """The container's first rootfile that is a score; others are PDFs or pictures of it."""
    rootfiles = [e for e in parsed(container).getroot().iter("{*}rootfile") if e.get("full-path")]
    scores = [e for e in rootfiles if e.get("media-type", SCORE_TYPE) in (SCORE_TYPE, "text/xml", "application/xml")]
    if not scores:
        raise UnreadableFile("The archive holds no score.")
    return str(scores[0].get("full-path"))
