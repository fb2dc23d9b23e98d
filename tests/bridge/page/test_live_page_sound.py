"""The live page while a session hears sound: a recording that is played at the speed of real time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from live_browser import LivePage, OwnDaemon, wait_for

RATE = 48_000
LISTENER_FOLDER = Path(__file__).parents[1] / "live"  # `tone_listener`: hears sine tones, loads at once
PITCHES = (60, 64, 67, 72) * 4


def record_tones(path: Path) -> None:
    """Eighths at 120 beats a minute."""
    sound = np.zeros(int((0.25 * len(PITCHES) + 1.5) * RATE), np.float32)
    time_s = np.arange(int(0.23 * RATE)) / RATE
    shape = np.minimum(1, time_s / 0.002) * np.minimum(1, (0.23 - time_s) / 0.01)
    for index, pitch in enumerate(PITCHES):
        start = int((0.5 + 0.25 * index) * RATE)
        sound[start : start + len(time_s)] += 0.3 * shape * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_s)
    soundfile.write(path, sound, RATE)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnDaemon]:
    listener = {"PYTHONPATH": str(LISTENER_FOLDER), "SCOREBRIDGE_LIVE_READER": "tone_listener:open_listener"}
    own = OwnDaemon(tmp_path_factory.mktemp("daemon"), **listener)
    own.start()
    yield own
    own.stop()


def test_level_notes_and_the_end_of_a_recording_are_shown(browser: LivePage, daemon: OwnDaemon) -> None:
    record_tones(daemon.folder / "tones.wav")
    browser.open(daemon.connection)
    # Started elsewhere, as from the command line: the page takes it up by itself.
    daemon.ask("live.start", live="tones", source=f"file:{daemon.folder / 'tones.wav'}")
    level = wait_for("the level", lambda: re.match(r"(-\d+) dB, peak (-\d+) dB", browser.text("#level-words")))
    assert -40 < int(level[1]) <= int(level[2]) < 0
    assert browser.find("#level").is_displayed()
    assert float(browser.find("#level").get_attribute("value")) > -60
    wait_for("the end", lambda: browser.text("#state").startswith("The session has ended after 0:0"))
    heard = browser.text("#last-notes").removeprefix("Last notes: ").split()
    assert heard and set(heard) <= {"C4", "E4", "G4", "C5"}
    assert int(browser.text("#count").split()[0]) >= len(PITCHES) - 3
    wait_for("bars", lambda: re.match(r"Bars? ", browser.text("#score-facts")))
    assert browser.find("#start").is_enabled() and browser.find("[data-format=mid]").is_enabled()


def test_the_page_may_not_name_files(browser: LivePage, daemon: OwnDaemon) -> None:
    browser.open(daemon.connection)
    refused = browser.run(
        "return fetch('/api/message', {method: 'POST', headers: "
        "{'X-ScoreBridge-Token': sessionStorage.getItem('scorebridge-token')}, body: JSON.stringify("
        "{type: 'live.start', content: {source: 'file:/etc/passwd'}})})"
        ".then((r) => r.json().then((j) => [r.status, j.code]))"
    )
    assert refused == [403, "not_for_pages"]
