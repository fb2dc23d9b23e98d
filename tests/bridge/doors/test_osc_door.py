from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from door_thread import DoorThread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.doors import osc as osc_door
from bridge.doors.door import DoorError
from bridge.doors.notify import Notify
from bridge.doors.osc import OscDoor, OscOptions
from protocol import osc, slip

TOKEN = "a token of good length"
FAIL = "/scorebridge/fail"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorThread]:
    with DoorThread(tmp_path_factory.mktemp("echo"), lambda service: OscDoor(service, TOKEN)) as door:
        yield door


class UdpPeer:
    def __init__(self, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(5)
        if port:
            self.socket.connect(("127.0.0.1", port))
        else:
            self.socket.bind(("127.0.0.1", 0))

    def send_packet(self, packet: bytes) -> None:
        self.socket.send(packet)

    def send(self, name: str, *arguments: Any) -> None:
        self.send_packet(osc.encode(f"/scorebridge/{name}", arguments))

    def receive(self) -> tuple[str, tuple[Any, ...]]:
        return osc.decode(self.socket.recv(65536))

    def ask(self, name: str, *arguments: Any) -> tuple[str, tuple[Any, ...]]:
        self.send(name, *arguments)
        return self.receive()

    def hears_nothing(self) -> bool:
        self.socket.settimeout(0.1)
        try:
            self.receive()
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(5)
        return False

    def close(self) -> None:
        self.socket.close()


class TcpPeer(UdpPeer):
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._decoder = slip.SlipDecoder(osc.MAX_PACKET_BYTES)
        self._packets: list[Any] = []

    def send_packet(self, packet: bytes) -> None:
        self.socket.sendall(slip.encode(packet))

    def receive(self) -> tuple[str, tuple[Any, ...]]:
        while not self._packets:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError
            self._packets += self._decoder.feed(data)
        return osc.decode(self._packets.pop(0))


@pytest.fixture(params=["udp", "tcp"])
def connect(running: DoorThread, request: pytest.FixtureRequest) -> Iterator[Callable[[], UdpPeer]]:
    peers: list[UdpPeer] = []

    def make() -> UdpPeer:
        kind = UdpPeer if request.param == "udp" else TcpPeer
        peers.append(kind(running.fields[f"osc_{request.param}_port"]))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


_jobs = iter(range(1_000_000))


def fresh_job() -> str:
    return f"job-{next(_jobs)}"


def test_hello_says_who_is_there_even_without_a_token(connect: Callable[[], UdpPeer]) -> None:
    assert connect().ask("hello") == ("/scorebridge/welcome", ("", "echo 1", "1.0"))
    assert connect().ask("hello", TOKEN)[0] == "/scorebridge/welcome"
    assert connect().ask("hello", "wrong")[0] == FAIL


def test_a_jobs_events_go_to_its_submitter_in_order_with_one_end(connect: Callable[[], UdpPeer]) -> None:
    peer, other, job = connect(), connect(), fresh_job()
    other.ask("hello")
    options = json.dumps({"steps": 5, "clip": {"offset": 1.5, "playrate": 2}})
    assert peer.ask("submit", TOKEN, job, "/tmp/a b 'é'.wav", "mid,wav", options) == ("/scorebridge/accepted", (job, 0))
    events = [peer.receive() for _ in range(6)]
    assert events[:5] == [("/scorebridge/progress", (job, "echo", float(n), 5.0, "")) for n in range(1, 6)]
    address, arguments = events[5]
    assert (address, arguments[0], arguments[3::2]) == ("/scorebridge/done", job, ("mid", "wav"))
    assert json.loads(Path(arguments[4]).read_bytes())["offset"] == 1.5
    assert peer.hears_nothing() and other.hears_nothing()


def test_submitting_again_answers_with_the_state_and_repeats_no_event(connect: Callable[[], UdpPeer]) -> None:
    peer, job = connect(), fresh_job()
    peer.send("submit", TOKEN, job, "/tmp/x.wav", "mid")
    while peer.receive()[0] != "/scorebridge/done":
        pass
    address, arguments = peer.ask("submit", TOKEN, job, "/tmp/x.wav", "mid")
    assert (address, arguments[:2]) == ("/scorebridge/state", (job, "done"))
    assert peer.hears_nothing()


def test_a_job_can_be_watched_and_cancelled(connect: Callable[[], UdpPeer]) -> None:
    peer, job = connect(), fresh_job()
    peer.send("submit", TOKEN, job, "/tmp/x.wav", "mid", '{"hold": true, "steps": 0}')
    assert peer.receive()[0] == "/scorebridge/accepted"
    assert peer.ask("status", TOKEN, job)[1][:2] == (job, "running")
    assert peer.ask("jobs", TOKEN, 1000, 1)[0] == "/scorebridge/joblist"
    listed = peer.receive()
    assert (listed[0], listed[1][:2]) == ("/scorebridge/state", (job, "running"))
    answers = {peer.ask("cancel", TOKEN, job)[0], peer.receive()[0]}
    assert answers == {"/scorebridge/state", "/scorebridge/cancelled"}


def test_a_failed_job_says_why_with_its_id_first(connect: Callable[[], UdpPeer]) -> None:
    peer, job = connect(), fresh_job()
    peer.send("submit", TOKEN, job, "/tmp/x.wav", "mid", '{"fail": "It is silent.", "steps": 0}')
    peer.receive()
    assert peer.receive() == (FAIL, (job, "failed", "It is silent.", "", ""))


@pytest.mark.parametrize(
    "arguments",
    [(), ("",), ("wrong", "j", "/p", "mid"), ("", "j", "/p", "mid"), (TOKEN + "x", "j", "/p", "mid"), (5, "j")],
)
def test_without_the_token_nothing_is_done(
    connect: Callable[[], UdpPeer], running: DoorThread, arguments: tuple[Any, ...]
) -> None:
    before = len(running.service.requests)
    address, answer = connect().ask("submit", *arguments)
    assert address == FAIL and answer[2].endswith(".")
    assert answer[0] == ("j" if len(arguments) > 1 else "")
    for name in ("status", "cancel", "jobs", "shutdown"):
        assert connect().ask(name, "wrong", "j")[0] == FAIL
    assert len(running.service.requests) == before


def test_an_unknown_job_is_named_in_the_answer(connect: Callable[[], UdpPeer]) -> None:
    answer = connect().ask("status", TOKEN, "nobody")
    assert answer == (FAIL, ("nobody", "unknown_job", "There is no job nobody.", "", "/scorebridge/status"))


@pytest.mark.parametrize(
    "packet, sentence",
    [
        (b"abc", "not an OSC message"),
        (b"\0" * 8, "not an OSC message"),
        (b"#bundle\0" + b"\0" * 7 + b"\1", "Bundles are not taken"),
        (b"/scorebridge/status\0,s\0\0abcd", "not an OSC message"),
        (b"/a\0\0,b\0\0" + b"\0" * 60_100, "more than 60000 bytes"),
        (osc.encode("/other", ()), "not known"),
        (osc.encode("/scorebridge/status", (TOKEN, 7)), "not text"),
    ],
)
def test_odd_packets_are_answered_with_a_sentence(connect: Callable[[], UdpPeer], packet: bytes, sentence: str) -> None:
    peer = connect()
    peer.send_packet(packet)
    address, arguments = peer.receive()
    assert address == FAIL and sentence in arguments[2]
    assert peer.ask("hello")[0] == "/scorebridge/welcome"


def test_answers_are_never_answered(connect: Callable[[], UdpPeer]) -> None:
    peer = connect()
    for address in osc.ANSWERS:  # or two daemons would talk to each other for ever
        peer.send_packet(osc.encode(address, ("j",)))
    assert peer.hears_nothing()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=120),
    st.sampled_from(
        [b"", b"/", b"#bundle\0", b"/scorebridge/submit\0,ss\0", b"/scorebridge/status\0,sifTFN[]\0\0\0\0"]
    ),
)
def test_malformed_datagrams_leave_the_door_serving(running: DoorThread, garbage: bytes, start: bytes) -> None:
    peer = UdpPeer(running.fields["osc_udp_port"])
    try:
        peer.send_packet(start + garbage)
        assert peer.receive()[0] == FAIL
        assert peer.ask("hello")[0] == "/scorebridge/welcome"
    finally:
        peer.close()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=200))
