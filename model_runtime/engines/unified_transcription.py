"""Audio → performance with the unified model: the audio reader hears, and the trunk judges what it heard."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from model_runtime.engines.audio_reader import AudioReaderEngine, Told, moved, settings_of
from model_runtime.engines.base import Availability, Context, Measurement
from model_runtime.modality import Audio
from model_runtime.options import Options
from model_runtime.unified.audio_reader import WEIGHTS, AudioReader, ReadNotes
from model_runtime.unified.heard_notes import HeardNoteFinder, refined, tokens_of
from model_runtime.unified.note_outputs import LENGTH, Floats, judges_notes, note_outputs_of
from model_runtime.unified.note_picking import PickingSettings

if TYPE_CHECKING:
    from model_runtime.unified.inference import TrunkRuntime

_STAGE = "Refining"
_KEPT = 0.4  # best onset F1 on clips of held-out works (training.refining_scores)
_ENDS = 0.0  # on real recordings the trunk's ends are worse than the reader's own (benchmarks/README.md)
_BENCHMARK = "python -m benchmarks.transcription --data DIR --json FILE"
_INSTALL = "Install ScoreBridge again."


class UnifiedTranscription(AudioReaderEngine):
    """What the audio reader hears, or may have heard, judged by the trunk; early results are the reader's own.

    Args:
        weights: Folder of the trunk; None is the shipped one.
        threads: That each network may use.
        ends: How far ends are moved to where the trunk says, 0 to 1.
    """

    name = "unified-transcription"
    summary = "Transcribes as audio-reader does, and lets the unified model judge every note among its neighbours."
    quality = 0.66
    measurements: ClassVar[tuple[Measurement, ...]] = (
        Measurement("note onset F1 (50 ms)", "five Bach10 chorales, mean", 0.661, _BENCHMARK),
        Measurement("note onset F1 (50 ms)", "a piano phrase (stereo_sample)", 1.0, _BENCHMARK),
        Measurement("note onset F1 (50 ms)", "a singer (vocadito_1)", 0.655, _BENCHMARK),
    )

    def __init__(self, weights: Path | None = None, threads: int = 1, ends: float = _ENDS) -> None:
        super().__init__(threads)
        self._weights, self._ends = weights, ends
        self._trunk: TrunkRuntime | None = None

    def availability(self) -> Availability:
        """Whether the weights are there, and judge notes."""
        from model_runtime.unified.inference import ENCODER, weights_folder

        encoder = (self._weights or weights_folder()) / ENCODER
        if not (files("model_runtime.unified") / "weights" / WEIGHTS).is_file() or not encoder.is_file():
            return Availability(False, "The unified model's weights are not there.", _INSTALL)
        if not judges_notes(encoder):
            return Availability(False, "The unified model's weights judge no notes.", "Use the engine 'audio-reader'.")
        return Availability(True)

    def load(self) -> None:
        """Read the weights."""
        if self._trunk is None:
            self.require()
            from model_runtime.unified.inference import TrunkRuntime

            super().load()
            self._trunk = TrunkRuntime(self._weights, threads=self._threads)

    def read(self, audio: Audio, options: Options, context: Context, told: Told) -> ReadNotes:
        """What is heard and, to the trunk's mind, there."""
        self.load()
        if self._trunk is None:
            raise AssertionError("loaded")
        usual, asked = HeardNoteFinder(), _other_ends(options)

        def heads(early: Floats, late: Floats, pedal: Floats) -> None:
            usual.feed(early, late, pedal)
            if asked is not None:
                asked.feed(early, late, pedal)

        read = AudioReader(threads=self._threads, settings=settings_of(options)).read(audio, told, heads)
        heard = usual.finish()
        ids, places = tokens_of(heard)
        outputs = note_outputs_of(
            self._trunk, "audio", ids, places, progress=lambda done, all_: context.progress(_STAGE, done, all_)
        )
        outputs[:, LENGTH] *= self._ends
        if asked is not None:
            ends = asked.finish().offset_s
            outputs[:, LENGTH] += np.log2((ends - heard.onset_s) / (heard.offset_s - heard.onset_s))
        threshold = moved(_KEPT, options.onset_threshold, Options().onset_threshold)
        return ReadNotes(refined(heard, outputs, threshold), read.pedal, read.loudest)

    def close(self) -> None:
        """Give the weights back."""
        self._trunk = None


def _other_ends(options: Options) -> HeardNoteFinder | None:
    """Finds the same candidates, their ends where the asked level says; None where it says what is usual."""
    frame = settings_of(options).frame
    if frame == PickingSettings().frame:
        return None
    return HeardNoteFinder(settings=PickingSettings(frame=frame))
