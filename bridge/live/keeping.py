"""Files of what a live session heard: its log becomes a performance, and a job makes files of that."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.events import EventHub
from bridge.jobs import Jobs
from bridge.live.live_session import LiveSession
from bridge.live.note_log import Kept, read_log
from protocol.live import KeptNote, LiveKept
from protocol.messages import (
    TERMINAL_EVENTS,
    Artefact,
    BytesSource,
    Cancelled,
    Done,
    Failed,
    Message,
    Rejected,
    Submit,
)

MOST_NOTES_TOLD = 20_000
NOTHING_HEARD = "No notes were heard."


@dataclass(frozen=True)
class Files:
    """What a job made, or why it did not."""

    job: str = ""
    artefacts: tuple[Artefact, ...] = ()
    warnings: tuple[str, ...] = ()


class Keeper:
    """Makes files of sessions.

    Args:
        jobs: Where the work is done.
        events: Where the ends of jobs are published.
    """

    def __init__(self, jobs: Jobs, events: EventHub) -> None:
        self._jobs = jobs
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._unsubscribe = events.subscribe(self._hear)

    def close(self) -> None:
        """Wait for no more jobs."""
        self._unsubscribe()
        for waiting in self._waiting.values():
            waiting.cancel()

    async def keep(
        self,
        session: LiveSession,
        formats: list[Any],
        options: dict[str, Any],
        last_s: float | None = None,
        bars: int | None = None,
    ) -> LiveKept:
        """The last seconds of a session, or all of it, as notes and files."""
        end_s = session.state.position
        kept = await asyncio.to_thread(read_log, session.log.path, end_s, last_s)
        start_s = 0.0 if last_s is None else max(0.0, end_s - last_s)
        if bars is not None:
            options = {**options, "last_measures": bars}
        files = await self._files(session, kept, start_s, formats, options) if formats else Files()
        return LiveKept(
            live=session.id,
            job=files.job,
            artefacts=list(files.artefacts),
            start=start_s,
            started=session.state.started,
            notes=[_kept_note(note) for note in kept.notes[-MOST_NOTES_TOLD:]],
            warnings=list(files.warnings),
        )

    async def document(self, session: LiveSession, last_s: float) -> tuple[BytesSource, bytes]:
        """The last seconds of a session as a source of a job, and its content; without notes, the content is empty."""
        end_s = session.state.position
        kept = await asyncio.to_thread(read_log, session.log.path, end_s, last_s)
        start_s = kept.notes[0].onset_s if kept.notes else 0.0  # bars begin with what was played
        content = await asyncio.to_thread(_document, kept, start_s)
        return BytesSource(format="events", name=_name(session, start_s)), content if kept.notes else b""

    async def recovered(self, path: Path) -> str | None:
        """Hand in a job that makes a MIDI file of a log that was left behind; returns its id, None without notes."""
        kept = await asyncio.to_thread(read_log, path, 0.0)
        if not kept.notes:
            return None
        start_s = kept.notes[0].onset_s
        name = time.strftime("live until %Y-%m-%d %H.%M.%S.events", time.localtime(path.stat().st_mtime))
        source = BytesSource(format="events", name=name)
        submit = Submit(job=f"live-recovered-{path.stem}", source=source, target=["mid"])
        content = await asyncio.to_thread(_document, kept, start_s)
        answer = await self._jobs.submit(submit, (content,), "live", None, "")
        if isinstance(answer, Rejected):
            raise ValueError(answer.message)
        return submit.job

    async def _files(
        self, session: LiveSession, kept: Kept, start_s: float, formats: list[Any], options: dict[str, Any]
    ) -> Files:
        if not kept.notes:
            return Files(warnings=(NOTHING_HEARD,))
        job = f"live-{session.id[:90]}-{secrets.token_hex(4)}"
        content = await asyncio.to_thread(_document, kept, start_s)
        source = BytesSource(format="events", name=_name(session, start_s))
        submit = Submit(job=job, source=source, target=formats, options=options)
        end = await self._done(submit, content, session)
        if isinstance(end, Done):
            return Files(job, tuple(end.artefacts), tuple(end.warnings))
        sentence = end.message if isinstance(end, Failed | Rejected | Cancelled) else "The files were not made."
        return Files(job, warnings=(sentence,))

    async def _done(self, submit: Submit, content: bytes, session: LiveSession) -> Any:
        ended = self._waiting[submit.job] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._jobs.submit(
                submit, (content,), f"live:{session.id}", session.parent or "", session.session
            )
            return answer if isinstance(answer, Rejected) else (await ended).parsed()
        finally:
            del self._waiting[submit.job]

    def _hear(self, event: Message) -> None:
        if event.type in TERMINAL_EVENTS:
            waiting = self._waiting.get(str(event.content.get("job")))
            if waiting is not None and not waiting.done():
                waiting.set_result(event)


def _name(session: LiveSession, start_s: float) -> str:
    """What a file of the session is called: when it was played."""
    return time.strftime("live %Y-%m-%d %H.%M.%S.events", time.localtime(session.state.started + start_s))


def _kept_note(note: Any) -> KeptNote:
    return KeptNote(
        onset=round(note.onset_s, 4),
        offset=round(note.offset_s, 4),
        pitch=note.pitch,
        velocity=note.velocity,
        channel=note.channel,
        confidence=round(note.confidence, 3),
    )


def _document(kept: Kept, start_s: float) -> bytes:
    """The performance as an events document (`model_runtime.files.events`), which begins at `start_s`."""
    notes = [
        {
            "onset": round(note.onset_s - start_s, 6),
            "offset": round(max(note.offset_s or 0.0, note.onset_s + 0.001) - start_s, 6),
            "pitch": note.pitch,
            "velocity": max(1, note.velocity),
            "channel": note.channel,
        }
        for note in kept.notes
    ]
    controls = [
        {"time": round(max(c.time_s - start_s, 0.0), 6), "number": c.number, "value": c.value, "channel": c.channel}
        for c in kept.controls
    ]
    return json.dumps({"format": "events", "version": 1, "notes": notes, "controls": controls}).encode()
