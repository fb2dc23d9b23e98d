"""Live sessions on every door of the real daemon: ZeroMQ, OSC, HTTP and WebSocket, and the command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mido
import pytest
from band import Ears, Sending, free_port, packets, plucked
from websockets.sync.client import connect

from protocol import osc
from protocol.live import LiveEnded, LiveNote, LiveStart, LiveStarted, LiveState
from protocol.messages import Message

sys.path.append(str(Path(__file__).parents[2] / "end_to_end"))

from running_daemon import RunningDaemon

MELODY = [(0.3 + 0.3 * i, pitch, 0.25) for i, pitch in enumerate((64, 67, 72))]
SECONDS = 1.6


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    """A daemon whose live sessions hear with the tests' own listener."""
    folder = tmp_path_factory.mktemp("doors")
    with pytest.MonkeyPatch.context() as patch:
        here = str(Path(__file__).parent)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")])))
        made = RunningDaemon(folder, LIVE_READER="tone_listener:open_listener", ROOTS=str(folder)).start()
    yield made
    made.close()


def heard(notes: list[LiveNote]) -> list[int]:
    """Pitches of the confirmed notes."""
    return [note.pitch for note in notes if note.phase == "confirmed"]


def test_a_client_hears_a_session_from_its_start_to_its_files(daemon: RunningDaemon) -> None:
    port, live = free_port(), daemon.connected.live
    request = LiveStart.model_validate({"source": f"reastream@{port}", "formats": ["mid"], "lease": 20})
    told = []
    stopping: list[threading.Thread] = []
    for event in live.listen(request):
        told.append(event)
        if isinstance(event, LiveStarted):
            sending = Sending(port, packets(plucked(MELODY, SECONDS)))
        if not stopping and len(heard([e for e in told if isinstance(e, LiveNote)])) == 3:
            stopping.append(threading.Thread(target=live.stop, args=[request.live]))
            stopping[0].start()
    sending.stop()
    stopping[0].join()
    end = told[-1]
    assert heard([e for e in told if isinstance(e, LiveNote)]) == [64, 67, 72]
    assert any(isinstance(e, LiveState) and e.phase == "listening" for e in told)
    assert isinstance(end, LiveEnded)
    assert [a.format for a in end.artefacts] == ["mid"]
    assert live.sessions()[0].live == request.live
    assert {source.kind for source in live.sources(["soundcard"])} == {"soundcard"}


def test_osc_starts_a_session_follows_it_and_stops_it(daemon: RunningDaemon) -> None:
    connection, port = daemon_connection(daemon), free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as me:
        me.settimeout(0.2)

        def say(name: str, *arguments: Any) -> None:
            packet = osc.encode(f"/scorebridge/live/{name}", (connection["token"], *arguments))
            me.sendto(packet, ("127.0.0.1", connection["osc_udp_port"]))

        got: list[tuple[str, tuple[Any, ...]]] = []

        def until(condition: Callable[[], bool]) -> None:
            end_s = time.monotonic() + 40
            while not condition():
                assert time.monotonic() < end_s, got
                try:
                    got.append(osc.decode(me.recv(1 << 16)))
                except TimeoutError:
                    continue

        def of(name: str) -> list[tuple[Any, ...]]:
            return [arguments for address, arguments in got if address == f"/scorebridge/live/{name}"]

        say("start", "by-osc", f"reastream@{port}", "", json.dumps({"formats": []}))
        until(lambda: bool(of("started")))
        sending = Sending(port, packets(plucked(MELODY, SECONDS)))
        until(lambda: sum(note[2] == "confirmed" for note in of("note")) == 3)
        say("keep", "by-osc", 30.0, "mid")
        until(lambda: bool(of("kept")))
        say("status", "by-osc")
        until(lambda: bool(of("state")))
        say("stop", "by-osc")
        until(lambda: bool(of("ended")))
        say("list")
        until(lambda: bool(of("sessions")))
        sending.stop()
        say("start", "bad", "gramophone")
        until(lambda: got[-1][0] == "/scorebridge/fail")
    assert [note[5] for note in of("note") if note[2] == "confirmed"] == [64, 67, 72]
    assert {arguments[0] for address, arguments in got if not address.endswith("state")} == {"by-osc", "bad", ""}
    (kept,) = of("kept")
    assert kept[4] == "mid"
    assert Path(kept[5]).exists()
    assert of("ended")[0][1:3] == ("stopped", 3)


def daemon_connection(daemon: RunningDaemon) -> dict[str, Any]:
    return dict(json.loads(daemon.connection_file.read_text()))


