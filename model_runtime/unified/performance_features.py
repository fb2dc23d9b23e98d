"""What the performance reader's two networks are told, the same in training and at run time.

The beat network sees chords: notes that are struck together, with the times around them. The value network sees notes
that have a place in the score, and says how long they are written and on which staff.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from model_runtime.notation.onsets import CHORD_GAP_S, CHORD_SPAN_S

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

TICKS = 24
"""Ticks in a quarter note, as in `notation.rhythm_prior`."""

SIMPLE_PHASES = (0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 20, 21)
"""Ticks after the beat that a chord may have in simple time."""

COMPOUND_PHASES = tuple(range(0, 36, 3))
"""The same in compound time, where a beat has 36."""

ORNAMENT = len(SIMPLE_PHASES) + len(COMPOUND_PHASES)
"""Class of a chord that has no place of its own: grace notes, later notes of a spread chord or a trill, slips."""

PHASES = ORNAMENT + 1
BARS = ((2, False), (3, False), (4, False), (1, True), (2, True), (3, True), (4, True))
"""Beats in a measure, and whether they are dotted."""

BAR_STARTS = tuple(int(n) for n in np.cumsum([0, *(beats for beats, _ in BARS)]))
"""Class of the first beat of each of `BARS`; the others follow it."""

BAR_PLACES = BAR_STARTS[-1]
PERIODS = 40
"""Classes of the length of a beat."""

SHORTEST_PERIOD_S, PERIOD_OCTAVE = 0.15, 10.0
"""Length of the first class's beat, and classes to an octave."""

VALUES = tuple(
    Fraction(*pair)
    for pair in (
        *((1, 12), (1, 8), (1, 6), (3, 16), (1, 5), (1, 4), (1, 3), (3, 8), (1, 2), (2, 3), (3, 4), (1, 1)),
        *((5, 4), (4, 3), (3, 2), (7, 4), (2, 1), (5, 2), (3, 1), (7, 2), (4, 1), (9, 2), (5, 1), (6, 1), (8, 1)),
    )
)
"""Written lengths that the value network knows, in quarter notes."""

LOWEST_KEY, KEYS = 21, 88
_BINS, _FIRST, _STEP = 17, -6.0, 0.5
_FINE_BINS, _FINE_STEP = 65, 0.125
_LAGS = (1, 2, 3, 4, 6)
_SPANS = (2, 4, 8)  # chords before and after over which harmony is compared
BEAT_FEATURES = 2 * KEYS + 2 * len(_LAGS) + 4 * _BINS + 13 + 2 * _FINE_BINS + 2 * len(_SPANS)
_PLACES = 24
VALUE_FEATURES = KEYS + 2 * _PLACES + 6 * _BINS + 24


@dataclass(frozen=True)
class Played:
    """Notes as played, in order of onsets; arrays over notes, `pedal` has the spans in which it is down.

    Attributes:
        onset_s, offset_s: In seconds.
        pitch, velocity: MIDI.
        pedal: Shape (m, 2), sorted; empty where nothing is known of it.
    """

    onset_s: Floats
    offset_s: Floats
    pitch: Ints
    velocity: Ints
    pedal: Floats


@dataclass(frozen=True)
class Placed:
    """Notes with a place in the score; arrays over notes in order of place and pitch.

    Attributes:
        quarter: Onset in quarter notes.
        held, sounding: How long keys and pedal hold it, in quarter notes of the tempo there.
        pitch, velocity: MIDI.
        measure_start, measure_length: Of the measure that it is in, in quarter notes.
        compound: Whether beats are dotted.
    """

    quarter: Floats
    held: Floats
    sounding: Floats
    pitch: Ints
    velocity: Ints
    measure_start: Floats
    measure_length: Floats
    compound: npt.NDArray[np.bool_]


def chord_of_note(onset_s: Floats, pitch: Ints) -> Ints:
    """Number of the chord that each note belongs to, shape (n,); as `notation.onsets.gather_chords` has it."""
    number = np.zeros(len(onset_s), np.int64)
    chord, first, last = -1, -1.0, -1.0
    keys: set[int] = set()
    for index, (onset, key) in enumerate(zip(onset_s.tolist(), pitch.tolist(), strict=True)):
        if chord < 0 or onset - last > CHORD_GAP_S or onset - first > CHORD_SPAN_S or key in keys:
            chord, first, keys = chord + 1, onset, set()
        last = onset
        keys.add(key)
        number[index] = chord
    return number


