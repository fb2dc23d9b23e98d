"""How the scripts reach the daemon: JSON, quoting on the real shell, files, LuaSocket; and what can go wrong there."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running_daemon import RunningDaemon, until
from running_reaper import RunningReaper, lua_literal
from studio import MELODY, Studio, audio_source, item, midi_source, plucked

from protocol.client import Client
from protocol.connection import is_alive, read_connection

SCRIPTS = Path(__file__).parents[2] / "plugins" / "reaper"
TRANSCRIBE = "Transcribe items to MIDI"
RENDER = "Render MIDI items to audio"
Open = Callable[..., Studio]

# ---- plain Lua: no REAPER is needed --------------------------------------------------------------------------------


class Lua:
    """The scripts' libraries in a Lua of their own."""

    def __init__(self, program: str, folder: Path) -> None:
        self.reaper = RunningReaper(folder, lua=program)

    def run(self, chunk: str, *arguments: Any) -> Any:
        """Run a chunk that has `lib(name)` and the arguments as `...`."""
        given = ", ".join(map(lua_literal, arguments))
        start = (
            f"local run = dofile({lua_literal(SCRIPTS / 'lib' / 'start.lua')})({lua_literal(str(SCRIPTS) + '/')})\n"
            'local function lib(name) return require("scorebridge." .. name) end\n'
        )
        return self.reaper.call("evaluate", f"{start} return (function(...) {chunk} end)({given})", "")


@pytest.fixture(scope="module", params=["lua5.4", "lua5.3"])
def lua(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lua]:
    made = Lua(request.param, tmp_path_factory.mktemp("lua"))
    yield made
    made.reaper.close()


