"""The trunk at work, without torch: windows of glyphs or notes in, symbols of LMX out.

Greedy decoding of a whole batch at once with keys and values kept, every step constrained by the grammar and the
measure's length (`grammar.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.beam_groups import with_beam_groups
from model_runtime.tokens.vocabulary import (
    BLOCKS,
    END_ID,
    IDS,
    MORE_ID,
    NOTATION_IDS,
    PAD_ID,
    SYMBOLS,
    fingerprint,
)
from model_runtime.unified.grammar import Row, table

ENCODER, DECODER = "trunk_encoder.onnx", "trunk_decoder.onnx"
WRITABLE = tuple(i for i in NOTATION_IDS if i in (END_ID, MORE_ID) or i >= BLOCKS["lmx"].start)
LONGEST_TARGET = 320
_NEVER = np.float32(-1e30)
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """What the trunk reads at once.

    Attributes:
        source: "image" or "performance".
        ids: Compound tokens, shape (s, fields).
        places: x in staff spaces, or onsets in units of 0.1 s, shape (s,).
        measure_quarters: Length of a measure in quarter notes where it is known.
        measures: How many measures it holds, where that is known.
        whole: Nothing of it is cut off, so it cannot end in the middle of a measure.
        opening: Symbols that it begins with, where that is known: its key, metre and clefs.
    """

    source: str
    ids: npt.NDArray[np.int64]
    places: Floats
    measure_quarters: float | None = None
    measures: int | None = None
    whole: bool = True
    opening: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """What the trunk wrote.

    Attributes:
        symbols: Shorthand, without the closing symbol.
        probabilities: Of each symbol, shape (t,).
        pointers: Which source token each symbol describes most likely, shape (t,).
        more: It ended before the source did, in the middle of a measure.
    """

    symbols: tuple[str, ...]
    probabilities: Floats
    pointers: npt.NDArray[np.int64]
    more: bool


def weights_folder() -> Path:
    """Where the shipped weights lie."""
    return Path(str(package_files("model_runtime.unified"))) / "weights"


class TrunkRuntime:
    """The exported trunk in onnxruntime.

    Args:
        folder: Holds both files; None is the shipped ones.
        threads: Of each of its computations.

    Raises:
        FileNotFoundError: the files are not there.
        ValueError: they were made with another vocabulary.
    """

    def __init__(self, folder: Path | None = None, threads: int = 2) -> None:
        import onnxruntime

        folder = folder or weights_folder()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3

        def session(name: str) -> Any:
            path = folder / name
            if not path.is_file():
                raise FileNotFoundError(path)
            return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

        self._encoder, self._decoder = session(ENCODER), session(DECODER)
        about = self._encoder.get_modelmeta().custom_metadata_map
        if about.get("vocabulary") != fingerprint():
            raise ValueError(f"the weights in {folder} were made with another vocabulary")
        self.about: dict[str, Any] = json.loads(about["about"])
        config = json.loads(about["config"])
        self._shape = (config["decoder_layers"], config["heads"], config["width"] // config["heads"])
        self._rules = table(tuple(SYMBOLS[i] for i in WRITABLE))

    def write(
        self,
        windows: Sequence[Window],
        *,
        constrained: bool = True,
        batch_tokens: int = 6000,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Written]:
        """What each window says, as notation.

        Args:
            windows: Of one source or of several, in any order.
            constrained: Keep to the grammar and the measure's length.
            batch_tokens: Padded source tokens in a batch.
            progress: Called with how many windows are done and how many there are.
        """
        if self.about.get("beam_groups"):
            windows = [_with_beam_groups(window) for window in windows]
        result: dict[int, Written] = {}
        for group in _grouped(windows, batch_tokens):
            for number, written in zip(group, self._batch([windows[i] for i in group], constrained), strict=True):
                result[number] = written
            if progress:
                progress(len(result), len(windows))
        return [result[i] for i in range(len(windows))]

    def _batch(self, windows: Sequence[Window], constrained: bool) -> list[Written]:
        ids, places, mask = _padded(windows)
        keys, values = self._encoder.run(
            None,
            {
                "ids": ids,
                "places": places,
                "from": np.array([IDS[f"<from:{windows[0].source}>"]]),
                "to": np.array([IDS["<to:notation>"]]),
            },
        )
        blocks, heads, size = self._shape
        past_k = past_v = np.zeros((blocks, len(windows), heads, 0, size), np.float32)
        token = np.full(len(windows), IDS["<to:notation>"])
        rows = [_Row(window, Row(self._rules, _length(window), window.measures)) for window in windows]
        going = list(range(len(windows)))
        for step in range(LONGEST_TARGET):
            scores, pointing, past_k, past_v = self._decoder.run(
                None,
                {
                    **{"token": token, "step": np.array([step]), "keys": keys, "values": values, "mask": mask},
                    **{"past_keys": past_k, "past_values": past_v},
                },
            )
            if constrained:
                scores = np.stack([rows[r].masked(s) for r, s in zip(going, scores, strict=True)])
            chosen = scores.argmax(-1)
            for i, row in enumerate(going):
                chosen[i] = rows[row].given(step, int(chosen[i]))
            certain = _probability(scores, chosen)
            looked = pointing.argmax(-1)
            kept = []
            for i, row in enumerate(going):
                if rows[row].take(int(chosen[i]), float(certain[i]), int(looked[i])):
                    kept.append(i)
            if not kept:
                break
            token = np.array(WRITABLE)[chosen[kept]]
            if len(kept) < len(going):
                going = [going[i] for i in kept]
                keys, values, mask = keys[:, kept], values[:, kept], mask[kept]
                past_k, past_v = past_k[:, kept], past_v[:, kept]
        return [row.written() for row in rows]


_INDEX_OF = {SYMBOLS[i]: n for n, i in enumerate(WRITABLE)}
_END, _MORE = WRITABLE.index(END_ID), WRITABLE.index(MORE_ID)


class _Row:
    """One sequence of the batch."""

    def __init__(self, window: Window, grammar: Row) -> None:
        self._window, self._grammar = window, grammar
        self._symbols: list[str] = []
        self._probabilities: list[float] = []
        self._pointers: list[int] = []
        self._more = True

    def given(self, step: int, chosen: int) -> int:
        """The symbol that is known, or else the chosen one."""
        opening = self._window.opening
        return _INDEX_OF[opening[step]] if step < len(opening) else chosen

    def masked(self, scores: Floats) -> Floats:
        allowed = self._grammar.allowed()
        if self._window.whole:
            allowed = allowed.copy()
            allowed[_MORE] = False
        return np.where(allowed, scores, _NEVER) if allowed.any() else scores

    def take(self, chosen: int, probability: float, pointer: int) -> bool:
        """Whether it goes on."""
        if chosen in (_END, _MORE):
            self._more = chosen == _MORE
            return False
        self._symbols.append(SYMBOLS[WRITABLE[chosen]])
        self._probabilities.append(probability)
        self._pointers.append(pointer)
        if self._grammar.table.next[self._grammar.state, chosen] >= 0:
            self._grammar.take(chosen)
        return True

    def written(self) -> Written:
        return Written(
            tuple(self._symbols),
            np.array(self._probabilities, np.float32),
            np.array(self._pointers, np.int64),
            self._more,
        )


def _length(window: Window) -> float | None:
    """The length of a measure that decoding keeps to. Not from images: there a value that was read wrong would make all
    that follows wrong, and 27 % of symbols are wrong without, 29 % with it."""
    return None if window.source == "image" else window.measure_quarters


def _probability(scores: Floats, chosen: npt.NDArray[np.int64]) -> Floats:
    top = scores.max(-1, keepdims=True)
    weights = np.exp(scores - top)
    share: Floats = weights[np.arange(len(chosen)), chosen] / weights.sum(-1)
    return share


def _with_beam_groups(window: Window) -> Window:
    """As training gives it; weights from before did not know it."""
    if window.source != "image" or not len(window.ids):
        return window
    return replace(window, ids=with_beam_groups(window.ids, window.places))


def _grouped(windows: Sequence[Window], batch_tokens: int) -> list[list[int]]:
    """Numbers of windows of one source and of similar length."""
    order = sorted(range(len(windows)), key=lambda i: (windows[i].source, len(windows[i].ids)))
    groups: list[list[int]] = []
    for i in order:
        fits = groups and windows[groups[-1][0]].source == windows[i].source
        if fits and (len(groups[-1]) + 1) * max(len(windows[i].ids), 1) <= batch_tokens:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _padded(
    windows: Sequence[Window],
) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.bool_]]:
    longest = max(1, *(len(w.ids) for w in windows))
    ids = np.full((len(windows), longest, windows[0].ids.shape[1]), PAD_ID, np.int64)
    places = np.zeros((len(windows), longest), np.float32)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = window.ids
        places[row, : len(window.ids)] = window.places
    return ids, places, ids[:, :, 0] != PAD_ID
