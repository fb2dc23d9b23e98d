"""The other commands: they answer at once, say what is the matter, and how to mend it."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from terminal import Terminal


def test_help_costs_little_more_than_the_library_that_prints_it(terminal: Terminal):
    """Half as much again on a quiet machine; in processor time and as a ratio, so that a slow machine passes, too."""

    def used_s(run: Callable[[], subprocess.CompletedProcess[str]]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run().returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def library() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", "import typer.rich_utils"], capture_output=True, text=True)

    pairs = [(used_s(lambda: terminal.type("--help")), used_s(library)) for _ in range(5)]
    assert min(ours / theirs for ours, theirs in pairs) < 2.5


def test_every_command_explains_itself(terminal: Terminal):
    overview = terminal.type("--help").stdout
    for command in ("serve", "translate", "jobs", "page", "models", "plugins", "doctor", "demo"):
        assert command in overview
        assert terminal.type(command, "--help").returncode == 0
    assert re.fullmatch(r"scorebridge \d+\.\d+\.\d+\n", terminal.type("--version").stdout)
    assert terminal.type("compose").returncode == 2


def test_the_daemon_is_started_looked_at_and_stopped(terminal: Terminal):
    absent = terminal.type("serve", "status")
    assert absent.returncode == 1 and "not running" in absent.stderr and "scorebridge serve" in absent.stderr
    started = terminal.type("serve", "--detach")
    assert started.returncode == 0, started.stderr
    status = terminal.type("serve", "status")
    assert "127.0.0.1" in status.stdout and "0 waiting or running" in status.stdout
    again = terminal.type("serve", "--detach")
    assert again.returncode == 1 and "runs already" in again.stderr
    assert terminal.type("serve", "stop").returncode == 0
    assert terminal.type("serve", "status").returncode == 1


def test_a_daemon_that_was_killed_is_recognised_as_gone(terminal: Terminal):
    terminal.type("serve", "--detach")
    connection = terminal.folder / "run" / "connection.json"
    os.kill(json.loads(connection.read_text())["pid"], 9)
    time.sleep(0.2)
    assert terminal.type("serve", "status").returncode == 1
    assert terminal.type("serve", "--detach").returncode == 0


def test_jobs_are_listed_shown_and_fetched(terminal: Terminal, scale: Path):
    assert "not running" in terminal.type("jobs").stderr
    terminal.type("serve", "--detach")
    assert "No jobs" in terminal.type("jobs").stdout
    terminal.type("translate", scale, "scale.musicxml")
    assert "done" in terminal.type("jobs").stdout
    job = json.loads(terminal.type("jobs", "show", "").stdout)
    assert job["phase"] == "done" and job["artefacts"][0]["format"] == "musicxml"
    fetched = terminal.type("jobs", "fetch", job["job"][:8], "fetched")
    assert fetched.returncode == 0, fetched.stderr
    assert (terminal.folder / "fetched" / job["artefacts"][0]["name"]).exists()
    assert "done" in terminal.type("jobs", "cancel", job["job"]).stdout
    assert "no job 'zzz'" in terminal.type("jobs", "show", "zzz").stderr


def test_the_page_opens_by_a_link_that_is_good_once(terminal: Terminal):
    assert "not running" in terminal.type("page").stderr
    terminal.type("serve", "--detach")
    link = terminal.type("page", "--print").stdout.strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#\w+=\S+", link)
    assert terminal.type("page", "--print").stdout.strip() != link
    assert "/live#ticket=" in terminal.type("page", "live", "--print").stdout


def test_engines_and_addons_are_listed_with_their_mend(terminal: Terminal):
    listed = terminal.type("models")
    assert listed.returncode == 0, listed.stderr
    assert "quantiser" in listed.stdout and "scorebridge models add basic-pitch" in listed.stdout
    unknown = terminal.type("models", "add", "crystal-ball")
    assert unknown.returncode == 1 and "no add-on called 'crystal-ball'" in unknown.stderr


def test_doctor_says_what_is_missing_and_how_to_mend_it(terminal: Terminal):
    told = terminal.type("doctor")
    assert "12 of 12" in told.stdout
    assert "scorebridge models add basic-pitch" in told.stdout
    assert "scorebridge serve" in told.stdout
    terminal.type("serve", "--detach")
    assert "answers" in terminal.type("doctor").stdout


def test_doctor_finds_a_data_folder_that_cannot_be_used(terminal: Terminal):
    (terminal.folder / "data").write_text("a file where the folder should be")
    told = terminal.type("doctor")
    assert told.returncode == 1 and "✗ Data folder" in re.sub(r" +", " ", told.stdout)


def test_a_plugin_is_installed_and_reported(terminal: Terminal):
    (terminal.folder / "Documents" / "MuseScore3").mkdir(parents=True)
    installed = terminal.type("plugins", "install", "musescore")
    assert installed.returncode == 0 and "Plugin Manager" in installed.stdout
    assert "MuseScore3" in terminal.type("doctor").stdout
    assert "Removed" in terminal.type("plugins", "uninstall", "musescore").stdout


def test_settings_and_folders_that_cannot_be_used_get_a_sentence(terminal: Terminal):
    terminal.environment["SCOREBRIDGE_DATA"] = "/proc/nowhere"
    refused = terminal.type("serve", "--detach")
    assert refused.returncode == 1 and "/proc/nowhere" in refused.stderr and "Traceback" not in refused.stderr
    terminal.environment["SCOREBRIDGE_WORKERS"] = "many"
    refused = terminal.type("serve", "--detach")
    assert refused.returncode == 1 and "workers" in refused.stderr and "Traceback" not in refused.stderr
