"""ReaStream packets of one sender, handed over by the daemon's port (`bridge.live.reastream_port`)."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable

import numpy as np

from bridge.live.sources.base import Counts, FloatArray, Item, MidiEvent
from bridge.live.sources.stream import PAUSE_S, Stream
from protocol import reastream

ARRIVAL = struct.Struct("<d")  # steady seconds, before each datagram
MOST_WAITING = 4000  # packets; some ten seconds: a reader that falls behind by more loses the oldest
SAMPLE_RATES = range(4_000, 768_001)


class ReaStreamSource:
    """The sound of one ReaStream sender.

    Args:
        packets: Socket that gives one packet with its arrival a message.
        name: For people.
    """

    def __init__(self, packets: socket.socket, name: str) -> None:
        self.name = name
        self.counts = Counts()
        self._queue = PacketQueue(packets)
        self._stream: Stream | None = None

    @property
    def sample_rate(self) -> int:
        return 0 if self._stream is None else self._stream.sample_rate

    def read(self, timeout_s: float) -> list[Item]:
        items: list[Item] = []
        came = deque(self._queue.read(timeout_s))
        while came:
            arrival_s, datagram = came[0]
            try:
                sample_rate, samples = _decoded(datagram)
            except reastream.ReaStreamError:
                self.counts.malformed += 1
                came.popleft()
                continue
            if self._stream is None or self._stream.sample_rate != sample_rate:
                if items:  # the rest waits: all items of one answer have one rate
                    self._queue.put_back(came)
                    break
                self._stream = Stream(sample_rate, self.counts)
            came.popleft()
            self.counts.packets += 1
            items += self._stream.take(samples, arrival_s)
        if not items and self._stream is not None:
            items += self._stream.pause(time.monotonic())
        return items

    @property
    def receiving(self) -> bool:
        return self._stream is not None and self._stream.receiving(time.monotonic())

    @property
    def drift_ppm(self) -> float | None:
        return None if self._stream is None else self._stream.drift_ppm

    def close(self) -> None:
        self._queue.close()


class ReaStreamMidiSource:
    """The MIDI of one ReaStream sender.

    Args:
        packets, name: See `ReaStreamSource`.
    """

    sample_rate = 0
    drift_ppm = None

    def __init__(self, packets: socket.socket, name: str) -> None:
        self.name = name
        self.counts = Counts()
        self._queue = PacketQueue(packets)
        self._heard_s: float | None = None

    def read(self, timeout_s: float) -> list[Item]:
        items: list[Item] = []
        for arrival_s, datagram in self._queue.read(timeout_s):
            self.counts.packets += 1
            try:
                packet = reastream.decode(datagram)
            except reastream.ReaStreamError:
                self.counts.malformed += 1
                continue
            self._heard_s = arrival_s
            if isinstance(packet, reastream.MidiPacket):
                items += [MidiEvent(data[:3], arrival_s) for _, data in packet.events if data[0] >= 0x80]
        return items

    @property
    def receiving(self) -> bool:
        return self._heard_s is not None and time.monotonic() - self._heard_s < 10 * PAUSE_S

    def close(self) -> None:
        self._queue.close()


class PacketQueue:
    """Reads packets off their socket as they come, so that a busy reader loses none of them."""

    def __init__(self, packets: socket.socket) -> None:
        self._socket = packets
        self._waiting: deque[tuple[float, bytes]] = deque(maxlen=MOST_WAITING)
        self._news = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._receive, name="packets", daemon=True)
        self._thread.start()

    def read(self, timeout_s: float) -> list[tuple[float, bytes]]:
        """What has come: (arrival, datagram), waiting for the first of it."""
        if not self._waiting:
            self._news.clear()
            if not self._waiting:
                self._news.wait(timeout_s)
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def put_back(self, packets: Iterable[tuple[float, bytes]]) -> None:
        """Give packets back; they are the next to be read."""
        self._waiting.extendleft(reversed(list(packets)))

    def close(self) -> None:
        """Stop. Idempotent."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(1.0)
        self._socket.close()

    def _receive(self) -> None:
        while not self._closed:
            try:
                select.select([self._socket], [], [], 1.0)
                message = self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
            except (OSError, ValueError):
                return
            if not message:
                return
            self._waiting.append((ARRIVAL.unpack_from(message)[0], message[ARRIVAL.size :]))
            self._news.set()


def _decoded(datagram: bytes) -> tuple[int, FloatArray]:
    """Sample rate and mono samples of a packet; samples that are no numbers are silence."""
    _, sample_rate, channels = reastream.checked_audio(datagram)
    if sample_rate not in SAMPLE_RATES:
        raise reastream.ReaStreamError("The packet's sample rate is none that sound has.")
    values = np.frombuffer(datagram, "<f4", offset=reastream.AUDIO_HEADER.size)
    samples = values.reshape(channels, -1).mean(axis=0) if channels > 1 else values
    if not np.isfinite(samples).all():
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    return sample_rate, np.asarray(samples, np.float32)
