"""Scores on disk → aligned tokens on disk: for each measure its LMX, its glyphs in several engravings, its notes.

    python -m model_runtime.training.corpus --data DIR --out DIR [--music piano] [--variants 3] [--workers 1]
    python -m model_runtime.training.corpus --kern DIR --out DIR [--variants 3] [--workers 1]
    python -m model_runtime.training.corpus --kind seen …        # windows as the image reader sees them: `seen.py`
    python -m model_runtime.training.corpus --kind refining …    # notes as the audio reader hears them: `refining.py`
    python -m model_runtime.training.corpus --kind rendering …   # notes as people play them: `rendering`

`DIR/index.csv` names the scores (`id`, `split`); `DIR/<id>.mxl` holds each. Or every `.krn` of a folder that may be
used (`kern.scores`). `--music` says what of a score is taken (`parts.py`): the piano, melodies on a single staff, or
reductions of other parts to two staves; each in a folder of its own. One file a part is written, so an interrupted run
goes on where it stopped. The split `test` is never read.
"""

from __future__ import annotations

import argparse
import collections
import csv
import json
import multiprocessing
import os
import sys
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.glyphs import COMPOUND_FIELDS, Glyph, compound
from model_runtime.tokens.lmx import LmxMeasure, lmx_measures
from model_runtime.tokens.score import Head, drop_unprinted_tuplets, heads, visible_part
from model_runtime.tokens.vocabulary import IDS, fingerprint, ids_of
from model_runtime.training.engrave import EngravedMeasure, Engraver, Style, share_beams
from model_runtime.training.kern import root_of_kern
from model_runtime.training.kern import scores as kern_scores
from model_runtime.training.parts import Music, parts_of, staves_of, tally
from model_runtime.training.played import score_notes
from model_runtime.unified.seen_system import BRACKETS, REPEATS

TRAINING_SPLITS = ("train", "train_extra")
SPLITS = (*TRAINING_SPLITS, "dev")
STAVES = 2
OTHER_KINDS = {  # of windows → what builds them
    "seen": "model_runtime.training.seen",
    "refining": "model_runtime.training.refining",
    "rendering": "model_runtime.training.rendering.__main__",
}
Arrays = dict[str, npt.NDArray[Any]]
_WITH_LYRICS = 0.6  # share of the single staves that have words whose words are printed
_PART_BEHIND = "+"  # in names of files, between the score's and the part's
_MISSING = {
    Music.PIANO: "no part with two staves",
    Music.MELODY: "no single staff",
    Music.REDUCTION: "no parts to put on two staves",
}


def build_score(source: Path, music: Music, variants: int) -> tuple[dict[str, Arrays], dict[str, int]]:
    """The arrays of each part of a score by its name (`parts.parts_of`), and what was counted on the way.

    Raises:
        ValueError: the score has no such part.
    """
    rng = np.random.default_rng(zlib.crc32(source.stem.encode()))
    parts = parts_of(root_of(source), music, rng)
    if not parts:
        raise ValueError(_MISSING[music])
    counts = tally(parts) if music is not Music.PIANO else collections.Counter[str]()
    built = {}
    for part in parts:
        built[part.name], own = build_piece(part.part, variants, rng)
        counts.update(own)
    return built, dict(counts)


def build_piece(part: ET.Element, variants: int, rng: np.random.Generator) -> tuple[Arrays, dict[str, int]]:
    """All arrays of one part (see `_symbols`, `_engraving` and `played.score_notes`) and what was counted."""
    counts: collections.Counter[str] = collections.Counter()
    lyrics = staves_of(part) == 1 and rng.random() < _WITH_LYRICS
    visible = visible_part(part, lyrics=lyrics)
    engraver = Engraver(visible)
    drop_unprinted_tuplets(visible)
    measures = lmx_measures(visible)
    arrays = _symbols(measures, heads(visible))
    arrays |= score_notes(visible)
    share_beams(visible)
    counts["measures"] = len(measures)
    counts["tokens"] = sum(len(m.tokens) for m in measures)
    for measure in measures:
        if measure.failure:
            counts[f"LMX failed: {measure.failure}"] += 1
    for variant in range(variants):
        engraved = engraver.engrave(Style.random(rng))
        counts["engravings"] += 1
        counts["engravings failed"] += not engraved
        counts["engraved measures"] += len(engraved)
        counts["engraved measures with a note missing"] += sum(not m.whole for m in engraved)
        arrays |= _engraving([_as_given(m) for m in engraved], len(measures), variant)
    return arrays, dict(counts)


