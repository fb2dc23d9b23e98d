"""The stand-in for REAPER is stricter than REAPER: whatever would go wrong there fails here, in both Luas."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from running_reaper import RunningReaper, Violation

# What a script does, and a word of the sentence that it hears. `P` is the project in front; `next_tick(f)` is defer.
# Each is a trap that scripts really fall into.
TRAPS = {
    "a function outside the contract": ("reaper.BR_GetMediaItemGUID()", "BR_GetMediaItemGUID in the contract"),
    "too few arguments": ("reaper.GetTrack(P)", "takes 2 to 2 arguments, not 1"),
    "too many arguments": ("reaper.CountTracks(P, 1)", "takes 1 to 1 arguments, not 2"),
    "nil for a project": ("reaper.CountTracks(nil)", "a project was expected"),
    "a text for a number": ('reaper.GetTrack(P, "0")', "a integer was expected"),
    "half a track": ("reaper.GetTrack(P, 0.5)", "a integer was expected"),
    "a number that is none": ("reaper.TimeMap2_timeToQN(P, 0/0)", "a number was expected"),
    "infinity": ("reaper.TimeMap2_timeToQN(P, math.huge)", "a number was expected"),
    "a track for an item": ("reaper.GetActiveTake(reaper.GetTrack(P, 0))", "a item was expected, not a track"),
    "an attribute that does not exist": (
        'reaper.GetMediaItemInfo_Value(ITEM(), "D_START")',
        "does not know D_START",
    ),
    "an attribute that is read only": (
        'change(function() reaper.GetSetMediaTrackInfo_String(TRACK(), "GUID", "{}", true) end)',
        "can only be read",
    ),
    "a look into a handle": ("local x = ITEM().position", "attempt to index a MediaItem* value"),
    "an item kept over a tick": (
        "local item = ITEM(); next_tick(function() reaper.GetActiveTake(item) end)",
        "from an earlier tick",
    ),
    "a track kept over a tick": (
        "local track = TRACK(); next_tick(function() reaper.GetTrackGUID(track) end)",
        "from an earlier tick",
    ),
    "a change without an undo block": (
        'reaper.GetSetMediaTrackInfo_String(TRACK(), "P_NAME", "x", true)',
        "outside of an undo block",
    ),
    "an undo block over ticks": (
        'reaper.Undo_BeginBlock2(P); next_tick(function() reaper.Undo_EndBlock2(P, "x", -1) end)',
        "left open at the end of a tick",
    ),
    "an undo block that ends without a beginning": ('reaper.Undo_EndBlock2(P, "x", -1)', "no undo block is open"),
    "an undo block in an undo block": (
        "reaper.Undo_BeginBlock2(P); reaper.Undo_BeginBlock2(P)",
        "an undo block is open already",
    ),
    "an undo block without a name": ('reaper.Undo_BeginBlock2(P); reaper.Undo_EndBlock2(P, "", -1)', "description"),
    "an undo block whose flags leave a change out": (
        'reaper.Undo_BeginBlock2(P); reaper.InsertTrackInProject(P, 0, 0); reaper.Undo_EndBlock2(P, "x", 4)',
        "changed tracks, and its flags do not say so",
    ),
    "a change of another project than the undo block's": (
        "reaper.Undo_BeginBlock2(OTHER); reaper.InsertTrackInProject(P, 0, 0)",
        "is another project's",
    ),
    "redrawing that is never allowed again": ("reaper.PreventUIRefresh(1)", "PreventUIRefresh was left at 1"),
    "redrawing that is allowed twice": ("reaper.PreventUIRefresh(-1)", "more often than it was asked for"),
    "an item without length": (
        "change(function() reaper.CreateNewMIDIItemInProj(TRACK(), 1.0, 1.0, false) end)",
        "would have no length",
    ),
    "events that are not sorted afterwards": (
        "change(function() reaper.MIDI_SetAllEvts(MIDI(), END) end)",
        "MIDI_Sort was not called",
    ),
    "events without an end": (
        'change(function() reaper.MIDI_SetAllEvts(MIDI(), event(0, "\\x90\\x3C\\x40")) end)',
        "does not mark the end of the source",
    ),
    "a note that never ends": (
        'change(function() reaper.MIDI_SetAllEvts(MIDI(), event(0, "\\x90\\x3C\\x40") .. END) end)',
        "a note does not end",
    ),
    "a note that ends before it begins": (
        'change(function() reaper.MIDI_SetAllEvts(MIDI(), event(0, "\\x80\\x3C\\x40") .. END) end)',
        "ends that did not begin",
    ),
    "events that go back in time": (
        'change(function() reaper.MIDI_SetAllEvts(MIDI(), event(-1, "\\x90\\x3C\\x40") .. END) end)',
        "lies before the one before it",
    ),
    "a pitch above 127": (
        'change(function() reaper.MIDI_SetAllEvts(MIDI(), event(0, "\\x90\\x80\\x40") .. END) end)',
        "a data byte above 127",
    ),
    "MIDI functions on sound": ("reaper.MIDI_GetAllEvts(reaper.GetActiveTake(ITEM()))", "the take is not MIDI"),
    "a MIDI file as a source": (
        'reaper.PCM_Source_CreateFromFile("/tmp/x.mid")',
        "is the user's preference",
    ),
    "a source that is another take's": (
        "change(function() local item = reaper.AddMediaItemToTrack(TRACK()); reaper.SetMediaItemTake_Source("
        "reaper.AddTakeToMediaItem(item), reaper.GetMediaItemTake_Source(reaper.GetActiveTake(ITEM()))) end)",
        "the source is another take's",
    ),
    "an array that is too short": (
        "local a = reaper.CreateTakeAudioAccessor(reaper.GetActiveTake(ITEM())); "
        "reaper.GetAudioAccessorSamples(a, 8000, 1, 0, 11, reaper.new_array(10))",
        "the array is too short",
    ),
    "an array read beyond its end": ("reaper.new_array(4).table(2, 4)", "beyond its end"),
    "an audio accessor that is never destroyed": (
        "reaper.CreateTakeAudioAccessor(reaper.GetActiveTake(ITEM()))",
        "audio accessors were not destroyed",
    ),
    "an audio accessor after its end": (
        "local a = reaper.CreateTakeAudioAccessor(reaper.GetActiveTake(ITEM())); reaper.DestroyAudioAccessor(a); "
        "reaper.GetAudioAccessorStartTime(a)",
        "the accessor of this handle is gone",
    ),
    "waiting for a process": ('reaper.ExecProcess("/bin/true", 0)', "would wait for the process"),
    "a process without its full path": ('reaper.ExecProcess("true", -1)', "not the full path"),
    "os.execute": ('os.execute("true")', "os.execute would hold the main thread"),
    "io.popen": ('io.popen("true")', "io.popen would hold the main thread"),
    "os.exit": ("os.exit()", "os.exit would hold the main thread"),
    "waiting in a loop": (
        "local since = reaper.time_precise(); while reaper.time_precise() < since + 9 do end",
        "the main thread was held",
    ),
    "waiting in a coroutine": (
        "local since = os.time(); coroutine.wrap(function() while os.time() < since + 9 do end end)()",
        "the main thread was held",
    ),
    "a socket that waits": (
        'require("socket.core").tcp():connect("127.0.0.1", 9)',
        "a socket's connect would wait",
    ),
    "socket.sleep": ('require("socket.core").sleep(0.1)', "socket.sleep may wait"),
    "a dialog that nobody answers": ('reaper.MB("Really?", "x", 4)', "nobody answers MB"),
    "a dialog inside an undo block": (
        'reaper.Undo_BeginBlock2(P); reaper.MB("Done.", "x", 0)',
        "MB inside an undo block",
    ),
    "more captions than fields": ('reaper.GetUserInputs("x", 1, "a,b", "")', "2 captions for 1 fields"),
    "a line break in a remembered setting": (
        'reaper.SetExtState("s", "k", "a\\nb", true)',
        "an ini file does not keep",
    ),
    "drawing without a window": ("gfx.rect(0, 0, 1, 1)", "without a window"),
    "drawing with what is not in the contract": ('gfx.init("x"); gfx.blit(0, 1, 0)', "no gfx.blit in the contract"),
    "setting the size of the window": ("gfx.w = 10", "gfx.w cannot be set"),
    "replacing a function of REAPER": ("reaper.defer = nil", "reaper.defer cannot be set"),
    "defer while the script ends": (
        "reaper.atexit(function() reaper.defer(function() end) end)",
        "defer while the script is ending",
    ),
    "defer without a function": ("reaper.defer(nil)", "a function was expected"),
    "an action that is not known": ("reaper.Main_OnCommandEx(40029, 0, P)", "not known to be harmless"),
    "a project whose tab was closed": (
        "CLOSED = true; next_tick(function() next_tick(function() reaper.CountTracks(OTHER) end) end)",
        "the project of this handle is gone",
    ),
}

AROUND = """
local P, OTHER = reaper.EnumProjects(0), reaper.EnumProjects(1)
local next_tick = reaper.defer
local function TRACK() return reaper.GetTrack(P, 0) end
local function ITEM() return reaper.GetSelectedMediaItem(P, 0) end
local function MIDI() return reaper.GetActiveTake(reaper.GetSelectedMediaItem(P, 1)) end
local function event(distance, message) return string.pack("<i4Bs4", distance, 0, message) end
local END = event(10, "\\xB0\\x7B\\x00")
local function change(body)
  reaper.Undo_BeginBlock2(P)
  local well, problem = pcall(body)
  reaper.Undo_EndBlock2(P, "A change", -1)
  if not well then error(problem, 0) end
