"""Parsing XML that somebody else wrote: no entities, no network, no document type definitions from elsewhere."""

from __future__ import annotations

import re

from lxml import etree

from model_runtime.errors import UnreadableFile

ENCODINGS = re.compile(r"utf-?(8|16(le|be)?)|us-ascii|ascii|iso-8859-\d+|latin-?1|windows-125\d|cp125\d", re.IGNORECASE)
_PROLOG_BYTES = 200


def parsed(data: bytes) -> etree._ElementTree:
    """Parse untrusted XML.

    A plain document type declaration is fine; one that declares entities is not, and nothing is ever fetched.

    Raises:
        UnreadableFile: hostile, truncated or not well formed; the sentence says which.
    """
    _refuse_odd_encodings(data)
    if any("<!ENTITY".encode(encoding) in data for encoding in ("ascii", "utf-16-le", "utf-16-be")):
        raise _entities()
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _not_well_formed(data, error) from None
    tree = root.getroottree()
    internal = tree.docinfo.internalDTD
    if internal is not None and any(True for _ in internal.iterentities()):  # type: ignore[union-attr]
        raise _entities()
    if next(root.iter(etree.Entity), None) is not None:
        raise _entities()
    return tree


def _refuse_odd_encodings(data: bytes) -> None:
    """Refuse encodings that scores never have and in which `<!ENTITY` could hide from a look at the bytes."""
    if data[:4] in (b"\x00\x00\xfe\xff", b"\xff\xfe\x00\x00", b"\x00\x00\x00<", b"<\x00\x00\x00", b"Lo\xa7\x94"):
        raise UnreadableFile("The XML is in an encoding that MusicXML does not use.", hint="Save it as UTF-8.")
    declaration = data[:_PROLOG_BYTES].replace(b"\x00", b"")
    if found := re.search(rb"""<\?xml[^>]*encoding\s*=\s*["']([^"']*)["']""", declaration):
        name = found[1].decode("latin-1")
        if not ENCODINGS.fullmatch(name):
            raise UnreadableFile(f"The XML is in the encoding {name[:40]!r}.", hint="Save it as UTF-8.")


def _entities() -> UnreadableFile:
    return UnreadableFile(
        "The XML declares or uses entities, which no score needs and which can be used for attacks.",
        hint="Export the score again.",
    )


def _not_well_formed(data: bytes, error: Exception) -> UnreadableFile:
    if not data.rstrip(b" \t\r\n\x00").endswith(b">"):
        return UnreadableFile("The XML is truncated.", hint="Copy or export it again.")
    line = getattr(error, "lineno", None)
    where = f" in line {line}" if line else ""
    return UnreadableFile(f"The XML is truncated or damaged{where}.", hint="Copy or export it again.")
