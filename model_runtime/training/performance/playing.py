"""An excerpt of a score → a performance of it, as different as players are, and what each note is in the score.

Tempo moves in waves of measures, with a pattern of its own within the measure, slackens at the ends of phrases, changes
with sections, waits at fermatas. Hands come apart, melodies lead, chords are spread; fingers are legato, detached, or
lazy over a pedal. Notes are missed, doubled, added. An eighth of the excerpts is exact, as from a sequencer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.training.performance.scores import (
    ACCENT,
    ARPEGGIO,
    DENOMINATOR,
    DURATION,
    FERMATA,
    GRACE,
    LEAD,
    LENGTH,
    MORDENT,
    NUMERATOR,
    ONSET,
    STACCATO,
    STAFF,
    START,
    TENUTO,
    TRILL,
    Ints,
    Score,
)

Floats = npt.NDArray[np.float64]
PLAIN, EXTRA = 0, 1
EXACT_SHARE = 0.12
PEDALLED_SHARE = 0.65
SOUNDING_SHARE = 0.15
SHORTER_SHARE = {True: 0.5, False: 0.06}
"""How often music in two and in three is written in half its note values."""

_SHORTER = {(4, 4): (2, 4), (2, 2): (2, 4), (2, 4): (2, 4), (3, 2): (3, 4), (3, 4): (3, 8)}
_DENSE = 4.5  # onsets in a quarter note from which music is in short values already
_USUAL_QPM, _USUAL_RATE = 84.0, 5.0  # quarter notes a minute; onsets a second
_STEP = TICKS_PER_QUARTER // 4  # of the tempo curve


@dataclass(frozen=True)
class Excerpt:
    """Part of a score that is played.

    Attributes:
        notes: As `Score.notes`.
        score: Where it is from.
    """

    notes: Ints
    score: Score


@dataclass(frozen=True)
class Rendition:
    """A performance with its answers; arrays over played notes in order of time.

    Attributes:
        onset_s, offset_s: In seconds; keys', or sound's where `pedal_known` is False.
        pitch, velocity: MIDI.
        kind: PLAIN, or EXTRA where the note is not in the score as it is (grace, ornament, wrong).
        tick, length: Written onset and duration; of the note that it belongs to where EXTRA.
        staff: Written staff.
        pedal: When the pedal is down in seconds, shape (m, 2).
        pedal_known: Whether a reader is told of the pedal.
        curve: Ticks and seconds of the tempo, two arrays.
    """

    onset_s: Floats
    offset_s: Floats
    pitch: Ints
    velocity: Ints
    kind: Ints
    tick: Ints
    length: Ints
    staff: Ints
    pedal: Floats
    pedal_known: bool
    curve: tuple[Floats, Floats]

    def seconds(self, ticks: npt.ArrayLike) -> Floats:
        """When score positions are played, shape as given."""
        wanted = np.asarray(ticks, np.float64)
        known, times = self.curve
        found: Floats = np.interp(wanted, known, times)
        return found


def in_shorter_values(score: Score) -> Score | None:
    """The same music written in half the note values, None where its metre has no such sister.

    Songs are written in longer values than sonatas: the same sound is four eighths in one and four sixteenths in the
    other. 4/4 and 2/2 become 2/4, two measures of 2/4 one, 3/2 becomes 3/4, a measure of 3/4 one of 3/8.
    """
    meters = {(int(n), int(d)) for n, d in score.measures[:, [NUMERATOR, DENOMINATOR]]}
    if len(meters) != 1:
        return None
    meter = next(iter(meters))
    if meter not in _SHORTER:
        return None
    notes, measures, tempos = score.notes.copy(), score.measures.copy(), score.tempos.copy()
    notes[:, [ONSET, DURATION]] //= 2
    measures[:, [START, LENGTH, LEAD]] //= 2
    tempos //= 2
    measures[:, [NUMERATOR, DENOMINATOR]] = _SHORTER[meter]
    if meter == (2, 4):
        measures[:, LEAD] += np.where(np.arange(len(measures)) % 2 == 1, TICKS_PER_QUARTER, 0).astype(np.int32)
        if measures[0, LEAD]:
            measures[0, LEAD] += TICKS_PER_QUARTER
            measures[1:, LEAD] = (measures[1:, LEAD] + TICKS_PER_QUARTER) % (2 * TICKS_PER_QUARTER)
    return Score(notes, measures, tempos)


def draw_excerpt(score: Score, onsets: int, rng: np.random.Generator) -> Excerpt:
    """About so many onsets in a row, of all parts or of some, at times in half the note values."""
    if rng.random() < SHORTER_SHARE[int(score.measures[0, NUMERATOR]) % 3 != 0]:
        quarters = max(int(score.notes[-1, ONSET]) / TICKS_PER_QUARTER, 1.0)
        if len(np.unique(score.notes[:, ONSET])) / quarters < _DENSE:
            score = in_shorter_values(score) or score
    notes = score.notes
    drawn = rng.random()
    keyboard = notes[:, STAFF] > 0
    if keyboard.any() and not keyboard.all() and drawn < 0.7:
        notes = notes[keyboard]
    elif keyboard.any() and drawn > 0.95:
        notes = notes[notes[:, STAFF] == int(rng.integers(1, 3))]
    if len(notes) < 24:
        notes = score.notes
    places, first = np.unique(notes[:, ONSET], return_index=True)
    if len(places) > onsets:
        starts = np.concatenate([[places[0]], score.measures[:, START]])
        usable = starts[starts <= places[len(places) - onsets]]
        start = int(rng.choice(usable)) if len(usable) and rng.random() < 0.9 else int(rng.choice(places[:-onsets]))
        at = int(np.searchsorted(places, start))
        end = first[at + onsets] if at + onsets < len(places) else len(notes)
        notes = notes[first[at] : end]
    return Excerpt(notes, score)


def play(excerpt: Excerpt, rng: np.random.Generator) -> Rendition:
    """A random performance."""
    human = 0.0 if rng.random() < EXACT_SHARE else float(rng.uniform(0.25, 1.3))
    notes = _unfolded(excerpt.notes, human, rng)
    curve = _tempo_curve(excerpt, notes, human, rng)
    onset = np.interp(notes.tick, *curve)
    end = np.interp(notes.tick + np.maximum(notes.length, 1), *curve)
    onset = onset + notes.delay_s + _deviations(notes, human, rng)
    pedalled = rng.random() < PEDALLED_SHARE
    pedal = _pedal(notes, excerpt, curve, rng) if pedalled else np.zeros((0, 2))
    offset = onset + _held(notes, onset, np.maximum(end - onset, 0.03), human, pedalled, rng)
    offset = np.where(notes.short_s > 0, onset + notes.short_s, offset)
    sounding = pedalled and rng.random() < SOUNDING_SHARE
    if sounding:
        offset = _sustained(offset, pedal)
    velocity = _velocities(notes, excerpt, human, rng)
    shift = float(rng.uniform(0.0, 3.0)) - float(onset.min())
    order = np.lexsort((notes.pitch, onset))
    onset, offset = onset[order], offset[order]
    offset = np.maximum(_before_same_pitch(onset, offset, notes.pitch[order]), onset + 0.02)
    return Rendition(
        onset + shift,
        offset + shift,
        notes.pitch[order],
        velocity[order],
        notes.kind[order],
        notes.tick[order],
        notes.length[order],
        notes.staff[order],
        pedal + shift,
        not sounding,
        (curve[0], curve[1] + shift),
    )


@dataclass
class _Sounding:
    """Notes as they are struck, grace notes and ornaments one by one; arrays over notes."""

    tick: Ints
    length: Ints
    pitch: Ints
    staff: Ints
    part: Ints
    flags: Ints
    kind: Ints
    delay_s: Floats
    short_s: Floats


def _unfolded(written: Ints, human: float, rng: np.random.Generator) -> _Sounding:
    rows: list[tuple[int, int, int, int, int, int, int, float, float]] = []
    grace_s = float(rng.uniform(0.05, 0.13))
    on_beat = rng.random() < 0.3
    ornamented = rng.random() < 0.7
    graces: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    missed = 0.0 if not human else float(rng.choice([0.0, 0.01, 0.03]))
    added = 0.0 if not human else float(rng.choice([0.0, 0.005, 0.02]))
    for onset, length, pitch, staff, part, flags in written.tolist():
        if flags & GRACE:
            graces.setdefault((onset, staff), []).append((onset, pitch, staff, part, flags))
            continue
        if missed and rng.random() < missed:
            continue
        own = flags & (TRILL | MORDENT)
        if own and ornamented:
            rows += _ornament(onset, length, pitch, staff, part, flags, rng)
        else:
            rows.append((onset, length, pitch, staff, part, flags, PLAIN, 0.0, 0.0))
        if added and rng.random() < added:
            step = int(rng.choice([-2, -1, 1, 2, 12, -12]))
            late = float(rng.normal(0.0, 0.05))
            rows.append((onset, length, pitch + step, staff, part, 0, EXTRA, late, float(rng.uniform(0.03, 0.15))))
    for group in graces.values():
        for index, (onset, pitch, staff, part, flags) in enumerate(group):
            late = grace_s * (index if on_beat else index - len(group))
            rows.append((onset, 0, pitch, staff, part, flags, EXTRA, late, grace_s * float(rng.uniform(0.7, 1.5))))
    table = np.array(rows, np.float64).reshape(-1, 9)
    shift = int(rng.integers(-6, 7))
    whole = table[:, :7].astype(np.int32)
    pitch = whole[:, 2] + shift
    pitch = np.where(pitch < 21, pitch + 12, np.where(pitch > 108, pitch - 12, pitch)).astype(np.int32)
    return _Sounding(
        whole[:, 0], whole[:, 1], pitch, whole[:, 3], whole[:, 4], whole[:, 5], whole[:, 6], table[:, 7], table[:, 8]
    )


def _ornament(
    onset: int, length: int, pitch: int, staff: int, part: int, flags: int, rng: np.random.Generator
) -> list[tuple[int, int, int, int, int, int, int, float, float]]:
    step_s = float(rng.uniform(0.055, 0.11))
    neighbour = pitch + int(rng.integers(1, 3))
    if flags & MORDENT and not flags & TRILL:
        lower = pitch - int(rng.integers(1, 3)) if rng.random() < 0.5 else neighbour
        return [
            (onset, length, pitch, staff, part, flags, PLAIN, 0.0, step_s),
            (onset, length, lower, staff, part, 0, EXTRA, step_s, step_s),
            (onset, length, pitch, staff, part, 0, EXTRA, 2 * step_s, 0.0),
        ]
    count = max(3, round(0.5 * length / TICKS_PER_QUARTER / step_s * float(rng.uniform(0.5, 1.0))))
    turns = [neighbour, pitch] if rng.random() < 0.5 else [pitch, neighbour]
    return [
        (onset, length, turns[i % 2], staff, part, flags, EXTRA if i else PLAIN, i * step_s, step_s)
        for i in range(min(count, 40))
    ]


def _tempo_curve(excerpt: Excerpt, notes: _Sounding, human: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Ticks and seconds, a point every sixteenth."""
    first, last = int(notes.tick.min()), int((notes.tick + notes.length).max())
    ticks = np.arange(first - 8 * TICKS_PER_QUARTER, last + 8 * TICKS_PER_QUARTER, _STEP, dtype=np.int64)
    stretch = np.zeros(len(ticks))
    if human:
        stretch += human * _waves(ticks, excerpt.score.measures, rng)
        stretch += _slackenings(ticks, excerpt.score.measures, human, rng)
        stretch += _sections(ticks, excerpt.score.measures, rng)
        walk = _correlated(len(ticks), 0.9, float(rng.uniform(0.0, 0.05)) * human, rng)
        stretch += walk + rng.normal(0.0, float(rng.uniform(0.0, 0.05)) * human, len(ticks))
        for tick in np.unique(notes.tick[(notes.flags & FERMATA) > 0]):
            at = int(np.searchsorted(ticks, tick))
            stretch[at : at + int(rng.integers(2, 5))] += float(rng.uniform(0.2, 1.2))
    quarter_s = 60.0 / _quarters_per_minute(excerpt, notes, rng)
    seconds = np.concatenate([[0.0], np.cumsum(quarter_s * _STEP / TICKS_PER_QUARTER * np.exp(stretch))[:-1]])
    return ticks.astype(np.float64), seconds


