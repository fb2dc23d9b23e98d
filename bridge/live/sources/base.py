"""What every source of a live session is: something that sound, or MIDI messages, can be read from as they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model_runtime.errors import MusicError

FloatArray = npt.NDArray[np.float32]


class SourceUnavailable(MusicError):
    """A source cannot be opened: a device, a library or a file is not there."""

    code = "source_unavailable"


@dataclass(frozen=True, slots=True)
class Block:
    """Sound that has come.

    Attributes:
        samples: Mono, shape (n,).
        arrival_s: When it came, on the steady clock (`time.monotonic`).
        skipped: Samples of the source's clock that are missing before it.
    """

    samples: FloatArray
    arrival_s: float
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class MidiEvent:
    """A short MIDI message that has come.

    Attributes:
        data: Its bytes.
        arrival_s: When it came, on the steady clock.
    """

    data: bytes
    arrival_s: float


Item = Block | MidiEvent


@dataclass
class Counts:
    """What happened to packets or blocks on the way.

    Attributes:
        senders: Other streams that were heard and not listened to.
    """

    packets: int = 0
    lost: int = 0
    doubled: int = 0
    late: int = 0
    malformed: int = 0
    senders: list[str] = field(default_factory=list)


class Source(Protocol):
    """Something to listen to. Opened when it is made; `read` is called from one thread.

    Attributes:
        name: For people.
        counts: See `Counts`.
    """

    name: str
    counts: Counts

    @property
    def sample_rate(self) -> int:
        """Of its sound in Hz; 0 where it brings MIDI, or before the first packet has come."""
        ...

    def read(self, timeout_s: float) -> list[Item]:
        """What has come, waiting up to `timeout_s` for the first of it; empty: nothing.

        Raises:
            SourceEnded: it is over.
            MusicError: it is gone: unplugged, removed.
        """
        ...

    @property
    def receiving(self) -> bool:
        """Whether it sends at the moment."""
        ...

    @property
    def drift_ppm(self) -> float | None:
        """How much faster its clock runs than this machine's, in parts in a million; None: not known."""
        ...

    def close(self) -> None:
        """Let go of it. Idempotent."""
        ...


class SourceEnded(Exception):
    """The source is over: a file was played to its end."""


def mixed(samples: npt.NDArray[np.float32]) -> FloatArray:
    """One channel of several: their mean. Shape (n, channels) → (n,)."""
    return samples[:, 0] if samples.shape[1] == 1 else np.asarray(samples.mean(axis=1), np.float32)
