"""Reading and writing MusicXML, plain and compressed."""

from __future__ import annotations

import io
import zipfile
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lxml import etree

from model_runtime.errors import EngineUnavailable, TooLarge, UnreadableFile
from model_runtime.files import formats
from model_runtime.files.archive import score_in_archive
from model_runtime.files.limits import Limits
from model_runtime.files.storing import content_of, store
from model_runtime.files.xml_guard import parsed
from model_runtime.modality import Notation

if TYPE_CHECKING:
    import music21

_CONTAINER = b"""<?xml version="1.0" encoding="UTF-8"?>
<container><rootfiles>
<rootfile full-path="score.musicxml" media-type="application/vnd.recordare.musicxml+xml"/>
</rootfiles></container>
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same score makes the same bytes


def read_musicxml(path: Path, limits: Limits | None = None) -> Notation:
    """Read a `.musicxml`, `.xml` or `.mxl` file; which of them it is, its content says.

    Raises:
        UnreadableFile: truncated, hostile, another kind of XML, or a score without a part or measure.
        TooLarge: too many notes, or an archive that unpacks to too much.
    """
    limits = limits or Limits()
    data = content_of(path)
    if data[:2] == b"PK":
        data = score_in_archive(data, limits)
    return notation_from_bytes(data, limits)


def notation_from_bytes(data: bytes, limits: Limits | None = None) -> Notation:
    """A notation from MusicXML in any encoding, partwise or timewise.

    Raises:
        UnreadableFile, TooLarge: see `read_musicxml`.
    """
    limits = limits or Limits()
    if not data.strip():
        raise UnreadableFile("The file is empty.")
    tree = parsed(data)
    root = tree.getroot()
    _strip_namespaces(root)
    if root.tag == "score-timewise":
        root = partwise(root)
    if root.tag != "score-partwise":
        raise UnreadableFile(f"This is {formats.noun(_kind(root))}, not MusicXML.")
    _validate(root, limits)
    return Notation(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def write_musicxml(notation: Notation, path: Path, *, compressed: bool) -> None:
    """Write MusicXML, or compressed MusicXML with its container.

    Raises:
        UnwritableFile: no room, no right or no folder.
    """
    store(path, _archive(notation.musicxml) if compressed else notation.musicxml)


def music21_score(notation: Notation) -> music21.stream.Score:
    """The notation as a music21 score.

    Raises:
        EngineUnavailable: music21 is not installed.
    """
    try:
        from music21 import converter
    except ImportError:
        raise EngineUnavailable("music21 is not installed.", hint="pip install 'scorebridge[formats]'") from None
    return cast("music21.stream.Score", converter.parseData(notation.musicxml.decode("utf-8"), format="musicxml"))


def partwise(timewise: etree._Element) -> etree._Element:
    """The `score-partwise` form of a `score-timewise` element: the same measures, ordered by part."""
    root = etree.Element("score-partwise", _attributes(timewise))
    parts: dict[str, etree._Element] = {}
    for child in timewise:
        if child.tag != "measure":
            root.append(deepcopy(child))
            continue
        for part in child.findall("part"):
            name = part.get("id", "")
            if name not in parts:
                parts[name] = etree.Element("part", id=name)
            measure = etree.SubElement(parts[name], "measure", _attributes(child))
            measure.extend(deepcopy(list(part)))
    root.extend(parts.values())
    return root


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _strip_namespaces(root: etree._Element) -> None:
    """MusicXML has no namespace; the few programs that give it one mean the same."""
    if "}" not in str(root.tag):
        return
    for element in root.iter(etree.Element):
        element.tag = etree.QName(element).localname
    etree.cleanup_namespaces(root)


def _kind(root: etree._Element) -> str:
    name = etree.QName(root).localname
    return name.lower() if name.lower() in ("svg", "html", "mei", "opus") else name


def _validate(root: etree._Element, limits: Limits) -> None:
    parts = root.findall("part")
    if not parts or not any(part.find("measure") is not None for part in parts):
        raise UnreadableFile("The MusicXML holds no part with a measure.")
    notes = sum(1 for _ in root.iter("note"))
    if notes > limits.notes:
        raise TooLarge(f"The score has {notes:,} notes, and at most {limits.notes:,} are read.")


def _archive(musicxml: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, method in (
            ("mimetype", b"application/vnd.recordare.musicxml", zipfile.ZIP_STORED),
            ("META-INF/container.xml", _CONTAINER, zipfile.ZIP_DEFLATED),
            ("score.musicxml", musicxml, zipfile.ZIP_DEFLATED),
        ):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = method
            archive.writestr(entry, content)
    return buffer.getvalue()
