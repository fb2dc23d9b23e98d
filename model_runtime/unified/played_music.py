"""A performance, read by the trunk window by window: each starts at the barline where the one before was left.

A window ends somewhere within a measure; what the trunk wrote of whole measures is kept but for the last one, whose end
it did not hear. Where the next window starts is found from what each written note points at: the notes of a measure
and their places in it tell the seconds of its barlines. A first pass over some windows votes on key and metre, which
then hold for the whole piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.modality import SUSTAIN_PEDAL, Note, Performance
from model_runtime.tokens.lmx import split_head
from model_runtime.tokens.lmx_reader import read_lmx
from model_runtime.tokens.notes import NoteToken, compound
from model_runtime.tokens.shorthand import expand, words
from model_runtime.tokens.vocabulary import PITCHES, TICK_S
from model_runtime.tokens.written import WrittenMeasure
from model_runtime.unified.inference import TrunkRuntime, Window, Written

MOST_NOTES = 80  # in a window
LONGEST_S = 16.0
VOTING_WINDOWS = 8
_MEASURES_AT_ONCE = 3.3
_REPAIRED = 0.5  # how sure a measure is at most that had to be repaired
_CLEFS = ("clef:G2", "staff:1", "clef:F4", "staff:2")
_PITCHES = frozenset(PITCHES)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Pair:
    """A written note and when it was played: quarter notes from the window's start, seconds of the piece."""

    measure: int
    quarters: float
    onset_s: float
    note: int


@dataclass(frozen=True)
class _Read:
    """What one window gave."""

    tokens: list[list[str]]  # LMX of each measure that is kept
    confidence: list[float]
    played: frozenset[int]  # notes of the performance that they hold
    next_s: float


