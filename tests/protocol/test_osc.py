from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import osc
from protocol.live_score import LiveBars, LiveTempo
from protocol.messages import (
    Accepted,
    Artefact,
    BytesSource,
    Cancel,
    Cancelled,
    Content,
    Done,
    Error,
    Failed,
    Hello,
    JobList,
    Jobs,
    LiveNote,
    NotesSource,
    Ok,
    Partial,
    PathSource,
    Progress,
    Rejected,
    ResultData,
    Shutdown,
    State,
    Status,
    Submit,
    Welcome,
)

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
ARGUMENTS = st.lists(
    st.one_of(TEXT, st.integers(-(2**63), 2**63 - 1), FLOATS, st.booleans(), st.binary(min_size=1, max_size=40)),
    max_size=6,
)
JOBS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}", fullmatch=True)
TARGETS = st.lists(st.sampled_from(["mid", "musicxml", "wav", "png"]), min_size=1, unique=True)
OPTIONS = st.dictionaries(
    st.sampled_from(["engine", "quantise", "seed"]), st.one_of(TEXT, st.integers(-1000, 1000), st.booleans())
)
PATH_SOURCES = st.builds(
    PathSource,
    path=TEXT.filter(bool).map(lambda name: "/" + name),
    offset=st.floats(0, 1e6),
    duration=st.none() | st.floats(0.01, 1e6),
    playrate=st.floats(0.01, 100),
    reverse=st.booleans(),
)
SOURCES = st.one_of(
    PATH_SOURCES,
    st.builds(NotesSource, document=st.dictionaries(TEXT, st.integers(0, 127), max_size=3)),
    st.builds(BytesSource, format=st.just("mid"), data=st.just("AAAA")),
)
REQUESTS = st.one_of(
    st.builds(Submit, job=JOBS, source=SOURCES, target=TARGETS, options=OPTIONS, lease=st.none() | st.floats(1, 100)),
    st.builds(Status, job=JOBS),
    st.builds(Cancel, job=JOBS),
    st.builds(Jobs, limit=st.integers(1, 1000), active=st.booleans()),
    st.builds(Shutdown, wait=st.booleans()),
    st.just(Hello(client="osc")),
    st.builds(
        LiveTempo,
        live=JOBS,
        tempo_map=st.none() | st.just({"points": [[0.0, 0.0], [0.5, 1.0]]}),
        at=st.none() | st.floats(1.5e9, 2e9),
    ),
)
FILE = Artefact(name="a.mid", format="mid", path="/x/a.mid", size=1, sha256="0")


@given(st.from_regex(r"/[a-z]{1,9}(/[a-z0-9]{1,9}){0,3}", fullmatch=True), ARGUMENTS)
def test_packets_come_back(address: str, arguments: list[Any]) -> None:
    assert osc.decode(osc.encode(address, arguments)) == (address, tuple(arguments))


@given(REQUESTS, TEXT)
def test_requests_come_back(content: Content, token: str) -> None:
    packet = osc.encode(*osc.write_request(content, token))
    assert osc.read_request(*osc.decode(packet)) == osc.Request(token, content)


@pytest.mark.parametrize(
    "content, address, arguments",
    [
        (Welcome(server="s 1"), "welcome", ("", "s 1", "1.0")),
        (Ok(), "ok", ("",)),
        (Accepted(job="j", position=3), "accepted", ("j", 3)),
        (Rejected(job="j", code="c", message="m", hint="h"), "fail", ("j", "c", "m", "h", "/r")),
        (Error(code="c", message="m"), "fail", ("", "c", "m", "", "/r")),
        (Failed(job="j", code="c", message="m"), "fail", ("j", "c", "m", "", "")),
        (Progress(job="j", stage="s", current=1, total=4), "progress", ("j", "s", 1.0, 4.0, "")),
        (Partial(job="j", notes=[(0.5, 1.0, 60, 80)]), "partial", ("j", 0.5, 1.0, 60, 80)),
        (
            Done(job="j", artefacts=[FILE], engine="e", warnings=["a", "b"]),
            "done",
            ("j", "e", "a\nb", "mid", "/x/a.mid"),
        ),
        (Cancelled(job="j", message="m"), "cancelled", ("j", "m")),
        (
            State(job="j", phase="running", stage="s", current=1, total=2, position=0),
            "state",
            ("j", "running", "s", 1.0, 2.0, "", 0),
        ),
        (
            LiveNote(live="l", note="n", phase="confirmed", onset=0.5, pitch=60),
            "live/note",
            ("l", "n", "confirmed", 0.5, -1.0, 60, 80, 1.0),
        ),
        (
            LiveBars(
                live="l", version=7, first=1, last=9, numerator=6, denominator=8, fifths=-2, tempo=90, seconds=18.5
            ),
            "live/bars",
            ("l", 9, 6, 8, -2, "", 90.0, 18.5),
        ),
    ],
)
def test_what_the_daemon_says_has_the_job_first(content: Content, address: str, arguments: tuple[Any, ...]) -> None:
    assert osc.write_answer(content, "/r") == [(f"/scorebridge/{address}", arguments)]
    osc.encode(*osc.write_answer(content)[0])


