"""Notes of a score as tokens for the trunk, which tells how each of them is played.

A token is one note with all that is tied to it. It says what a player sees of it at a glance: pitch, written length,
how long until the hand plays again, where in the beat and how strong, which hand, where in its chord, whether it is on
top of all that sounds, how fast the music goes and whether it is about to end. Marks are not among it: what they ask
for is done by rules (`model_runtime.playback`), and the trunk tells what people do beside that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.vocabulary import BLOCKS, PAD_ID

FIELDS = (
    *("kind", "pitch", "length", "pause", "place", "strength"),
    *("hand", "rank", "size", "outline", "tempo", "ending"),
)
PLACES_A_QUARTER = 5.0  # units of places in a quarter note
GRID = 24  # places in a quarter note that are told apart
ALONE, RIGHT, LEFT = range(3)
SLOWEST_QPM, FASTEST_QPM = 30.0, 240.0
_HANDS, _RANKS, _SIZES, _OUTLINES, _STRENGTHS, _TEMPOS, _ENDINGS = 3, 4, 5, 5, 6, 13, 7
_STEPS_A_DOUBLING = 4.0  # of lengths and tempos
_SAME = 1e-3  # quarter notes between what starts together
_END_QUARTERS = (1.0, 2.0, 4.0, 8.0, 16.0)
_START_QUARTERS = 4.0
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WrittenNotes:
    """Notes as they stand in a score, repeats written out; all arrays of shape (n,), in any order.

    Attributes:
        onset, duration: Quarter notes.
        pitch: MIDI note numbers.
        hand: `RIGHT`, `LEFT`, or `ALONE` where one staff is all there is.
        in_measure: Quarter notes from the barline to the onset.
        measure: Quarter notes of the measure.
        beat: Quarter notes of its beat: 1, or 1.5 in six eighths.
        qpm: Quarter notes a minute.
    """

    onset: Floats
    duration: Floats
    pitch: Ints
    hand: Ints
    in_measure: Floats
    measure: Floats
    beat: Floats
    qpm: Floats


@dataclass(frozen=True)
class NoteTokens:
    """What the trunk is given, in order of onset and pitch.

    Attributes:
        ids: Shape (n, fields), a column for each of `FIELDS`.
        places: Fifths of a quarter note, shape (n,).
        order: Index of each token's note.
    """

    ids: Ints
    places: npt.NDArray[np.float32]
    order: Ints


def note_tokens(notes: WrittenNotes) -> NoteTokens:
    """The tokens of a part."""
    order = np.lexsort((notes.pitch, notes.onset)).astype(np.int64)
    onset, duration = notes.onset[order], notes.duration[order]
    pitch, hand = notes.pitch[order], notes.hand[order]
    rank, size = _chords(onset, pitch, hand)
    ids = np.full((len(order), len(FIELDS)), PAD_ID, np.int64)
    columns = {
        "kind": np.full(len(order), BLOCKS["note"].start),
        "pitch": BLOCKS["pitch"].start + np.clip(pitch, 0, 127),
        "length": _logarithmic("duration_coarse", duration),
        "pause": _logarithmic("duration_fine", _until_next(onset, hand)),
        "place": BLOCKS["onset_fine"].start + np.rint(notes.in_measure[order] * GRID).astype(np.int64) % GRID,
    }
    reserved = {
        "hand": (_HANDS, hand),
        "rank": (_RANKS, rank),
        "size": (_SIZES, np.minimum(size, _SIZES) - 1),
        "outline": (_OUTLINES, _outline(onset, duration, pitch)),
        "strength": (_STRENGTHS, _strength(notes, order)),
        "tempo": (_TEMPOS, _tempo(notes.qpm[order])),
        "ending": (_ENDINGS, _ending(onset, duration)),
    }
    start = BLOCKS["reserved"].start
    for name, (count, values) in reserved.items():
        columns[name] = start + np.clip(values, 0, count - 1)
        start += count
    for i, name in enumerate(FIELDS):
        ids[:, i] = columns[name]
    return NoteTokens(ids, (onset * PLACES_A_QUARTER).astype(np.float32), order)


def _logarithmic(block: str, quarters: Floats) -> Ints:
    steps = np.rint(_STEPS_A_DOUBLING * np.log2(np.maximum(quarters * GRID, 1.0))).astype(np.int64)
    return BLOCKS[block].start + np.minimum(steps, len(BLOCKS[block]) - 1)


def _starts(onset: Floats) -> Ints:
    """Number of the moment at which each note starts; `onset` is sorted."""
    return np.cumsum(np.diff(onset, prepend=onset[:1]) > _SAME).astype(np.int64)


def _chords(onset: Floats, pitch: Ints, hand: Ints) -> tuple[Ints, Ints]:
    """Place of each note in its hand's chord (alone, top, between, bottom), and how many notes that has."""
    _, chord, size = np.unique(_starts(onset) * 3 + hand, return_inverse=True, return_counts=True)
    top, bottom = np.full(len(size), -1), np.full(len(size), 128)
    np.maximum.at(top, chord, pitch)
    np.minimum.at(bottom, chord, pitch)
    rank = np.where(pitch == top[chord], 1, np.where(pitch == bottom[chord], 3, 2))
    return np.where(size[chord] == 1, 0, rank), size[chord]


