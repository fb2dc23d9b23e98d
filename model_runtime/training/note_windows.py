"""Windows of notes that the trunk judges one by one: what a reader heard against what was played, what is written
against how it was played.

    FOLDER/<split>/<piece>.npz: source ("audio" or "notation"), vocabulary, ids (N, fields), places (N,),
    wanted (N, 5), weights (N, 5) in the order and the network's units of `unified.note_outputs.OUTPUTS`.

`training.refining` and `training.rendering` write such folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.notes import COMPOUND_FIELDS
from model_runtime.tokens.vocabulary import BLOCKS, PAD_ID, fingerprint
from model_runtime.unified.note_outputs import LONGEST, OUTPUTS

NOTE_KINDS = {"refining": "audio", "rendering": "notation"}  # kinds of windows and where their notes come from
_SHORTEST = 8
_FARTHEST_SHIFT = 60.0  # units of places by which a window is moved as a whole
_TRANSPOSED_SHARE, _FARTHEST_STEP = 0.8, 6
_FORGOTTEN_SHARE = 0.15  # of what is said of a heard note besides the note itself
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NoteExample:
    """One window of n tokens.

    Attributes:
        source: "audio" or "notation".
        ids: (n, fields).
        places: (n,).
        wanted, weights: (n, 5); the weight is 0 where nothing is known.
    """

    source: str
    ids: Ints
    places: Floats
    wanted: Floats
    weights: Floats


@dataclass(frozen=True)
class NoteBatch:
    """Examples of one kind, padded to S tokens: ids (B, S, fields), places (B, S), wanted and weights (B, S, 5)."""

    source: str
    ids: Ints
    places: Floats
    wanted: Floats
    weights: Floats


def write_notes(path: Path, source: str, ids: Ints, places: Floats, wanted: Floats, weights: Floats) -> None:
    """Write a piece of N tokens as `NoteCorpus` reads it, whole or not at all."""
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            source=np.array(source),
            vocabulary=np.array(fingerprint()),
            ids=ids.astype(np.int16),
            places=places,
            wanted=wanted,
            weights=weights,
        )
    temporary.replace(path)


class NoteCorpus:
    """Every piece of some splits, in memory.

    Args:
        files: As they are told of above, all with the same source.

    Raises:
        ValueError: made with another vocabulary, or of several sources.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.names = [file.stem for file in files]
        ids, places, wanted, weights = [], [], [], []
        sources = set()
        for file in files:
            with np.load(file) as arrays:
                if str(arrays["vocabulary"]) != fingerprint():
                    raise ValueError(f"{file} was made with another vocabulary; build the corpus again")
                sources.add(str(arrays["source"]))
                ids.append(arrays["ids"].astype(np.int16))
                places.append(arrays["places"].astype(np.float32))
                wanted.append(arrays["wanted"].astype(np.float32))
                weights.append(arrays["weights"].astype(np.float32))
        if len(sources) != 1:
            raise ValueError(f"notes of {' and '.join(sorted(sources))} cannot be one corpus")
        self.source = sources.pop()
        lengths = [len(piece) for piece in places]
        self.stop = np.repeat(np.cumsum(lengths), lengths)  # where the piece of each token ends
        self.ids, self.places = np.concatenate(ids), np.concatenate(places)
        self.wanted, self.weights = np.concatenate(wanted), np.concatenate(weights)

    def __len__(self) -> int:
        return len(self.places)

    def window(self, first: int, count: int) -> NoteExample:
        """At most `count` tokens from `first` on, of one piece."""
        span = slice(first, min(first + count, int(self.stop[first])))
        places = self.places[span] - self.places[first]
        return NoteExample(self.source, self.ids[span].astype(np.int64), places, self.wanted[span], self.weights[span])


def draw_notes(corpus: NoteCorpus, rng: np.random.Generator, *, spoil: bool = True) -> NoteExample:
    """A random window; with `spoil` moved in time, and mostly transposed."""
    while True:
        first = int(rng.integers(len(corpus)))
        count = LONGEST if not spoil else int(rng.integers(LONGEST // 3, LONGEST + 1))
        example = corpus.window(first, count)
        if len(example.places) >= min(_SHORTEST, len(corpus)):
            return _moved(example, rng) if spoil else example


def _moved(example: NoteExample, rng: np.random.Generator) -> NoteExample:
    ids = example.ids
    if rng.random() < _TRANSPOSED_SHARE:
        pitch = BLOCKS["pitch"]
        step = int(rng.integers(-_FARTHEST_STEP, _FARTHEST_STEP + 1))
        is_pitch = (ids >= pitch.start) & (ids < pitch.start + len(pitch))
        ids = np.where(is_pitch, np.clip(ids + step, pitch.start, pitch.start + len(pitch) - 1), ids)
    if example.source == "audio":  # or recordings are known by the clues that a reader gives of their notes
        clues = np.arange(ids.shape[1]) >= len(COMPOUND_FIELDS)
        ids = np.where(clues & (rng.random(ids.shape) < _FORGOTTEN_SHARE), PAD_ID, ids)
    places = example.places + np.float32(rng.uniform(0.0, _FARTHEST_SHIFT))
    return NoteExample(example.source, ids, places, example.wanted, example.weights)


def pad_notes(examples: Sequence[NoteExample]) -> NoteBatch:
    """Examples of one kind as a batch."""
    size, longest = len(examples), max(len(e.places) for e in examples)
    ids = np.full((size, longest, examples[0].ids.shape[1]), PAD_ID, np.int64)
    places = np.zeros((size, longest), np.float32)
    wanted, weights = (np.zeros((size, longest, len(OUTPUTS)), np.float32) for _ in range(2))
    for row, example in enumerate(examples):
        count = len(example.places)
        ids[row, :count], places[row, :count] = example.ids, example.places
        wanted[row, :count], weights[row, :count] = example.wanted, example.weights
    return NoteBatch(examples[0].source, ids, places, wanted, weights)


def grouped_notes(examples: Sequence[NoteExample], tokens: int) -> Iterator[list[NoteExample]]:
    """Examples by length, in groups of at most `tokens` tokens when padded."""
    group: list[NoteExample] = []
    for example in sorted(examples, key=lambda e: len(e.places)):
        if group and (len(group) + 1) * len(example.places) > tokens:
            yield group
            group = []
        group.append(example)
    if group:
        yield group


def dev_notes(corpus: NoteCorpus, count: int, seed: int) -> list[NoteExample]:
    """Always the same windows of a held-out corpus."""
    rng = np.random.default_rng((seed, len(OUTPUTS)))
    return [draw_notes(corpus, rng, spoil=False) for _ in range(count)]
