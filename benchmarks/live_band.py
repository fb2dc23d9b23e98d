"""What plays to live sessions in benchmarks, and what listens to what they send."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmarks.eval_audio import Recording, Truth
from protocol import osc, reastream

PACKET_FRAMES = 300
MATCH_BEFORE_S = 0.05
MATCH_AFTER_S = 0.6

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Piece:
    """Mono sound and what is played in it; `exact` where the onsets are known to the sample."""

    name: str
    sound: Floats
    sample_rate: int
    notes: Truth
    exact: bool = False


def piece_of(recording: Recording, most_s: float) -> Piece:
    """A recording's beginning."""
    import soundfile

    sound, rate = soundfile.read(recording.path, dtype="float32", always_2d=True)
    sound = sound[: int(most_s * rate)].mean(axis=1)
    notes = recording.notes[recording.notes[:, 0] < len(sound) / rate - 0.1]
    return Piece(recording.name, sound, rate, notes)


def generated(seed: int, seconds: float, rate: int = 48_000) -> Piece:
    """Chords of one to three plucked strings with ten overtones, in a little noise; onsets known to the sample."""
    random = np.random.default_rng(seed)
    sound = 0.001 * random.standard_normal(int(seconds * rate))
    notes = []
    onset_s = 0.5
    while onset_s < seconds - 1.0:
        for pitch in random.choice(np.arange(48, 80), random.integers(1, 4), replace=False):
            length_s = random.uniform(0.3, 1.0)
            time_s = np.arange(int(length_s * rate)) / rate
            hertz = 440 * 2 ** ((pitch - 69) / 12)
            tone = sum(np.sin(2 * np.pi * k * hertz * time_s) * np.exp(-(2 + k) * time_s) / k for k in range(1, 11))
            tone *= random.uniform(0.05, 0.15) * np.minimum(1, (length_s - time_s) / 0.02)
            start = int(onset_s * rate)
            sound[start : start + len(tone)] += tone[: len(sound) - start]
            notes.append([onset_s, onset_s + length_s, float(pitch)])
        onset_s += random.uniform(0.15, 0.6)
    return Piece(f"generated_{seed}", sound.astype(np.float32), rate, np.array(notes), exact=True)


def packets(piece: Piece, identifier: str) -> list[bytes]:
    """A piece as ReaStream packets."""
    blocks = [piece.sound[i : i + PACKET_FRAMES].tolist() for i in range(0, len(piece.sound), PACKET_FRAMES)]
    return [reastream.encode(reastream.AudioPacket(identifier, piece.sample_rate, (tuple(b),))) for b in blocks]


def lost_packets(count: int, share: float, burst: int, seed: int = 5) -> frozenset[int]:
    """Which packets are lost: `share` of them, in bursts of so many; the first second arrives."""
    random = np.random.default_rng(seed)
    starts = np.flatnonzero(random.random(count) < share / burst)
    return frozenset(int(s) + i for s in starts if s > 160 for i in range(burst))


def send(
    port: int, datagrams: Sequence[bytes], rate: int, lost: frozenset[int] = frozenset()
) -> npt.NDArray[np.float64]:
    """Send packets at the speed of real time; returns when each left, on the steady clock."""
    left_s = np.zeros(len(datagrams))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        begun_s = time.monotonic() + 0.05
        for number, datagram in enumerate(datagrams):
            wait_s = begun_s + (number + 1) * PACKET_FRAMES / rate - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            left_s[number] = time.monotonic()
            if number not in lost:
                sender.sendto(datagram, ("127.0.0.1", port))
    return left_s


@dataclass
class Ears:
    """Hears REAPER's keyboard by OSC.

    Attributes:
        strokes: (when, pitch, velocity) of each.
    """

    strokes: list[tuple[float, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.port: int = self._socket.getsockname()[1]
        self._closed = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closed:
            try:
                packet = self._socket.recv(4096)
            except TimeoutError:
                continue
            now_s = time.monotonic()
            address, arguments = osc.decode(packet)
            self.strokes.append((now_s, int(address.rpartition("/")[2]), int(arguments[0])))

    @property
    def down(self) -> int:
        """Keys that were left down."""
        held: dict[int, int] = {}
        for _, pitch, velocity in self.strokes:
            held[pitch] = velocity
        return sum(velocity > 0 for velocity in held.values())

    def close(self) -> None:
        self._closed = True
        self._thread.join()
        self._socket.close()


def latencies(piece: Piece, left_s: npt.NDArray[np.float64], ears: Ears) -> list[float]:
    """Seconds from the departure of the packet that holds an onset to its note-on's arrival, for notes that came."""
    ons = [(when_s, pitch) for when_s, pitch, velocity in ears.strokes if velocity]
    found = []
    for onset_s, _, pitch in piece.notes:
        packet = min(int(onset_s * piece.sample_rate) // PACKET_FRAMES, len(left_s) - 1)
        begin_s, end_s = left_s[packet] - MATCH_BEFORE_S, left_s[packet] + MATCH_AFTER_S
        for place, (when_s, heard) in enumerate(ons):
            if heard == round(pitch) and begin_s <= when_s <= end_s:
                found.append(when_s - left_s[packet])
                del ons[place]
                break
    return found
