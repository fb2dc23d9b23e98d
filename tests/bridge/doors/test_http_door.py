from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from door_thread import DoorThread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from bridge.doors import http_guard
from bridge.doors.door import DoorError
from bridge.doors.http import HttpDoor, HttpOptions

TOKEN = "a-token-of-good-length"
MAX_BODY_BYTES = 1 << 20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorThread]:
    options = HttpOptions(max_body_bytes=MAX_BODY_BYTES)
    with DoorThread(tmp_path_factory.mktemp("echo"), lambda service: HttpDoor(service, TOKEN, options)) as door:
        yield door


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Browser:
    """Sends exactly the headers that a test wants."""

    def __init__(self, port: int) -> None:
        self.port = port

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            sent = {"X-ScoreBridge-Token": TOKEN} | (headers or {})
            content = json.dumps(body).encode() if isinstance(body, dict) else body
            connection.request(method, path, content, sent)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def ask(self, message_type: str, **content: Any) -> Any:
        answer = self.send("POST", "/api/message", {"type": message_type, "content": content})
        assert answer.status == 200
        return answer.json

    def submit(self, job: str, **options: Any) -> Any:
        source = {"kind": "bytes", "format": "mid", "data": base64.b64encode(b"music").decode()}
        return self.ask("submit", job=job, source=source, target="mid", options=options)

    def until_ended(self, job: str) -> dict[str, Any]:
        while True:
            answer = self.send("GET", f"/api/jobs/{job}/events?wait=5").json
            if answer["state"]["phase"] not in ("queued", "running"):
                state: dict[str, Any] = answer["state"]
                return state

    def stream(self, query: str = "", token: str | None = TOKEN, origin: str | None = None) -> ClientConnection:
        protocols = ["scorebridge", *([f"scorebridge.token.{token}"] if token is not None else [])]
        url = f"ws://127.0.0.1:{self.port}/api/events{query}"
        return connect_websocket(url, subprotocols=protocols, origin=origin, open_timeout=5)  # type: ignore[arg-type]


@pytest.fixture
def browser(running: DoorThread) -> Browser:
    return Browser(running.fields["http_port"])


_jobs = iter(range(1_000_000))


def fresh_job() -> str:
    return f"job-{next(_jobs)}"


# ---- who may speak -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "é"])
def test_without_the_token_nothing_is_answered(browser: Browser, running: DoorThread, token: str) -> None:
    before = len(running.service.requests)
    for method, path in [("GET", "/api/jobs"), ("POST", "/api/message"), ("POST", "/api/uploads"), ("GET", "/nothing")]:
        answer = browser.send(method, path, b"{}", {"X-ScoreBridge-Token": token})
        assert answer.status == 401
        assert answer.json["code"] == "unauthorised" and answer.json["hint"]
    assert len(running.service.requests) == before


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "localhost.:{port}"]
)
def test_a_request_meant_for_another_host_is_refused(browser: Browser, host: str) -> None:
    for path in ("/", "/api/jobs"):
        answer = browser.send("GET", path, headers={"Host": host.format(port=browser.port)})
        assert (answer.status, answer.json["code"]) == (403, "host")


def test_two_host_headers_are_refused(browser: Browser) -> None:
    with socket.create_connection(("127.0.0.1", browser.port), timeout=5) as raw:
        host = f"Host: 127.0.0.1:{browser.port}\r\n"
        raw.sendall(f"GET / HTTP/1.1\r\n{host}{host}\r\n".encode())
        assert b" 40" in raw.recv(100)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}", "http://evil:{port}", ""],
)
def test_a_foreign_page_is_refused_whatever_it_knows(browser: Browser, origin: str) -> None:
    answer = browser.send("POST", "/api/message", {"type": "hello"}, {"Origin": origin.format(port=browser.port)})
    assert (answer.status, answer.json["code"]) == (403, "origin")
    with pytest.raises(InvalidStatus):
        browser.stream(origin=origin.format(port=browser.port))


def test_our_own_page_and_programs_without_an_origin_are_heard(browser: Browser) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]"):
        name = f"{host}:{browser.port}"
        answer = browser.send("GET", "/api/jobs", headers={"Host": name, "Origin": f"http://{name}"})
        assert answer.status == 200


def test_no_answer_lets_foreign_pages_read_it(browser: Browser) -> None:
    for answer in (browser.send("GET", "/api/jobs"), browser.send("OPTIONS", "/api/jobs"), browser.send("GET", "/")):
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


# ---- messages ------------------------------------------------------------------------------------------------------


