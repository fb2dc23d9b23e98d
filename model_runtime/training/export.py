"""The trunk as ONNX: an encoder, and one step of the decoder with its keys and values.

    python -m model_runtime.training.export --run RUN --out model_runtime/unified/weights [--int8]

Weights are stored as 16-bit floats behind a cast, which onnxruntime undoes once at load, and under the names that they
have in `architecture.Trunk`: the files are half as large, and `weights_of` reads them back to go on training with.
`--int8` stores matrices as 8-bit integers instead, which `weights_of` does not read; embeddings stay 16-bit floats.
On 48 development lines of OLiMPiC, engraved again (`benchmarks.olimpic.printed_lines`, 205 measures), with the weights
of step 12,750, it costs less than 0.1 points: SER 8.36 % instead of 8.31 % with four sequences followed, 9.00 % instead
of 8.96 % with one. 8.5 MB instead of 14.5, the trunk's processor time 0.85 of the other's (0.53 with one sequence).
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_runtime.tokens.vocabulary import BLOCKS, PAD_ID, fingerprint
from model_runtime.training.evaluate import load_trunk
from model_runtime.unified.architecture import Trunk
from model_runtime.unified.inference import DECODER, ENCODER, NOTES, WRITABLE

_OPSET = 17
_SMALLEST_HALVED = 256  # values: what is smaller stays as it is
_PREPARED = "onnx.quant.pre_process"  # onnxruntime warns where a model does not say that it is


class EncoderGraph(nn.Module):
    """Source tokens → keys and values for each block of the decoder, and what is told of each token by itself."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, ids: Tensor, places: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        """ids (B, S, F), places (B, S), source (1,), target (1,) → keys, values (blocks, B, H, S, d/H), and where the
        trunk has heads for notes (B, S, outputs)."""
        trunk = self.trunk
        mask = (ids[:, :, 0] != PAD_ID)[:, None, None, :]
        embedding = trunk.embedding.weight
        fields = F.embedding(ids, embedding) * (ids != PAD_ID)[:, :, :, None]
        x = trunk.scale * fields.sum(2)
        angles = places[:, :, None] * trunk.frequencies
        x = x + trunk.place(torch.cat([angles.sin(), angles.cos()], dim=-1))
        x = x + trunk.scale * (embedding[source] + embedding[target])
        for layer in trunk.encoder:
            x = layer(x, mask)
        memory = trunk.memory_norm(x)
        pairs = [layer.cross_attention.remember(memory) for layer in trunk.decoder_layers()]
        remembered = torch.stack([k for k, _ in pairs]), torch.stack([v for _, v in pairs])
        return remembered if trunk.notes is None else (*remembered, trunk.notes(memory))


class DecoderGraph(nn.Module):
    """One symbol, and what is remembered → scores of the next one."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.writable: Tensor
        self.register_buffer("writable", torch.tensor(WRITABLE), persistent=False)

    def forward(
        self, token: Tensor, step: Tensor, keys: Tensor, values: Tensor, mask: Tensor, past_k: Tensor, past_v: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """token (B,), step (1,), keys and values as the encoder gives them, mask (B, S), past (blocks, B, H, T, d/H)
        → scores (B, writable), where it looks (B, S), past with one more."""
        trunk = self.trunk
        x = (trunk.scale * (trunk.embedding(token) + trunk.position.weight[step]))[:, None]
        seen = mask[:, None, None, :]
        new_k, new_v = [], []
        pointing = x.new_zeros(0)
        for i, layer in enumerate(trunk.decoder_layers()):
            x, (key, value), looking = layer(x, (keys[i], values[i]), seen, (past_k[i], past_v[i]))
            if i == trunk.config.pointing_layer:
                pointing = layer.cross_attention.first_head(looking, keys[i])[:, 0].masked_fill(~mask, -1e9)
            new_k.append(key)
            new_v.append(value)
        scores = trunk.logits(trunk.out_norm(x[:, 0]), self.writable)
        return scores, pointing, torch.stack(new_k), torch.stack(new_v)


def export(trunk: Trunk, out: Path, about: dict[str, Any], *, int8: bool = False) -> list[Path]:
    """Write both graphs into a folder; `about` is kept with them (hours trained, figures)."""
    out.mkdir(parents=True, exist_ok=True)
    trunk.eval()
    c = trunk.config
    head, blocks, size, source, past = c.width // c.heads, c.decoder_layers, 2, 5, 3
    ids = torch.full((size, source, 4), BLOCKS["glyph"].start)
    one = torch.zeros(1, dtype=torch.long)
    encoder, decoder = out / ENCODER, out / DECODER
    _export(
        EncoderGraph(trunk),
        (ids, torch.zeros(size, source), one, one),
        encoder,
        {"ids": {0: "batch", 1: "source", 2: "fields"}, "places": {0: "batch", 1: "source"}, "from": {}, "to": {}},
        {"keys": {1: "batch", 3: "source"}, "values": {1: "batch", 3: "source"}}
        | ({NOTES: {0: "batch", 1: "source"}} if c.note_outputs else {}),
    )
    token = torch.zeros(size, dtype=torch.long)
    remembered = torch.zeros(blocks, size, c.heads, source, head)
    before = torch.zeros(blocks, size, c.heads, past, head)
    memory_axes, past_axes = {1: "batch", 3: "source"}, {1: "batch", 3: "past"}
    _export(
        DecoderGraph(trunk),
        (token, one, remembered, remembered, torch.ones(size, source, dtype=torch.bool), before, before),
        decoder,
        {"token": {0: "batch"}, "step": {}, "keys": memory_axes, "values": memory_axes}
        | {"mask": {0: "batch", 1: "source"}, "past_keys": past_axes, "past_values": past_axes},
        {"scores": {0: "batch"}, "pointing": {0: "batch", 1: "source"}}
        | {"new_keys": {1: "batch", 3: "now"}, "new_values": {1: "batch", 3: "now"}},
    )
    for path in (encoder, decoder):
        if int8:
            _quantise(path)
        _halve(path, {"vocabulary": fingerprint(), "config": json.dumps(c.as_dict()), "about": json.dumps(about)})
    return [encoder, decoder]


def _export(
    graph: nn.Module,
    arguments: tuple[Tensor, ...],
    path: Path,
    inputs: dict[str, dict[int, str]],
    outputs: dict[str, dict[int, str]],
) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter about itself, and of shapes that are fixed on purpose
        torch.onnx.export(
            graph.eval(),
            arguments,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: axes for name, axes in (inputs | outputs).items() if axes},
            opset_version=_OPSET,
            do_constant_folding=False,  # the weights keep their names
            dynamo=False,
        )


