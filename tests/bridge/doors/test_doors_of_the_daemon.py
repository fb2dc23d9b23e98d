"""The real daemon, through each of its doors."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol import osc
from protocol.client import Client, DaemonError
from protocol.connection import Connection, read_connection
from protocol.errors import DaemonNotRunning

DOCUMENT = {
    "format": "events",
    "version": 1,
    "tracks": ["Piano"],
    "notes": [{"onset": 0.5 * n, "offset": 0.5 * n + 0.4, "pitch": 60 + n, "velocity": 80} for n in range(4)],
}
CONTENT = json.dumps(DOCUMENT).encode()
# Killed or failed tests leave no daemon behind: the system takes it down.
TIED = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()


def start(folder: Path, **settings: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "SCOREBRIDGE_RUNTIME": str(folder / "runtime"),
        "SCOREBRIDGE_DATA": str(folder / "data"),
        "SCOREBRIDGE_CONFIG": str(folder / "none.toml"),
        **settings,
    }
    command = [*TIED, sys.executable, "-m", "bridge.daemon"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def connection_of(folder: Path, process: subprocess.Popen[bytes]) -> Connection:
    for _ in range(600):
        try:
            connection = read_connection(folder / "runtime" / "connection.json")
        except DaemonNotRunning:
            time.sleep(0.05)
            continue
        if connection.pid == process.pid:
            return connection
    raise AssertionError("the daemon does not start")


@pytest.fixture(scope="module")
def reaper() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(30)
        yield listening


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory, reaper: socket.socket) -> Iterator[Connection]:
    folder = tmp_path_factory.mktemp("daemon")
    notify = f"127.0.0.1:{reaper.getsockname()[1]}/action/str _RS0123"
    process = start(folder, SCOREBRIDGE_NOTIFY=notify)
    yield connection_of(folder, process)
    process.terminate()
    assert process.wait(20) == 0
    assert not (folder / "runtime" / "connection.json").exists()


def is_midi_of_four_notes(content: bytes) -> bool:
    import mido

    notes = [message for message in mido.MidiFile(file=io.BytesIO(content)) if message.type == "note_on"]
    return [note.note for note in notes if note.velocity] == [60, 61, 62, 63]


def test_over_zeromq_a_document_becomes_midi(connection: Connection) -> None:
    with Client(connection) as client:
        assert {(d.source, d.target) for d in client.hello().directions} >= {("performance", "audio")}
        [artefact] = client.translate(CONTENT, "mid", source_format="events", name="scale", job="over-zeromq")
        assert artefact.name == "scale.mid"
        assert is_midi_of_four_notes(client.result("over-zeromq"))
        assert is_midi_of_four_notes(Path(artefact.path).read_bytes())
        with pytest.raises(DaemonError, match=r"\.$"):
            client.translate(b"junk", "mid", source_format="wav")


def test_over_http_a_document_becomes_midi(connection: Connection) -> None:
    def ask(method: str, path: str, body: bytes | str | None = None) -> Any:
        server = http.client.HTTPConnection("127.0.0.1", connection.http_port, timeout=30)
        server.request(method, path, body, {"X-ScoreBridge-Token": connection.token})
        answer = server.getresponse().read()
        server.close()
        return answer if "artefacts" in path else json.loads(answer)

    inline = {"kind": "bytes", "format": "events", "name": "scale", "data": base64.b64encode(CONTENT).decode()}
    uploaded = ask("POST", "/api/uploads?format=events&name=scale", CONTENT)["source"]
    for job, source in (("over-http", inline), ("over-http-uploaded", uploaded)):
        content = {"job": job, "source": source, "target": "mid"}
        assert ask("POST", "/api/message", json.dumps({"type": "submit", "content": content}))["type"] == "accepted"
        types, after, state = [], 0, {"phase": "queued"}
        while state["phase"] in ("queued", "running"):
            answer = ask("GET", f"/api/jobs/{job}/events?after={after}&wait=5")
            types += [event["message"]["type"] for event in answer["events"]]
            after, state = answer["next"], answer["state"]
        types += [event["message"]["type"] for event in ask("GET", f"/api/jobs/{job}/events?after={after}")["events"]]
        assert types[-1] == "done" and types.count("done") == 1
        assert is_midi_of_four_notes(ask("GET", f"/api/jobs/{job}/artefacts/scale.mid"))


def test_over_osc_a_document_becomes_midi_and_reaper_is_told(
    connection: Connection, reaper: socket.socket, tmp_path: Path
) -> None:
    path = tmp_path / "scale 'é' ♪.events.json"
    path.write_bytes(CONTENT)
    source = json.dumps({"kind": "path", "path": str(path)})
    reaper.setblocking(False)
    while True:  # what the tests before this one made it hear
        try:
            reaper.recv(65536)
        except BlockingIOError:
            break
    reaper.settimeout(30)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(30)
        peer.connect(("127.0.0.1", connection.osc_udp_port))
        peer.send(osc.encode("/scorebridge/submit", (connection.token, "over-osc", source, "mid")))
        heard = [osc.decode(peer.recv(65536))]
        while heard[-1][0] not in ("/scorebridge/done", "/scorebridge/fail"):
            heard.append(osc.decode(peer.recv(65536)))
    assert heard[0][0] == "/scorebridge/accepted"
    address, arguments = heard[-1]
    assert (address, arguments[0], arguments[3]) == ("/scorebridge/done", "over-osc", "mid"), arguments
    assert is_midi_of_four_notes(Path(arguments[4]).read_bytes())
    assert osc.decode(reaper.recv(65536)) == ("/action/str", ("_RS0123",))


def test_after_kill_9_the_client_finds_the_next_daemon_and_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCOREBRIDGE_RUNTIME", str(tmp_path / "runtime"))
    first = start(tmp_path)
    connection_of(tmp_path, first)
    with Client.connect() as client:
        client.translate(CONTENT, "mid", source_format="events", job="before")
        first.send_signal(signal.SIGKILL)
        first.wait()
        second = start(tmp_path)
        try:
            assert is_midi_of_four_notes(client.result("before"))
            assert client.status("before").phase == "done"
            client.shutdown()
            assert second.wait(20) == 0
        finally:
            second.kill()
    assert not (tmp_path / "runtime" / "connection.json").exists()
