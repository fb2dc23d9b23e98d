"""All live sessions of the daemon: started, followed, stopped, and never left with a key pressed.

`LiveSessions` belongs to the daemon's event loop. Each session runs in a process of its own; what it hears passes
through here on its way to the doors, and is written down.
"""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections.abc import Coroutine
from functools import partial
from typing import Any

from bridge.access import Refused
from bridge.events import EventHub
from bridge.jobs import ABANDONED_LEASE_S, Jobs
from bridge.live.found import found_sources
from bridge.live.keeping import NOTHING_HEARD, Keeper
from bridge.live.live_session import LiveSession
from bridge.live.note_log import NoteLog
from bridge.live.reastream_ports import ReaStreamPorts
from bridge.live.session_process import ask_to_stop, end_stuck, hear_out, open_process
from bridge.settings import Settings
from bridge.sources import check_options
from protocol.live import LiveEnded, LiveKeep, LiveKept, LiveSourceInfo, LiveStart, LiveStarted, LiveState
from protocol.live_places import LiveSource, PlayedFileSource, ReaStreamSource, RecordingSource
from protocol.messages import BytesSource, Content, LiveHeardSource, Message

log = logging.getLogger(__name__)

STOP_S = 5.0
FILES_AT_SHUTDOWN_S = 4.0
REMEMBERED = 20  # ended sessions of which the notes can still be asked for