end
"""


def silence(path: Path) -> Path:
    """A second of silence as a WAV file."""
    soundfile.write(path, np.zeros(8000), 8000, subtype="PCM_16")
    return path


@pytest.fixture(params=["lua5.4", "lua5.3"])
def reaper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningReaper]:
    """A running stand-in with two projects; the first has an item of sound and one of MIDI."""
    with RunningReaper(tmp_path, lua=request.param, luasocket=True, tick_limit_s=0.3) as made:
        sound = {"type": "WAVE", "file": silence(tmp_path / "s.wav"), "length_s": 1, "sample_rate": 8000, "channels": 1}
        selected = {"D_LENGTH": 1, "B_UISEL": 1}
        made.open_project(
            tracks=[
                {
                    "items": [
                        {"values": selected, "takes": [{"source": sound}]},
                        {"values": selected, "takes": [{"source": {"type": "MIDI", "last_tick": 960}}]},
                    ]
                }
            ]
        )
        made.open_project()
        made.call("show_tab", 1)
        yield made


def run(reaper: RunningReaper, folder: Path, body: str) -> None:
    """Run a script until it ends, the second project's tab being closed in between."""
    script = folder / "action.lua"
    script.write_text(AROUND + body)
    reaper.start(script)
    reaper.check()
    reaper.tick()
    if "CLOSED" in body:
        reaper.call("close_tab", 2)
    reaper.finish()


