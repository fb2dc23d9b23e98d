"""How well the trunk reads held-out windows: greedy decoding, symbol error rate (SER), and F1 of notes.

SER is the sum of edit distances in LMX tokens over the sum of true tokens, as OLiMPiC's authors count it. A note is
right when its measure, its onset there, its duration and its pitch are.

    python -m model_runtime.training.evaluate --data DIR [--data DIR …] --run DIR [--windows 256] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from model_runtime.tokens.distance import edit_distance
from model_runtime.tokens.lmx_reader import read_lmx
from model_runtime.tokens.shorthand import expand
from model_runtime.tokens.vocabulary import END_ID, MORE_ID, fingerprint, ids_of, symbols_of
from model_runtime.training.dataset import LONGEST_TARGET, Corpus, Example, corpora, dev_examples, grouped, pad
from model_runtime.training.note_losses import note_scores
from model_runtime.training.note_windows import NoteCorpus, dev_notes
from model_runtime.unified.architecture import Stepper, Trunk, TrunkConfig, symbol_id
from model_runtime.unified.inference import WRITABLE

_CLOSING = (END_ID, MORE_ID)
_WRITABLE = torch.tensor(WRITABLE)


@torch.inference_mode()
def greedy(trunk: Trunk, examples: Sequence[Example], longest: int = LONGEST_TARGET) -> list[list[int]]:
    """Shorthand ids of each example, without the closing symbol."""
    batch = pad(examples)
    start = symbol_id("to", "notation")
    memory, mask = trunk.encode(
        torch.from_numpy(batch.ids), torch.from_numpy(batch.places), symbol_id("from", batch.source), start
    )
    stepper = Stepper(trunk, memory, mask, _WRITABLE)
    rows = torch.arange(len(examples))
    token = torch.full((len(examples),), start)
    result: list[list[int]] = [[] for _ in examples]
    for _ in range(longest):
        token = _WRITABLE[stepper.step(token).argmax(-1)]
        going = (token != END_ID) & (token != MORE_ID)
        if not going.all():
            kept = going.nonzero()[:, 0]
            if not len(kept):
                break
            stepper.keep(kept)
            rows, token = rows[kept], token[kept]
        for row, value in zip(rows.tolist(), token.tolist(), strict=True):
            result[row].append(value)
    return result


def lmx_of(ids: Sequence[int]) -> list[str]:
    """LMX written out, of shorthand ids with or without a closing symbol."""
    return expand(symbols_of(i for i in ids if i not in _CLOSING))


@dataclass(frozen=True)
class Score:
    """What came out of an evaluation: SER in per cent, F1 of notes from 0 to 1, windows that are entirely right."""

    symbol_error_rate: float
    note_f1: float
    exact_windows: float


def scored(trunk: Trunk, examples: Sequence[Example], tokens: int = 16000) -> Score:
    """Score of all examples; the trunk is left in evaluation mode."""
    trunk.eval()
    wrong = symbols = exact = 0
    shared = notes = 0
    for group in grouped(examples, tokens):
        for ids, example in zip(greedy(trunk, group), group, strict=True):
            ours, truth = lmx_of(ids), lmx_of(example.target.tolist())
            wrong += edit_distance(ids_of(ours), ids_of(truth))
            symbols += len(truth)
            exact += ours == truth
            read, written = sounding_notes(ours), sounding_notes(truth)
            shared += (read & written).total()
            notes += read.total() + written.total()
    return Score(100.0 * wrong / max(symbols, 1), 2.0 * shared / max(notes, 1), exact / max(len(examples), 1))


def sounding_notes(lmx: Sequence[str]) -> Counter[tuple[int, Fraction, Fraction, int]]:
    """Measure, onset in it, duration and pitch of each note of a window, with how often each occurs."""
    return Counter(
        (number, note.onset, note.duration, note.midi_pitch)
        for number, measure in enumerate(read_lmx(lmx))
        for note in measure.notes
        if note.pitch
    )


def load_trunk(checkpoint: Path, *, averaged: bool = True) -> tuple[Trunk, dict[str, Any]]:
    """The trunk of a checkpoint (its averaged weights) and the rest of the checkpoint.

    Raises:
        ValueError: it was trained with another vocabulary.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if state["vocabulary"] != fingerprint():
        raise ValueError(f"{checkpoint} was trained with another vocabulary")
    trunk = Trunk(TrunkConfig(**state["config"]))
    trunk.load(state["average" if averaged else "model"])
    return trunk.eval(), state


def measured(trunk: Trunk, of_kind: Mapping[str, Corpus | NoteCorpus], windows: int, seed: int = 7) -> dict[str, float]:
    """SER and note F1 of each kind of windows: engraved ones read perfectly ("clean") and not ("spoilt"), performances
    with errors, and what the image reader saw as it is ("seen"); of notes judged one by one `note_scores`."""
    result = {}
    trunk.eval()
    for kind, spoil in (("image", False), ("image", True), ("performance", True), ("seen", False)):
        corpus = of_kind.get(kind)
        if isinstance(corpus, Corpus):
            examples = dev_examples(corpus, kind, windows, seed, spoil=spoil)
            name = kind if kind == "seen" else f"{kind}_{'spoilt' if spoil else 'clean'}"
            score = scored(trunk, examples)
            result[name] = round(score.symbol_error_rate, 2)
            result[f"{name}_note_f1"] = round(score.note_f1, 4)
    for kind, corpus in of_kind.items():
        if isinstance(corpus, NoteCorpus) and trunk.notes is not None:
            found = note_scores(trunk, dev_notes(corpus, windows, seed))
            result |= {f"{kind}_{name}": round(value, 4) for name, value in found.items()}
    return result


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure a training run on the development windows.")
    parser.add_argument("--data", type=Path, required=True, action="append", help="corpus folder; may be repeated")
    parser.add_argument("--run", type=Path, required=True, help="folder of the training run")
    parser.add_argument("--windows", type=int, default=256)
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    trunk, state = load_trunk(arguments.run / "checkpoint.pt")
    result = {"step": state["step"], **measured(trunk, corpora(arguments.data, ("dev",)), arguments.windows)}
    text = json.dumps(result, indent=1)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