def test_a_message_is_answered_as_json(browser: Browser, running: DoorThread) -> None:
    body = {"type": "hello", "id": "one", "session": "musescore"}
    answer = browser.send("POST", "/api/message", body).json
    assert (answer["type"], answer["parent"], answer["session"]) == ("welcome", "one", "musescore")
    assert (running.service.clients[-1].id, running.service.clients[-1].door) == ("http:musescore", "http")


def test_another_major_version_is_told_what_to_install(browser: Browser) -> None:
    answer = browser.send("POST", "/api/message", {"type": "hello", "version": "2.0"}).json
    assert (answer["type"], answer["content"]["code"]) == ("error", "version")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"type": 5}', b"\xff", b"[" * 100_000, b'{"type":"a","id":""}']
)
def test_what_is_no_message_is_refused_with_a_sentence(browser: Browser, body: bytes) -> None:
    answer = browser.send("POST", "/api/message", body)
    assert (answer.status, answer.json["code"]) == (400, "bad_message")


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_refused(browser: Browser, declared: bool) -> None:
    large = b"x" * (MAX_BODY_BYTES + 1)
    for path in ("/api/message", "/api/uploads?format=wav"):
        answer = browser.send("POST", path, large if declared else iter([large]))
        assert (answer.status, answer.json["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/api/message", 405),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/page.css/../page.js", 404),
        ("GET", "/api/jobs/none", 404),
        ("GET", "/api/jobs/none/events", 404),
        ("GET", "/api/jobs?limit=0", 400),
        ("GET", "/api/jobs?limit=many", 400),
        ("GET", "/api/jobs?limit=99999999999999999999999", 400),
        ("POST", "/api/uploads", 400),
        ("POST", "/api/uploads?format=../x", 400),
    ],
)
def test_errors_are_json_with_code_and_sentence(browser: Browser, method: str, path: str, status: int) -> None:
    answer = browser.send(method, path, b"x" if method == "POST" else None)
    assert answer.status == status
    assert answer.json["code"] and answer.json["message"].endswith(".")


# ---- jobs ----------------------------------------------------------------------------------------------------------


def test_a_job_from_submit_to_its_file(browser: Browser) -> None:
    job = fresh_job()
    assert browser.submit(job)["type"] == "accepted"
    assert browser.until_ended(job)["phase"] == "done"
    state = browser.send("GET", f"/api/jobs/{job}").json
    assert state["phase"] == "done"
    assert browser.send("GET", "/api/jobs?limit=1").json["jobs"] == [state]
    answer = browser.send("GET", f"/api/jobs/{job}/artefacts/echo.mid")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"music", "audio/midi")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert browser.send("GET", f"/api/jobs/{job}/artefacts/other.mid").status == 404
    assert browser.send("GET", f"/api/jobs/{job}/artefacts/..%2fecho.mid").status == 404


def test_a_large_file_is_uploaded_raw_and_used_once(browser: Browser, running: DoorThread) -> None:
    content = bytes(range(256)) * 3000
    source = browser.send("POST", "/api/uploads?format=wav&name=a%20b.wav", content).json["source"]
    assert (source["format"], source["name"]) == ("wav", "a b.wav")
    job = fresh_job()
    assert browser.ask("submit", job=job, source=source, target="wav")["type"] == "accepted"
    browser.until_ended(job)
    assert browser.send("GET", f"/api/jobs/{job}/artefacts/echo.wav").body == content
    again = {"type": "submit", "content": {"job": fresh_job(), "source": source, "target": "wav"}}
    answer = browser.send("POST", "/api/message", again)
    assert (answer.status, answer.json["code"]) == (404, "unknown_upload")


