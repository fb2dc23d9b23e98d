"""Random windows of the corpus, as tokens in and tokens out, in batches of similar length.

A window is one to four measures. Its image is a stretch of one line of music, mostly one measure, for that is how
pages are read: behind a cut within the line, clefs and key are carried over as they would stand at the line's head,
and so is the metre wherever it was printed before. Its performance starts at the barline and may run on into a measure
that is cut off: then the target ends with `<more>` instead of `<end>`. What the image reader saw of a page (`seen.py`)
comes a measure at a time, as it was read. Windows of notes that are judged one by one come from `note_windows.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.beam_groups import with_beam_groups
from model_runtime.tokens.glyphs import carried_glyphs, carried_meter, compound
from model_runtime.tokens.lmx import head_tokens, split_head
from model_runtime.tokens.score import Head
from model_runtime.tokens.shorthand import shorten
from model_runtime.tokens.vocabulary import END_ID, MORE_ID, PAD_ID, SYMBOLS, fingerprint, ids_of
from model_runtime.training.errors import jolt_glyphs, spoil_glyphs, spoil_notes
from model_runtime.training.note_windows import (
    NOTE_KINDS,
    NoteBatch,
    NoteCorpus,
    NoteExample,
    draw_notes,
    grouped_notes,
    pad_notes,
)
from model_runtime.training.perform import ScoreWindow, perform
from model_runtime.training.tuplet_numbers import missing_numbers, with_glyphs

LONGEST_SOURCE, LONGEST_TARGET = 320, 320
LENGTH_WEIGHTS = {  # of windows of 1, 2, 3 and 4 measures; pages are read a measure at a time
    "image": (0.82, 0.13, 0.03, 0.02),
    "performance": (0.4, 0.4, 0.15, 0.05),
    "seen": (1.0, 0.0, 0.0, 0.0),
}
DEV_LENGTH_WEIGHTS = {  # never changed, so that evaluations can be compared
    "image": (0.6, 0.3, 0.07, 0.03),
    "performance": (0.35, 0.4, 0.15, 0.1),
    "seen": (1.0, 0.0, 0.0, 0.0),
}
DIRECTIONS = ("image", "performance")
KINDS = (*DIRECTIONS, "seen", *NOTE_KINDS)  # of windows
_CARRIED_SPACES = 6.0
_UNKNOWN_METERS = 0.35  # share of the windows whose reader does not know the metre: single lines, mostly
_SMALLEST_STRETCH, _LARGEST_STRETCH = 0.85, 1.2
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Example:
    """One window.

    Attributes:
        source: "image" or "performance".
        ids: Compound tokens, shape (n, fields).
        places: x in staff spaces, or onsets in units of 0.1 s; shape (n,).
        target: Ids of LMX in shorthand and `END_ID` or `MORE_ID`, shape (m,).
        pointers: For each target token the source token that it describes, -1 for none; shape (m,).
    """

    source: str
    ids: Ints
    places: npt.NDArray[np.float32]
    target: Ints
    pointers: Ints


@dataclass(frozen=True)
class Batch:
    """Examples of one direction, padded.

    Attributes:
        source: "image" or "performance".
        ids: (B, S, fields), `PAD_ID` where padded.
        places: (B, S).
        target: (B, T), `PAD_ID` where padded.
        pointers: (B, T), -1 for none.
    """

    source: str
    ids: Ints
    places: npt.NDArray[np.float32]
    target: Ints
    pointers: Ints


class Corpus:
    """Every score of some splits, in memory, as long arrays over all measures.

    Args:
        folder: As `corpus.py` or `seen.py` wrote it; or several, all by the same of the two.
        splits: Names of its subfolders.

    Attributes:
        seen: The glyphs are what the image reader saw.

    Raises:
        ValueError: nothing there, made with another vocabulary, or exact scores and seen ones together.
    """

    def __init__(self, folder: Path | Sequence[Path], splits: Sequence[str]) -> None:
        folders = [folder] if isinstance(folder, Path) else folder
        files = [file for one in folders for file in _files(one, splits)]
        if not files:
            names = ", ".join(map(str, folders))
            raise ValueError(f"no corpus files of {', '.join(splits)} under {names}")
        parts = [_loaded(file) for file in files]
        self.seen = "edition" in parts[0]
        if any(("edition" in part) != self.seen for part in parts):
            raise ValueError("exact scores and seen ones cannot be one corpus")
        self.variants = min(sum(1 for name in part if name.startswith("glyph_ids_")) for part in parts)
        self.names = [file.stem for file in files]
        lengths = [len(p["lmx_offsets"]) - 1 for p in parts]
        self.measures = sum(lengths)
        self.piece = np.repeat(np.arange(len(parts)), lengths)
        self._join(parts)
        self.readable = np.diff(self.lmx_offsets) > 0

    def _join(self, parts: list[dict[str, Any]]) -> None:
        def joined(name: str) -> npt.NDArray[Any]:
            return np.concatenate([p[name] for p in parts])

        def offsets(name: str) -> Ints:
            """Offsets by measure into a joined array; each score's last one is the next one's first."""
            bases = np.cumsum([0, *(int(p[name][-1]) for p in parts)])
            starts = [p[name][:-1] + base for p, base in zip(parts, bases[:-1], strict=True)]
            return np.concatenate([*starts, bases[-1:]])

        def per_measure(name: str) -> npt.NDArray[Any]:
            return np.concatenate([p[name][:-1] for p in parts])

        self.lmx_ids, self.lmx_notes = joined("lmx_ids"), joined("lmx_notes")
        self.lmx_offsets, self.element_offsets = offsets("lmx_offsets"), offsets("element_offsets")
        self.fifths, self.meter = per_measure("head_fifths"), per_measure("head_meter")
        self.clefs, self.ottavas = per_measure("head_clefs"), per_measure("head_ottavas")
        self.start = per_measure("measure_start")
        self.end = np.concatenate([p["measure_start"][1:] for p in parts])
        note_base = np.cumsum([0, *(len(p["note_onset"]) for p in parts)])
        self.note_base = note_base
        self.element_note = np.concatenate(
            [
                np.where(p["element_note"] >= 0, p["element_note"] + b, -1)
                for p, b in zip(parts, note_base[:-1], strict=True)
            ]
        )
        self.onset, self.duration = joined("note_onset"), joined("note_duration")
        self.pitch, self.staff, self.flags = joined("note_pitch"), joined("note_staff"), joined("note_flags")
        self.glyph_ids = [joined(f"glyph_ids_{v}") for v in range(self.variants)]
        self.glyph_x = [joined(f"glyph_x_{v}") for v in range(self.variants)]
        self.glyph_notes = [joined(f"glyph_notes_{v}") for v in range(self.variants)]
        self.glyph_offsets = [offsets(f"glyph_offsets_{v}") for v in range(self.variants)]
        self.system = [joined(f"system_{v}") for v in range(self.variants)]
        self.left = [joined(f"left_{v}") for v in range(self.variants)]
        self.whole = [joined(f"whole_{v}") for v in range(self.variants)]

    def head(self, measure: int) -> Head:
        """What holds before a measure."""
        numerator, denominator = (int(v) for v in self.meter[measure])
        return Head(
            int(self.fifths[measure]),
            (numerator, denominator),
            {s: SYMBOLS[int(c)][5:] for s, c in enumerate(self.clefs[measure], 1) if c},
            {s: int(o) for s, o in enumerate(self.ottavas[measure], 1) if o},
        )

    def target(self, first: int, count: int, *, with_meter: bool) -> tuple[list[int], list[tuple[int, int]]]:
        """LMX ids of a window and for each the measure and number of the note that it describes, (-1, -1) for none."""
        ids: list[int] = []
        notes: list[tuple[int, int]] = []
        for measure in range(first, first + count):
            span = slice(self.lmx_offsets[measure], self.lmx_offsets[measure + 1])
            own, described = self.lmx_ids[span].tolist(), self.lmx_notes[span].tolist()
            if measure == first:
                symbols = [SYMBOLS[i] for i in own]
                cut = split_head(symbols)
                head = ids_of(head_tokens(self.head(measure), symbols[1:cut], with_meter=with_meter))
                ids += head
                notes += [(-1, -1)] * len(head)
                own, described = own[cut:], described[cut:]
            ids += own
            notes += [(measure, n) if n >= 0 else (-1, -1) for n in described]
        return ids, notes

    def measures_that_follow(self, first: int, wanted: int, variant: int | None) -> int:
        """How many measures from `first` on, at most `wanted`, make one window; 0 where `first` cannot be used."""
        count = 0
        for measure in range(first, min(first + wanted, self.measures)):
            if self.piece[measure] != self.piece[first] or not self.readable[measure]:
                break
            if self.end[measure] <= self.start[measure]:
                break
            if variant is not None:
                same_line = self.system[variant][measure] == self.system[variant][first]
                if not same_line or not self.whole[variant][measure]:
                    break
            count += 1
        return count


def _files(folder: Path, splits: Sequence[str]) -> list[Path]:
    return sorted(file for split in splits for file in (folder / split).glob("*.npz"))


def corpora(folders: Sequence[Path], splits: Sequence[str]) -> dict[str, Corpus | NoteCorpus]:
    """The corpus of each kind of windows that the folders hold; folders without these splits are passed over.

    Raises:
        ValueError: nothing there, or made with another vocabulary.
    """
    exact, seen = list[Path](), list[Path]()
    notes: dict[str, list[Path]] = {}
    for folder in folders:
        files = _files(folder, splits)
        if files:
            with np.load(files[0]) as archive:
                if "source" in archive:
                    notes.setdefault(str(archive["source"]), []).extend(files)
                else:
                    (seen if "edition" in archive else exact).append(folder)
    if not (exact or seen or notes):
        raise ValueError(f"no corpus files of {', '.join(splits)} under {', '.join(map(str, folders))}")
    result: dict[str, Corpus | NoteCorpus] = {}
    if exact:
        result["image"] = result["performance"] = Corpus(exact, splits)
    if seen:
        result["seen"] = Corpus(seen, splits)
    for kind, source in NOTE_KINDS.items():
        if source in notes:
            result[kind] = NoteCorpus(notes[source])
    return result


def _loaded(file: Path) -> dict[str, Any]:
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive}
    if str(arrays.pop("vocabulary")) != fingerprint():
        raise ValueError(f"{file} was made with another vocabulary; build the corpus again")
    return arrays


def image_example(
    corpus: Corpus, first: int, count: int, variant: int, level: float, rng: np.random.Generator | None
) -> Example | None:
    """A window's glyphs → its LMX; without `rng` as engraved. None where it is too long."""
    span = slice(corpus.glyph_offsets[variant][first], corpus.glyph_offsets[variant][first + count])
    ids = corpus.glyph_ids[variant][span].astype(np.int64)
    x = corpus.glyph_x[variant][span].astype(np.float64)
    numbers = corpus.glyph_notes[variant][span]
    bounds = corpus.glyph_offsets[variant][first : first + count + 1]
    measures = first + np.searchsorted(bounds[1:], np.arange(span.start, span.stop), side="right")
    left = float(corpus.left[variant][first])
    if left > 0:
        head = corpus.head(first)
        carried = carried_glyphs(head.clefs, head.fifths, head.ottavas.items())
        ids = np.concatenate([np.array([compound(g) for g in carried], np.int64), ids])
        x = np.concatenate([[g.x for g in carried], x - left + _CARRIED_SPACES + abs(head.fifths)])
        numbers = np.concatenate([np.full(len(carried), -1), numbers])
        measures = np.concatenate([np.full(len(carried), first), measures])
    numerator, denominator = (int(v) for v in corpus.meter[first])
    if numerator and (rng is None or rng.random() >= _UNKNOWN_METERS):
        ids = np.concatenate([np.array([compound(carried_meter(numerator, denominator))], np.int64), ids])
        x = np.concatenate([[0.0], x])
        numbers, measures = np.concatenate([[-1], numbers]), np.concatenate([[first], measures])
    rows = {(int(m), int(n)): i for i, (m, n) in enumerate(zip(measures, numbers, strict=True)) if n >= 0}
    lmx, notes = corpus.target(first, count, with_meter=False)
    if not corpus.seen:
        added = missing_numbers(lmx, [rows.get(note, -1) for note in notes], ids, x)
        ids, x = with_glyphs(ids, x, added)
    if rng is not None:
        worn = jolt_glyphs if corpus.seen else spoil_glyphs
        ids, x, source = worn(ids, x * rng.uniform(_SMALLEST_STRETCH, _LARGEST_STRETCH), level, rng)
        now = {int(old): new for new, old in enumerate(source) if old >= 0}
        rows = {key: now[row] for key, row in rows.items() if row in now}
    target, pointers = in_shorthand(lmx, [rows.get(note, -1) for note in notes], END_ID)
    return _checked(Example("image", with_beam_groups(ids, x), x.astype(np.float32), target, pointers))


