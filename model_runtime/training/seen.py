"""Windows as the image reader really sees them: pages engraved, spoilt, read by the reader, and paired with their LMX.

    python -m model_runtime.training.seen --data SCORES --out DIR [--split train] [--measures 20000] [--fonts FONTS]
                                          [--music piano]     # or melody, reduction: `parts.py`
    python -m model_runtime.training.seen --out DIR [--split train] --errors     # what the reader made of the pages

The pages are MuseScore 3's as it sets them by itself, MuseScore's in other styles, and Verovio's in other fonts; some
are spoilt as scans and photographs are. They are read and cut at the barlines that were found exactly as the engine
does it. A window is kept where both of its edges are those of a true measure and the clefs that were read hold there.

One `.npz` a score and round goes into `DIR/<split>`, in the form of `corpus.py` with one variant, so `dataset.Corpus`
reads it, but every measure is a window by itself, complete: carried clefs, key and metre are among its glyphs, `left`
is 0, each has a `system` of its own and no metre before it. Errors are in it already; none must be injected. Pointers
go to the glyphs that were matched with the exact ones; notes that were not seen have none. There are no performances in
it. In addition each file has `measure_number` (M,), `edition` (a name of `EDITIONS`) and `reader` (how long the image
reader was trained). An interrupted run goes on where it stopped. The split `test` is never read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_runtime.tokens.glyphs import COMPOUND_FIELDS, Glyph
from model_runtime.tokens.vocabulary import IDS, fingerprint, ids_of
from model_runtime.training.corpus import STAVES, Arrays
from model_runtime.training.editions import (
    EngravedPage,
    MeasureBox,
)
from model_runtime.training.glyph_matching import differences, match
from model_runtime.training.image.dataset import totals
from model_runtime.training.parts import Music
from model_runtime.training.seen_errors import errors_table
from model_runtime.training.seen_pages import EDITIONS, MOST_PAGES, Task, Truth, engraved_apart, rounds, tasks_of
from model_runtime.unified.image_reader import ImageReader, ReadSystem
from model_runtime.unified.lines_of_music import Line, PlacedWindow, measures_of, windows_of
from model_runtime.unified.page_reading import has_music, instruments

_LINE_BY_LINE = 0.3  # share of the scores of which every line is read by itself, as where pictures of lines are given
_METER_TOLD = 0.5  # of what has no printed metre at its start
_OPENING = ("clef:", "glyph-key:", "meter:", "barline:")
_EDGE_SPACES = 2.0  # by which a window's edge may lie off a measure's


@dataclass(frozen=True)
class SeenWindow:
    """One measure as it was read, and which measure it is."""

    number: int
    placed: PlacedWindow
    glyphs: Sequence[Glyph]  # without what is carried

    @property
    def carried(self) -> int:
        """How many carried glyphs stand before the others."""
        return len(self.placed.window.ids) - len(self.glyphs)

    @property
    def opens_line(self) -> bool:
        """Nothing but perhaps the metre is carried."""
        return self.carried <= 1


def seen_windows(
    pages: Sequence[EngravedPage], truth: Truth, reader: ImageReader, rng: np.random.Generator, counts: Counter[str]
) -> list[SeenWindow]:
    """Every window of the pages that could be paired with a measure; `counts` is told what became of the others."""
    systems, boxes = _read(pages, reader)
    counts["pages"] += len(pages)
    counts["true measures"] += sum(len(page.measures) for page in pages)
    parts = instruments(systems) if systems else []
    if len(parts) != 1 or not any(p is not None and p.staves == truth.staves for p in parts[0]):
        counts["scores not read as one piano" if truth.staves == STAVES else "scores not read as one melody"] += 1
        return []
    lines = [Line(p.glyphs if p is not None else (), truth.staves) for p in parts[0]]
    together = rng.random() >= _LINE_BY_LINE
    groups = [list(range(len(lines)))] if together else [[i] for i in range(len(lines))]
    placed = [w for group in groups for w in _cut([lines[i] for i in group], boxes[group[0]], truth, rng)]
    counts["windows"] += len(placed)
    result = []
    remaining = iter(placed)
    for line, system, own in zip(lines, systems, boxes, strict=True):
        cut = measures_of(line)
        edges = [*(left for left, _ in cut), system.width]
        for index, (_, glyphs) in enumerate(cut):
            window = next(remaining)
            number = _measure_between(edges[index], edges[index + 1], own, system)
            if number is None:
                counts["windows that are no measure"] += 1
            elif not truth.measures[number].tokens:
                counts["windows without LMX"] += 1
            elif window.head.clefs != truth.clefs(number):
                counts["windows with another clef"] += 1
            elif truth.staves == 1 and _beams_seen(glyphs) > truth.measures[number].tokens.count("beam:begin"):
                counts["windows with other beams"] += 1  # MuseScore joins flags of sung notes
            elif window.steps:
                counts["windows that are moved to another clef"] += 1
            else:
                result.append(SeenWindow(number, window, glyphs))
    counts["windows kept"] += len(result)
    return result


def _beams_seen(glyphs: Sequence[Glyph]) -> int:
    """How many stems begin a beam, chords counted once."""
    begins = [g for g in glyphs if g.kind.startswith("head:") and g.beams_right and not g.beams_left]
    return len({(round(g.x), g.stem) for g in begins})


def _cut(
    lines: Sequence[Line], boxes: Sequence[MeasureBox], truth: Truth, rng: np.random.Generator
) -> list[PlacedWindow]:
    """Windows of lines that the engine would be given together.

    Where no metre is printed at the start, the engine guesses it from what it wrote and reads once more.
    """
    placed = windows_of(lines)
    if boxes and any(w.window.measure_quarters is None for w in placed) and rng.random() < _METER_TOLD:
        placed = windows_of(lines, meter=truth.heads[boxes[0].number + 1].meter)
    return placed


def _read(pages: Sequence[EngravedPage], reader: ImageReader) -> tuple[list[ReadSystem], list[list[MeasureBox]]]:
    """Systems with music of all pages, and for each the measures that stand there."""
    systems: list[ReadSystem] = []
    boxes: list[list[MeasureBox]] = []
    for page in pages:
        for system in reader.read_page(page.pixels):
            if any(has_music(p) for p in system.parts):
                middle = (system.top + system.bottom) / 2
                systems.append(system)
                boxes.append([b for b in page.measures if b.top < middle < b.bottom])
    return systems, boxes


def _measure_between(left: float, right: float, boxes: Sequence[MeasureBox], system: ReadSystem) -> int | None:
    """The measure whose edges these are, in staff spaces from the line's left edge."""
    scale = system.width / max(system.right - system.left, 1.0)
    for box in boxes:
        near_left = abs((box.left - system.left) * scale - left) < _EDGE_SPACES
        if near_left and abs((box.right - system.left) * scale - right) < _EDGE_SPACES:
            return box.number
    return None