@pytest.mark.parametrize("trap", TRAPS)
def test_the_trap_is_noticed(reaper: RunningReaper, tmp_path: Path, trap: str) -> None:
    body, sentence = TRAPS[trap]
    noticed = ""
    try:
        run(reaper, tmp_path, body)
    except Violation as violation:
        noticed = str(violation)
    assert sentence in noticed + (reaper.script().get("problem") or "")


def test_an_error_that_the_script_swallows_is_noticed_all_the_same(reaper: RunningReaper, tmp_path: Path) -> None:
    with pytest.raises(Violation, match="a project was expected"):
        run(reaper, tmp_path, "pcall(reaper.CountTracks, nil)")


def test_a_script_without_traps_passes(reaper: RunningReaper, tmp_path: Path) -> None:
    body = """
    change(function()
      reaper.PreventUIRefresh(1)
      local item = reaper.CreateNewMIDIItemInProj(TRACK(), 1.0, 2.0, false)
      local take = reaper.GetActiveTake(item)
      reaper.MIDI_SetAllEvts(take, event(0, "\\x90\\x3C\\x40") .. event(96, "\\x80\\x3C\\x40") .. END)
      reaper.MIDI_Sort(take)
      reaper.PreventUIRefresh(-1)
    end)
    local accessor = reaper.CreateTakeAudioAccessor(reaper.GetActiveTake(ITEM()))
    reaper.DestroyAudioAccessor(accessor)
    """
    run(reaper, tmp_path, body)
    (note,) = reaper.project()["tracks"][0]["items"][2]["takes"][0]["notes"]
    assert (note["onset_s"], note["offset_s"]) == (1.0, 1.05)


