"""The memory of every job, in SQLite: what survives the daemon's sudden end.

A job is written down before `accepted` goes out and again when it ends. What is unfinished when a daemon starts was
cut off by the end of the one before it. A journal that cannot be read is moved aside, never deleted, and a new one
is begun.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from protocol.messages import State

log = logging.getLogger(__name__)

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE jobs (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT NOT NULL UNIQUE,
    digest    TEXT NOT NULL,
    parent    TEXT,
    session   TEXT NOT NULL,
    submitted REAL NOT NULL,
    ended     REAL,
    phase     TEXT NOT NULL,
    folder    TEXT NOT NULL,
    bytes     INTEGER NOT NULL DEFAULT 0,
    state     TEXT NOT NULL
);
CREATE INDEX jobs_by_phase ON jobs (phase, number);
"""
_ACTIVE = "('queued', 'running')"


class JournalFull(Exception):
    """The disk has no room for another line."""


@dataclass(frozen=True)
class Entry:
    """A job as the journal remembers it.

    Attributes:
        id: The client's job id.
        digest: SHA-256 of what was asked: the same id with another digest is another job.
        parent: Id of the `submit` message.
        session: The client's session.
        submitted: Wall-clock time, seconds since 1970.
        folder: Name of its folder under `work` and `results`.
        state: Its last written state.
    """

    id: str
    digest: str
    parent: str | None
    session: str
    submitted: float
    folder: str
    state: State


@dataclass(frozen=True)
class Kept:
    """A job that has ended: what the retention sweep decides by."""

    id: str
    folder: str
    ended: float
    bytes: int


class Journal:
    """The journal file. Belongs to one thread.

    Args:
        path: The SQLite file; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.moved_aside: Path | None = None
        try:
            self._database = _opened(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and _disk_is_full(error):
                raise JournalFull(str(error)) from error
            self.moved_aside = _move_aside(path)
            log.warning(
                "The journal %s could not be read (%s). It was moved to %s, and a new one was begun; "
                "earlier results still lie in the results folder.",
                path, error, self.moved_aside,
            )  # fmt: skip
            self._database = _opened(path)

    def close(self) -> None:
        """Write everything out and close the file."""
        self._database.close()

    def add(self, entry: Entry) -> None:
        """Write down a job that is accepted.

        Raises:
            JournalFull: the disk is full; nothing was written.
        """
        self._write(
            "INSERT INTO jobs (id, digest, parent, session, submitted, phase, folder, state) VALUES (?,?,?,?,?,?,?,?)",
            (
                entry.id,
                entry.digest,
                entry.parent,
                entry.session,
                entry.submitted,
                entry.state.phase,
                entry.folder,
                entry.state.model_dump_json(),
            ),
        )

    def end(self, state: State, size: int = 0) -> None:
        """Write down how a job ended.

        Raises:
            JournalFull: the disk is full; nothing was written.
        """
        self._write(
            "UPDATE jobs SET phase = ?, ended = ?, bytes = ?, state = ? WHERE id = ?",
            (state.phase, time.time(), size, state.model_dump_json(), state.job),
        )

    def find(self, job: str) -> Entry | None:
        """A job by its id."""
        row = self._database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (job,)).fetchone()
        return _entry(row) if row else None

    def newest(self, limit: int) -> list[State]:
        """The newest jobs first."""
        rows = self._database.execute("SELECT state FROM jobs ORDER BY number DESC LIMIT ?", (limit,))
        return [State.model_validate_json(row[0]) for row in rows]

    def unfinished(self) -> list[Entry]:
        """Jobs without an end, in the order of their arrival."""
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE phase IN {_ACTIVE} ORDER BY number")
        return [_entry(row) for row in rows]

    def ended(self) -> Iterator[Kept]:
        """Jobs that ended, the oldest first."""
        rows = self._database.execute(
            "SELECT id, folder, coalesce(ended, submitted), bytes FROM jobs "
            f"WHERE phase NOT IN {_ACTIVE} ORDER BY number"
        )
        for row in rows:
            yield Kept(*row)

    def folders(self) -> set[str]:
        """Folder names of all jobs."""
        return {row[0] for row in self._database.execute("SELECT folder FROM jobs")}

    def forget(self, jobs: Iterable[str]) -> None:
        """Remove ended jobs."""
        self._database.executemany(f"DELETE FROM jobs WHERE id = ? AND phase NOT IN {_ACTIVE}", [(j,) for j in jobs])

    def shift_clock(self, seconds: float) -> None:
        """The wall clock was moved by so much: move the times of ended jobs along, so that their ages stay true."""
        self._write("UPDATE jobs SET ended = ended + ? WHERE ended IS NOT NULL", (seconds,))

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._database.execute(statement, values)
        except sqlite3.OperationalError as error:
            if _disk_is_full(error):
                raise JournalFull(str(error)) from error
            raise


_COLUMNS = "id, digest, parent, session, submitted, folder, state"


def _entry(row: tuple[str, str, str | None, str, float, str, str]) -> Entry:
    return Entry(*row[:6], State.model_validate_json(row[6]))


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        # NORMAL: a killed process loses nothing; only a failing machine may lose the last moments, never consistency.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        (fault,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if fault != "ok":
            raise sqlite3.DatabaseError(fault)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;")
        elif version != _SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"it was written by another version of ScoreBridge (layout {version})")
        with closing(database.execute(f"SELECT {_COLUMNS} FROM jobs LIMIT 1")) as rows:
            rows.fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _move_aside(path: Path) -> Path:
    aside = path.with_name(
        f"{path.stem}.unreadable-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1000:03d}{path.suffix}"
    )
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return aside


def _disk_is_full(error: sqlite3.OperationalError) -> bool:
    # A full disk shows as SQLITE_FULL, or as SQLITE_IOERR where the shared-memory file cannot grow.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
