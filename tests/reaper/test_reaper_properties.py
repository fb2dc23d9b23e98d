"""Random projects: wherever a moment of a recording lies in them, the scripts know it, there and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_projects import marker_lists, take_facts
from running_reaper import SCRIPTS, RunningReaper, lua_literal

EXAMPLES = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
EXACT_S = 1e-7
RAMP_S = 0.0006  # how far the straight pieces of a tempo map may lie from a ramp
SHORTEST_TEMPO = 30  # of the random projects
TICK_S = 60 / SHORTEST_TEMPO / 960

LOADED = """
local folder = select(2, reaper.get_action_context()):match("^(.*[/\\\\])")
dofile(folder .. "lib/start.lua")(folder)
local P = reaper.EnumProjects(-1)
local function ITEM() return reaper.GetSelectedMediaItem(P, 0) end
"""


@pytest.fixture(scope="module", params=["lua5.4", "lua5.3"])
def reaper(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReaper]:
    """A running stand-in; every example opens a project of its own."""
    with RunningReaper(tmp_path_factory.mktemp("reaper"), lua=request.param) as made:
        yield made


def asked(reaper: RunningReaper, chunk: str, **values: Any) -> Any:
    """What a chunk of Lua returns that has the libraries, the project in front as `P` and these values."""
    given_values = "".join(f"local {name} = {lua_literal(value)}\n" for name, value in values.items())
    answer = reaper.call("evaluate", LOADED + given_values + chunk, SCRIPTS / "test.lua")
    reaper.check()
    return answer


def opened(reaper: RunningReaper, facts: dict[str, Any], markers: list[dict[str, Any]]) -> int:
    """A project with an item as it is described."""
    source: dict[str, Any] = {
        "type": "WAVE",
        "file": "/nowhere/take.wav",
        "length_s": facts["file_length_s"],
        "sample_rate": 44100,
        "channels": 2,
    }
    if facts["section"]:
        offset_s, length_s = facts["section"]
        source = {"type": "SECTION", "parent": source, "offset_s": offset_s, "length_s": length_s}
        source["reversed"] = facts["reversed"]
    values = {"D_STARTOFFS": facts["start_offset_s"], "D_PLAYRATE": facts["playrate"]}
    item = {
        "values": {
            "D_POSITION": facts["position_s"],
            "D_LENGTH": facts["length_s"],
            "B_LOOPSRC": int(facts["looped"]),
            "B_UISEL": 1,
        },
        "takes": [{"values": values, "source": source}],
    }
    return reaper.open_project(tracks=[{"items": [item]}], markers=markers)


def file_moment(facts: dict[str, Any], project_s: float) -> float:
    """Moment of the file that is heard at a project time, without loops."""
    source_s = facts["start_offset_s"] + (project_s - facts["position_s"]) * facts["playrate"]
    offset_s, length_s = facts["section"] or (0.0, facts["file_length_s"])
    return float(offset_s + length_s - source_s if facts["section"] and facts["reversed"] else offset_s + source_s)


@EXAMPLES
@given(facts=take_facts(), shares=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_project_time_to_file_time_to_project_time_is_the_identity(
    reaper: RunningReaper, facts: dict[str, Any], shares: list[float]
) -> None:
    opened(reaper, facts, [])
    moments_s = [facts["position_s"] + share * facts["length_s"] for share in shares]
    found = asked(
        reaper,
        """
        local take_time, takes = require("scorebridge.take_time"), require("scorebridge.takes")
        local facts, all = takes.facts(ITEM(), reaper.GetActiveTake(ITEM())), {}
        for i, moment_s in ipairs(moments_s) do
          local file_s = take_time.file_time(facts, take_time.source_time(facts, moment_s))
          all[i] = { file_s, take_time.project_time(facts, take_time.source_time_of_file(facts, file_s)) }
        end
        return all
        """,
        moments_s=moments_s,
    )
    for moment_s, (file_s, back_s) in zip(moments_s, found, strict=True):
        assert file_s == pytest.approx(file_moment(facts, moment_s), abs=EXACT_S)
        assert back_s == pytest.approx(moment_s, abs=EXACT_S)


@EXAMPLES
@given(facts=take_facts(), shares=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_the_clip_that_is_sent_is_what_the_item_plays(
    reaper: RunningReaper, facts: dict[str, Any], shares: list[float]
) -> None:
    opened(reaper, facts, [])
    why, clip, now = asked(
        reaper,
        """
        local take_time, takes = require("scorebridge.take_time"), require("scorebridge.takes")
        local facts = takes.facts(ITEM(), reaper.GetActiveTake(ITEM()))
        local why = take_time.needs_rendering(facts) or ""
        local placed = {}
        for i, share in ipairs(shares) do
          placed[i] = take_time.project_time_of_result(facts, facts, share * facts.length_s)
        end
        return { why, why == "" and take_time.clip(facts) or {}, placed }
        """,
        shares=shares,
    )
    for share, placed_s in zip(shares, now, strict=True):
        assert placed_s == pytest.approx(facts["position_s"] + share * facts["length_s"], abs=EXACT_S)
    length_s = facts["section"][1] if facts["section"] else facts["file_length_s"]
    last_s = facts["start_offset_s"] + facts["length_s"] * facts["playrate"]
    plain = not facts["reversed"] and not (facts["looped"] and last_s > length_s) and facts["start_offset_s"] >= 0
    if facts["start_offset_s"] < length_s - 0.01 and abs(last_s - length_s) > 1e-3:
        assert (why == "") == plain
    if why == "":
        for share in shares:
            played_s = share * clip["duration"] / clip["playrate"]
            moment_s = facts["position_s"] + played_s
            assert clip["offset"] + played_s * clip["playrate"] == pytest.approx(
                file_moment(facts, moment_s), abs=EXACT_S
            )
        assert clip["duration"] == pytest.approx(min(last_s, length_s) - facts["start_offset_s"], abs=EXACT_S)


@EXAMPLES
@given(
    markers=marker_lists(),
    start_s=st.floats(0, 20),
    length_s=st.floats(0.1, 20),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=6),
)
def test_the_tempo_map_that_is_sent_is_the_projects(
    reaper: RunningReaper, markers: list[dict[str, Any]], start_s: float, length_s: float, shares: list[float]
) -> None:
    reaper.open_project(markers=markers)
    found, sent = asked(
        reaper,
        """
        local tempo_map = require("scorebridge.tempo_map")
        local map, all = tempo_map.between(P, start_s, start_s + length_s, start_s), {}
        for i, share in ipairs(shares) do
          local time_s = share * length_s
          all[i] = { tempo_map.quarter_at(map.points, time_s), reaper.TimeMap2_timeToQN(P, start_s + time_s),
            reaper.TimeMap2_QNToTime(P, tempo_map.quarter_at(map.points, time_s)) - start_s - time_s }
        end
        return { all, map }
        """,
        start_s=start_s,
        length_s=length_s,
        shares=shares,
    )
    assert [off_s for _, _, off_s in found] == pytest.approx([0] * len(shares), abs=RAMP_S)
    times_s = [point[0] for point in sent["points"]]
    quarters = [point[1] for point in sent["points"]]
    assert sorted(set(times_s)) == times_s
    assert sorted(set(quarters)) == quarters
    assert times_s[0] <= EXACT_S  # it begins at the barline before the item, or on it
    assert times_s[-1] == pytest.approx(length_s, abs=EXACT_S)
    assert quarters[0] == pytest.approx(sent["meters"][0]["quarter"], abs=1e-6)
    for meter in sent["meters"]:
        expected = (4, 4)
        for marker in markers:
            if marker["quarter"] <= meter["quarter"] + 1e-6 and "numerator" in marker:
                expected = (marker["numerator"], marker["denominator"])
        assert (meter["numerator"], meter["denominator"]) == expected


@EXAMPLES
@given(
    markers=marker_lists(),
    start_s=st.floats(0, 20),
    notes=st.lists(
        st.tuples(st.floats(0, 10), st.floats(0.05, 3), st.integers(0, 127), st.integers(1, 127)),
        min_size=1,
        max_size=20,
        unique_by=lambda note: note[2],
    ),
    resolution=st.sampled_from([96, 480, 960, 3840]),
)
def test_notes_are_inserted_where_they_belong_and_undo_takes_them_away(
    reaper: RunningReaper,
    markers: list[dict[str, Any]],
    start_s: float,
    notes: list[tuple[float, float, int, int]],
    resolution: int,
) -> None:
    tab = reaper.open_project(markers=markers, tracks=[{"name": "Piano"}], ticks_per_quarter=resolution)
    before = reaper.project(tab)["tracks"]
    content = [
        {"onset_s": start_s + on, "offset_s": start_s + on + length, "pitch": p, "velocity": v, "channel": 0}
        for on, length, p, v in notes
    ]
    asked(
        reaper,
        """
        local insert = require("scorebridge.insert")
        local prepared = insert.prepare_midi(P, { notes = notes, controls = {}, bends = {}, start_s = start_s,
          end_s = start_s + 14 })
        insert.midi(P, "Notes", { { prepared = prepared, name = "Notes",
          track = function() return reaper.GetTrack(P, 0) end } })
        return true
        """,
        notes=content,
        start_s=start_s,
    )
    (item,) = reaper.project(tab)["tracks"][0]["items"]
    assert item["position_s"] == pytest.approx(start_s, abs=EXACT_S)
    found = {note["pitch"]: note for note in item["takes"][0]["notes"]}
    within_s = TICK_S * 960 / resolution
    for onset_s, length_s, pitch, velocity in notes:
        note = found[pitch]
        assert note["onset_s"] == pytest.approx(start_s + onset_s, abs=within_s)
        assert note["offset_s"] == pytest.approx(start_s + onset_s + length_s, abs=within_s)
        assert note["velocity"] == velocity
    assert len(found) == len(notes)
    assert reaper.call("undo", tab)
    assert reaper.project(tab)["tracks"] == before
