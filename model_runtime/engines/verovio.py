"""Notation → score image with Verovio (https://www.verovio.org), drawn by resvg."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from model_runtime.engines.base import Availability, Context, Engine, Measurement
from model_runtime.engraving.raster import MILLIMETRES_PER_INCH, MUSIC_FAMILY, TEXT_FAMILY, grey_page, ink_box
from model_runtime.errors import EngineUnavailable, InvalidValue, UnreadableFile
from model_runtime.library_log import caught_stderr
from model_runtime.modality import GreyPage, Modality, Notation, ScoreImage, Value
from model_runtime.options import Options

PAGE_WIDTH_MM, PAGE_HEIGHT_MM = 210.0, 297.0  # A4
UNITS_PER_MM = 10  # Verovio's page unit is a tenth of a millimetre
SCALE = 0.9  # a staff of 6.5 mm; the page grows by as much before it is scaled
CROP_MARGIN_MM = 4.0
_BENCHMARK = "python -m benchmarks.playback --data DIR --json FILE"

_ENGRAVING_OPTIONS: dict[str, object] = {
    "inputFrom": "xml",
    "pageWidth": round(PAGE_WIDTH_MM * UNITS_PER_MM / SCALE),
    "pageHeight": round(PAGE_HEIGHT_MM * UNITS_PER_MM / SCALE),
    "pageMarginLeft": 100,
    "pageMarginRight": 100,
    "pageMarginTop": 100,
    "pageMarginBottom": 100,
    "scale": round(100 * SCALE),
    "breaks": "auto",
    "footer": "none",
    "svgViewBox": True,
    "svgFormatRaw": True,  # white space between text spans would move the text that follows
    "xmlIdSeed": 1,  # the same music gives the same SVG
}


@dataclass(frozen=True)
class _Page:
    svg: str
    pixels: GreyPage


class Verovio(Engine):
    """Engraves MusicXML: whole A4 pages for long music, one page cropped to its content for short.

    Args:
        dots_per_inch: Resolution of the pixel pages.
    """

    name = "verovio"
    source = Modality.NOTATION
    target = Modality.SCORE_IMAGE
    summary = "Engraves notation with Verovio: SVG pages and grey pictures of them."
    quality = 1.0
    measurements = (
        Measurement("noteheads drawn for each note printed", "24 Lieder, 66 pages", 1.0, _BENCHMARK),
        Measurement("milliseconds for an A4 page at 200 dpi", "24 Lieder, 66 pages", 499.0, _BENCHMARK),
    )

    def __init__(self, dots_per_inch: float = 200.0) -> None:
        if not 30 <= dots_per_inch <= 1200:
            raise InvalidValue(f"A picture of {dots_per_inch:g} dots per inch is not one that can be read or printed.")
        self.dots_per_inch = dots_per_inch
        self._toolkit: Any = None

    def availability(self) -> Availability:
        missing = [name for name in ("verovio", "resvg_py", "PIL") if find_spec(name) is None]
        if missing:
            return Availability(False, "The engraver Verovio is not installed.", "pip install verovio resvg-py pillow")
        return Availability(True)

    def load(self) -> None:
        if self._toolkit is None:
            try:
                import verovio
            except ImportError as error:
                raise EngineUnavailable(
                    "The engraver Verovio is not installed.", hint="pip install verovio resvg-py pillow"
                ) from error
            verovio.enableLog(verovio.LOG_WARNING)
            self._toolkit = verovio.toolkit()

    def close(self) -> None:
        self._toolkit = None

    def translate(self, value: Value, options: Options, context: Context) -> ScoreImage:
        if not isinstance(value, Notation):
            raise InvalidValue("Verovio engraves notation only.")
        self.load()
        context.progress("Engraving", 0, 1)
        page_count = self._lay_out(value, context)
        pages = []
        for number in range(1, page_count + 1):
            context.progress("Engraving", number - 1, page_count)
            pages.append(self._draw(number, context))
        if page_count == 1:
            pages = [self._cropped(pages[0])]
        context.progress("Engraving", page_count, page_count)
        return ScoreImage(tuple(p.pixels for p in pages), tuple(p.svg for p in pages), self.dots_per_inch)

    def _lay_out(self, notation: Notation, context: Context) -> int:
        """Load the music into the toolkit; the number of pages."""
        if not any(measure.find("note") is not None for measure in notation.root.iter("measure")):
            raise UnreadableFile("The score has no measures with notes or rests that could be engraved.")
        toolkit = self._toolkit
        toolkit.resetOptions()
        toolkit.setOptions(_ENGRAVING_OPTIONS)
        toolkit.resetXmlIdSeed(1)
        log: list[str] = []
        with caught_stderr(log):
            loaded = toolkit.loadData(notation.musicxml.decode("utf-8", "replace"))
        page_count = int(toolkit.getPageCount()) if loaded else 0
        if page_count == 0:
            raise UnreadableFile(
                "The engraver Verovio cannot read this MusicXML.",
                hint="Open it in a notation program and save it anew.",
            )
        for sentence in log_sentences(log):
            context.warn(sentence)
        return page_count

    def _draw(self, number: int, context: Context) -> _Page:
        log: list[str] = []
        with caught_stderr(log):
            svg = with_bundled_fonts(self._toolkit.renderToSVG(number))
        for sentence in log_sentences(log):
            context.warn(sentence)
        svg = _with_box(svg, 0.0, 0.0, PAGE_WIDTH_MM, PAGE_HEIGHT_MM)
        return _Page(svg, grey_page(svg, self._pixels(PAGE_WIDTH_MM)))

    def _cropped(self, page: _Page) -> _Page:
        box = ink_box(page.pixels)
        if box is None:
            return page
        margin = self._pixels(CROP_MARGIN_MM)
        height, width = page.pixels.shape
        left, top = max(box[0] - margin, 0), max(box[1] - margin, 0)
        right, bottom = min(box[2] + margin, width), min(box[3] + margin, height)
        mm = PAGE_WIDTH_MM / width
        svg = _with_box(page.svg, left * mm, top * mm, (right - left) * mm, (bottom - top) * mm)
        return _Page(svg, page.pixels[top:bottom, left:right].copy())

    def _pixels(self, millimetres: float) -> int:
        return round(millimetres * self.dots_per_inch / MILLIMETRES_PER_INCH)


def with_bundled_fonts(svg: str) -> str:
    """Put the package's own font families before those that Verovio names."""
    svg = svg.replace('font-family="Times, serif"', f'font-family="{TEXT_FAMILY}, Times, serif"')
    return re.sub(r'font-family="(Leipzig|Bravura)"', rf'font-family="{MUSIC_FAMILY}, \1"', svg)


