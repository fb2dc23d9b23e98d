"""What the daemon answers, apart from the life of jobs."""

from __future__ import annotations

import time
from typing import Any

import pytest
from house import Build, House
from hypothesis import given
from hypothesis import strategies as st

from bridge.fair_queue import FairQueue
from protocol.messages import (
    CONTENTS,
    Error,
    Hello,
    Message,
    Ok,
    Rejected,
    Shutdown,
    Welcome,
)


async def test_hello_is_answered_with_everything_that_can_be_done(house: House) -> None:
    welcome = await house.ask(Hello(client="test"))
    assert isinstance(welcome, Welcome)
    assert len({(d.source, d.target) for d in welcome.directions}) == 12
    assert "onset_threshold" in welcome.options["properties"]
    assert "mid" in welcome.formats["performance"]["read"]
    assert welcome.limits["inline_bytes"] == house.settings.max_inline_bytes
    image = next(d for d in welcome.directions if (d.source, d.target) == ("image", "notation"))
    assert image.ready or image.reason.endswith(".")


async def test_later_questions_do_not_wait_for_a_worker(house: House) -> None:
    await house.ask(Hello())
    await house.submit("a", 100_000)
    await house.running("a")
    started = time.monotonic()
    assert len((await house.ask(Hello())).directions) == 12
    assert time.monotonic() - started < 0.5  # a worker takes longer than that to start


@pytest.mark.parametrize("version", ["2.0", "0.9", "", "next"])
async def test_a_client_of_another_major_version_is_told_what_to_install(house: House, version: str) -> None:
    for message in (Message.of(Hello(version=version)), Message(type="hello", version=version)):
        answer = await house.send(message)
        assert isinstance(answer, Error)
        assert answer.code == "version"
        assert "install" in answer.hint.lower()


async def test_a_newer_minor_version_with_unknown_fields_is_served(house: House) -> None:
    message = Message(type="hello", version="1.9", content={"version": "1.9", "mood": "bright"})
    assert isinstance(await house.send(message), Welcome)


async def test_an_unknown_type_is_named(house: House) -> None:
    answer = await house.send(Message(type="sing", content={}))
    assert (answer.code, "'sing'" in answer.message) == ("unknown_type", True)
    assert "submit" in answer.hint


@pytest.mark.parametrize("kind", ["done", "welcome", "progress", "ok"])
async def test_an_answer_or_event_is_no_request(house: House, kind: str) -> None:
    contents: dict[str, dict[str, Any]] = {
        "done": {"job": "a", "artefacts": [], "engine": ""},
        "welcome": {"server": "x"},
        "progress": {"job": "a", "stage": "", "current": 0, "total": 1},
        "ok": {},
    }
    assert (await house.send(Message(type=kind, content=contents[kind]))).code == "not_a_request"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": {"kind": "path"}}, "source.path.path"),
        ({"source": {}}, "kind"),
        ({"source": {"kind": "path", "path": "/a", "offset": -1}}, "offset"),
        ({"target": []}, "target"),
        ({"target": ["cassette"]}, "target"),
        ({"lease": 0}, "lease"),
        ({"options": "none"}, "options"),
    ],
)
async def test_a_submit_that_is_not_complete_is_rejected_with_a_sentence(
    house: House, change: dict[str, Any], said: str
) -> None:
    content = {"job": "a", "source": {"kind": "path", "path": "/a"}, "target": ["mid"]} | change
    answer = await house.send(Message(type="submit", content=content))
    assert isinstance(answer, Rejected)
    assert (answer.job, answer.code) == ("a", "invalid_message")
    assert said in answer.message
    assert answer.message.endswith(".")
    assert "pydantic" not in answer.message


@pytest.mark.parametrize("job", [None, 5, "../x", "", "a" * 200])
async def test_a_submit_without_a_proper_id_is_an_error_that_says_so(house: House, job: object) -> None:
    content = {"job": job, "source": {"kind": "path", "path": "/a"}, "target": ["mid"]}
    answer = await house.send(Message(type="submit", content=content))
    assert answer.code == "invalid_message"
    assert "job" in answer.message


async def test_whatever_is_sent_is_answered(house: House) -> None:
    nasty: list[dict[str, Any]] = [{}, {"job": {}}, {"job": [1] * 100}, {"limit": "ten"}, {"client": 5}, {"wait": "x"}]
    for kind in [*CONTENTS, "x" * 64, ""]:
        for content in nasty:
            if kind != "shutdown":
                answer = await house.send(Message(type=kind, content=content))
                assert type(answer) in CONTENTS.values()


async def test_shutdown_is_handed_on(house: House) -> None:
    assert isinstance(await house.ask(Shutdown()), Ok)
    assert isinstance(await house.ask(Shutdown(wait=True)), Ok)
    assert house.shutdowns == [False, True]


async def test_paths_outside_the_roots_are_rejected(build: Build, tmp_path: object) -> None:
    house = await build()
    content = {"job": "a", "source": {"kind": "path", "path": "/etc/hostname"}, "target": ["mid"]}
    answer = await house.send(Message(type="submit", content=content))
    assert isinstance(answer, Rejected)
    assert answer.code == "not_allowed"
    assert "/etc" in answer.message


# ---- turns ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4), max_size=40))
def test_everything_that_was_put_into_the_queue_is_taken_once_in_turn(clients: list[int]) -> None:
    queue: FairQueue[tuple[int, int]] = FairQueue()
    items = [(client, number) for number, client in enumerate(clients)]
    for item in items:
        queue.put(str(item[0]), item)
    positions = {item: queue.position(str(item[0]), item) for item in items}
    taken = [queue.take() for _ in items]
    assert sorted(taken) == sorted(items)
    assert [positions[item] for item in taken] == list(range(len(items)))
    assert len(queue) == 0
    for client in set(clients):
        own = [item for item in taken if item[0] == client]
        assert own == sorted(own)
        # Nobody waits for more than one job of each other client before the first of their own.
        assert taken.index(own[0]) < len(set(clients))


def test_an_item_can_leave_the_queue_or_return_to_its_head() -> None:
    queue: FairQueue[str] = FairQueue()
    for client, item in (("a", "a1"), ("a", "a2"), ("b", "b1")):
        queue.put(client, item)
    queue.remove("a", "a1")
    with pytest.raises(ValueError, match="not in"):
        queue.remove("a", "a1")
    first = queue.take()
    queue.put_first("a", first)
    assert [queue.take() for _ in range(2)] == ["a2", "b1"]
    with pytest.raises(IndexError):
        queue.take()
