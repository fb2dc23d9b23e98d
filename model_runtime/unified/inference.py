"""The trunk at work, without torch: windows of glyphs or notes in, symbols of LMX or judgements of each note out.

A whole batch is decoded at once with keys and values kept; which symbols each window goes on with is said by
`search.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.beam_groups import with_beam_groups
from model_runtime.tokens.vocabulary import IDS, PAD_ID, SYMBOLS, fingerprint
from model_runtime.unified.grammar import table
from model_runtime.unified.note_outputs import KEPT, NoteWindow
from model_runtime.unified.search import LONGEST_TARGET, WRITABLE, Search, Window, Written

__all__ = [
    "DECODER",
    "ENCODER",
    "LONGEST_TARGET",
    "NOTES",
    "WRITABLE",
    "TrunkRuntime",
    "Window",
    "Written",
    "weights_folder",
]
ENCODER, DECODER = "trunk_encoder.onnx", "trunk_decoder.onnx"
NOTES = "notes"  # the encoder's output that judges each token by itself
Floats = npt.NDArray[np.float32]


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
        self.judges_notes = NOTES in {output.name for output in self._encoder.get_outputs()}

    def write(
        self,
        windows: Sequence[Window],
        *,
        constrained: bool = True,
        beam: int = 1,
        batch_tokens: int = 6000,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Written]:
        """What each window says, as notation.

        Args:
            windows: Of one source or of several, in any order.
            constrained: Keep to the grammar, and for performances to the measure's length.
            beam: How many sequences of each window are followed.
            batch_tokens: Padded source tokens in a batch, once for each sequence that is followed.
            progress: Called with how many windows are done and how many there are.
        """
        if self.about.get("beam_groups"):
            windows = [_with_beam_groups(window) for window in windows]
        result: dict[int, Written] = {}
        for group in _grouped(windows, batch_tokens // beam):
            for number, written in zip(group, self._batch([windows[i] for i in group], constrained, beam), strict=True):
                result[number] = written
            if progress:
                progress(len(result), len(windows))
        return [result[i] for i in range(len(windows))]

    def note_outputs(
        self,
        source: str,
        windows: Sequence[NoteWindow],
        *,
        batch_tokens: int = 1000,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Floats]:
        """What is told of each note by itself, on the way from `source` to a performance.

        Args:
            source: "audio" or "notation".
            windows: At most `note_outputs.LONGEST` tokens each, as in training.
            batch_tokens: Padded tokens in a batch.
            progress: Called with how many windows are done and how many there are.

        Returns:
            For each window (n, 5) in the network's units, in the order of `note_outputs.OUTPUTS`; `kept` from 0 to 1.

        Raises:
            ValueError: these weights judge no notes (`judges_notes`).
        """
        if not self.judges_notes:
            raise ValueError("these weights of the trunk do not judge notes")
        named = {"from": np.array([IDS[f"<from:{source}>"]]), "to": np.array([IDS["<to:performance>"]])}
        result: dict[int, Floats] = {}
        sources = [Window(source, w.ids, w.places) for w in windows]
        for group in _grouped(sources, batch_tokens):
            ids, places, _ = _padded([sources[i] for i in group])
            (told,) = self._encoder.run([NOTES], {"ids": ids, "places": places, **named})
            told[:, :, KEPT] = 1.0 / (1.0 + np.exp(-told[:, :, KEPT]))
            for row, number in enumerate(group):
                result[number] = told[row, : len(windows[number].ids)]
            if progress:
                progress(len(result), len(windows))
        return [result[i] for i in range(len(windows))]

    def _batch(self, windows: Sequence[Window], constrained: bool, beam: int) -> list[Written]:
        ids, places, mask = _padded(windows)
        keys, values = self._encoder.run(
            ["keys", "values"],
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
        searches = [Search(window, self._rules, beam, constrained) for window in windows]
        for step in range(LONGEST_TARGET):
            scores, pointing, past_k, past_v = self._decoder.run(
                None,
                {
                    **{"token": token, "step": np.array([step]), "keys": keys, "values": values, "mask": mask},
                    **{"past_keys": past_k, "past_values": past_v},
                },
            )
            kept: list[int] = []
            at = 0
            for search in searches:
                span = slice(at, at + len(search.rows))
                at = span.stop
                kept += [span.start + parent for parent in search.step(scores[span], pointing[span])]
            if not kept:
                break
            token = np.array([WRITABLE[row.last] for search in searches for row in search.rows])
            if kept != list(range(at)):
                keys, values, mask = keys[:, kept], values[:, kept], mask[kept]
                past_k, past_v = past_k[:, kept], past_v[:, kept]
        return [search.best() for search in searches]


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