def arrays_of(windows: Sequence[SeenWindow], truth: Truth, edition: str, counts: Counter[str]) -> Arrays:
    """A file's arrays (see the module); `counts` is told how the reader's glyphs differ from the exact ones."""
    described = [_described(window, truth, edition, counts) for window in windows]
    measures = [truth.measures[w.number] for w in windows]
    states = [truth.heads[w.number] for w in windows]
    clefs = [[IDS.get(f"clef:{h.clefs.get(s, '')}", 0) for s in range(1, STAVES + 1)] for h in states]
    count = len(windows)
    ids = [w.placed.window.ids for w in windows]
    whole: Arrays = {
        "lmx_ids": np.array([i for m in measures for i in ids_of(m.tokens)], np.int16),
        "lmx_notes": np.array([n for m in measures for n in m.notes], np.int16),
        "lmx_offsets": np.cumsum([0, *(len(m.tokens) for m in measures)]).astype(np.int64),
        "head_fifths": np.array([*(h.fifths for h in states), 0], np.int8),
        "head_meter": np.zeros((count + 1, 2), np.int16),
        "head_clefs": np.array([*clefs, [0] * STAVES], np.int16),
        "head_ottavas": np.array([*([h.ottavas.get(s, 0) for s in (1, 2)] for h in states), [0, 0]], np.int8),
        "measure_start": np.arange(count + 1, dtype=np.float32),
        "element_offsets": np.zeros(count + 1, np.int64),
        "measure_number": np.array([w.number for w in windows], np.int16),
        "edition": np.array(edition),
    }
    for name, kind in (("onset", np.float32), ("duration", np.float32), ("pitch", np.int8), ("staff", np.int8)):
        whole[f"note_{name}"] = np.zeros(0, kind)
    whole |= {"note_flags": np.zeros(0, np.int8), "element_note": np.zeros(0, np.int32)}
    return whole | {
        "glyph_ids_0": np.concatenate([*ids, np.zeros((0, len(COMPOUND_FIELDS)))]).astype(np.int16),
        "glyph_x_0": np.concatenate([*(w.placed.window.places for w in windows), np.zeros(0)]).astype(np.float32),
        "glyph_notes_0": np.array([n for notes in described for n in notes], np.int16),
        "glyph_offsets_0": np.cumsum([0, *(len(i) for i in ids)]).astype(np.int64),
        "system_0": np.arange(count, dtype=np.int16),
        "left_0": np.zeros(count, np.float32),
        "right_0": np.array([w.placed.window.places.max(initial=0.0) for w in windows], np.float32),
        "whole_0": np.ones(count, np.bool_),
    }


