"""Notation while the music is still being played: notes as they are heard → bars, at most two behind.

    live = LiveNotation()
    for note in heard:              # model_runtime.listening.HeardNote
        live.add(note)
    for bar in live.advance(now_s):  # bars that are over by now, and bars whose notes changed
        ...
    live.notation(4).musicxml       # the last four bars

Beats and metre are tracked (`live_beats`) or come from a host's tempo map (`live_map`). What a second of playing costs,
and what is kept, does not grow with the length of the session.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from model_runtime.listening import HeardNote
from model_runtime.modality import Control, Notation, Note
from model_runtime.notation.beats import accent_classes
from model_runtime.notation.live_bars import Bar, Played, quarters_per_minute, score_of_bars, write_again, write_bar
from model_runtime.notation.live_beats import BarTimes, TrackedBars
from model_runtime.notation.live_key import RunningKey
from model_runtime.notation.live_map import MappedBars
from model_runtime.notation.live_score import write_last_bars
from model_runtime.notation.onsets import CHORD_SPAN_S, Chord, gather_chords
from model_runtime.notation.quantised import ScoreKey
from model_runtime.options import Options
from model_runtime.tempo import TempoMap

KEPT_BARS = 32
"""Bars that are remembered: so many can be shown, and so far back a note may still be corrected."""

SETTLED_CHORDS = 4
"""A chord is followed once so many further ones are known, which its accents depend on."""

SETTLED_BARS = 0.4
SOONEST_S, LATEST_S, FIRST_S = 0.6, 2.0, 1.0
"""In slow music it is followed after a share of a bar, within these bounds, whatever is known; before there is a bar,
after `FIRST_S`."""

CHORDS_BEFORE = 6
"""Chords before a new one that its accents depend on, at least."""

SAME_TIME_S = 0.01
"""A note whose times change by less than this is written as before."""

SHORTEST_NOTE_S = 0.03
LONG_AFTER_S = 3600.0


class LiveNotation:
    """Follows one session.

    Args:
        tempo_map: Of the host, on the clock of the notes; None: beats and metre are tracked.
        options: `quantise`, `split_point` and `title` are followed.
        program: General MIDI program of what plays; None is unknown and written like a piano.
    """

    def __init__(
        self, tempo_map: TempoMap | None = None, options: Options | None = None, program: int | None = None
    ) -> None:
        self._options = options or Options()
        self._program = program
        self._map = tempo_map
        self._source: TrackedBars | MappedBars | None = None
        self._notes: dict[int, HeardNote] = {}
        self._controls: deque[Control] = deque(maxlen=4096)
        self._followed: deque[Chord] = deque(maxlen=CHORDS_BEFORE)
        self._followed_until_s = -np.inf
        self._bars: deque[Bar] = deque(maxlen=KEPT_BARS)
        self._changed: set[int] = set()  # numbers of bars whose notes changed
        self._number = 0
        self._key = RunningKey()
        self._now_s = 0.0

    def add(self, note: HeardNote) -> None:
        """What is now known of a note: a new one, or one of a number that was added before."""
        before = self._notes.get(note.number)
        if note.phase == "withdrawn":
            self._notes.pop(note.number, None)
        else:
            self._notes[note.number] = note
        for version in (before, None if note.phase == "withdrawn" else note):
            if version is not None and not (before is not None and _same(before, note)):
                self._changed.update(bar.number for bar in self._bars if bar.from_s <= version.onset_s < bar.until_s)

    def add_control(self, control: Control) -> None:
        """A pedal that was moved; in order of time."""
        self._controls.append(control)

    def follow(self, tempo_map: TempoMap | None) -> None:
        """Take the host's tempo map from the next bar on (it may have changed); None: track from now on."""
        self._map = tempo_map
        self._source = None

    def advance(self, now_s: float) -> list[Bar]:
        """The bars that are over and the bars that changed, in order, once everything up to `now_s` has been heard."""
        self._now_s = max(self._now_s, now_s)
        changed = self._write_changed()
        finished = self._follow_chords() if self._map is None else []
        finished += self._finish_bars(self._now_s)
        self._forget()
        return [*changed, *finished]

    def finish(self) -> list[Bar]:
        """The music is over: all bars that were not given out yet. What still sounds ends now."""
        bars = self.advance(self._now_s)
        for number, note in self._notes.items():
            if note.offset_s is None:
                self._notes[number] = replace(note, offset_s=max(self._now_s, note.onset_s + SHORTEST_NOTE_S))
        end_s = self._now_s = max(self._now_s, self._sounds_until_s()) + LONG_AFTER_S
        if self._map is None:
            bars += self._follow_chords()
        return bars + self._finish_bars(end_s)

    def bars(self, count: int = KEPT_BARS) -> list[Bar]:
        """The last bars that are over, at most `KEPT_BARS`."""
        return list(self._bars)[-count:]

    def unwritten_bars(self, now_s: float) -> float:
        """How many bars have passed since the end of the last one that was given out, as far as bars are known now.

        1.5 is half through the second; 0 where nothing was played since. Bars that are known better later may make it
        more in hindsight: what looked like a slow one may have been two quick ones.
        """
        ahead = [] if self._source is None else self._source.ahead(now_s)
        if not ahead or ahead[0].start_s >= min(now_s, self._sounds_until_s()):
            return 0.0
        ends_s = [ahead[0].start_s, *(bar.end_s for bar in ahead)]
        return float(np.interp(now_s, ends_s, range(len(ends_s))))

    @property
    def key(self) -> ScoreKey:
        """The key signature of the last bars."""
        return self._key.key()

    @property
    def quarters_per_minute(self) -> float:
        """The tempo of the last bars; 0 before any is over."""
        return quarters_per_minute(self.bars(4)) if self._bars else 0.0

    def notation(self, count: int = 4) -> Notation:
        """The last bars as MusicXML with their numbers; one empty bar before any is over."""
        bars = self.bars(count)
        return write_last_bars(
            bars, score_of_bars(bars, self.key, self._program, self._options.title) if bars else None, self._options
        )

    # ---- beats ------------------------------------------------------------------------------------------------------

    def _follow_chords(self) -> list[Bar]:
        """Lead the tracker over the chords that are settled by now."""
        source = self._source
        if source is None:
            source = self._source = TrackedBars(self._bars[-1].times.end_s if self._bars else -np.inf)
        assert isinstance(source, TrackedBars)
        waiting = gather_chords([n for n in self._sounding() if n.onset_s > self._followed_until_s])
        bars: list[Bar] = []
        known = [*self._followed, *waiting]
        ready = self._settled(waiting)
        if not ready:
            return bars
        accents = accent_classes(known)[len(self._followed) :]
        for index, chord in enumerate(waiting[:ready]):
            if source.begins_anew(chord.time_s):
                bars += self._finish_bars(chord.time_s, up_to_s=chord.time_s)
            source.hear(chord.time_s, accents[index])
            self._followed.append(chord)
            self._followed_until_s = chord.notes[-1].onset_s
            # A passage heard in one go is written as if it had come bit by bit.
            bars += self._finish_bars(chord.time_s)
        return bars

    def _settled(self, waiting: list[Chord]) -> int:
        """How many of the waiting chords are settled."""
        bar_s = self._source.bar_s if isinstance(self._source, TrackedBars) else 0.0
        settled_s = min(max(SETTLED_BARS * bar_s, SOONEST_S), LATEST_S) if bar_s else FIRST_S
        ready = 0
        for index, chord in enumerate(waiting):
            age_s = self._now_s - chord.time_s
            if age_s > settled_s or (len(waiting) - index > SETTLED_CHORDS and age_s > CHORD_SPAN_S):
                ready = index + 1
        return ready

    # ---- bars -------------------------------------------------------------------------------------------------------

    def _finish_bars(self, now_s: float, up_to_s: float = np.inf) -> list[Bar]:
        """Write the bars that are over."""
        if self._source is None:
            if self._map is None or not self._notes:
                return []
            first_s = min(note.onset_s for note in self._notes.values())
            self._source = MappedBars(self._map, self._bars[-1].times.end_s if self._bars else first_s)
            self._number = max(self._number, self._source.passed)
        bars: list[Bar] = []
        sounds_until_s = min(self._sounds_until_s(), up_to_s)
        while (times := self._source.next_bar(now_s, sounds_until_s)) is not None:
            self._number += 1
            from_s = self._bars[-1].until_s if self._bars else -np.inf
            around, own = self._around(times, self._bars[-1] if self._bars else None, [])
            bar = write_bar(self._played(around, own, from_s), self._number, around, own, from_s, self._options)
            self._bars.append(bar)
            self._key.hear(bar)
            bars.append(bar)
        return bars

    def _write_changed(self) -> list[Bar]:
        """Write bars anew whose notes were corrected, withdrawn or came late."""
        changed: list[Bar] = []
        bars = list(self._bars)
        for index, bar in enumerate(bars):
            if bar.number in self._changed:
                before = bars[index - 1] if index else None
                around, own = self._around(bar.times, before, [after.times for after in bars[index + 1 : index + 3]])
                played = self._played(around, own, bar.from_s)
                self._bars[index] = write_again(played, bar, around, own, self._options)
                changed.append(self._bars[index])
        self._changed.clear()
        return changed

    def _around(self, times: BarTimes, before: Bar | None, after: list[BarTimes]) -> tuple[list[BarTimes], int]:
        """A bar with its neighbours as far as they touch it, and its index among them."""
        around = [before.times] if before is not None and before.times.end_s == times.start_s else []
        own = len(around)
        around.append(times)
        if len(after) < 2 and self._source is not None:
            after = [*after, *self._source.ahead(self._now_s)]
        for following in after:
            if following.start_s == around[-1].end_s:
                around.append(following)
        return around, own

    def _played(self, around: list[BarTimes], own: int, from_s: float) -> Played:
        """What was played in these bars, the first of which has the notes that belong to it and no earlier ones."""
        if own > 0:
            from_s = next((bar.from_s for bar in self._bars if bar.times == around[0]), from_s)
        until_s = around[-1].end_s
        notes = [note for note in self._sounding() if from_s <= note.onset_s < until_s]
        controls = [control for control in self._controls if control.time_s < until_s]
        return Played(notes, controls, self._program)

    def _sounding(self) -> list[Note]:
        """The notes that are remembered, sorted; what still sounds ends now."""
        notes = []
        for heard in self._notes.values():
            end_s = self._now_s if heard.offset_s is None else heard.offset_s
            end_s = max(end_s, heard.onset_s + SHORTEST_NOTE_S)
            notes.append(Note(heard.onset_s, end_s, heard.pitch, heard.velocity))
        return sorted(notes, key=lambda n: (n.onset_s, n.pitch))

    def _sounds_until_s(self) -> float:
        ends = (self._now_s if note.offset_s is None else note.offset_s for note in self._notes.values())
        return max(ends, default=-np.inf)

    def _forget(self) -> None:
        """Let go of the notes before the bars that are kept."""
        if len(self._bars) == KEPT_BARS:
            oldest_s = self._bars[0].from_s
            self._notes = {
                number: note
                for number, note in self._notes.items()
                if note.onset_s >= oldest_s or (note.offset_s is None and note.onset_s > oldest_s - 60.0)
            }


def _same(before: HeardNote, after: HeardNote) -> bool:
    """Whether a note is written the same after as before."""
    if before.pitch != after.pitch or after.phase == "withdrawn":
        return False
    ends = (before.offset_s, after.offset_s)
    if ends.count(None) == 1:
        return False
    moved_s = abs((ends[0] or 0.0) - (ends[1] or 0.0))
    return max(moved_s, abs(before.onset_s - after.onset_s)) <= SAME_TIME_S
