"""The folder that the REAPER scripts write requests to, served by the real client against the real daemon."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from running_daemon import LONG, TIED, RunningDaemon, midi_bytes, until

from protocol import osc
from protocol.client import Client
from protocol.connection import is_alive, read_connection
from protocol.messages import new_id

ENDED = ("done", "failed", "cancelled")


class Box:
    """A mailbox as a host sees it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.tag = new_id()
        self.clients: list[subprocess.Popen[str]] = []
        for name in ("requests", "replies", "cancels"):
            (folder / name).mkdir(parents=True)

    def host(self, **fields: Any) -> None:
        (self.folder / "host.json").write_text(json.dumps(fields))

    def serve(self, *, idle_s: float = 60.0) -> subprocess.Popen[str]:
        command = [
            str(Path(sys.executable).with_name("scorebridge")),
            "mailbox",
            str(self.folder),
            "--idle",
            str(idle_s),
        ]
        client = subprocess.Popen(
            [*TIED, *command], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.clients.append(client)
        return client

    def id(self, request: str) -> str:
        """The id of a request: the daemon serves other tests too."""
        return f"{request}-{self.tag}"

    def ask(self, request: str, **content: Any) -> None:
        path = self.folder / "requests" / f"{self.id(request)}.json"
        path.with_suffix(".part").write_text(json.dumps(content))
        path.with_suffix(".part").rename(path)

    def submit(self, request: str, path: Path, target: str = "mid") -> None:
        self.ask(request, kind="submit", source={"kind": "path", "path": str(path)}, target=[target], options={})

    def reply(self, request: str) -> dict[str, Any]:
        path = self.folder / "replies" / f"{self.id(request)}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def ended(self, request: str) -> dict[str, Any]:
        until(lambda: self.reply(request).get("phase") in ENDED)
        return self.reply(request)

    def close(self) -> None:
        for client in self.clients:
            if client.stdout is not None and not client.stdout.closed:
                client.kill()
                client.communicate()


@pytest.fixture
def open_box(desk: Path) -> Iterator[Callable[[RunningDaemon], Box]]:
    made: list[Box] = []

    def open_one(daemon: RunningDaemon) -> Box:
        folder = Path(tempfile.mkdtemp(dir=desk)) / "REAPER's folder 🎛" / "mailbox-1"
        made.append(Box(folder, daemon.environment))
        return made[-1]

    yield open_one
    for box in made:
        box.close()


@pytest.fixture
def box(daemon: RunningDaemon, open_box: Callable[[RunningDaemon], Box]) -> Box:
    return open_box(daemon)


def piece(folder: Path, notes: int = 3) -> Path:
    path = folder / f"Stück {notes} 'Ü' \"x\".mid"
    path.write_bytes(midi_bytes(notes))
    return path


def test_a_request_is_answered_and_a_hello_too(box: Box, desk: Path) -> None:
    box.submit("first", piece(desk), "events")
    box.ask("greeting", kind="hello")
    box.serve()
    done = box.ended("first")
    assert done["phase"] == "done"
    (artefact,) = done["artefacts"]
    assert len(json.loads(Path(artefact["path"]).read_text())["notes"]) == 3
    assert box.ended("greeting")["welcome"]["directions"]


def test_the_doctor_of_the_command_line_answers_through_it(box: Box) -> None:
    box.ask("checks", kind="doctor")
    box.serve()
    findings = box.ended("checks")["findings"]
    assert {"part", "verdict", "sentence", "mend"} <= findings[0].keys()
    assert any(finding["part"] == "Daemon" and finding["verdict"] == "good" for finding in findings)


def test_a_file_that_the_daemon_may_not_read_by_name_is_sent(box: Box, desk: Path) -> None:
    outside = Path("/var/tmp") / f"scorebridge-{time.monotonic_ns()}.mid"
    outside.write_bytes(midi_bytes(4))
    try:
        box.submit("outside", outside)
        box.serve()
        assert box.ended("outside")["phase"] == "done"
    finally:
        outside.unlink()


def test_what_cannot_be_read_gets_a_sentence(box: Box, desk: Path) -> None:
    box.submit("missing", desk / "not there.mid")
    box.ask("nonsense", kind="submit", source={"kind": "telepathy"}, target=["mid"])
    (box.folder / "requests" / f"{box.id('broken')}.json").write_text("{")
    box.serve()
    assert "no file" in box.ended("missing")["message"]
    assert box.ended("missing")["hint"]
    for request in ("nonsense", "broken"):
        assert box.ended(request)["phase"] == "failed"
        assert "\n" not in box.ended(request)["message"]


def test_a_cancel_reaches_the_daemon_and_ends_the_job(box: Box, daemon: RunningDaemon, desk: Path) -> None:
    box.submit("long", piece(desk, LONG))
    box.serve()
    until(lambda: box.reply("long").get("phase") == "running")
    (box.folder / "cancels" / box.id("long")).touch()
    assert box.ended("long")["phase"] == "cancelled"
    assert daemon.connected.status(box.id("long")).phase == "cancelled"


def test_when_the_host_dies_its_jobs_end_and_nothing_is_left(box: Box, daemon: RunningDaemon, desk: Path) -> None:
    host = subprocess.Popen(["sleep", "600"])
    box.host(pid=host.pid)
    box.submit("long", piece(desk, LONG))
    client = box.serve()
    until(lambda: box.reply("long").get("phase") == "running")
    host.kill()
    host.wait()
    client.communicate(timeout=20)
    assert daemon.connected.status(box.id("long")).phase == "cancelled"
    assert not box.folder.exists()


def test_a_client_that_was_killed_can_be_started_again(box: Box, daemon: RunningDaemon, desk: Path) -> None:
    box.submit("long", piece(desk, LONG // 8))
    client = box.serve()
    until(lambda: box.reply("long").get("phase") == "running")
    client.kill()
    client.communicate()
    box.serve()
    assert box.ended("long")["phase"] == "done"
    assert daemon.connected.status(box.id("long")).phase == "done"


def test_one_client_serves_a_folder_and_ends_when_there_is_nothing_to_do(box: Box) -> None:
    first = box.serve(idle_s=3)
    until(lambda: (box.folder / "client.json").exists())
    second = box.serve()
    assert second.communicate(timeout=20)[0] == ""
    assert first.poll() is None
    said, _ = first.communicate(timeout=30)
    assert (first.returncode, said) == (0, "")
    assert not (box.folder / "client.json").exists()


def test_a_daemon_is_started_where_none_runs(
    open_box: Callable[[RunningDaemon], Box], tmp_path: Path, desk: Path
) -> None:
    absent = RunningDaemon(tmp_path)
    box = open_box(absent)
    box.submit("first", piece(desk))
    box.serve()
    try:
        assert box.ended("first")["phase"] == "done"
    finally:
        connection = read_connection(absent.connection_file)
        with Client(connection) as client:
            client.shutdown()
        until(lambda: not is_alive(connection))


def test_word_of_an_end_goes_to_the_hosts_osc_port_after_the_answer_is_there(box: Box, desk: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(40)
        box.host(notify=f"127.0.0.1:{listener.getsockname()[1]}/action/str _RSscorebridge_collect")
        box.submit("told", piece(desk))
        box.submit("missing", desk / "not there.mid")
        box.serve()
        for _ in range(2):
            assert osc.decode(listener.recv(65536)) == ("/action/str", ("_RSscorebridge_collect",))
        assert {box.reply("told")["phase"], box.reply("missing")["phase"]} == {"done", "failed"}