def test_malformed_streams_leave_the_door_serving(running: DoorThread, garbage: bytes) -> None:
    peer = TcpPeer(running.fields["osc_tcp_port"])
    try:
        peer.socket.sendall(garbage)
        peer.send("hello")
        while peer.receive()[0] != "/scorebridge/welcome":
            pass
    finally:
        peer.close()


def test_a_client_that_hangs_up_is_noticed_and_its_job_goes_on(running: DoorThread) -> None:
    peer, job = TcpPeer(running.fields["osc_tcp_port"]), fresh_job()
    peer.ask("submit", TOKEN, job, "/tmp/x.wav", "mid", '{"steps": 20, "pause_s": 0.01}')
    client = running.service.clients[-1]
    peer.close()
    for _ in range(500):
        if client in running.service.gone and running.service.states[job].phase == "done":
            break
        time.sleep(0.01)
    assert client in running.service.gone
    assert running.service.states[job].phase == "done"


def test_a_client_that_does_not_read_is_cut_off_and_holds_nobody_up(
    running: DoorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osc_door, "MAX_UNREAD_BYTES", 100_000)
    with socket.socket() as lazy, contextlib.closing(UdpPeer(running.fields["osc_udp_port"])) as peer:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.settimeout(60)
        lazy.connect(("127.0.0.1", running.fields["osc_tcp_port"]))
        with pytest.raises(ConnectionError):
            for _ in range(1000):  # each packet is answered, and none of the answers is read
                lazy.sendall(slip.encode(b"abc") * 1000)
        assert peer.ask("hello")[0] == "/scorebridge/welcome"


