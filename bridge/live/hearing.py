"""From sound or MIDI to notes: what a session's source brings is given to a reader, on the source's clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from bridge.live.heard import Heard
from bridge.live.measures import Latency, Level
from bridge.live.note_log import ControlChange
from bridge.live.resample import StreamResampler
from bridge.live.sources.base import Block, Item, MidiEvent

if TYPE_CHECKING:
    from model_runtime.listening import HeardNote, Listener

WARM_UP_S = 0.5
WARM_UP_PIECE_S = 0.01
JUMPS_KEPT_S = 60.0  # a note that sounds for longer ends a little early where packets were lost meanwhile
BLOCK_S = 0.1  # the longest piece that a reader is given: stopping is never far


class Hearing(Protocol):
    """Turns a source's items into notes.

    Attributes:
        started_s: When second 0 was, on the steady clock; None before the first item.
        latency, level: What is measured on the way.
        controls: Controller changes that came and were not fetched yet.
    """

    started_s: float | None
    latency: Latency
    level: Level
    controls: list[ControlChange]

    @property
    def position_s(self) -> float:
        """How much has been listened to, in seconds of the source's clock."""
        ...

    @property
    def look_ahead_s(self) -> float:
        """How much sound after an onset is needed before it can be told of."""
        ...

    def take(self, items: Sequence[Item], sample_rate: int) -> list[Heard]:
        """What is known now that was not before."""
        ...

    def finish(self) -> list[Heard]:
        """The source is over: the last words about every note."""
        ...


class SoundHearing:
    """Hears notes in sound.

    Args:
        open_listener: Makes a reader.
    """

    def __init__(self, open_listener: Callable[[], Listener]) -> None:
        _warmed_up(open_listener())  # what is slow the first time is slow before anybody plays
        self._listener = open_listener()
        self._resampler: StreamResampler | None = None
        self._from_rate = 0
        self._taken_s = 0.0  # given to the reader, before the present sample rate
        self._samples = 0
        self._jumps: deque[tuple[float, float]] = deque([(0.0, 0.0)])  # (reader's time, what is missing until then)
        self.started_s: float | None = None
        self.latency = Latency()
        self.level = Level()
        self.controls: list[ControlChange] = []

    @property
    def look_ahead_s(self) -> float:
        """See `Listener.look_ahead_s`."""
        return self._listener.look_ahead_s

    @property
    def position_s(self) -> float:
        """How much has been listened to, with what was missing."""
        return self._reader_s + self._jumps[-1][1]

    @property
    def _reader_s(self) -> float:
        return self._taken_s + (self._samples / self._from_rate if self._from_rate else 0.0)

    def take(self, items: Sequence[Item], sample_rate: int) -> list[Heard]:
        heard: list[Heard] = []
        for item in items:
            if isinstance(item, Block):
                heard += self._take_block(item, sample_rate)
        return heard

    def finish(self) -> list[Heard]:
        return [self._heard(note) for note in self._listener.finish()]

    def _take_block(self, block: Block, sample_rate: int) -> list[Heard]:
        if sample_rate != self._from_rate or self._resampler is None:
            self._taken_s = self._reader_s
            self._samples, self._from_rate = 0, sample_rate
            self._resampler = StreamResampler(sample_rate, self._listener.sample_rate)
        if block.skipped:
            self._jump(block.skipped / sample_rate)
        self.level.add(block)
        heard: list[Heard] = []
        longest = max(1, int(BLOCK_S * sample_rate))
        for start in range(0, len(block.samples), longest):
            piece = block.samples[start : start + longest]
            self._samples += len(piece)
            self.latency.arrived(self.position_s, block.arrival_s)
            if self.started_s is None:
                self.started_s = block.arrival_s - self.position_s
            heard += [self._heard(note) for note in self._listener.listen(self._resampler.resampled(piece))]
        return heard

    def _jump(self, missing_s: float) -> None:
        """The source's clock goes on, the reader's does not."""
        self._jumps.append((self._reader_s, self._jumps[-1][1] + missing_s))
        while len(self._jumps) > 1 and self._jumps[1][0] < self._reader_s - JUMPS_KEPT_S:
            self._jumps.popleft()

    def _on_source_clock(self, reader_s: float) -> float:
        for from_s, missing_s in reversed(self._jumps):
            if from_s <= reader_s:
                return reader_s + missing_s
        return reader_s + self._jumps[0][1]

    def _heard(self, note: HeardNote) -> Heard:
        return Heard(
            int(note.number),
            note.phase,
            int(note.pitch),
            self._on_source_clock(float(note.onset_s)),
            None if note.offset_s is None else self._on_source_clock(float(note.offset_s)),
            int(note.velocity),
            float(note.confidence),
        )


