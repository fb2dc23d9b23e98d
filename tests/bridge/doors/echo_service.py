"""A small, real service for the doors' tests: it holds jobs, runs them in the loop and tells of it.

A job hands its source back as its artefact. Options say how it goes: `steps` of progress, `pause_s` between them,
`fail` with a sentence, `hold` until it is cancelled.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from bridge.service import Client, EventListener, Reply
from protocol.messages import (
    Accepted,
    Artefact,
    BytesSource,
    Cancel,
    Cancelled,
    Content,
    Done,
    Error,
    Failed,
    Hello,
    JobList,
    Jobs,
    Message,
    Ok,
    Progress,
    Result,
    ResultData,
    Shutdown,
    State,
    Status,
    Submit,
    UnknownType,
    Welcome,
)


class EchoEvents:
    def __init__(self) -> None:
        self.listeners: list[EventListener] = []

    def subscribe(self, listener: EventListener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def emit(self, content: Content) -> None:
        for listener in list(self.listeners):
            listener(Message.of(content))


class EchoService:
    """Answers like the daemon, without engines and journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events = EchoEvents()
        self.states: dict[str, State] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.clients: list[Client] = []
        self.gone: list[Client] = []
        self.requests: list[Message] = []
        self.shut_down = asyncio.Event()

    def disconnected(self, client: Client) -> None:
        self.gone.append(client)

    async def handle(self, message: Message, buffers: Sequence[bytes], client: Client) -> Reply:
        self.clients.append(client)
        self.requests.append(message)
        try:
            content, answer_buffers = self._answer(message.parsed(), buffers)
        except UnknownType as error:
            content, answer_buffers = Error(code="unknown_type", message=str(error)), ()
        except ValidationError as error:
            content, answer_buffers = Error(code="invalid_value", message=str(error.errors()[0]["msg"])), ()
        return Reply(Message.of(content, parent=message.id, session=message.session), answer_buffers)

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    def _answer(self, request: Content, buffers: Sequence[bytes]) -> tuple[Content, Sequence[bytes]]:
        if isinstance(request, Hello):
            return Welcome(server="echo 1"), ()
        if isinstance(request, Submit):
            return self._submit(request, buffers), ()
        if isinstance(request, Jobs):
            states = [s for s in self.states.values() if not request.active or s.phase in ("queued", "running")]
            return JobList(jobs=states[::-1][: request.limit]), ()
        if isinstance(request, Shutdown):
            self.shut_down.set()
            return Ok(), ()
        if isinstance(request, Status | Cancel | Result):
            state = self.states.get(request.job)
            if state is None:
                return Error(code="unknown_job", message=f"There is no job {request.job}."), ()
            if isinstance(request, Cancel) and state.phase == "running":
                self.tasks[request.job].cancel()
            if isinstance(request, Result):
                return self._result(state, request.name)
            return state, ()
        return Error(code="unexpected", message="That is not a request."), ()

    def _result(self, state: State, name: str | None) -> tuple[Content, Sequence[bytes]]:
        for artefact in state.artefacts:
            if name in (None, artefact.name):
                data = Path(artefact.path).read_bytes()
                return ResultData(job=state.job, artefact=artefact), (data,)
        return Error(code="unknown_artefact", message="There is no such artefact."), ()

    def _submit(self, request: Submit, buffers: Sequence[bytes]) -> Content:
        if request.job in self.states:
            return self.states[request.job]
        self.states[request.job] = State(job=request.job, phase="running")
        self.tasks[request.job] = asyncio.get_running_loop().create_task(self._run(request, buffers))
        return Accepted(job=request.job)

    async def _run(self, request: Submit, buffers: Sequence[bytes]) -> None:
        job, options = request.job, request.options
        try:
            for step in range(options.get("steps", 1)):
                await asyncio.sleep(options.get("pause_s", 0.0))
                self.states[job].stage, self.states[job].current = "echo", step + 1.0
                self.events.emit(Progress(job=job, stage="echo", current=step + 1, total=options.get("steps", 1)))
            if options.get("hold"):
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.states[job] = State(job=job, phase="cancelled", message="The job was cancelled.")
            self.events.emit(Cancelled(job=job))
            return
        if sentence := options.get("fail"):
            self.states[job] = State(job=job, phase="failed", code="failed", message=sentence)
            self.events.emit(Failed(job=job, code="failed", message=sentence))
            return
        artefacts = [self._artefact(request, target, buffers) for target in request.target]
        self.states[job] = State(job=job, phase="done", artefacts=artefacts, engine="echo")
        self.events.emit(Done(job=job, artefacts=artefacts, engine="echo"))

    def _artefact(self, request: Submit, target: str, buffers: Sequence[bytes]) -> Artefact:
        if isinstance(request.source, BytesSource):
            data = base64.b64decode(request.source.data) if request.source.data else buffers[0]
        else:
            data = request.source.model_dump_json().encode()
        path = self.folder / f"{request.job}.{target}"
        path.write_bytes(data)
        return Artefact(
            name=f"echo.{target}",
            format=target,
            path=str(path),
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
