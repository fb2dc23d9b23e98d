"""The same windows twice: as pictures, and as what the image reader sees there.

Verovio engraves pages in random fonts and spacings, clean. Each measure that a page shows is one window, cut at its
true barlines. Its picture is grey, 18 pixels to the staff's height, as in Jung et al. (arXiv 2505.12863); its glyphs
are what the image reader saw of the whole page between the same barlines. Within a line, clefs, key and octave signs
that hold there are carried in front of both, the metre wherever it was printed before.

`FOLDER/<round>-<name>.npz` is a file as `training.seen` writes it, and in addition holds, for N windows:
    pixels             uint8, all pictures one after another, 0 is ink
    heights, widths    (N,), their sizes in pixels
    carried            (N,), how many of a window's glyphs are carried ones
    found              (N,), False where the reader found no piano staff: then all its glyphs are carried ones
    note_offsets       (N + 1,), into the arrays that follow
    note_numbers       of the notes and rests that the reader found
    note_x, note_y     where they stand in the picture, in pixels
A run that was interrupted goes on with the next score.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.modality import GreyPage
from model_runtime.tokens.glyphs import Glyph, carried_glyphs, carried_meter, compound
from model_runtime.tokens.score import Head
from model_runtime.tokens.vocabulary import fingerprint
from model_runtime.training.corpus import STAVES, Arrays
from model_runtime.training.editions import EngravedPage, MeasureBox
from model_runtime.training.image.dataset import totals
from model_runtime.training.seen import SeenWindow, arrays_of
from model_runtime.training.seen_pages import Task, Truth, engraved_apart
from model_runtime.unified.image_reader import ImageReader, ReadPart, ReadSystem
from model_runtime.unified.inference import Window
from model_runtime.unified.lines_of_music import Head as HeadOfLine
from model_runtime.unified.lines_of_music import PlacedWindow
from model_runtime.unified.page_reading import has_music

EDITION = "Verovio"
STAFF_PX = 18  # height of a staff
SPACE_PX = STAFF_PX / 4
MOST_PX = 400  # width of a picture; what is wider is left out, for its codes would be too many
_MARGIN_SPACES = 6.0  # above and below the staves, less where the next line of music is near
_SIDE_SPACES = 0.5
_CARRIED_SPACES = 6.0
_BARLINE_SPACES = 1.5  # a barline's glyph lies so near to the measure's edge


@dataclass(frozen=True)
class PictureWindow:
    """One measure as a picture and as it was read.

    Attributes:
        seen: Its glyphs, carried ones among them.
        picture: uint8, 0 is ink.
        places: x and y of each of `seen.glyphs` in the picture, in pixels.
        found: Whether the reader found its staves.
    """

    seen: SeenWindow
    picture: GreyPage
    places: tuple[tuple[float, float], ...]
    found: bool


def picture_windows(page: EngravedPage, truth: Truth, reader: ImageReader, counts: Counter[str]) -> list[PictureWindow]:
    """Every measure of a page that LMX can write; `counts` is told what became of the others."""
    systems = [s for s in reader.read_page(page.pixels) if any(has_music(p) for p in s.parts)]
    by_line: dict[int, list[MeasureBox]] = {}
    for box in page.measures:
        by_line.setdefault(box.system, []).append(box)
    lines = sorted(by_line.values(), key=lambda own: own[0].top)
    result = []
    for index, boxes in enumerate(lines):
        above = lines[index - 1][0].bottom if index else 0.0
        below = lines[index + 1][0].top if index + 1 < len(lines) else float(len(page.pixels))
        part, system = _read_at(boxes[0], systems)
        for box in boxes:
            counts["measures"] += 1
            if not truth.measures[box.number].tokens:
                counts["measures without LMX"] += 1
            elif (box.right - box.left) / page.space_px * SPACE_PX > MOST_PX:
                counts["measures that are too wide"] += 1
            else:
                counts["measures without staves found"] += part is None
                result.append(_window(page, box, box is boxes[0], truth, part, system, (above, below)))
    counts["windows kept"] += len(result)
    return result


def _read_at(box: MeasureBox, systems: Sequence[ReadSystem]) -> tuple[ReadPart | None, ReadSystem | None]:
    """The line of music that was read where a measure stands, and its two-staved part."""
    middle = (box.top + box.bottom) / 2
    for system in systems:
        if system.top < middle < system.bottom:
            part = next((p for p in system.parts if p.staves == STAVES), None)
            return part, system if part is not None else None
    return None, None


def _window(
    page: EngravedPage,
    box: MeasureBox,
    opens_line: bool,
    truth: Truth,
    part: ReadPart | None,
    system: ReadSystem | None,
    neighbours: tuple[float, float],
) -> PictureWindow:
    picture, left_px, top_px = _cropped(page, box, neighbours)
    head = truth.heads[box.number]
    opens_line = opens_line and part is not None
    carried = _carried(head, truth.clefs(box.number), opens_line)
    glyphs, places = list[Glyph](), list[tuple[float, float]]()
    shift = 0.0
    if part is not None and system is not None:
        scale = system.width / max(system.right - system.left, 1.0)
        left, right = ((edge - system.left) * scale for edge in (box.left, box.right))
        glyphs = _between(part.glyphs, -np.inf if opens_line else left, right)
        shift = 0.0 if opens_line else _CARRIED_SPACES + abs(head.fifths) - left
        to_picture = SPACE_PX / page.space_px
        for glyph in glyphs:
            x = system.left + glyph.x / scale - left_px
            places.append((x * to_picture, (_height(glyph, box, page.space_px) - top_px) * to_picture))
    ids = np.array([compound(g) for g in (*carried, *glyphs)], np.int64)
    across = np.array([*(g.x for g in carried), *(g.x + shift for g in glyphs)], np.float32)
    window = Window("image", ids, across, None, 1, whole=True)
    placed = PlacedWindow(window, box.system, HeadOfLine(), None, STAVES)
    return PictureWindow(SeenWindow(box.number, placed, glyphs), picture, tuple(places), part is not None)


def _carried(head: Head, clefs: dict[int, str], opens_line: bool) -> list[Glyph]:
    """What is told of the music before: nothing but the metre where the line begins, for the rest is printed there."""
    meter = [carried_meter(*head.meter)] if head.meter[0] else []
    return meter if opens_line else meter + carried_glyphs(clefs, head.fifths, head.ottavas.items())


def _between(glyphs: Sequence[Glyph], left: float, right: float) -> list[Glyph]:
    """Glyphs of a measure with its right barline, not its left one unless a repeat starts there."""
    kept = []
    for glyph in glyphs:
        inside = left <= glyph.x < right
        if glyph.kind.startswith("barline:"):
            edge = left if glyph.kind == "barline:repeat-start" else right
            inside = abs(glyph.x - edge) < _BARLINE_SPACES or left + _BARLINE_SPACES < glyph.x < right
        if inside:
            kept.append(glyph)
    return kept


def _height(glyph: Glyph, box: MeasureBox, space_px: float) -> float:
    """y of a glyph on the page; the staves are 4 spaces high and stand at the top and bottom of the measure's box."""
    lowest = box.top + 4 * space_px if glyph.staff == 1 else box.bottom
    return lowest - glyph.position * space_px / 2


