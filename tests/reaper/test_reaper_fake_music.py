"""Tempo maps, ticks and sound of the stand-in for REAPER, against the same worked out another way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_projects import marker_lists, quarter_by_integration
from running_reaper import RunningReaper

RATE = 8000
LENGTH_S = 2.0


@pytest.fixture(scope="module")
def reaper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReaper]:
    """A running stand-in; every test opens projects of its own."""
    with RunningReaper(tmp_path_factory.mktemp("reaper")) as made:
        yield made


def asked(reaper: RunningReaper, tab: int, chunk: str) -> Any:
    """What a chunk of Lua returns that has the project as `P`."""
    answer = reaper.call("evaluate", f"local P = reaper.EnumProjects({tab - 1})\n{chunk}", "/test.lua")
    reaper.check()
    return answer


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(markers=marker_lists(), moments_s=st.lists(st.floats(0, 30), min_size=1, max_size=8))
def test_the_tempo_map_is_the_integral_of_the_tempo(
    reaper: RunningReaper, markers: list[dict[str, Any]], moments_s: list[float]
) -> None:
    tab = reaper.open_project(markers=markers)
    times_s = reaper.project(tab)["marker_times_s"]
    quarters = asked(
        reaper,
        tab,
        "local all = {} for i, t in ipairs({" + ",".join(map(repr, moments_s)) + "}) do "
        "local q = reaper.TimeMap2_timeToQN(P, t) all[i] = {q, reaper.TimeMap2_QNToTime(P, q)} end return all",
    )
    for moment_s, (quarter, back_s) in zip(moments_s, quarters, strict=True):
        assert back_s == pytest.approx(moment_s, abs=1e-9)
        assert quarter == pytest.approx(quarter_by_integration(markers, times_s, moment_s), abs=2e-3)


def test_measures_follow_the_time_signatures(reaper: RunningReaper) -> None:
    markers = [
        {"quarter": 8, "bpm": 90, "numerator": 3, "denominator": 4},
        {"quarter": 14, "bpm": 90, "linear": True, "numerator": 7, "denominator": 8},
        {"quarter": 21, "bpm": 150},
    ]
    tab = reaper.open_project(markers=markers)
    found = asked(
        reaper,
        tab,
        "local all = {} for i, q in ipairs({0, 7.9, 8, 13.9, 14, 17.4, 17.5, 22}) do "
        "all[i] = {reaper.TimeMap_QNToMeasures(P, q)} end return all",
    )
    assert found == [
        [1, 0, 4],
        [2, 4, 8],
        [3, 8, 11],
        [4, 11, 14],
        [5, 14, 17.5],
        [5, 14, 17.5],
        [6, 17.5, 21],
        [7, 21, 24.5],
    ]
    signature = asked(reaper, tab, "return {reaper.TimeMap_GetTimeSigAtTime(P, reaper.TimeMap2_QNToTime(P, 17.5))}")
    assert signature[:2] == [7, 8]
    assert 90 < signature[2] < 150


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    markers=marker_lists(),
    position_s=st.floats(0, 20),
    offset_s=st.floats(0, 3),
    rate=st.floats(0.25, 4),
    quarters=st.floats(-4, 40),
)
def test_ticks_count_quarter_notes_from_the_start_of_the_takes_source(
    reaper: RunningReaper,
    markers: list[dict[str, Any]],
    position_s: float,
    offset_s: float,
    rate: float,
    quarters: float,
) -> None:
    take = {"values": {"D_STARTOFFS": offset_s, "D_PLAYRATE": rate}, "source": {"type": "MIDI", "last_tick": 960}}
    values = {"D_POSITION": position_s, "D_LENGTH": 4, "B_UISEL": 1}
    tab = reaper.open_project(markers=markers, tracks=[{"items": [{"values": values, "takes": [take]}]}])
    at_start, tick, tick_of_quarter, back_s, quarter = asked(
        reaper,
        tab,
        f"""local take = reaper.GetActiveTake(reaper.GetSelectedMediaItem(P, 0))
        local time = reaper.TimeMap2_QNToTime(P, {quarters!r})
        local tick = reaper.MIDI_GetPPQPosFromProjTime(take, time)
        return {{ reaper.MIDI_GetPPQPosFromProjTime(take, {position_s!r} - {offset_s!r} / {rate!r}), tick,
          reaper.MIDI_GetPPQPosFromProjQN(take, {quarters!r}), reaper.MIDI_GetProjTimeFromPPQPos(take, tick) - time,
          reaper.MIDI_GetProjQNFromPPQPos(take, tick) }}""",
    )
    assert at_start == pytest.approx(0, abs=1e-6)
    assert tick == pytest.approx(tick_of_quarter, abs=1e-5)
    assert back_s == pytest.approx(0, abs=1e-8)
    assert quarter == pytest.approx(quarters, abs=1e-8)


def sound_of(reaper: RunningReaper, take: dict[str, Any], length_s: float, looped: bool = False) -> np.ndarray:
    """What the accessor of a take gives."""
    values = {"D_POSITION": 5, "D_LENGTH": length_s, "B_UISEL": 1, "B_LOOPSRC": int(looped)}
    tab = reaper.open_project(tracks=[{"items": [{"values": values, "takes": [take]}]}])
    frames = round(length_s * RATE)
    samples = asked(
        reaper,
        tab,
        f"""local accessor = reaper.CreateTakeAudioAccessor(reaper.GetActiveTake(reaper.GetSelectedMediaItem(P, 0)))
        local buffer = reaper.new_array({frames})
        assert(reaper.GetAudioAccessorSamples(accessor, {RATE}, 1, 0, {frames}, buffer) == 1)
        reaper.DestroyAudioAccessor(accessor)
        return buffer.table()""",
    )
    return np.array(samples)


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording whose value is its own time over its length: every moment of it can be told."""
    path = tmp_path_factory.mktemp("sound") / "ramp.wav"
    soundfile.write(path, np.arange(int(LENGTH_S * RATE)) / (LENGTH_S * RATE), RATE, subtype="FLOAT")
    return path


