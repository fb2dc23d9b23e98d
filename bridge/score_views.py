"""Notation of live sessions, for whoever looks: one process for each session that is looked at.

It follows the events of live sessions as any client could. While nobody looks, the latest notes are kept and nothing
else is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from bridge.access import Refused
from bridge.channel import ChannelBroken, pack, receive_async
from bridge.service import EventListener, Events
from bridge.worker_process import Worker, WorkerEnded
from protocol.live_score import LiveBars, LiveEngraved, LiveScore, LiveTempo
from protocol.messages import Message

log = logging.getLogger(__name__)

NOTES = 2048
"""So many of the latest notes are kept for somebody who begins to look."""

SESSIONS = 32
UNWATCHED_S = 120.0
START_S = 60.0
DRAWING_S = 20.0

Publish = EventListener
OptionsOf = Callable[[str], dict[str, Any]]
"""Gives the options that a session was started with; empty where it is not known."""


@dataclass
class _View:
    """One session.

    Attributes:
        notes: The latest notes by number, as the process takes them.
        worker: The process; None while nobody looks.
        wanted_s: When somebody last asked, on the steady clock.
        started_s: When second 0 of the source's clock was, in seconds since 1970; 0 while that is not known.
        tempo: What the host told of its bars last; None: nothing.
    """

    live: str
    look_ahead_s: float = 0.0
    position_s: float = 0.0
    over: bool = False
    notes: OrderedDict[int, list[Any]] = field(default_factory=OrderedDict)
    worker: Worker | None = None
    wanted_s: float = 0.0
    started_s: float = 0.0
    tempo: LiveTempo | None = None
    drawing: asyncio.Lock = field(default_factory=asyncio.Lock)
    drawn: asyncio.Future[dict[str, Any]] | None = None
    reading: asyncio.Task[None] | None = None


class ScoreViews:
    """Follows the live sessions of a daemon.

    Args:
        events: Where live sessions are told of.
        publish: Takes `live.bars` events.
        scratch: Folder for the processes' temporary files.
        options_of: Options of sessions.
    """

    def __init__(self, events: Events, publish: Publish, scratch: Path, options_of: OptionsOf) -> None:
        self._publish = publish
        self._scratch = scratch
        self._options_of = options_of
        self._views: OrderedDict[str, _View] = OrderedDict()
        self._unsubscribe = events.subscribe(self._hear)
        self._ending: set[asyncio.Task[None]] = set()

    async def show(self, request: LiveScore) -> LiveEngraved:
        """The last bars of a session, engraved.

        Raises:
            Refused: there is no such session, or its notation cannot be shown.
        """
        view = self._views.get(request.live)
        if view is None:
            raise _unknown()
        view.wanted_s = time.monotonic()
        async with view.drawing:
            try:
                worker = await self._running(view)
                view.drawn = asyncio.get_running_loop().create_future()
                worker.writer.write(pack({"type": "draw", "bars": request.bars, "width": request.width}))
                answer = await asyncio.wait_for(view.drawn, DRAWING_S)
            except (WorkerEnded, TimeoutError, ConnectionError, OSError):
                await self._end(view)
                raise Refused(
                    "score_unavailable", "The score of this session cannot be shown now.", "Try again in a moment."
                ) from None
        if "error" in answer:
            raise Refused(*answer["error"])
        return LiveEngraved(live=request.live, **answer)

    def follow(self, request: LiveTempo) -> None:
        """Take the bars of a session's host from the next one on.

        Raises:
            Refused: there is no such session, or the map does not move forwards.
        """
        view = self._views.get(request.live)
        if view is None:
            raise _unknown()
        points = (request.tempo_map or {}).get("points") or [(0, 0), (1, 1)]
        if len(points) < 2 or any(b[0] <= a[0] or b[1] <= a[1] for a, b in pairwise(points)):
            raise Refused("invalid_options", "The tempo map does not move forwards all the time.")
        view.tempo = request
        self._tell_tempo(view)

    async def close(self) -> None:
        """End every process."""
        self._unsubscribe()
        await asyncio.gather(*(self._end(view) for view in self._views.values()), *self._ending)

    # ---- what live sessions tell ------------------------------------------------------------------------------------

    def _hear(self, event: Message) -> None:
        content = event.content
        if event.type == "live.started":
            self._begin(str(content["live"]), float(content.get("look_ahead", 0.0)))
            return
        view = self._views.get(str(content.get("live", "")))
        if view is None:
            return
        if event.type == "live.note":
            self._note(view, content)
        elif event.type == "live.state":
            view.position_s = float(content["position"])
            if not view.started_s and content.get("started"):
                view.started_s = float(content["started"])
                self._tell_tempo(view)
            self._tell(view, {"type": "clock", "position": view.position_s})
            self._leave_unwatched(view)
        elif event.type == "live.ended":
            view.over = True
            self._tell(view, {"type": "finish"})

    def _begin(self, live: str, look_ahead_s: float) -> None:
        if live in self._views:
            return
        self._views[live] = _View(live, look_ahead_s)
        while len(self._views) > SESSIONS:
            _, oldest = self._views.popitem(last=False)
            self._end_later(oldest)

    def _note(self, view: _View, note: dict[str, Any]) -> None:
        number = int(note["note"])
        words = [
            *(number, note["phase"], note["pitch"], note["onset"], note["offset"]),
            *(note["velocity"], note["confidence"]),
        ]
        if note["phase"] == "withdrawn":
            view.notes.pop(number, None)
        else:
            view.notes[number] = words
            if len(view.notes) > NOTES:
                view.notes.popitem(last=False)
        self._tell(view, {"type": "notes", "notes": [words]})

    def _tell(self, view: _View, message: dict[str, Any]) -> None:
        if view.worker is not None:
            view.worker.writer.write(pack(message))

    def _tell_tempo(self, view: _View) -> None:
        """Tell the process of the host's bars, once it is known when they are."""
        if view.tempo is not None and (view.tempo.at is None or view.started_s):
            shift_s = 0.0 if view.tempo.at is None else view.tempo.at - view.started_s
            self._tell(view, {"type": "tempo", "tempo_map": _moved(view.tempo.tempo_map, shift_s)})

    def _leave_unwatched(self, view: _View) -> None:
        if view.worker is not None and time.monotonic() - view.wanted_s > UNWATCHED_S:
            self._end_later(view)

    # ---- the process ------------------------------------------------------------------------------------------------

    async def _running(self, view: _View) -> Worker:
        if view.worker is not None and view.reading is not None and not view.reading.done():
            return view.worker
        await self._end(view)
        worker = await Worker.start(self._scratch, "bridge.score_view_process")
        start = {"type": "start", "options": self._options_of(view.live), "look_ahead": view.look_ahead_s}
        worker.writer.write(pack(start))
        await worker.wait_ready(START_S)
        # What was heard while it started is among the notes: it is told of what comes after them.
        view.worker = worker
        self._tell_tempo(view)
        worker.writer.write(pack({"type": "notes", "notes": list(view.notes.values())}))
        worker.writer.write(pack({"type": "clock", "position": view.position_s}))
        if view.over:
            worker.writer.write(pack({"type": "finish"}))
        view.reading = asyncio.create_task(self._read(view, worker))
        return worker

    async def _read(self, view: _View, worker: Worker) -> None:
        with contextlib.suppress(ChannelBroken):
            while True:
                message = await receive_async(worker.reader)
                kind = message.pop("type")
                if kind == "bars":
                    self._publish(Message.of(LiveBars(live=view.live, **message)))
                elif view.drawn is not None and not view.drawn.done():
                    view.drawn.set_result(message)
        if view.drawn is not None and not view.drawn.done():
            view.drawn.set_exception(ConnectionError())
        if view.worker is worker:
            log.warning("The notation of live session %s ended unasked", view.live)
            view.worker = None
            await worker.end()

    def _end_later(self, view: _View) -> None:
        task = asyncio.create_task(self._end(view))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, view: _View) -> None:
        worker, view.worker = view.worker, None
        if worker is not None:
            await worker.end()
        if view.reading is not None:
            await asyncio.gather(view.reading, return_exceptions=True)
            view.reading = None


def _unknown() -> Refused:
    return Refused("unknown_live", "There is no such live session.", "`scorebridge live --list` shows them.")


def _moved(tempo_map: dict[str, Any] | None, shift_s: float) -> dict[str, Any] | None:
    """A checked tempo map, later by some seconds."""
    if tempo_map is None:
        return None
    points = tempo_map.get("points") or [(0.0, 0.0), (60.0 / (tempo_map.get("bpm") or 120.0), 1.0)]
    return {**tempo_map, "points": [(time_s + shift_s, quarter) for time_s, quarter in points]}
