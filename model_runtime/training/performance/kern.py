"""Humdrum kern of a keyboard → a score as arrays: spines that part and join, ties, grace notes, marks."""

from __future__ import annotations

import re
from fractions import Fraction

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.training.performance.scores import (
    ACCENT,
    ARPEGGIO,
    FERMATA,
    GRACE,
    LENGTH,
    MORDENT,
    STACCATO,
    START,
    TENUTO,
    TRILL,
    Score,
    ScoreBuilder,
)

_MARKS = {
    "'": STACCATO,
    "`": STACCATO,
    "~": TENUTO,
    "^": ACCENT,
    ":": ARPEGGIO,
    ";": FERMATA,
    "T": TRILL,
    "t": TRILL,
    "M": MORDENT,
    "m": MORDENT,
    "W": MORDENT,
    "w": MORDENT,
    "S": MORDENT,
    "$": MORDENT,
}
_RECIPROCAL = re.compile(r"(\d+)(?:%(\d+))?(\.*)")
_PITCH = re.compile(r"([a-g]+|[A-G]+)([#-]*)")
_WHOLE = 4 * TICKS_PER_QUARTER
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


class Uneven(ValueError):
    """Spines of a file do not come to a line at the same time."""


class _Spine:
    def __init__(self, kind: str, staff: int, until: int = 0) -> None:
        self.kind, self.staff, self.until = kind, staff, until


def read_kern(text: str) -> Score:
    """A file whose kern spines are the staves of one keyboard, the lower one first; sections as written once.

    Where durations do not add up, it ends with the measure before.
    """
    reader = _Reader()
    try:
        reader.read(text)
    except Uneven:
        reader.forget_after(reader.barline)
    return reader.builder.score()


class _Reader:
    def __init__(self) -> None:
        self.builder = ScoreBuilder()
        self.spines: list[_Spine] = []
        self.beats = (4, 4)
        self.now = 0
        self.barline = 0

    def forget_after(self, tick: int) -> None:
        """Drop what starts at the tick or later."""
        self.builder.written = [row for row in self.builder.written if row[0] < tick]
        self.builder.tempos = [row for row in self.builder.tempos if row[0] < tick]

    def read(self, text: str) -> None:
        for line in text.splitlines():
            if not line or line.startswith("!"):
                continue
            fields = line.split("\t")
            if line.startswith("**"):
                self._begin(fields)
            elif line.startswith("*"):
                self._interpret(fields)
            elif line.startswith("="):
                self._bar()
            else:
                self._sound(fields)

    def _begin(self, fields: list[str]) -> None:
        staves = [index for index, kind in enumerate(fields) if kind == "**kern"]
        for index, kind in enumerate(fields):
            staff = 1 + staves[::-1].index(index) if index in staves else 0
            self.spines.append(_Spine(kind, min(staff, 2)))

    def _each(self, fields: list[str]) -> list[tuple[_Spine, str]]:
        if len(fields) != len(self.spines):
            raise Uneven(f"{len(fields)} fields for {len(self.spines)} spines")
        return list(zip(self.spines, fields, strict=True))

    def _interpret(self, fields: list[str]) -> None:
        spines: list[_Spine] = []
        joining: _Spine | None = None
        exchanged: int | None = None
        for spine, text in self._each(fields):
            if text == "*v" and joining is not None and joining.kind == spine.kind and joining.staff == spine.staff:
                joining.until = max(joining.until, spine.until)
                continue
            joining = spine if text == "*v" else None
            if text == "*-":
                self._bar()
                continue
            spines.append(spine)
            if text == "*^":
                spines.append(_Spine(spine.kind, spine.staff, spine.until))
            elif text == "*x":
                if exchanged is None:
                    exchanged = len(spines) - 1
                else:
                    spines[exchanged], spines[-1] = spines[-1], spines[exchanged]
            elif spine.kind == "**kern":
                self._state(text)
        self.spines = spines

    def _state(self, text: str) -> None:
        meter = re.fullmatch(r"\*M(\d+)/(\d+)", text)
        tempo = re.fullmatch(r"\*MM([\d.]+)", text)
        if meter:
            self.beats = (int(meter[1]), int(meter[2]))
        elif tempo:
            self.builder.tempos.append([self._reached(), round(100 * float(tempo[1]))])

    def _reached(self) -> int:
        return max((spine.until for spine in self.spines if spine.kind == "**kern"), default=self.now)

    def _bar(self) -> None:
        end = self._reached()
        if end > self.barline:
            self.builder.measures.append([self.barline, end - self.barline, *self.beats])
            self.barline = end

    def _sound(self, fields: list[str]) -> None:
        played = [(spine, text) for spine, text in self._each(fields) if spine.kind == "**kern" and text != "."]
        timed = [spine.until for spine, text in played if "q" not in text]
        if timed:
            if max(timed) - min(timed) > TICKS_PER_QUARTER // 64:
                raise Uneven(f"spines at {timed}")
            self.now = max(timed)
        at = self.now if timed else max((spine.until for spine, _ in played), default=self.now)
        for spine, text in played:
            lengths = [self._note(part, at, spine.staff) for part in text.split(" ")]
            if "q" not in text:
                spine.until = at + max(lengths)

    def _note(self, text: str, at: int, staff: int) -> int:
        """Add a note; returns its length in ticks."""
        reciprocal = _RECIPROCAL.search(text)
        length = 0
        if reciprocal:
            number, over, dots = int(reciprocal[1]), int(reciprocal[2] or 1), len(reciprocal[3])
            base = Fraction(_WHOLE * 2 if number == 0 else Fraction(_WHOLE * over, number))
            length = round(base * (2 - Fraction(1, 2**dots)))
        pitch = _PITCH.search(text)
        if "r" in text or pitch is None:
            return length
        grace = "q" in text
        letters, sign = pitch[1], pitch[2]
        octave = 3 + len(letters) if letters.islower() else 4 - len(letters)
        number = 12 * (octave + 1) + _SEMITONES[letters[0].lower()] + sign.count("#") - sign.count("-")
        flags = GRACE if grace else 0
        for mark, flag in _MARKS.items():
            if mark in text:
                flags |= flag
        starts, ends = int("[" in text or "_" in text), int("]" in text or "_" in text)
        self.builder.written.append([at, 0 if grace else length, number, staff, 0, flags, starts, ends])
        return length


def whole(score: Score) -> bool:
    """Whether measures are as long as their metre says, but few."""
    nominal = _WHOLE * score.measures[:, 2] // score.measures[:, 3]
    return bool((score.measures[:, LENGTH] == nominal).mean() > 0.8) if len(score.measures[:, START]) else False
