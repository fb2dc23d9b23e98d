"""OLiMPiC's scores engraved again by MuseScore 3: each line of the piano or of the voice as a picture, with its LMX.

OLiMPiC (Mayer et al., ICDAR 2024) takes the piano parts of OpenScore Lieder, line by line as MuseScore lays them out.
Its own pictures are not here; its ids and split are (`data/lieder/index.csv`), so the same scores are laid out again.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from model_runtime.tokens.lmx import LmxMeasure, head_tokens, lmx_measures, split_head
from model_runtime.tokens.score import Head, drop_unprinted_tuplets, heads, two_staved_part, visible_part
from model_runtime.training.corpus import root_of
from model_runtime.training.engrave import document
from model_runtime.training.parts import single_staves

DPI = 200
_POSITION_UNITS = 12.0  # of a `.mpos` file, in a pixel
_MARGIN = 0.35  # of a line's height: what is cut out above and below it, for slurs and dynamics
_SECONDS_A_SCORE = 60


@dataclass(frozen=True)
class PrintedLine:
    """One line of music.

    Attributes:
        score: Id of the score.
        page: Picture of the whole page.
        box: Left, top, right, bottom in pixels.
        measures: First and last measure, from 0.
        gold: LMX, as it is printed: key and clefs at the start of the line, the metre where it is.
    """

    score: str
    page: Path
    box: tuple[int, int, int, int]
    measures: tuple[int, int]
    gold: tuple[str, ...]


def picture(line: PrintedLine) -> npt.NDArray[np.uint8]:
    """The line, cut out of its page: (height, width), black on white."""
    with Image.open(line.page) as page:
        page = page.convert("RGBA")
        paper = Image.new("RGBA", page.size, "white")
        return np.asarray(Image.alpha_composite(paper, page).convert("L").crop(line.box))


def score_ids(data: Path, split: str) -> list[str]:
    """Ids of a split of OLiMPiC, in the order of the index."""
    with (data / "lieder" / "index.csv").open(newline="", encoding="utf-8") as file:
        return [row["id"] for row in csv.DictReader(file) if row["split"] == split]


def printed_lines(data: Path, ids: Sequence[str], work: Path) -> Iterator[PrintedLine]:
    """Every line of the scores, engraved once and kept in `work`; a line that LMX cannot write is left out."""
    for name in ids:
        part = two_staved_part(root_of(data / "lieder" / f"{name}.mxl"))
        if part is not None:
            yield from _printed_part(part, name, work)


def printed_melodies(data: Path, ids: Sequence[str], work: Path) -> Iterator[PrintedLine]:
    """The same of the voice: the first part with one staff, with its words."""
    for name in ids:
        found = single_staves(root_of(data / "lieder" / f"{name}.mxl"))
        if found:
            yield from _printed_part(found[0].part, f"{name}-melody", work)


def _printed_part(part: ET.Element, name: str, work: Path) -> Iterator[PrintedLine]:
    folder = work / name
    if not (folder / f"{name}.mpos").is_file():
        _engrave(part, name, folder)
    visible = visible_part(part)
    drop_unprinted_tuplets(visible)
    yield from _lines(name, folder, lmx_measures(visible), heads(visible))


def _engrave(part: ET.Element, name: str, folder: Path) -> None:
    program = shutil.which("mscore3") or sys.exit("MuseScore 3 is not installed: apt-get install musescore3")
    folder.mkdir(parents=True, exist_ok=True)
    part.set("id", "P1")
    source = folder / f"{name}.musicxml"
    source.write_text(document(part), encoding="utf-8")
    job = folder / "job.json"
    out = [str(folder / f"{name}.png"), str(folder / f"{name}.mpos")]
    job.write_text(json.dumps([{"in": str(source), "out": out}]), encoding="utf-8")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [program, "-r", str(DPI), "-j", str(job)]
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=_SECONDS_A_SCORE)


def _lines(name: str, folder: Path, measures: Sequence[LmxMeasure], states: Sequence[Head]) -> Iterator[PrintedLine]:
    elements = ET.parse(folder / f"{name}.mpos").getroot().findall("elements/element")
    if len(elements) != len(measures):
        return  # a measure that MuseScore split or joined: the places would not be the measures'
    places = [{k: float(e.get(k, "0")) for k in ("x", "y", "sx", "sy", "page")} for e in elements]
    pages = sorted(folder.glob(f"{name}-*.png"))  # MuseScore numbers them as wide as the last one's number
    first = 0
    for last, place in enumerate(places):
        following = places[last + 1] if last + 1 < len(places) else None
        if following and (following["page"], following["y"]) == (place["page"], place["y"]):
            continue
        own = measures[first : last + 1]
        if all(m.tokens for m in own):
            start, height = places[first], place["sy"]
            box = (
                start["x"] - 0.02 * height,
                start["y"] - _MARGIN * height,
                place["x"] + place["sx"] + 0.02 * height,
                start["y"] + (1 + _MARGIN) * height,
            )
            pixels = tuple(max(round(v / _POSITION_UNITS), 0) for v in box)
            page = pages[int(place["page"])]
            yield PrintedLine(name, page, pixels, (first, last), _gold(own, states[first]))  # type: ignore[arg-type]
        first = last + 1


def _gold(measures: Sequence[LmxMeasure], head: Head) -> tuple[str, ...]:
    tokens = list(measures[0].tokens)
    cut = split_head(tokens)
    result = [*head_tokens(head, tokens[1:cut], with_meter=False), *tokens[cut:]]
    for measure in measures[1:]:
        result += measure.tokens
    return tuple(result)
