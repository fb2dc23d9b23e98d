"""Writes plugins/reaper/index.xml, from which ReaPack installs the REAPER scripts.

    python scripts/make_reapack_index.py [BASE_URL]

ReaPack fetches each file from BASE_URL and its name; the action files are listed in REAPER's action list.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from lxml import etree

FOLDER = Path(__file__).parent.parent / "plugins" / "reaper"
BASE_URL = "https://scorebridge.dev/reaper"
RELEASED = "2026-11-22T00:00:00Z"


def index(base_url: str) -> bytes:
    """The index of the scripts as they lie in the folder."""
    root = etree.Element("index", version="1", name="ScoreBridge")
    category = etree.SubElement(root, "category", name="Music translation")
    package = etree.SubElement(category, "reapack", name="ScoreBridge.lua", type="script", desc="ScoreBridge")
    metadata = etree.SubElement(package, "metadata")
    etree.SubElement(metadata, "link", rel="website").text = "https://scorebridge.dev"
    release = etree.SubElement(
        package, "version", name=version("scorebridge"), author="The ScoreBridge founders", time=RELEASED
    )
    etree.SubElement(release, "changelog").text = "First release."
    for path in sorted(FOLDER.rglob("*.lua")):
        name = path.relative_to(FOLDER).as_posix()
        source = etree.SubElement(release, "source", file=name)
        if path.parent == FOLDER:
            source.set("main", "main")
        source.text = f"{base_url.rstrip('/')}/{quote(name)}"
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)


if __name__ == "__main__":
    (FOLDER / "index.xml").write_bytes(index(sys.argv[1] if len(sys.argv) > 1 else BASE_URL))
