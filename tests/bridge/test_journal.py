"""The memory of jobs, and how long it lasts."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bridge.journal import Entry, Journal, Kept
from bridge.results import Store, stem_of
from bridge.retention import Retention, expired
from bridge.settings import Settings
from protocol.messages import State


def entry(job: str, submitted: float = 0.0) -> Entry:
    return Entry(job, "digest", "parent", "session", submitted, f"folder-{job}", State(job=job, phase="queued"))


def test_what_was_written_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite3")
    journal.add(entry("a"))
    journal.add(entry("b"))
    journal.end(State(job="a", phase="done", engine="x"), 10)
    journal.close()
    again = Journal(tmp_path / "j.sqlite3")
    found = again.find("a")
    assert found is not None
    assert (found.state.phase, found.state.engine, found.digest, found.session) == ("done", "x", "digest", "session")
    assert [e.id for e in again.unfinished()] == ["b"]
    assert [s.job for s in again.newest(10)] == ["b", "a"]
    assert again.find("c") is None
    again.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"this is no database" * 400,
        lambda content: content[:4096] + b"\xff" * 5000,
        lambda content: content[:100] + bytes(2000) + content[2100:],
    ],
)
def test_a_journal_that_cannot_be_read_is_moved_aside_and_a_new_one_begun(tmp_path: Path, spoil: object) -> None:
    path = tmp_path / "j.sqlite3"
    journal = Journal(path)
    for i in range(100):
        journal.add(entry(f"job-{i}"))
    journal.close()
    spoilt = spoil(path.read_bytes())  # type: ignore[operator]
    path.write_bytes(spoilt)
    journal = Journal(path)
    assert journal.moved_aside is not None
    assert journal.moved_aside.read_bytes() == spoilt
    assert journal.newest(10) == []
    journal.add(entry("new"))
    journal.close()
    assert Journal(path).find("new") is not None


def test_a_journal_of_another_version_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite3"
    Journal(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    journal = Journal(path)
    assert journal.moved_aside is not None
    journal.close()


def test_unfinished_jobs_cannot_be_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite3")
    journal.add(entry("a"))
    journal.add(entry("b"))
    journal.end(State(job="b", phase="failed"))
    journal.forget(["a", "b"])
    assert [s.job for s in journal.newest(10)] == ["a"]
    journal.close()


# ---- how long it lasts ---------------------------------------------------------------------------------------------


def kept(*jobs: tuple[str, float, int]) -> list[Kept]:
    return [Kept(name, name, ended, size) for name, ended, size in jobs]


def names(jobs: list[Kept]) -> set[str]:
    return {job.id for job in jobs}


def test_what_is_too_old_goes() -> None:
    jobs = kept(("old", 0, 1), ("new", 90, 1))
    assert names(expired(jobs, now=100, keep_s=50, keep_bytes=100, keep_jobs=9)) == {"old"}


def test_the_oldest_go_first_when_there_is_no_room() -> None:
    jobs = kept(("a", 1, 40), ("b", 2, 40), ("c", 3, 40), ("d", 4, 0))
    assert names(expired(jobs, now=5, keep_s=99, keep_bytes=80, keep_jobs=9)) == {"a"}
    assert names(expired(jobs, now=5, keep_s=99, keep_bytes=79, keep_jobs=9)) == {"a", "b"}


def test_an_old_result_does_not_stay_because_it_is_small() -> None:
    jobs = kept(("small and old", 1, 1), ("large", 2, 90), ("new", 3, 20))
    assert names(expired(jobs, now=5, keep_s=99, keep_bytes=100, keep_jobs=9)) == {"large", "small and old"}


def test_only_so_many_jobs_are_remembered() -> None:
    jobs = kept(*((f"{i}", i, 0) for i in range(10)))
    assert names(expired(jobs, now=10, keep_s=99, keep_bytes=9, keep_jobs=7)) == {"0", "1", "2"}


def test_a_fresh_result_stays_however_large_it_is() -> None:
    jobs = kept(("a", 95, 1000))
    assert names(expired(jobs, now=100, keep_s=99, keep_bytes=10, keep_jobs=9, grace_s=10)) == set()
    assert names(expired(jobs, now=106, keep_s=99, keep_bytes=10, keep_jobs=9, grace_s=10)) == {"a"}


class Clocks:
    """A wall clock that can be moved, and one that cannot."""

    def __init__(self) -> None:
        self.moved = 0.0
        self.passed = 0.0

    def wall(self) -> float:
        return 1_700_000_000.0 + self.passed + self.moved

    def elapsed(self) -> float:
        return self.passed


def test_a_jump_of_the_clock_makes_nothing_older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks()
    monkeypatch.setattr("bridge.journal.time.time", clocks.wall)
    settings = Settings(data=tmp_path, keep_days=14)
    store = Store(tmp_path / "work", tmp_path / "results")
    store.prepare()
    journal = Journal(tmp_path / "j.sqlite3")
    journal.add(entry("a"))
    journal.end(State(job="a", phase="done"))
    (store.results / "folder-a").mkdir()
    retention = Retention(journal, store, settings, clock=clocks.wall, elapsed=clocks.elapsed)

    clocks.moved = 365 * 86400.0
    assert retention.sweep() == 0
    clocks.moved = -365 * 86400.0
    assert retention.sweep() == 0
    clocks.passed = 13 * 86400.0
    assert retention.sweep() == 0
    clocks.passed = 15 * 86400.0
    assert retention.sweep() == 1
    assert store.folders() == []
    assert journal.find("a") is None
    journal.close()


def test_results_that_no_job_knows_are_removed(tmp_path: Path) -> None:
    store = Store(tmp_path / "work", tmp_path / "results")
    store.prepare()
    journal = Journal(tmp_path / "j.sqlite3")
    journal.add(entry("a"))
    for name in ("folder-a", "orphan"):
        (store.results / name).mkdir()
    assert Retention(journal, store, Settings(data=tmp_path)).remove_orphans() == 1
    assert store.folders() == ["folder-a"]
    journal.close()


# ---- folders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Etüde 🎹.wav", "Etüde 🎹"),
        ("a.b.mid", "a.b"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Music\\take.wav", "take"),
        ('what "is" this?.mid', "what _is_ this_"),
        ("new\nline.mid", "newline"),
        ("", "result"),
        ("...", "result"),
        ("/", "result"),
    ],
)
def test_a_result_is_called_like_its_source_where_file_systems_allow_it(name: str, stem: str) -> None:
    assert stem_of(name) == stem


def test_a_very_long_name_is_cut_between_letters() -> None:
    assert stem_of("é" * 300 + ".mid") == "é" * 60


@pytest.mark.parametrize("name", ["../a.mid", "/etc/passwd", "a/../../b", ""])
def test_a_worker_cannot_name_a_result_outside_its_folder(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "work", tmp_path / "results")
    store.prepare()
    store.make("f")
    with pytest.raises(ValueError, match="result called"):
        store.publish("f", [{"name": name, "format": "mid", "size": 1, "sha256": ""}])
    assert store.folders() == []