def beat_features(played: Played, chord: Ints) -> tuple[Features, Floats]:
    """What the beat network is told: features (T, BEAT_FEATURES), times in seconds (T,), a row a chord.

    Args:
        chord: See `chord_of_note`.
    """
    count = int(chord[-1]) + 1
    sizes = np.bincount(chord, minlength=count).astype(np.float64)
    times = np.bincount(chord, played.onset_s, count) / sizes
    held = np.maximum(played.offset_s - played.onset_s, 0.01)
    key = np.clip(played.pitch - LOWEST_KEY, 0, KEYS - 1)
    rolls = np.zeros((2, count, KEYS), np.float32)
    rolls[0, chord, key] = 1.0
    rolls[1, chord, key] = np.log2(held / 0.3) / 2
    longest = np.zeros(count)
    np.maximum.at(longest, chord, held)
    loudness = np.bincount(chord, played.velocity, count) / sizes
    loudest, lowest, highest = np.zeros(count), np.full(count, 127.0), np.zeros(count)
    np.maximum.at(loudest, chord, played.velocity)
    np.minimum.at(lowest, chord, played.pitch)
    np.maximum.at(highest, chord, played.pitch)
    gaps = [_log(_ahead(times, lag)) for lag in _LAGS] + [_log(_ahead(-times[::-1], lag)[::-1]) for lag in _LAGS]
    down, since = _pedalled(times, played.pedal)
    plain = np.stack(
        [
            np.minimum(sizes, 8) / 4,
            sizes == 1,
            (loudness - 64) / 32,
            (loudest - 64) / 32,
            (lowest - 50) / 16,
            (highest - 66) / 16,
            _log(longest),
            _drop(lowest),
            _drop(-highest),
            np.clip(_log(longest) - gaps[0], -3, 3),
            down,
            since,
            np.full(count, float(len(played.pedal) > 0)),
        ],
        axis=1,
    )
    bins = [_soft_bins(2 * gap) for gap in (gaps[0], gaps[1], gaps[len(_LAGS)])] + [_soft_bins(2 * _log(longest))]
    fine = [_soft_bins(2 * gap, _FINE_BINS, _FINE_STEP) for gap in (gaps[0], gaps[len(_LAGS)])]
    harmony = _harmony(rolls[0])
    features = np.concatenate([rolls[0], rolls[1], np.stack(gaps, 1), *bins, plain, *fine, harmony], axis=1)
    return features.astype(np.float32), times


def _harmony(struck: Features) -> Features:
    """How new the pitch classes around each chord are, over several spans: unlikeness and share unheard, (T, 6)."""
    count = len(struck)
    classes = np.stack([struck[:, (key - LOWEST_KEY) % 12 :: 12].sum(axis=1) for key in range(12)], axis=1)
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(classes, axis=0)])
    index = np.arange(count)
    found = []
    for span in _SPANS:
        before = total[index] - total[np.maximum(index - span, 0)]
        after = total[np.minimum(index + span, count)] - total[index]
        lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        found.append(1.0 - (before * after).sum(axis=1) / np.maximum(lengths, 1e-6))
        soon = total[np.minimum(index + 2, count)] - total[index]
        found.append(((soon > 0) & (before == 0)).sum(axis=1) / 4)
    return np.stack(found, axis=1).astype(np.float32)


def _ahead(times: Floats, lag: int) -> Floats:
    """Seconds to the chord `lag` later; 8 s where there is none."""
    gap = np.full(len(times), 8.0)
    if len(times) > lag:
        gap[:-lag] = times[lag:] - times[:-lag]
    return gap


def _log(seconds: Floats) -> Floats:
    found: Floats = np.log2(np.clip(seconds, 0.012, 8.0)) / 2
    return found


def _drop(pitch: Floats) -> Floats:
    """How far a chord's note lies below those around it, in octaves."""
    around = np.concatenate([pitch[:1], pitch, pitch[-1:]])
    found: Floats = np.clip((np.minimum(around[:-2], around[2:]) - pitch) / 12, -2, 2)
    return found


