"""The daemon: puts journal, jobs, workers and doors together, starts and stops them.

`python -m bridge.daemon` runs it in the foreground until it is told to end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import logging.handlers
import os
import signal
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from bridge.access import Gate
from bridge.core import Core
from bridge.doors.door import Door
from bridge.events import EventHub
from bridge.jobs import Jobs
from bridge.journal import Journal, JournalFull
from bridge.live.sessions import LiveSessions
from bridge.lock import FolderLock, Locked
from bridge.memory import tidy_when_idle
from bridge.results import Store
from bridge.retention import Retention
from bridge.score_views import ScoreViews
from bridge.settings import MEBIBYTE, Settings
from bridge.validation import sentence_of
from protocol.connection import Connection, new_key, process_start, read_connection, remove_connection, write_connection
from protocol.errors import ProtocolError
from protocol.messages import Message

log = logging.getLogger("bridge.daemon")  # also where it runs as `__main__`

LOG_BYTES = 1 << 20


class CannotStart(Exception):
    """The daemon cannot start; the text is a sentence and what to do."""


class Daemon:
    """ScoreBridge's daemon of one user.

    Args:
        settings: None takes them from the environment and the user's settings file.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.events = EventHub()
        self.connection: Connection | None = None
        self._locks: list[FolderLock] = []
        self._doors: list[Door] = []
        self._journal: Journal | None = None
        self._jobs: Jobs | None = None
        self._live: LiveSessions | None = None
        self._scores: ScoreViews | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Start, serve until `SIGTERM`, `SIGINT`, `SIGHUP` or a `shutdown` message, and stop.

        Raises:
            CannotStart: with a sentence.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.end)
        try:
            await self.start()
            await self._ending.wait()
        finally:
            await self.stop()

    def end(self) -> None:
        """Make `run` stop the daemon."""
        self._ending.set()

    async def start(self) -> None:
        """Bring everything up; the connection file is written last.

        Raises:
            CannotStart: with a sentence; nothing is left running.
        """
        try:
            self._lock()
            jobs, lost = self._start_jobs()
            live = self._live = LiveSessions(self.settings, jobs, self.events)
            scores = self._scores = ScoreViews(
                self.events, self.events.publish, self.settings.work_folder, live.options_of
            )
            await self._open_doors(Core(self.settings, jobs, self.events, live, scores, self._end_for_client))
            for event in lost:
                self.events.publish(event)
            live.recover()
        except (OSError, JournalFull) as error:
            await self.stop()
            raise CannotStart(f"ScoreBridge cannot use its folder {self.settings.data}: {error}.") from error
        except ProtocolError as error:
            await self.stop()
            raise CannotStart(str(error)) from error
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Take everything down: jobs are cancelled, clients are told, files are closed. Idempotent."""
        if self.connection is not None:
            remove_connection(self.connection)
            self.connection = None
        for task in (self._sweeping, self._tidying, self._finishing):
            if task is not None:
                task.cancel()
        if self._scores is not None:
            await self._scores.close()
            self._scores = None
        if self._live is not None:
            await self._live.close()
            self._live = None
        if self._jobs is not None:
            await self._jobs.close()
        doors, self._doors = self._doors, []
        await asyncio.gather(*(door.stop() for door in doors), return_exceptions=True)
        if self._journal is not None:
            self._journal.close()
            self._journal = self._jobs = None
        for lock in self._locks:
            lock.release()
        self._locks.clear()

    def _lock(self) -> None:
        """See that no other daemon runs for this user, nor over the same data.

        Raises:
            CannotStart: one does.
        """
        for path in (self.settings.runtime / "daemon.lock", self.settings.data / "daemon.lock"):
            lock = FolderLock(path)
            try:
                lock.acquire()
            except Locked as locked:
                raise CannotStart(_already_running(locked.holder)) from None
            self._locks.append(lock)

    def _start_jobs(self) -> tuple[Jobs, list[Message]]:
        settings = self.settings
        store = Store(settings.work_folder, settings.results_folder)
        store.prepare()
        journal = self._journal = Journal(settings.journal_file)
        gate = Gate((*settings.roots, settings.results_folder.resolve()), settings.max_file_bytes)
        jobs = self._jobs = Jobs(settings, journal, store, gate, self.events)
        jobs.pool.open()  # workers start while the doors are opened
        lost = jobs.recover()
        retention = Retention(journal, store, settings)
        if journal.moved_aside is None:
            retention.remove_orphans()
        self._sweeping = asyncio.create_task(_sweep(retention, settings.sweep_s))
        self._tidying = asyncio.create_task(tidy_when_idle(lambda: jobs.ended, lambda: jobs.active))
        return jobs, lost

    async def _open_doors(self, core: Core) -> None:
        key, token = new_key(), new_key()
        self._doors = _doors(self.settings, core, key, token)
        await asyncio.gather(*(door.start() for door in self._doors))
        fields: dict[str, object] = {}
        for door in self._doors:
            fields |= door.connection_fields()
        self.connection = Connection.model_validate(
            {
                "server": core.server,
                "pid": os.getpid(),
                "process_started": process_start(os.getpid()) or "",
                "ip": self.settings.bind,
                "key": key,
                "token": token,
                **fields,
            }
        )
        path = write_connection(self.connection)
        log.info("%s is ready; its connection file is %s", core.server, path)

    def _end_for_client(self, wait: bool) -> None:
        if wait:
            self._finishing = asyncio.create_task(self._finish_jobs())
        else:
            self.end()

    async def _finish_jobs(self) -> None:
        if self._jobs is not None:
            self._jobs.stop_taking()
            await self._jobs.wait_idle()
        self.end()


def _doors(settings: Settings, core: Core, key: str, token: str) -> list[Door]:
    from bridge.doors.curve import is_loopback
    from bridge.doors.http import HttpDoor, HttpOptions
    from bridge.doors.notify import Notify
    from bridge.doors.osc import OscDoor, OscOptions
    from bridge.doors.zeromq import ZeroMQDoor, ZeroMQOptions

    zeromq = ZeroMQOptions(
        ip=settings.bind,
        requests_port=settings.zeromq_port,
        control_port=settings.control_port,
        events_port=settings.events_port,
        heartbeat_port=settings.heartbeat_port,
        curve_folder=None if is_loopback(settings.bind) else settings.data / "curve",
    )
    # OSC and HTTP are not encrypted: they stay on this machine whatever `bind` says.
    notify = [Notify.parse(settings.notify)] if settings.notify else []
    osc = OscOptions(udp_port=settings.osc_udp_port, tcp_port=settings.osc_tcp_port, notify=notify)
    http = HttpOptions(
        port=settings.http_port,
        max_body_bytes=settings.max_inline_bytes * 4 // 3 + MEBIBYTE,  # base64
        memory=settings.data / "pages.json",
    )
    return [ZeroMQDoor(core, key.encode(), zeromq), OscDoor(core, token, osc), HttpDoor(core, token, http)]


async def _sweep(retention: Retention, interval_s: float) -> None:
    while True:
        try:
            retention.sweep()
        except Exception:
            log.exception("Old results could not be removed")
        await asyncio.sleep(interval_s)


def _already_running(holder: int | None) -> str:
    who = f"process {holder}" if holder else "another process"
    with contextlib.suppress(ProtocolError):
        found = read_connection()
        where = f"ZeroMQ on port {found.requests_port}, HTTP on port {found.http_port}"
        return f"ScoreBridge is already running as {who} ({where}). Stop it first: scorebridge serve stop"
    return f"ScoreBridge is already running as {who}. Stop it first: scorebridge serve stop"


def log_to(settings: Settings) -> None:
    """Send what matters to standard error, and everything to a log in the data folder that does not grow for ever."""
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    terminal = logging.StreamHandler()
    terminal.setLevel(settings.log_level.upper())
    terminal.setFormatter(form)
    handlers: list[logging.Handler] = [terminal]
    with contextlib.suppress(OSError):
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = settings.data / "daemon.log"
        kept = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8")
        kept.setFormatter(form)
        handlers.append(kept)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    logging.getLogger("bridge").setLevel(logging.DEBUG)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # warns of every broken request that anybody sends


def main(arguments: Sequence[str] = ()) -> int:
    """Run the daemon in the foreground; returns the exit status."""
    try:
        settings = Settings()
    except (ValidationError, ValueError) as error:
        sentence = sentence_of(error, "setting") if isinstance(error, ValidationError) else f"{error}"
        sys.stderr.write(f"ScoreBridge's settings are not valid. {sentence}\n")
        return 2
    log_to(settings)
    try:
        asyncio.run(Daemon(settings).run())
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
