"""The life of jobs: accepted, queued, running, and exactly one end.

`Jobs` belongs to one event loop. What waits or runs is held in memory and in the journal; what has ended is in the
journal alone. All times that decide something are monotonic: moving the wall clock changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from bridge.access import CheckedFile, Gate, Refused
from bridge.events import EventHub
from bridge.fair_queue import FairQueue
from bridge.job import DISK_FULL, RESTARTED, Job, clip_of, digest_of, ended_state, refused_write, unknown_job
from bridge.journal import Entry, Journal, JournalFull
from bridge.ledger import Ledger
from bridge.results import Store, stem_of
from bridge.settings import Settings
from bridge.sources import check_options, content_of, unknown_options
from bridge.worker_process import Worker, WorkerEnded
from bridge.workers import Pool
from protocol.messages import (
    Accepted,
    Artefact,
    BytesSource,
    Cancelled,
    Content,
    Done,
    Failed,
    Message,
    Partial,
    PathSource,
    Progress,
    Rejected,
    State,
    Submit,
)

log = logging.getLogger(__name__)

ABANDONED_LEASE_S = 10.0  # how long a leased job waits for a client whose connection ended to come back


class Jobs:
    """All jobs.

    Args:
        settings: Limits.
        journal: Their memory.
        store: Their folders.
        gate: Which files they may read.
        events: Where their events are published.

    Attributes:
        ended: How many have ended since the start.
    """

    def __init__(self, settings: Settings, journal: Journal, store: Store, gate: Gate, events: EventHub) -> None:
        self.settings = settings
        self.journal = journal
        self.ledger = Ledger(journal)
        self.store = store
        self.gate = gate
        self.events = events
        self.pool = Pool(settings, self._start_waiting)
        self._active: dict[str, Job] = {}
        self._waiting: FairQueue[Job] = FairQueue()
        self._arriving: dict[str, asyncio.Future[None]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self.ended = 0
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    # ---- what the daemon asks --------------------------------------------------------------------------------------

    @property
    def active(self) -> int:
        """How many jobs wait or run."""
        return len(self._active)

    def recover(self) -> list[Message]:
        """Give every job that an earlier daemon left unfinished its end; returns their events."""
        events = []
        for entry in self.journal.unfinished():
            failed = RESTARTED.model_copy(update={"job": entry.id})
            self.ledger.end(ended_state(entry.state, failed), 0)
            events.append(Message.of(failed, parent=entry.parent, session=entry.session))
        return events

    def stop_taking(self) -> None:
        """Refuse new jobs from now on."""
        self._closing = True

    async def wait_idle(self) -> None:
        """Wait until no job waits or runs."""
        await self._idle.wait()

    async def close(self) -> None:
        """Cancel what waits or runs, end the workers, and write everything down."""
        self.stop_taking()
        for job in tuple(self._active.values()):
            self._cancel(job, "The job was cancelled because ScoreBridge was shut down.")
        await self.pool.close()
        if self._running:
            await asyncio.wait(self._running, timeout=1.0)
        self.ledger.catch_up()

    # ---- what clients ask ------------------------------------------------------------------------------------------

    async def submit(
        self, submit: Submit, buffers: Sequence[bytes], client: str, parent: str | None, session: str
    ) -> Accepted | Rejected | State:
        """Take a job, or answer with the present state of one that was sent before."""
        while submit.job in self._arriving:  # the same id is being looked at
            await asyncio.shield(self._arriving[submit.job])
        self._arriving[submit.job] = arriving = asyncio.get_running_loop().create_future()
        try:
            return await self._submit(submit, buffers, client, parent, session)
        except Refused as refused:
            return Rejected(job=submit.job, code=refused.code, message=refused.message, hint=refused.hint)
        finally:
            del self._arriving[submit.job]
            arriving.set_result(None)

    def state(self, job_id: str) -> State | None:
        """A job's present state; renews its lease. None where no job has this id."""
        job = self._active.get(job_id)
        if job is not None:
            self._renew(job)
            if job.state.phase == "queued":
                job.state.position = self._waiting.position(job.client, job)
            return job.state
        return self.ledger.state(job_id)

    def cancel(self, job_id: str) -> State | None:
        """Stop a job; one that has ended stays as it ended. None where no job has this id."""
        job = self._active.get(job_id)
        if job is not None:
            self._cancel(job, Cancelled(job=job_id).message)
            return job.state
        return self.state(job_id)

    def newest(self, limit: int, active: bool) -> list[State]:
        """The newest jobs first."""
        if active:
            return [job.state for job in reversed(self._active.values())][:limit]
        newest = self.ledger.newest(limit)
        return [self._active[state.job].state if state.job in self._active else state for state in newest]

    async def artefact(self, job_id: str, name: str | None) -> tuple[Artefact, bytes]:
        """One of the files that a job made, the first where no name is given.

        Raises:
            Refused: there is no such job or file, or it is too large to be sent.
        """
        state = self.state(job_id)
        if state is None:
            raise unknown_job(job_id)
        if state.phase != "done":
            raise Refused("not_done", f"The job has no result: it is {state.phase}.", state.message)
        found = next((a for a in state.artefacts if name in (None, a.name)), None)
        if found is None:
            names = ", ".join(a.name for a in state.artefacts)
            raise Refused("not_found", f"The job made no file called {str(name)[:200]!r}.", f"It made {names}.")
        if found.size > self.settings.max_inline_bytes:
            raise Refused("too_large", f"{found.name} is too large to be sent.", f"It lies at {found.path}.")
        try:
            return found, await asyncio.to_thread(Path(found.path).read_bytes)
        except OSError:
            raise Refused(
                "not_found", f"{found.name} is not in the results folder any more.", "Send the job again."
            ) from None

    # ---- arrival ---------------------------------------------------------------------------------------------------

    async def _submit(
        self, submit: Submit, buffers: Sequence[bytes], client: str, parent: str | None, session: str
    ) -> Accepted | State:
        content = content_of(submit.source, buffers, self.settings.max_inline_bytes)
        digest = await asyncio.to_thread(digest_of, submit, content)
        known = self._known(submit.job, digest)
        if known is not None:
            return known
        self._check_room(client)
        check_options(submit.options)
        folder = self.store.new_name()
        source = await self._stored_source(submit, content, folder)
        self._check_room(client)  # others may have come meanwhile

        now = time.time()
        state = State(job=submit.job, phase="queued", submitted=now)
        entry = Entry(submit.job, digest, parent, session, now, folder, state)
        self._write_down(entry)
        job = Job(submit, entry, client, source, state)
        self._active[submit.job] = job
        self._idle.clear()
        self._waiting.put(client, job)
        self._renew(job)
        # The answer goes out before the job's first event.
        asyncio.get_running_loop().call_soon(self._start_waiting)
        return Accepted(job=submit.job, position=self._waiting.position(client, job))

    def _known(self, job_id: str, digest: str) -> State | None:
        """The state of a job that was sent before.

        Raises:
            Refused: it was another one.
        """
        job = self._active.get(job_id)
        entry = job.entry if job else self.journal.find(job_id)
        if entry is None:
            return None
        if entry.digest != digest:
            raise Refused(
                "job_exists",
                "Another job was sent under this id.",
                "Choose a new id for every job, a UUID for instance.",
            )
        return self.state(job_id)

    def _check_room(self, client: str) -> None:
        if self._closing:
            raise Refused("shutting_down", "ScoreBridge is being shut down.", "Start it again, then send the job.")
        if len(self._waiting) >= self.settings.queue_length:
            raise Refused(
                "queue_full",
                f"{len(self._waiting)} jobs are waiting, and no more are taken.",
                "Wait until some are done.",
            )
        if self._waiting.waiting(client) >= self.settings.queue_per_client:
            raise Refused(
                "queue_full",
                f"{self._waiting.waiting(client)} of your jobs are waiting, and no more of one client are taken.",
                "Wait until some are done.",
            )

    async def _stored_source(self, submit: Submit, content: bytes | None, folder: str) -> Path | None:
        """Write down what was sent, or see whether the named file may be read."""
        source = submit.source
        if isinstance(source, PathSource):
            await asyncio.to_thread(self.gate.check, source.path)
            return None
        assert content is not None
        format = source.format if isinstance(source, BytesSource) else "notes"
        try:
            await asyncio.to_thread(self.store.make, folder)
            return await asyncio.to_thread(self.store.save_source, folder, format, content)
        except OSError as error:
            raise refused_write(error) from None

    def _write_down(self, entry: Entry) -> None:
        try:
            self.journal.add(entry)
        except JournalFull:
            self.store.discard(entry.folder)
            raise Refused(*DISK_FULL) from None

    # ---- running ---------------------------------------------------------------------------------------------------

    def _start_waiting(self) -> None:
        """Hand waiting jobs to free workers."""
        while len(self._waiting):
            worker = self.pool.take()
            if worker is None:
                self._fail_where_no_worker_starts()
                return
            job = self._waiting.take()
            job.worker = worker
            job.started_s = time.monotonic()
            job.state.phase = "running"
            job.state.position = 0
            task = asyncio.create_task(self._run(job, worker), name=f"job {job.submit.job}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _fail_where_no_worker_starts(self) -> None:
        reason, self.pool.broken = self.pool.broken, None
        while reason is not None and len(self._waiting):
            job = self._waiting.take()
            self._end(job, Failed(job=job.submit.job, code=reason.code, message=reason.message, hint=reason.hint))

    async def _run(self, job: Job, worker: Worker) -> None:
        """Do a job and give it its end, unless it was cancelled meanwhile."""
        end: Done | Failed | None
        again = False
        try:
            async with self._time_limit(worker):
                task = await self._task(job)
                answer = {} if job.ended else await worker.run(task, lambda m: self._report(job, m))
            end = None if job.ended else self._end_of(job, answer)
        except WorkerEnded as error:
            again = error.unseen and not job.ended and not self._closing
            end = None if again else Failed(job=job.submit.job, code=error.code, message=error.message, hint=error.hint)
        except Refused as error:
            end = Failed(job=job.submit.job, code=error.code, message=error.message, hint=error.hint)
        except Exception as error:
            log.exception("Job %s failed", job.submit.job)
            message = f"ScoreBridge met an error that it does not know ({type(error).__name__})."
            hint = "The daemon's log has the details."
            end = Failed(job=job.submit.job, code="internal_error", message=message, hint=hint)
        if again:
            self._wait_again(job)
        elif not job.ended and end is not None:
            self._end(job, end)
        self.pool.give_back(worker)
        if not again:
            await asyncio.to_thread(self.store.discard, job.entry.folder)

    def _wait_again(self, job: Job) -> None:
        """The worker was gone before it saw the job: it is the first to be taken by the next one."""
        job.worker = None
        job.state.phase = "queued"
        self._waiting.put_first(job.client, job)

    @contextlib.asynccontextmanager
    async def _time_limit(self, worker: Worker) -> AsyncIterator[None]:
        limit_s = self.settings.worker_time_s
        reason = WorkerEnded(
            "time_limit",
            f"This job took longer than the {limit_s / 60:.0f} minutes that one may take.",
            "Send a shorter part of it, or raise `worker_time_s` in ScoreBridge's config.toml.",
        )
        ending: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        timer = loop.call_later(limit_s, lambda: ending.append(loop.create_task(worker.end(reason))))
        try:
            yield
        finally:
            timer.cancel()

    async def _task(self, job: Job) -> dict[str, Any]:
        """The job in the worker's words. A named file is looked at again: it may have changed while the job waited."""
        source = job.submit.source
        checked: CheckedFile | None = None
        if isinstance(source, PathSource):
            checked = await asyncio.to_thread(self.gate.check, source.path)
            try:
                await asyncio.to_thread(self.store.make, job.entry.folder)
            except OSError as error:
                raise refused_write(error) from None
        path = checked.path if checked else job.source
        format = {"bytes": getattr(source, "format", None), "notes": "notes", "path": None}[source.kind]
        name = checked.path.name if checked else getattr(source, "name", "")
        return {
            "job": job.submit.job,
            "source": str(path),
            "format": format,
            "identity": list(checked.identity) if checked else None,
            "clip": clip_of(source),
            "targets": list(job.submit.target),
            "options": job.submit.options,
            "folder": str(self.store.work / job.entry.folder / "out"),
            "stem": stem_of(name),
        }

    def _report(self, job: Job, message: dict[str, Any]) -> None:
        if job.ended:
            return
        content: Content
        if message["type"] == "progress":
            stage, current, total = message["stage"], message["current"], message["total"]
            job.state.stage, job.state.current, job.state.total = stage, current, total
            content = Progress(job=job.submit.job, stage=stage, current=current, total=total)
        else:
            content = Partial(job=job.submit.job, notes=message["notes"])
        self._publish(job.entry, content)

    def _end_of(self, job: Job, message: dict[str, Any]) -> Done | Failed:
        """What a worker's last message makes of the job; a finished result is moved to its place."""
        job_id = job.submit.job
        if message["type"] == "failed":
            return Failed(job=job_id, code=message["code"], message=message["message"], hint=message["hint"])
        try:
            artefacts = self.store.publish(job.entry.folder, message["files"])
        except OSError as error:
            refused = refused_write(error)
            return Failed(job=job_id, code=refused.code, message=refused.message, hint=refused.hint)
        now = time.monotonic()
        timing = {
            "queued": round(job.started_s - job.received_s, 6),
            **message["timing"],
            "total": round(now - job.received_s, 6),
        }
        warnings = [*unknown_options(job.submit.options), *message["warnings"]]
        return Done(job=job_id, artefacts=artefacts, engine=message["engine"], warnings=warnings, timing=timing)

    # ---- the end ---------------------------------------------------------------------------------------------------

    def _cancel(self, job: Job, message: str) -> None:
        worker = job.worker
        if worker is None:
            self._waiting.remove(job.client, job)
            asyncio.get_running_loop().run_in_executor(None, self.store.discard, job.entry.folder)
        self._end(job, Cancelled(job=job.submit.job, message=message))
        if worker is not None:
            ending = asyncio.create_task(worker.end(WorkerEnded("cancelled", message)))
            self._running.add(ending)
            ending.add_done_callback(self._running.discard)

    def _end(self, job: Job, end: Done | Failed | Cancelled) -> None:
        """Give a job its one end."""
        job.ended = True
        if job.lease is not None:
            job.lease.cancel()
        size = sum(a.size for a in end.artefacts) if isinstance(end, Done) else 0
        state = ended_state(job.state, end)
        if not self.ledger.end(state, size) and isinstance(end, Done):
            # Nobody would find the result after a restart, and its room is needed.
            self.store.remove(job.entry.folder)
            end = Failed(job=job.submit.job, code=DISK_FULL[0], message=DISK_FULL[1], hint=DISK_FULL[2])
            state = ended_state(job.state, end)
            self.ledger.end(state, 0)
        job.state = state
        del self._active[job.submit.job]
        self.ended += 1
        if not self._active:
            self._idle.set()
        self._publish(job.entry, end)

    def abandon(self, client: str) -> None:
        """A client is gone: its jobs with a lease end soon, unless somebody asks about them (it may come back)."""
        for job in [job for job in self._active.values() if job.client == client]:
            self._renew(job, at_most_s=ABANDONED_LEASE_S)

    def _renew(self, job: Job, at_most_s: float = math.inf) -> None:
        if job.submit.lease is None or job.ended:
            return
        if job.lease is not None:
            job.lease.cancel()
        lease_s = min(job.submit.lease, at_most_s)
        message = f"The job was cancelled because nobody asked about it for {lease_s:g} s."
        job.lease = asyncio.get_running_loop().call_later(lease_s, self._cancel, job, message)

    def _publish(self, entry: Entry, content: Content) -> None:
        self.events.publish(Message.of(content, parent=entry.parent, session=entry.session))
