"""Humdrum kern → the two-staved MusicXML part that the corpus is built from.

Verovio reads kern and resolves its voices, beams, tuplets and accidentals into MEI; `mei.py` writes that as MusicXML.
Kern seldom says which way a stem points: those that it leaves open are taken from Verovio's drawing.

    python -m model_runtime.training.kern --data KERN [--limit 20]     # how many scores and measures can be used

What belongs to no two-staved part is left out, and so are works that the scans to be read are of.
"""

from __future__ import annotations

import argparse
import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_runtime.tokens.score import visible_part
from model_runtime.training.engrave import Engraver, Style
from model_runtime.training.mei import part_of_mei

NEVER = frozenset(("006", "024", "063"))  # opera of Chopin's whose scans are read to measure
DEV = frozenset(("015", "042", "062"))  # opera that do not train
_OPUS = re.compile(r"[^-_]+")  # of names as 028_1-12-1a-C-003
_NUMBER = re.compile(r"-(\d{3})(?=-|$)")


def scores(folder: Path) -> list[tuple[str, str, Path]]:
    """Name, split and file of every score of a folder that may be used; whole opera belong to one split.

    One edition of every work comes before the second one of any.
    """
    editions: Counter[tuple[str, str]] = Counter()
    ranked = []
    for path in sorted(folder.glob("*.krn")):
        name = path.stem
        found, number = _OPUS.match(name), _NUMBER.search(name)
        opus = found[0] if found else name
        work = (opus, number[1] if number else "")
        editions[work] += 1
        if opus not in NEVER:
            ranked.append((editions[work], name, "dev" if opus in DEV else "train", path))
    return [(name, split, path) for _, name, split, path in sorted(ranked)]


def root_of_kern(path: Path) -> ET.Element:
    """A `score-partwise` of one part with two staves.

    Raises:
        ValueError: it is no music for two staves, or Verovio cannot read it.
    """
    text = path.read_text("utf-8", errors="replace")
    opening = next((line for line in text.splitlines() if line.startswith("**")), "")
    if opening.split("\t").count("**kern") != 2:
        raise ValueError("not two staves of kern")
    part = part_of_mei(_mei(text))
    _write_stems(part)
    return _root(part)


def _root(part: ET.Element) -> ET.Element:
    root = ET.Element("score-partwise", {"version": "4.0"})
    score_part = ET.SubElement(ET.SubElement(root, "part-list"), "score-part", {"id": "P1"})
    ET.SubElement(score_part, "part-name").text = "Piano"
    root.append(part)
    return root


def _mei(text: str) -> str:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit: Any = verovio.toolkit()
    toolkit.setInputFrom("humdrum")
    if not toolkit.loadData(text):
        raise ValueError("Verovio cannot read it")
    return str(toolkit.getMEI())


def _write_stems(part: ET.Element) -> None:
    """Write the stems that Verovio draws wherever none is written."""
    engraved = Engraver(visible_part(part)).engrave(Style())
    for source, measure in zip(part.findall("measure"), engraved, strict=False):
        notes = source.findall("note")
        for glyph, number in zip(measure.glyphs, measure.notes, strict=True):
            if 0 <= number < len(notes) and glyph.kind.startswith("head") and glyph.stem:
                note = notes[number]
                if note.find("stem") is None:
                    stem = ET.Element("stem")
                    stem.text = "up" if glyph.stem == 1 else "down"
                    note.insert(list(note).index(note.find("staff")), stem)  # type: ignore[arg-type]


def tally(folder: Path, limit: int | None = None) -> Iterator[tuple[str, Counter[str]]]:
    """For each score how many measures it has and how many LMX cannot write, or why it cannot be used."""
    from model_runtime.tokens.lmx import lmx_measures
    from model_runtime.tokens.score import drop_unprinted_tuplets

    for name, _, path in scores(folder)[:limit]:
        counts: Counter[str] = Counter(scores=1)
        try:
            part = root_of_kern(path).find("part")
        except ValueError as error:
            counts[f"left out: {error}"] += 1
            yield name, counts
            continue
        assert part is not None
        visible = visible_part(part)
        drop_unprinted_tuplets(visible)
        for measure in lmx_measures(visible):
            counts["measures"] += 1
            if measure.failure:
                counts[f"LMX failed: {measure.failure}"] += 1
        yield name, counts


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How much of a folder of kern scores can be used.")
    parser.add_argument("--data", type=Path, required=True, help="folder of .krn files")
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    sums: Counter[str] = Counter()
    for name, counts in tally(arguments.data, arguments.limit):
        sys.stdout.write(f"{name}: {dict(counts)}\n")
        sums += counts
    sys.stdout.write(f"all: {dict(sums.most_common())}\n")


if __name__ == "__main__":
    main()
