"""Noteheads read on real scans beside the notes of their MusicXML: a development figure, nothing is trained on it.

    python -m model_runtime.training.image.scans --data DIR [--weights FOLDER] [--json FILE]

DIR holds `<piece>/sys<n>.png` with `sys<n>.musicxml`. Counted is, for each system, the multiset of (staff, staff
position) of all heads, and of (staff, position, kind of head, dots, accidental shown). Ties and voices do not count.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.tokens.score import duration_of
from model_runtime.tokens.vocabulary import ACCIDENTALS
from model_runtime.unified.image_reader import ImageReader, ReadSystem

_STEPS = "CDEFGAB"
_SIGN_STEPS = {"G": 4 + 7 * 4, "F": 3 + 7 * 3, "C": 7 * 4}  # diatonic number of the clef's own note
_HEADS = {"half": "head:half", "whole": "head:whole", "breve": "head:breve"}
Heads = Counter[tuple[int, ...]]
Full = Counter[tuple[object, ...]]


def heads_of_score(root: ET.Element) -> tuple[Heads, Full]:
    """(staff, position) of every printed head of the first part, and the same with what is seen at it."""
    places: Heads = Counter()
    full: Full = Counter()
    part = root.find("part")
    clefs: dict[int, tuple[str, int, int]] = {1: ("G", 2, 0), 2: ("F", 4, 0)}
    for measure in [] if part is None else part.findall("measure"):
        changes = _clef_changes(measure, clefs)
        at = last = 0
        for element in measure:
            if element.tag == "backup":
                at -= duration_of(element)
            elif element.tag == "forward":
                at += duration_of(element)
            elif element.tag == "note":
                onset = last if element.find("chord") is not None else at
                if element.find("chord") is None:
                    last, at = at, at + duration_of(element)
                if element.find("pitch") is None or element.get("print-object") == "no":
                    continue
                staff = int(element.findtext("staff", "1"))
                place = (staff, _position(element, _clef_at(changes, staff, onset)))
                places[place] += 1
                accidental = element.findtext("accidental", "")
                sign = ACCIDENTALS.index(accidental) + 1 if accidental in ACCIDENTALS else 0
                kind = _HEADS.get(element.findtext("type", ""), "head:black")
                full[(*place, kind, len(element.findall("dot")), sign)] += 1
        clefs = {staff: changes[staff][-1][1] for staff in changes}
    return places, full


def _clef_changes(
    measure: ET.Element, clefs: dict[int, tuple[str, int, int]]
) -> dict[int, list[tuple[int, tuple[str, int, int]]]]:
    """Where in the measure, in divisions, each staff's clef begins to hold."""
    changes = {staff: [(-1, clef)] for staff, clef in clefs.items()}
    at = 0
    for element in measure:
        if element.tag == "backup":
            at -= duration_of(element)
        elif element.tag == "forward" or (element.tag == "note" and element.find("chord") is None):
            at += duration_of(element)
        elif element.tag == "attributes":
            for clef in element.findall("clef"):
                new = (
                    clef.findtext("sign", "G"),
                    int(clef.findtext("line", "2")),
                    int(clef.findtext("clef-octave-change", "0")),
                )
                changes.setdefault(int(clef.get("number", "1")), [(-1, new)]).append((at, new))
    return {staff: sorted(own, key=lambda c: c[0]) for staff, own in changes.items()}


def _clef_at(
    changes: dict[int, list[tuple[int, tuple[str, int, int]]]], staff: int, onset: int
) -> tuple[str, int, int]:
    own = changes.get(staff, [(-1, ("G", 2, 0))])
    return [clef for at, clef in own if at <= onset][-1]


def _position(note: ET.Element, clef: tuple[str, int, int]) -> int:
    step, octave = note.findtext("pitch/step", "C"), int(note.findtext("pitch/octave", "4"))
    sign, line, shift = clef
    return _STEPS.index(step) + 7 * octave - (_SIGN_STEPS.get(sign, 32) + 7 * shift) + 2 * (line - 1)


