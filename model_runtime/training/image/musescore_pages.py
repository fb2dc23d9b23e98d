"""Scores → pages that MuseScore 3 engraved, with their labels: another engraver's spacing, fonts and habits."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from model_runtime.engraving.raster import grey_page
from model_runtime.training.engrave import share_beams
from model_runtime.training.image.labels import number_notes
from model_runtime.training.image.musescore_labels import musescore_labels, note_colour
from model_runtime.training.image.pages import DrawnPage
from model_runtime.training.image.svg_shapes import page_width

PROGRAM = "mscore3"
FONTS = ("Emmentaler", "Bravura", "Gonville")
_SECONDS = 90
# MuseScore's own staff space is 1.764 mm, at which its SVG does not tell where a sign's origin is
_USUAL_STYLE = '<museScore version="3.01"><Style><Spatium>1.755</Spatium></Style></museScore>'
_NUMBER = r"(-?[\d.]+)"
_SIGN = re.compile(rf'class="([A-Z]\w+)"([^>]*?)transform="matrix\({_NUMBER},0,0,{_NUMBER},{_NUMBER},{_NUMBER}\)"')
_COLOURED = re.compile(r'fill="#(?!ffffff)[0-9a-f]{6}"')


def random_style(rng: np.random.Generator) -> dict[str, str]:
    """Settings of a MuseScore style; two fifths of all pages are set as MuseScore does unasked."""
    if rng.random() < 0.4:
        return {}

    def u(low: float, high: float) -> str:
        return f"{rng.uniform(low, high):.3f}"

    font = FONTS[int(rng.choice(len(FONTS), p=[0.5, 0.25, 0.25]))]
    text = font if font != "Gonville" else "Emmentaler"
    width = float(rng.uniform(6.0, 10.0))
    return {
        **{"musicalSymbolFont": font, "musicalTextFont": f"{text} Text", "keySigNaturals": str(rng.integers(0, 2))},
        **{"pageWidth": f"{width:.3f}", "pageHeight": f"{width * rng.uniform(1.2, 1.5):.3f}"},
        **{"pagePrintableWidth": f"{width - 0.8:.3f}", "Spatium": u(1.4, 2.1)},
        **{"staffLineWidth": u(0.085, 0.16), "stemWidth": u(0.09, 0.2), "barWidth": u(0.12, 0.26)},
        **{"endBarWidth": u(0.4, 0.8), "endBarDistance": u(0.35, 0.7), "doubleBarDistance": u(0.3, 0.6)},
        **{"ledgerLineWidth": u(0.1, 0.22), "ledgerLineLength": u(0.3, 0.6), "beamWidth": u(0.4, 0.65)},
        **{"beamDistance": u(0.4, 0.7), "beamMinLen": u(0.8, 1.5), "staffDistance": u(5.0, 8.5)},
        **{"akkoladeDistance": u(5.5, 8.5), "measureSpacing": u(1.0, 1.6), "minNoteDistance": u(0.15, 0.7)},
        **{"slurMidWidth": u(0.1, 0.26), "slurEndWidth": u(0.05, 0.12), "dotNoteDistance": u(0.25, 1.5)},
        **{"dotRestDistance": u(0.25, 1.0), "dotMag": u(0.85, 1.3), "accidentalNoteDistance": u(0.15, 0.5)},
        **{"graceNoteMag": u(0.6, 0.8), "smallClefMag": u(0.7, 0.9), "clefLeftMargin": u(0.3, 1.0)},
        **{"keysigLeftMargin": u(0.2, 0.8), "timesigLeftMargin": u(0.2, 0.8)},
    }


def with_other_shapes(svg: str, rng: np.random.Generator) -> str:
    """Signs stretched and slanted a little about their origins: one draw for the page, then one for each class."""
    strength = float(rng.uniform(0.3, 1.0))
    factors: dict[str, tuple[float, float, float]] = {}

    def reshaped(match: re.Match[str]) -> str:
        name = match[1]
        if name not in factors:
            spread = (0.06 if name == "Note" else 0.1) * strength
            across, up = 1 + np.clip(rng.normal(0, spread, 2), -2 * spread, 2 * spread)
            factors[name] = (float(across), float(up), float(rng.normal(0, 0.05)) * strength)
        across, up, slant = factors[name]
        wide, high = float(match[3]) * across, float(match[4]) * up
        return f'class="{name}"{match[2]}transform="matrix({wide:.5f},0,{slant:.5f},{high:.5f},{match[5]},{match[6]})"'

    return _SIGN.sub(reshaped, svg)


def musescore_pages(
    root: ET.Element,
    style: dict[str, str],
    space_px: float,
    most: int,
    rng: np.random.Generator,
    *,
    reshape: bool = False,
) -> Iterator[DrawnPage]:
    """At most so many pages of a score, chosen at random, drawn at about `space_px` to the staff space.

    Args:
        style: Names and values of MuseScore's style; the staff space, `Spatium`, must be among them if any are.
        reshape: Whether signs get other shapes.

    Raises:
        RuntimeError: MuseScore is not installed, or could not draw the score.
    """
    root = copy.deepcopy(root)
    notes = number_notes(root)
    for name, (note, _) in notes.items():
        note.set("color", note_colour(name).upper())
    for child in root.findall("defaults") + root.findall("credit"):
        root.remove(child)
    if rng.random() < 0.7:
        for measure in root.iter("measure"):
            for element in measure.findall("print"):
                measure.remove(element)
    pages = _drawn(root, style)
    for part in root.findall("part"):
        share_beams(part)
    for number in sorted(rng.permutation(len(pages))[:most]):
        svg = pages[number]
        heights = sorted({float(y) for y in re.findall(r'class="StaffLines"[^>]*points="[-\d.]+,([-\d.]+) ', svg)})
        if len(heights) < 5 or not page_width(svg):
            continue
        width = round(page_width(svg) / float(np.median(np.diff(heights[:5]))) * space_px)
        labels = musescore_labels(svg, notes, root, width)
        if labels is not None and labels.staves:
            black = _COLOURED.sub('fill="#000000"', svg)
            yield DrawnPage(grey_page(with_other_shapes(black, rng) if reshape else black, width), labels)


def _drawn(root: ET.Element, style: dict[str, str]) -> list[str]:
    """SVG of each page."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise RuntimeError("MuseScore 3 is not installed: apt-get install musescore3")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ET.ElementTree(root).write(folder / "score.musicxml", encoding="utf-8")
        if style:  # within the score: a style given beside it comes after the layout
            _run([program, "-o", "score.mscx", "score.musicxml"], folder)
            _set_style(folder / "score.mscx", style)
            _run([program, "-o", "page.svg", "score.mscx"], folder)
        else:
            (folder / "usual.mss").write_text(_USUAL_STYLE, encoding="utf-8")
            _run([program, "-S", "usual.mss", "-o", "page.svg", "score.musicxml"], folder)
        files = sorted(folder.glob("page-*.svg"), key=lambda f: int(f.stem.partition("-")[2]))
        return [file.read_text(encoding="utf-8") for file in files or folder.glob("page.svg")]


def _run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    try:
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True, timeout=_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        raise RuntimeError(f"MuseScore could not draw the score: {error}") from error


def _set_style(path: Path, style: dict[str, str]) -> None:
    tree = ET.parse(path)
    settings = tree.getroot().find("Score/Style")
    if settings is None:
        raise RuntimeError("MuseScore could not draw the score: it wrote one without a style")
    for key, value in style.items():
        for old in settings.findall(key):
            settings.remove(old)
        ET.SubElement(settings, key).text = value
    tree.write(path, encoding="utf-8")
