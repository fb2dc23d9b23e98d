from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.connection import (
    Connection,
    UnsafeConnectionFile,
    connection_copies,
    connection_path,
    new_key,
    process_start,
    read_connection,
    remove_connection,
    write_connection,
)
from protocol.errors import DaemonNotRunning


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCOREBRIDGE_RUNTIME", str(tmp_path / "run time ♪"))
    return tmp_path / "run time ♪"


def connection(pid: int | None = None, started: str | None = None) -> Connection:
    pid = pid or os.getpid()
    start = started if started is not None else process_start(pid) or ""
    return Connection(pid=pid, process_started=start, key=new_key(), token=new_key(), requests_port=5, http_port=6)


def test_what_was_written_is_read(runtime: Path) -> None:
    written = connection()
    assert write_connection(written) == runtime / "connection.json"
    assert read_connection() == written


def test_only_its_user_can_read_it_and_nothing_else_is_left_behind(runtime: Path) -> None:
    old = os.umask(0)
    try:
        write_connection(connection())
    finally:
        os.umask(old)
    assert stat.S_IMODE(connection_path().stat().st_mode) == 0o600
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    assert [path.name for path in runtime.iterdir()] == ["connection.json"]


def test_without_a_file_it_says_how_to_start_the_daemon() -> None:
    with pytest.raises(DaemonNotRunning, match="scorebridge serve"):
        read_connection()


def test_keys_are_not_shown_by_accident() -> None:
    shown = connection()
    assert shown.key not in repr(shown) and shown.token not in repr(shown)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_touch_is_refused(mode: int) -> None:
    write_connection(connection()).chmod(mode)
    with pytest.raises(UnsafeConnectionFile, match="chmod 600"):
        read_connection()


def test_a_file_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    write_connection(connection())
    monkeypatch.setattr(os, "getuid", lambda: connection_path().stat().st_uid + 1)
    with pytest.raises(UnsafeConnectionFile, match="another user"):
        read_connection()
    with pytest.raises(UnsafeConnectionFile, match="another user"):
        write_connection(connection())


@pytest.mark.parametrize(
    "garbage", [b"", b"{}", b"\xff\xfe", b"[" * 1000, b'{"pid": 1, "key": "", "token": ""}', b"x" * 70000]
)
def test_garbage_is_refused(garbage: bytes) -> None:
    write_connection(connection()).write_bytes(garbage)
    with pytest.raises(UnsafeConnectionFile):
        read_connection()


def test_a_link_and_a_folder_in_its_place_are_refused(runtime: Path) -> None:
    path = write_connection(connection())
    path.rename(runtime / "elsewhere")
    path.symlink_to(runtime / "elsewhere")
    with pytest.raises(UnsafeConnectionFile):
        read_connection()
    path.unlink()
    path.mkdir()
    with pytest.raises(UnsafeConnectionFile):
        read_connection()


def test_a_fifo_in_its_place_does_not_hang(runtime: Path) -> None:
    path = write_connection(connection())
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(UnsafeConnectionFile):
        read_connection()


def test_the_file_of_a_dead_daemon_is_recognised() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    write_connection(connection(process.pid))
    assert read_connection().pid == process.pid
    process.communicate(b"\n")
    with pytest.raises(DaemonNotRunning):
        read_connection()


def test_another_process_with_the_dead_daemons_number_does_not_count() -> None:
    write_connection(connection(os.getpid(), started="another boot:1"))
    with pytest.raises(DaemonNotRunning):
        read_connection()


def test_a_daemon_that_is_dead_but_not_yet_collected_does_not_count() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    started = process_start(process.pid)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is a zombie now
    assert started is not None and process_start(process.pid) is None
    process.wait()


def test_removing_leaves_another_daemons_file() -> None:
    mine, theirs = connection(), connection()
    write_connection(mine)
    write_connection(theirs)
    remove_connection(mine)
    assert read_connection() == theirs
    remove_connection(theirs)
    assert not connection_path().exists()
    remove_connection(theirs)


def test_a_copy_for_qml_lies_under_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCOREBRIDGE_RUNTIME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    written = connection()
    assert write_connection(written) == tmp_path / "scorebridge" / "connection.json"
    [copy] = connection_copies()
    assert copy == tmp_path / "home" / ".scorebridge" / "connection.json"
    assert read_connection(copy) == written
    remove_connection(written)
    assert not copy.exists()


def test_without_a_login_session_it_lies_in_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCOREBRIDGE_RUNTIME")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert connection_path() == tmp_path / "state" / "scorebridge" / "connection.json"