def _until_next(onset: Floats, hand: Ints) -> Floats:
    """Quarter notes until the same hand plays again; a whole note at the end."""
    pause = np.full(len(onset), 4.0)
    for one in np.unique(hand):
        own = np.flatnonzero(hand == one)
        moments = np.unique(np.round(onset[own] / _SAME)) * _SAME
        following = np.searchsorted(moments, onset[own] + 2 * _SAME)
        later = following < len(moments)
        pause[own[later]] = moments[following[later]] - onset[own[later]]
    return pause


def _outline(onset: Floats, duration: Floats, pitch: Ints) -> Ints:
    """0: on top of all that sounds, 1: on top of what starts, 2: in between, 3: lowest of what starts, 4: of all."""
    result = np.full(len(onset), 2, np.int64)
    ends = onset + duration
    moment = _starts(onset)
    first = np.searchsorted(moment, np.arange(moment[-1] + 2)) if len(moment) else np.zeros(1, np.int64)
    held = np.zeros(0, np.int64)
    for start, stop in pairwise(first):
        held = held[ends[held] > onset[start] + _SAME]
        over = pitch[held].max(initial=-1)
        under = pitch[held].min(initial=128)
        result[start] = 4 if pitch[start] < under else 3 if stop - start > 1 else 1
        if pitch[stop - 1] > over:
            result[stop - 1] = 0
        elif stop - start > 1:
            result[stop - 1] = 1
        held = np.concatenate([held, np.arange(start, stop)])
    return result


def _strength(notes: WrittenNotes, order: Ints) -> Ints:
    """0: barline, 1: the middle of an even measure, 2: beat, 3, 4: halves and quarters of it, 5: between."""
    at, measure, beat = (column[order] for column in (notes.in_measure, notes.measure, notes.beat))
    strength = np.full(len(at), 5, np.int64)
    beats = np.rint(measure / beat)
    steps = np.where(beat > 1.25, beat / 3, beat / 2)  # eighths, in simple and in compound metres
    for value, unit in ((4, steps / 2), (3, steps), (2, beat), (1, measure / 2), (0, measure)):
        on = np.abs(at / unit - np.rint(at / unit)) * unit < 0.02
        strength[on & ((value != 1) | (beats % 2 == 0))] = value
    return strength


def _tempo(qpm: Floats) -> Ints:
    return np.rint(_STEPS_A_DOUBLING * np.log2(np.clip(qpm, SLOWEST_QPM, FASTEST_QPM) / SLOWEST_QPM)).astype(np.int64)


def _ending(onset: Floats, duration: Floats) -> Ints:
    """0 to 4: so near the end, 5: far from it, 6: the first notes of all."""
    end = float((onset + duration).max(initial=0.0))
    values = np.searchsorted(_END_QUARTERS, end - onset - _SAME).astype(np.int64)
    return np.where((onset < onset[:1] + _START_QUARTERS) & (values == len(_END_QUARTERS)), 6, values)
