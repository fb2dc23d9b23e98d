"""Places chords on the grid: for every beat the subdivision, and for every chord the position, that explain best.

A Viterbi search over chords. A state is a beat, a number of equal parts of it and one of them. It costs
how far the chord was played from there, in seconds; how that deviation differs from the chord's before, for a player
who is late stays late; how usual the rhythm is (`rhythm_prior`); and what a grace note or a spread chord costs where
a chord takes no time of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from model_runtime.notation.metre import BeatFrame
from model_runtime.notation.onsets import Chord
from model_runtime.notation.rhythm_prior import END, LARGEST_SUBDIVISION, START, SUBDIVISIONS, beat_prior

TIMING_SIGMA_S = 0.032
"""How precisely a chord is played on its place, beside what grows with the beat."""

TIMING_SHARE = 0.07
"""Further deviation as a share of the beat: tempo is not even within a beat."""

DRIFT_SIGMA_S = 0.022
"""How much the deviation changes from one chord to the next, beside what grows with the time between them."""

DRIFT_SHARE = 0.12

SPREAD_SIGMA_S = 0.045
"""Time between parts of one spread chord."""

SPREAD_COST = 2.5
GRACE_COST = 4.0
LONGEST_GRACE_S = 0.14
EMPTY_BEAT_COST = 0.5
SHORTEST_STEP_S = 0.04
"""Subdivisions faster than this are not considered."""

MOST_SKIPPED = 4

_PARTS = np.array(SUBDIVISIONS)
_PLACES = LARGEST_SUBDIVISION + 2


@dataclass(frozen=True, slots=True)
class PlacedChord:
    """A chord with its position in quarter notes; `grace` where it takes no time before the chord at `onset`."""

    onset: Fraction
    chord: Chord
    grace: bool = False


@dataclass(frozen=True)
class _States:
    """Where one chord may lie: parallel arrays over states."""

    beat: npt.NDArray[np.int64]
    subdivision: npt.NDArray[np.int64]  # index into SUBDIVISIONS
    part: npt.NDArray[np.int64]
    deviation_s: npt.NDArray[np.float64]
    cost: npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Tables:
    """Prior costs as arrays, by kind of beat (0 simple, 1 compound)."""

    follow: npt.NDArray[np.float64]
    chain: npt.NDArray[np.float64]

    @classmethod
    def load(cls) -> _Tables:
        priors = [beat_prior(False), beat_prior(True)]
        return cls(np.stack([p.follow for p in priors]), np.stack([p.chain for p in priors]))


def allowed_subdivisions(quantise: str, beat: Fraction) -> list[int]:
    """Indices into SUBDIVISIONS whose parts of a beat are no finer than the option allows."""
    if quantise in ("auto", "none"):
        return list(range(len(SUBDIVISIONS)))
    value = 4 / Fraction(int(quantise.split("/")[1].rstrip("t")))
    step = value * Fraction(2, 3) if quantise.endswith("t") else value
    return [i for i, parts in enumerate(SUBDIVISIONS) if (beat / parts / step).denominator == 1] or [0]


def place_chords(
    chords: Sequence[Chord],
    frame: BeatFrame,
    quantise: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> list[PlacedChord]:
    """Positions of chords, in their order; cost grows linearly with their number."""
    if not chords:
        return []
    search = _Search(chords, frame, quantise)
    for index in range(len(chords)):
        if progress is not None and index % 256 == 0:
            progress(index, len(chords))
        search.step(index)
    return search.best()


class _Search:
    def __init__(self, chords: Sequence[Chord], frame: BeatFrame, quantise: str) -> None:
        self.chords = chords
        self.frame = frame
        self.tables = _Tables.load()
        self.allowed = {
            beat: allowed_subdivisions(quantise, beat)
            for beat in {b - a for a, b in zip(frame.quarters, frame.quarters[1:], strict=False)}
        }
        self.compound = frame.compound.astype(np.int64)
        self.graces = [_may_be_grace(chords, i) for i in range(len(chords))]
        self.states: list[_States] = []
        self.costs: list[npt.NDArray[np.float64]] = []
        self.previous: list[npt.NDArray[np.int64]] = []  # state of the chord that was placed before
        self.skipped: list[npt.NDArray[np.int64]] = []  # how many graces lie between

    def step(self, index: int) -> None:
        """Find the cheapest way to every state of one chord."""
        states = self._candidates(index)
        best = np.full(len(states.beat), np.inf)
        previous = np.zeros(len(states.beat), np.int64)
        skipped = np.zeros(len(states.beat), np.int64)
        grace_cost = 0.0
        for skip in range(min(index, MOST_SKIPPED) + 1):
            if skip and not self.graces[index - skip]:
                break
            grace_cost += GRACE_COST if skip == 1 else GRACE_COST / 3 if skip else 0.0
            origin = index - skip - 1
            if origin < 0:
                costs, sources = self._starts(states) + grace_cost, np.full(len(states.beat), -1)
            else:
                total = self.costs[origin][:, None] + self._transition(origin, states, index) + grace_cost
                sources = total.argmin(axis=0)
                costs = total[sources, np.arange(total.shape[1])]
            better = costs < best
            best[better], previous[better], skipped[better] = costs[better], sources[better], skip
        self.states.append(states)
        self.costs.append(best + states.cost)
        self.previous.append(previous)
        self.skipped.append(skipped)

    def best(self) -> list[PlacedChord]:
        """The cheapest way through all chords."""
        placed: list[PlacedChord] = []
        index = len(self.chords) - 1
        state = int(self.costs[index].argmin())
        while index >= 0:
            onset = self._position(self.states[index], state)
            placed.append(PlacedChord(onset, self.chords[index]))
            skip = int(self.skipped[index][state])
            placed.extend(PlacedChord(onset, self.chords[index - s], grace=True) for s in range(1, skip + 1))
            state = int(self.previous[index][state])
            index -= skip + 1
        return placed[::-1]

    def _position(self, states: _States, state: int) -> Fraction:
        beat = int(states.beat[state])
        start, end = self.frame.quarters[beat], self.frame.quarters[beat + 1]
        return start + (end - start) * Fraction(int(states.part[state]), SUBDIVISIONS[int(states.subdivision[state])])

    def _candidates(self, index: int) -> _States:
        time = self.chords[index].time_s
        times = self.frame.times_s
        here = int(np.clip(np.searchsorted(times, time, side="right") - 1, 0, len(times) - 2))
        beats, subdivisions, parts, expected = [], [], [], []
        for beat in (here - 1, here, here + 1):
            if not 0 <= beat < len(times) - 1:
                continue
            length_s = float(times[beat + 1] - times[beat])
            phase = (time - float(times[beat])) / length_s
            reach = 3.0 * TIMING_SIGMA_S / length_s + 0.15
            for subdivision in self.allowed[self.frame.quarters[beat + 1] - self.frame.quarters[beat]]:
                count = SUBDIVISIONS[subdivision]
                if count > 1 and length_s / count < SHORTEST_STEP_S:
                    continue
                nearest = int(np.floor(phase * count))
                for part in (nearest, nearest + 1):
                    if 0 <= part < count and (beat == here or abs(phase - part / count) < reach):
                        beats.append(beat)
                        subdivisions.append(subdivision)
                        parts.append(part)
                        expected.append(float(times[beat]) + length_s * part / count)
        beat_array = np.array(beats)
        deviation = time - np.array(expected)
        sigma = np.hypot(TIMING_SIGMA_S, TIMING_SHARE * (times[beat_array + 1] - times[beat_array]))
        cost = 0.5 * np.minimum((deviation / sigma) ** 2, 60.0)
        return _States(beat_array, np.array(subdivisions), np.array(parts), deviation, cost)

    def _starts(self, states: _States) -> npt.NDArray[np.float64]:
        kind = self.compound[states.beat]
        entry: npt.NDArray[np.float64] = self.tables.chain[kind, states.subdivision, START, states.part]
        usual: npt.NDArray[np.float64] = self.tables.follow[kind, 0, states.subdivision]
        return entry + usual

    def _transition(self, origin: int, states: _States, index: int) -> npt.NDArray[np.float64]:
        """Costs from every state of chord `origin` to every state of chord `index`, shape (from, to)."""
        before = self.states[origin]
        elapsed = self.chords[index].time_s - self.chords[origin].time_s
        kind = self.compound[states.beat]
        kind_before = self.compound[before.beat]
        step = states.beat[None, :] - before.beat[:, None]
        chain = self.tables.chain
        same_grid = before.subdivision[:, None] == states.subdivision[None, :]
        within = chain[kind_before[:, None], before.subdivision[:, None], before.part[:, None], states.part[None, :]]
        leave = chain[kind_before, before.subdivision, before.part, END]
        enter = chain[kind, states.subdivision, START, states.part]
        follow = self.tables.follow[kind[None, :], before.subdivision[:, None], states.subdivision[None, :]]
        across = leave[:, None] + follow + enter[None, :] + EMPTY_BEAT_COST * np.maximum(step - 1, 0)
        drift_sigma = np.hypot(DRIFT_SIGMA_S, DRIFT_SHARE * elapsed)
        drift = 0.5 * np.minimum(((states.deviation_s[None, :] - before.deviation_s[:, None]) / drift_sigma) ** 2, 40.0)
        moving = np.where(step == 0, np.where(same_grid, within, np.inf), np.where(step > 0, across, np.inf)) + drift
        together = (step == 0) & same_grid & (before.part[:, None] == states.part[None, :])
        spread = SPREAD_COST * min(1.0, elapsed / SPREAD_SIGMA_S) + 0.5 * (elapsed / SPREAD_SIGMA_S) ** 2
        result: npt.NDArray[np.float64] = np.where(together, spread, moving)
        return result


def _may_be_grace(chords: Sequence[Chord], index: int) -> bool:
    """Whether a chord is short enough, soon enough followed and near enough in pitch to ornament the next ones."""
    if index + 1 >= len(chords) or len(chords[index].notes) > 2:
        return False
    chord = chords[index]
    for later in chords[index + 1 : index + 1 + MOST_SKIPPED]:
        gap = later.time_s - chord.time_s
        if gap > LONGEST_GRACE_S * MOST_SKIPPED / 2:
            return False
        if chords[index + 1].time_s - chord.time_s > LONGEST_GRACE_S:
            return False
        nearest = min(abs(a.pitch - b.pitch) for a in chord.notes for b in later.notes)
        longest = max(note.duration_s for note in chord.notes)
        main = max(note.duration_s for note in later.notes)
        if 1 <= nearest <= 4 and longest < gap + 0.08 and main > 1.3 * longest:
            return True
    return False
