"""All engines by name. Importing this imports no engine's dependencies: engines import what is heavy when they load."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from model_runtime.engines.base import Engine

_ENGINES = (
    ("model_runtime.engines.transkun", "Transkun"),
    ("model_runtime.engines.basic_pitch", "BasicPitch"),
    ("model_runtime.engines.audio_reader", "AudioReaderEngine"),
    ("model_runtime.engines.unified_transcription", "UnifiedTranscription"),
    ("model_runtime.engines.unified_notation", "UnifiedNotation"),
    ("model_runtime.engines.quantiser", "Quantiser"),
    ("model_runtime.engines.performer", "Performer"),
    ("model_runtime.engines.unified_performer", "UnifiedPerformer"),
    ("model_runtime.engines.fluidsynth", "FluidSynth"),
    ("model_runtime.engines.rustysynth", "RustySynth"),
    ("model_runtime.engines.verovio", "Verovio"),
    ("model_runtime.engines.unified_image", "UnifiedImage"),
)


@cache
def engines() -> tuple[Engine, ...]:
    """One instance of every engine, whether or not it can run here."""
    return tuple(getattr(import_module(module), name)() for module, name in _ENGINES)