def _quarters_per_minute(excerpt: Excerpt, notes: _Sounding, rng: np.random.Generator) -> float:
    """Near the printed tempo, or one at which there are as many onsets a second as players can and like to play."""
    first = int(notes.tick.min())
    onsets = len(np.unique(notes.tick))
    quarters = max((int(notes.tick.max()) - first) / TICKS_PER_QUARTER, 1.0)
    density = max(onsets / quarters, 0.2)
    tempos = excerpt.score.tempos
    before = tempos[tempos[:, 0] <= first] if len(tempos) else tempos
    printed = before[-1, 1] / 100 if len(before) else 0.0
    if 30 <= printed <= 230 and rng.random() < 0.55:
        wanted = float(np.log(printed) + rng.normal(0.0, 0.16))
    else:
        by_rate = np.log(60.0 * _USUAL_RATE / density) + rng.normal(0.0, 0.35)
        by_beat = np.log(_USUAL_QPM) + rng.normal(0.0, 0.42)
        wanted = float(0.5 * (by_rate + by_beat) + rng.normal(0.0, 0.15))
    return float(np.clip(np.exp(wanted), 26.0, min(260.0, 60.0 * 15.0 / density)))


def _waves(ticks: npt.NDArray[np.int64], measures: Ints, rng: np.random.Generator) -> Floats:
    """Waves of a few measures, and a pattern that comes back in each measure."""
    usual = float(np.median(measures[:, LENGTH]))
    place = np.searchsorted(measures[:, START], ticks, side="right") - 1
    within = (ticks - measures[np.clip(place, 0, None), START]) / usual
    total = np.zeros(len(ticks))
    for bars in (1.0, 2.0, 4.0, 8.0):
        period = usual * bars * float(rng.uniform(0.8, 1.25))
        size = float(rng.uniform(0.0, 0.09))
        total += size * np.sin(2 * np.pi * (ticks / period + rng.random()))
    pattern = rng.normal(0.0, float(rng.choice([0.0, 0.02, 0.05])), 9)
    found: Floats = total + np.interp(np.clip(within, 0.0, 1.0), np.linspace(0, 1, 9), pattern)
    return found


