"""What tempo words mean, and the tempo along a score.

The figures are the middle of what metronomes print beside the words; gradual changes lead to the share of the tempo
that stands in `_GRADUAL`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

DEFAULT_QUARTERS_PER_MINUTE = 120.0
SLOWEST, FASTEST = 10.0, 600.0
RAMP_STEP = Fraction(1, 4)  # of a quarter: how finely a gradual change is followed
LONGEST_RAMP_MEASURES = 4  # a "rit." that nothing ends does not last longer than…
OPEN_RAMP_MEASURES = 2

# fmt: off
_ABSOLUTE: tuple[tuple[str, float], ...] = (
    ("prestissimo", 200), ("presto", 176), ("allegro vivace", 152), ("allegro assai", 144), ("allegro molto", 144),
    ("molto allegro", 144), ("allegro moderato", 116), ("allegro ma non troppo", 120), ("allegro non troppo", 120),
    ("allegro", 132), ("allegretto", 112), ("vivacissimo", 168), ("vivace", 152), ("vivo", 150),
    ("moderato", 104), ("andantino", 88), ("andante", 80), ("adagietto", 70), ("adagio", 66), ("larghetto", 63),
    ("larghissimo", 40), ("largo", 50), ("lentissimo", 44), ("lento", 56), ("grave", 44), ("maestoso", 84),
    ("sehr langsam", 48), ("ziemlich langsam", 66), ("langsam", 58), ("sehr ruhig", 60), ("ruhig", 69),
    ("mäßig", 92), ("mässig", 92), ("massig", 92), ("gehend", 84), ("sehr bewegt", 132), ("bewegt", 112),
    ("sehr lebhaft", 144), ("lebhaft", 126), ("munter", 120), ("sehr schnell", 168), ("schnell", 144),
    ("sehr rasch", 160), ("rasch", 138), ("breit", 60),
    ("très lent", 48), ("assez lent", 63), ("lent", 56), ("modéré", 96), ("animé", 120), ("très vif", 168),
    ("vif", 144), ("slow", 60), ("moderate", 100), ("lively", 132), ("fast", 144), ("swing", 132),
)
_RELATIVE: tuple[tuple[str, float], ...] = (
    ("doppio movimento", 2.0), ("più mosso", 1.15), ("piu mosso", 1.15), ("più vivo", 1.15), ("più allegro", 1.15),
    ("meno mosso", 0.85), ("più lento", 0.8), ("piu lento", 0.8), ("plus lent", 0.8), ("plus vite", 1.2),
    ("plus animé", 1.15), ("animez", 1.15), ("langsamer", 0.85), ("schneller", 1.15), ("bewegter", 1.15),
    ("lebhafter", 1.15), ("ruhiger", 0.9), ("slower", 0.85), ("faster", 1.15),
)
_GRADUAL: tuple[tuple[str, float], ...] = (
    (r"rit(\.|:|$|\b|ard|en)", 0.72), (r"rall", 0.72), (r"allarg", 0.75), (r"slargando", 0.75), (r"calando", 0.8),
    (r"morendo", 0.75), (r"smorz", 0.8), (r"c[ée]dez", 0.8), (r"en retenant", 0.75), (r"retenez", 0.75),
    (r"zurückhalt", 0.75), (r"zögernd", 0.8), (r"verzögernd", 0.8), (r"langsamer werdend", 0.75),
    (r"accel", 1.3), (r"string(\.|$|endo)", 1.25), (r"affrett", 1.25), (r"animando", 1.15), (r"beschleunig", 1.25),
    (r"schneller werdend", 1.25), (r"nach und nach schneller", 1.25), (r"drängend", 1.2), (r"eilend", 1.2),
    (r"pressez", 1.2), (r"en animant", 1.15),
)
_RETURN = re.compile(
    r"\b(a\s+tempo|im tempo|in tempo|tempo\s*(i\b|1|primo|iº|i°|giusto)|(1|i)(°|º|er|re)?\s*tempo|au mouv|1er mouv"
    r"|wie zuvor|erstes zeitmaß|l'istesso tempo)|^tempo\.?$"
)
_FIRST_TEMPO = re.compile(r"\b(tempo\s*(i\b|1|primo|iº|i°)|(1|i)(°|º|er|re)\s*(tempo|mouv)|erstes zeitmaß)")
# fmt: on


@dataclass(frozen=True, slots=True)
class TempoEvent:
    """One tempo instruction at a position in written quarter notes.

    Attributes:
        kind: "absolute" (value: quarters a minute), "factor", "gradual" (value: share reached), "return" or "first".
    """

    quarter: Fraction
    kind: str
    value: float = 0.0


def words_as_tempo(words: str) -> tuple[str, float] | None:
    """Kind and value of a `TempoEvent` that words mean, or None where they say nothing about the tempo."""
    text = re.sub(r"\s+", " ", words.lower()).strip(" ()[]\u2009")
    if not text or len(text) > 80:
        return None
    if _FIRST_TEMPO.search(text):
        return "first", 0.0
    if _RETURN.search(text):
        return "return", 0.0
    for pattern, share in _GRADUAL:
        if re.search(rf"\b{pattern}", text):
            return "gradual", _graded(share, text)
    for word, factor in _RELATIVE:
        if word in text:
            return "factor", _graded(factor, text)
    opening = " ".join(text.split()[:4])
    for word, tempo in _ABSOLUTE:
        if re.search(rf"(?<!\w){word}(?!\w)", opening):
            return "absolute", tempo
    return None


def _graded(share: float, text: str) -> float:
    if re.search(r"\b(poco|un peu|etwas|slightly)\b", text):
        return 1 + (share - 1) * 0.6
    if re.search(r"\b(molto|assai|sehr|beaucoup|très)\b", text):
        return 1 + (share - 1) * 1.5
    return share


class TempoCurve:
    """Tempo along the written score, as steps.

    Args:
        events: Instructions; sorted here.
        measure_starts: Written quarter of each measure's start and of the end.
        holds: Fermatas as (start, end, factor): the tempo between is divided by the factor.
    """

    def __init__(
        self,
        events: Iterable[TempoEvent],
        measure_starts: Sequence[Fraction],
        holds: Iterable[tuple[Fraction, Fraction, float]] = (),
    ) -> None:
        self._steps: list[tuple[Fraction, float]] = [(Fraction(0), DEFAULT_QUARTERS_PER_MINUTE)]
        self._follow(sorted(set(events), key=lambda e: (e.quarter, e.kind)), measure_starts)
        for start, end, factor in _merged(holds):
            self._hold(start, end, factor)

    def steps_between(self, start: Fraction, end: Fraction) -> list[tuple[Fraction, float]]:
        """(position, quarters a minute) from `start` on, the first at `start` itself."""
        inside = [step for step in self._steps if start < step[0] < end]
        return [(start, self.at(start)), *inside]

    def at(self, quarter: Fraction) -> float:
        """Quarters a minute at a written position."""
        i = bisect_right(self._steps, quarter, key=lambda step: step[0]) - 1
        return self._steps[max(i, 0)][1]

    def _follow(self, events: list[TempoEvent], starts: Sequence[Fraction]) -> None:
        first: float | None = None
        steady = DEFAULT_QUARTERS_PER_MINUTE  # what "a tempo" returns to
        for i, event in enumerate(events):
            now = self.at(event.quarter)
            following = events[i + 1].quarter if i + 1 < len(events) else None
            match event.kind:
                case "absolute":
                    steady = min(max(event.value, SLOWEST), FASTEST)
                    self._set(event.quarter, steady)
                case "factor":
                    steady = min(max(steady * event.value, SLOWEST), FASTEST)
                    self._set(event.quarter, steady)
                case "return":
                    self._set(event.quarter, steady)
                case "first":
                    steady = first if first is not None else steady
                    self._set(event.quarter, steady)
                case "gradual":
                    end, resumes = _ramp_end(event.quarter, following, starts)
                    self._ramp(event.quarter, end, now, min(max(now * event.value, SLOWEST), FASTEST))
                    if resumes:
                        self._set(end, steady)
            if first is None and event.kind in ("absolute", "factor"):
                first = steady

    def _set(self, quarter: Fraction, tempo: float) -> None:
        self._steps = [step for step in self._steps if step[0] < quarter]
        self._steps.append((quarter, tempo))

    def _ramp(self, start: Fraction, end: Fraction, from_tempo: float, to_tempo: float) -> None:
        self._steps = [step for step in self._steps if step[0] < start]
        count = max(int((end - start) / RAMP_STEP), 1)
        for i in range(count):
            self._steps.append(
                (start + i * (end - start) / count, from_tempo + (to_tempo - from_tempo) * (i + 0.5) / count)
            )

    def _hold(self, start: Fraction, end: Fraction, factor: float) -> None:
        after = self.at(end)
        held = [(q, tempo / factor if start <= q < end else tempo) for q, tempo in self._steps]
        if all(q != start for q, _ in held):
            held.append((start, self.at(start) / factor))
        if all(q != end for q, _ in held):
            held.append((end, after))
        self._steps = sorted(held)


def _ramp_end(start: Fraction, following: Fraction | None, starts: Sequence[Fraction]) -> tuple[Fraction, bool]:
    """Where a gradual change ends, and whether the tempo resumes there for want of anything else."""
    i = min(max(bisect_right(starts, start) - 1, 0), len(starts) - 1)
    furthest = starts[min(i + LONGEST_RAMP_MEASURES + 1, len(starts) - 1)]
    if following is not None and start < following <= furthest:
        return following, False
    end = starts[min(i + OPEN_RAMP_MEASURES, len(starts) - 1)]
    return max(end, start + 1), end < starts[-1]


def _merged(holds: Iterable[tuple[Fraction, Fraction, float]]) -> list[tuple[Fraction, Fraction, float]]:
    """Fermatas that sound together are one: the latest start to the earliest end of each heap."""
    merged: list[tuple[Fraction, Fraction, float]] = []
    for start, end, factor in sorted(holds):
        if merged and start < merged[-1][1]:
            last = merged[-1]
            merged[-1] = (max(last[0], start), min(last[1], end) if end > start else last[1], factor)
        else:
            merged.append((start, end, factor))
    return [hold for hold in merged if hold[1] > hold[0]]
