"""The audio reader as ONNX: any number of steps in one call, its memory in and out.

    python -m model_runtime.training.audio.export --run RUN --out model_runtime/unified/weights

Weights are stored as they are: the whole file is smaller than a photograph.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from model_runtime.training.audio.train import load_reader
from model_runtime.unified.audio_front_end import BINS
from model_runtime.unified.audio_network import AudioNetwork, State
from model_runtime.unified.audio_reader import WEIGHTS
from model_runtime.unified.audio_steps import FRAMES_A_STEP

_OPSET = 17
_TRACED_STEPS = 3


class ReaderGraph(nn.Module):
    """Frames and memory → probabilities and memory."""

    def __init__(self, network: AudioNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor, past: Tensor, keys: Tensor, context: Tensor) -> tuple[Tensor, ...]:
        """frames (1, 2T, BINS), `State` → heads and late heads (1, T, KEYS, 4), pedal (1, T), the state after."""
        heads, late, pedal, state = self.network(frames, State(past, keys, context))
        return torch.sigmoid(heads), torch.sigmoid(late), torch.sigmoid(pedal), *state


def export(network: AudioNetwork, out: Path) -> Path:
    """Write the graph into a folder; returns the file."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / WEIGHTS
    frames = torch.zeros(1, _TRACED_STEPS * FRAMES_A_STEP, BINS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of itself
        torch.onnx.export(
            ReaderGraph(network.eval()),
            (frames, *network.start(1)),
            str(path),
            input_names=["frames", "past", "keys", "context"],
            output_names=["heads", "late", "pedal", "past_after", "keys_after", "context_after"],
            dynamic_axes={"frames": {1: "frames"}, **{name: {1: "steps"} for name in ("heads", "late", "pedal")}},
            opset_version=_OPSET,
            dynamo=False,
        )
    return path


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Export the audio reader for onnxruntime.")
    parser.add_argument("--run", type=Path, required=True, help="folder of a training run")
    parser.add_argument("--out", type=Path, required=True, help="folder for the file")
    arguments = parser.parse_args()
    export(load_reader(arguments.run / "checkpoint.pt"), arguments.out)


if __name__ == "__main__":
    main()