def _slackenings(ticks: npt.NDArray[np.int64], measures: Ints, human: float, rng: np.random.Generator) -> Floats:
    """Ritardandi into barlines, some of them with a breath."""
    total = np.zeros(len(ticks))
    bars = int(rng.choice([2, 4, 4, 8]))
    for barline in measures[int(rng.integers(bars)) :: bars, START].tolist():
        if rng.random() < 0.5:
            span = float(rng.uniform(0.5, 3.0)) * TICKS_PER_QUARTER
            rise = np.clip((ticks - (barline - span)) / span, 0.0, 1.0) * (ticks < barline)
            total += abs(rng.normal(0.0, 0.25)) * human * rise**1.5
        if rng.random() < 0.08:
            at = int(np.searchsorted(ticks, barline)) - 1
            if 0 <= at < len(total):
                total[at] += float(rng.uniform(0.3, 1.3)) * human
    return total


def _sections(ticks: npt.NDArray[np.int64], measures: Ints, rng: np.random.Generator) -> Floats:
    total = np.zeros(len(ticks))
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(1, 3))):
            start = int(rng.choice(measures[:, START]))
            total += rng.normal(0.0, 0.2) * (ticks >= start)
    return total


def _correlated(count: int, keep: float, sigma: float, rng: np.random.Generator) -> Floats:
    """Noise whose next value keeps a share of the one before."""
    from scipy.signal import lfilter

    found: Floats = lfilter([1.0], [1.0, -keep], rng.normal(0.0, sigma, count))
    return found