class LiveSessions:
    """All live sessions.

    Args:
        settings: How many there may be, and what hears them.
        jobs: Makes their files.
        events: Where their events are published.
    """

    def __init__(self, settings: Settings, jobs: Jobs, events: EventHub) -> None:
        self._settings = settings
        self._jobs = jobs
        self._events = events
        self._keeper = Keeper(jobs, events)
        self._sessions: dict[str, LiveSession] = {}
        self._ports = ReaStreamPorts()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._left_behind = sorted(settings.live_folder.glob("*.notes"))

    # ---- what clients ask ------------------------------------------------------------------------------------------

    async def start(self, request: LiveStart, client: str, parent: str | None, session_name: str) -> LiveStarted:
        """Start a session and wait until it listens; one that was started before answers as it stands.

        Raises:
            Refused: there is no room, or its source cannot be opened; the sentence says why.
        """
        known = self._sessions.get(request.live)
        if known is not None:
            return self._again(known, request)
        self._check_room()
        check_options(request.options)
        checked = request.model_copy(update={"source": await self._checked(request.source)})
        self._check_room()  # others may have come meanwhile
        session = self._new(checked, client, parent, session_name)
        try:
            started = await self._open(session)
        except BaseException as error:
            await self._give_up(session)
            if isinstance(error, OSError):
                raise Refused("internal_error", f"The live session cannot be started: {error.strerror}.") from None
            raise
        self._publish(session, started)
        self.renew(session)
        self._background(self._run(session))
        return started

    def recover(self) -> None:
        """Make MIDI files of what was heard in sessions that an earlier daemon left in the middle."""
        if self._left_behind:
            self._background(self._recover())

    async def _recover(self) -> None:
        for path in self._left_behind:
            try:
                kept = await self._keeper.recovered(path)
                if kept is not None:
                    log.warning("A live session was cut off; what it had heard is the job %s", kept)
                path.unlink()
            except (OSError, ValueError):
                log.exception("The live session in %s could not be recovered", path)

    async def stop(self, live: str, reason: str = "stopped") -> LiveEnded:
        """Stop a session and wait for its last event; one that has ended answers with that.

        Raises:
            Refused: there is none.
        """
        session = self._found(live)
        if session.active and not session.stopping:
            self._ask_to_stop(session, reason)
        return await asyncio.shield(session.ended)

    def status(self, live: str) -> LiveState:
        """How a session stands; renews its lease.

        Raises:
            Refused: there is none.
        """
        session = self._found(live)
        self.renew(session)
        return session.state

    def newest(self) -> list[LiveState]:
        """All sessions that are remembered, the newest first."""
        return [session.state for session in reversed(self._sessions.values())]

    def options_of(self, live: str) -> dict[str, Any]:
        """The options that a session was started with; none where there is no such session."""
        session = self._sessions.get(live)
        return {} if session is None else session.request.options

    async def keep(self, request: LiveKeep) -> LiveKept:
        """What a session heard lately.

        Raises:
            Refused: there is none.
        """
        session = self._found(request.live)
        check_options(request.options)
        options = {**session.request.options, **request.options}
        return await self._keeper.keep(session, request.formats, options, request.seconds, request.bars)

    async def heard(self, source: LiveHeardSource) -> tuple[BytesSource, bytes]:
        """What a session heard lately, as a source for a job.

        Raises:
            Refused: there is no session, or it heard nothing.
        """
        if source.live:
            session = self._found(source.live)
        elif self._sessions:
            session = next(reversed(self._sessions.values()))
        else:
            raise Refused(
                "unknown_live",
                "Nothing was played yet: no live session runs.",
                "Start one: scorebridge live, or REAPER.",
            )
        made, content = await self._keeper.document(session, source.seconds)
        if not content:
            raise Refused("nothing_heard", NOTHING_HEARD, "Is the live session's source sending? Its level shows it.")
        return made, content

    async def sources(self, kinds: list[str]) -> list[LiveSourceInfo]:
        """What could be listened to."""
        found = await self._ports.senders() if not kinds or "reastream" in kinds else []
        return found + await found_sources([kind for kind in kinds if kind != "reastream"], all_kinds=not kinds)

    def abandon(self, client: str) -> None:
        """A client is gone: its sessions with a lease end soon, unless somebody asks about them."""
        for session in self._sessions.values():
            if session.active and session.client == client:
                self.renew(session, at_most_s=ABANDONED_LEASE_S)

    @property
    def active(self) -> int:
        """How many sessions listen."""
        return sum(session.active for session in self._sessions.values())

    async def close(self) -> None:
        """End every session, with its files where they can be made at once."""
        self._closing = True
        active = [session for session in self._sessions.values() if session.active]
        for session in active:
            self._ask_to_stop(session, "shutdown")
        if active:
            await asyncio.wait([session.ended for session in active], timeout=STOP_S + FILES_AT_SHUTDOWN_S)
        self._keeper.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in active:
            await self._end_worker(session)
        for session in self._sessions.values():
            session.log.close()
            session.log.path.unlink(missing_ok=True)
        await self._ports.close()

    # ---- starting --------------------------------------------------------------------------------------------------

    def _again(self, known: LiveSession, request: LiveStart) -> LiveStarted:
        if known.active and known.started is None:
            raise Refused(
                "busy", "This live session is just being started.", "Wait for the answer to the first request."
            )
        if known.started is None or not known.active or known.request.source.kind != request.source.kind:
            raise Refused(
                "live_exists", "A live session was held under this id.", "Choose a new id for every session, a UUID."
            )
        self.renew(known)
        return known.started

    def _check_room(self) -> None:
        if self._closing:
            raise Refused("shutting_down", "ScoreBridge is being shut down.", "Start it again, then the session.")
        most = self._settings.live_sessions
        if self.active >= most:
            raise Refused(
                "busy",
                f"{self.active} live sessions listen already, and this machine takes {most}.",
                "Stop one of them, or raise `live_sessions` in ScoreBridge's config.toml.",
            )

    async def _checked(self, source: LiveSource) -> LiveSource:
        """The source; where it is a file, with its real path, if that may be read."""
        if not isinstance(source, PlayedFileSource | RecordingSource):
            return source
        checked = await asyncio.to_thread(self._jobs.gate.check, source.path)
        return source.model_copy(update={"path": str(checked.path)})

    def _new(self, request: LiveStart, client: str, parent: str | None, session_name: str) -> LiveSession:
        try:
            self._settings.live_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            notes = NoteLog(self._settings.live_folder / f"{uuid.uuid4().hex}.notes")
        except OSError as error:
            raise Refused("storage", f"What is heard cannot be written down: {error.strerror}.") from None
        state = LiveState(live=request.live, phase="starting", kind=request.source.kind)
        session = LiveSession(request, client, parent, session_name, state, notes)
        self._sessions[request.live] = session
        return session

    async def _open(self, session: LiveSession) -> LiveStarted:
        packets = None
        if isinstance(session.request.source, ReaStreamSource):
            session.port, session.route, packets = self._ports.join(session.request.source)
        return await open_process(session, self._settings, packets)

    async def _give_up(self, session: LiveSession) -> None:
        """A session that did not come to listen leaves nothing behind."""
        await self._end_worker(session)
        del self._sessions[session.id]
        session.log.close()
        session.log.path.unlink(missing_ok=True)

    # ---- following -------------------------------------------------------------------------------------------------

    async def _run(self, session: LiveSession) -> None:
        """Hear the process out, then give the session its end."""
        assert session.worker is not None
        end = await hear_out(session, session.worker, partial(self._publish, session))
        for note in session.release():
            self._publish(session, note)
        await self._end_worker(session)
        fields = {name: end.get(name, "") for name in ("code", "message", "hint")}
        reason = "failed" if end["type"] == "failed" else session.stopping or end["reason"]
        await self._finish(session, LiveEnded.model_validate({"live": session.id, "reason": reason, **fields}))

    def _ask_to_stop(self, session: LiveSession, reason: str) -> None:
        session.stopping = reason
        session.state = session.state.model_copy(update={"phase": "stopping"})
        if session.worker is None:
            return
        ask_to_stop(session.worker)
        asyncio.get_running_loop().call_later(STOP_S, self._end_if_stuck, session)

    def _end_if_stuck(self, session: LiveSession) -> None:
        if session.active and session.worker is not None and session.worker.process.poll() is None:
            self._background(end_stuck(session.worker))

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_worker(self, session: LiveSession) -> None:
        if session.worker is not None:
            await session.worker.end()
        if session.port is not None and session.route is not None:
            await self._ports.leave(session.port, session.route)
            session.route = None

    async def _finish(self, session: LiveSession, ended: LiveEnded) -> None:
        """Make the files, and give the session its one end."""
        if session.lease is not None:
            session.lease.cancel()
        state = session.state
        fields: dict[str, Any] = {"notes": state.notes, "duration": state.position, "started": state.started}
        if session.request.formats:
            try:
                kept = await self._keeper.keep(session, session.request.formats, session.request.options)
                fields |= {"job": kept.job, "artefacts": kept.artefacts, "warnings": kept.warnings}
            except Exception:
                log.exception("The files of the live session %s were not made", session.id)
                fields["warnings"] = ["The files were not made; the daemon's log has the details."]
        ended = ended.model_copy(update=fields)
        phase = "failed" if ended.reason == "failed" else "ended"
        told = {"code": ended.code, "message": ended.message, "hint": ended.hint}
        session.state = state.model_copy(update={"phase": phase, "receiving": False, "sounding": 0, **told})
        session.log.close()
        self._publish(session, ended)
        session.ended.set_result(ended)
        self._forget_oldest()

    # ---- the rest --------------------------------------------------------------------------------------------------

    def renew(self, session: LiveSession, at_most_s: float = math.inf) -> None:
        """Somebody asked about it: its lease begins anew."""
        if session.request.lease is None or not session.active:
            return
        if session.lease is not None:
            session.lease.cancel()
        lease_s = min(session.request.lease, at_most_s)
        session.lease = asyncio.get_running_loop().call_later(lease_s, self._lease_is_over, session)

    def _lease_is_over(self, session: LiveSession) -> None:
        if session.active and not session.stopping:
            self._ask_to_stop(session, "lease")

    def _found(self, live: str) -> LiveSession:
        session = self._sessions.get(live)
        if session is None:
            raise Refused(
                "unknown_live", f"There is no live session {live[:128]!r}.", "live.list tells which there are."
            )
        return session

    def _forget_oldest(self) -> None:
        ended = [session for session in self._sessions.values() if not session.active]
        for session in ended[:-REMEMBERED]:
            del self._sessions[session.id]
            session.log.path.unlink(missing_ok=True)

    def _publish(self, session: LiveSession, content: Content) -> None:
        self._events.publish(Message.of(content, parent=session.parent, session=session.session))