def test_undo_brings_the_project_back_to_the_last_detail(reaper: RunningReaper, tmp_path: Path) -> None:
    before = reaper.project()
    body = """
    change(function()
      reaper.InsertTrackInProject(P, 0, 0)
      reaper.SetMediaItemInfo_Value(ITEM(), "D_POSITION", 3)
      reaper.GetSetMediaItemTakeInfo_String(MIDI(), "P_NAME", "Renamed", true)
      reaper.MIDI_SetAllEvts(MIDI(), event(0, "\\x90\\x3C\\x40") .. event(96, "\\x80\\x3C\\x40") .. END)
      reaper.MIDI_Sort(MIDI())
    end)
    """
    run(reaper, tmp_path, body)
    assert reaper.project()["tracks"] != before["tracks"]
    assert reaper.call("undo", 1)
    assert reaper.project()["tracks"] == before["tracks"]
    assert not reaper.call("undo", 1)


def test_what_is_told_to_last_outlives_reaper_and_the_rest_does_not(reaper: RunningReaper, tmp_path: Path) -> None:
    run(reaper, tmp_path, 'reaper.SetExtState("S", "lasts", "1", true); reaper.SetExtState("S", "passes", "2", false)')
    assert reaper.report()["ext_state"] == {"S/lasts": "1", "S/passes": "2"}
    reaper.call("close_reaper")
    assert reaper.report()["ext_state"] == {"S/lasts": "1"}


@pytest.mark.parametrize("end", ["close_reaper", "terminate"])
def test_a_script_that_is_ended_from_outside_cleans_up(reaper: RunningReaper, tmp_path: Path, end: str) -> None:
    body = """
    reaper.atexit(function() reaper.SetExtState("S", "left", "yes", false); print("left") end)
    local function again() reaper.defer(again) end
    again()
    """
    (tmp_path / "action.lua").write_text(AROUND + body)
    number = reaper.start(tmp_path / "action.lua")
    assert reaper.tick(3)
    reaper.call(end, *([number] if end == "terminate" else []))
    assert reaper.report()["console"] == "left\n"
    assert not reaper.tick()


def test_a_command_line_is_split_as_reaper_splits_it_and_its_process_really_runs(
    reaper: RunningReaper, tmp_path: Path
) -> None:
    kept = tmp_path / "a b.txt"
    script = tmp_path / "it's.sh"
    script.write_text(f'printf "%s|" "$@" > "{kept}"\nexec sleep 30\n')
    run(reaper, tmp_path, f"""reaper.ExecProcess([[/bin/sh "{script}" one "two  three" 'fo"ur']], -1)""")
    (number,) = reaper.report()["processes"]
    process = psutil.Process(number)
    while not kept.exists() or not kept.read_text():
        assert process.is_running()
        time.sleep(0.01)
    assert kept.read_text() == 'one|two  three|fo"ur|'
    reaper.close()
    process.wait(timeout=10)


def test_a_window_gets_the_mouse_and_the_keys_and_shows_its_texts(reaper: RunningReaper, tmp_path: Path) -> None:
    body = """
    gfx.init("Title", 200, 100)
    local down
    local function draw()
      local key = gfx.getchar()
      if key < 0 then print("closed") return end
      if key > 0 then print("key", key) end
      if gfx.mouse_cap == 1 and not down then print("down", gfx.mouse_x) end
      down = gfx.mouse_cap == 1
      gfx.x, gfx.y = 50, 20
      gfx.drawstr("Cancel")
      gfx.update()
      reaper.defer(draw)
    end
    draw()
    """
    (tmp_path / "action.lua").write_text(AROUND + body)
    number = reaper.start(tmp_path / "action.lua")
    assert reaper.texts(number) == ["Cancel"]
    assert not reaper.call("press", number, "Nothing")
    assert reaper.call("press", number, "Cancel")
    reaper.call("key", number, 27)
    reaper.tick(5)
    reaper.call("close_window", number)
    reaper.finish()
    width = 6 * 8 * 0.55
    assert reaper.report()["console"] == f"key\t27.0\ndown\t{50 + width / 2:.14g}\nclosed\n"


def test_time_is_counted_per_tick_for_the_script_and_its_coroutines(reaper: RunningReaper, tmp_path: Path) -> None:
    busy = "local function work() local x = 0; for i = 1, 1000000 do x = x + i end end "
    run(reaper, tmp_path, busy + "coroutine.wrap(work)()")
    in_coroutine = reaper.report()["time"]["most"]
    reaper.call("forget_times")
    run(reaper, tmp_path, busy + "work()")
    most = reaper.report()["time"]["most"]
    assert most["instructions"] == pytest.approx(in_coroutine["instructions"], rel=0.02)
    assert 1_000_000 <= most["instructions"] < 10_000_000
    assert most["cpu_ms"] > 0.5
