"""From what the audio reader says at each step to notes, one step after another and with one step of look-ahead."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from model_runtime.unified.audio_front_end import KEYS, LOWEST_PITCH
from model_runtime.unified.audio_steps import REACH_STEPS, STEP_S, moment_s

Floats = npt.NDArray[np.float32]
_SOONEST_REPEAT_S = 1.5 * STEP_S


@dataclass(frozen=True)
class PickingSettings:
    """What counts as a note.

    Attributes:
        onset: Smallest peak of the onset head that starts a note.
        frame: Where the frame head falls below this, the note ends.
        offset: Smallest peak of the offset head that says where.
        shortest_steps: A note is at least this long.
    """

    onset: float = 0.5
    frame: float = 0.5
    offset: float = 0.3
    shortest_steps: int = 1


@dataclass(slots=True)
class PickedNote:
    """A note as it is known; its end comes later.

    Attributes:
        number: Counted from 0.
        pitch: MIDI number.
        onset_s, offset_s: Seconds; the end is None while it sounds.
        velocity: 1 to 127.
        probability: 0 to 1, that it was struck.
    """

    number: int
    pitch: int
    onset_s: float
    velocity: int
    probability: float
    offset_s: float | None = None


@dataclass
class Picked:
    """What a step told.

    Attributes:
        rising: Notes whose onset head is over the threshold and still rises: a guess.
        struck: Notes that were struck, some of them guessed before (of the same number).
        ended: Notes with their ends.
        withdrawn: Guesses that came to nothing.
    """

    rising: list[PickedNote] = field(default_factory=list)
    struck: list[PickedNote] = field(default_factory=list)
    ended: list[PickedNote] = field(default_factory=list)
    withdrawn: list[PickedNote] = field(default_factory=list)


class NotePicker:
    """Picks notes out of a stream of steps; each is told of once when it is struck and once when it ends."""

    def __init__(self, settings: PickingSettings | None = None) -> None:
        self.settings = settings or PickingSettings()
        self._step = -1
        self._count = 0
        self._before = np.zeros((2, KEYS, 4), np.float32)  # the heads of the last two steps, the older first
        self._sounding: dict[int, PickedNote] = {}
        self._rising: dict[int, PickedNote] = {}  # guesses by key
        self._active = np.zeros(KEYS, np.bool_)
        self._started = np.zeros(KEYS, np.int64)
        self._let_go = np.full(KEYS, -np.inf)  # when the offset head last peaked, in steps

    def step(self, heads: Floats) -> Picked:
        """Take the next step.

        Args:
            heads: Probabilities in the order of `HEADS`, shape (KEYS, 4).
        """
        self._step += 1
        settings, picked = self.settings, Picked()
        older, middle = self._before
        peaks = (middle[:, :3:2] > older[:, :3:2]) & (middle[:, :3:2] >= heads[:, :3:2])  # of onset and offset
        at = self._step - 1
        off = np.flatnonzero(peaks[:, 1] & (middle[:, 2] >= settings.offset))
        if len(off):
            self._let_go[off] = at + _between(older[off, 2], middle[off, 2], heads[off, 2])
        onset = np.flatnonzero(peaks[:, 0] & (middle[:, 0] >= settings.onset))
        faded = self._active & (heads[:, 1] < settings.frame) & (middle[:, 1] < settings.frame)
        faded &= self._step - self._started > settings.shortest_steps
        for key in np.flatnonzero(faded).tolist():
            near = self._let_go[key] if self._let_go[key] > max(at - 4, self._started[key]) else at - 0.5
            self._end(key, moment_s(float(near)), picked)
        if len(onset):
            places = at + _between(older[onset, 0], middle[onset, 0], heads[onset, 0])
            for key, place in zip(onset.tolist(), places.tolist(), strict=True):
                self._strike(key, place, float(middle[key, 3]), float(middle[key, 0]), picked)
        rises = (heads[:, 0] >= settings.onset) & (heads[:, 0] > middle[:, 0])
        for key in [key for key in self._rising if not rises[key]]:
            picked.withdrawn.append(self._rising.pop(key))
        for key in np.flatnonzero(rises).tolist():
            self._guess(key, heads[key], picked)
        self._before[0], self._before[1] = middle.copy(), heads
        return picked

    def finish(self) -> Picked:
        """The sound is over: what still sounds ends now."""
        picked = self.step(np.zeros((KEYS, 4), np.float32))
        for key in list(self._sounding):
            self._end(key, moment_s(self._step), picked)
        return picked

    def _guess(self, key: int, heads: Floats, picked: Picked) -> None:
        if key in self._rising:
            return
        to_come = min(REACH_STEPS * (1.0 - float(heads[0])), 1.0)
        onset_s = max(moment_s(self._step + to_come), 0.0)
        if self._too_soon(key, onset_s):
            return
        note = PickedNote(self._count, key + LOWEST_PITCH, onset_s, _velocity(float(heads[3])), float(heads[0]))
        self._count += 1
        self._rising[key] = note
        picked.rising.append(note)

    def _too_soon(self, key: int, onset_s: float) -> bool:
        return key in self._sounding and onset_s - self._sounding[key].onset_s < _SOONEST_REPEAT_S

    def _strike(self, key: int, place: float, loudness: float, probability: float, picked: Picked) -> None:
        onset_s = max(moment_s(place), 0.0)
        if self._too_soon(key, onset_s):
            return
        if key in self._sounding:
            self._end(key, onset_s, picked)
        guessed = self._rising.pop(key, None)
        number = self._count if guessed is None else guessed.number
        self._count += guessed is None
        note = PickedNote(number, key + LOWEST_PITCH, onset_s, _velocity(loudness), min(probability, 1.0))
        self._sounding[key] = note
        self._active[key] = True
        self._started[key] = self._step
        picked.struck.append(note)

    def _end(self, key: int, offset_s: float, picked: Picked) -> None:
        note = self._sounding.pop(key)
        note.offset_s = max(offset_s, note.onset_s + STEP_S)
        self._active[key] = False
        picked.ended.append(note)


def _velocity(loudness: float) -> int:
    return int(np.clip(round(127 * loudness), 1, 127))


def _between(older: Floats, middle: Floats, newer: Floats) -> npt.NDArray[np.float64]:
    """Where between steps a triangle's peak lies, -0.5 to 0.5 from its highest step (Kong et al. 2021, equation 8)."""
    lower = np.minimum(older, newer)
    shift: npt.NDArray[np.float64] = (newer - older) / np.maximum(2 * (middle - lower), 1e-6)
    return np.clip(shift, -0.5, 0.5).astype(np.float64)
