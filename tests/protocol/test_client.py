from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from door_thread import DoorThread
from echo_service import EchoService

from bridge.doors.zeromq import ZeroMQDoor
from bridge.service import Client as Asker
from bridge.service import Reply
from protocol import channel
from protocol.async_client import AsyncClient
from protocol.client import Client, DaemonError, DaemonNotRunning, DaemonTimeout, JobCancelled, ProtocolError
from protocol.connection import Connection, new_key, process_start, remove_connection, write_connection
from protocol.messages import Accepted, Done, Failed, Message, NotesSource, PathSource, Progress, State, Submit


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCOREBRIDGE_RUNTIME", str(tmp_path / "runtime"))


class Daemon:
    """The small service behind a real door, with its connection file."""

    def __init__(self, folder: Path) -> None:
        self.key = new_key()
        self._thread = DoorThread(folder, lambda service: ZeroMQDoor(service, self.key.encode()))

    def __enter__(self) -> Daemon:
        self._thread.__enter__()
        started = process_start(os.getpid()) or ""
        fields = {"pid": os.getpid(), "process_started": started, "key": self.key, "token": new_key()}
        self.connection = Connection.model_validate({**fields, **self._thread.fields})
        write_connection(self.connection)
        return self

    def __exit__(self, *_: object) -> None:
        remove_connection(self.connection)
        self._thread.__exit__()

    @property
    def service(self) -> EchoService:
        return self._thread.service


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path) as running:
        yield running


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    with Client.connect(name="tests") as connected:
        yield connected


def submit(job: str, **options: object) -> Submit:
    return Submit(job=job, source=NotesSource(document={}), target=["mid"], options=options)


def test_hello_tells_who_is_there(client: Client, daemon: Daemon) -> None:
    assert client.hello().server == "echo 1"
    assert daemon.service.requests[-1].content["client"] == "tests"


def test_bytes_are_translated_and_the_result_fetched(client: Client) -> None:
    heard: list[Progress] = []
    content = bytes(range(256)) * 5000
    options = {"steps": 4}
    artefacts = client.translate(
        content, ["mid", "wav"], options, heard.append, source_format=".WAV", name="take", job="t"
    )
    assert [artefact.format for artefact in artefacts] == ["mid", "wav"]
    assert client.result("t", "echo.wav") == content == client.result("t")
    assert [progress.current for progress in heard] == [1, 2, 3, 4]


def test_a_path_becomes_absolute_and_a_clip_is_kept(client: Client, daemon: Daemon) -> None:
    client.translate("a b.wav", "mid")
    assert daemon.service.requests[-1].content["source"]["path"] == str(Path("a b.wav").absolute())
    client.translate(PathSource(path="/x.wav", offset=2.0), "mid")
    assert daemon.service.requests[-1].content["source"]["offset"] == 2.0


def test_bytes_without_a_format_are_refused_before_anything_is_sent(client: Client) -> None:
    with pytest.raises(DaemonError, match="format"):
        client.translate(b"x", "mid")


def test_events_come_in_order_with_one_end(client: Client) -> None:
    events = list(client.run(submit("j", steps=30)))
    assert [event.current for event in events[:-1] if isinstance(event, Progress)] == list(range(1, 31))
    assert isinstance(events[-1], Done)


def test_a_job_that_ended_still_says_how(client: Client) -> None:
    ended = list(client.run(submit("j")))[-1]
    assert list(client.events("j")) == [ended]
    assert isinstance(client.submit(submit("j")), State)
    assert list(client.run(submit("j"))) == [ended]


def test_events_that_get_lost_are_made_up_for(client: Client, daemon: Daemon) -> None:
    # The door does not hear of anything: as if every published event had been lost.
    listeners, daemon.service.events.listeners = daemon.service.events.listeners, []
    started = time.monotonic()
    [end] = client.run(submit("j", steps=3, pause_s=0.02))
    assert isinstance(end, Done) and time.monotonic() - started < 3
    assert client.translate(b"x", "mid", source_format="mid")[0].size == 1
    daemon.service.events.listeners = listeners


def test_a_failed_job_is_an_exception_with_its_sentence(client: Client) -> None:
    with pytest.raises(DaemonError, match=r"^It is silent\.$") as failed:
        client.translate(b"x", "mid", {"fail": "It is silent."}, source_format="mid")
    assert failed.value.code == "failed"


def test_an_error_is_an_exception_with_its_code(client: Client) -> None:
    for ask in (client.status, client.cancel, client.result, lambda job: list(client.events(job))):
        with pytest.raises(DaemonError, match="There is no job nobody") as error:
            ask("nobody")
        assert error.value.code == "unknown_job"


def test_a_cancelled_job_is_an_exception_of_its_own(client: Client) -> None:
    canceller = threading.Timer(0.2, lambda: client.cancel("j"))
    canceller.start()
    with pytest.raises(JobCancelled):
        client.translate(b"x", "mid", {"hold": True}, source_format="mid", job="j")
    canceller.join()
    assert client.status("j").phase == "cancelled"
    assert [state.job for state in client.jobs()] == ["j"] and client.jobs(active=True) == []


