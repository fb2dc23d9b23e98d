from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from door_thread import DoorThread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.doors.door import DoorError
from bridge.doors.zeromq import ZeroMQDoor, ZeroMQOptions
from protocol import wire
from protocol.connection import new_key
from protocol.messages import Content, Hello, Jobs, Message, NotesSource, Result, Shutdown, Status, Submit

KEY = new_key().encode()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorThread]:
    with DoorThread(tmp_path_factory.mktemp("echo"), lambda service: ZeroMQDoor(service, KEY)) as door:
        yield door


@pytest.fixture(scope="module")
def context() -> Iterator[zmq.Context[Any]]:
    context: zmq.Context[Any] = zmq.Context()
    yield context
    context.destroy(linger=0)


class Peer:
    """One DEALER that says exactly what a test wants."""

    def __init__(self, context: zmq.Context[Any], port: int) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.RCVTIMEO, 5000)
        self.socket.connect(f"tcp://127.0.0.1:{port}")

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    def receive(self) -> wire.Envelope:
        return wire.decode(self.socket.recv_multipart(), KEY)

    def ask(self, request: Content | Message, buffers: tuple[bytes, ...] = ()) -> Message:
        message = request if isinstance(request, Message) else Message.of(request, session="tests")
        self.send(*wire.encode(message, KEY, buffers))
        answer = self.receive().message
        assert answer.parent == message.id
        return answer


@pytest.fixture(scope="module")
def requests(running: DoorThread, context: zmq.Context[Any]) -> Peer:
    return Peer(context, running.fields["requests_port"])


@pytest.fixture(scope="module")
def control(running: DoorThread, context: zmq.Context[Any]) -> Peer:
    return Peer(context, running.fields["control_port"])


def code(answer: Message) -> str:
    assert answer.type == "error"
    return str(answer.content["code"])


def test_a_signed_request_is_answered_to_its_session(requests: Peer, running: DoorThread) -> None:
    answer = requests.ask(Hello())
    assert (answer.type, answer.session) == ("welcome", "tests")
    assert running.service.clients[-1].door == "zeromq"
    assert running.service.clients[-1].id == "tests"


def test_buffers_travel_both_ways(requests: Peer, running: DoorThread) -> None:
    content = bytes(range(256)) * 8000  # large enough to be hashed in a thread
    source = {"kind": "bytes", "format": "mid"}
    submit = Submit.model_validate({"job": "buffers", "source": source, "target": "mid"})
    assert requests.ask(submit, (content,)).type == "accepted"
    wait_for(requests, "buffers")
    requests.send(*wire.encode(Message.of(Result(job="buffers")), KEY))
    assert requests.receive().buffers == (content,)


def wait_for(peer: Peer, job: str) -> dict[str, Any]:
    for _ in range(500):
        state = peer.ask(Status(job=job)).content
        if state["phase"] not in ("queued", "running"):
            return state
        time.sleep(0.01)
    raise AssertionError(f"{job} does not end")


def test_a_message_signed_with_another_key_never_reaches_the_service(requests: Peer, running: DoorThread) -> None:
    before = len(running.service.requests)
    requests.send(*wire.encode(Message.of(Shutdown()), b"another key"))
    assert code(requests.receive().message) == "bad_signature"
    assert len(running.service.requests) == before


def test_a_changed_buffer_never_reaches_the_service(requests: Peer, running: DoorThread) -> None:
    before = len(running.service.requests)
    frames = wire.encode(Message.of(Hello()), KEY, (b"sound",))
    requests.send(*frames[:-1], b"noise")
    assert code(requests.receive().message) == "bad_signature"
    assert len(running.service.requests) == before


def test_a_recorded_message_is_refused_on_both_sockets(requests: Peer, control: Peer, running: DoorThread) -> None:
    frames = wire.encode(Message.of(Hello()), KEY)
    requests.send(*frames)
    assert requests.receive().message.type == "welcome"
    before = len(running.service.requests)
    for peer in (requests, control):
        peer.send(*frames)
        assert code(peer.receive().message) == "replayed"
    assert len(running.service.requests) == before


def test_an_old_message_is_refused_with_the_time_it_is_here(requests: Peer) -> None:
    requests.send(*wire.encode(Message.of(Hello()), KEY, sent_s=time.time() - 3600))
    envelope = requests.receive()
    assert code(envelope.message) == "stale"
    assert abs(envelope.sent_s - time.time()) < 5


def test_another_major_version_is_told_what_to_install(requests: Peer) -> None:
    answer = requests.ask(Message.of(Hello()).model_copy(update={"version": "2.0"}))
    assert code(answer) == "version"
    assert "pip install" in answer.content["hint"]


def test_a_newer_minor_version_is_welcome(requests: Peer) -> None:
    assert requests.ask(Message.of(Hello()).model_copy(update={"version": "1.99"})).type == "welcome"


def test_unknown_types_are_named(requests: Peer) -> None:
    answer = requests.ask(Message(type="dance"))
    assert code(answer) == "unknown_type" and "dance" in answer.content["message"]


def test_control_answers_only_what_never_waits(control: Peer) -> None:
    assert control.ask(Jobs()).type == "job_list"
    submit = Submit(job="c", source=NotesSource(document={}), target=["mid"])
    assert code(control.ask(submit)) == "not_control"


