"""A folder as a way in, for hosts whose scripts have files and no sockets: requests, replies and cancels are files.

    FOLDER/host.json          written by the host: {"pid": …, "beat": …, "notify": "127.0.0.1:8000/action/str _RS…"}
    FOLDER/client.json        written by us while we serve: {"pid": …, "beat": …, "version": …}
    FOLDER/requests/ID.json   {"kind": "submit", "source": …, "target": …, "options": …}, "hello" or "doctor",
                              or {"kind": "message", "type": "live.start", "content": …}: any request of a live session
    FOLDER/replies/ID.json    how things stand: a `state` of the protocol, or the answer
    FOLDER/cancels/ID         that it exists means: stop this

Every file is written under a temporary name and renamed. The host takes a request and its reply away once it has the
end. A client that was killed can be started again: jobs keep their ids, and submitting one again is harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.lock import FolderLock, Locked
from bridge.validation import sentence_of
from model_runtime.errors import MusicError
from protocol.async_client import LEASE_S, AsyncClient
from protocol.connection import process_start
from protocol.errors import DaemonError, DaemonNotRunning, ProtocolError
from protocol.live import LIVE_CONTENTS
from protocol.live_score import LIVE_SCORE_CONTENTS
from protocol.messages import (
    TERMINAL_EVENTS,
    TYPE_NAMES,
    BytesSource,
    Cancelled,
    Content,
    Done,
    Failed,
    Message,
    Progress,
    Submit,
)

LOOK_EVERY_S = 0.04
BEAT_EVERY_S = 1.0
REPLY_EVERY_S = 0.1
SILENT_HOST_S = 180.0  # a host whose process is not known has ended when it has said nothing for so long
FOREIGN_FOLDER_S = 86400.0  # folders of hosts that ended without us are removed when they are as old as this
GIVE_UP_S = 3.0


class Files:
    """The folder's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests, self.replies, self.cancels = (folder / name for name in ("requests", "replies", "cancels"))
        for path in (self.requests, self.replies, self.cancels):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)  # the host may have made it for all to see

    def read(self, path: Path) -> dict[str, Any]:
        """A file's object; an empty one where it is missing, half there or something else."""
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def write(self, path: Path, value: Mapping[str, Any]) -> None:
        """Write an object so that nobody reads half of it."""
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(json.dumps(value), "utf-8")
        for attempt in range(20):
            try:
                temporary.replace(path)
                return
            except PermissionError:  # Windows: somebody reads the old one
                if attempt == 19:
                    raise
                time.sleep(0.01)

    def waiting(self) -> list[str]:
        """Ids of the requests that are there, in the order in which they came."""
        came: list[tuple[int, str]] = []
        for path in self.requests.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # taken away by the host just now
                came.append((path.stat().st_mtime_ns, path.stem))
        return [request for _, request in sorted(came)]

    def ended(self, request: str) -> bool:
        """Whether a request has had its last reply."""
        return self.read(self.replies / f"{request}.json").get("phase") in TERMINAL_EVENTS