def _as_given(measure: EngravedMeasure) -> EngravedMeasure:
    """A measure with what the engine gives the trunk of it, and no more (`unified.seen_system`)."""
    given = [(g, n) for g, n in zip(measure.glyphs, measure.notes, strict=True) if g.kind not in BRACKETS]
    glyphs: list[Glyph] = [replace(g, kind="barline:final") if g.kind in REPEATS else g for g, _ in given]
    return replace(measure, glyphs=glyphs, notes=[n for _, n in given])


def root_of(source: Path) -> ET.Element:
    """The score in an `.mxl` archive or a `.krn` file."""
    if source.suffix == ".krn":
        return root_of_kern(source)
    with zipfile.ZipFile(source) as archive:
        names = [n for n in archive.namelist() if n.endswith((".xml", ".musicxml")) and not n.startswith("META-INF")]
        return ET.fromstring(archive.read(names[0]))


def _symbols(measures: list[LmxMeasure], states: list[Head]) -> Arrays:
    """LMX ids, the note each token describes, offsets by measure, and what holds before each measure."""
    offsets = np.cumsum([0, *(len(m.tokens) for m in measures)])
    clefs = [[IDS.get(f"clef:{h.clefs.get(s, '')}", 0) for s in range(1, STAVES + 1)] for h in states]
    return {
        "lmx_ids": np.array([i for m in measures for i in ids_of(m.tokens)], np.int16),
        "lmx_notes": np.array([n for m in measures for n in m.notes], np.int16),
        "lmx_offsets": offsets.astype(np.int64),
        "head_fifths": np.array([h.fifths for h in states], np.int8),
        "head_meter": np.array([h.meter for h in states], np.int16),
        "head_clefs": np.array(clefs, np.int16),
        "head_ottavas": np.array([[h.ottavas.get(s, 0) for s in range(1, STAVES + 1)] for h in states], np.int8),
    }


def _engraving(engraved: list[EngravedMeasure], measures: int, variant: int) -> Arrays:
    """Compound ids (G, fields), x (G,), note numbers (G,), offsets by measure; each measure's line and edges."""
    usable = engraved or [EngravedMeasure(i, 0.0, 0.0, whole=False) for i in range(measures)]
    glyphs = [g for m in usable for g in m.glyphs]
    ids = np.array([compound(g) for g in glyphs], np.int16).reshape(-1, len(COMPOUND_FIELDS))
    return {
        f"glyph_ids_{variant}": ids,
        f"glyph_x_{variant}": np.array([g.x for g in glyphs], np.float32),
        f"glyph_notes_{variant}": np.array([n for m in usable for n in m.notes], np.int16),
        f"glyph_offsets_{variant}": np.cumsum([0, *(len(m.glyphs) for m in usable)]).astype(np.int64),
        f"system_{variant}": np.array([m.system for m in usable], np.int16),
        f"left_{variant}": np.array([m.left for m in usable], np.float32),
        f"right_{variant}": np.array([m.right for m in usable], np.float32),
        f"whole_{variant}": np.array([m.whole for m in usable], np.bool_),
    }


def read_index(data: Path) -> list[tuple[str, str]]:
    """(id, split) of every score that may be used: never of the split `test`."""
    with (data / "index.csv").open(newline="", encoding="utf-8") as file:
        return [(row["id"], row["split"]) for row in csv.DictReader(file) if row["split"] in SPLITS]


def sources(data: Path) -> list[tuple[str, str, Path]]:
    """Name, split and file of every score of a folder that may be used; kern where it has no index."""
    if not (data / "index.csv").is_file() and any(data.glob("*.krn")):
        return kern_scores(data)
    return [(name, split, data / f"{name}.mxl") for name, split in read_index(data)]


