"""Scores → engraved pages with their labels, in music fonts, sizes, spacings and with things printed around the notes.

What songs have too little of is added at random: fingerings, articulations, pedal marks, dynamics, other metres and
keys, ottavas. The pages need not make sense as music; each glyph must look and stand as it would.
"""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_runtime.engraving.raster import grey_page
from model_runtime.modality import GreyPage
from model_runtime.tokens.score import two_staved_part
from model_runtime.training.engrave import FONTS, share_beams, show_tuplet_numbers
from model_runtime.training.image.labels import PageLabels, number_notes, page_labels

_UNIT = 9  # half a staff space in Verovio's units
_METERS = (
    *((2, 4), (3, 4), (4, 4), (6, 8), (3, 8), (9, 8), (12, 8)),
    *((2, 2), (3, 2), (6, 4), (5, 4), (4, 2), (4, 8), (5, 8)),
)
_ARTICULATIONS = ("staccato", "accent", "tenuto", "strong-accent", "staccatissimo")
_DYNAMICS = ("p", "pp", "f", "mf", "ff", "sf", "fz", "mp", "ppp")
_WORDS = ("cresc.", "dim.", "rit.", "a tempo", "dolce", "sempre", "R.H.", "L.H.", "legato", "espress.", "poco a poco")


@dataclass(frozen=True)
class DrawnPage:
    """A clean page and what is on it."""

    pixels: GreyPage
    labels: PageLabels


def printed_score(root: ET.Element, rng: np.random.Generator) -> ET.Element | None:
    """A copy of the score as it will be printed: whole or only its two-staved part; None where that is missing."""
    part = two_staved_part(root)
    if part is None:
        return None
    result = copy.deepcopy(root)
    if rng.random() < 0.55:
        kept = part.get("id")
        for other in [p for p in result.findall("part") if p.get("id") != kept]:
            result.remove(other)
        part_list = result.find("part-list")
        for other in [] if part_list is None else list(part_list):
            if other.get("id") != kept:
                part_list.remove(other)  # type: ignore[union-attr]
    if rng.random() < 0.5:
        for note in result.iter("note"):
            for lyric in note.findall("lyric"):
                note.remove(lyric)
    _vary(result, rng)
    if rng.random() < 0.5:
        show_tuplet_numbers(result)
    return result


def _vary(root: ET.Element, rng: np.random.Generator) -> None:
    if rng.random() < 0.35:
        fifths = int(rng.integers(-7, 8))
        for element in root.iterfind(".//attributes/key/fifths"):
            element.text = str(fifths if rng.random() < 0.7 else int(rng.integers(-7, 8)))
    if rng.random() < 0.5:
        _vary_meters(root, rng)
    strew(root, rng)


def strew(root: ET.Element, rng: np.random.Generator) -> None:
    """Print more around the notes of the last part, in place: fingerings, articulations, dynamics, words, ottavas."""
    if rng.random() < 0.35:
        _add_fingerings(root, rng)
    if rng.random() < 0.4:
        _add_articulations(root, rng, float(rng.uniform(0.02, 0.15)))
    if rng.random() < 0.5:
        _add_directions(root, rng)
    if rng.random() < 0.4:
        vary_barlines(root, rng)
    if rng.random() < 0.15:
        _add_ottavas(root, rng)


def _vary_meters(root: ET.Element, rng: np.random.Generator) -> None:
    """Other metres where one is printed, and some within the piece; the notes stay."""
    parts = root.findall("part")
    for index, measure in enumerate(parts[0].findall("measure")):
        printed = any(a.find("time") is not None for a in measure.findall("attributes"))
        if not printed and rng.random() > 0.12:
            continue
        beats, beat_type = _METERS[int(rng.integers(len(_METERS)))]
        sign = {(4, 4): "common", (2, 2): "cut"}.get((beats, beat_type)) if rng.random() < 0.5 else None
        for part in parts:
            measures = part.findall("measure")
            if index < len(measures):
                _set_meter(measures[index], beats, beat_type, sign)


def _set_meter(measure: ET.Element, beats: int, beat_type: int, sign: str | None) -> None:
    attributes = measure.find("attributes")
    if attributes is None:
        attributes = ET.Element("attributes")
        measure.insert(0, attributes)
    for time in attributes.findall("time"):
        attributes.remove(time)
    names = [child.tag for child in attributes]
    place = sum(name in ("divisions", "key") for name in names)
    time = ET.Element("time", {} if sign is None else {"symbol": sign})
    ET.SubElement(time, "beats").text = str(beats)
    ET.SubElement(time, "beat-type").text = str(beat_type)
    attributes.insert(place, time)