def test_uploads_together_have_a_limit_too(browser: Browser) -> None:
    half = b"x" * (MAX_BODY_BYTES // 2 + 1)
    first = browser.send("POST", "/api/uploads?format=wav", half).json["source"]
    assert browser.send("POST", "/api/uploads?format=wav", half).status == 413
    browser.ask("submit", job=fresh_job(), source=first, target="wav")
    assert browser.send("POST", "/api/uploads?format=wav", b"").json["code"] == "unreadable_file"


def test_events_are_fetched_in_order_by_number_with_one_end(browser: Browser) -> None:
    job, after, types, numbers = fresh_job(), 0, [], []
    browser.submit(job, steps=8, pause_s=0.01)
    while not types or types[-1] != "done":
        answer = browser.send("GET", f"/api/jobs/{job}/events?after={after}&wait=5").json
        types += [event["message"]["type"] for event in answer["events"]]
        numbers += [event["seq"] for event in answer["events"]]
        after = answer["next"]
    assert types == ["progress"] * 8 + ["done"]
    assert numbers == sorted(set(numbers))
    rest = browser.send("GET", f"/api/jobs/{job}/events?after={after}&wait=5").json
    assert (rest["events"], rest["state"]["phase"]) == ([], "done")


def test_numbers_of_an_earlier_run_start_again(browser: Browser) -> None:
    job = fresh_job()
    browser.submit(job)
    browser.until_ended(job)
    answer = browser.send("GET", f"/api/jobs/{job}/events?after=999999&epoch=earlier").json
    assert [event["message"]["type"] for event in answer["events"]] == ["progress", "done"]


def test_waiting_for_an_event_ends_in_time(browser: Browser) -> None:
    job = fresh_job()
    browser.submit(job, hold=True, steps=0)
    started = time.monotonic()
    answer = browser.send("GET", f"/api/jobs/{job}/events?wait=1").json
    assert 0.9 < time.monotonic() - started < 4
    assert (answer["events"], answer["state"]["phase"]) == ([], "running")
    browser.ask("cancel", job=job)
    assert browser.until_ended(job)["phase"] == "cancelled"


# ---- the stream ----------------------------------------------------------------------------------------------------


def words(stream: ClientConnection, job: str) -> list[tuple[int, str]]:
    received: list[tuple[int, str]] = []
    while not received or received[-1][1] not in ("done", "failed", "cancelled"):
        word = json.loads(stream.recv(timeout=5))
        if word["message"]["content"]["job"] == job:
            received.append((word["seq"], word["message"]["type"]))
    return received


def test_the_stream_tells_every_event_and_goes_on_where_it_was_left(browser: Browser) -> None:
    job = fresh_job()
    with browser.stream() as stream:
        first = json.loads(stream.recv(timeout=5))
        assert stream.subprotocol == "scorebridge" and first["lost"] is False
        browser.submit(job, steps=5)
        heard = words(stream, job)
    assert [kind for _, kind in heard] == ["progress"] * 5 + ["done"]
    with browser.stream(f"?since={heard[2][0]}&epoch={first['epoch']}") as again:
        assert json.loads(again.recv(timeout=5)) == {"epoch": first["epoch"], "seq": heard[2][0], "lost": False}
        assert words(again, job) == heard[3:]


def test_a_stream_from_an_earlier_run_is_told_that_events_are_lost(browser: Browser) -> None:
    with browser.stream("?since=5&epoch=earlier") as stream:
        assert json.loads(stream.recv(timeout=5))["lost"] is True


def test_the_token_may_be_the_first_word(browser: Browser) -> None:
    with browser.stream(token=None) as stream:
        stream.send(json.dumps({"token": TOKEN}))
        assert "epoch" in json.loads(stream.recv(timeout=5))


@pytest.mark.parametrize("word", ['{"token": "wrong"}', "{}", "[]", "not json", "[" * 10_000])
def test_a_wrong_first_word_ends_the_stream(browser: Browser, word: str) -> None:
    with browser.stream(token=None) as stream:
        stream.send(word)
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(timeout=5)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401


def test_a_wrong_token_opens_no_stream(browser: Browser) -> None:
    with pytest.raises(InvalidStatus):
        browser.stream(token="wrong")


def test_a_client_that_leaves_its_stream_is_noticed(browser: Browser, running: DoorThread) -> None:
    with browser.stream("?session=musescore-7") as stream:
        stream.recv(timeout=5)
    for _ in range(500):
        if any(client.id == "http:musescore-7" for client in running.service.gone):
            return
        time.sleep(0.01)
    raise AssertionError("nobody noticed")


# ---- the page ------------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing_from_elsewhere(browser: Browser) -> None:
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
        answer = browser.send("GET", path, headers={"X-ScoreBridge-Token": ""})
        assert answer.status == 200 and answer.headers["Content-Type"].startswith(kind)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert not re.findall(rb"(?:https?:)?//[a-z]", answer.body)
        assert TOKEN.encode() not in answer.body


def redeem(browser: Browser, ticket: str) -> Answer:
    return browser.send("POST", "/api/session", {"ticket": ticket}, {"X-ScoreBridge-Token": ""})


def test_a_ticket_opens_the_page_once(browser: Browser) -> None:
    link = browser.send("POST", "/api/tickets").json
    assert link["url"] == f"http://127.0.0.1:{browser.port}/#ticket={link['ticket']}"
    page = {"X-ScoreBridge-Token": redeem(browser, link["ticket"]).json["token"]}
    assert browser.send("GET", "/api/jobs", headers=page).status == 200
    assert redeem(browser, link["ticket"]).json["code"] == "ticket"


def test_a_ticket_runs_out(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_guard, "TICKET_S", -1.0)
    ticket = browser.send("POST", "/api/tickets").json["ticket"]
    assert redeem(browser, ticket).status == 403


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"ticket": 5}', b'{"ticket": ""}', b"[" * 5000])
def test_a_made_up_ticket_opens_nothing(browser: Browser, body: bytes) -> None:
    assert browser.send("POST", "/api/session", body, {"X-ScoreBridge-Token": ""}).status in (400, 403)


