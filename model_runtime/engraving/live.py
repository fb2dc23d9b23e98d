"""A few bars as one SVG picture for a page on the screen: no style of its own, in the colour of the text around it."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from lxml import etree

from model_runtime.errors import EngineUnavailable, InvalidValue
from model_runtime.library_log import caught_stderr
from model_runtime.modality import Notation

SCALE = 36
"""Per cent of Verovio's own size: a staff is 26 pixels high."""

NARROWEST_PX, WIDEST_PX = 200, 4000

_OPTIONS: dict[str, object] = {
    "inputFrom": "xml",
    "scale": SCALE,
    "breaks": "auto",
    "header": "none",
    "footer": "none",
    "adjustPageHeight": True,
    "pageHeight": 60000,
    "pageMarginLeft": 70,  # for the brace
    "pageMarginRight": 10,
    "pageMarginTop": 10,
    "pageMarginBottom": 10,
    "mnumInterval": 0,  # at the beginning of each line
    "minLastJustification": 0.4,
    "svgViewBox": True,
    "svgRemoveXlink": True,
    "svgFormatRaw": True,
    "xmlIdSeed": 1,
}


class BarEngraver:
    """Engraves bars with a warm Verovio; one thread at a time."""

    def __init__(self) -> None:
        self._toolkit: Any = None

    def svg(self, notation: Notation, width_px: int = 720) -> str:
        """One SVG document of this width in CSS pixels; as many lines of music as the bars need.

        Raises:
            EngineUnavailable: Verovio is not installed.
            InvalidValue: the width is none that can be shown, or the bars cannot be engraved.
        """
        if not NARROWEST_PX <= width_px <= WIDEST_PX:
            raise InvalidValue(f"A picture {width_px} pixels wide cannot be shown.")
        toolkit = self._warm()
        toolkit.setOptions({**_OPTIONS, "pageWidth": round(width_px * 100 / SCALE)})
        toolkit.resetXmlIdSeed(1)
        with caught_stderr([]):
            loaded = toolkit.loadData(_for_the_screen(notation))
            svg = str(toolkit.renderToSVG(1)) if loaded else ""
        if not svg:
            raise InvalidValue("These bars cannot be engraved.")
        return _plain(svg)

    def _warm(self) -> Any:
        if self._toolkit is None:
            try:
                import verovio
            except ImportError as error:
                raise EngineUnavailable("The engraver Verovio is not installed.", hint="pip install verovio") from error
            verovio.enableLog(verovio.LOG_OFF)
            self._toolkit = verovio.toolkit()
        return self._toolkit


def _for_the_screen(notation: Notation) -> str:
    """The document without what would come and go with every bar (dynamics, tempo) and without the part's name."""
    root = deepcopy(notation.root)
    for kind in ("metronome", "words", "dynamics"):
        for direction in root.findall(f".//direction/direction-type/{kind}/../.."):
            measure = direction.getparent()
            if measure is not None:
                measure.remove(direction)
    for style in root.findall(".//barline/bar-style"):  # the music goes on
        style.text = "regular"
    for name in ("part-name", "part-abbreviation"):
        for element in root.iter(name):
            element.text = ""
    return str(etree.tostring(root, encoding="unicode"))


def _plain(svg: str) -> str:
    """The picture without styles, which a strict page does not take; lines say themselves how they are drawn."""
    svg = re.sub(r"<style.*?</style>|<desc>.*?</desc>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*" class="[^"]*\bplaceholder\b[^"]*"><[^>]*/></g>', "", svg)
    svg = re.sub(r"<(ellipse|path|polygon|polyline|rect)(?=\s)(?![^>]*\sstroke=)", r'<\1 stroke="currentColor"', svg)
    return svg.replace(' color="black"', "")