def _soft_bins(logarithm: Floats, bins: int = _BINS, step: float = _STEP) -> Features:
    """Each number shared between the two nearest of a row of bins, shape (n, bins)."""
    place = np.clip((logarithm - _FIRST) / step, 0.0, bins - 1.0)
    found: Features = np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(bins))).astype(np.float32)
    return found


def _pedalled(times: Floats, pedal: Floats) -> tuple[Floats, Floats]:
    """Whether the pedal is down soon after each time, and the logarithm of seconds since it last went down."""
    if not len(pedal):
        return np.zeros(len(times)), np.ones(len(times))
    span = np.searchsorted(pedal[:, 0], times + 0.15, side="right") - 1
    inside = (span >= 0) & (times + 0.15 < pedal[np.clip(span, 0, None), 1])
    since = np.where(span >= 0, times + 0.15 - pedal[np.clip(span, 0, None), 0], 8.0)
    return inside.astype(np.float64), _log(since)


def value_features(placed: Placed) -> tuple[Features, Features]:
    """What the value network is told: features (T, VALUE_FEATURES), and where notes lie (quarter, pitch), (T, 2)."""
    count = len(placed.quarter)
    _, chord = np.unique(placed.quarter, return_inverse=True)
    starts = np.flatnonzero(np.diff(placed.quarter, prepend=-1e9) > 0)
    onsets = placed.quarter[starts]
    after = np.append(onsets[1:], onsets[-1] + 8)[chord] - placed.quarter
    before = placed.quarter - np.append(onsets[0] - 8, onsets[:-1])[chord]
    sizes = np.diff(np.append(starts, count))
    rank = np.arange(count) - np.repeat(starts, sizes)
    from_top = np.repeat(sizes, sizes) - 1 - rank
    within = np.clip((placed.quarter - placed.measure_start) / placed.measure_length, 0.0, 0.999)
    beat = np.where(placed.compound, 1.5, 1.0)
    phase = ((placed.quarter - placed.measure_start) / beat) % 1.0
    again = _until_same_pitch(placed.quarter, placed.pitch)
    one_hots = [
        _one_hot(np.clip(placed.pitch - LOWEST_KEY, 0, KEYS - 1), KEYS),
        _one_hot((within * _PLACES).astype(np.int64), _PLACES),
        _one_hot(np.rint(phase * _PLACES).astype(np.int64) % _PLACES, _PLACES),
    ]
    lengths = [
        _soft_bins(np.log2(np.clip(quarters, 0.01, 32.0)))
        for quarters in (placed.held, placed.sounding, after, before, again, placed.measure_length)
    ]
    ratio = np.clip(np.log2(np.clip(placed.held, 0.01, 32.0) / after), -4, 4) / 2
    plain = np.stack(
        [
            (placed.velocity - 64) / 32,
            ratio,
            np.clip(np.log2(np.clip(placed.sounding, 0.01, 32.0) / after), -4, 4) / 2,
            placed.compound,
            placed.sounding > placed.held + 1e-6,
            np.log2(np.clip(placed.held, 0.01, 32.0)),
        ],
        axis=1,
    )
    ranks = [_one_hot(np.minimum(r, 5), 6) for r in (np.repeat(sizes, sizes) - 1, rank, from_top)]
    features = np.concatenate([*one_hots, *lengths, *ranks, plain], axis=1).astype(np.float32)
    return features, np.stack([placed.quarter, placed.pitch], axis=1).astype(np.float32)


def _one_hot(classes: Ints, count: int) -> Features:
    found: Features = np.eye(count, dtype=np.float32)[classes]
    return found


def _until_same_pitch(quarter: Floats, pitch: Ints) -> Floats:
    """Quarter notes until the pitch is struck again, 32 where it is not."""
    order = np.lexsort((quarter, pitch))
    gap = np.full(len(quarter), 32.0)
    same = pitch[order][1:] == pitch[order][:-1]
    gap[order[:-1]] = np.where(same, quarter[order][1:] - quarter[order][:-1], 32.0)
    return gap