def test_a_stream_of_tiny_packets_holds_nobody_up(running: DoorThread) -> None:
    with socket.socket() as busy, contextlib.closing(UdpPeer(running.fields["osc_udp_port"])) as peer:
        busy.connect(("127.0.0.1", running.fields["osc_tcp_port"]))
        busy.sendall(slip.encode(b"abc") * 20_000)
        started = time.monotonic()
        peer.ask("hello")
        waited_s = time.monotonic() - started
        peer.ask("hello")
        busy.shutdown(socket.SHUT_WR)
        while busy.recv(1 << 20):
            pass
        assert waited_s < (time.monotonic() - started) / 2


def test_reaper_is_told_to_run_an_action_when_a_job_is_done(tmp_path: Path) -> None:
    reaper = UdpPeer()
    notify = [
        Notify.parse(f"127.0.0.1:{reaper.socket.getsockname()[1]}/action/str _RS0123abc"),
        Notify("127.0.0.1", reaper.socket.getsockname()[1], "/note", ("{job} {event}",), frozenset({"failed"})),
    ]
    with DoorThread(tmp_path, lambda service: OscDoor(service, TOKEN, OscOptions(notify=notify))) as door:
        peer = UdpPeer(door.fields["osc_udp_port"])
        peer.send("submit", TOKEN, "good", "/tmp/x.wav", "mid")
        assert reaper.receive() == ("/action/str", ("_RS0123abc",))
        peer.send("submit", TOKEN, "bad", "/tmp/x.wav", "mid", '{"fail": "No."}')
        assert reaper.receive() == ("/note", ("bad failed",))
        assert reaper.hears_nothing()
        peer.close()
    reaper.close()


def test_a_target_without_an_address_hears_every_event(tmp_path: Path) -> None:
    screen = UdpPeer()
    notify = [Notify.parse(f"127.0.0.1:{screen.socket.getsockname()[1]}")]
    with DoorThread(tmp_path, lambda service: OscDoor(service, TOKEN, OscOptions(notify=notify))) as door:
        peer = UdpPeer(door.fields["osc_udp_port"])
        peer.send("submit", TOKEN, "j", "/tmp/x.wav", "mid")
        assert [screen.receive()[0] for _ in range(2)] == ["/scorebridge/progress", "/scorebridge/done"]
        peer.close()
    screen.close()


@pytest.mark.parametrize("text", ["", "here", "here:", ":80", "here:0", "here:65536", "here:1x/a"])
def test_a_notification_without_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(DoorError, match="whom to notify"):
        Notify.parse(text)


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_a_taken_port_is_said_in_one_sentence(running: DoorThread, tmp_path: Path, kind: str) -> None:
    port = running.fields[f"osc_{kind}_port"]
    options = OscOptions(**{f"{kind}_port": port})
    with pytest.raises(DoorError, match=f"Port {port} for OSC over {kind.upper()} is in use"):
        DoorThread(tmp_path, lambda service: OscDoor(service, TOKEN, options)).__enter__()


@pytest.mark.parametrize("token, ip, sentence", [("", "127.0.0.1", "token"), (TOKEN, "0.0.0.0", "not encrypted")])
def test_what_would_not_be_safe_is_not_opened(tmp_path: Path, token: str, ip: str, sentence: str) -> None:
    with pytest.raises(DoorError, match=sentence):
        DoorThread(tmp_path, lambda service: OscDoor(service, token, OscOptions(ip=ip))).__enter__()