def test_the_page_can_look_and_cancel_but_neither_submit_nor_stop_the_daemon(
    browser: Browser, running: DoorThread
) -> None:
    ticket = browser.send("POST", "/api/tickets").json["ticket"]
    page = {"X-ScoreBridge-Token": redeem(browser, ticket).json["token"]}
    job = fresh_job()
    browser.submit(job, hold=True)
    for kind in ("submit", "shutdown", "dance"):
        answer = browser.send("POST", "/api/message", {"type": kind, "content": {"job": job}}, page)
        assert (answer.status, answer.json["code"]) == (403, "not_for_pages")
    assert browser.send("POST", "/api/tickets", headers=page).status == 403
    assert browser.send("POST", "/api/uploads?format=wav", b"x", page).status == 403
    with browser.stream(token=page["X-ScoreBridge-Token"]) as stream:
        stream.recv(timeout=5)
        browser.send("POST", "/api/message", {"type": "cancel", "content": {"job": job}}, page)
        assert words(stream, job)[-1][1] == "cancelled"
    assert not running.service.shut_down.is_set()


# ---- garbage -------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(
        [b"", b"GET / HTTP/1.1\r\n", b"POST /api/message HTTP/1.1\r\n%s", b"GET /api/events HTTP/1.1\r\n%s"]
    ),
    st.one_of(st.binary(max_size=100), st.text(max_size=60).map(lambda text: text.encode() + b"\r\n\r\n")),
)
def test_malformed_requests_leave_the_door_serving(running: DoorThread, start: bytes, garbage: bytes) -> None:
    port = running.fields["http_port"]
    headers = f"Host: 127.0.0.1:{port}\r\nX-ScoreBridge-Token: {TOKEN}\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(start.replace(b"%s", headers) + garbage)
    assert Browser(port).send("GET", "/api/jobs?limit=1").status == 200


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["id", "type", "content", "version", "session"]), st.text() | st.integers()))
def test_malformed_messages_are_answered(running: DoorThread, message: dict[str, Any]) -> None:
    answer = Browser(running.fields["http_port"]).send("POST", "/api/message", message)
    assert answer.status in (200, 400) and answer.json


# ---- opening -------------------------------------------------------------------------------------------------------


def test_a_taken_port_is_said_in_one_sentence(running: DoorThread, tmp_path: Path) -> None:
    port = running.fields["http_port"]
    with pytest.raises(DoorError, match=f"Port {port} for HTTP is in use"):
        DoorThread(tmp_path, lambda service: HttpDoor(service, TOKEN, HttpOptions(port=port))).__enter__()


@pytest.mark.parametrize("token, ip, sentence", [("", "127.0.0.1", "token"), (TOKEN, "0.0.0.0", "not encrypted")])
def test_what_would_not_be_safe_is_not_opened(tmp_path: Path, token: str, ip: str, sentence: str) -> None:
    with pytest.raises(DoorError, match=sentence):
        DoorThread(tmp_path, lambda service: HttpDoor(service, token, HttpOptions(ip=ip))).__enter__()


def test_the_door_closes_though_streams_are_open_and_leaves_no_uploads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with DoorThread(tmp_path, lambda service: HttpDoor(service, TOKEN)) as door:
        browser = Browser(door.fields["http_port"])
        browser.send("POST", "/api/uploads?format=wav", b"x")
        assert len(list(tmp_path.glob("scorebridge-*/*"))) == 1
        with browser.stream() as stream:
            stream.recv(timeout=5)
            started = time.monotonic()
            door.call(door.door.stop())
            assert time.monotonic() - started < 3
            with pytest.raises(ConnectionClosed):
                stream.recv(timeout=5)
    assert not list(tmp_path.glob("scorebridge-*"))
