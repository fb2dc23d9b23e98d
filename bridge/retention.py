"""How long results are kept: by age, by number and by the room that they take, the oldest going first.

Ages are counted by the wall clock, corrected where somebody has moved it: a result of this morning does not become a
year old because the clock was wrong.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from bridge.journal import Journal, JournalFull, Kept
from bridge.results import Store
from bridge.settings import Settings

log = logging.getLogger(__name__)

CLOCK_TOLERANCE_S = 60.0


def elapsed_s() -> float:
    """Seconds that really went by, counted from any point; sleep counts where the system tells."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(boot_time) if boot_time is not None else time.monotonic()


class Retention:
    """Removes what is older, or more, than is to be kept. Unfinished jobs are never touched.

    Args:
        clock: The wall clock, seconds since 1970.
        elapsed: A clock that nobody can move.
    """

    def __init__(
        self,
        journal: Journal,
        store: Store,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = elapsed_s,
    ) -> None:
        self.journal = journal
        self.store = store
        self.settings = settings
        self._clock = clock
        self._elapsed = elapsed
        self._offset_s = clock() - elapsed()

    def sweep(self) -> int:
        """Remove what is not to be kept any more; returns how many jobs were forgotten."""
        self._follow_clock()
        going = expired(
            self.journal.ended(),
            now=self._clock(),
            keep_s=self.settings.keep_days * 86400,
            keep_bytes=self.settings.keep_bytes,
            keep_jobs=self.settings.keep_jobs,
            grace_s=self.settings.keep_least_s,
        )
        for kept in going:
            self.store.remove(kept.folder)
        try:
            self.journal.forget(kept.id for kept in going)
        except JournalFull:
            log.warning("The journal cannot be written: the disk is full")
        return len(going)

    def remove_orphans(self) -> int:
        """Remove result folders that no job knows: a daemon was ended between moving and writing down."""
        known = self.journal.folders()
        orphans = [folder for folder in self.store.folders() if folder not in known]
        for folder in orphans:
            self.store.remove(folder)
        return len(orphans)

    def _follow_clock(self) -> None:
        offset = self._clock() - self._elapsed()
        moved = offset - self._offset_s
        if abs(moved) > CLOCK_TOLERANCE_S:
            log.warning("The system's clock was moved by %.0f s; the ages of results are kept as they were", moved)
            self.journal.shift_clock(moved)
            self._offset_s = offset


def expired(
    jobs: Iterable[Kept], *, now: float, keep_s: float, keep_bytes: int, keep_jobs: int, grace_s: float = 0.0
) -> list[Kept]:
    """Those of the ended jobs that are not to be kept: too old, or beyond what fits when the newest are kept first.

    Args:
        jobs: The oldest first.
        grace_s: Younger ones stay whatever their size, so that they can be fetched at all.
    """
    going = []
    room, places = keep_bytes, keep_jobs
    for job in reversed(list(jobs)):
        age_s = now - job.ended
        if age_s > keep_s or (age_s >= grace_s and (job.bytes > room or places <= 0)):
            going.append(job)
            # Once one does not fit, none that is older stays: the oldest go first.
            room = -1 if job.bytes > room else room
            continue
        room -= job.bytes
        places -= 1
    return going
