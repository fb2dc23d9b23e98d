"""A small, real listener for the tests: it hears plucked tones by their spectrum, a few at a time.

It loads at once and needs no weights, so that tests of sessions are about sessions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model_runtime.listening import HeardNote

RATE, HOP, WINDOW = 16_000, 256, 2048
PITCHES = np.arange(60, 85)
THRESHOLD = 0.02
CONFIRM_HOPS = 4


class ToneListener:
    """Hears sine tones from middle C upwards that begin abruptly."""

    sample_rate = RATE
    look_ahead_s = WINDOW / 2 / RATE

    def __init__(self) -> None:
        self._waiting = np.zeros(WINDOW, np.float32)
        self._hop = 0
        self._count = 0
        self._before = np.zeros(len(PITCHES))
        self._sounding: dict[
            int, tuple[int, float, float, int]
        ] = {}  # pitch → number, onset, loudest, hop of its onset
        self._confirmed: set[int] = set()
        bins = 440 * 2 ** ((PITCHES - 69) / 12) * WINDOW / RATE
        self._bins = np.rint(bins).astype(int)

    def listen(self, samples: npt.NDArray[np.float32]) -> list[HeardNote]:
        self._waiting = np.concatenate([self._waiting, samples])
        heard: list[HeardNote] = []
        while len(self._waiting) >= WINDOW + HOP:
            self._waiting = self._waiting[HOP:]
            self._hop += 1
            heard += self._step(self._waiting[:WINDOW])
        return heard

    def finish(self) -> list[HeardNote]:
        return [note for pitch in tuple(self._sounding) for note in self._ended(pitch)]

    def _step(self, window: npt.NDArray[np.float32]) -> list[HeardNote]:
        spectrum = np.abs(np.fft.rfft(window * np.hanning(WINDOW))) / (WINDOW / 4)
        loud = spectrum[self._bins]
        heard = []
        for index, pitch in enumerate(PITCHES.tolist()):
            beside = spectrum[max(self._bins[index] - 3, 0) : self._bins[index] + 4].max()
            if pitch in self._sounding:
                heard += self._followed(pitch, float(loud[index]))
            elif self._is_beside_a_new_one(pitch):
                continue
            elif loud[index] > THRESHOLD and loud[index] >= 0.9 * beside and loud[index] > 1.5 * self._before[index]:
                heard.append(self._begun(pitch, float(loud[index])))
        self._before = 0.5 * self._before + 0.5 * loud
        return heard

    def _is_beside_a_new_one(self, pitch: int) -> bool:
        """An onset is broad: its neighbour is heard for a moment, too."""
        near = [self._sounding[p] for p in (pitch - 1, pitch + 1) if p in self._sounding]
        return any(self._hop - hop < WINDOW // HOP for _, _, _, hop in near)

    @property
    def _now_s(self) -> float:
        return (self._hop * HOP) / RATE - self.look_ahead_s

    def _begun(self, pitch: int, loud: float) -> HeardNote:
        number, self._count = self._count, self._count + 1
        self._sounding[pitch] = (number, max(self._now_s, 0.0), loud, self._hop)
        return HeardNote(number, "provisional", pitch, max(self._now_s, 0.0), None, 80, 0.5)

    def _followed(self, pitch: int, loud: float) -> list[HeardNote]:
        number, onset_s, loudest, hop = self._sounding[pitch]
        self._sounding[pitch] = (number, onset_s, max(loudest, loud), hop)
        if loud < 0.25 * loudest:
            return self._ended(pitch)
        if self._hop - hop == CONFIRM_HOPS:
            self._confirmed.add(number)
            return [HeardNote(number, "confirmed", pitch, onset_s, None, 80, 0.9)]
        return []

    def _ended(self, pitch: int) -> list[HeardNote]:
        number, onset_s, _, _ = self._sounding.pop(pitch)
        offset_s = max(self._now_s, onset_s + 0.02)
        if number not in self._confirmed:
            return [HeardNote(number, "withdrawn", pitch, onset_s, None, 80, 0.1)]
        self._confirmed.discard(number)
        return [HeardNote(number, "corrected", pitch, onset_s, offset_s, 80, 0.9)]


def open_listener() -> ToneListener:
    """The listener."""
    return ToneListener()


def open_broken() -> ToneListener:
    """A listener that fails as soon as it hears music."""

    class Broken(ToneListener):
        def listen(self, samples: npt.NDArray[np.float32]) -> list[HeardNote]:
            if samples.size and samples.max() > 0.1:
                raise ZeroDivisionError("broken")
            return []

    return Broken()
