"""How jobs ended, written down as soon as the disk has room for it.

A job has its end when its event goes out. Where the journal cannot take it, it is held in memory and written later.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3

from bridge.journal import Journal, JournalFull
from protocol.messages import State

log = logging.getLogger(__name__)


class Ledger:
    """The ends of jobs: in the journal, or waiting for it.

    Args:
        journal: Where they are written.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._waiting: dict[str, tuple[State, int]] = {}

    def end(self, state: State, size: int) -> bool:
        """Write an end down; False where it has to wait.

        Args:
            state: The job's last state.
            size: Bytes of its result.
        """
        try:
            self.journal.end(state, size)
        except (JournalFull, sqlite3.Error) as error:
            log.warning("The end of job %s could not be written down: %s", state.job, error)
            self._waiting[state.job] = (state, size)
            return False
        self._waiting.pop(state.job, None)
        self.catch_up()
        return True

    def catch_up(self) -> None:
        """Write down what waits, as far as there is room."""
        with contextlib.suppress(JournalFull, sqlite3.Error):
            for state, size in tuple(self._waiting.values()):
                self.journal.end(state, size)
                del self._waiting[state.job]

    def state(self, job: str) -> State | None:
        """The state of a job as it was last written, or is to be."""
        if job in self._waiting:
            return self._waiting[job][0]
        entry = self.journal.find(job)
        return entry.state if entry else None

    def newest(self, limit: int) -> list[State]:
        """The newest jobs first."""
        return [self._waiting.get(state.job, (state, 0))[0] for state in self.journal.newest(limit)]
