"""Worker processes: what ends them, and what that does to jobs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from house import LONG, Build, House, alive

from bridge.channel import receive
from bridge.worker import PROGRESS_INTERVAL_S, Reporter
from bridge.worker_process import Worker
from protocol.messages import Cancel, Done, Failed

PATIENCE_S = 1.5
"""Half a second is the promise; the rest is for a machine that is busy with something else."""


async def test_cancelling_ends_the_worker_within_half_a_second_and_a_warm_one_takes_its_place(house: House) -> None:
    await house.submit("a", LONG)
    worker = await house.running("a")
    started = time.monotonic()
    await house.ask(Cancel(job="a"))
    await house.until(lambda: not alive(worker))
    assert time.monotonic() - started < PATIENCE_S
    await house.until(lambda: any(pid != worker for pid in house.jobs.pool.pids))  # before anybody asks for it
    await house.submit("b")
    assert isinstance(await house.end_of("b"), Done)


async def test_processes_that_a_worker_started_end_with_it_however_stubborn(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {stubborn!r}]).wait()"
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    (helper,) = psutil.Process(process.pid).children()
    worker = Worker(process, *await asyncio.open_connection(sock=ours), tmp_path / "scratch")
    started = time.monotonic()
    await worker.end()
    assert time.monotonic() - started < PATIENCE_S
    assert not alive(process.pid)
    assert not alive(helper.pid)
    theirs.close()


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGKILL, "ended from outside"), (signal.SIGSEGV, "SIGSEGV"), (signal.SIGABRT, "SIGABRT")],
)
async def test_a_crash_fails_one_job_with_a_sentence_and_nothing_else(
    build: Build, number: signal.Signals, said: str
) -> None:
    house = await build(workers=2, warm_workers=2)
    await house.submit("a", LONG)
    await house.submit("b", 60_000)
    worker = await house.running("a")
    await house.running("b")
    await house.submit("c")
    os.kill(worker, number)
    failed = await house.end_of("a")
    assert isinstance(failed, Failed)
    assert failed.code == "worker_died"
    assert said in failed.message
    assert isinstance(await house.end_of("b"), Done)
    assert isinstance(await house.end_of("c"), Done)


async def test_a_job_that_needs_too_much_memory_fails_with_a_sentence(build: Build) -> None:
    house = await build(worker_memory_bytes=120 << 20)
    await house.submit("a", LONG)
    failed = await house.end_of("a")
    assert isinstance(failed, Failed)
    assert (failed.code, bool(failed.hint)) == ("out_of_memory", True)
    await house.submit("b")
    assert isinstance(await house.end_of("b"), Done)


async def test_a_job_that_takes_too_long_fails_with_a_sentence(build: Build) -> None:
    house = await build(worker_time_s=0.5)
    await house.submit("a", LONG)
    failed = await house.end_of("a")
    assert isinstance(failed, Failed)
    assert failed.code == "time_limit"


async def test_what_libraries_print_does_not_reach_the_channel(house_that_is_noisy: House) -> None:
    await house_that_is_noisy.submit("a")
    assert isinstance(await house_that_is_noisy.end_of("a"), Done)


@pytest.fixture
async def house_that_is_noisy(build: Build, monkeypatch: pytest.MonkeyPatch) -> House:
    """Its workers' Python says on the standard streams what it imports and what it frees."""
    monkeypatch.setenv("PYTHONVERBOSE", "2")
    monkeypatch.setenv("PYTHONDEBUG", "1")
    return await build()


async def test_a_worker_is_replaced_after_so_many_jobs(build: Build) -> None:
    house = await build(worker_jobs=2)
    pids = []
    for i in range(5):
        await house.submit(f"job-{i}")
        held = house.jobs._active[f"job-{i}"]
        assert isinstance(await house.end_of(f"job-{i}"), Done)
        assert held.worker is not None
        pids.append(held.worker.pid)
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 1]
    await house.until(lambda: not alive(pids[0]))


async def test_a_worker_that_ends_while_idle_is_replaced(house: House) -> None:
    await house.submit("a")
    await house.end_of("a")
    (idle,) = house.jobs.pool.pids
    os.kill(idle, signal.SIGKILL)
    await house.until(lambda: bool(house.jobs.pool.pids) and idle not in house.jobs.pool.pids)
    await house.submit("b")
    assert isinstance(await house.end_of("b"), Done)


async def test_a_worker_killed_while_idle_does_not_cost_the_next_job(house: House) -> None:
    await house.submit("a")
    await house.end_of("a")
    (idle,) = house.jobs.pool.pids
    os.kill(idle, signal.SIGKILL)
    await house.submit("b")  # at once, before anybody noticed
    assert isinstance(await house.end_of("b"), Done)


async def test_an_idle_worker_gives_its_memory_back(build: Build) -> None:
    house = await build(worker_idle_s=0.3)
    await house.submit("a")
    await house.end_of("a")
    (used,) = house.jobs.pool.pids
    await house.until(lambda: not alive(used))
    await house.submit("b")
    assert isinstance(await house.end_of("b"), Done)


async def test_where_no_worker_starts_jobs_fail_with_a_sentence(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    python = sys.executable
    monkeypatch.setattr(sys, "executable", "/bin/false")
    house = await build()
    await house.submit("a")
    failed = await house.end_of("a")
    assert isinstance(failed, Failed)
    assert (failed.code, bool(failed.hint)) == ("worker_unavailable", True)
    monkeypatch.setattr(sys, "executable", python)
    await house.submit("b")
    assert isinstance(await house.end_of("b"), Done)


async def test_every_worker_is_gone_when_the_daemon_has_stopped(build: Build) -> None:
    house = await build(workers=2, warm_workers=2)
    await house.submit("a", LONG)
    await house.running("a")
    pids = list(house.jobs.pool.pids)
    await house.jobs.close()
    assert not [pid for pid in pids if alive(pid)]
    assert [m.type for m in house.ends_of("a")] == ["cancelled"]


async def test_a_worker_ignores_an_interrupt_from_the_terminal(house: House) -> None:
    await house.submit("a", LONG)
    worker = await house.running("a")
    assert os.getsid(worker) == worker  # a session of its own: the terminal's Ctrl-C is not sent to it
    assert psutil.Process(worker).terminal() is None


def test_progress_is_sent_at_most_twenty_times_a_second_and_the_last_always() -> None:
    ours, theirs = socket.socketpair()
    reporter = Reporter(theirs)
    sent = 0
    stop = time.monotonic() + 0.5
    while time.monotonic() < stop:
        reporter.progress("Reading", sent, 1e9)
        sent += 1
    reporter.send({"type": "done"})
    messages = []
    while not messages or messages[-1]["type"] != "done":
        messages.append(receive(ours))
    progress = [m for m in messages if m["type"] == "progress"]
    assert sent > 1000
    assert 3 <= len(progress) <= 0.5 / PROGRESS_INTERVAL_S + 2
    assert progress[-1]["current"] == sent - 1
    ours.close()
    theirs.close()


def test_progress_that_waits_is_sent_though_nothing_follows() -> None:
    ours, theirs = socket.socketpair()
    reporter = Reporter(theirs)
    reporter.progress("Reading", 1, 2)
    reporter.progress("Reading", 2, 2)
    ours.settimeout(1.0)
    assert [receive(ours)["current"], receive(ours)["current"]] == [1, 2]
    ours.close()
    theirs.close()