def _cropped(page: EngravedPage, box: MeasureBox, neighbours: tuple[float, float]) -> tuple[GreyPage, float, float]:
    """A measure's picture, and its left and upper edge on the page."""
    from PIL import Image

    space, (above, below) = page.space_px, neighbours
    height, width = page.pixels.shape
    top = max(box.top - min(_MARGIN_SPACES * space, 0.6 * max(box.top - above, 0.0)), 0.0)
    bottom = min(box.bottom + min(_MARGIN_SPACES * space, 0.6 * max(below - box.bottom, 0.0)), float(height))
    left, right = max(box.left - _SIDE_SPACES * space, 0.0), min(box.right + _SIDE_SPACES * space, float(width))
    to_picture = SPACE_PX / space
    size = (max(round((right - left) * to_picture), 1), max(round((bottom - top) * to_picture), 1))
    picture = Image.fromarray(page.pixels).resize(size, Image.Resampling.BOX, (left, top, right, bottom))
    return np.asarray(picture, np.uint8).copy(), left, top


def arrays_with_pictures(windows: Sequence[PictureWindow], truth: Truth, counts: Counter[str]) -> Arrays:
    """A file's arrays (see the module)."""
    arrays = arrays_of([w.seen for w in windows], truth, EDITION, counts)
    starts, described = arrays["glyph_offsets_0"], arrays["glyph_notes_0"]
    numbers, places, offsets = list[int](), list[tuple[float, float]](), [0]
    for window, start in zip(windows, starts, strict=False):
        first = int(start) + window.seen.carried
        own = described[first : first + len(window.places)].tolist()
        kept = [(n, place) for n, place in zip(own, window.places, strict=True) if n >= 0]
        numbers += [n for n, _ in kept]
        places += [place for _, place in kept]
        offsets.append(len(numbers))
    at = np.array(places, np.float32).reshape(-1, 2)
    return arrays | {
        "pixels": np.concatenate([np.zeros(0, np.uint8), *(w.picture.ravel() for w in windows)]),
        "heights": np.array([w.picture.shape[0] for w in windows], np.int32),
        "widths": np.array([w.picture.shape[1] for w in windows], np.int32),
        "carried": np.array([w.seen.carried for w in windows], np.int32),
        "found": np.array([w.found for w in windows], np.bool_),
        "note_offsets": np.array(offsets, np.int64),
        "note_numbers": np.array(numbers, np.int16),
        "note_x": at[:, 0],
        "note_y": at[:, 1],
    }


