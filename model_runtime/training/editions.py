"""A part → pages as different editions print it, with the place of every measure.

MuseScore 3 tells where measures stand in a `.mpos` file, Verovio in the SVG. Pages can be spoilt as scans are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.engraving.raster import grey_page
from model_runtime.modality import GreyPage
from model_runtime.training import engrave
from model_runtime.training.image.degrade import Damage, degrade
from model_runtime.training.image.pages import random_options
from model_runtime.training.image.shapes import other_shapes

MUSESCORE_FONTS = ("Leland", "Emmentaler", "Bravura", "Gonville", "Petaluma")
PLAIN_DPI, PLAIN_SPACE_MM = 200, 1.764
_MM_PER_INCH = 25.4
_POSITION_UNITS = 12.0  # of a `.mpos` file, in a pixel
_SECONDS_A_SCORE = 120
_VEROVIO_SPACE_PX = 13.0
_UNITS_A_SPACE = 18  # of Verovio's page width, with the unit that `random_options` sets
_OWN_ID = re.compile(r"m(\d+)-\d+$")


@dataclass(frozen=True)
class MeasureBox:
    """Where a measure stands on a page, in pixels, without what sticks out of its staves.

    Attributes:
        number: Of the measure in its part, from 0.
        system: Of its line, counted over all pages.
        left, top, right, bottom: From its barline to the next, from the highest staff line to the lowest.
    """

    number: int
    system: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class EngravedPage:
    """A page, its measures, and how many pixels a staff space has."""

    pixels: GreyPage
    measures: tuple[MeasureBox, ...]
    space_px: float


@dataclass(frozen=True)
class MuseScoreStyle:
    """How MuseScore sets a page; the default is how it sets one where nothing is asked for."""

    font: str = "Leland"
    space_mm: float = PLAIN_SPACE_MM
    measure_spacing: float = 1.2
    dpi: int = PLAIN_DPI

    @classmethod
    def random(cls, rng: np.random.Generator) -> MuseScoreStyle:
        """One of its music fonts; smaller or larger, narrower or wider than usual."""
        font = MUSESCORE_FONTS[int(rng.integers(len(MUSESCORE_FONTS)))]
        spacing = float(rng.uniform(1.0, 1.6))
        return cls(font, float(rng.uniform(1.3, 2.1)), spacing, int(rng.integers(150, 280)))


def by_musescore(part: ET.Element, style: MuseScoreStyle) -> list[EngravedPage]:
    """All pages of a part engraved by MuseScore 3; empty where it joined or split measures.

    Raises:
        FileNotFoundError: MuseScore 3 is not installed.
        subprocess.SubprocessError: it failed or took too long.
    """
    ET.indent(part)  # without white space behind a mordent MuseScore 3 loses all music that follows
    program = shutil.which("mscore3")
    if program is None:
        raise FileNotFoundError("mscore3")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "score.musicxml").write_text(engrave.document(part), encoding="utf-8")
        (folder / "style.mss").write_text(_style_sheet(style), encoding="utf-8")
        out = [str(folder / "score.png"), str(folder / "score.mpos")]
        (folder / "job.json").write_text(json.dumps([{"in": str(folder / "score.musicxml"), "out": out}]))
        command = [program, "-r", str(style.dpi), "-S", str(folder / "style.mss"), "-j", str(folder / "job.json")]
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
        subprocess.run(command, env=environment, capture_output=True, check=True, timeout=_SECONDS_A_SCORE)
        places = ET.parse(folder / "score.mpos").getroot().findall("elements/element")
        if len(places) != len(part.findall("measure")):
            return []
        boxes = _boxes(places)
        files = {int(f.stem.rpartition("-")[2]) - 1: f for f in folder.glob("score-*.png")}  # score-1 or score-01
        space = style.space_mm / _MM_PER_INCH * style.dpi
        return [EngravedPage(_on_paper(files[i]), tuple(own), space) for i, own in sorted(boxes.items())]


def _style_sheet(style: MuseScoreStyle) -> str:
    settings = {
        **{"musicalSymbolFont": style.font, "musicalTextFont": f"{style.font} Text"},
        **{"measureSpacing": f"{style.measure_spacing:.3f}", "Spatium": f"{style.space_mm:.4f}"},
    }
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in settings.items())
    return f'<?xml version="1.0" encoding="UTF-8"?><museScore version="3.02"><Style>{inner}</Style></museScore>'


def _boxes(places: Sequence[ET.Element]) -> dict[int, list[MeasureBox]]:
    """Measures by page."""
    result: dict[int, list[MeasureBox]] = {}
    system, line = -1, (-1, -1.0)
    for number, element in enumerate(places):
        x, y, width, height = (float(element.get(k, "0")) / _POSITION_UNITS for k in ("x", "y", "sx", "sy"))
        page = int(element.get("page", "0"))
        if (page, y) != line:
            system, line = system + 1, (page, y)
        result.setdefault(page, []).append(MeasureBox(number, system, x, y, x + width, y + height))
    return result


def _on_paper(file: Path) -> GreyPage:
    from PIL import Image

    with Image.open(file) as opened:
        page = opened.convert("RGBA")
        paper = Image.new("RGBA", page.size, "white")
        return np.asarray(Image.alpha_composite(paper, page).convert("L"), np.uint8).copy()


def by_verovio(
    part: ET.Element, most_pages: int, rng: np.random.Generator, fonts: Sequence[Path] = ()
) -> list[EngravedPage]:
    """At most so many pages that follow each other, in a random style; empty where Verovio cannot draw the part.

    Args:
        fonts: SMuFL fonts whose signs are drawn as well.
    """
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit: Any = verovio.toolkit()
    options = random_options(rng)
    toolkit.setOptions({"svgFormatRaw": True, "svgRemoveXlink": True, **options})
    for i, measure in enumerate(part.findall("measure")):
        for j, note in enumerate(measure.findall("note")):
            note.set("id", f"m{i}-{j}")
    if rng.random() < 0.5:
        engrave.show_tuplet_numbers(part)
    if not toolkit.loadData(engrave.document(part)):
        return []
    count = toolkit.getPageCount()
    first = int(rng.integers(max(count - most_pages, 0) + 1)) if rng.random() < 0.5 else 0
    width = round(options["pageWidth"] / _UNITS_A_SPACE * _VEROVIO_SPACE_PX)
    pages = []
    system = 0
    for number in range(first, min(first + most_pages, count)):
        svg = toolkit.renderToSVG(number + 1)
        boxes, system = _drawn_boxes(svg, width, system)
        pages.append(EngravedPage(grey_page(other_shapes(svg, rng, fonts), width), tuple(boxes), _VEROVIO_SPACE_PX))
    return pages


def _drawn_boxes(svg: str, width_px: int, system: int) -> tuple[list[MeasureBox], int]:
    """Measures of an SVG page drawn so wide, and the number of the system behind its last one."""
    root = ET.fromstring(svg.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1))
    inner = next((s for s in root.iter("svg") if s.get("viewBox")), root)
    box = (inner.get("viewBox") or "").split()
    margin = next((g for g in root.iter("g") if g.get("class") == "page-margin"), None)
    place = None if margin is None else engrave._PLACE.search(margin.get("transform", ""))
    if len(box) != 4 or place is None:
        return [], system
    scale = width_px / float(box[2])
    right, down = float(place[1]), float(place[2])
    boxes = []
    for group in (g for g in root.iter("g") if g.get("class") == "system"):
        for measure in group.findall("g[@class='measure']"):
            number = next((int(m[1]) for e in measure.iter("g") if (m := _OWN_ID.match(e.get("id", "")))), None)
            staves = engrave._staff_lines(measure)
            if number is None:
                continue
            x = [s[0] for s in staves] + [s[1] for s in staves]
            y = [s[2].top for s in staves] + [s[2].bottom for s in staves]
            edges = (min(x) + right, min(y) + down, max(x) + right, max(y) + down)
            boxes.append(MeasureBox(number, system, *(edge * scale for edge in edges)))
        system += 1
    return boxes, system


def spoilt(page: EngravedPage, damage: Damage, rng: np.random.Generator) -> EngravedPage:
    """The page as a scanner or a camera delivers it, and where its measures went."""
    pixels, warp = degrade(page.pixels, page.space_px, damage, rng)

    def moved(x: list[float], y: list[float]) -> npt.NDArray[np.float64]:
        return np.stack(warp.points(x, y), axis=1)

    boxes = []
    for box in page.measures:
        across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        sides = moved([box.left, box.right], [down, down])
        ends = moved([across, across], [box.top, box.bottom])
        left, right, top, bottom = sides[0, 0], sides[1, 0], ends[0, 1], ends[1, 1]
        boxes.append(replace(box, left=float(left), right=float(right), top=float(top), bottom=float(bottom)))
    return EngravedPage(pixels, tuple(boxes), damage.space_px)
