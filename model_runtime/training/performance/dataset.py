"""Renditions drawn by number, as what both networks are told and should say; batches of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.training.performance.playing import PLAIN, Rendition, draw_excerpt, play
from model_runtime.training.performance.scores import DENOMINATOR, LEAD, LENGTH, NUMERATOR, START, Ints, Score, loaded
from model_runtime.unified.performance_features import (
    BAR_STARTS,
    COMPOUND_PHASES,
    ORNAMENT,
    PERIOD_OCTAVE,
    PERIODS,
    SHORTEST_PERIOD_S,
    SIMPLE_PHASES,
    TICKS,
    VALUES,
    Features,
    Placed,
    Played,
    beat_features,
    chord_of_note,
    value_features,
)

Longs = npt.NDArray[np.int64]
ONSETS = 300
LONGEST = 320
IGNORED = -1
WRONG_BARS_SHARE = 0.15
CORPORA = (("lieder_train", 0.56), ("lieder_train_extra", 0.09), ("chopin", 0.35))
_METERS = {(2, 4): 0, (4, 8): 0, (3, 4): 1, (4, 4): 2, (2, 2): 2, (3, 8): 3, (6, 8): 4, (9, 8): 5, (12, 8): 6}
_SCALE = TICKS_PER_QUARTER // TICKS
_VALUE_CLASSES = {round(value * TICKS_PER_QUARTER): index for index, value in enumerate(VALUES)}


@dataclass(frozen=True)
class Task:
    """What one network is told of one excerpt, and what it should say; rows are chords or notes.

    Attributes:
        features: Shape (T, F).
        places: Shape (T, axes).
        answers: Classes, IGNORED where there is none, shape (T, k): phase, bar and tenths of a period's class of a
            chord; value and staff of a note.
    """

    features: Features
    places: Features
    answers: Longs


def beat_task(rendition: Rendition, score: Score) -> Task:
    """The first network's."""
    played = Played(
        rendition.onset_s,
        rendition.offset_s,
        rendition.pitch.astype(np.int64),
        rendition.velocity.astype(np.int64),
        rendition.pedal if rendition.pedal_known else np.zeros((0, 2)),
    )
    chord = chord_of_note(played.onset_s, played.pitch)
    features, times = beat_features(played, chord)
    plain = np.flatnonzero(rendition.kind == PLAIN)
    count = len(times)
    tick = np.zeros(count, np.int64)
    tick[chord[::-1]] = rendition.tick[::-1]
    tick[chord[plain[::-1]]] = rendition.tick[plain[::-1]]
    has_place = np.zeros(count, bool)
    has_place[chord[plain]] = True
    phase, bar, beat = _metrical(tick, score.measures)
    phase = np.where(has_place, phase, ORNAMENT)
    bar = np.where(has_place, bar, IGNORED)
    around = rendition.seconds(tick + beat) - rendition.seconds(tick - beat)
    period = 10 * np.clip(PERIOD_OCTAVE * np.log2(around / 2 / SHORTEST_PERIOD_S), 0, PERIODS - 1)
    answers = np.stack([phase, bar, np.rint(period).astype(np.int64)], axis=1)
    return Task(features, times[:, None].astype(np.float32), answers)