def pictures_of(arrays: Arrays) -> list[npt.NDArray[np.uint8]]:
    """The pictures of a file, in order."""
    heights, widths = arrays["heights"].astype(np.int64), arrays["widths"].astype(np.int64)
    ends = np.cumsum(heights * widths)
    return [
        arrays["pixels"][end - height * width : end].reshape(height, width)
        for height, width, end in zip(heights, widths, ends, strict=True)
    ]


def build(
    tasks: Sequence[Task], folder: Path, windows: int, reader: ImageReader, most_pages: int = 3, seed: int = 1
) -> dict[str, int]:
    """Engrave and read scores, in random order, until there are so many windows; returns what was counted.

    Args:
        tasks: As `seen.tasks_of` gives them.
        folder: Gets a file a score, and a `.json` with what was counted.
        most_pages: Of a score.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = sum(json.loads(path.read_text("utf-8")).get("windows kept", 0) for path in folder.glob("*.json"))
    for number in np.random.default_rng(seed).permutation(len(tasks)).tolist():
        if kept >= windows:
            break
        name = tasks[number][0]
        report = folder / f"{name}.json"
        if not report.exists():
            counts = _build_score(tasks[number], folder / f"{name}.npz", reader, [seed, number], most_pages)
            kept += counts["windows kept"]
            report.write_text(json.dumps(dict(counts)) + "\n", encoding="utf-8")
    return totals(folder)


def _build_score(task: Task, target: Path, reader: ImageReader, seeds: Sequence[int], most_pages: int) -> Counter[str]:
    counts: Counter[str] = Counter(scores=1)
    engraved, _ = engraved_apart(task, EDITION, seeds, (), most_pages)
    if isinstance(engraved, str):
        counts[f"score failed: {engraved}"] += 1
        return counts
    pages, truth = engraved
    windows = [window for page in pages for window in picture_windows(page, truth, reader, counts)]
    if windows:
        temporary = target.with_suffix(".partial")
        with temporary.open("wb") as file:
            arrays = arrays_with_pictures(windows, truth, counts)
            np.savez_compressed(file, vocabulary=np.array(fingerprint()), **arrays)  # type: ignore[arg-type]
        temporary.replace(target)
    return counts
