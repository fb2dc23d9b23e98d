"""Tempo marks, pedal signs and dynamics: what stands between and around the staves, and in which measure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from model_runtime.notation.durations import nearest_writable
from model_runtime.notation.dynamics import dynamic_marks
from model_runtime.notation.musicxml import Mark, WrittenPart
from model_runtime.notation.quantised import QuantisedScore
from model_runtime.notation.stems import PlacedNote


def add_marks(score: QuantisedScore, notes: Sequence[PlacedNote], parts: Sequence[WrittenPart]) -> None:
    """Put tempo marks over the first part, pedal signs under the first keyboard, dynamics into all parts but drums."""
    for index, tempo in enumerate(score.tempos):
        at = nearest_writable(tempo.onset) if index else parts[0].measures[0].measure.start
        _place(parts[0], Mark(at, "tempo", _number(tempo.quarters_per_minute)))
    keyboards = [part for part in parts if part.staves > 1]
    for pedal in score.pedals if keyboards else ():
        _place(keyboards[0], Mark(nearest_writable(pedal.onset), "pedal", "start", staff=2))
        _place(keyboards[0], Mark(nearest_writable(pedal.release), "pedal", "stop", staff=2))
    for part in parts:
        own = [note for note in notes if note.part == part.index and not part.percussion]
        for at, value in dynamic_marks(own, [written.measure for written in part.measures]):
            _place(part, Mark(at, "dynamics", value))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _place(part: WrittenPart, mark: Mark) -> None:
    """Add a mark to the measure that it falls into; before the first and after the last it moves to the edge."""
    starts = [written.measure.start for written in part.measures]
    index = max(0, bisect_right(starts, mark.at) - 1)
    if mark.kind == "pedal" and mark.value == "stop" and mark.at == starts[index] and index:
        index -= 1  # a release at a barline is drawn before it
    measure = part.measures[index].measure
    mark.at = min(max(mark.at, measure.start), measure.end)
    part.measures[index].marks.append(mark)
