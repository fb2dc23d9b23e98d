"""What is printed for the image reader to look at: parts of scores in several editions, and what is written on them."""

from __future__ import annotations

import multiprocessing
import os
import sys
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.tokens.lmx import LmxMeasure, head_tokens, lmx_measures, split_head
from model_runtime.tokens.score import Head, drop_unprinted_tuplets, heads, visible_part
from model_runtime.training.corpus import STAVES, TRAINING_SPLITS, root_of, sources
from model_runtime.training.editions import EngravedPage, MuseScoreStyle, by_musescore, by_verovio, spoilt
from model_runtime.training.engrave import EngravedMeasure, Engraver, Style, share_beams
from model_runtime.training.image.degrade import Damage
from model_runtime.training.image.pages import strew
from model_runtime.training.parts import Music, parts_of, staves_of

EDITIONS = {  # share of the scores of a round
    "MuseScore": 0.3,
    "MuseScore, other styles": 0.15,
    "MuseScore, spoilt": 0.2,
    "Verovio": 0.1,
    "Verovio, spoilt": 0.25,
}
MOST_PAGES = 4  # of a score in a round
_MORE_PRINTED = 0.35  # share of the scores with more strewn around the notes


@dataclass(frozen=True)
class Truth:
    """A part, measure by measure: what is written, what holds before, what an eye sees (empty where unknown); and how
    many staves it has."""

    measures: Sequence[LmxMeasure]
    heads: Sequence[Head]
    exact: Sequence[EngravedMeasure]
    staves: int = STAVES

    @classmethod
    def of(cls, part: ET.Element) -> Truth:
        """Of a part as it will be printed."""
        visible = visible_part(part)
        engraver = Engraver(visible)
        drop_unprinted_tuplets(visible)
        measures, states = lmx_measures(visible), heads(visible)
        share_beams(visible)
        return cls(measures, states, engraver.engrave(Style()), staves_of(part))

    def clefs(self, number: int) -> dict[int, str]:
        """Clefs behind what a measure prints at its start."""
        tokens = self.measures[number].tokens
        opening = head_tokens(self.heads[number], tokens[1 : split_head(tokens)], with_meter=False)
        pairs = pairwise(opening)
        return {int(b[6:]): a[5:] for a, b in pairs if a.startswith("clef:")}


def printed(
    part: ET.Element, edition: str, seed: Sequence[int], fonts: Sequence[Path] = (), most_pages: int = MOST_PAGES
) -> tuple[list[EngravedPage], Truth]:
    """Pages of a part in an edition, and what is printed on them. The part is changed.

    Raises:
        FileNotFoundError: MuseScore 3 is not installed.
        ValueError: the part cannot be printed.
    """
    rng = np.random.default_rng(seed)
    part.set("id", "P1")
    if edition != "MuseScore" and rng.random() < _MORE_PRINTED:
        root = ET.Element("score-partwise")
        root.append(part)
        strew(root, rng)
        if staves_of(part) == 1:
            _move_to_first_staff(part)
    truth = Truth.of(part)
    if edition.startswith("MuseScore"):
        plain = edition == "MuseScore" or (edition == "MuseScore, spoilt" and rng.random() < 0.5)
        pages = by_musescore(part, MuseScoreStyle() if plain else MuseScoreStyle.random(rng))
        first = int(rng.integers(max(len(pages) - most_pages, 0) + 1))
        pages = pages[first : first + most_pages]
    else:
        pages = by_verovio(part, most_pages, rng, fonts)
    if not pages:
        raise ValueError("measures were joined, split or not drawn")
    if edition.endswith("spoilt"):
        damage = Damage.random(rng)
        pages = [spoilt(page, damage, rng) for page in pages]
    return pages, truth


def _move_to_first_staff(part: ET.Element) -> None:
    """What was strewn under a second staff stands under the only one."""
    for direction in part.iter("direction"):
        for staff in direction.findall("staff"):
            direction.remove(staff)


Task = tuple[str, Callable[[], ET.Element | None]]  # a name, and how its part is loaded


def tasks_of(data: Path, split: str, music: Music = Music.PIANO) -> list[Task]:
    """A part of each score of a folder, songs or kern: the piano's, or of several such parts always the same one."""
    splits = TRAINING_SPLITS if split == "train" else (split,)

    def loader(path: Path) -> Callable[[], ET.Element | None]:
        def load() -> ET.Element | None:
            rng = np.random.default_rng(zlib.crc32(path.stem.encode()))
            parts = parts_of(root_of(path), music, rng)
            return parts[int(rng.integers(len(parts)))].part if parts else None

        return load

    return [(name, loader(path)) for name, own, path in sources(data) if own in splits]


def rounds(tasks: Sequence[Task], seed: int) -> Iterator[tuple[str, str, Task, list[int]]]:
    """Without end: a name for the file, an edition, a task and its seed."""
    number = 0
    while True:
        rng = np.random.default_rng([seed, number])
        editions = rng.choice(list(EDITIONS), len(tasks), p=list(EDITIONS.values()))
        for index, edition in zip(rng.permutation(len(tasks)), editions, strict=True):
            name = tasks[index][0]
            yield f"{number}-{name}", str(edition), tasks[index], [seed, number, zlib.crc32(name.encode())]
        number += 1


def engraved_apart(
    task: Task, edition: str, seeds: Sequence[int], fonts: Sequence[Path], most_pages: int
) -> tuple[tuple[list[EngravedPage], Truth] | str, float]:
    """Pages and truth, or why there are none, and the processor time taken: in a process of its own, for Verovio ends
    the whole process on a few scores."""
    processes: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    ours, theirs = processes.Pipe(duplex=False)
    process = processes.Process(target=_engrave, args=(task, edition, seeds, fonts, most_pages, theirs))
    process.start()
    theirs.close()
    try:
        result = ours.recv()
    except EOFError:
        result = ("the engraver ended the process", 0.0)
    process.join()
    return result


def _engrave(task: Task, edition: str, seeds: Sequence[int], fonts: Sequence[Path], most_pages: int, pipe: Any) -> None:
    result: tuple[list[EngravedPage], Truth] | str
    try:
        part = task[1]()
        result = "no such part" if part is None else printed(part, edition, seeds, fonts, most_pages)
    except Exception as error:  # one odd score must not end a run over thousands; it is counted and named
        result = f"{type(error).__name__}: {error}"[:100]
    times = os.times()
    pipe.send((result, times.user + times.system + times.children_user + times.children_system))