plain_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@QUICK
@given(value=json_values)
def test_json_goes_into_lua_and_back_unchanged(lua: Lua, value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        back = json.loads(lua.run('local json = lib("json"); return json.encode(json.decode(...))', text))
        assert same(back, value)


def same(a: Any, b: Any) -> bool:
    """Equality in which 0.0 and -0.0 and 1 and 1.0 are one, but True is not 1 and {} is []: Lua cannot tell these."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=1e-15)
    return bool(a == b)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1,]", '{"a":}', "01", "1.", "+1", "tru", '"\n"', '"\\x"', "[1] 2", "{1:2}", "nan", '"a', "-", "'a'"],
)
def test_what_is_not_json_gets_a_sentence(lua: Lua, text: str) -> None:
    with pytest.raises(ValueError):
        json.loads(text)
    said = lua.run('local well, said = pcall(lib("json").decode, ...); return not well and said or "taken"', text)
    assert said.startswith("this is not JSON: ")


def test_nesting_without_an_end_is_refused(lua: Lua) -> None:
    said = lua.run('local well, said = pcall(lib("json").decode, ("["):rep(100000)); return not well and said')
    assert "nested too deeply" in said


any_word = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@QUICK
@given(words=st.lists(any_word, min_size=1, max_size=4))
def test_words_reach_a_program_through_the_real_shell_unchanged(lua: Lua, words: list[str]) -> None:
    line = lua.run('return lib("command").sh_line({ ... })', "printf", "%s\\0", *words)
    said = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True).stdout
    assert said.decode().split("\0")[:-1] == words


def split_as_windows_does(line: str) -> list[str]:
    """The rule of CommandLineToArgvW for arguments after the program."""
    words: list[str] = []
    word, quoted, begun, i = "", False, False, 0
    while i < len(line):
        slashes = len(line[i:]) - len(line[i:].lstrip("\\"))
        following = line[i + slashes : i + slashes + 1]
        if slashes:
            begun = True
            word += "\\" * (slashes // 2 if following == '"' else slashes)
            i += slashes
            if following == '"' and slashes % 2:
                word += '"'
                i += 1
        elif line[i] == '"':
            quoted, begun, i = not quoted, True, i + 1
        elif line[i] in " \t" and not quoted:
            if begun:
                words.append(word)
            word, begun, i = "", False, i + 1
        else:
            word, begun, i = word + line[i], True, i + 1
    return [*words, word] if begun else words


@QUICK
@given(words=st.lists(st.text('ab \\"\tü:%&^', max_size=12), min_size=1, max_size=4))
def test_words_are_quoted_by_windows_rule(lua: Lua, words: list[str]) -> None:
    line = lua.run('return lib("command").windows_line({ ... })', "C:\\Program Files\\scorebridge.exe", *words)
    assert split_as_windows_does(line) == ["C:\\Program Files\\scorebridge.exe", *words]


@pytest.mark.parametrize(
    ("path", "name", "folder", "ending"),
    [
        ("C:\\Musik\\Größe\\take 1.WAV", "take 1.WAV", "C:\\Musik\\Größe", "wav"),
        ("D:/takes/x.tar.mp3", "x.tar.mp3", "D:/takes", "mp3"),
        ("/home/me/.hidden", ".hidden", "/home/me", "hidden"),
        ("\\\\server\\share\\a.wav", "a.wav", "\\\\server\\share", "wav"),
        ("/a", "a", "/", ""),
    ],
)
def test_paths_of_every_system_are_taken_apart(lua: Lua, path: str, name: str, folder: str, ending: str) -> None:
    found = lua.run('local f = lib("files"); return { f.name(...), f.folder(...), f.ending(...) }', path)
    assert found == [name, folder, ending]


@pytest.mark.parametrize(
    "text", ["a/b\\c:d", "..", "con", "LPT1.wav", "ends with dot. ", "x" * 300, "🎹" * 100, "\n", ""]
)
def test_any_take_name_becomes_a_file_name_that_every_system_takes(lua: Lua, text: str, tmp_path: Path) -> None:
    name = lua.run('return lib("files").safe_name(...)', text, "otherwise")
    assert name
    assert not set(name) & set('<>:"/\\|?*')
    assert name == name.strip(" .")
    (tmp_path / f"{name}.wav").touch()


# ---- what can go wrong ---------------------------------------------------------------------------------------------


def quick_item(studio: Studio) -> dict[str, Any]:
    return item(midi_source((0, 1, 60)), 0.0, 1.0)


def test_without_a_client_a_sentence_says_what_to_do(studio: Studio) -> None:
    marker = studio.scripts / "scorebridge.json"
    marker.write_text(json.dumps({"client": "/nowhere/scorebridge"}))
    studio.open(quick_item(studio))
    studio.run(RENDER)
    assert "not at /nowhere/scorebridge any more" in " ".join(studio.news)
    assert "scorebridge plugins install reaper" in " ".join(studio.news)


def test_a_client_that_cannot_start_is_quoted(studio: Studio) -> None:
    broken = studio.folder / "broken client"
    broken.write_text("#!/bin/sh\necho 'my Python is gone' >&2\nexit 3\n")
    broken.chmod(0o755)
    studio.choose(client=broken)
    studio.open(quick_item(studio))
    studio.run(RENDER)
    assert "did not start" in " ".join(studio.news)
    assert "my Python is gone" in " ".join(studio.news)


def test_a_client_that_is_killed_in_the_middle_is_started_again(studio: Studio) -> None:
    long = plucked(studio.media / "long.wav", MELODY, 120.0)
    studio.open(item(audio_source(long), 0.0, 120.0))
    studio.start(TRANSCRIBE)
    studio.reaper.until(lambda: [job for job in studio.jobs() if job.phase == "running"])
    (about,) = (studio.reaper.resource_path / "ScoreBridge").glob("mailbox-*/client.json")
    os.kill(json.loads(about.read_text())["pid"], signal.SIGKILL)
    studio.close_when_over()
    assert [pitch for *_, pitch in studio.notes()] == [pitch for _, pitch in MELODY]


def test_a_file_that_the_daemon_may_not_read_is_sent_by_the_client(studio: Studio) -> None:
    outside = plucked(Path("/var/tmp") / f"scorebridge-{time.monotonic_ns()}.wav")
    try:
        studio.open(item(audio_source(outside), 0.0, 4.0))
        studio.run(TRANSCRIBE)
        assert [pitch for *_, pitch in studio.notes()] == [pitch for _, pitch in MELODY]
    finally:
        outside.unlink()


def test_the_same_client_serves_one_action_after_the_other(studio: Studio) -> None:
    studio.open(quick_item(studio))
    studio.run(RENDER)
    studio.run(RENDER)
    assert len(studio.reaper.report()["command_lines"]) == 1
    assert len(studio.new_items()) == 2


def test_many_items_of_one_name_at_once_get_files_of_their_own(studio: Studio) -> None:
    score = item(midi_source((0, 0.25, 60), quarters=0.5), 0.0, 0.25)
    items = []
    for i in range(24):
        items.append({**score, "values": {**score["values"], "D_POSITION": float(i)}})
    studio.choose(open_notation=False)
    studio.open(*items)
    studio.run("Transcribe items to notation")
    assert len(list(studio.folder.glob("My take*.musicxml"))) == 24


# ---- LuaSocket -----------------------------------------------------------------------------------------------------


def test_with_luasocket_jobs_go_through_the_http_door(open_studio: Open) -> None:
    studio = open_studio(luasocket=True)
    studio.open(item(audio_source(plucked(studio.media / "take.wav")), 0.0, 4.0), item(None, 9.0, 1.0))
    studio.run(TRANSCRIBE)
    assert [pitch for *_, pitch in studio.notes()] == [pitch for _, pitch in MELODY]
    assert studio.reaper.report()["command_lines"] == []
    assert studio.reaper.report()["time"]["most"]["wall_ms"] < 1000


def test_with_luasocket_a_cancel_reaches_the_daemon(open_studio: Open) -> None:
    studio = open_studio(luasocket=True)
    long = plucked(studio.media / "long.wav", MELODY, 300.0)
    studio.open(item(audio_source(long), 0.0, 300.0))
    studio.start(TRANSCRIBE)
    studio.reaper.until(lambda: [job for job in studio.jobs() if job.phase == "running" and job.stage])
    studio.reaper.call("press", 1, "Cancel all")
    studio.reaper.finish()
    assert studio.jobs()[0].phase == "cancelled"


def test_with_luasocket_what_the_door_refuses_goes_through_files(open_studio: Open) -> None:
    studio = open_studio(luasocket=True)
    outside = plucked(Path("/var/tmp") / f"scorebridge-{time.monotonic_ns()}.wav")
    broken = studio.media / "broken.wav"
    broken.write_bytes(b"coffee" * 400)
    try:
        studio.open(item(audio_source(outside), 0.0, 4.0), item({**audio_source(outside), "file": broken}, 9.0, 4.0))
        studio.run(TRANSCRIBE)
        assert [pitch for *_, pitch in studio.notes()] == [pitch for _, pitch in MELODY]
        assert "1 of 2 done, 1 failed" in studio.news
    finally:
        outside.unlink()


def test_where_no_daemon_runs_one_is_started(tmp_path: Path) -> None:
    absent = RunningDaemon(tmp_path, ROOTS=str(tmp_path))
    studio = Studio(tmp_path / "desk", absent, luasocket=True)
    try:
        studio.open(quick_item(studio))
        studio.run(RENDER)
        assert len(studio.new_items()) == 1
        connection = read_connection(absent.connection_file)
        with Client(connection) as client:
            client.shutdown()
        until(lambda: not is_alive(connection))
    finally:
        studio.close()


def test_a_daemon_that_is_killed_in_the_middle_costs_its_jobs_and_no_more(tmp_path: Path) -> None:
    daemon = RunningDaemon(tmp_path, ROOTS=str(tmp_path)).start()
    studio = Studio(tmp_path / "desk", daemon)
    try:
        long = midi_source(*((i / 8, i / 8 + 0.1, 60) for i in range(4000)), quarters=500.0)
        studio.open(item(long, 0.0, 250.0))
        studio.start(RENDER)
        studio.reaper.until(lambda: studio.jobs() and studio.jobs()[0].phase == "running")
        daemon.kill()
        studio.close_when_over()
        assert "1 failed" in " ".join(studio.news)
        assert studio.new_items() == []
        daemon.start()
        studio.open(quick_item(studio))
        studio.run(RENDER)
        assert len(studio.new_items(2)) == 1
    finally:
        studio.close()
        daemon.close()