def _build_to_disk(task: tuple[Path, Path, Music, int]) -> tuple[str, dict[str, int]]:
    source, folder, music, variants = task
    try:
        built, counts = build_score(source, music, variants)
    except Exception as error:  # one odd score must not end a run over thousands; it is counted and named
        return source.stem, {f"score failed: {type(error).__name__}: {error}"[:100]: 1}
    for name, arrays in built.items():
        target = folder / f"{source.stem}{_PART_BEHIND if name else ''}{name}.npz"
        temporary = target.with_suffix(".partial")
        with temporary.open("wb") as file:
            np.savez_compressed(file, vocabulary=np.array(fingerprint()), **arrays)  # type: ignore[arg-type]
        temporary.replace(target)
    return source.stem, counts


def build(
    data: Path, out: Path, variants: int, workers: int, limit: int | None = None, music: Music = Music.PIANO
) -> dict[str, int]:
    """Build every score that is not there yet; returns what was counted over all of them."""
    tasks = []
    there: collections.Counter[str] = collections.Counter()
    for split in SPLITS:
        (out / split).mkdir(parents=True, exist_ok=True)
        there.update(file.stem.partition(_PART_BEHIND)[0] for file in (out / split).glob("*.npz"))
    log = out / "counts.jsonl"
    logged = _logged(log)
    for name, split, source in sources(data)[:limit]:
        wanted = 1 if music is Music.PIANO else logged.get(name, {}).get("parts", 1)
        if there[name] < wanted or (music is not Music.PIANO and name not in logged):
            tasks.append((source, out / split, music, variants))
    with log.open("a", encoding="utf-8") as file:
        for name, counts in _results(tasks, workers):
            file.write(json.dumps({"score": name, **counts}) + "\n")
            file.flush()
    return totals(out)


def _results(tasks: list[tuple[Path, Path, Music, int]], workers: int) -> Iterable[tuple[str, dict[str, int]]]:
    if workers <= 1:
        yield from map(_build_to_disk, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=50) as pool:
        yield from pool.imap_unordered(_build_to_disk, tasks)


def _logged(log: Path) -> dict[str, dict[str, int]]:
    """What was counted of each score when it was last built."""
    latest: dict[str, dict[str, int]] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.is_file() else []:
        entry = json.loads(line)
        latest[entry.pop("score")] = entry
    return latest


def totals(out: Path) -> dict[str, int]:
    """What the runs so far counted: measures, tokens, engravings and every kind of failure."""
    latest = _logged(out / "counts.jsonl")
    sums: collections.Counter[str] = collections.Counter()
    for counts in latest.values():
        sums.update(counts)
    sums["scores"] = len(latest)
    return dict(sums.most_common())


def _of_other_kind() -> bool:
    """Whether `--kind` asks for windows that another module builds; then it has done so, with options of its own."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--kind", default="exact")
    known, others = parser.parse_known_args()
    if known.kind not in OTHER_KINDS:
        return False
    sys.argv = [f"{sys.argv[0]} --kind {known.kind}", *others]
    import_module(OTHER_KINDS[known.kind]).main()
    return True


def main() -> None:
    """Command line."""
    if _of_other_kind():
        return
    parser = argparse.ArgumentParser(description="Build the training corpus out of MusicXML or kern scores.")
    parser.add_argument(
        "--kind",
        choices=("exact", *OTHER_KINDS),
        default="exact",
        help="seen: as the image reader sees it; refining: notes as the audio reader hears them; rendering: notes as "
        "people play them; their options: --kind seen --help",
    )
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, help="folder with index.csv and <id>.mxl")
    data.add_argument("--kern", type=Path, dest="data", help="folder of .krn files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--music",
        type=Music,
        choices=list(Music),
        default=Music.PIANO,
        help="piano: the part with two staves; melody: each single staff, and now and then a hand of the piano; "
        "reduction: other parts on two staves",
    )
    parser.add_argument("--variants", type=int, default=3, help="engravings of each part")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, default=None, help="only the first scores of the index")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    counted = build(
        arguments.data, arguments.out, arguments.variants, arguments.workers, arguments.limit, arguments.music
    )
    (arguments.out / "totals.json").write_text(json.dumps(counted, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
