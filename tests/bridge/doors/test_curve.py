from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from door_thread import DoorThread

from bridge.doors.curve import CurveFolder, is_loopback
from bridge.doors.door import DoorError
from bridge.doors.zeromq import ZeroMQDoor, ZeroMQOptions
from protocol.client import Client, DaemonTimeout
from protocol.connection import Connection, new_key

KEY = new_key()


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[DoorThread]:
    # 0.0.0.0: every address of this machine, which nobody may do without CURVE.
    options = ZeroMQOptions(ip="0.0.0.0", curve_folder=tmp_path / "curve")
    with DoorThread(tmp_path, lambda service: ZeroMQDoor(service, KEY.encode(), options)) as door:
        yield door


def connection(door: DoorThread, **changes: object) -> Connection:
    return Connection.model_validate({"pid": 1, "key": KEY, "token": new_key(), **door.fields, **changes})


def greet(connection: Connection, curve: tuple[str, str] | None = None, timeout_s: float = 5.0) -> str:
    with Client(connection, timeout_s=timeout_s, curve=curve) as client:
        return client.hello().server


def test_programs_of_this_machine_connect_with_the_connection_file_alone(encrypted: DoorThread) -> None:
    assert encrypted.fields["ip"] == "127.0.0.1"
    assert greet(connection(encrypted)) == "echo 1"


def test_another_machine_is_let_in_by_its_public_key_and_shut_out_by_removing_it(
    encrypted: DoorThread, tmp_path: Path
) -> None:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    allowed = tmp_path / "curve" / "clients" / "studio.key"
    with pytest.raises(DaemonTimeout):
        greet(connection(encrypted), (public, secret), timeout_s=0.5)
    allowed.write_text(f'curve\n    public-key = "{public}"\n')
    assert greet(connection(encrypted), (public, secret)) == "echo 1"
    allowed.unlink()
    with pytest.raises(DaemonTimeout):
        greet(connection(encrypted), (public, secret), timeout_s=0.5)


def test_the_right_key_without_encryption_is_not_heard(encrypted: DoorThread) -> None:
    with pytest.raises(DaemonTimeout):
        greet(connection(encrypted, curve_key=None), timeout_s=0.5)


def test_the_servers_keys_are_made_once_and_private(tmp_path: Path) -> None:
    first = CurveFolder(tmp_path / "curve").server
    assert CurveFolder(tmp_path / "curve").server == first
    assert stat.S_IMODE((tmp_path / "curve" / "server.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "curve").stat().st_mode) == 0o700


def test_a_secret_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    CurveFolder(tmp_path)
    path = tmp_path / "server.json"
    path.chmod(0o644)
    with pytest.raises(DoorError, match="chmod 600"):
        CurveFolder(tmp_path)
    path.chmod(0o600)
    for garbage in ("", "[]", '{"public": "a", "secret": "b"}', '{"public": 1, "secret": 2}'):
        path.write_text(garbage)
        with pytest.raises(DoorError, match="key pair"):
            CurveFolder(tmp_path)


def test_only_whole_keys_are_read_from_the_allow_list(tmp_path: Path) -> None:
    folder = CurveFolder(tmp_path)
    public, _ = zmq.curve_keypair()
    clients = tmp_path / "clients"
    (clients / "bare.key").write_bytes(public + b"\n")
    (clients / "short.key").write_bytes(public[:39])
    (clients / "long.key").write_bytes(public + b"x")
    (clients / "empty.key").write_bytes(b"")
    (clients / "folder.key").mkdir()
    assert folder.allowed() == {public}


@pytest.mark.parametrize("ip, expected", [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("10.0.0.1", False)])
def test_loopback_is_told_from_the_rest(ip: str, expected: bool) -> None:
    assert is_loopback(ip) is expected
