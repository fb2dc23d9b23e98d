"""`scorebridge train`: the steps that make the unified model's parts, each a module that can also be run by itself."""

from __future__ import annotations

import sys
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

app = typer.Typer(help="Train the unified model: corpus, run, evaluate, export.", no_args_is_help=True)


class ModelPart(StrEnum):
    """What is trained by itself."""

    TRUNK = "trunk"
    AUDIO_READER = "audio-reader"
    IMAGE_READER = "image-reader"
    PERFORMANCE_READER = "performance-reader"


_PACKAGES = {
    ModelPart.TRUNK: "model_runtime.training",
    ModelPart.AUDIO_READER: "model_runtime.training.audio",
    ModelPart.IMAGE_READER: "model_runtime.training.image",
    ModelPart.PERFORMANCE_READER: "model_runtime.training.performance",
}
# Each step has options of its own, which go through as they are; `--help` too.
_STEP = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

Part = Annotated[ModelPart, typer.Option("--part", help="Which part of the model.")]


@app.command(context_settings=_STEP)
def corpus(context: typer.Context, part: Part = ModelPart.TRUNK) -> None:
    """Build what a part learns from. Goes on where it was stopped. (--help: the options)"""
    _do("corpus", part, context)


@app.command(context_settings=_STEP)
def run(context: typer.Context, part: Part = ModelPart.TRUNK) -> None:
    """Train a part; with --resume from the last checkpoint on. (--help: the options)"""
    _do("train", part, context)


@app.command(context_settings=_STEP)
def evaluate(context: typer.Context, part: Part = ModelPart.TRUNK) -> None:
    """Measure a part on works that it was not trained on. (--help: the options)"""
    _do("evaluate", part, context)


@app.command(context_settings=_STEP)
def export(context: typer.Context, part: Part = ModelPart.TRUNK) -> None:
    """Write a part's weights as they are used at run time. (--help: the options)"""
    _do("export", part, context)


def _do(step: str, part: ModelPart, context: typer.Context) -> None:
    from model_runtime.errors import EngineUnavailable, MusicError

    if find_spec("torch") is None:
        raise EngineUnavailable(
            "Training needs PyTorch, which is not installed.", hint="pip install 'scorebridge[train]'"
        )
    module = import_module(f"{_PACKAGES[part]}.{step}")
    sys.argv = [f"scorebridge train {context.info_name} --part {part}", *context.args]
    try:
        module.main()
    except FileNotFoundError as error:
        raise MusicError(f"{error.filename or error} is not there.", hint=f"{sys.argv[0]} --help") from error