def in_shorthand(lmx: list[int], pointers: list[int], closing: int) -> tuple[Ints, Ints]:
    """Shorthand ids with their closing symbol, and what each of them points at: all of a note at the same."""
    symbols, starts = shorten([SYMBOLS[i] for i in lmx])
    return np.array([*ids_of(symbols), closing]), np.array([*(pointers[start] for start in starts), -1])


def performance_example(
    corpus: Corpus, first: int, count: int, level: float, rng: np.random.Generator
) -> Example | None:
    """A window's notes, played → its LMX. None where it is too long or silent."""
    last = first + count - 1
    start, end = float(corpus.start[first]), float(corpus.end[last])
    more = 0.0
    if rng.random() < 0.5 and last + 1 < corpus.measures and corpus.piece[last + 1] == corpus.piece[first]:
        more = float(rng.uniform(0.1, 1.0)) * float(corpus.end[last + 1] - corpus.start[last + 1])
    base, stop = corpus.note_base[corpus.piece[first]], corpus.note_base[corpus.piece[first] + 1]
    onset = corpus.onset[base:stop]
    reach = corpus.onset[base:stop] + corpus.duration[base:stop]
    inside = (onset < end + more - 1e-4) & ((onset >= start - 1e-4) | (reach > start + 1e-3))
    chosen = base + np.flatnonzero(inside)
    if not len(chosen):
        return None
    window = ScoreWindow(
        corpus.onset[chosen].astype(np.float64) - start,
        corpus.duration[chosen].astype(np.float64),
        corpus.pitch[chosen].astype(np.int64),
        corpus.staff[chosen].astype(np.int64),
        corpus.flags[chosen].astype(np.int64),
        end + more - start,
        float(corpus.end[first] - corpus.start[first]),
    )
    played = perform(window, rng)
    ids, ticks, source = spoil_notes(played.ids, played.ticks, level, rng)
    origin = np.where(source >= 0, played.source[source], -1)
    rows = {int(chosen[note]): row for row, note in enumerate(origin) if note >= 0}
    lmx, notes = corpus.target(first, count, with_meter=True)
    described = [rows.get(_sounding(corpus, note), -1) for note in notes]
    target, pointers = in_shorthand(lmx, described, MORE_ID if more > 0 else END_ID)
    return _checked(Example("performance", ids, (ticks / 10.0).astype(np.float32), target, pointers))