def test_a_fault_of_the_service_is_an_answer(
    requests: Peer, running: DoorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(running.service, "handle", broken)
    assert code(requests.ask(Hello())) == "internal"


def test_events_come_in_order_with_one_end(requests: Peer, running: DoorThread, context: zmq.Context[Any]) -> None:
    with context.socket(zmq.SUB) as events:
        events.setsockopt(zmq.RCVTIMEO, 5000)
        events.subscribe(b"events-1")
        events.connect(f"tcp://127.0.0.1:{running.fields['events_port']}")
        time.sleep(0.1)
        options = {"steps": 20}
        requests.ask(Submit(job="events-1", source=NotesSource(document={}), target=["mid"], options=options))
        received = [wire.decode(events.recv_multipart(), KEY) for _ in range(21)]
        assert all(envelope.identity == (b"events-1",) for envelope in received)
        assert [envelope.message.content.get("current") for envelope in received[:20]] == list(range(1, 21))
        assert received[20].message.type == "done"
        events.setsockopt(zmq.RCVTIMEO, 100)
        with pytest.raises(zmq.Again):
            events.recv_multipart()


def test_a_subscriber_that_does_not_read_holds_nobody_up(
    requests: Peer, running: DoorThread, context: zmq.Context[Any]
) -> None:
    with context.socket(zmq.SUB) as lazy:
        lazy.setsockopt(zmq.RCVHWM, 1)
        lazy.setsockopt(zmq.LINGER, 0)
        lazy.subscribe(b"")
        lazy.connect(f"tcp://127.0.0.1:{running.fields['events_port']}")
        time.sleep(0.1)
        started = time.perf_counter()
        options = {"steps": 10_000}
        requests.ask(Submit(job="many", source=NotesSource(document={}), target=["mid"], options=options))
        assert requests.ask(Hello()).type == "welcome"
        assert wait_for(requests, "many")["phase"] == "done"
        assert time.perf_counter() - started < 30


def test_the_heartbeat_repeats_what_it_hears(running: DoorThread, context: zmq.Context[Any]) -> None:
    with context.socket(zmq.REQ) as heart:
        heart.setsockopt(zmq.RCVTIMEO, 5000)
        heart.connect(f"tcp://127.0.0.1:{running.fields['heartbeat_port']}")
        for beat in (b"ping", b""):
            heart.send(beat)
            assert heart.recv() == beat


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=7), st.integers(0, 3))
def test_malformed_frames_leave_the_door_serving(
    running: DoorThread, requests: Peer, control: Peer, frames: list[bytes], signed: int
) -> None:
    peer = control if signed % 2 else requests
    before = sum(running.door.dropped.values())  # type: ignore[attr-defined]
    if signed >= 2:  # frames that carry a good signature over nonsense
        frames = [wire.DELIMITER, wire.sign(KEY, frames[0], b"".join(frames)), frames[0], b"".join(frames)]
    peer.send(*frames)
    if wire.DELIMITER in frames:
        assert peer.receive().message.type == "error"
    assert peer.ask(Hello()).type == "welcome"
    dropped = sum(running.door.dropped.values()) - before  # type: ignore[attr-defined]
    assert dropped == (0 if wire.DELIMITER in frames else 1)


def test_a_frame_over_the_limit_ends_that_connection_alone(
    control: Peer, running: DoorThread, context: zmq.Context[Any]
) -> None:
    flooder = Peer(context, running.fields["control_port"])
    flooder.socket.setsockopt(zmq.LINGER, 0)
    flooder.send(wire.DELIMITER, b"x" * (1 << 20))
    assert control.ask(Hello()).type == "welcome"
    flooder.socket.setsockopt(zmq.RCVTIMEO, 200)
    with pytest.raises(zmq.Again):
        flooder.receive()
    flooder.socket.close()


def test_a_taken_port_is_said_in_one_sentence(running: DoorThread, tmp_path: Path) -> None:
    port = running.fields["requests_port"]
    options = ZeroMQOptions(requests_port=port)
    with pytest.raises(DoorError, match=f"Port {port} for ZeroMQ requests is in use"):
        DoorThread(tmp_path, lambda service: ZeroMQDoor(service, KEY, options)).__enter__()


@pytest.mark.parametrize(
    "key, options, sentence",
    [
        (b"", ZeroMQOptions(), "needs a key"),
        (KEY, ZeroMQOptions(ip="0.0.0.0"), "without encryption"),
        (KEY, ZeroMQOptions(ip="::"), "without encryption"),
        (KEY, ZeroMQOptions(ip="192.0.2.7"), "without encryption"),
        (KEY, ZeroMQOptions(ip="example.org"), "not an IP address"),
        (KEY, ZeroMQOptions(ip="127.0.0.1", requests_port=1 << 16), "cannot be opened"),
    ],
)
def test_what_would_not_be_safe_is_not_opened(
    tmp_path: Path, key: bytes, options: ZeroMQOptions, sentence: str
) -> None:
    with pytest.raises(DoorError, match=sentence):
        DoorThread(tmp_path, lambda service: ZeroMQDoor(service, key, options)).__enter__()


def test_an_answer_under_way_is_sent_before_the_door_closes(tmp_path: Path, context: zmq.Context[Any]) -> None:
    with DoorThread(tmp_path, lambda service: ZeroMQDoor(service, KEY)) as door:
        peer = Peer(context, door.fields["requests_port"])
        peer.ask(Hello())
        peer.send(*wire.encode(Message.of(Shutdown()), KEY))
        while not door.service.shut_down.is_set():
            time.sleep(0.001)
    assert peer.receive().message.type == "ok"
    peer.socket.close()
