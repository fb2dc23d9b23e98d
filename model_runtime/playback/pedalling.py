"""Pedal marks → controllers."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from model_runtime.modality import SOFT_PEDAL, SOSTENUTO_PEDAL, SUSTAIN_PEDAL, Control
from model_runtime.playback.realising import TimeAt
from model_runtime.playback.score import Direction, Part
from model_runtime.playback.timeline import Timeline

CHANGE_S = 0.06  # a pedal change lifts for so long, so that the dampers reach the strings
DOWN, UP = 127, 0


def pedal_controls(part: Part, timeline: Timeline, time_at: TimeAt, channel: int) -> list[Control]:
    """Sustain, sostenuto and soft pedal of a part, as performed; what is down at the end is lifted there."""
    by_measure: dict[int, list[Direction]] = defaultdict(list)
    for direction in part.directions:
        if direction.kind in ("pedal", "soft-pedal"):
            by_measure[direction.measure].append(direction)
    controls: list[Control] = []
    down: set[int] = set()
    for passage in timeline.passages:
        for direction in sorted(by_measure[passage.measure], key=lambda d: d.onset):
            time_s = time_at(passage.start + min(direction.onset, passage.length))
            number = _pedal_of(direction, down)
            controls += _changes(direction.text, number, time_s, channel, down)
    end_s = time_at(Fraction(timeline.length))
    return controls + [Control(end_s, number, UP, channel) for number in sorted(down)]


def _pedal_of(direction: Direction, down: set[int]) -> int:
    """Controller number of the pedal that a mark means; a stop means the sostenuto pedal while that is down."""
    if direction.kind == "soft-pedal":
        return SOFT_PEDAL
    ends = direction.text in ("stop", "discontinue")
    return SOSTENUTO_PEDAL if direction.text == "sostenuto" or (ends and SOSTENUTO_PEDAL in down) else SUSTAIN_PEDAL


def _changes(kind: str, number: int, time_s: float, channel: int, down: set[int]) -> list[Control]:
    if kind in ("stop", "discontinue"):
        was_down = number in down
        down.discard(number)
        return [Control(time_s, number, UP, channel)] if was_down else []
    if kind in ("start", "sostenuto", "resume", "change"):
        lifted = [Control(time_s, number, UP, channel)] if number in down else []
        down.add(number)
        return [*lifted, Control(time_s + (CHANGE_S if lifted else 0.0), number, DOWN, channel)]
    return []
