"""The order in which measures are played: repeats, endings, Da Capo, Dal Segno, Coda and Fine."""

from __future__ import annotations

from collections.abc import Sequence

from model_runtime.errors import TooLarge
from model_runtime.playback.score import Measure

MOST_MEASURES_PLAYED = 200_000


def performed_order(measures: Sequence[Measure]) -> list[int]:
    """Indices of the measures in playing order.

    After D.C. or D.S. repeats are not taken again (unless they say so) and last endings are played.

    Raises:
        TooLarge: the repeats unfold to more than any piece.
    """
    return _Unfolding(measures).order


class _Unfolding:
    def __init__(self, measures: Sequence[Measure]) -> None:
        self.measures = measures
        self.order: list[int] = []
        self.section_start = 0
        self.playing = 1  # which time the section is played
        self.jumped = False
        self._jumps_done: set[int] = set()
        i = 0
        while i < len(measures):
            if measures[i].forward and i != self.section_start:
                self.section_start, self.playing = i, 1
            if self._is_skipped(i):
                i += 1
                continue
            self.order.append(i)
            if len(self.order) > MOST_MEASURES_PLAYED:
                raise TooLarge("The score's repeats unfold to more measures than can be played.")
            i = self._after(i)

    def _after(self, i: int) -> int:
        measure = self.measures[i]
        if self._is_repeated(i):
            self.playing += 1
            return self.section_start
        if measure.backward is not None or self._ends_last_ending(i):
            self.section_start, self.playing = i + 1, 1
        if self.jumped and measure.fine:
            return len(self.measures)
        if self.jumped and measure.to_coda:
            coda = next((j for j in range(len(self.measures)) if self.measures[j].coda and j != i), None)
            if coda is not None and coda > i:
                self.section_start, self.playing = coda, 1
                return coda
        if (measure.da_capo or measure.dal_segno) and i not in self._jumps_done:
            self._jumps_done.add(i)
            self.jumped = True
            target = 0 if measure.da_capo else next((j for j in range(i, -1, -1) if self.measures[j].segno), 0)
            self.section_start, self.playing = target, 1
            return target
        return i + 1

    def _is_repeated(self, i: int) -> bool:
        measure = self.measures[i]
        if measure.backward is None or (self.jumped and not measure.repeats_after_jump):
            return False
        return self.playing < self._times(i)

    def _times(self, i: int) -> int:
        """How often the section that ends at `i` is played in all."""
        told = self.measures[i].backward or 0
        if not self.measures[i].ending:
            return told or 2
        endings = self._endings_around(i)
        highest = max(max(self.measures[j].ending) for j in endings)
        starts = sum(self.measures[j].ending_start for j in endings)
        return max(highest if starts > 1 else highest + 1, 2)

    def _endings_around(self, i: int) -> list[int]:
        """Measures of the consecutive endings that `i` lies in."""
        first, last = i, i
        while first > 0 and self.measures[first - 1].ending:
            first -= 1
        while last + 1 < len(self.measures) and self.measures[last + 1].ending:
            last += 1
        return list(range(first, last + 1))

    def _is_skipped(self, i: int) -> bool:
        ending = self.measures[i].ending
        if not ending:
            return False
        around = self._endings_around(i)
        if self.jumped and not any(self.measures[j].repeats_after_jump for j in around):
            highest = max(max(self.measures[j].ending) for j in around)
            several = sum(self.measures[j].ending_start for j in around) > 1
            return not several or highest not in ending
        return self.playing not in ending

    def _ends_last_ending(self, i: int) -> bool:
        return bool(self.measures[i].ending) and (i + 1 == len(self.measures) or not self.measures[i + 1].ending)