def _metrical(tick: Longs, measures: Ints) -> tuple[Longs, Longs, Longs]:
    """Phase class and bar class of score positions, IGNORED where there is none, and the beat's ticks."""
    index = np.clip(np.searchsorted(measures[:, START], tick, side="right") - 1, 0, None)
    own = measures[index].astype(np.int64)
    within = tick - own[:, START] + own[:, LEAD]
    compound = (own[:, DENOMINATOR] == 8) & (own[:, NUMERATOR] % 3 == 0)
    beat = np.where(compound, 3 * TICKS_PER_QUARTER // 2, TICKS_PER_QUARTER)
    fine, rest = np.divmod(within % beat, _SCALE)
    simple_class, compound_class = np.full(TICKS, IGNORED), np.full(36, IGNORED)
    simple_class[list(SIMPLE_PHASES)] = np.arange(len(SIMPLE_PHASES))
    compound_class[list(COMPOUND_PHASES)] = len(SIMPLE_PHASES) + np.arange(len(COMPOUND_PHASES))
    phase = np.where(compound, compound_class[fine], simple_class[np.minimum(fine, TICKS - 1)])
    phase = np.where(rest == 0, phase, IGNORED)
    kinds = [_METERS.get((n, d), IGNORED) for n, d in own[:, [NUMERATOR, DENOMINATOR]].tolist()]
    kind = np.array(kinds, np.int64)
    beats = np.array([*np.diff(BAR_STARTS), 1])[kind]
    bar = np.where((kind >= 0) & (within // beat < beats), np.array(BAR_STARTS)[kind] + within // beat, IGNORED)
    return phase, bar, beat


def value_task(rendition: Rendition, score: Score, rng: np.random.Generator) -> Task:
    """The second network's: it is told the beats, at times with barlines in the wrong place."""
    known, _ = rendition.curve
    step = TICKS_PER_QUARTER if rng.random() < 0.7 else TICKS_PER_QUARTER // 2
    points = np.arange(known[0], known[-1], step)
    times = np.maximum.accumulate(rendition.seconds(points) + rng.normal(0.0, 0.012, len(points)))
    times += 1e-6 * np.arange(len(times))
    plain = np.flatnonzero(rendition.kind == PLAIN)
    plain = plain[np.lexsort((rendition.pitch[plain], rendition.tick[plain]))]
    onset = np.interp(rendition.onset_s[plain], times, points)
    ends = [rendition.offset_s[plain], _sounding(rendition)[plain]]
    held, sounding = ((np.interp(end, times, points) - onset) / TICKS_PER_QUARTER for end in ends)
    measures = score.measures
    index = np.clip(np.searchsorted(measures[:, START], rendition.tick[plain], side="right") - 1, 0, None)
    own = measures[index]
    compound = (own[:, DENOMINATOR] == 8) & (own[:, NUMERATOR] % 3 == 0)
    start = (own[:, START] - own[:, LEAD]) / TICKS_PER_QUARTER
    if rng.random() < WRONG_BARS_SHARE:
        start = start + float(rng.integers(0, 4)) * np.where(compound, 1.5, 1.0) - 4.5
    quarter = rendition.tick[plain] / TICKS_PER_QUARTER
    length = np.maximum(4.0 * own[:, NUMERATOR] / own[:, DENOMINATOR], 0.25)
    length = np.maximum(length, (own[:, LENGTH] / TICKS_PER_QUARTER))
    placed = Placed(
        quarter,
        held,
        np.maximum(sounding, held),
        rendition.pitch[plain].astype(np.int64),
        rendition.velocity[plain].astype(np.int64),
        start,
        length,
        compound,
    )
    features, places = value_features(placed)
    value = [_VALUE_CLASSES.get(length, IGNORED) for length in rendition.length[plain].tolist()]
    staff = np.where(rendition.staff[plain] > 0, rendition.staff[plain] - 1, IGNORED)
    return Task(features, places, np.stack([np.array(value, np.int64), staff.astype(np.int64)], axis=1))


def _sounding(rendition: Rendition) -> npt.NDArray[np.float64]:
    pedal = rendition.pedal
    if not len(pedal) or not rendition.pedal_known:
        return rendition.offset_s
    span = np.clip(np.searchsorted(pedal[:, 0], rendition.offset_s, side="right") - 1, 0, None)
    inside = (rendition.offset_s >= pedal[span, 0]) & (rendition.offset_s < pedal[span, 1])
    found: npt.NDArray[np.float64] = np.where(inside, pedal[span, 1], rendition.offset_s)
    return found


class Renditions:
    """Both tasks of rendition number n, the same for the same n; the latest are kept.

    Args:
        corpora: Lists of scores and how often each list is drawn from.
        keep: How many are kept.
    """

    def __init__(self, corpora: Sequence[tuple[Sequence[Score], float]], seed: int, keep: int = 600) -> None:
        self._corpora = [(scores, share) for scores, share in corpora if len(scores)]
        self._chances = []
        for scores, _ in self._corpora:
            sizes = np.minimum([len(score.notes) for score in scores], 3000).astype(np.float64)
            self._chances.append(sizes / sizes.sum())
        shares = np.array([share for _, share in self._corpora])
        self._shares = shares / shares.sum()
        self._seed, self._keep = seed, keep
        self._kept: OrderedDict[int, tuple[Task, Task]] = OrderedDict()

    def tasks(self, number: int) -> tuple[Task, Task]:
        """Of the beat network and of the value network."""
        found = self._kept.get(number)
        if found is None:
            rng = np.random.default_rng((self._seed, number))
            which = int(rng.choice(len(self._corpora), p=self._shares))
            score = self._corpora[which][0][int(rng.choice(len(self._chances[which]), p=self._chances[which]))]
            excerpt = draw_excerpt(score, ONSETS, rng)
            rendition = play(excerpt, rng)
            found = beat_task(rendition, excerpt.score), value_task(rendition, excerpt.score, rng)
            self._kept[number] = found
            if len(self._kept) > self._keep:
                self._kept.popitem(last=False)
        return found


def training_corpora(folder: Path) -> list[tuple[list[Score], float]]:
    """What `corpus` built, as `Renditions` takes it."""
    return [([score for _, score in loaded(folder / f"{name}.npz")], share) for name, share in CORPORA]


def batch(tasks: Sequence[Task], rng: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
    """Random windows of at most `LONGEST` rows, padded: features, places, answers, there."""
    windows = []
    for task in tasks:
        start = int(rng.integers(max(len(task.features) - LONGEST, 0) + 1))
        windows.append(slice(start, start + LONGEST))
    length = max(len(task.features[window]) for task, window in zip(tasks, windows, strict=True))
    first = tasks[0]
    made: dict[str, npt.NDArray[Any]] = {
        "features": np.zeros((len(tasks), length, first.features.shape[1]), np.float32),
        "places": np.zeros((len(tasks), length, first.places.shape[1]), np.float32),
        "answers": np.full((len(tasks), length, first.answers.shape[1]), IGNORED, np.int64),
        "there": np.zeros((len(tasks), length), bool),
    }
    for row, (task, window) in enumerate(zip(tasks, windows, strict=True)):
        size = len(task.features[window])
        made["features"][row, :size] = task.features[window]
        made["places"][row, :size] = task.places[window] - task.places[window][:1] * (1, 0)[: task.places.shape[1]]
        made["answers"][row, :size] = task.answers[window]
        made["there"][row, :size] = True
    return made