def _warmed_up(listener: Listener) -> None:
    """Let a reader that is thrown away afterwards hear a moment of quiet noise, in pieces as packets bring them."""
    noise = 0.01 * np.random.default_rng(0).standard_normal(int(WARM_UP_S * listener.sample_rate))
    for piece in np.array_split(noise.astype(np.float32), int(WARM_UP_S / WARM_UP_PIECE_S)):
        listener.listen(piece)
    listener.finish()


class MidiHearing:
    """Notes that come as MIDI: certain as soon as they are there, their ends when the keys come up."""

    def __init__(self) -> None:
        self.started_s: float | None = None
        self.position_s: float = 0.0
        self.latency = Latency()
        self.level = Level()
        self.controls: list[ControlChange] = []
        self._count = 0
        self._sounding: dict[tuple[int, int], Heard] = {}

    look_ahead_s: float = 0.0

    def take(self, items: Sequence[Item], sample_rate: int) -> list[Heard]:
        return [note for item in items if isinstance(item, MidiEvent) for note in self._take_event(item)]

    def finish(self) -> list[Heard]:
        return [self._ended(key, self.position_s) for key in tuple(self._sounding)]

    def passed(self, now_s: float) -> None:
        """Time goes on while no key is touched."""
        if self.started_s is not None:
            self.position_s = max(self.position_s, now_s - self.started_s)

    def _take_event(self, event: MidiEvent) -> list[Heard]:
        if self.started_s is None:
            self.started_s = event.arrival_s
        time_s = max(event.arrival_s - self.started_s, 0.0)
        self.position_s = max(self.position_s, time_s)
        self.latency.arrived(time_s + 1e-6, event.arrival_s)
        kind, channel = event.data[0] & 0xF0, event.data[0] & 0x0F
        number, value = (*event.data[1:3], 0, 0)[:2]
        if kind == 0x90 and value:
            return self._pressed(channel, number, value, time_s)
        if kind in (0x80, 0x90):
            return [self._ended((channel, number), time_s)] if (channel, number) in self._sounding else []
        if kind == 0xB0:
            return self._controlled(ControlChange(time_s, number, value, channel))
        return []

    def _pressed(self, channel: int, pitch: int, velocity: int, time_s: float) -> list[Heard]:
        key = (channel, pitch)
        before = [self._ended(key, time_s)] if key in self._sounding else []
        note = Heard(self._count, "confirmed", pitch, time_s, None, velocity, 1.0, channel)
        self._count += 1
        self._sounding[key] = note
        return [*before, note]

    def _controlled(self, change: ControlChange) -> list[Heard]:
        self.controls.append(change)
        if change.number in (120, 123):  # all sound off, all notes off
            return [self._ended(key, change.time_s) for key in tuple(self._sounding) if key[0] == change.channel]
        return []

    def _ended(self, key: tuple[int, int], time_s: float) -> Heard:
        note = self._sounding.pop(key)
        end_s = max(time_s, note.onset_s + 0.001)
        return Heard(note.number, "corrected", note.pitch, note.onset_s, end_s, note.velocity, 1.0, note.channel)
