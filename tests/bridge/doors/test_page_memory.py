"""What lets an open page find the daemon again after a restart."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import pytest

from bridge.doors import page_memory
from bridge.doors.page_memory import PageMemory


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "pages.json"


def test_a_page_and_the_port_are_known_to_the_next_daemon(path: Path) -> None:
    first = PageMemory(path)
    first.add("a page's token")
    first.serve_at(4711)
    second = PageMemory(path)
    assert second.port == 4711
    assert second.knows("a page's token") and not second.knows("another token") and not second.knows("")


def test_the_file_is_the_users_alone_and_opens_nothing(path: Path) -> None:
    PageMemory(path).add("a page's token")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_text()
    assert "token" not in content
    [digest] = json.loads(content)["pages"]
    assert not PageMemory(path).knows(digest)
    assert list(path.parent.iterdir()) == [path]


def test_a_page_that_was_not_seen_for_a_day_is_forgotten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = PageMemory(path)
    memory.add("seen")
    memory.add("unseen")
    start_s = time.time()
    monkeypatch.setattr(page_memory.time, "time", lambda: start_s + 20 * 3600.0)
    assert memory.knows("seen")
    monkeypatch.setattr(page_memory.time, "time", lambda: start_s + 30 * 3600.0)
    for known in (memory, PageMemory(path)):
        assert known.knows("seen") and not known.knows("unseen")


def test_pages_are_bounded_and_the_oldest_go_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_memory, "MOST_PAGES", 3)
    memory = PageMemory(path)
    for number in range(5):
        memory.add(f"page {number}")
        time.sleep(0.002)
    assert [memory.knows(f"page {number}") for number in range(5)] == [False, False, True, True, True]


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"[]", b'{"port": "x", "pages": {}}', b'{"port": 1}', b'{"port": 1, "pages": [1]}']
)
def test_a_damaged_file_is_as_good_as_none(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    memory = PageMemory(path)
    assert memory.port == 0 and not memory.knows("x")
    memory.add("x")
    assert PageMemory(path).knows("x")


def test_a_folder_that_cannot_be_written_only_costs_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    memory = PageMemory(tmp_path / "file" / "pages.json")
    memory.add("x")
    assert memory.knows("x")


def test_without_a_file_nothing_outlives_the_daemon() -> None:
    memory = PageMemory()
    memory.add("x")
    assert memory.knows("x") and not PageMemory().knows("x")