def source_of(path: Path) -> dict[str, Any]:
    return {"type": "WAVE", "file": path, "length_s": LENGTH_S, "sample_rate": RATE, "channels": 1}


def section_of(path: Path, offset_s: float, length_s: float, reversed_: bool) -> dict[str, Any]:
    parent = source_of(path)
    return {"type": "SECTION", "offset_s": offset_s, "length_s": length_s, "reversed": reversed_, "parent": parent}


def moments(samples: np.ndarray) -> np.ndarray:
    return samples * LENGTH_S


def test_an_accessor_gives_the_takes_sound_from_its_offset_on_and_silence_after_it(
    reaper: RunningReaper, ramp: Path
) -> None:
    samples = sound_of(reaper, {"source": source_of(ramp), "values": {"D_STARTOFFS": 1.5}}, 1.0)
    assert moments(samples[: RATE // 2]) == pytest.approx(1.5 + np.arange(RATE // 2) / RATE, abs=1e-4)
    assert not samples[RATE // 2 :].any()


def test_a_looped_section_begins_again(reaper: RunningReaper, ramp: Path) -> None:
    take = {"source": section_of(ramp, 0.5, 0.25, False), "values": {"D_STARTOFFS": 0.1}}
    expected = 0.5 + (0.1 + np.arange(RATE) / RATE) % 0.25
    found = moments(sound_of(reaper, take, 1.0, looped=True))
    assert np.median(np.abs(found - expected)) < 1e-4


def test_a_reversed_section_is_played_backwards(reaper: RunningReaper, ramp: Path) -> None:
    take = {"source": section_of(ramp, 0.5, 1.0, True), "values": {"D_STARTOFFS": 0.25}}
    expected = 0.5 + 1.0 - 0.25 - np.arange(RATE // 2) / RATE
    assert moments(sound_of(reaper, take, 0.5)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("keeps_pitch", [0, 1])
def test_a_rate_plays_the_source_faster_or_slower(reaper: RunningReaper, ramp: Path, keeps_pitch: int) -> None:
    values = {"D_PLAYRATE": 1.5, "B_PPITCH": keeps_pitch, "D_STARTOFFS": 0.2}
    expected = 0.2 + 1.5 * np.arange(RATE) / RATE
    assert moments(sound_of(reaper, {"source": source_of(ramp), "values": values}, 1.0)) == pytest.approx(
        expected, abs=0.011 if keeps_pitch else 1e-3
    )


def test_stretch_markers_bend_time(reaper: RunningReaper, ramp: Path) -> None:
    markers = [{"position_s": 0, "source_s": 0}, {"position_s": 0.5, "source_s": 1.0}]
    take = {"source": source_of(ramp), "stretch_markers": markers}
    time_s = np.arange(RATE) / RATE
    expected = np.where(time_s < 0.5, 2 * time_s, 0.5 + time_s)
    assert moments(sound_of(reaper, take, 1.0)) == pytest.approx(expected, abs=0.02)


def test_a_pitch_shift_keeps_the_time_and_changes_the_pitch(reaper: RunningReaper, tmp_path: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(LENGTH_S * RATE)) / RATE)
    soundfile.write(tmp_path / "tone.wav", tone, RATE)
    take = {"source": source_of(tmp_path / "tone.wav"), "values": {"D_PITCH": 12}}
    spectrum = np.abs(np.fft.rfft(sound_of(reaper, take, 1.0)))
    assert abs(int(spectrum.argmax()) - 880) < 60


def test_items_that_share_their_notes_change_together(reaper: RunningReaper) -> None:
    pooled = {"type": "MIDI", "pool": "a", "last_tick": 1920, "notes": [{"tick": 0, "last_tick": 96, "pitch": 60}]}
    items = [
        {"values": {"D_POSITION": at, "D_LENGTH": 1, "B_UISEL": 1}, "takes": [{"source": pooled}]} for at in (0, 2)
    ]
    tab = reaper.open_project(tracks=[{"items": items}])
    asked(
        reaper,
        tab,
        """reaper.Undo_BeginBlock2(P)
        local take = reaper.GetActiveTake(reaper.GetSelectedMediaItem(P, 0))
        reaper.MIDI_SetAllEvts(take, string.pack("<i4Bs4", 960, 0, "\\xB0\\x7B\\x00"))
        reaper.MIDI_Sort(take)
        reaper.Undo_EndBlock2(P, "x", -1)""",
    )
    takes = [item["takes"][0] for item in reaper.project(tab)["tracks"][0]["items"]]
    assert [take["notes"] for take in takes] == [[], []]
    reaper.call("undo", tab)
    takes = [item["takes"][0] for item in reaper.project(tab)["tracks"][0]["items"]]
    assert [len(take["notes"]) for take in takes] == [1, 1]