def _sounding(corpus: Corpus, note: tuple[int, int]) -> int:
    measure, number = note
    return -1 if number < 0 else int(corpus.element_note[corpus.element_offsets[measure] + number])


def _checked(example: Example) -> Example | None:
    fits = 0 < len(example.ids) <= LONGEST_SOURCE and len(example.target) <= LONGEST_TARGET
    return example if fits else None


def draw(
    corpus: Corpus,
    kind: str,
    rng: np.random.Generator,
    *,
    spoil: bool = True,
    lengths: Mapping[str, Sequence[float]] = LENGTH_WEIGHTS,
) -> Example:
    """A random window of one of `KINDS` with a random level of errors; a third have none of ours."""
    while True:
        first = int(rng.integers(corpus.measures))
        wanted = 1 + int(rng.choice(4, p=lengths[kind]))
        variant = None if kind == "performance" else int(rng.integers(corpus.variants))
        count = corpus.measures_that_follow(first, wanted, variant)
        level = 0.0 if not spoil or rng.random() < 1 / 3 else float(rng.random())
        if not count:
            continue
        if variant is None:
            example = performance_example(corpus, first, count, level, rng)
        else:
            example = image_example(corpus, first, count, variant, level, rng if spoil else None)
        if example is not None:
            return example


def pad(examples: Sequence[Example]) -> Batch:
    """Examples of one direction as a batch."""
    longest_source = max(len(e.ids) for e in examples)
    longest_target = max(len(e.target) for e in examples)
    size, fields = len(examples), examples[0].ids.shape[1]
    ids = np.full((size, longest_source, fields), PAD_ID, np.int64)
    places = np.zeros((size, longest_source), np.float32)
    target = np.full((size, longest_target), PAD_ID, np.int64)
    pointers = np.full((size, longest_target), -1, np.int64)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = example.ids
        places[row, : len(example.ids)] = example.places
        target[row, : len(example.target)] = example.target
        pointers[row, : len(example.target)] = example.pointers
    return Batch(examples[0].source, ids, places, target, pointers)


