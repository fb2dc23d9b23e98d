"""What is said to a live session's process, and what it says: opened, heard out, asked to stop, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any

from bridge.access import Refused
from bridge.channel import ChannelBroken, pack, receive_async
from bridge.live.live_session import LiveSession
from bridge.settings import Settings
from bridge.worker_process import Worker, WorkerEnded
from protocol.live import LiveStarted
from protocol.messages import Content

log = logging.getLogger(__name__)

WORKER = "bridge.live.worker"
OPEN_S = 30.0
DIED = {
    "type": "failed",
    "code": "worker_died",
    "message": "The live session's process was ended.",
    "hint": "What was confirmed until then is kept; start the session again.",
}


async def open_process(session: LiveSession, settings: Settings, packets: socket.socket | None) -> LiveStarted:
    """Start a session's process and wait until it listens; what it opened becomes the session's state.

    Args:
        session: Gets its process.
        settings: What hears it.
        packets: For ReaStream: where packets come from; closed here, because the process has it then.

    Raises:
        Refused: the source cannot be opened; the sentence says why.
        OSError: the process cannot be started.
    """
    try:
        worker = await Worker.start(settings.work_folder, WORKER, [packets] if packets else [])
    finally:
        if packets is not None:
            packets.close()
    session.worker = worker
    request = session.request.model_dump(mode="json")
    worker.writer.write(pack({"type": "start", "request": request, "reader": settings.live_reader}))
    try:
        async with asyncio.timeout(OPEN_S):
            answer = await receive_async(worker.reader)
    except (ChannelBroken, TimeoutError):
        raise Refused(
            "internal_error", "The live session's process did not start.", "The daemon's log has the details."
        ) from None
    if answer["type"] != "opened":
        raise Refused(answer["code"], answer["message"], answer["hint"])
    fields = {name: answer[name] for name in ("source", "destinations", "reader", "look_ahead")}
    session.started = LiveStarted(live=session.id, kind=session.request.source.kind, **fields)
    session.state = session.state.model_copy(update={"phase": "listening", **fields})
    return session.started


async def hear_out(session: LiveSession, worker: Worker, tell: Callable[[Content], None]) -> dict[str, Any]:
    """Pass on what a process says until it says its last; returns that, or what must be said in its place."""
    try:
        return await _until_end(session, worker, tell)
    except (ChannelBroken, ConnectionError):
        return {"type": "ended", "reason": session.stopping} if session.stopping else DIED
    except Exception as error:
        log.exception("The live session %s failed", session.id)
        sentence = f"The live session met an error that ScoreBridge does not know ({type(error).__name__})."
        return {"type": "failed", "code": "internal_error", "message": sentence, "hint": ""}


def ask_to_stop(worker: Worker) -> None:
    """Say so to a process; whether it listens shows later."""
    with contextlib.suppress(OSError):
        worker.writer.write(pack({"type": "stop"}))


async def end_stuck(worker: Worker) -> None:
    """End a process that was asked to stop and did not."""
    await worker.end(WorkerEnded("stopped", "The session did not stop."))


async def _until_end(session: LiveSession, worker: Worker, tell: Callable[[Content], None]) -> dict[str, Any]:
    while True:
        message = await receive_async(worker.reader)
        match message["type"]:
            case "notes":
                for note in session.hear(message):
                    tell(note)
            case "keys":
                session.press(message)
            case "state":
                tell(session.stand(message))
            case _:
                return message
