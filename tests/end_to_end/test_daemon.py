"""The daemon as a process: started, asked, killed and started again."""

from __future__ import annotations

import errno
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from running_daemon import LONG, RunningDaemon, midi_bytes, until

from protocol.errors import DaemonError
from protocol.messages import Accepted, PathSource, Submit

Start = Callable[..., RunningDaemon]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Start]:
    """Makes daemons with settings; they are taken down at the end."""
    made: list[RunningDaemon] = []

    def make(**settings: str) -> RunningDaemon:
        made.append(RunningDaemon(tmp_path, **settings))
        return made[-1]

    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture
def daemon(build: Start) -> RunningDaemon:
    """A running daemon."""
    return build().start()


def test_it_is_ready_soon_and_translates(build: Start, tmp_path: Path) -> None:
    started = time.monotonic()
    daemon = build().start()
    assert time.monotonic() - started < 8.0  # 1.5 s on a quiet machine: `benchmarks.load` measures it
    path = tmp_path / "Für Elise 🎹 'draft'.mid"
    path.write_bytes(midi_bytes(3))
    submit = Submit(job="a", source=PathSource(path=str(path)), target=["musicxml", "mid"])
    *_, done = daemon.connected.run(submit)
    assert [Path(a.path).name for a in done.artefacts] == [f"{path.stem}.musicxml", f"{path.stem}.mid"]
    assert daemon.connected.result("a", done.artefacts[0].name).startswith(b"<?xml")


def test_everything_it_writes_is_for_its_user_alone(daemon: RunningDaemon) -> None:
    daemon.submit("a")
    artefact = daemon.ended("a").artefacts[0]
    assert Path(artefact.path).parent.stat().st_mode & 0o077 == 0
    assert daemon.connection_file.stat().st_mode & 0o077 == 0


# ---- the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_in_the_middle_of_work(build: Start, number: signal.Signals) -> None:
    daemon = build(WORKERS="2").start()
    daemon.submit("running", LONG)
    daemon.until_running("running")
    daemon.submit("other", LONG)
    daemon.submit("waiting", 2)
    workers = daemon.workers()
    started = time.monotonic()
    status, said = daemon.terminate(number)
    assert time.monotonic() - started < 5.0
    assert status == 0
    assert "Traceback" not in said
    assert not daemon.connection_file.exists()
    assert not [w for w in workers if w.is_running() and w.status() != psutil.STATUS_ZOMBIE]

    again = build().start()
    for job in ("running", "other", "waiting"):
        state = again.connected.status(job)
        assert (state.phase, "shut down" in state.message) == ("cancelled", True)


def test_a_client_may_end_it_at_once_or_after_the_work(build: Start) -> None:
    daemon = build().start()
    daemon.submit("a", 20_000)
    daemon.connected.shutdown(wait=True)
    with pytest.raises(DaemonError) as refused:
        daemon.submit("b")
    assert refused.value.code == "shutting_down"
    daemon.disconnect()
    daemon.running.communicate(timeout=20)
    assert daemon.running.returncode == 0

    again = build().start()
    assert again.connected.status("a").phase == "done"
    again.connected.shutdown()
    again.disconnect()
    again.running.communicate(timeout=5)
    assert again.running.returncode == 0


def test_after_a_sudden_end_lost_jobs_are_reported_and_finished_ones_can_be_fetched(build: Start) -> None:
    daemon = build().start()
    daemon.submit("finished", 3)
    content = daemon.connected.result("finished", daemon.ended("finished").artefacts[0].name)
    daemon.submit("running", LONG)
    daemon.until_running("running")
    daemon.submit("waiting")
    (worker,) = daemon.workers()
    daemon.kill()
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, within_s=1.0)

    again = build().start()
    assert again.connected.result("finished") == content
    for job in ("running", "waiting"):
        state = again.connected.status(job)
        assert (state.phase, state.code) == ("failed", "restarted")
        assert state.message.endswith(".")
        assert state.hint
    answer = again.submit("finished", 3)  # the same job again is answered from the journal
    assert getattr(answer, "phase", None) == "done"
    assert isinstance(again.submit("next"), Accepted)
    assert again.ended("next").phase == "done"
    assert [f.name for f in (again.data / "work").iterdir() if not f.name.startswith("worker-")] == []


def test_a_spoilt_journal_does_not_keep_it_from_starting(build: Start) -> None:
    daemon = build().start()
    daemon.submit("a")
    daemon.ended("a")
    daemon.terminate()
    journal = daemon.data / "journal.sqlite3"
    journal.write_bytes(b"coffee" * 3000)
    again = build().start()
    again.submit("b")
    assert again.ended("b").phase == "done"
    aside = list(daemon.data.glob("journal.unreadable-*"))
    assert [path.read_bytes()[:6] for path in aside] == [b"coffee"]
    assert "could not be read" in again.terminate()[1]


