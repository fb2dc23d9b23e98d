"""Notation → performance with the unified model: what the marks ask for by rules, what people do beside that learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.engines.base import Availability, Context, Measurement
from model_runtime.engines.performer import Performer
from model_runtime.options import Options
from model_runtime.playback.manner import Manner
from model_runtime.playback.timeline import Timeline
from model_runtime.playback.unfolding import Tone

if TYPE_CHECKING:
    from model_runtime.unified.inference import TrunkRuntime

_BENCHMARK = "python -m benchmarks.expression --data DIR --json FILE"


class UnifiedPerformer(Performer):
    """The performer, whose notes the trunk moves: louder and softer, earlier and later, shorter, slower.

    It plays the same notes as `Performer`, whose options it has; deadpan it plays exactly the same. A tempo map among
    the options is kept: then only the notes of chords come apart. Nothing is drawn at random.

    By the published table it is nearer to people than the rules; its `quality` is set below theirs all the same, so
    that a score is played as it is written unless a person's playing is asked for.

    Args:
        weights: Folder of the trunk; None is the shipped one.
    """

    name = "unified-performer"
    summary = "Plays a score as people play: voicing, accents of the metre, touch and chords from the unified model."
    quality = 0.9
    measurements = (
        Measurement("correlation of velocities with a person's", "11 ASAP performances", 0.379, _BENCHMARK),
        Measurement("the same about their running mean (rules: 0.148)", "11 ASAP performances", 0.352, _BENCHMARK),
        Measurement("the same", "12 held-out piano parts of POP909", 0.467, _BENCHMARK),
    )

    def __init__(self, weights: Path | None = None) -> None:
        self._weights = weights
        self._trunk: TrunkRuntime | None = None

    def availability(self) -> Availability:
        """Whether its weights are there, and tell how notes are played."""
        from model_runtime.unified.inference import ENCODER, weights_folder
        from model_runtime.unified.note_outputs import judges_notes

        encoder = (self._weights or weights_folder()) / ENCODER
        if not encoder.is_file():
            return Availability(False, "The unified model's weights are not there.", "Install ScoreBridge again.")
        if not judges_notes(encoder):
            return Availability(
                False, "The unified model's weights do not tell how notes are played.", "Use the engine 'performer'."
            )
        return Availability(True)

    def load(self) -> None:
        """Read the weights."""
        if self._trunk is None:
            self.require()
            from model_runtime.unified.inference import TrunkRuntime

            self._trunk = TrunkRuntime(self._weights)

    def manner(self, timeline: Timeline, tones: Sequence[Sequence[Tone]], options: Options, context: Context) -> Manner:
        """As the trunk says; deadpan as the rules say."""
        if options.deadpan:
            return Manner()
        from model_runtime.unified.human_manner import HumanManner

        self.load()
        if self._trunk is None:
            raise AssertionError("loaded")
        parts = timeline.score.parts
        pitched = [[] if part.percussion else own for part, own in zip(parts, tones, strict=True)]
        return HumanManner(self._trunk, timeline, pitched, lambda done, all_: context.progress("Phrasing", done, all_))

    def close(self) -> None:
        """Give the weights back."""
        self._trunk = None
