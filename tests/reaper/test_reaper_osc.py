"""Without polling: the daemon's word over OSC makes REAPER run the action that collects results."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_daemon import RunningDaemon
from running_reaper import SCRIPTS
from studio import MELODY, Studio, audio_source, item, midi_source, plucked

from bridge.reaper_places import action_names
from protocol import osc

COMMAND = "_" + action_names(SCRIPTS)["ScoreBridge_Collect results.lua"]
RENDER = "Render MIDI items to audio"
TRANSCRIBE = "Transcribe items to MIDI"


class Reaper8000:
    """REAPER's OSC device: where word arrives."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(60)
        self.port = self.socket.getsockname()[1]

    def word(self) -> tuple[str, tuple[object, ...]]:
        address, arguments = osc.decode(self.socket.recv(65536))
        return address, tuple(arguments)


@pytest.fixture
def device() -> Iterator[Reaper8000]:
    made = Reaper8000()
    yield made
    made.socket.close()


@pytest.fixture
def waiting(studio: Studio, device: Reaper8000) -> Studio:
    """REAPER with an OSC device, the collecting action known to it, and the choice to wait for word."""
    studio.reaper.call("set_command", COMMAND, 53001)
    studio.choose(wait="osc", osc_port=device.port)
    return studio


def test_the_action_ends_at_once_and_word_of_the_end_brings_the_notes(waiting: Studio, device: Reaper8000) -> None:
    path = plucked(waiting.media / "take.wav")
    waiting.open(item(audio_source(path), 2.0, 4.0), item(audio_source(path), 10.0, 4.0))
    number = waiting.start(TRANSCRIBE)
    waiting.reaper.finish()
    assert waiting.reaper.script(number)["window"]["open"] is False
    assert waiting.new_items() == []  # nothing polls, and nothing was inserted yet
    for _ in range(2):
        assert device.word() == ("/action/str", (COMMAND,))
        waiting.start("Collect results")  # what REAPER does then
        waiting.reaper.finish()
    expected = [(start + onset, pitch) for start in (2.0, 10.0) for onset, pitch in MELODY]
    assert [(round(onset, 1), pitch) for onset, _, pitch in waiting.notes()] == expected
    assert [track["name"] for track in waiting.reaper.project()["tracks"]] == ["Piano", "Piano MIDI"]


def test_word_comes_of_failures_too(waiting: Studio, device: Reaper8000) -> None:
    broken = waiting.media / "broken.wav"
    plucked(broken)
    source = audio_source(broken)
    broken.write_bytes(b"coffee" * 400)
    waiting.open(item(source, 0.0, 4.0))
    waiting.start(TRANSCRIBE)
    waiting.reaper.finish()
    device.word()
    waiting.start("Collect results")
    waiting.reaper.finish()
    assert "My take: " in waiting.reaper.report()["console"]
    assert not list((waiting.reaper.resource_path / "ScoreBridge").glob("mailbox-*/pending/*"))


def test_progress_of_what_was_sent_can_be_looked_at(waiting: Studio, device: Reaper8000) -> None:
    waiting.open(item(midi_source((0, 1, 60)), 3.0, 4.0))
    waiting.start(RENDER)
    waiting.reaper.finish()
    number = waiting.start("Show progress")
    waiting.reaper.until(lambda: "1 of 1 done" in waiting.reaper.texts(number))
    waiting.reaper.call("close_window", number)
    waiting.reaper.finish()
    assert [new["position_s"] for new in waiting.new_items()] == [3.0]


def test_an_action_that_nobody_could_collect_for_is_not_begun(studio: Studio) -> None:
    studio.choose(wait="osc")
    studio.open(item(midi_source((0, 1, 60)), 0.0, 4.0))
    studio.start(RENDER)
    studio.reaper.finish()
    (dialog,) = studio.reaper.report()["dialogs"]
    assert "Collect results" in dialog["text"]
    studio.reaper.call("set_command", "_RS0123456789abcdef", 53001)  # REAPER's own name for the script
    studio.start("Collect results")
    studio.reaper.finish()
    assert studio.reaper.report()["ext_state"]["ScoreBridge/collect_command"] == "_RS0123456789abcdef"


def test_the_daemons_own_notification_calls_the_action_as_well(tmp_path: Path, device: Reaper8000) -> None:
    notify = f"127.0.0.1:{device.port}/action/str {COMMAND}"
    daemon = RunningDaemon(tmp_path, ROOTS=str(tmp_path), NOTIFY=notify).start()
    studio = Studio(tmp_path / "desk", daemon)
    try:
        studio.reaper.call("set_command", COMMAND, 53001)
        studio.choose(wait="osc", osc_port=9)  # nobody listens there: the daemon alone tells
        studio.open(item(midi_source((0, 1, 60)), 3.0, 4.0))
        studio.start(RENDER)
        studio.reaper.finish()
        assert device.word() == ("/action/str", (COMMAND,))
        studio.start("Collect results")
        studio.reaper.finish()
        assert [new["position_s"] for new in studio.new_items()] == [3.0]
    finally:
        studio.close()
        daemon.close()


def test_the_doctor_knows_reapers_osc_device(waiting: Studio, device: Reaper8000) -> None:
    line = f'csurf_0=OSC "ScoreBridge" 3 {device.port} "127.0.0.1" 9000 1024 10 "Default"'
    (waiting.reaper.resource_path / "reaper.ini").write_text(f"[REAPER]\ncsurf_cnt=1\n{line}\n")
    waiting.open()
    waiting.start("Doctor")
    waiting.reaper.finish()
    assert f'ok      OSC: the device "ScoreBridge" listens on port {device.port}' in waiting.reaper.report()["console"]