def test_a_list_of_jobs_is_a_count_and_a_state_for_each() -> None:
    states = [State(job="b", phase="queued"), State(job="a", phase="done", artefacts=[FILE])]
    addresses = [(address, arguments[:2]) for address, arguments in osc.write_answer(JobList(jobs=states))]
    assert addresses == [
        ("/scorebridge/joblist", ("", 2)),
        ("/scorebridge/state", ("b", "queued")),
        ("/scorebridge/state", ("a", "done")),
    ]


def test_every_address_the_daemon_uses_is_known_as_its_own() -> None:
    assert "/scorebridge/fail" in osc.ANSWERS and "/scorebridge/submit" not in osc.ANSWERS
    with pytest.raises(osc.OscError):
        osc.write_answer(ResultData(job="j", artefact=FILE))
    with pytest.raises(osc.OscError):
        osc.write_request(Ok(), "t")


@pytest.mark.parametrize(
    "name, arguments, sentence",
    [
        ("nothing", ("t",), "not known"),
        ("submit", (), "token"),
        ("submit", ("t", "j", "/p"), "target"),
        ("submit", ("t", "j", 5, "mid"), "path, is not text"),
        ("submit", (7, "j", "/p", "mid"), "token, is not text"),
        ("submit", ("t", "j", "/p", "mid", "{"), "not JSON"),
        ("submit", ("t", "j", "/p", "mid", "[]"), "not a JSON object"),
        ("submit", ("t", "j", "/p", "mid", '{"clip": 3}'), "not a JSON object"),
        ("submit", ("t", "j", "/p", "mid", "[" * 5000), "not JSON"),
        ("submit", ("t", "j", "/p", "doc"), "target"),
        ("submit", ("t", "bad id", "/p", "mid"), "job"),
        ("submit", ("t", "j", "/p", "mid", json.dumps({"clip": {"offset": -1}})), "offset"),
        ("status", ("t", 1.5), "job, is not text"),
        ("jobs", ("t", "many"), "limit, is not a whole number"),
        ("jobs", ("t", 0), "limit"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_with_a_sentence(
    name: str, arguments: tuple[Any, ...], sentence: str
) -> None:
    with pytest.raises(osc.OscError, match=sentence):
        osc.read_request(f"/scorebridge/{name}", arguments)


@given(st.binary(max_size=120))
def test_garbage_is_refused(garbage: bytes) -> None:
    for packet in (garbage, b"/scorebridge/hello\0\0," + garbage, b"#bundle\0" + garbage):
        try:
            osc.decode(packet)
        except osc.OscError:
            continue
        assert packet.startswith(b"/")


def test_text_with_a_zero_byte_cannot_cut_a_message_short() -> None:
    assert osc.decode(osc.encode("/a", ["one\0two", 5])) == ("/a", ("onetwo", 5))


def test_a_packet_that_is_too_large_is_refused_on_both_ways() -> None:
    with pytest.raises(osc.OscError, match="60000"):
        osc.encode("/a", [b"x" * 60_000])
    with pytest.raises(osc.OscError, match="60000"):
        osc.decode(b"/a\0\0,b\0\0" + b"\0" * 60_000)


def test_a_live_note_reaches_reapers_keyboard() -> None:
    assert osc.keyboard_note(60, 100, channel=2) == ("/vkb_midi/2/note/60", (100,))
