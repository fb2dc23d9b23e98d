"""Notes that are told of at once, and what a second, later reading of the same sound says of them.

The early reading guesses; the late one, which has heard more, confirms a guess, moves it, or lets it be withdrawn, and
adds what the early one missed. What is confirmed in the end is what the late reading would have found by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_runtime.listening import HeardNote, Phase
from model_runtime.unified.audio_steps import STEP_S, moment_s
from model_runtime.unified.note_picking import Picked, PickedNote

NEAR_S = 3 * STEP_S
"""Onsets of a key that are no further apart, one of each reading, are the same note."""


@dataclass(slots=True)
class _Told:
    """A note that was told of.

    Attributes:
        number: Of the note in the session.
        known: What is known of it.
        early: Its number in the early reading; None where that missed it.
        settled: Whether it is confirmed.
    """

    number: int
    known: PickedNote
    early: int | None
    settled: bool = False

    def word(self, phase: Phase) -> HeardNote:
        known = self.known
        return HeardNote(
            self.number, phase, known.pitch, known.onset_s, known.offset_s, known.velocity, known.probability
        )


class SecondReading:
    """Joins the two readings of one stream; holds only notes that sound or wait for the second reading."""

    def __init__(self) -> None:
        self._count = 0
        self._early: dict[int, _Told] = {}  # by number in the early reading, until it ended there or was withdrawn
        self._late: dict[int, _Told] = {}  # by number in the late reading, until it ended there
        self._waiting: dict[int, list[_Told]] = {}  # guesses by pitch, the oldest first

    def early(self, picked: Picked) -> list[HeardNote]:
        """What a step of the early reading makes known: guesses, and ends of notes."""
        words: list[HeardNote] = []
        for note in picked.ended:
            words += self._ended_early(note)
        for note in picked.struck:
            if note.number in self._early:
                self._early[note.number].known = _copy(note)  # nearer to where it was struck than the first guess
            else:
                words.append(self._guessed(note))
        words += [self._guessed(note) for note in picked.rising]
        for note in picked.withdrawn:
            guess = self._early.get(note.number)
            if guess is not None and not guess.settled:
                words.append(self._withdrawn(guess))
        return words

    def late(self, picked: Picked, step: int) -> list[HeardNote]:
        """What a step of the late reading makes known: guesses are confirmed or withdrawn, missed notes are added.

        Args:
            picked: Of that step.
            step: Its number (`audio_steps.moment_s`).
        """
        words: list[HeardNote] = []
        for note in picked.ended:
            told = self._late.pop(note.number)
            told.known.offset_s = note.offset_s
            words.append(told.word("corrected"))
        words += [self._struck(note) for note in picked.struck]
        heard_s = moment_s(step - 1.5) - NEAR_S  # whatever was struck until then has been told of
        overdue = [told for waiting in self._waiting.values() for told in waiting if told.known.onset_s < heard_s]
        return words + [self._withdrawn(told) for told in overdue]

    def finish(self) -> list[HeardNote]:
        """Both readings are over: guesses that still wait came to nothing."""
        return [self._withdrawn(told) for waiting in list(self._waiting.values()) for told in list(waiting)]

    def _guessed(self, note: PickedNote) -> HeardNote:
        told = _Told(self._next(), _copy(note), note.number)
        self._early[note.number] = told
        self._waiting.setdefault(note.pitch, []).append(told)
        return told.word("provisional")

    def _struck(self, note: PickedNote) -> HeardNote:
        told = self._guess_at(note)
        if told is None:
            told = _Told(self._next(), _copy(note), None, settled=True)
        else:
            self._no_longer_waits(told)
            offset_s, told.settled = told.known.offset_s, True
            told.known = _copy(note)
            if offset_s is not None:  # a short note: its end is known roughly already
                told.known.offset_s = max(offset_s, note.onset_s + STEP_S)
        self._late[note.number] = told
        return told.word("confirmed")

    def _guess_at(self, note: PickedNote) -> _Told | None:
        waiting = self._waiting.get(note.pitch, ())
        near = min(waiting, key=lambda told: abs(told.known.onset_s - note.onset_s), default=None)
        return near if near is not None and abs(near.known.onset_s - note.onset_s) <= NEAR_S else None

    def _ended_early(self, note: PickedNote) -> list[HeardNote]:
        told = self._early.pop(note.number, None)
        if told is None or told.known.offset_s is not None or note.offset_s is None:
            return []
        told.known.offset_s = max(note.offset_s, told.known.onset_s + STEP_S)
        return [told.word("corrected" if told.settled else "provisional")]

    def _withdrawn(self, told: _Told) -> HeardNote:
        self._no_longer_waits(told)
        if told.early is not None:
            self._early.pop(told.early, None)
        return told.word("withdrawn")

    def _no_longer_waits(self, told: _Told) -> None:
        waiting = self._waiting[told.known.pitch]
        waiting.remove(told)
        if not waiting:
            del self._waiting[told.known.pitch]

    def _next(self) -> int:
        self._count += 1
        return self._count - 1


def _copy(note: PickedNote) -> PickedNote:
    """A note of which the end is not known yet."""
    return PickedNote(note.number, note.pitch, note.onset_s, note.velocity, note.probability)