class PlayedReader:
    """Writes one performance down.

    Args:
        runtime: The trunk.
        performance: With at least one note.
        progress: Called with seconds done and seconds in all.
    """

    def __init__(
        self, runtime: TrunkRuntime, performance: Performance, progress: Callable[[float, float], None] | None = None
    ) -> None:
        self._runtime = runtime
        self._notes: tuple[Note, ...] = performance.notes
        self._onsets = np.array([note.onset_s for note in self._notes])
        self._pedal = [(c.time_s, c.value >= 64) for c in performance.controls if c.number == SUSTAIN_PEDAL]
        self._progress = progress
        self._end_s = float(self._onsets[-1])
        self._measure_s: float | None = None

    def read(self) -> tuple[list[WrittenMeasure], list[float], list[str]]:
        """Measures, how sure of each (0 to 1), and warnings."""
        opening = self._vote()
        tokens: list[str] = []
        confidence: list[float] = []
        for window in self._windows(opening, limit=None):
            for measure in window.tokens:
                cut = split_head(measure)
                head = measure[1:cut] if not tokens else _new_clefs(measure[1:cut])
                tokens += ["measure", *head, *measure[cut:]]
            confidence += window.confidence
        measures = read_lmx(tokens)
        warnings = [f"Measure {i}: {text}" for i, m in enumerate(measures, 1) for text in m.repairs]
        confidence = [min(c, _REPAIRED) if m.repairs else c for m, c in zip(measures, confidence, strict=True)]
        return measures, confidence, warnings

    def _vote(self) -> tuple[str, ...]:
        """Key and metre of the piece, as most of the first windows hear them."""
        keys: Counter[str] = Counter()
        meters: Counter[tuple[str, ...]] = Counter()
        for window in self._windows((), limit=VOTING_WINDOWS):
            head = window.tokens[0][1 : split_head(window.tokens[0])]
            weight = len(window.played)
            for i, token in enumerate(head):
                if token.startswith("key:"):
                    keys[token] += weight
                elif token == "time":
                    meters[tuple(head[i : i + 3])] += weight
        self._measure_s = None
        key = keys.most_common(1)[0][0] if keys else "key:fifths:0"
        meter = meters.most_common(1)[0][0] if meters else ("time", "beats:4", "beat-type:4")
        return ("measure", key, *meter, *_CLEFS)

    def _windows(self, opening: tuple[str, ...], limit: int | None) -> list[_Read]:
        result: list[_Read] = []
        start_s, written = float(self._onsets[0]), frozenset[int]()
        while start_s <= self._end_s and (limit is None or len(result) < limit):
            window = self._window(start_s, written, opening)
            result.append(window)
            written |= window.played | frozenset(np.flatnonzero(self._onsets < window.next_s - 0.1).tolist())
            start_s = window.next_s
            if self._progress and limit is None:
                self._progress(start_s, self._end_s)
            if len(written) == len(self._notes):
                break
        return result

    def _window(self, start_s: float, written: frozenset[int], opening: tuple[str, ...]) -> _Read:
        fresh = [i for i in range(len(self._notes)) if i not in written]
        reach_s = LONGEST_S if self._measure_s is None else _MEASURES_AT_ONCE * self._measure_s
        end_s = start_s + min(reach_s, LONGEST_S)
        end_s = max(end_s, self._onsets[fresh[0]] + 1e-3)
        if len(fresh) > MOST_NOTES:
            end_s = min(end_s, max(self._onsets[fresh[MOST_NOTES]], start_s + 0.5))
        whole = end_s > self._end_s
        events, sources = self._events(start_s, end_s, written)
        window = Window(
            "performance",
            np.array([compound(e) for e in events], np.int64),
            np.array([e.onset * TICK_S * 10 for e in events], np.float32),
            whole=whole,
            opening=opening,
        )
        return self._kept(self._runtime.write([window])[0], sources, start_s, end_s, whole)

    def _events(self, start_s: float, end_s: float, written: frozenset[int]) -> tuple[list[NoteToken], list[int]]:
        """The window's tokens, and the note of the performance that each plays, -1 for a pedal."""
        placed: list[tuple[NoteToken, int]] = []
        for i, note in enumerate(self._notes):
            if note.onset_s >= end_s:
                break
            if i in written:
                if note.offset_s > start_s + 0.05:
                    held = NoteToken("note:held", 0, note.pitch, _ticks(note.offset_s - start_s), note.velocity // 4)
                    placed.append((held, -1))
                continue
            onset = max(round((note.onset_s - start_s) / TICK_S), 0)
            length = _ticks(note.offset_s - max(note.onset_s, start_s))
            placed.append((NoteToken("note", onset, note.pitch, length, note.velocity // 4), i))
        for time_s, down in self._pedal:
            if start_s <= time_s < end_s:
                placed.append((NoteToken("pedal:down" if down else "pedal:up", _ticks(time_s - start_s)), -1))
        placed.sort(key=lambda p: (p[0].onset, ("note", "note:held", "pedal:down", "pedal:up").index(p[0].kind)))
        return [event for event, _ in placed], [source for _, source in placed]

    def _kept(self, written: Written, sources: Sequence[int], start_s: float, end_s: float, whole: bool) -> _Read:
        tokens = _by_measure(expand(written.symbols)) or [["measure"]]
        measures = read_lmx([token for measure in tokens for token in measure])
        pairs = self._pairs(written, sources, measures)
        count = len(tokens) if whole or len(tokens) == 1 or written.more else len(tokens) - 1
        quarters = float(sum(m.length for m in measures[:count]))
        next_s, quarter_s = self._barline(pairs, count, quarters, start_s, end_s)
        if whole and count == len(tokens):
            next_s = self._end_s + 1.0
        self._measure_s = max(quarter_s * quarters / max(count, 1), 0.3)
        played = frozenset(p.note for p in pairs if p.measure < count)
        sure = _confidence(written)
        return _Read(tokens[:count], (sure + [0.0] * count)[:count], played, next_s)

    def _pairs(self, written: Written, sources: Sequence[int], measures: Sequence[WrittenMeasure]) -> list[_Pair]:
        """Written notes with the played ones that they point at, where the pitch is the same."""
        pointed = _pointers_of_notes(written)
        result = []
        start = 0.0
        for number, measure in enumerate(measures):
            notes = [note for note in measure.notes if note.pitch]
            own = pointed[number] if number < len(pointed) else []
            for note, pointer in zip(notes, own, strict=False):
                source = sources[pointer] if pointer < len(sources) else -1
                if source >= 0 and self._notes[source].pitch == note.midi_pitch and not note.grace:
                    at = start + float(note.onset)
                    result.append(_Pair(number, at, self._notes[source].onset_s, source))
            start += float(measure.length)
        return result

    def _barline(
        self, pairs: Sequence[_Pair], count: int, quarters: float, start_s: float, end_s: float
    ) -> tuple[float, float]:
        """Second at which measure number `count` of the window starts, and seconds a quarter note."""
        near = [p for p in pairs if quarters - 5.0 <= p.quarters <= quarters + 2.0]
        if len({p.quarters for p in near}) >= 3:
            places, seconds = np.array([p.quarters for p in near]), np.array([p.onset_s for p in near])
            slope = float(np.polyfit(places, seconds, 1)[0])
            middle = float(np.median(seconds - slope * places))
        else:
            slope = (end_s - start_s) / max(quarters, 1.0)
            middle = start_s
        slope = min(max(slope, 0.12), 4.0)
        expected = middle + slope * quarters
        heads = [p.onset_s for p in pairs if p.measure == count and abs(p.quarters - quarters) < 1e-6]
        if heads and abs(min(heads) - expected) < slope:
            expected = min(heads)
        else:
            gaps = np.abs(self._onsets - expected)
            if gaps.min() < 0.3 * slope:
                expected = float(self._onsets[gaps.argmin()])
        last = max((p.onset_s for p in pairs if p.measure < count), default=start_s)
        return max(expected, last + 0.02, start_s + 0.2), slope


def _ticks(seconds: float) -> int:
    return max(round(seconds / TICK_S), 1)


def _by_measure(tokens: Sequence[str]) -> list[list[str]]:
    result: list[list[str]] = []
    for token in tokens:
        if token == "measure":
            result.append([])
        if result:
            result[-1].append(token)
    return result


def _pointers_of_notes(written: Written) -> list[list[int]]:
    """For each measure, the source token that each of its notes points at most often, in the order of LMX."""
    owner: list[int] = []  # of each base token, the symbol that it came with
    tokens: list[str] = []
    for i, symbol in enumerate(written.symbols):
        for token in symbol.split("+"):
            tokens.append(token)
            owner.append(i)
    result: list[list[int]] = []
    at = 0
    for word in words(tokens):
        symbols = owner[at : at + len(word)]
        at += len(word)
        if word[0] == "measure":
            result.append([])
        elif result and any(token in _PITCHES for token in word):
            result[-1].append(Counter(int(written.pointers[s]) for s in symbols).most_common(1)[0][0])
    return result


def _confidence(written: Written) -> list[float]:
    """Mean probability of each measure's symbols."""
    sums: list[list[float]] = []
    for symbol, probability in zip(written.symbols, written.probabilities, strict=True):
        if symbol == "measure":
            sums.append([])
        if sums:
            sums[-1].append(float(probability))
    return [float(np.mean(s)) for s in sums]


def _new_clefs(head: Sequence[str]) -> list[str]:
    """A later window's head without what holds anyway."""
    return [] if tuple(head[-4:]) == _CLEFS or not head else [t for t in head if t.startswith(("clef:", "staff:"))]