# ---- two of them, and other programs -------------------------------------------------------------------------------


def test_a_second_daemon_says_where_the_first_is(daemon: RunningDaemon, build: Start) -> None:
    second = build().spawn()
    said, _ = second.communicate(timeout=10)
    assert second.returncode == 1
    assert f"already running as process {daemon.running.pid}" in said
    assert "Traceback" not in said
    daemon.submit("a")
    assert daemon.ended("a").phase == "done"


def test_two_daemons_never_share_a_data_folder(daemon: RunningDaemon, tmp_path: Path, build: Start) -> None:
    other = build()
    other.environment["SCOREBRIDGE_RUNTIME"] = str(tmp_path / "other-run")
    said, _ = other.spawn().communicate(timeout=10)
    assert "already running" in said


def test_a_port_that_is_taken_is_named(build: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for door in ("HTTP_PORT", "ZEROMQ_PORT", "OSC_TCP_PORT"):
            daemon = build(**{door: str(port)})
            said, _ = daemon.spawn().communicate(timeout=10)
            assert daemon.running.returncode == 1
            assert str(port) in said
            assert "Traceback" not in said
            assert not daemon.connection_file.exists()


def test_a_setting_that_makes_no_sense_is_named(build: Start) -> None:
    said, _ = build(WORKERS="many").spawn().communicate(timeout=10)
    assert "'workers'" in said
    assert "Traceback" not in said


def test_a_killed_worker_costs_one_job(build: Start) -> None:
    daemon = build(WORKERS="2").start()
    daemon.submit("a", LONG)
    daemon.until_running("a")
    max(daemon.workers(), key=lambda worker: sum(worker.cpu_times())).kill()
    failed = daemon.ended("a")
    assert (failed.phase, failed.code) == ("failed", "worker_died")
    daemon.submit("b")
    assert daemon.ended("b").phase == "done"


# ---- full disk -----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB, to be filled. Mounting it needs root."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Take all room but so many bytes."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        file.write(bytes(max(0, shutil.disk_usage(folder).free - leave)))
        while not leave:
            try:
                file.write(b"x")
            except OSError as error:
                assert error.errno == errno.ENOSPC
                break
    return ballast


def working(daemon: RunningDaemon) -> list[Path]:
    """Folders of jobs that are worked on."""
    return [folder for folder in (daemon.data / "work").iterdir() if not folder.name.startswith("worker-")]


def test_a_full_disk_fails_the_job_with_a_sentence_and_the_daemon_lives(build: Start, small_disk: Path) -> None:
    daemon = build(DATA=str(small_disk / "data")).start()
    daemon.submit("before", 3)
    kept = daemon.ended("before")
    ballast = fill(small_disk, leave=300_000)

    daemon.submit("too-large-to-write", 30_000)  # 240 kB arrive, and as many are to be written
    failed = daemon.ended("too-large-to-write")
    assert (failed.phase, failed.code, bool(failed.hint)) == ("failed", "disk_full", True)
    until(lambda: not working(daemon))

    with pytest.raises(DaemonError) as refused:
        daemon.submit("too-large-to-arrive", 100_000)
    assert refused.value.code == "disk_full"
    assert not working(daemon)
    assert daemon.connected.result("before") == Path(kept.artefacts[0].path).read_bytes()
    assert list((daemon.data / "results").iterdir()) == [Path(kept.artefacts[0].path).parent]

    ballast.unlink()
    daemon.submit("after", 40_000)
    assert daemon.ended("after").phase == "done"


def test_a_disk_without_a_single_free_byte_does_not_bring_the_daemon_down(build: Start, small_disk: Path) -> None:
    daemon = build(DATA=str(small_disk / "data")).start()
    daemon.submit("running", LONG // 10)
    daemon.until_running("running")
    fill(small_disk)
    assert daemon.ended("running").code == "disk_full"
    until(lambda: not working(daemon))
    ballast = fill(small_disk)
    for i in range(10):
        with pytest.raises(DaemonError) as refused:
            daemon.submit(f"job-{i}")
        assert refused.value.code == "disk_full"
    ballast.unlink()
    daemon.submit("after")
    assert daemon.ended("after").phase == "done"
    assert daemon.terminate()[0] == 0
    again = build(DATA=str(small_disk / "data")).start()
    assert again.connected.status("running").code == "disk_full"
    assert again.connected.status("after").phase == "done"
