"""A recording or a MIDI file, played to the session at the speed of real time: for rehearsal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bridge.live.sources.base import Block, Counts, Item, MidiEvent, SourceEnded, SourceUnavailable, mixed
from model_runtime.modality import Audio, Clip, Performance
from protocol.live_places import PlayedFileSource as Wanted

BLOCK_S = 0.01


class PlayedFileSource:
    """Plays a file.

    Args:
        wanted: Its path was checked.

    Raises:
        MusicError: it cannot be read, or is no sound and no performance.
    """

    drift_ppm = None

    def __init__(self, wanted: Wanted) -> None:
        from model_runtime.files.dispatch import read

        self.counts = Counts()
        path = Path(wanted.path)
        self.name = f"file: {path.name}"
        music = read(path, clip=Clip(wanted.offset, wanted.duration))
        if isinstance(music, Audio):
            self.sample_rate = music.sample_rate
            self._items = _sound(music)
        elif isinstance(music, Performance):
            self.sample_rate = 0
            self._items = _messages(music)
        else:
            raise SourceUnavailable(f"{path.name} is not a recording.", hint="Name a sound file or a MIDI file.")
        self._next = next(self._items, None)
        self._started_s: float | None = None

    @property
    def receiving(self) -> bool:
        return self._next is not None

    def read(self, timeout_s: float) -> list[Item]:
        if self._next is None:
            raise SourceEnded
        now_s = time.monotonic()
        if self._started_s is None:
            self._started_s = now_s
        wait_s = self._started_s + self._next[0] - now_s
        if wait_s > 0:
            time.sleep(min(wait_s, timeout_s))
        return self._due(time.monotonic())

    def _due(self, now_s: float) -> list[Item]:
        items: list[Item] = []
        assert self._started_s is not None
        while self._next is not None and self._started_s + self._next[0] <= now_s:
            due_s, item = self._next
            arrival_s = self._started_s + due_s
            if isinstance(item, Block):
                items.append(Block(item.samples, arrival_s))
            else:
                items.append(MidiEvent(item.data, arrival_s))
            self.counts.packets += 1
            self._next = next(self._items, None)
        return items

    def close(self) -> None:
        self._items = iter(())
        self._next = None


def _sound(audio: Audio) -> Iterator[tuple[float, Item]]:
    """Blocks, each due when its last sample has been played."""
    played = 0
    for samples in audio.blocks(max(1, round(BLOCK_S * audio.sample_rate))):
        played += len(samples)
        yield played / audio.sample_rate, Block(mixed(samples), 0.0)


def _messages(performance: Performance) -> Iterator[tuple[float, Item]]:
    events = [(n.onset_s, bytes([0x90 | n.channel, n.pitch, n.velocity])) for n in performance.notes]
    events += [(n.offset_s, bytes([0x80 | n.channel, n.pitch, 64])) for n in performance.notes]
    events += [(c.time_s, bytes([0xB0 | c.channel, c.number, c.value])) for c in performance.controls]
    # A key comes up before it goes down again.
    for time_s, data in sorted(events, key=lambda event: (event[0], event[1][0] & 0xF0 == 0x90)):
        yield time_s, MidiEvent(data, 0.0)