def test_leaving_a_translation_cancels_its_job(client: Client) -> None:
    class Stop(Exception):
        pass

    def refuse(progress: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        client.translate(b"x", "mid", {"hold": True}, refuse, source_format="mid", job="j")
    for _ in range(200):
        if client.status("j").phase == "cancelled":
            return
        time.sleep(0.01)
    raise AssertionError("the job goes on")


def test_leaving_the_events_early_leaves_the_job_alone(client: Client) -> None:
    events = client.run(submit("j", steps=3, pause_s=0.05))
    next(events)
    events.close()
    assert isinstance(list(client.events("j"))[-1], Done)


def test_one_client_serves_many_threads(client: Client) -> None:
    sizes: list[int] = []

    def work(number: int) -> None:
        for _ in range(5):
            sizes.append(client.translate(b"x" * number, "mid", source_format="mid")[0].size)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sizes) == sorted([number for number in range(1, 9) for _ in range(5)])


async def test_the_asyncio_client_does_many_things_at_once(daemon: Daemon) -> None:
    async with AsyncClient.connect() as client:
        translations = [client.translate(b"x" * n, "mid", source_format="mid") for n in range(1, 40)]
        assert [artefacts[0].size for artefacts in await asyncio.gather(*translations)] == list(range(1, 40))


async def test_cancelling_the_coroutine_cancels_the_job(daemon: Daemon) -> None:
    async with AsyncClient.connect() as client:
        work = asyncio.create_task(client.translate(b"x", "mid", {"hold": True}, source_format="mid", job="j"))
        while "j" not in daemon.service.states:
            await asyncio.sleep(0.01)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert (await client.status("j")).phase == "cancelled"


def test_without_a_daemon_it_says_how_to_start_one() -> None:
    with pytest.raises(DaemonNotRunning, match="scorebridge serve"):
        Client.connect()


def test_the_daemon_may_restart_with_other_ports_and_another_key(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        with Daemon(tmp_path):
            client = stack.enter_context(Client.connect())
            client.hello()
        with Daemon(tmp_path) as second:
            assert client.hello().server == "echo 1"
            assert len(second.service.requests) == 1
            assert client.translate(b"x", "mid", source_format="mid")


def test_who_waits_for_a_job_learns_its_end_from_the_next_daemon(tmp_path: Path) -> None:
    ends: list[object] = []
    with Daemon(tmp_path) as first:
        client = Client.connect()
        waiting = threading.Thread(target=lambda: ends.extend(client.run(submit("j", hold=True, steps=0))))
        waiting.start()
        while "j" not in first.service.states:
            time.sleep(0.01)
    with Daemon(tmp_path) as second:
        second.service.states["j"] = State(job="j", phase="failed", code="restarted", message="It was restarted.")
        waiting.join(10)
        assert not waiting.is_alive()
        client.close()
    assert ends == [Failed(job="j", code="restarted", message="It was restarted.")]


def test_a_daemon_that_does_not_come_back_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "RESTART_S", 0.3)
    with Daemon(tmp_path):
        client = Client.connect()
        client.hello()
    with pytest.raises(DaemonNotRunning, match="scorebridge serve"):
        client.hello()
    client.close()


def test_a_daemon_that_says_nothing_is_reported_in_time(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(message: Message, buffers: object, asker: Asker) -> Reply:
        await asyncio.sleep(1)
        raise AssertionError

    monkeypatch.setattr(daemon.service, "handle", silent)
    with Client(timeout_s=0.2) as client, pytest.raises(DaemonTimeout, match=r"0\.2 seconds"):
        client.hello()


def test_a_client_whose_clock_is_off_is_heard(client: Client, daemon: Daemon) -> None:
    client._client._channel._clock.correction_s = 7200.0
    assert client.hello().server == "echo 1"
    assert abs(client._client._channel._clock.correction_s) < 5
    assert isinstance(client.submit(submit("j")), Accepted)


def test_a_wrong_key_is_reported(daemon: Daemon) -> None:
    with (
        Client(daemon.connection.model_copy(update={"key": new_key()}), timeout_s=2) as client,
        pytest.raises(ProtocolError, match=r"\.$"),
    ):
        client.hello()


def test_a_closed_client_says_so(daemon: Daemon) -> None:
    client = Client.connect()
    client.close()
    client.close()
    with pytest.raises(ProtocolError, match="closed"):
        client.hello()


def test_shutdown_reaches_the_daemon(client: Client, daemon: Daemon) -> None:
    client.shutdown()
    assert daemon.service.shut_down.is_set()


def test_importing_the_client_brings_neither_numpy_nor_the_daemon() -> None:
    heavy = "'numpy', 'lxml', 'starlette', 'psutil', 'bridge', 'model_runtime'"
    code = f"import sys, protocol.client; print([name for name in ({heavy}) if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