def _described(window: SeenWindow, truth: Truth, edition: str, counts: Counter[str]) -> list[int]:
    """For each token of a window the number of the note that it shows, -1 for none."""
    notes = [-1] * len(window.placed.window.ids)
    exact = truth.exact[window.number] if truth.exact else None
    if exact is None or not exact.whole:
        return notes
    for i, j in match(exact.glyphs, window.glyphs):
        notes[window.carried + j] = exact.notes[i]
    both_open = window.opens_line and exact.left <= 0
    there, seen = (_comparable(glyphs, both_open) for glyphs in (exact.glyphs, window.glyphs))
    found = differences(there, seen, match(there, seen))
    counts.update({f"{edition}|{name}": n for name, n in found.items()})
    counts[f"{edition}|measures compared"] += 1
    return notes


def _comparable(glyphs: Sequence[Glyph], opens_line: bool) -> list[Glyph]:
    """Without what stands at one edge or the other of a measure as its line is broken: clefs, keys and metres."""
    notes = [g.x for g in glyphs if g.kind.startswith(("head:", "rest:"))] or [0.0]
    first = -np.inf if opens_line else min(notes)
    return [
        g
        for g in glyphs
        if first < g.x < max(notes)
        or not g.kind.startswith(("clef:", "glyph-key:", "meter:") if g.x >= first else _OPENING)
    ]


def build(
    tasks: Sequence[Task],
    folder: Path,
    measures: int,
    reader: ImageReader,
    fonts: Sequence[Path] = (),
    seed: int = 1,
    most_pages: int = MOST_PAGES,
    most_rounds: int = 100,
) -> dict[str, int]:
    """Read pages until there are so many windows; returns what was counted over all of them.

    Args:
        tasks: What is printed; each is in one edition in a round.
        folder: Gets `<round>-<name>.npz` and `.json`, what was counted.
        measures: Windows that are wanted.
        most_pages: Of a score in a round.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = sum(json.loads(path.read_text("utf-8")).get("windows kept", 0) for path in folder.glob("*.json"))
    for name, edition, task, seeds in rounds(tasks, seed):
        if kept >= measures or int(name.partition("-")[0]) >= most_rounds:
            break
        report = folder / f"{name}.json"
        if report.exists():
            continue
        counts = _build_score(task, edition, folder / f"{name}.npz", reader, seeds, fonts, most_pages)
        kept += counts["windows kept"]
        report.write_text(json.dumps(dict(counts)) + "\n", encoding="utf-8")
    return totals(folder)


def _build_score(
    task: Task,
    edition: str,
    target: Path,
    reader: ImageReader,
    seeds: Sequence[int],
    fonts: Sequence[Path],
    most_pages: int,
) -> Counter[str]:
    started = time.process_time()
    counts: Counter[str] = Counter(scores=1)
    engraved = engraved_apart(task, edition, seeds, fonts, most_pages)
    counts["ms engraving"] = round(1000 * engraved[1])
    if isinstance(engraved[0], str):
        counts[f"score failed: {engraved[0]}"] += 1
        return counts
    pages, truth = engraved[0]
    windows = seen_windows(pages, truth, reader, np.random.default_rng([*seeds, 1]), counts)
    if windows:
        arrays = arrays_of(windows, truth, edition, counts) | {"reader": np.array(json.dumps(reader.about))}
        temporary = target.with_suffix(".partial")
        with temporary.open("wb") as file:
            np.savez_compressed(file, vocabulary=np.array(fingerprint()), **arrays)  # type: ignore[arg-type]
        temporary.replace(target)
    counts[f"{edition}|windows kept"] += len(windows)
    counts[f"{edition}|true measures"] += counts["true measures"]
    counts["ms reading"] = round(1000 * (time.process_time() - started))
    return counts


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Read engraved pages and pair what was seen with what is written.")
    parser.add_argument("--data", type=Path, help="folder with index.csv and <id>.mxl")
    parser.add_argument("--kern", type=Path, dest="data", help="folder of .krn files")
    parser.add_argument("--music", type=Music, choices=list(Music), default=Music.PIANO, help="what of each score")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=("train", "dev"), default="train")
    parser.add_argument("--measures", type=int, default=20000, help="windows that are wanted")
    parser.add_argument("--fonts", type=Path, help="folder of SMuFL fonts (.otf) whose signs are drawn as well")
    parser.add_argument("--reader", type=Path, help="folder of an image reader's weights; else those that are shipped")
    parser.add_argument("--pages", type=int, default=MOST_PAGES, help="of a score at a time, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--errors", action="store_true", help="only print what the reader missed, invented and mistook")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    folder = arguments.out / arguments.split
    if arguments.errors:
        sys.stdout.write(errors_table(totals(folder), EDITIONS))
        return
    if arguments.data is None:
        parser.error("--data or --kern is missing: a folder of scores")
    fonts = sorted(arguments.fonts.glob("*.otf")) if arguments.fonts else []
    tasks = tasks_of(arguments.data, arguments.split, arguments.music)
    counted = build(
        tasks,
        folder,
        arguments.measures,
        ImageReader(arguments.reader, threads=1),
        fonts,
        arguments.seed,
        arguments.pages,
    )
    (arguments.out / f"totals-{arguments.split}.json").write_text(
        json.dumps(counted, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