def heads_read(systems: list[ReadSystem]) -> tuple[Heads, Full]:
    """The same out of what the reader saw; the staves of all parts counted through."""
    places: Heads = Counter()
    full: Full = Counter()
    for system in systems:
        before = 0
        for part in system.parts:
            for glyph in part.glyphs:
                if glyph.kind.startswith("head:"):
                    place = (before + glyph.staff, glyph.position)
                    places[place] += 1
                    full[(*place, glyph.kind, glyph.dots, glyph.accidental)] += 1
            before += part.staves
    return places, full


def line_heads_of_score(root: ET.Element) -> tuple[dict[int, str], int]:
    """Clef of each staff, as "G2", and fifths of the key at the start of the first part."""
    clefs, fifths = {1: "G2", 2: "F4"}, 0
    measure = root.find("part/measure")
    for attributes in [] if measure is None else measure.findall("attributes")[:1]:
        fifths = int(attributes.findtext("key/fifths", "0"))
        for clef in attributes.findall("clef"):
            clefs[int(clef.get("number", "1"))] = clef.findtext("sign", "G") + clef.findtext("line", "2")
    return clefs, fifths


def line_heads_read(systems: list[ReadSystem]) -> tuple[dict[int, str], int]:
    """The same out of what the reader saw before the first note of the first system."""
    clefs: dict[int, str] = {}
    keys: Counter[int] = Counter()
    before = 0
    for part in systems[0].parts if systems else ():
        first = min((g.x for g in part.glyphs if g.kind.startswith(("head:", "rest:"))), default=0.0)
        for glyph in part.glyphs:
            if glyph.x < first and glyph.kind.startswith("clef:"):
                clefs.setdefault(before + glyph.staff, f"{glyph.kind[5:]}{glyph.position // 2 + 1}")
            elif glyph.x < first and glyph.kind.startswith("glyph-key:"):
                keys[int(glyph.kind.rpartition(":")[2])] += 1
        before += part.staves
    return clefs, keys.most_common(1)[0][0] if keys else 0


def measured(reader: ImageReader, folder: Path) -> dict[str, object]:
    """F1 over all systems and by piece, and seconds a system."""
    from PIL import Image

    totals: dict[str, Counter[str]] = {}
    spent = []
    for path in sorted(folder.glob("*/sys*.png")):
        with Image.open(path) as picture:
            page = np.asarray(picture.convert("L"), np.uint8)
        started = time.perf_counter()
        systems = reader.read_page(page)
        spent.append(time.perf_counter() - started)
        root = ET.parse(path.with_suffix(".musicxml")).getroot()
        truth = heads_of_score(root)
        clefs, fifths = line_heads_of_score(root)
        clefs_read, fifths_read = line_heads_read(systems)
        for name in (path.parent.name, "all"):
            counts = totals.setdefault(name, Counter())
            counts["systems"] += 1
            counts["clefs right"] += sum(clefs_read.get(staff) == clef for staff, clef in clefs.items())
            counts["clefs"] += len(clefs)
            counts["keys right"] += fifths == fifths_read
            counts["systems with two staves"] += sum(part.staves for s in systems for part in s.parts) == 2
            read = heads_read(systems)
            _count(counts, "heads", read[0], truth[0])
            _count(counts, "full", read[1], truth[1])
    return {
        "seconds_a_system": round(float(np.median(spent)), 3) if spent else None,
        **{
            name: {
                "systems": c["systems"],
                "two_staves": c["systems with two staves"],
                "clefs_right": round(c["clefs right"] / max(c["clefs"], 1), 4),
                "keys_right": round(c["keys right"] / c["systems"], 4),
                "heads": c["heads there"],
                "heads_read": c["heads read"],
                "head_f1": round(2 * c["heads hit"] / max(c["heads read"] + c["heads there"], 1), 4),
                "with_kind_dots_sign_f1": round(2 * c["full hit"] / max(c["full read"] + c["full there"], 1), 4),
            }
            for name, c in totals.items()
        },
    }


def _count(counts: Counter[str], what: str, mine: Counter[Any], theirs: Counter[Any]) -> None:
    counts[f"{what} hit"] += sum((mine & theirs).values())
    counts[f"{what} read"] += sum(mine.values())
    counts[f"{what} there"] += sum(theirs.values())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Count noteheads read on scans.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    text = json.dumps(measured(ImageReader(arguments.weights, threads=1), arguments.data), indent=1)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
