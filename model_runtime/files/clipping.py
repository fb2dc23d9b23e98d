"""Cutting a clip out of a performance."""

from __future__ import annotations

import math
from dataclasses import replace

from model_runtime.errors import InvalidValue
from model_runtime.modality import Clip, Performance
from model_runtime.tempo import TempoMap


def clipped(performance: Performance, clip: Clip) -> Performance:
    """The part of a performance that a clip means, in played seconds from the clip's start.

    Notes that start within the clip are kept and end with it at the latest; the last program, controller and bend
    before it hold from its start. The tempo map goes along.

    Raises:
        InvalidValue: the clip lies behind the end, or plays backwards.
    """
    if clip.reverse:
        raise InvalidValue("A MIDI file cannot be translated backwards.", hint="Reverse the result instead.")
    if clip.offset_s > 0 and clip.offset_s >= performance.duration_s:
        raise InvalidValue(
            f"The clip starts at {clip.offset_s:.1f} s, but the file lasts only {performance.duration_s:.1f} s."
        )
    start = clip.offset_s
    end = math.inf if clip.duration_s is None else start + clip.duration_s

    def moved(time_s: float) -> float:
        return (min(max(time_s, start), end) - start) / clip.playrate

    return replace(
        performance,
        notes=tuple(
            replace(n, onset_s=moved(n.onset_s), offset_s=moved(n.offset_s))
            for n in performance.notes
            if start <= n.onset_s < end
        ),
        controls=tuple(
            replace(c, time_s=moved(c.time_s))
            for c in {(c.channel, c.number, max(c.time_s, start)): c for c in performance.controls}.values()
            if c.time_s < end
        ),
        pitch_bends=tuple(
            replace(b, time_s=moved(b.time_s))
            for b in {(b.channel, max(b.time_s, start)): b for b in performance.pitch_bends}.values()
            if b.time_s < end
        ),
        programs=tuple(
            replace(p, time_s=moved(p.time_s))
            for p in {(p.channel, max(p.time_s, start)): p for p in performance.programs}.values()
            if p.time_s < end
        ),
        tempo_map=None if performance.tempo_map is None else _moved_map(performance.tempo_map, clip),
    )


def _moved_map(tempo_map: TempoMap, clip: Clip) -> TempoMap:
    return replace(tempo_map, times_s=tuple((t - clip.offset_s) / clip.playrate for t in tempo_map.times_s))
