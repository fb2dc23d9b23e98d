"""One small engraved page with everything that is on it, made once."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from model_runtime.training.corpus import root_of
from model_runtime.training.image.pages import DrawnPage, PageMaker

SPACE_PX = 12.0
OPTIONS = {
    **{"font": "Leipzig", "pageWidth": 1600, "pageHeight": 1600, "unit": 9, "header": "none", "footer": "none"},
    **{"pageMarginLeft": 100, "pageMarginTop": 100, "staffLineWidth": 0.25, "spacingStaff": 12, "breaks": "auto"},
}


@pytest.fixture(scope="session")
def page(scores: Path) -> DrawnPage:
    """The first page of a song for voice and piano, clean, `SPACE_PX` to the staff space."""
    root = root_of(scores / "1.mxl")
    clef = "<attributes><divisions>2</divisions><clef><sign>G</sign><line>2</line></clef></attributes>"
    voice = root.findall("part")[0]
    for i, measure in enumerate(voice):
        measure.clear()
        measure.set("number", str(i + 1))
        if i == 0:
            measure.append(ET.fromstring(clef))
        measure.append(ET.fromstring('<note><rest measure="yes"/><duration>8</duration><voice>1</voice></note>'))
    maker = PageMaker(root)
    return next(maker.pages(OPTIONS, SPACE_PX, 1, np.random.default_rng(0)))