def batches(
    of_kind: Mapping[str, Corpus | NoteCorpus],
    weights: Mapping[str, float],
    tokens: int,
    seed: int,
    pool: int,
    pool_size: int,
) -> list[Batch | NoteBatch]:
    """Pool number `pool` of the endless stream: windows of mixed kinds in batches of at most `tokens` tokens.

    A batch's size counts its padded source and target tokens. The same seed and pool give the same batches, so a run
    that was cut off goes on with exactly what it would have seen.
    """
    rng = np.random.default_rng((seed, pool))
    names = list(weights)
    shares = np.array([weights[n] for n in names]) / sum(weights.values())
    chosen = rng.choice(len(names), pool_size, p=shares)
    examples: dict[str, list[Example]] = {source: [] for source in DIRECTIONS}
    result: list[Batch | NoteBatch] = []
    for number, kind in enumerate(names):
        corpus, count = of_kind[kind], int((chosen == number).sum())
        if isinstance(corpus, NoteCorpus):
            judged: list[NoteExample] = [draw_notes(corpus, rng) for _ in range(count)]
            result += [pad_notes(group) for group in grouped_notes(judged, tokens)]
            continue
        for _ in range(count):
            example = draw(corpus, kind, rng)
            examples[example.source].append(example)
    result += [pad(group) for own in examples.values() for group in grouped(own, tokens)]
    rng.shuffle(result)
    return result


def grouped(examples: Sequence[Example], tokens: int) -> Iterator[list[Example]]:
    """Examples sorted by length, in groups whose padded tokens stay within `tokens`."""
    ordered = sorted(examples, key=lambda e: (len(e.target), len(e.ids)))
    group: list[Example] = []
    widest_source = widest_target = 0
    for example in ordered:
        source, target = max(widest_source, len(example.ids)), max(widest_target, len(example.target))
        if group and (len(group) + 1) * (source + target) > tokens:
            yield group
            group, source, target = [], len(example.ids), len(example.target)
        group.append(example)
        widest_source, widest_target = source, target
    if group:
        yield group


def dev_examples(corpus: Corpus, kind: str, count: int, seed: int, *, spoil: bool) -> list[Example]:
    """Always the same windows of a held-out corpus."""
    rng = np.random.default_rng((seed, KINDS.index(kind)))
    return [draw(corpus, kind, rng, spoil=spoil, lengths=DEV_LENGTH_WEIGHTS) for _ in range(count)]
