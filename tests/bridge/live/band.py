"""A band for the tests: its music as samples, its ReaStream, and REAPER's ears."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from protocol import osc, reastream

RATE = 48_000
PACKET = 300


def plucked(notes: Iterable[tuple[float, int, float]], seconds: float, rate: int = RATE) -> npt.NDArray[np.float32]:
    """Tones (onset_s, pitch, length_s) that begin abruptly and are damped at their end."""
    sound = np.zeros(int(seconds * rate), np.float32)
    for onset_s, pitch, length_s in notes:
        time_s = np.arange(int(length_s * rate)) / rate
        tone = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_s) * np.exp(-1.5 * time_s)
        tone *= np.minimum(1, (length_s - time_s) / 0.01) * np.minimum(1, time_s / 0.002)
        start = int(onset_s * rate)
        sound[start : start + len(tone)] += 0.3 * tone[: len(sound) - start].astype(np.float32)
    return sound


def strings(notes: Iterable[tuple[float, int, float]], seconds: float, rate: int = RATE) -> npt.NDArray[np.float32]:
    """Plucked strings (onset_s, pitch, length_s) with their overtones."""
    sound = np.zeros(int(seconds * rate), np.float32)
    for onset_s, pitch, length_s in notes:
        time_s = np.arange(int(length_s * rate)) / rate
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * k * hertz * time_s) * np.exp(-(2 + k) * time_s) / k for k in range(1, 11))
        start = int(onset_s * rate)
        sound[start : start + len(tone)] += (0.15 * tone * np.minimum(1, (length_s - time_s) / 0.02))[
            : len(sound) - start
        ]
    return sound


def packets(sound: npt.NDArray[np.float32], identifier: str = "band", rate: int = RATE) -> list[bytes]:
    """A sound as ReaStream packets."""
    blocks = [tuple(sound[start : start + PACKET].tolist()) for start in range(0, len(sound), PACKET)]
    return [reastream.encode(reastream.AudioPacket(identifier, rate, (block,))) for block in blocks]


def midi_packet(*messages: bytes, identifier: str = "band") -> bytes:
    """MIDI as a ReaStream packet."""
    return reastream.encode(reastream.MidiPacket(identifier, tuple((0, message) for message in messages)))


def free_port() -> int:
    """A UDP port that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sending:
    """Sends datagrams at the speed of real time, in a thread.

    Args:
        datagrams: One for each packet's time; None sends nothing in its time, a list sends several.
    """

    def __init__(self, port: int, datagrams: Sequence[bytes | list[bytes] | None], rate: int = RATE) -> None:
        self._port, self._datagrams, self._period_s = port, datagrams, PACKET / rate
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            begun_s = time.monotonic()
            for number, datagram in enumerate(self._datagrams):
                if self._stopped.wait(max(0.0, begun_s + number * self._period_s - time.monotonic())):
                    return
                for one in [datagram] if isinstance(datagram, bytes) else datagram or []:
                    sender.sendto(one, ("127.0.0.1", self._port))

    def wait(self) -> None:
        """Until everything was sent."""
        self._thread.join(60)

    def stop(self) -> None:
        """Send no more: the cable is pulled."""
        self._stopped.set()
        self._thread.join(5)


class Ears:
    """Receives OSC over UDP, as REAPER does, and remembers which keys are down."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port = int(self._socket.getsockname()[1])
        self.strokes: list[tuple[int, int]] = []
        self.messages: list[tuple[str, tuple[object, ...]]] = []
        self.down: set[int] = set()
        self.wrong: list[str] = []
        self._closed = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closed:
            try:
                packet = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                return
            address, arguments = osc.decode(packet)
            self.messages.append((address, arguments))
            if address.startswith("/vkb_midi/"):
                self._stroke(int(address.rpartition("/")[2]), int(arguments[0]))

    def _stroke(self, pitch: int, velocity: int) -> None:
        self.strokes.append((pitch, velocity))
        if velocity and pitch in self.down:
            self.wrong.append(f"{pitch} pressed twice")
        (self.down.add if velocity else self.down.discard)(pitch)

    @property
    def pressed(self) -> list[int]:
        """Pitches in order of their note-ons."""
        return [pitch for pitch, velocity in self.strokes if velocity]

    def close(self) -> None:
        self._closed = True
        self._thread.join()
        self._socket.close()


def until(condition: Callable[[], bool], within_s: float = 40.0) -> None:
    """Wait until something holds."""
    limit_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < limit_s, "waited too long"
        time.sleep(0.01)
