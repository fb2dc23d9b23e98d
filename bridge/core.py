"""The daemon as its doors see it: takes a message, does what it asks, answers.

What a client sent never raises: the answer is then `error` or `rejected`, with a sentence.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

from pydantic import ValidationError

from bridge.access import Refused
from bridge.events import EventHub
from bridge.job import unknown_job
from bridge.jobs import Jobs
from bridge.live.sessions import LiveSessions
from bridge.score_views import ScoreViews
from bridge.service import Client, Reply
from bridge.settings import Settings
from bridge.sources import check_options
from bridge.validation import sentence_of
from protocol import PROTOCOL_VERSION
from protocol.live import LiveKeep, LiveList, LiveSourceList, LiveSources, LiveStart, LiveStatus, LiveStop
from protocol.live import LiveSessions as LiveSessionList
from protocol.live_score import LiveScore, LiveTempo
from protocol.messages import (
    CONTENTS,
    Cancel,
    Content,
    Error,
    Hello,
    JobList,
    LiveHeardSource,
    Message,
    Ok,
    Rejected,
    Result,
    ResultData,
    Shutdown,
    Status,
    Submit,
    UnknownType,
    Welcome,
)
from protocol.messages import Jobs as ListJobs

ABOUT_WAIT_S = 10.0
ABOUT_AGE_S = 30.0

Answer = tuple[Content, Sequence[bytes]]


class Core:
    """The service behind every door (`bridge.service.Service`).

    Args:
        settings: Limits for the welcome.
        jobs: Where work goes.
        events: Where events of jobs and live sessions come from.
        live: Live sessions.
        scores: Their notation.
        on_shutdown: Called when a client asks the daemon to end, with whether running jobs may finish first.
    """

    def __init__(
        self,
        settings: Settings,
        jobs: Jobs,
        events: EventHub,
        live: LiveSessions,
        scores: ScoreViews,
        on_shutdown: Callable[[bool], None],
    ) -> None:
        self.settings = settings
        self.jobs = jobs
        self.live = live
        self.scores = scores
        self.server = f"scorebridge {metadata.version('scorebridge')}"
        self._events = events
        self._on_shutdown = on_shutdown
        self._about_s = 0.0
        self._asking: asyncio.Task[dict[str, Any]] | None = None
        self._answers: Mapping[type[Content], Callable[[Any, Message, Sequence[bytes], Client], Awaitable[Answer]]] = {
            Hello: self._hello,
            Submit: self._submit,
            Status: self._status,
            Result: self._result,
            Cancel: self._cancel,
            ListJobs: self._list,
            Shutdown: self._shutdown,
            LiveStart: self._live_start,
            LiveStop: self._live_stop,
            LiveStatus: self._live_status,
            LiveList: self._live_list,
            LiveSources: self._live_sources,
            LiveKeep: self._live_keep,
            LiveScore: self._live_score,
            LiveTempo: self._live_tempo,
        }

    @property
    def events(self) -> EventHub:
        """Events of all jobs."""
        return self._events

    async def handle(self, message: Message, buffers: Sequence[bytes], client: Client) -> Reply:
        """Answer one request."""
        try:
            content, answer_buffers = await self._answer(message, buffers, client)
        except Refused as refused:
            content, answer_buffers = _refusal(message, refused), ()
        return Reply(Message.of(content, parent=message.id, session=message.session), answer_buffers)

    def disconnected(self, client: Client) -> None:
        """A door saw a client's connection end: its jobs and sessions with a lease are not kept for it for long."""
        self.jobs.abandon(client.id)
        self.live.abandon(client.id)

    async def _answer(self, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        _check_version(message.version)
        try:
            request = message.parsed()
        except UnknownType as error:
            raise Refused("unknown_type", str(error), f"Known are: {', '.join(self.request_types)}.") from None
        except ValidationError as error:
            return _refused_content(message, error), ()
        answer = self._answers.get(type(request))
        if answer is None:
            raise _not_a_request(message.type)
        return await answer(request, message, buffers, client)

    @property
    def request_types(self) -> list[str]:
        """Names of the messages that are answered."""
        return [name for name, model in CONTENTS.items() if model in self._answers]

    async def _hello(self, hello: Hello, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        _check_version(hello.version)
        about = await self._about()
        limits = {
            "file_bytes": self.settings.max_file_bytes,
            "inline_bytes": self.settings.max_inline_bytes,
            "queue_length": self.settings.queue_length,
            "queue_per_client": self.settings.queue_per_client,
            "job_seconds": self.settings.worker_time_s,
            "live_sessions": self.settings.live_sessions,
            "memory_bytes": self.settings.worker_memory_bytes,
        }
        return Welcome(server=self.server, limits=limits, **about), ()

    async def _submit(self, submit: Submit, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        if isinstance(submit.source, LiveHeardSource):
            known = self.jobs.state(submit.job)  # what was heard goes on changing, what was sent does not
            if known is not None:
                return known, ()
            source, content = await self.live.heard(submit.source)
            submit, buffers = submit.model_copy(update={"source": source}), (content,)
        return await self.jobs.submit(submit, buffers, client.id, message.id, message.session), ()

    async def _status(self, status: Status, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        state = self.jobs.state(status.job)
        if state is None:
            raise unknown_job(status.job)
        return state, ()

    async def _result(self, result: Result, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        artefact, content = await self.jobs.artefact(result.job, result.name)
        if client.door == "zeromq":
            return ResultData(job=result.job, artefact=artefact), (content,)
        data = base64.b64encode(content).decode("ascii")
        return ResultData(job=result.job, artefact=artefact, data=data), ()

    async def _cancel(self, cancel: Cancel, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        state = self.jobs.cancel(cancel.job)
        if state is None:
            raise unknown_job(cancel.job)
        return state, ()

    async def _list(self, wanted: ListJobs, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        return JobList(jobs=self.jobs.newest(wanted.limit, wanted.active)), ()

    async def _shutdown(self, shutdown: Shutdown, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        self._on_shutdown(shutdown.wait)
        return Ok(), ()

    async def _live_start(self, start: LiveStart, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        return await self.live.start(start, client.id, message.id, message.session), ()

    async def _live_stop(self, stop: LiveStop, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        return await self.live.stop(stop.live), ()

    async def _live_status(self, ask: LiveStatus, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        return self.live.status(ask.live), ()

    async def _live_list(self, ask: LiveList, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        return LiveSessionList(sessions=self.live.newest()), ()

    async def _live_sources(
        self, ask: LiveSources, message: Message, buffers: Sequence[bytes], client: Client
    ) -> Answer:
        return LiveSourceList(sources=await self.live.sources(ask.kinds)), ()

    async def _live_keep(self, keep: LiveKeep, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        return await self.live.keep(keep), ()

    async def _live_score(self, ask: LiveScore, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        return await self.scores.show(ask), ()

    async def _live_tempo(self, tell: LiveTempo, message: Message, buffers: Sequence[bytes], client: Client) -> Answer:
        if tell.tempo_map is not None:
            check_options({"tempo_map": tell.tempo_map})
        self.scores.follow(tell)
        return Ok(), ()

    async def _about(self) -> dict[str, Any]:
        """What can be translated. The first question waits for a worker; later ones refresh it in the background."""
        pool = self.jobs.pool
        if not pool.known.is_set():
            try:
                async with asyncio.timeout(ABOUT_WAIT_S):
                    await pool.known.wait()
            except TimeoutError:
                return {}
            self._about_s = time.monotonic()
        elif time.monotonic() - self._about_s > ABOUT_AGE_S:
            self._about_s = time.monotonic()
            self._asking = asyncio.create_task(pool.refreshed())
        return {name: pool.about[name] for name in ("directions", "options", "formats")}


def _check_version(theirs: str) -> None:
    ours = PROTOCOL_VERSION.partition(".")[0]
    if theirs.partition(".")[0] != ours:
        raise Refused(
            "version",
            f"This daemon speaks protocol {PROTOCOL_VERSION}, the client speaks {theirs[:20]}.",
            f"Install a client and a daemon of the same major version ({ours}): pip install --upgrade scorebridge",
        )


def _not_a_request(name: str) -> Refused:
    return Refused("not_a_request", f"A message of type {name!r} is an answer or an event, not a request.")


def _refusal(message: Message, refused: Refused) -> Content:
    job = message.content.get("job")
    if message.type == "submit" and isinstance(job, str) and refused.code in ("unknown_live", "nothing_heard"):
        return Rejected(job=job, code=refused.code, message=refused.message, hint=refused.hint)
    return Error(code=refused.code, message=refused.message, hint=refused.hint)


def _refused_content(message: Message, error: ValidationError) -> Content:
    sentence = sentence_of(error)
    job = message.content.get("job")
    if message.type == "submit" and isinstance(job, str) and len(job) <= 128:
        return Rejected(job=job, code="invalid_message", message=sentence)
    return Error(code="invalid_message", message=sentence)
