"""What the REAPER scripts take of REAPER's main thread: slices of a tick, 10,000 notes, 100 items at once.

    python -m benchmarks.reaper --json benchmarks/results/reaper.json

REAPER itself is the stand-in of `tests/reaper/fake`, under real Lua; the daemon is a real one. `script_ms` is
processor time of the scripts themselves in one tick; the stand-in's own functions, compiled code in REAPER, are left
out. A tick's instructions are Lua's.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import report

TESTS = Path(__file__).parents[1] / "tests"
LUAS = ("lua5.4", "lua5.3")
NOTES = 10_000
ITEMS = 100
ROUNDS = 5
AIMS = {
    "insert_10000_notes_s": 1.0,
    "insert_10000_notes_lua53_s": 1.0,
    "preparing_most_script_ms": 10.0,
    "inserting_most_script_ms": 10.0,
    "batch_most_script_ms": 10.0,
    "items_lost": 0.0,
}

INSERTION = """
local folder = {folder}
dofile(folder .. "lib/start.lua")(folder)
local insert, slices = require("scorebridge.insert"), require("scorebridge.slices")
local P, prepared = reaper.EnumProjects(-1), nil
local content = {{ notes = dofile({notes}), controls = {{}}, bends = {{}}, start_s = 1, end_s = 1000 }}
local work
local function write()
  insert.midi(P, "Notes", {{ {{ prepared = prepared, name = "Notes",
    track = function() return reaper.GetTrack(P, 0) end }} }})
  print("inserted")
end
local function prepare()
  local ended, well, problem = slices.step(work, reaper.time_precise() + slices.TICK_S)
  if ended and not well then error(problem, 0) end
  reaper.defer(ended and write or prepare)
end
work = slices.work(function() prepared = insert.prepare_midi(P, content) end)
reaper.defer(prepare)
"""


def insertion(folder: Path, *, lua: str = "lua5.4", notes: int = NOTES) -> dict[str, float]:
    """Prepare and insert random notes into a project with tempo changes.

    Returns:
        `notes` that lie in the project, `seconds` of processor time from the first slice to the last tick, the
        stand-in's share included, and the most of a tick: `preparing_script_ms`, `inserting_script_ms`,
        `most_instructions_of_preparing`.
    """
    running_reaper = _of_tests("running_reaper")
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(notes)
    lines = []
    for _ in range(notes):
        onset_s = 1 + chance.random() * 990
        offset_s = onset_s + 0.05 + chance.random()
        pitch, velocity = chance.randrange(21, 109), chance.randrange(1, 128)
        lines.append(f"{{onset_s={onset_s!r}, offset_s={offset_s!r}, pitch={pitch}, velocity={velocity}, channel=0}}")
    (folder / "notes.lua").write_text("return {" + ",\n".join(lines) + "}")
    literal = running_reaper.lua_literal
    script = INSERTION.format(folder=literal(f"{running_reaper.SCRIPTS}/"), notes=literal(folder / "notes.lua"))
    (folder / "insertion.lua").write_text(script)
    with running_reaper.RunningReaper(folder, lua=lua) as reaper:
        markers = [{"quarter": 4 * n, "bpm": 60 + n % 90, "linear": n % 2 == 0} for n in range(1, 200)]
        reaper.open_project(markers=markers, tracks=[{"name": "Piano"}])
        reaper.start(folder / "insertion.lua")
        reaper.call("forget_times")
        preparing = {}
        while "inserted" not in reaper.report()["console"]:
            preparing = reaper.report()["time"]
            reaper.call("pass", 1, 0)
        reaper.finish()
        counted = reaper.report()["time"]
        inserting = max(counted["worst"], key=lambda tick: tick["host_instructions"])
        (item,) = reaper.project()["tracks"][0]["items"]
    return {
        "notes": len(item["takes"][0]["notes"]),
        "seconds": counted["total"]["cpu_ms"] / 1000,
        "preparing_script_ms": preparing["most"]["script_ms"],
        "inserting_script_ms": inserting["script_ms"],
        "most_instructions_of_preparing": preparing["most"]["instructions"],
    }


def batch(folder: Path) -> dict[str, float]:
    """Transcribe a hundred items at once through the real daemon; `items` that got their notes, and the ticks."""
    _of_tests("running_daemon", "end_to_end")
    studio_module = _of_tests("studio")
    daemon = (
        sys.modules["running_daemon"].RunningDaemon(folder, DATA=str(_basic_pitch(folder)), ROOTS=str(folder)).start()
    )
    studio = studio_module.Studio(folder, daemon)
    try:
        path = studio_module.plucked(studio.media / "note.wav", ((0.1, 60),), length_s=0.6)
        source = studio_module.audio_source(path)
        studio.open(*(studio_module.item(source, number * 1.0, 0.6) for number in range(ITEMS)))
        started_s = time.monotonic()
        number = studio.start("Transcribe items to MIDI")
        first = studio.reaper.report()["time"]["most"]
        studio.reaper.call("forget_times")
        studio.close_when_over(number)
        seconds = time.monotonic() - started_s
        places = {round(item["position_s"]) for item in studio.new_items() if item["takes"][0]["notes"]}
        ticks = studio.reaper.report()["time"]
    finally:
        studio.close()
        daemon.close()
    return {
        "items": len(places),
        "seconds": seconds,
        "ticks": ticks["ticks"],
        "start_script_ms": first["script_ms"],
        "most_script_ms": ticks["most"]["script_ms"],
        "most_instructions": ticks["most"]["instructions"],
    }


def _of_tests(name: str, folder: str = "reaper") -> Any:
    """A module that the tests use, too: the stand-in and what drives it."""
    if str(TESTS / folder) not in sys.path:
        sys.path.append(str(TESTS / folder))
    return importlib.import_module(name)


def _basic_pitch(folder: Path) -> Path:
    from model_runtime.addons.known import BASIC_PITCH

    os.environ["SCOREBRIDGE_DATA"] = str(folder / "data")
    BASIC_PITCH.install()
    return folder / "data"


def main() -> None:
    """Measure everything, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--data", type=Path, help="not needed here; all benchmarks take the same arguments")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = {lua: [insertion(Path(folder) / f"{lua}-{n}", lua=lua) for n in range(ROUNDS)] for lua in LUAS}
        batched = batch(Path(folder) / "batch")
    new, old = ({name: statistics.median(run[name] for run in runs[lua]) for name in runs[lua][0]} for lua in LUAS)
    figures = {
        "insert_10000_notes_s": new["seconds"],
        "insert_10000_notes_lua53_s": old["seconds"],
        "notes_inserted": new["notes"],
        "preparing_most_script_ms": new["preparing_script_ms"],
        "preparing_most_instructions": new["most_instructions_of_preparing"],
        "inserting_most_script_ms": new["inserting_script_ms"],
        "items_lost": ITEMS - batched["items"],
        "batch_s": batched["seconds"],
        "batch_ticks": batched["ticks"],
        "batch_start_script_ms": batched["start_script_ms"],
        "batch_most_script_ms": batched["most_script_ms"],
        "batch_most_instructions": batched["most_instructions"],
    }
    rows = [{"what": name, "measured": round(value, 3), "aim": AIMS.get(name, "")} for name, value in figures.items()]
    report.write(figures, rows, arguments.json, "REAPER scripts")


if __name__ == "__main__":
    main()