def _deviations(notes: _Sounding, human: float, rng: np.random.Generator) -> Floats:
    """Seconds by which each note comes late."""
    count = len(notes.tick)
    if not human:
        return np.zeros(count)
    late = rng.normal(0.0, float(rng.uniform(0.002, 0.012)) * human, count)
    ticks, index = np.unique(notes.tick, return_inverse=True)
    late += rng.normal(0.0, float(rng.uniform(0.004, 0.018)) * human, len(ticks))[index]
    left = notes.staff == 2
    late -= np.where(left, float(rng.normal(0.004, 0.012)) * human, 0.0)
    top, _ = _outer(notes, index)
    late -= np.where(top, abs(float(rng.normal(0.0, 0.014))) * human, 0.0)
    if rng.random() < 0.25:  # the left hand before the right, in the old manner
        early = rng.random(len(ticks)) < rng.uniform(0.05, 0.5)
        late -= np.where(left & early[index], abs(rng.normal(0.0, 0.04, len(ticks)))[index] * human, 0.0)
    spread = rng.random(len(ticks)) < float(rng.choice([0.0, 0.02, 0.1]))
    rolled = spread[index] & (notes.kind == PLAIN) | ((notes.flags & ARPEGGIO) > 0)
    if rolled.any():
        step = float(rng.uniform(0.012, 0.06))
        order = np.lexsort((notes.pitch, notes.tick))
        rank = np.zeros(count)
        begins = np.flatnonzero(np.diff(notes.tick[order], prepend=-1) != 0)
        sizes = np.diff(np.append(begins, count))
        rank[order] = np.arange(count) - np.repeat(begins, sizes)
        before = rng.random() < 0.4
        late += np.where(rolled, step * (rank - (np.repeat(sizes, sizes)[np.argsort(order)] - 1 if before else 0)), 0.0)
    return late


