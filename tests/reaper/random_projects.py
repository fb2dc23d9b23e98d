"""Random tempo maps, and what they come to, worked out by adding up small steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st

DEFAULT_BPM = 120.0
METERS = ((4, 4), (3, 4), (2, 2), (6, 8), (7, 8), (5, 4))


@st.composite
def marker_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Tempo markers of up to eight measures: constant and linear ones, time signatures on barlines."""
    markers: list[dict[str, Any]] = []
    quarter, meter = 0.0, (4, 4)
    for _ in range(draw(st.integers(0, 6))):
        marker: dict[str, Any] = {"quarter": quarter, "bpm": draw(st.floats(30, 240))}
        linear: bool = draw(st.booleans())
        marker["linear"] = linear
        if draw(st.booleans()):
            meter = draw(st.sampled_from(METERS))
            marker |= {"numerator": meter[0], "denominator": meter[1]}
        markers.append(marker)
        if draw(st.booleans()):  # another one within the measure
            half = {"quarter": quarter + meter[0] * 2 / meter[1], "bpm": draw(st.floats(30, 240)), "linear": False}
            markers.append(half)
        quarter += draw(st.integers(1, 3)) * meter[0] * 4 / meter[1]
    if draw(st.booleans()):
        shift = 4.0 * draw(st.integers(1, 2))  # the first one does not lie at the start
        for marker in markers:
            marker["quarter"] += shift
    return markers


def bpm_at(markers: Sequence[Mapping[str, Any]], times_s: Sequence[float], moment_s: float) -> float:
    """The tempo at a moment, markers lying at `times_s`."""
    last = bisect_right(times_s, moment_s) - 1
    if last < 0:
        return DEFAULT_BPM
    bpm = float(markers[last]["bpm"])
    if not markers[last]["linear"] or last + 1 == len(markers):
        return bpm
    share = (moment_s - times_s[last]) / (times_s[last + 1] - times_s[last])
    return bpm + share * (float(markers[last + 1]["bpm"]) - bpm)


def quarter_by_integration(
    markers: Sequence[Mapping[str, Any]], times_s: Sequence[float], moment_s: float, steps: int = 2000
) -> float:
    """Quarter notes passed at a moment: the tempo, added up in small steps between the markers."""
    edges = [0.0, *(time_s for time_s in times_s if 0 < time_s < moment_s), moment_s]
    quarters = 0.0
    for start_s, end_s in pairwise(edges):
        count = max(1, steps // len(edges))
        middles = start_s + (np.arange(count) + 0.5) * (end_s - start_s) / count
        quarters += sum(bpm_at(markers, times_s, float(t)) for t in middles) * (end_s - start_s) / count / 60
    return quarters


@st.composite
def take_facts(draw: st.DrawFn) -> dict[str, Any]:
    """An item of a recording: where it lies, and what of the recording it plays."""
    file_length_s = draw(st.floats(1, 30))
    section = None
    if draw(st.booleans()):
        offset_s = draw(st.floats(0, 0.5)) * file_length_s
        section = (offset_s, draw(st.floats(0.1, 1)) * (file_length_s - offset_s))
    source_length_s = section[1] if section else file_length_s
    facts: dict[str, Any] = {"file_length_s": file_length_s, "section": section}
    facts["reversed"] = section is not None and draw(st.booleans())
    facts["looped"] = draw(st.booleans())
    facts["playrate"] = draw(st.floats(0.25, 4))
    facts["start_offset_s"] = draw(st.floats(-0.1, -0.01) | st.floats(0, 0.9)) * source_length_s
    facts["position_s"] = draw(st.floats(0, 600))
    facts["length_s"] = draw(st.floats(0.05, 1.5)) * source_length_s / float(facts["playrate"])
    return facts
