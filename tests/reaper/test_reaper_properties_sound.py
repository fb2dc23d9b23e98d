"""A recording whose notes are known, in every combination of offset, rate, section, reverse and tempo map."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from studio import SAMPLE_RATE, Studio, audio_source

PITCHES = (60, 67, 64, 72)
FIRST_S, EVERY_S, LASTS_S = 0.5, 0.6, 0.4  # of the recording's tones
LENGTH_S = 3.2
RAMP_S = 0.01
NEAR_S = 0.010  # to the daemon's answer
HEARD_S = 0.07  # of the daemon's answer to the truth, in the recording's own time
APART_S = 5.0  # between items

OFFSETS_S, RATES, SECTIONS, REVERSED = (0.0, 0.55), (1.0, 1.3), (None, (0.3, 2.7)), (False, True)

TEMPO_MAPS: dict[str, list[dict[str, Any]]] = {
    "one tempo": [],
    "ramps": [
        {"quarter": 0, "bpm": 60, "linear": True},
        {"quarter": 20, "bpm": 170, "linear": True},
        {"quarter": 90, "bpm": 45},
    ],
    "meters": [
        {"quarter": 12, "bpm": 100, "numerator": 3, "denominator": 4},
        {"quarter": 30, "bpm": 133.7, "linear": True, "numerator": 7, "denominator": 8},
        {"quarter": 65, "bpm": 71.3, "numerator": 5, "denominator": 4},
    ],
}


def even_tones(path: Path) -> Path:
    """A recording of tones that sound the same forwards and backwards."""
    samples = np.zeros(int(LENGTH_S * SAMPLE_RATE))
    time_s = np.arange(int(LASTS_S * SAMPLE_RATE)) / SAMPLE_RATE
    edges = np.minimum(1, np.minimum(time_s, time_s[::-1]) / RAMP_S)
    for i, pitch in enumerate(PITCHES):
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * k * frequency * time_s) / k**1.5 for k in range(1, 6))
        first = int((FIRST_S + i * EVERY_S) * SAMPLE_RATE)
        samples[first : first + len(tone)] = tone * edges
    soundfile.write(path, 0.3 * samples / np.abs(samples).max(), SAMPLE_RATE, subtype="PCM_16")
    return path


def combination(
    path: Path, number: int, offset_s: float, rate: float, section: tuple[float, float] | None, reverse: bool
) -> dict[str, Any]:
    """An item that plays all that is left of its source from the offset on."""
    source = audio_source(path)
    length_s = LENGTH_S
    if section or reverse:
        start_s, length_s = section or (0.0, LENGTH_S)
        source = {"type": "SECTION", "parent": source, "offset_s": start_s, "length_s": length_s, "reversed": reverse}
    values = {
        "D_POSITION": 0.37 + number * APART_S,
        "D_LENGTH": (length_s - offset_s) / rate,
        "B_UISEL": 1,
        "B_LOOPSRC": 0,
    }
    take = {"name": f"Take {number}", "values": {"D_STARTOFFS": offset_s, "D_PLAYRATE": rate}, "source": source}
    return {"values": values, "takes": [take]}


def expected_onsets(item: dict[str, Any]) -> list[tuple[float, int]]:
    """Project times at which the tones begin in an item, those left out that it cuts into."""
    (take,), values = item["takes"], item["values"]
    source, rate = take["source"], take["values"]["D_PLAYRATE"]
    section = source["type"] == "SECTION"
    start_s, length_s = (source["offset_s"], source["length_s"]) if section else (0.0, LENGTH_S)
    onsets = []
    for i, pitch in enumerate(PITCHES):
        first_s = FIRST_S + i * EVERY_S - start_s
        if section and source["reversed"]:
            first_s = length_s - first_s - LASTS_S
        if first_s >= take["values"]["D_STARTOFFS"] and first_s + LASTS_S <= length_s:
            onsets.append((values["D_POSITION"] + (first_s - take["values"]["D_STARTOFFS"]) / rate, pitch))
    return sorted(onsets)


@pytest.mark.parametrize("tempo", TEMPO_MAPS)
def test_notes_lie_where_the_recordings_notes_lie(open_studio: Callable[..., Studio], tempo: str) -> None:
    studio = open_studio()
    earlier = {job.job for job in studio.jobs()}
    path = even_tones(studio.media / "tones.wav")
    combinations = list(product(OFFSETS_S, RATES, SECTIONS, REVERSED))
    items = [combination(path, number, *each) for number, each in enumerate(combinations)]
    studio.open(*items, markers=TEMPO_MAPS[tempo])
    studio.run("Transcribe items to MIDI")

    jobs = {job.job: job for job in studio.jobs() if job.job not in earlier}
    assert len(jobs) == len(items)
    answered = []
    for job in jobs.values():
        notes = json.loads(Path(job.artefacts[0].path).read_text())["notes"]
        answered.append(sorted((note["onset"], note["pitch"]) for note in notes))
    inserted = {round((item["position_s"] - 0.37) / APART_S): item for item in studio.new_items()}
    assert sorted(inserted) == list(range(len(items)))
    for number, described in enumerate(items):
        position_s, length_s = described["values"]["D_POSITION"], described["values"]["D_LENGTH"]
        item = inserted[number]
        assert (item["position_s"], item["length_s"]) == pytest.approx((position_s, length_s), abs=1e-6)
        notes = sorted((note["onset_s"], note["pitch"]) for note in item["takes"][0]["notes"])
        assert any(is_answer(notes, answer, position_s) for answer in answered), combinations[number]
        for onset_s, pitch in expected_onsets(described):
            within_s = HEARD_S / described["takes"][0]["values"]["D_PLAYRATE"]
            assert any(p == pitch and abs(o - onset_s) < within_s for o, p in notes), (combinations[number], pitch)


def is_answer(notes: list[tuple[float, int]], answer: list[tuple[float, int]], position_s: float) -> bool:
    """Whether these notes are an answer's, placed from a position on."""
    if sorted(pitch for _, pitch in notes) != sorted(pitch for _, pitch in answer):
        return False
    return all(
        any(p == pitch and abs(position_s + o - onset_s) < NEAR_S for o, p in answer) for onset_s, pitch in notes
    )
