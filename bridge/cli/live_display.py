"""What `scorebridge live` shows: on a terminal the session as it stands, else a line for each confirmed note."""

from __future__ import annotations

import math
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from protocol.live import LiveEnded, LiveNote, LiveStarted, LiveState
from protocol.live_client import LiveEvent

NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
SHOWN = 12
METER_WIDTH = 30
METER_FLOOR_DB = -60.0


class Display:
    """Shows events."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._out = Console(highlight=False, soft_wrap=True)
        self._notes: deque[LiveNote] = deque(maxlen=SHOWN)
        self._started: LiveStarted | None = None
        self._state: LiveState | None = None
        self._live = Live(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._drawn)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def show(self, event: LiveEvent) -> None:
        """Take an event."""
        if isinstance(event, LiveStarted):
            self._started = event
            where = f" → {', '.join(event.destinations)}" if event.destinations else ""
            self._console.print(f"Listening to {event.source}{where}. Ctrl-C stops.", markup=False)
        elif isinstance(event, LiveState):
            self._state = event
        elif isinstance(event, LiveNote):
            self._take(event)
        elif isinstance(event, LiveEnded):
            self._live.stop()
            self._console.print(_end(event), markup=False)

    def _take(self, note: LiveNote) -> None:
        for index, known in enumerate(self._notes):
            if known.note == note.note:
                self._notes[index] = note
                break
        else:
            self._notes.append(note)
        if note.phase == "confirmed" and not self._out.is_terminal:
            self._out.print(f"{note.onset:9.3f} s  {name_of(note.pitch):4} velocity {note.velocity:3}", markup=False)

    def _drawn(self) -> Table:
        table = Table.grid(padding=(0, 2))
        state = self._state
        if state is None:
            return table
        table.add_row(f"{state.position:8.1f} s", _meter(state.level), _measures(state))
        if state.message:
            table.add_row("", "", Text(f"{state.message} {state.hint}".strip(), "yellow"))
        for note in reversed(self._notes):
            style = {"provisional": "dim", "withdrawn": "strike dim"}.get(note.phase, "")
            length = "" if note.offset is None else f"{note.offset - note.onset:5.2f} s"
            table.add_row(
                f"{note.onset:8.3f} s", Text(f"{name_of(note.pitch):4} {length}", style), Text(note.phase, style)
            )
        return table


def name_of(pitch: int) -> str:
    """A MIDI note number as a musician says it: 60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def _meter(level_db: float) -> Text:
    filled = round(METER_WIDTH * min(max(1 - level_db / METER_FLOOR_DB, 0.0), 1.0))
    return Text("█" * filled + "░" * (METER_WIDTH - filled), "red" if level_db > -3 else "green")


def _measures(state: LiveState) -> str:
    parts = [f"{state.notes} notes"]
    if state.latency is not None:
        parts.append(f"latency {1000 * state.latency:.0f} ms")
    for count, what in ((state.lost, "lost"), (state.late, "late"), (state.doubled, "doubled")):
        if count:
            parts.append(f"{count} {what}")
    if state.malformed:
        parts.append(f"{state.malformed} malformed")
    if state.drift is not None and math.fabs(state.drift) >= 1:
        parts.append(f"clock {state.drift:+.0f} ppm")
    return ", ".join(parts)


def _end(ended: LiveEnded) -> str:
    said = f"{ended.notes} notes in {ended.duration:.1f} s."
    return f"{ended.message} {ended.hint} {said}".strip() if ended.message else said
