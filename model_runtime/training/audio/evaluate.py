"""How well a network hears clips that it was not trained on.

python -m model_runtime.training.audio.evaluate --data CLIPS --run RUN
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from model_runtime.training.audio.corpus import path_of, restored
from model_runtime.training.audio.dataset import clips_there, load
from model_runtime.unified.audio_network import AudioNetwork
from model_runtime.unified.audio_steps import FRAMES_A_STEP, LATE_STEPS
from model_runtime.unified.note_picking import NotePicker, PickedNote, PickingSettings

Floats = npt.NDArray[np.float32]


@torch.no_grad()
def heads_of(reader: AudioNetwork, frames: Floats) -> tuple[Floats, Floats]:
    """Probabilities over all frames, of the heads and of the late heads, each of shape (steps, KEYS, 4)."""
    state, found, late_found = reader.start(1), [], []
    block = 256 * FRAMES_A_STEP
    for start in range(0, len(frames) // FRAMES_A_STEP * FRAMES_A_STEP, block):
        some = frames[start : start + block]
        some = some[: len(some) // FRAMES_A_STEP * FRAMES_A_STEP]
        logits, late, _, state = reader(torch.from_numpy(some)[None], state)
        found.append(torch.sigmoid(logits[0]).numpy())
        late_found.append(torch.sigmoid(late[0]).numpy())
    return np.concatenate(found), np.concatenate(late_found)[LATE_STEPS:]


def picked_notes(heads: Floats, settings: PickingSettings | None = None) -> list[PickedNote]:
    """All notes that the picker finds."""
    picker, notes = NotePicker(settings), []
    for step in heads:
        notes += picker.step(step).struck
    notes += picker.finish().struck
    return notes


def scores(truth: npt.NDArray[np.floating], notes: list[PickedNote]) -> dict[str, float]:
    """F1 of onsets (50 ms), of onsets and ends (20 %, at least 50 ms), and the error of velocities.

    Args:
        truth: Columns onset, end, pitch, velocity.
    """
    from mir_eval.transcription import match_notes, precision_recall_f1_overlap

    if not notes or not len(truth):
        return {"onset_f1": 0.0, "note_f1": 0.0, "precision": 0.0, "recall": 0.0}
    spans = np.array([[n.onset_s, n.offset_s or n.onset_s + 0.1] for n in notes])
    hertz = 440.0 * 2.0 ** ((np.array([n.pitch for n in notes]) - 69) / 12)
    true_spans, true_hertz = truth[:, :2].astype(float), 440.0 * 2.0 ** ((truth[:, 2].astype(float) - 69) / 12)
    true_spans[:, 1] = np.maximum(true_spans[:, 1], true_spans[:, 0] + 0.01)
    precision, recall, onset_f1, _ = precision_recall_f1_overlap(
        true_spans, true_hertz, spans, hertz, offset_ratio=None
    )
    _, _, note_f1, _ = precision_recall_f1_overlap(true_spans, true_hertz, spans, hertz)
    result = {"onset_f1": onset_f1, "note_f1": note_f1, "precision": precision, "recall": recall}
    pairs = match_notes(true_spans, true_hertz, spans, hertz, offset_ratio=None)
    if pairs and truth.shape[1] > 3:
        result["velocity_error"] = float(np.mean([abs(truth[i, 3] - notes[j].velocity) for i, j in pairs]))
    return {name: float(value) for name, value in result.items()}


def measured(reader: AudioNetwork, folder: Path, clips: int) -> dict[str, float]:
    """Means over the first development clips, of all and of each kind; `live_onset_f1` is by the early heads."""
    reader.eval()
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(min(clips, clips_there(folder, "dev"))):
        clip = load(path_of(folder, "dev", number))
        heads, late = heads_of(reader, restored(clip.frames))
        result = scores(clip.notes, picked_notes(late))
        found["live_onset_f1"].append(scores(clip.notes, picked_notes(heads))["onset_f1"])
        for name, value in result.items():
            found[name].append(value)
        found[f"onset_f1_{clip.about['kind'].replace(' ', '_')}"].append(result["onset_f1"])
    return {name: round(float(np.mean(values)), 4) for name, values in sorted(found.items())}


def main() -> None:
    """Command line."""
    from model_runtime.training.audio.train import load_reader

    parser = argparse.ArgumentParser(description="Measure the audio reader on its development clips.")
    parser.add_argument("--data", type=Path, required=True, help="folder of clips")
    parser.add_argument("--run", type=Path, required=True, help="folder of a training run")
    parser.add_argument("--clips", type=int, default=48)
    arguments = parser.parse_args()
    result = measured(load_reader(arguments.run / "checkpoint.pt"), arguments.data, arguments.clips)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