def _with_box(svg: str, left_mm: float, top_mm: float, width_mm: float, height_mm: float) -> str:
    """The document showing this part of the page, in its real size."""
    box = " ".join(f"{mm * UNITS_PER_MM:.2f}" for mm in (left_mm, top_mm, width_mm, height_mm))
    root = f'<svg width="{width_mm:.3f}mm" height="{height_mm:.3f}mm" viewBox="{box}" '
    svg = re.sub(r'<svg (?:width="[^"]*" height="[^"]*" )?viewBox="[^"]*" ', root, svg, count=1)
    # The music lies in an inner viewport, which would shrink with the outer one if it had no size of its own.
    page = f'width="{PAGE_WIDTH_MM * UNITS_PER_MM:g}" height="{PAGE_HEIGHT_MM * UNITS_PER_MM:g}"'
    return re.sub(r'<svg class="definition-scale"(?! width)', f'<svg class="definition-scale" {page}', svg)


def log_sentences(log: list[str]) -> list[str]:
    """Verovio's warnings and errors about the music as sentences, each once."""
    sentences: list[str] = []
    for line in log:
        match = re.match(r"\[(?:Warning|Error)\]\s*(?:MusicXML import:\s*)?(.*)", line.strip())
        if match and match[1]:
            sentence = f"Verovio: {match[1].rstrip('.')}."
            if sentence not in sentences:
                sentences.append(sentence)
    return sentences
