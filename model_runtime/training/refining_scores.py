"""Measures what the trunk makes of the audio reader's notes, on clips that neither was trained on.

    python -m model_runtime.training.refining_scores --clips CLIPS [--weights FOLDER] [--count 48]

Means over the clips of the development split, of notes as long as an engine keeps them: the reader's own, and the
refined ones for several thresholds, with the ends as the trunk says, half way to there, and the reader's own; and what
remains where only the ends, or all but the onsets, is taken from the trunk.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from model_runtime.options import Options
from model_runtime.training.audio.corpus import restored
from model_runtime.training.audio.dataset import load
from model_runtime.training.audio.evaluate import scores
from model_runtime.training.refining import heard_in
from model_runtime.unified.audio_reader import ReaderSession
from model_runtime.unified.heard_notes import HeardNotes, refined, tokens_of
from model_runtime.unified.note_outputs import KEPT, LATE, LENGTH, OUTPUTS, Floats, NoteTrunk, note_outputs_of
from model_runtime.unified.note_picking import PickedNote, PickingSettings

_THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5)


def refined_scores(trunk: NoteTrunk, clips: Sequence[Path]) -> dict[str, dict[str, float]]:
    """Scores (`audio.evaluate.scores`) of each way to make notes, means over clips."""
    session = ReaderSession()
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for path in clips:
        clip = load(path)
        heard = heard_in(session, restored(clip.frames))
        outputs = note_outputs_of(trunk, "audio", *tokens_of(heard))
        for name, notes in _ways(heard, outputs):
            for measure, value in scores(clip.notes, notes).items():
                found[name][measure].append(value)
                if name in ("reader", "refined 0.5") and measure in ("onset_f1", "note_f1"):
                    found[name][f"{measure}_{clip.about['kind'].replace(' ', '_')}"].append(value)
    return {
        name: {measure: round(float(np.mean(values)), 4) for measure, values in sorted(each.items())}
        for name, each in found.items()
    }


def _ways(heard: HeardNotes, outputs: Floats) -> Iterator[tuple[str, list[PickedNote]]]:
    own = np.zeros((len(heard), len(OUTPUTS)), np.float32)
    own[:, KEPT] = heard.probability
    usual = PickingSettings().onset
    yield "reader", _long_enough(refined(heard, own, usual))
    for ends, name in ((1.0, ""), (0.5, ", half the ends"), (0.0, ", own ends")):
        trusted = outputs.copy()
        trusted[:, LENGTH] *= ends
        for threshold in _THRESHOLDS:
            yield f"refined {threshold}{name}", _long_enough(refined(heard, trusted, threshold))
    only_ends, punctual = own.copy(), outputs.copy()
    only_ends[:, LENGTH], punctual[:, LATE] = outputs[:, LENGTH], 0.0
    yield "only ends", _long_enough(refined(heard, only_ends, usual))
    yield "all but onsets", _long_enough(refined(heard, punctual, usual))


def _long_enough(notes: list[PickedNote]) -> list[PickedNote]:
    shortest_s = Options().minimum_note / 1000
    return [note for note in notes if note.offset_s is not None and note.offset_s - note.onset_s >= shortest_s]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure the trunk's refining on development clips.")
    parser.add_argument("--clips", type=Path, required=True, help="the audio reader's corpus")
    parser.add_argument("--weights", type=Path, help="folder of an exported trunk; the shipped one where left out")
    parser.add_argument("--count", type=int, default=48)
    parsed = parser.parse_args(arguments)
    from model_runtime.unified.inference import TrunkRuntime

    clips = sorted((parsed.clips / "dev").glob("*.npz"))[: parsed.count]
    result = refined_scores(TrunkRuntime(parsed.weights, threads=1), clips)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