class Mailbox:
    """Serves a folder until its host ends, or nothing was asked for a while.

    Args:
        folder: The folder; what is missing in it is made.
        idle_s: How long to stay without work.
    """

    def __init__(self, folder: Path, idle_s: float) -> None:
        self.files = Files(folder)
        self.idle_s = idle_s
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._taken: set[str] = set()
        self._submitted: set[str] = set()
        self._giving_up: set[str] = set()
        self._host: tuple[int, str] | None = None
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End as if the host had ended: jobs are cancelled."""
        self._stop.set()

    async def serve(self) -> None:
        """Serve until it is over. Returns at once where another client serves this folder."""
        lock = FolderLock(self.files.folder / "client.lock")
        try:
            lock.acquire()
        except Locked:
            return
        beat = asyncio.create_task(self._beat())
        try:
            gone = await self._look_until_over()
        finally:
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat
            await self._end_jobs()
            await self._disconnect()
            (self.files.folder / "client.json").unlink(missing_ok=True)
            lock.release()
        if gone:
            shutil.rmtree(self.files.folder, ignore_errors=True)

    # ---- the folder ------------------------------------------------------------------------------------------------

    async def _look_until_over(self) -> bool:
        """Look at the folder again and again. True when the host has ended."""
        remove_old_folders(self.files.folder)
        last_work_s = time.monotonic()
        while not self._stop.is_set():
            self._take_requests()
            self._take_cancels()
            if self._tasks:
                last_work_s = time.monotonic()
            if self._host_has_ended():
                return True
            if time.monotonic() - last_work_s > self.idle_s:
                return False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_EVERY_S)
        return False

    def _take_requests(self) -> None:
        waiting = self.files.waiting()
        self._taken.intersection_update(waiting)
        for request in waiting:
            if request in self._taken:
                continue
            self._taken.add(request)
            if not self.files.ended(request):
                task = asyncio.create_task(self._answer(request), name=f"request {request}")
                self._tasks[request] = task
                task.add_done_callback(partial(self._forget, request))

    def _forget(self, request: str, _: asyncio.Task[None]) -> None:
        self._tasks.pop(request, None)
        self._submitted.discard(request)
        self._giving_up.discard(request)

    def _take_cancels(self) -> None:
        for path in self.files.cancels.iterdir():
            request = path.name
            if request in self._tasks:
                self._cancel(request)  # again each time, until it has: a wait that ends just then swallows it
            elif request in self._taken or not (self.files.requests / f"{request}.json").exists():
                path.unlink(missing_ok=True)  # it has ended; else its request is taken next time

    def _cancel(self, request: str) -> None:
        if request not in self._giving_up:
            self._tasks[request].cancel()

    async def _beat(self) -> None:
        from importlib.metadata import version

        about = {"pid": os.getpid(), "version": version("scorebridge")}
        while True:
            self.files.write(self.files.folder / "client.json", {**about, "beat": time.time()})
            await asyncio.sleep(BEAT_EVERY_S)

    def _host_has_ended(self) -> bool:
        host = self.files.read(self.files.folder / "host.json")
        pid = host.get("pid")
        if isinstance(pid, int) and (self._host is None or self._host[0] != pid):
            self._host = (pid, process_start(pid) or "gone")
        if self._host is not None:
            return process_start(self._host[0]) != self._host[1]
        beat = host.get("beat")
        return isinstance(beat, int | float) and time.time() - beat > SILENT_HOST_S

    # ---- one request -----------------------------------------------------------------------------------------------

    async def _answer(self, request: str) -> None:
        asked = self.files.read(self.files.requests / f"{request}.json")
        try:
            await self._carry_out(request, asked)
        except asyncio.CancelledError:
            await self._give_up(request)
        except (ProtocolError, OSError) as error:
            if isinstance(error, DaemonNotRunning):
                await self._disconnect()
            message = getattr(error, "message", "") or f"{error.strerror or error}."  # type: ignore[union-attr]
            code = getattr(error, "code", "storage")
            self._reply(request, Failed(job=request, code=code, message=message, hint=getattr(error, "hint", "")))
        except MusicError as error:
            self._reply(request, Failed(job=request, code=error.code, message=error.message, hint=error.hint))
        except ValidationError as error:
            self._reply(request, Failed(job=request, code="bad_message", message=sentence_of(error, "field")))

    async def _carry_out(self, request: str, asked: Mapping[str, Any]) -> None:
        if asked.get("kind") == "doctor":
            findings = await asyncio.to_thread(_findings)
            self._write(request, {"job": request, "phase": "done", "findings": findings})
            return
        self._write(request, {"job": request, "phase": "queued", "stage": "Starting ScoreBridge"})
        client = await self._connected()
        if asked.get("kind") == "hello":
            welcome = await client.hello()
            self._write(request, {"job": request, "phase": "done", "welcome": welcome.model_dump(mode="json")})
            return
        if asked.get("kind") == "message":
            answer = await client.ask(_live_request(asked))
            said = {"type": TYPE_NAMES[type(answer)], "content": answer.model_dump(mode="json")}
            self._write(request, {"job": request, "phase": "done", "answer": said})
            return
        submit = Submit.model_validate({**asked, "job": request, "lease": LEASE_S})
        try:
            await self._follow(client, submit, [])
        except DaemonError as error:
            path = Path(getattr(submit.source, "path", ""))
            if error.code != "not_allowed" or not path.is_file() or not os.access(path, os.R_OK):
                raise
            # The file lies where the daemon reads nothing by name; the host's user may read it, and sends it.
            content = await asyncio.to_thread(path.read_bytes)
            clip = {k: v for k, v in submit.source.model_dump().items() if k not in ("kind", "path")}
            source = BytesSource(format=_format_of(path), name=path.name, **clip)
            await self._follow(client, submit.model_copy(update={"source": source}), [content])

    async def _follow(self, client: AsyncClient, submit: Submit, buffers: list[bytes]) -> None:
        last_s = 0.0
        self._write(submit.job, {"job": submit.job, "phase": "queued", "stage": "Waiting"})
        self._submitted.add(submit.job)
        async for event in client.run(submit, buffers):
            if isinstance(event, Done | Failed | Cancelled):
                self._reply(submit.job, event)
            elif isinstance(event, Progress) and time.monotonic() - last_s >= REPLY_EVERY_S:
                last_s = time.monotonic()
                self._write(submit.job, {**event.model_dump(mode="json"), "phase": "running"})

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            if self._client is None:
                try:
                    self._client = AsyncClient(name="host mailbox")
                except DaemonNotRunning:
                    await asyncio.to_thread(_start_daemon)
                    self._client = AsyncClient(name="host mailbox")
            return self._client

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _give_up(self, request: str) -> None:
        self._giving_up.add(request)
        deadline_s = time.monotonic() + GIVE_UP_S
        while self._client is not None and request in self._submitted and time.monotonic() < deadline_s:
            try:
                await asyncio.wait_for(self._client.cancel(request), GIVE_UP_S)
                break
            except DaemonError as error:
                if error.code != "unknown_job":
                    break
                await asyncio.sleep(0.1)  # its submit was on the way when it was cancelled
            except (ProtocolError, TimeoutError):
                break
        self._reply(request, Cancelled(job=request))

    async def _end_jobs(self) -> None:
        deadline_s = time.monotonic() + 2 * GIVE_UP_S
        while self._tasks and time.monotonic() < deadline_s:
            for request in list(self._tasks):
                self._cancel(request)
            await asyncio.wait(list(self._tasks.values()), timeout=LOOK_EVERY_S)

    # ---- replies ---------------------------------------------------------------------------------------------------

    def _reply(self, request: str, end: Done | Failed | Cancelled) -> None:
        """The last reply, and word to whoever wants to be told of it."""
        phase = "done" if isinstance(end, Done) else "failed" if isinstance(end, Failed) else "cancelled"
        self._write(request, {**end.model_dump(mode="json"), "job": request, "phase": phase})
        notify = self.files.read(self.files.folder / "host.json").get("notify")
        if notify:
            _tell(str(notify), end)

    def _write(self, request: str, reply: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the folder was removed: nobody waits for this any more
            self.files.write(self.files.replies / f"{request}.json", reply)


def remove_old_folders(folder: Path) -> None:
    """Remove the mailboxes beside `folder` that nobody has touched for a day: their hosts are gone."""
    for other in folder.parent.glob("mailbox-*"):
        with contextlib.suppress(OSError):
            newest = max((path.stat().st_mtime for path in [other, *other.iterdir()]), default=0.0)
            if other != folder and time.time() - newest > FOREIGN_FOLDER_S:
                shutil.rmtree(other, ignore_errors=True)


def _live_request(asked: Mapping[str, Any]) -> Content:
    """The protocol's request in a host's file."""
    model = (LIVE_CONTENTS | LIVE_SCORE_CONTENTS).get(str(asked.get("type")))
    if model is None:
        raise DaemonError(f"{str(asked.get('type'))[:64]!r} is no request of a live session.", code="unknown_type")
    return model.model_validate(asked.get("content") or {})


def _format_of(path: Path) -> str:
    name = path.name.lower()
    return "events" if name.endswith(".events.json") else path.suffix.lstrip(".").lower() or "bin"


def _start_daemon() -> None:
    from bridge.cli.serve import start_detached

    try:
        start_detached()
    except MusicError as error:
        if error.code != "already_running":
            raise


def _findings() -> list[dict[str, str]]:
    from dataclasses import asdict

    from bridge.cli.doctor import CHECKS

    return [asdict(finding) for check in CHECKS for finding in check()]


def _tell(notify: str, end: Content) -> None:
    """Send what the daemon's setting of this name would send, of any end: a host wants to hear of failures too."""
    from dataclasses import replace

    from bridge.doors.door import DoorError
    from bridge.doors.notify import Notify

    try:
        whom = replace(Notify.parse(notify), events=TERMINAL_EVENTS)
    except DoorError:
        return
    message = Message(type=TYPE_NAMES[type(end)], content=end.model_dump(mode="json"))
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in whom.packets(message, end):
            sender.sendto(packet, (whom.host, whom.port))
