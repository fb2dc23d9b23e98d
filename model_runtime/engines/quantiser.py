"""The quantiser: from played notes to a written score."""

from __future__ import annotations

from model_runtime.engines.base import Context, Engine, Measurement
from model_runtime.errors import InvalidValue
from model_runtime.modality import Modality, Notation, Performance, Value
from model_runtime.options import Options

_BENCHMARK = "python -m benchmarks.notation --data DIR --json FILE"


class Quantiser(Engine):
    """Finds beats, metre and note values, then staves, voices and spelling."""

    name = "quantiser"
    source = Modality.PERFORMANCE
    target = Modality.NOTATION
    summary = "Finds beats, metre, note values, voices and spelling, and writes MusicXML."
    quality = 0.6
    measurements = (
        Measurement("note F1 (pitch, onset, duration, staff), beats given", "11 ASAP performances", 0.616, _BENCHMARK),
        Measurement("the same, beats found, aligned locally", "11 ASAP performances", 0.314, _BENCHMARK),
    )

    def translate(self, value: Value, options: Options, context: Context) -> Notation:
        """Write a performance as a score.

        Raises:
            InvalidValue: `value` is not a performance, or the tempo map does not move forwards.
        """
        from model_runtime.notation.last_measures import last_measures
        from model_runtime.notation.quantise import quantise
        from model_runtime.notation.write import write_score

        if not isinstance(value, Performance):
            raise InvalidValue("The quantiser writes performances only.")
        if not value.notes:
            context.warn("There are no notes to write: the score is one empty measure.")
        notation = write_score(quantise(value, options, context), options, context)
        return notation if options.last_measures is None else last_measures(notation, options.last_measures)