def vary_barlines(root: ET.Element, rng: np.random.Generator) -> None:
    """Repeats, double and final barlines after measures anywhere, in every part."""
    parts = [part.findall("measure") for part in root.findall("part")]
    for index in range(min(len(measures) for measures in parts) - 1):
        if rng.random() > 0.14:
            continue
        ends, begins = rng.random(2) < ((0.6, 0.6) if rng.random() < 0.6 else (0.0, 0.0))
        style = "light-light" if rng.random() < 0.6 else "light-heavy"
        for measures in parts:
            for barline in measures[index].findall("barline") + measures[index + 1].findall(
                "barline[@location='left']"
            ):
                (measures[index] if barline in measures[index] else measures[index + 1]).remove(barline)
            if ends or not begins:
                measures[index].append(_barline("right", style, "backward" if ends else None))
            if begins:
                measures[index + 1].insert(0, _barline("left", "heavy-light", "forward"))


def _barline(location: str, style: str, repeat: str | None) -> ET.Element:
    barline = ET.Element("barline", {"location": location})
    ET.SubElement(barline, "bar-style").text = "light-heavy" if repeat == "backward" else style
    if repeat is not None:
        ET.SubElement(barline, "repeat", {"direction": repeat})
    return barline


def _all_notations(note: ET.Element) -> ET.Element:
    notations = note.find("notations")
    return ET.SubElement(note, "notations") if notations is None else notations


def _notations(note: ET.Element, name: str) -> ET.Element:
    notations = _all_notations(note)
    found = notations.find(name)
    return ET.SubElement(notations, name) if found is None else found


def _add_fingerings(root: ET.Element, rng: np.random.Generator) -> None:
    rate = float(rng.uniform(0.1, 0.9))
    for note in root.iter("note"):
        if note.find("pitch") is not None and note.find("grace") is None and rng.random() < rate:
            ET.SubElement(_notations(note, "technical"), "fingering").text = str(int(rng.integers(1, 6)))


def _add_articulations(root: ET.Element, rng: np.random.Generator, rate: float) -> None:
    for note in root.iter("note"):
        if note.find("pitch") is None or note.find("chord") is not None or note.find("grace") is not None:
            continue
        if rng.random() < rate:
            name = _ARTICULATIONS[int(rng.integers(len(_ARTICULATIONS)))]
            ET.SubElement(_notations(note, "articulations"), name)
            if rng.random() < 0.15:
                ET.SubElement(_notations(note, "articulations"), "staccato" if name != "staccato" else "accent")
        elif rng.random() < rate * 0.1:
            notations = _notations(note, "ornaments")
            ET.SubElement(notations, "trill-mark")
        elif rng.random() < rate * 0.1:
            ET.SubElement(_all_notations(note), "fermata")
        elif rng.random() < rate * 0.2:
            ET.SubElement(_all_notations(note), "arpeggiate")


def _direction(kind: ET.Element, staff: int, placement: str) -> ET.Element:
    direction = ET.Element("direction", {"placement": placement})
    ET.SubElement(direction, "direction-type").append(kind)
    ET.SubElement(direction, "staff").text = str(staff)
    return direction


def _add_directions(root: ET.Element, rng: np.random.Generator) -> None:
    """Dynamics, words and pedal marks at the start of measures and between notes of the last part."""
    part = root.findall("part")[-1]
    pedal = rng.random() < 0.5
    for measure in part.findall("measure"):
        children = [i for i, e in enumerate(measure) if e.tag == "note" and e.find("chord") is None]
        if not children:
            continue
        where = children[int(rng.integers(len(children)))]
        staff = int(rng.integers(1, 3))
        if rng.random() < 0.3:
            dynamics = ET.Element("dynamics")
            ET.SubElement(dynamics, _DYNAMICS[int(rng.integers(len(_DYNAMICS)))])
            measure.insert(where, _direction(dynamics, staff, "below"))
        if rng.random() < 0.15:
            words = ET.Element("words", {"font-style": "italic"})
            words.text = _WORDS[int(rng.integers(len(_WORDS)))]
            measure.insert(where, _direction(words, staff, "above" if rng.random() < 0.3 else "below"))
        if pedal and rng.random() < 0.7:
            measure.insert(children[0], _direction(ET.Element("pedal", {"type": "start", "sign": "yes"}), 2, "below"))
            stop = _direction(ET.Element("pedal", {"type": "stop", "sign": "yes"}), 2, "below")
            measure.insert(min(children[-1] + 1, len(measure)), stop)