def post(daemon: RunningDaemon, token: str, kind: str, **content: Any) -> tuple[int, dict[str, Any]]:
    port = daemon_connection(daemon)["http_port"]
    body = Message(type=kind, content=content).model_dump_json().encode()
    headers = {"X-ScoreBridge-Token": token, "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/message", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_http_starts_a_session_and_its_notes_come_over_the_websocket(daemon: RunningDaemon) -> None:
    connection, port = daemon_connection(daemon), free_port()
    address = f"ws://127.0.0.1:{connection['http_port']}/api/events"
    with connect(address, subprotocols=["scorebridge", f"scorebridge.token.{connection['token']}"]) as stream:  # type: ignore[list-item]
        stream.recv(timeout=10)
        fields = {"live": "by-http", "source": {"kind": "reastream", "port": port}, "formats": []}
        status, answer = post(daemon, connection["token"], "live.start", **fields)
        assert (status, answer["type"]) == (200, "live.started")
        sending = Sending(port, packets(plucked(MELODY, SECONDS)))
        notes: list[LiveNote] = []
        while len(heard(notes)) < 3:
            message = Message.model_validate(json.loads(stream.recv(timeout=40))["message"])
            content = message.parsed()
            if isinstance(content, LiveNote):
                notes.append(content)
        sending.stop()
    assert heard(notes) == [64, 67, 72]
    assert post(daemon, connection["token"], "live.stop", live="by-http")[1]["content"]["reason"] == "stopped"
    assert post(daemon, connection["token"], "live.stop", live="nobody")[1]["content"]["code"] == "unknown_live"


def test_a_page_may_hold_sessions_but_reads_no_files_and_sends_nothing_away(daemon: RunningDaemon) -> None:
    connection = daemon_connection(daemon)
    base = f"http://127.0.0.1:{connection['http_port']}/api"
    ticket = urllib.request.Request(f"{base}/tickets", b"", {"X-ScoreBridge-Token": connection["token"]})
    with urllib.request.urlopen(ticket) as answer:
        body = json.dumps({"ticket": json.load(answer)["ticket"]}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{base}/session", body)) as answer:
        page = json.load(answer)["token"]
    here = f"reastream@{free_port()}"
    refused = [
        post(daemon, page, "live.start", source="file:/etc/passwd"),
        post(daemon, page, "live.start", source="recording:/etc/passwd"),
        post(daemon, page, "live.start", source=here, destinations=["osc:203.0.113.5:9000"]),
    ]
    assert [(status, answer["code"]) for status, answer in refused] == [(403, "not_for_pages")] * 3
    status, answer = post(daemon, page, "live.start", live="page", source=here, destinations=["reaper"], formats=[])
    assert (status, answer["type"]) == (200, "live.started")
    assert post(daemon, page, "live.stop", live="page")[1]["type"] == "live.ended"


def test_the_command_line_shows_notes_and_ctrl_c_writes_the_files(daemon: RunningDaemon, tmp_path: Path) -> None:
    port, ears = free_port(), Ears()
    words = ["--from", f"reastream@{port}", "--to", f"reaper:{ears.port}", "--to", "take.mid"]
    program = str(Path(sys.executable).with_name("scorebridge"))
    environment = {**daemon.environment, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    command = subprocess.Popen(
        [program, "live", *words],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert command.stdout is not None
        end_s = time.monotonic() + 40
        while not any(state.phase == "listening" for state in daemon.connected.live.sessions()):
            assert time.monotonic() < end_s
            time.sleep(0.05)
        sending = Sending(port, packets(plucked(MELODY, SECONDS)))
        lines = [command.stdout.readline() for _ in MELODY]
        sending.wait()
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)
    finally:
        command.kill()
        ears.close()
    assert command.returncode == 0, said
    assert [line.split()[2] for line in lines] == ["E4", "G4", "C5"]
    assert "3 notes in" in said
    assert not ears.down
    struck = [m.note for m in mido.MidiFile(tmp_path / "take.mid") if m.type == "note_on" and m.velocity]
    assert struck == [64, 67, 72]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--from", "gramophone"], "'gramophone' cannot be used."),
        (["--to", "take.mid"], "Say what to listen to."),
        (["--from", "reastream", "--to", "gramophone"], "Notes cannot be sent to 'gramophone'."),
        (["--from", "file:nothing.wav"], "There is no file"),
    ],
)
def test_the_command_line_refuses_in_a_sentence(
    daemon: RunningDaemon, tmp_path: Path, words: list[str], sentence: str
) -> None:
    program = str(Path(sys.executable).with_name("scorebridge"))
    environment = {**daemon.environment, "COLUMNS": "200"}
    done = subprocess.run(
        [program, "live", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
