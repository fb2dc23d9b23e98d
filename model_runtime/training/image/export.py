"""The image reader as ONNX: the network over a band, and the attributes at its centres.

    python -m model_runtime.training.image.export --run RUN --out model_runtime/unified/weights

Weights are 16-bit floats behind a cast, as the trunk's are.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model_runtime.training.export import _halve
from model_runtime.training.image.network import FINE, MIDDLE, Reader
from model_runtime.unified.bands import BAND_HEIGHT_PX
from model_runtime.unified.glyph_classes import fingerprint
from model_runtime.unified.image_reader import ATTRIBUTES, BACKBONE

_OPSET = 17


def export(reader: Reader, out: Path, about: dict[str, Any]) -> list[Path]:
    """Write both graphs into a folder; `about` is kept with them (hours trained, figures)."""
    out.mkdir(parents=True, exist_ok=True)
    reader = reader.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    _write(
        reader.backbone,
        (torch.zeros(1, 1, BAND_HEIGHT_PX, 64),),
        out / BACKBONE,
        {"band": {0: "bands", 3: "width"}},
        {
            "heat": {0: "bands", 3: "columns"},
            "fine": {0: "bands", 3: "columns"},
            "middle": {0: "bands", 3: "half_columns"},
        },
    )
    numbers = torch.zeros(3, dtype=torch.long)
    _write(
        reader.attributes,
        (torch.zeros(3, FINE + MIDDLE), numbers, numbers),
        out / ATTRIBUTES,
        {name: {0: "centres"} for name in ("features", "group", "stem")},
        {name: {0: "centres"} for name in ("shared", "of_stem", "within")},
    )
    paths = [out / BACKBONE, out / ATTRIBUTES]
    for path in paths:
        _halve(path, {"classes": fingerprint(), "about": json.dumps(about)})
    return paths


def _write(
    graph: nn.Module,
    arguments: tuple[Tensor, ...],
    path: Path,
    inputs: dict[str, dict[int, str]],
    outputs: dict[str, dict[int, str]],
) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter about itself
        torch.onnx.export(
            graph,
            arguments,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=inputs | outputs,
            opset_version=_OPSET,
            dynamo=False,
        )


def load_reader(run: Path) -> tuple[Reader, dict[str, Any]]:
    """The averaged reader of a training run, and its state."""
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    reader = Reader()
    reader.load_state_dict(state["average"])
    return reader.eval(), state


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the image reader of a training run as ONNX.")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    reader, state = load_reader(arguments.run)
    about = {"step": state["step"], "chunks": state["chunks"], "hours": round(state["seconds"] / 3600, 2)}
    export(reader, arguments.out, about)


if __name__ == "__main__":
    main()
