"""The last bars of a session as a MusicXML document of their own."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from fractions import Fraction

from lxml import etree

from model_runtime.engines.base import Context
from model_runtime.modality import Notation
from model_runtime.notation.live_bars import Bar
from model_runtime.notation.quantised import QuantisedScore, ScoreMeter
from model_runtime.notation.write import write_score
from model_runtime.options import Options


def write_last_bars(bars: Sequence[Bar], score: QuantisedScore | None, options: Options) -> Notation:
    """The bars as they are numbered in the session, silent ones too; without any, one empty bar in common time."""
    if score is None:
        return write_score(QuantisedScore((), (ScoreMeter(Fraction(0), 4, 4),)), options, Context())
    notation = write_score(score, options, Context())
    root = deepcopy(notation.root)
    for part in root.findall("part"):
        _with_last_rests(part, bars)
        for measure, bar in zip(part.findall("measure"), bars, strict=False):
            measure.set("number", str(bar.number))
    head = notation.musicxml[: notation.musicxml.index(b"<score-partwise")]
    return Notation(head + bytes(etree.tostring(root, encoding="utf-8")))


def _with_last_rests(part: etree._Element, bars: Sequence[Bar]) -> None:
    """Add what a score leaves out after its last note: measures of rest."""
    measures = part.findall("measure")
    divisions = int(measures[0].findtext("attributes/divisions") or "1")
    staves = int(measures[0].findtext("attributes/staves") or "1")
    final = measures[-1].find("barline")
    for bar in bars[len(measures) :]:
        measure = etree.SubElement(part, "measure", number=str(bar.number))
        duration = str(round(bar.quarters * divisions))
        for staff in range(1, staves + 1):
            if staff > 1:
                etree.SubElement(etree.SubElement(measure, "backup"), "duration").text = duration
            note = etree.SubElement(measure, "note")
            etree.SubElement(note, "rest", measure="yes")
            etree.SubElement(note, "duration").text = duration
            etree.SubElement(note, "voice").text = str(1 + 4 * (staff - 1))
            if staves > 1:
                etree.SubElement(note, "staff").text = str(staff)
        if final is not None:
            measure.append(final)  # the last barline moves to the end
