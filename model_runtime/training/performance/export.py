"""The performance reader's networks as ONNX: any number of chords or notes in one call.

    python -m model_runtime.training.performance.export --run RUN --out model_runtime/unified/weights

Weights are stored as 16-bit floats behind a cast, as the trunk's are.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.training.export import _halve
from model_runtime.training.performance.network import NoteNetwork
from model_runtime.training.performance.train import load_networks
from model_runtime.unified.performance_features import BAR_PLACES, PERIODS, PHASES, VALUES
from model_runtime.unified.performance_reader import BEATS, NOTE_VALUES

_OPSET = 17
_TRACED = 5


class BeatGraph(nn.Module):
    """Features (T, F), times (T, 1) → logarithms of probabilities of phases, bars and periods, (T, classes) each."""

    def __init__(self, network: NoteNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, places: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        said = self.network(features[None], *self.network.angles(places[None]))[0]
        return tuple(F.log_softmax(head, dim=-1) for head in said.split([PHASES, BAR_PLACES, PERIODS], dim=-1))


class ValueGraph(nn.Module):
    """Features (T, F), places (T, 2) → logarithms of probabilities of lengths (T, VALUES), of the left staff (T,)."""

    def __init__(self, network: NoteNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        said = self.network(features[None], *self.network.angles(places[None]))[0]
        return F.log_softmax(said[:, : len(VALUES)], dim=-1), torch.sigmoid(said[:, len(VALUES)])


def export(networks: dict[str, NoteNetwork], out: Path, about: dict[str, object]) -> list[Path]:
    """Write both graphs into a folder; `about` is kept with them (hours trained, figures)."""
    out.mkdir(parents=True, exist_ok=True)
    graphs = (
        (BeatGraph(networks["beats"]), BEATS, ("phase", "bar", "period")),
        (ValueGraph(networks["values"]), NOTE_VALUES, ("value", "left")),
    )
    paths = []
    for graph, name, outputs in graphs:
        config = graph.network.config
        path = out / name
        given = torch.zeros(_TRACED, config.features), torch.zeros(_TRACED, len(config.spans))
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter speaks of itself
            torch.onnx.export(
                graph.eval(),
                given,
                str(path),
                input_names=["features", "places"],
                output_names=list(outputs),
                dynamic_axes={name: {0: "rows"} for name in ("features", "places", *outputs)},
                opset_version=_OPSET,
                do_constant_folding=False,
                dynamo=False,
            )
        _halve(path, {"config": json.dumps(config.as_dict()), "about": json.dumps(about)})
        paths.append(path)
    return paths


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Export the performance reader for onnxruntime.")
    parser.add_argument("--run", type=Path, required=True, help="folder of a training run")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    arguments = parser.parse_args()
    checkpoint = arguments.run / "checkpoint.pt"
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    about = {"step": state["step"], "hours": round(state["seconds"] / 3600, 2)}
    export(load_networks(checkpoint), arguments.out, about)


if __name__ == "__main__":
    main()
