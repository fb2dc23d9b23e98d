"""Performance → notation with the unified model's performance reader: beats, note values and staves are read."""

from __future__ import annotations

from model_runtime.engines.base import Availability, Context, Engine, Measurement
from model_runtime.errors import InvalidValue
from model_runtime.modality import Modality, Notation, Performance, Value
from model_runtime.options import Options

_BENCHMARK = "python -m benchmarks.notation --data DIR --json FILE"


class UnifiedNotation(Engine):
    """Reads beats and barlines where no tempo map gives them, and how long and on which staff notes are written."""

    name = "unified-notation"
    source = Modality.PERFORMANCE
    target = Modality.NOTATION
    summary = "Reads beats, note values and hands out of played notes with the model that comes with ScoreBridge."
    quality = 0.65
    measurements = (
        Measurement("note F1 (pitch, onset, duration, staff), beats given", "11 ASAP performances", 0.681, _BENCHMARK),
        Measurement("the same, beats found, aligned locally", "11 ASAP performances", 0.462, _BENCHMARK),
    )

    def availability(self) -> Availability:
        """Whether its weights are there."""
        from importlib.resources import files

        from model_runtime.unified.performance_reader import BEATS, NOTE_VALUES

        folder = files("model_runtime.unified") / "weights"
        if all((folder / name).is_file() for name in (BEATS, NOTE_VALUES)):
            return Availability(True)
        return Availability(False, "The performance reader's networks are not there.", "Install ScoreBridge again.")

    def load(self) -> None:
        """Read the weights."""
        from model_runtime.unified.performance_reader import PerformanceReader

        PerformanceReader().load()

    def translate(self, value: Value, options: Options, context: Context) -> Notation:
        """Write a performance as a score.

        Raises:
            InvalidValue: `value` is not a performance, or the tempo map does not move forwards.
            EngineUnavailable: the weights are missing.
        """
        from model_runtime.notation.last_measures import last_measures
        from model_runtime.notation.quantise import quantise
        from model_runtime.notation.write import write_score
        from model_runtime.unified.notation_reading import NotationReading
        from model_runtime.unified.performance_reader import PerformanceReader

        if not isinstance(value, Performance):
            raise InvalidValue("The performance reader reads performances only.")
        if not value.notes:
            context.warn("There are no notes to write: the score is one empty measure.")
        reading = NotationReading(PerformanceReader())
        notation = write_score(quantise(value, options, context, reading), options, context)
        return notation if options.last_measures is None else last_measures(notation, options.last_measures)
