"""How fast Verovio draws pages, and whether every notehead of the score is on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from benchmarks import report
from model_runtime import files
from model_runtime.engines.base import Context
from model_runtime.engines.verovio import Verovio
from model_runtime.modality import Notation, ScoreImage
from model_runtime.options import Options

DOTS_PER_INCH = 200.0


@dataclass(frozen=True)
class Drawn:
    """One score, drawn: `heads` on the pages, `notes` that the document prints."""

    name: str
    pages: int
    seconds: float
    heads: int
    notes: int


def measure(scores: Sequence[Path]) -> tuple[dict[str, float], list[report.Row]]:
    """Draw every score once with a warm engraver."""
    engine = Verovio(dots_per_inch=DOTS_PER_INCH)
    _draw(engine, scores[0])
    drawn = [_draw(engine, path) for path in scores]
    engine.close()
    rows: list[report.Row] = [
        {"score": d.name, "pages": d.pages, "ms a page": 1e3 * d.seconds / d.pages, "heads": d.heads, "notes": d.notes}
        for d in drawn
    ]
    return figures_of(drawn), rows


def figures_of(drawn: Sequence[Drawn]) -> dict[str, float]:
    """Over all pages and notes; a head too many does not make up for one that is missing in another score."""
    return {
        "verovio_ms_per_page": 1e3 * sum(d.seconds for d in drawn) / sum(d.pages for d in drawn),
        "verovio_pages": sum(d.pages for d in drawn),
        "verovio_noteheads_share": sum(min(d.heads, d.notes) for d in drawn) / sum(d.notes for d in drawn),
        "verovio_scores_with_every_notehead": sum(d.heads == d.notes for d in drawn) / len(drawn),
    }


def _draw(engine: Verovio, path: Path) -> Drawn:
    notation = files.read(path)
    assert isinstance(notation, Notation)
    started = time.perf_counter()
    image = engine.translate(notation, Options(), Context())
    seconds = time.perf_counter() - started
    return Drawn(path.stem, len(image.pages), seconds, noteheads(image), printed_notes(notation))


def noteheads(image: ScoreImage) -> int:
    """Noteheads that can be seen on the pages."""
    return sum(_seen(etree.fromstring(page.encode()), "notehead") for page in image.svg)


def _seen(element: etree._Element, kind: str) -> int:
    """Elements of a class, without those in hidden groups."""
    if element.get("visibility") == "hidden":
        return 0
    here = kind in (element.get("class") or "").split()
    return here + sum(_seen(child, kind) for child in element)


def printed_notes(notation: Notation) -> int:
    """Notes that the document prints, grace notes and cues too; rests are none, and what it hides is left out."""
    return sum(
        note.find("rest") is None and note.get("print-object") != "no" and note.findtext("notehead") != "none"
        for note in notation.root.iter("note")
    )
