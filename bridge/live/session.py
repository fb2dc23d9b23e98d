"""One session, in its own process: reads the source, has it heard, and hands notes to the destinations at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.live.destinations.base import Destination
from bridge.live.heard import Heard
from bridge.live.hearing import Hearing, MidiHearing
from bridge.live.keyboard import Keyboard, Stroke
from bridge.live.sources.base import Source, SourceEnded
from model_runtime.errors import MusicError

log = logging.getLogger(__name__)

TICK_S = 0.02
STATE_S = 0.2
SILENT_S = 3.0  # without sound from the source: whatever a reader still holds comes up
BEHIND_S = 5.0

Report = Callable[[dict[str, Any]], None]
"""Tells the daemon, before anything goes out, so that it can release what this process leaves pressed."""


class TooSlow(MusicError):
    """The machine cannot keep up with the source."""

    code = "too_slow"


@dataclass
class Outlet:
    """A destination and its keys."""

    destination: Destination
    keyboard: Keyboard


class Session:
    """Runs until it is stopped or its source ends.

    Args:
        live: The session's id.
        source: Open.
        hearing: Turns what it brings into notes.
        destinations: Open.
        report: Tells the daemon.
    """

    def __init__(
        self, live: str, source: Source, hearing: Hearing, destinations: Sequence[Destination], report: Report
    ) -> None:
        self._live = live
        self._source = source
        self._hearing = hearing
        self._outlets = [Outlet(d, Keyboard(early=d.early)) for d in destinations]
        self._report = report
        self._playing = threading.RLock()  # keys are also released from the thread that sees the daemon end
        self._stopped = threading.Event()
        self._next_state_s = 0.0
        self._silent_since_s: float | None = None
        self._started: float | None = None  # second 0 of the source's clock, in seconds since 1970
        self._sounding: set[int] = set()
        self._known: set[int] = set()
        self._counts = {"notes": 0, "withdrawn": 0}

    def stop(self) -> None:
        """Make `run` return; from any thread."""
        self._stopped.set()

    def run(self) -> str:
        """Listen; returns why it ended: "stopped" or "source".

        Raises:
            MusicError: the source is gone, or the machine is too slow; keys are up.
        """
        try:
            while not self._stopped.is_set():
                self._step()
            return "stopped"
        except SourceEnded:
            return "source"
        finally:
            self._finish()

    def release_all(self) -> None:
        """Every key of every destination comes up; from any thread."""
        with self._playing:
            for index, outlet in enumerate(self._outlets):
                self._play(index, outlet.keyboard.release_all())

    def _step(self) -> None:
        items = self._source.read(TICK_S)
        if items:
            behind_s = time.monotonic() - items[-1].arrival_s
            if behind_s > BEHIND_S:
                raise TooSlow(
                    f"This machine cannot keep up: it is {behind_s:.0f} s behind the music.",
                    hint="End other sessions and programs, then start again.",
                )
        heard = self._hearing.take(items, self._source.sample_rate)
        if isinstance(self._hearing, MidiHearing):
            self._hearing.passed(time.monotonic())
        else:
            self._release_what_nobody_plays()
        self._tell(heard)
        now_s = time.monotonic()
        if now_s >= self._next_state_s:
            self._next_state_s = now_s + STATE_S
            self._report_state(now_s)

    def _finish(self) -> None:
        try:
            self._tell(self._hearing.finish())
        except Exception:
            log.exception("The reader failed at its end")
        self.release_all()
        self._report_state(time.monotonic())
        self._source.close()
        for outlet in self._outlets:
            outlet.destination.close()

    def _tell(self, heard: Sequence[Heard]) -> None:
        now_s = time.monotonic()
        with self._playing:
            self._tell_daemon(heard, now_s)
            for index, outlet in enumerate(self._outlets):
                strokes = [stroke for note in heard for stroke in outlet.keyboard.take(note, now_s)]
                self._play(index, strokes + outlet.keyboard.due(now_s))
                if heard:
                    outlet.destination.tell(self._live, heard)

    def _tell_daemon(self, heard: Sequence[Heard], now_s: float) -> None:
        controls, self._hearing.controls = self._hearing.controls, []
        if not heard and not controls:
            return
        words = []
        for note in heard:
            latency_s = None
            if note.phase != "withdrawn" and note.number not in self._known:
                self._known.add(note.number)
                latency_s = self._hearing.latency.told(note.onset_s, now_s)
            words.append([note.to_wire(), latency_s])
            self._count(note)
        message: dict[str, Any] = {"type": "notes", "notes": words}
        if controls:
            message["controls"] = [[c.time_s, c.number, c.value, c.channel] for c in controls]
        self._report(message)

    def _count(self, note: Heard) -> None:
        if note.phase == "withdrawn":
            self._counts["withdrawn"] += 1
        elif note.phase == "confirmed":
            self._counts["notes"] += 1
        if note.phase == "withdrawn" or note.offset_s is not None:
            self._sounding.discard(note.number)
        else:
            self._sounding.add(note.number)
        if note.phase != "provisional" and note.number not in self._sounding:
            # Its end is known: only a correction of it can follow, which is no first word any more.
            self._forget_long_known()

    def _forget_long_known(self) -> None:
        if len(self._known) > 4096:
            self._known = set(sorted(self._known)[-2048:]) | self._sounding

    def _play(self, index: int, strokes: Sequence[Stroke]) -> None:
        if not strokes:
            return
        self._report({"type": "keys", "outlet": index, "strokes": [[s.pitch, s.velocity] for s in strokes]})
        try:
            self._outlets[index].destination.play(strokes)
        except Exception:  # a port that was closed from outside must not end the session
            log.exception("Notes could not be sent")

    def _release_what_nobody_plays(self) -> None:
        now_s = time.monotonic()
        if self._source.receiving:
            self._silent_since_s = None
        elif self._silent_since_s is None:
            self._silent_since_s = now_s
        elif now_s - self._silent_since_s > SILENT_S:
            self.release_all()

    def _report_state(self, now_s: float) -> None:
        source, hearing = self._source, self._hearing
        level, peak = hearing.level.read()
        latency_s, latency_p95_s = hearing.latency.summary(now_s)
        if self._started is None and hearing.started_s is not None:
            self._started = round(time.time() - (now_s - hearing.started_s), 4)
        counts = source.counts
        self._report(
            {
                "type": "state",
                "position": round(hearing.position_s, 3),
                "started": self._started or 0.0,
                "level": level,
                "peak": peak,
                "latency": latency_s,
                "latency_p95": latency_p95_s,
                "receiving": source.receiving,
                "packets": counts.packets,
                "lost": counts.lost,
                "doubled": counts.doubled,
                "late": counts.late,
                "malformed": counts.malformed,
                "drift": source.drift_ppm,
                "sounding": len(self._sounding),
                **self._counts,
            }
        )