def _add_ottavas(root: ET.Element, rng: np.random.Generator) -> None:
    part = root.findall("part")[-1]
    measures = part.findall("measure")
    at = int(rng.integers(1, 6))
    while at + 2 < len(measures):
        staff, length = int(rng.integers(1, 3)), int(rng.integers(1, 3))
        kind, placement = ("down", "above") if staff == 1 else ("up", "below")
        size = "15" if rng.random() < 0.1 else "8"
        for index, type_ in ((at, kind), (at + length, "stop")):
            shift = ET.Element("octave-shift", {"type": type_, "size": size, "number": "1"})
            first = next((i for i, e in enumerate(measures[index]) if e.tag == "note"), len(measures[index]))
            measures[index].insert(first, _direction(shift, staff, placement))
        at += length + int(rng.integers(2, 10))


def random_options(rng: np.random.Generator) -> dict[str, Any]:
    """Verovio's options for pages as printed music has them: 60 to 150 staff spaces wide."""
    width = int(rng.integers(60, 150)) * 2 * _UNIT
    uniform = lambda low, high: float(rng.uniform(low, high))  # noqa: E731
    return {
        **{"font": FONTS[int(rng.integers(len(FONTS)))], "pageWidth": width, "unit": _UNIT},
        **{"pageHeight": int(width * uniform(0.5, 1.5)), "pageMarginLeft": int(uniform(30, 200))},
        **{"pageMarginRight": int(uniform(20, 160)), "pageMarginTop": int(uniform(20, 160))},
        **{"spacingLinear": uniform(0.17, 0.34), "spacingNonLinear": uniform(0.48, 0.7)},
        **{"spacingStaff": int(rng.integers(6, 18)), "spacingSystem": int(rng.integers(4, 20))},
        **{"staffLineWidth": uniform(0.15, 0.36), "stemWidth": uniform(0.18, 0.4), "barLineWidth": uniform(0.24, 0.6)},
        **{"thickBarlineThickness": uniform(0.7, 1.4), "ledgerLineThickness": uniform(0.22, 0.5)},
        **{"ledgerLineExtension": uniform(0.4, 0.8), "beamMaxSlope": int(rng.integers(0, 20))},
        **{"slurMidpointThickness": uniform(0.35, 1.0), "slurEndpointThickness": uniform(0.05, 0.2)},
        **{"tieMidpointThickness": uniform(0.3, 0.8), "lyricSize": uniform(3.5, 6.0), "graceFactor": uniform(0.6, 0.8)},
        **{"justifyVertically": bool(rng.random() < 0.5), "mnumInterval": int(rng.integers(0, 3))},
        **{"header": "auto" if rng.random() < 0.3 else "none", "footer": "none"},
        **{"dynamDist": uniform(0.5, 2.0), "lyricTopMinMargin": uniform(1.0, 4.0), "hairpinSize": uniform(2.0, 4.5)},
        **{"breaks": "auto", "systemMaxPerPage": int(rng.integers(0, 8)), "adjustPageHeight": bool(rng.random() < 0.5)},
    }


class PageMaker:
    """Draws pages of one score in any number of styles.

    Attributes:
        notes: Each note of the score by its id, with its staff counted over all parts from 0.
    """

    def __init__(self, root: ET.Element) -> None:
        import verovio

        verovio.enableLog(verovio.LOG_OFF)
        self.notes = number_notes(root)
        self._toolkit: Any = verovio.toolkit()
        self._toolkit.setOptions(
            {
                **{"svgFormatRaw": True, "svgRemoveXlink": True, "breaks": "auto"},
                "svgAdditionalAttribute": ["tie@startid", "tie@endid"],
            }
        )
        self._loaded = bool(self._toolkit.loadData(ET.tostring(root, encoding="unicode")))
        for part in root.findall("part"):
            share_beams(part)  # for the labels; Verovio would draw a chord's beam once for each of its notes

    def pages(
        self,
        options: dict[str, Any],
        space_px: float,
        most: int,
        rng: np.random.Generator,
        reshape: Callable[[str], str] = str,
    ) -> Iterator[DrawnPage]:
        """At most so many pages, chosen at random, drawn at about `space_px` to the staff space.

        Args:
            reshape: Gives the signs of an SVG page other shapes, as `shapes.other_shapes` does.
        """
        if not self._loaded:
            return
        self._toolkit.setOptions(options)
        self._toolkit.redoLayout()
        count = self._toolkit.getPageCount()
        for number in sorted(rng.permutation(count)[:most] + 1):
            svg = self._toolkit.renderToSVG(int(number))
            width = round(options["pageWidth"] / (2 * _UNIT) * space_px)
            labels = page_labels(svg, self.notes, width)
            if labels is not None and labels.staves:
                yield DrawnPage(grey_page(reshape(svg), width), labels)
