"""Pages of a score → one score: systems found and read, instruments followed from line to line, measures joined.

The image reader says what stands where, the trunk what it means; every measure of every page is decoded in one go. A
line on which an instrument is missing, or has fewer barlines than the others, is filled with empty measures and said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from lxml import etree

from model_runtime.modality import GreyPage, Notation
from model_runtime.tokens.lmx_notation import score
from model_runtime.tokens.written import WrittenMeasure, WrittenNote
from model_runtime.unified.image_reader import ImageReader, ReadPart, ReadSystem
from model_runtime.unified.inference import TrunkRuntime, Window
from model_runtime.unified.line_heads import with_agreed_keys
from model_runtime.unified.lines_of_music import (
    USUAL_CLEFS,
    JoinedMeasure,
    Line,
    PlacedWindow,
    join,
    likely_meter,
    windows_of,
)

Progress = Callable[[str, float, float], None]
SEQUENCES = 4  # that are followed of each measure
_NAMES = {1: "Part", 2: "Piano"}
_CLEF_NAMES = {"G2": "treble", "F4": "bass"}


@dataclass(frozen=True)
class ReadScore:
    """What was read.

    Attributes:
        notation: One score of all pages; its confidence in a measure is the least sure instrument's.
        warnings: Sentences with the numbers of measures.
    """

    notation: Notation
    warnings: tuple[str, ...]


def read_score(
    pages: Sequence[GreyPage], reader: ImageReader, trunk: TrunkRuntime, progress: Progress | None = None
) -> ReadScore | None:
    """One score of all pages; None where no music is found on any.

    Args:
        pages: uint8, 0 is ink.
        reader, trunk: With their weights.
        progress: Called with a stage, and how much of how much is done.
    """
    tell = progress or (lambda stage, done, total: None)
    systems: list[ReadSystem] = []
    for number, page in enumerate(pages):
        start = number

        def told(share: float, start: int = start) -> None:
            tell("Reading the pages", start + share, len(pages))

        systems += reader.read_page(page, told)
        tell("Reading the pages", number + 1, len(pages))
    systems = [s for s in systems if any(has_music(p) for p in s.parts)]
    if not systems:
        return None
    return _joined(systems, trunk, tell)


def has_music(part: ReadPart) -> bool:
    """Whether any note or rest was seen in it."""
    return any(glyph.kind.startswith(("head:", "rest:")) for glyph in part.glyphs)


def instruments(systems: Sequence[ReadSystem]) -> list[list[ReadPart | None]]:
    """The part of each instrument on each line, None where it is missing.

    Most lines have the same instruments; on another line they are matched from the lowest upwards by their number of
    staves, for what comes and goes in songs stands above the piano.
    """
    usual = Counter(tuple(p.staves for p in s.parts) for s in systems).most_common(1)[0][0]
    rows: list[list[ReadPart | None]] = []
    for system in systems:
        row: list[ReadPart | None] = [None] * len(usual)
        free = len(usual) - 1
        for part in reversed(system.parts):
            at = next((i for i in range(free, -1, -1) if usual[i] == part.staves), None)
            if at is not None:
                row[at], free = part, at - 1
        rows.append(row)
    return [[row[i] for row in rows] for i in range(len(usual))]


def _joined(systems: Sequence[ReadSystem], trunk: TrunkRuntime, tell: Progress) -> ReadScore:
    parts = instruments(systems)
    staves = [next((p.staves for p in part if p is not None), 1) for part in parts]
    lines = [
        [Line(glyphs, own) for glyphs in with_agreed_keys([(p.glyphs if p else (), own) for p in part])]
        for part, own in zip(parts, staves, strict=True)
    ]
    windows = [windows_of(part) for part in lines]
    if any(placed.window.measure_quarters is None for part in windows for placed in part):
        meter = likely_meter(trunk.write(_flat(windows), progress=_told(tell, "Finding the metre")))
        if meter is not None:  # none is printed where the music begins
            windows = [windows_of(part, meter=meter) for part in lines]
    written = trunk.write(_flat(windows), beam=SEQUENCES, progress=_told(tell, "Writing the score"))
    joined: list[list[JoinedMeasure]] = []
    warnings: list[str] = []
    at = 0
    for part in windows:
        measures, told = join(part, written[at : at + len(part)])
        at += len(part)
        joined.append(measures)
        warnings += told
    warnings += assumed_clefs(lines)
    evened, gaps = _evened(joined, len(systems))
    root = _score(evened, staves)
    confidence = tuple(min(part[i].confidence for part in evened) for i in range(len(evened[0])))
    notation = Notation(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), confidence)
    return ReadScore(notation, (*warnings, *gaps))


def assumed_clefs(parts: Sequence[Sequence[Line]]) -> list[str]:
    """Says of each staff on which no clef was seen on any line that the usual one is taken."""
    result = []
    for number, lines in enumerate(parts, 1):
        seen = {g.staff for line in lines for g in line.glyphs if g.kind.startswith("clef:")}
        for staff, clef in USUAL_CLEFS.get(lines[0].staves, {}).items():
            if staff not in seen:
                where = f"staff {staff} of part {number}" if len(parts) > 1 else f"staff {staff}"
                result.append(f"No clef was seen on {where}: its notes are read in the {_CLEF_NAMES[clef]} clef.")
    return result


def _flat(windows: Sequence[Sequence[PlacedWindow]]) -> list[Window]:
    return [placed.window for part in windows for placed in part]


def _told(tell: Progress, stage: str) -> Callable[[int, int], None]:
    return lambda done, total: tell(stage, done, total)


def _evened(parts: Sequence[list[JoinedMeasure]], lines: int) -> tuple[list[list[JoinedMeasure]], list[str]]:
    """Every instrument with as many measures on each line as the one that has most."""
    result: list[list[JoinedMeasure]] = [[] for _ in parts]
    warnings = []
    for line in range(lines):
        own = [[m for m in part if m.line == line] for part in parts]
        count = max(len(measures) for measures in own)
        model = max(own, key=len)
        for i, measures in enumerate(own):
            if len(measures) < count and len(parts) > 1:
                warnings.append(f"Line {line + 1}: {count - len(measures)} measures of part {i + 1} were not found.")
            result[i] += measures
            for other in model[len(measures) :]:
                result[i].append(JoinedMeasure(_empty(other.measure.length), 0.0, line))
    return result, warnings


def _empty(length: Fraction) -> WrittenMeasure:
    return WrittenMeasure(length, [WrittenNote("", "", duration=length)])


def _score(parts: Sequence[Sequence[JoinedMeasure]], staves: Sequence[int]) -> etree._Element:
    """One `score-partwise` of all instruments."""
    root: etree._Element | None = None
    for number, measures in enumerate(parts, 1):
        own = score([m.measure for m in measures])
        listed, part = own.find("part-list/score-part"), own.find("part")
        if listed is None or part is None:
            raise AssertionError("a score without a part")
        name = f"P{number}"
        listed.set("id", name)
        part.set("id", name)
        instrument = listed.find("score-instrument")
        if instrument is not None:
            instrument.set("id", f"{name}-I1")
        title = listed.find("part-name")
        if title is not None:
            title.text = _NAMES.get(staves[number - 1], "Part")
        if root is None:
            root = own
        else:
            part_list = root.find("part-list")
            if part_list is not None:
                part_list.append(listed)
            root.append(part)
    if root is None:
        raise AssertionError("no parts")
    return root