def _outer(notes: _Sounding, index: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which notes are the highest and which the lowest of their chord."""
    highest = np.full(int(index.max()) + 1, -1)
    lowest = np.full(int(index.max()) + 1, 999)
    np.maximum.at(highest, index, notes.pitch)
    np.minimum.at(lowest, index, notes.pitch)
    return notes.pitch == highest[index], notes.pitch == lowest[index]


def _held(
    notes: _Sounding, onset: Floats, written_s: Floats, human: float, pedalled: bool, rng: np.random.Generator
) -> Floats:
    """Seconds for which keys are held."""
    count = len(onset)
    if not human:
        found: Floats = written_s * float(rng.choice([1.0, 0.98, 0.95, 0.9, 0.5]))
        return found
    held = written_s.copy()
    for hand in (notes.staff == 2, notes.staff != 2):
        held[hand] = _touched(written_s[hand], notes.tick[hand], pedalled, rng)
    held *= np.where((notes.flags & STACCATO) > 0, rng.uniform(0.25, 0.65, count), 1.0)
    held = np.where((notes.flags & TENUTO) > 0, np.maximum(held, 0.9 * written_s), held)
    return np.clip(held, 0.03, 12.0)


def _touched(written_s: Floats, ticks: Ints, pedalled: bool, rng: np.random.Generator) -> Floats:
    """One hand's touch, which changes at times."""
    count = len(written_s)
    span = max(int(rng.integers(40, 400)), 1)
    held = np.zeros(count)
    for start in range(0, count, span):
        part = slice(start, min(start + span, count))
        size = part.stop - part.start
        drawn = rng.random()
        if drawn < 0.4:  # legato
            own = written_s[part] + rng.normal(float(rng.uniform(-0.04, 0.05)), 0.03, size)
            own = np.minimum(own, written_s[part] * rng.lognormal(0.05, 0.15, size))
        elif drawn < 0.65 or not pedalled:  # more or less detached
            own = written_s[part] * rng.lognormal(np.log(rng.uniform(0.3, 0.95)), rng.uniform(0.08, 0.3), size)
        elif drawn < 0.85:  # lazy over the pedal: long notes are let go early
            limit = float(rng.uniform(0.15, 0.8))
            own = limit * np.tanh(written_s[part] / limit) * rng.lognormal(0.0, 0.3, size)
        else:  # fingers stay down over a figure
            own = written_s[part] * rng.lognormal(0.3, 0.45, size)
        held[part] = own
    return held


def _sustained(offset: Floats, pedal: Floats) -> Floats:
    """Where sound ends under the pedal."""
    if not len(pedal):
        return offset
    span = np.searchsorted(pedal[:, 0], offset, side="right") - 1
    inside = (span >= 0) & (offset < pedal[np.clip(span, 0, None), 1])
    found: Floats = np.where(inside, pedal[np.clip(span, 0, None), 1], offset)
    return found


def _before_same_pitch(onset: Floats, offset: Floats, pitch: Ints) -> Floats:
    """Ends before the same key is struck again; arrays in order of onsets."""
    order = np.lexsort((onset, pitch))
    ends = offset[order].copy()
    same = pitch[order][1:] == pitch[order][:-1]
    ends[:-1] = np.where(same, np.minimum(ends[:-1], onset[order][1:] - 0.005), ends[:-1])
    found = offset.copy()
    found[order] = ends
    return found


def _velocities(notes: _Sounding, excerpt: Excerpt, human: float, rng: np.random.Generator) -> Ints:
    count = len(notes.tick)
    if not human and rng.random() < 0.7:
        return np.full(count, int(rng.integers(50, 110)), np.int32)
    ticks, index = np.unique(notes.tick, return_inverse=True)
    velocity = float(rng.uniform(40, 90)) + _correlated(len(ticks), 0.95, float(rng.uniform(0.5, 4.0)), rng)[index]
    velocity += rng.normal(0.0, 6.0, count)
    top, bottom = _outer(notes, index)
    velocity += np.where(top, float(rng.uniform(0, 18)), 0.0) + np.where(bottom, float(rng.uniform(-5, 8)), 0.0)
    velocity += np.where((notes.flags & ACCENT) > 0, float(rng.uniform(5, 20)), 0.0)
    down = np.isin(notes.tick, excerpt.score.measures[:, START])
    velocity += np.where(down, float(rng.normal(2.0, 4.0)), 0.0)
    velocity -= np.where(notes.short_s > 0, float(rng.uniform(0, 15)), 0.0)
    return np.clip(np.rint(velocity), 8, 127).astype(np.int32)


def _pedal(notes: _Sounding, excerpt: Excerpt, curve: tuple[Floats, Floats], rng: np.random.Generator) -> Floats:
    """Spans of the pedal: changed with measures, with beats, or with the bass; now and then left out."""
    first, last = int(notes.tick.min()), int(notes.tick.max())
    drawn = rng.random()
    if drawn < 0.4:
        starts = excerpt.score.measures[:, START]
        changes = starts[(starts >= first) & (starts < last)]
        if rng.random() < 0.5:
            half = excerpt.score.measures[:, LENGTH] // 2
            changes = np.concatenate([changes, (starts + half)[(starts >= first) & (starts + half < last)]])
    elif drawn < 0.6:
        changes = np.arange(first, last, TICKS_PER_QUARTER, dtype=np.int32)
    else:
        ticks, index = np.unique(notes.tick, return_inverse=True)
        lowest = np.full(len(ticks), 999)
        np.minimum.at(lowest, index, notes.pitch)
        padded = np.concatenate([[999], lowest, [999]])
        changes = ticks[(lowest <= padded[:-2]) & (lowest < padded[2:])]
    changes = np.unique(changes)
    changes = changes[rng.random(len(changes)) > float(rng.choice([0.0, 0.1, 0.3]))]
    if len(changes) < 2:
        return np.zeros((0, 2))
    at = np.interp(changes, *curve)
    up = at[1:] + rng.normal(float(rng.uniform(-0.05, 0.08)), 0.04, len(at) - 1)
    down = at[:-1] + np.abs(rng.normal(float(rng.uniform(0.03, 0.2)), 0.05, len(at) - 1))
    kept = (up - down > 0.05) & (rng.random(len(up)) > float(rng.choice([0.0, 0.1, 0.4])))
    spans = np.stack([down, up], axis=1)[kept]
    if len(spans) > 1:
        spans[:-1, 1] = np.minimum(spans[:-1, 1], spans[1:, 0] - 0.01)
    found: Floats = spans[spans[:, 1] > spans[:, 0]]
    return found