def _halve(path: Path, about: dict[str, str]) -> None:
    """Store the weights as 16-bit floats, each behind a cast."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(path))
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _SMALLEST_HALVED:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}:half"))
        casts.append(helper.make_node("Cast", [f"{name}:half"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _quantise(path: Path) -> None:
    """Store the matrices that hidden states are multiplied with as 8-bit integers, scaled by column.

    They are unsigned: the products of signed ones overflow on x86 processors without VNNI instructions.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(str(path))
    _transpose_weights(model)
    onnx.helper.set_model_props(model, {_PREPARED: "onnxruntime.quant"})
    quantize_dynamic(
        model, path, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QUInt8
    )
    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.save(model, str(path))


def _transpose_weights(model: Any) -> None:
    """Do once what the graph does with its weights at each run: only constants are quantised."""
    from onnx import numpy_helper

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Transpose" and n.input[0] in weights]:
        axes = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
        values = np.ascontiguousarray(numpy_helper.to_array(weights[node.input[0]]).transpose(axes))
        graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for tensor in [t for t in graph.initializer if t.name not in used]:
        graph.initializer.remove(tensor)


def weights_of(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and weights of an exported trunk, to go on training from.

    Raises:
        ValueError: it was made with another vocabulary, or its weights are 8-bit integers.
    """
    import onnx
    from onnx import numpy_helper

    weights: dict[str, Tensor] = {}
    about: dict[str, str] = {}
    for name in (ENCODER, DECODER):
        model = onnx.load(str(folder / name))
        about = {entry.key: entry.value for entry in model.metadata_props}
        if any(node.op_type == "MatMulInteger" for node in model.graph.node):
            raise ValueError(f"the weights in {folder} are 8-bit integers; training goes on from 16-bit floats")
        for tensor in model.graph.initializer:
            own = tensor.name.removesuffix(":half")
            if own.startswith("trunk."):
                weights[own.removeprefix("trunk.")] = torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
    if about.get("vocabulary") != fingerprint():
        raise ValueError(f"the weights in {folder} were made with another vocabulary")
    config: dict[str, Any] = json.loads(about["config"])
    return config, weights


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the trunk of a training run as ONNX.")
    parser.add_argument("--run", type=Path, required=True, help="folder of the training run")
    parser.add_argument("--out", type=Path, required=True, help="folder for the two files")
    parser.add_argument(
        "--int8", action="store_true", help="matrices as 8-bit integers: smaller, no longer to be trained"
    )
    arguments = parser.parse_args()
    trunk, state = load_trunk(arguments.run / "checkpoint.pt")
    about = {"step": state["step"], "windows": state["windows"], "hours": round(state["seconds"] / 3600, 2)}
    about["beam_groups"] = True  # `tokens/beam_groups.py`: training shows them, so reading must
    for path in export(trunk, arguments.out, about, int8=arguments.int8):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
