"""Which files may be read."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bridge.access import Gate, Refused

MANY = 1 << 20


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    folder.mkdir()
    return folder


@pytest.fixture
def gate(allowed: Path) -> Gate:
    return Gate([allowed.resolve()], MANY)


def refusal(gate: Gate, path: object) -> Refused:
    with pytest.raises(Refused) as caught:
        gate.check(str(path))
    assert caught.value.message.endswith(".")
    return caught.value


def test_a_file_under_a_root_may_be_read(gate: Gate, allowed: Path) -> None:
    path = allowed / "sub" / "take 🎤 'one'.wav"
    path.parent.mkdir()
    path.write_bytes(b"12345")
    checked = gate.check(str(path))
    assert (checked.path, checked.size) == (path.resolve(), 5)


def test_a_file_elsewhere_is_refused_with_its_folder_and_how_to_allow_it(gate: Gate, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.mid"
    path.write_bytes(b"x")
    refused = refusal(gate, path)
    assert refused.code == "not_allowed"
    assert str(tmp_path) in refused.message
    assert "SCOREBRIDGE_ROOTS" in refused.hint


def test_a_folder_whose_name_begins_like_a_root_is_not_that_root(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "allowed-not").mkdir()
    path = tmp_path / "allowed-not" / "a.mid"
    path.write_bytes(b"x")
    assert refusal(gate, path).code == "not_allowed"


def test_a_link_that_leads_out_is_refused(gate: Gate, allowed: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mid"
    secret.write_bytes(b"x")
    (allowed / "link.mid").symlink_to(secret)
    (allowed / "folder").symlink_to(tmp_path)
    assert refusal(gate, allowed / "link.mid").code == "not_allowed"
    assert refusal(gate, allowed / "folder" / "secret.mid").code == "not_allowed"
    assert refusal(gate, allowed / ".." / "secret.mid").code == "not_allowed"


def test_a_link_within_the_root_is_followed_to_where_the_file_lies(gate: Gate, allowed: Path) -> None:
    (allowed / "real.mid").write_bytes(b"x")
    (allowed / "link.mid").symlink_to("real.mid")
    assert gate.check(str(allowed / "link.mid")).path == (allowed / "real.mid").resolve()


def test_a_link_that_goes_round_in_circles_is_refused(gate: Gate, allowed: Path) -> None:
    (allowed / "a").symlink_to("b")
    (allowed / "b").symlink_to("a")
    assert refusal(gate, allowed / "a").code == "not_allowed"


def test_folders_pipes_and_sockets_are_not_files(gate: Gate, allowed: Path) -> None:
    os.mkfifo(allowed / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(allowed)  # the names of sockets are short
    try:
        listener.bind("socket")
    finally:
        os.chdir(here)
    for name in ("pipe", "socket", "."):
        assert refusal(gate, allowed / name).code == "not_a_file"
    listener.close()


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/environ", "/proc/version", "/sys/kernel/mm/ksm/run"])
def test_devices_and_the_systems_folders_are_refused_even_where_everything_is_allowed(path: str) -> None:
    assert refusal(Gate([Path("/")], MANY), path).code in ("not_allowed", "not_found")


@pytest.mark.parametrize("path", ["", "relative.mid", "~/a.mid", "/tmp/nul\0l.mid"])
def test_what_is_no_absolute_path_is_refused(gate: Gate, path: str) -> None:
    assert refusal(gate, path).code == "invalid_path"


def test_a_missing_file_and_a_name_that_is_too_long_are_named(gate: Gate, allowed: Path) -> None:
    refused = refusal(gate, allowed / "missing.mid")
    assert refused.code == "not_found"
    assert "missing.mid" in refused.message
    assert refusal(gate, allowed / ("x" * 5000)).code == "invalid_path"


def test_a_file_that_is_too_large_is_refused_with_both_sizes(gate: Gate, allowed: Path) -> None:
    with (allowed / "huge.wav").open("wb") as file:
        file.truncate(5_000_000)  # sparse
    refused = refusal(gate, allowed / "huge.wav")
    assert refused.code == "too_large"
    assert "5 MB" in refused.message
