"""What the audio reader heard or may have heard, as tokens that the trunk judges one by one.

    finder = HeardNoteFinder()
    finder.feed(*session.heads(frames))         # as often as there are frames
    heard = finder.finish()
    ids, places = tokens_of(heard)
    notes = refined(heard, note_outputs_of(trunk, "audio", ids, places))

A note that is picked by a threshold is picked by its own peak alone. Here every peak that is at all likely becomes a
token, with what the heads say around it, and whoever sees all tokens of some seconds at once decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.tokens.notes import COMPOUND_FIELDS, NoteToken, compound
from model_runtime.tokens.vocabulary import BLOCKS, PROBABILITY_BINS, TICK_S
from model_runtime.unified.audio_front_end import KEYS, LOWEST_PITCH
from model_runtime.unified.audio_steps import LATE_STEPS, STEP_S, moment_s
from model_runtime.unified.heard_clues import CLUES, FRAME_LEVELS, NEIGHBOURS, RATIOS, SHARES, neighbours
from model_runtime.unified.note_outputs import KEPT, LATE, LENGTH, VELOCITY
from model_runtime.unified.note_picking import PickedNote, PickingSettings

Floats = npt.NDArray[np.float32]
Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_ONSET = 0.2
"""Of the onset head, for a peak to be a candidate. On clips that the reader was not trained on 0.2 finds 89 % of all
notes, and 69 % of what it finds is one; at 0.5 it is 79 % and 88 % (`training.refining` prints both)."""

PLACES_A_SECOND = 10.0
_CHUNK_STEPS = 1292  # 30 s
_REACH_STEPS = 860  # 20 s: how far before and after a candidate anything is looked for
_OFFSET = 0.15  # smallest peak of the offset head that says where a note ends
_OFFSET_SEEN = 0.08  # and that is a clue
_SOONEST_REPEAT_S = 1.5 * STEP_S
_FARTHEST_LENGTH = 4.0  # octaves by which a length is corrected
_SHORTEST_S = 0.03


@dataclass(frozen=True)
class HeardNotes:
    """n candidates in order of time.

    Attributes:
        onset_s, offset_s: Seconds, shape (n,).
        pitch: MIDI numbers.
        velocity: 1 to 127.
        probability: Of the onset head, 0 to 1.
        clues: Values of `CLUES`, shape (n, len(CLUES)).
    """

    onset_s: Reals
    offset_s: Reals
    pitch: Ints
    velocity: Ints
    probability: Floats
    clues: Ints

    def __len__(self) -> int:
        return len(self.pitch)


class HeardNoteFinder:
    """Candidates out of a stream of what the network says, in flat memory.

    Args:
        least_onset: See `LEAST_ONSET`.
        settings: What else counts as a note.
    """

    def __init__(self, least_onset: float = LEAST_ONSET, settings: PickingSettings | None = None) -> None:
        self._least = least_onset
        self._settings = settings or PickingSettings()
        none = np.zeros((0, KEYS), np.float32)
        self._early, self._late, self._pedal = [none], [np.zeros((0, KEYS, 4), np.float32)], [none[:, 0]]
        self._count = 0  # rows of the late heads that are kept
        self._to_come = LATE_STEPS  # steps of the late heads that are about what was before the sound
        self._start = 0  # step of the first row that is kept
        self._next = 0  # step from which on candidates were not looked for
        self._found: list[HeardNotes] = []

    def feed(self, heads: Floats, late: Floats, pedal: Floats) -> None:
        """The next steps, as `ReaderSession.heads` tells them: shapes (T, KEYS, 4) twice, and (T,)."""
        skipped = min(self._to_come, len(late))
        self._to_come -= skipped
        self._early.append(heads[:, :, 0].copy())
        self._late.append(late[skipped:])
        self._pedal.append(pedal)
        self._count += len(late) - skipped
        while self._start + self._count >= self._next + _CHUNK_STEPS + _REACH_STEPS + 2:
            self._look(self._next + _CHUNK_STEPS)

    def finish(self) -> HeardNotes:
        """All candidates; the sound is over."""
        self._late.append(np.zeros((1, KEYS, 4), np.float32))
        self._count += 1
        missing = max(self._count - sum(len(piece) for piece in self._early), 0)
        self._early.append(np.zeros((missing, KEYS), np.float32))
        self._pedal.append(np.zeros(missing, np.float32))
        self._look(self._start + self._count)
        return _joined(self._found)

    def _look(self, end: int) -> None:
        """Find what begins between the step looked at last and `end`."""
        early, late, pedal = (np.concatenate(pieces) for pieces in (self._early, self._late, self._pedal))
        count = self._count
        if count >= 3:
            heads = _Heads(early[:count], late, pedal[:count], self._least, self._settings)
            self._found.append(heads.candidates(self._next - self._start, end - self._start, self._start))
        self._next = end
        gone = max(end - _REACH_STEPS - 2 - self._start, 0)
        self._early, self._late, self._pedal = [early[gone:].copy()], [late[gone:].copy()], [pedal[gone:].copy()]
        self._count, self._start = count - gone, self._start + gone


def _joined(parts: Sequence[HeardNotes]) -> HeardNotes:
    if not parts:
        none = np.zeros(0, np.int64)
        clues = np.zeros((0, len(CLUES)), np.int64)
        return HeardNotes(np.zeros(0), np.zeros(0), none, none, np.zeros(0, np.float32), clues)
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in HeardNotes.__dataclass_fields__]
    order = np.lexsort((columns[2], columns[0]))
    heard = HeardNotes(*(column[order] for column in columns))
    likely = heard.probability >= PickingSettings().onset
    clues = neighbours(heard.onset_s, heard.offset_s, heard.pitch, likely)
    return replace(heard, clues=np.concatenate([heard.clues, clues], axis=1))


class _Heads:
    """Some seconds of what the network says, each array with a row for each of R steps and a column for each key."""

    def __init__(
        self, early: Floats, late: Floats, pedal: Floats, least_onset: float, settings: PickingSettings
    ) -> None:
        self.early, self.pedal = early, pedal
        self.onset, self.frame, self.offset, self.velocity = (late[:, :, i] for i in range(4))
        self.settings = settings
        self.candidate = _peaks(self.onset) & (self.onset >= least_onset)
        self.struck = self.candidate & (self.onset >= settings.onset)
        self.let_go = _peaks(self.offset) & (self.offset >= _OFFSET_SEEN)

    def candidates(self, first: int, last: int, start: int) -> HeardNotes:
        """Those of rows `first` to `last`; row 0 is step `start` of the sound."""
        rows, keys = np.nonzero(self.candidate[first:last])
        rows = rows + first
        place = rows + _between(self.onset, rows, keys)
        again = np.minimum(_following(self.struck)[rows + 1, keys], rows + _REACH_STEPS)  # the key struck once more
        ends = {level: self._end(level, rows, keys, place, again) for level in (self.settings.frame, *FRAME_LEVELS)}
        end = ends.pop(self.settings.frame) if self.settings.frame not in FRAME_LEVELS else ends[self.settings.frame]
        length = end - place
        clues = self._clues(rows, keys, place, length, [ends[level] for level in FRAME_LEVELS])
        clues |= self._related(rows, keys) | self._same_key(rows, keys, place, length)
        clues["pedal"] = _share(self.pedal[rows])
        clues["pedal at the end"] = _share(self.pedal[np.rint(end).astype(np.int64).clip(0, len(self.pedal) - 1)])
        columns = [clues[clue.name].clip(0, clue.count - 1) for clue in CLUES[: -len(NEIGHBOURS)]]
        onset_s = np.maximum(moment_s_of(place + start), 0.0)
        velocity = np.rint(127 * self.velocity[rows, keys]).clip(1, 127).astype(np.int64)
        return HeardNotes(
            *(onset_s, onset_s + length * STEP_S, keys + LOWEST_PITCH, velocity),
            *(self.onset[rows, keys].clip(0, 1), np.stack(columns, axis=1).astype(np.int64)),
        )

    def _end(self, level: float, rows: Ints, keys: Ints, place: Reals, again: Ints) -> Reals:
        """Where the frame head falls below a level, or rather where the offset head says shortly before."""
        low = self.frame < level
        low[1:] &= low[:-1]  # for two steps
        faded = _following(low)[np.minimum(rows + 2, len(low) - 1), keys]
        found = faded < again
        peak = _latest(self.let_go & (self.offset >= _OFFSET))[np.minimum(faded, again), keys]
        told = (peak > np.maximum(faded - 6, rows + 1)) & found
        known = peak + _between(self.offset, peak.clip(1, len(low) - 2), keys)
        end = np.where(told, known, np.where(found, faded - 1.5, again))
        return np.asarray(np.maximum(end, place + 1.0), np.float64)

    def _clues(
        self, rows: Ints, keys: Ints, place: Reals, length: Reals, ends: Sequence[Reals]
    ) -> dict[str, npt.NDArray[Any]]:
        near = _window(rows, -1, 2, len(self.early))
        early = self.early[near, keys[:, None]].max(axis=1)
        after = self.frame[_window(rows, 1, 5, len(self.frame)), keys[:, None]].mean(axis=1)
        before = self.frame[_window(rows, -4, -1, len(self.frame)), keys[:, None]].mean(axis=1)
        sums = np.cumsum(np.pad(self.frame, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
        last = np.rint(place + length).astype(np.int64).clip(rows + 1, len(self.frame))
        within = (sums[last, keys] - sums[rows, keys]) / (last - rows)
        clues = {
            "onset": np.rint((_log_odds(self.onset[rows, keys]) + 1.5) * 4),
            "early onset": np.rint((_log_odds(early) + 5.0) * 3),
            "frame after": _share(after),
            "frame before": _share(before),
            "frame within": _share(within),
        }
        for level, end in zip(FRAME_LEVELS, ends, strict=True):
            clues[f"frame below {level}"] = _ratio(end - place, length)
        return clues

    def _same_key(self, rows: Ints, keys: Ints, place: Reals, length: Reals) -> dict[str, npt.NDArray[Any]]:
        """What happens to the key before and after."""
        latest = len(self.onset) - 1
        again = _following(self.candidate)[rows + 1, keys]
        before = _latest(self.candidate)[rows - 1, keys]
        is_again = self.candidate[again, keys] & (again - rows <= _REACH_STEPS)
        was_before = (before >= 0) & (rows - before <= _REACH_STEPS)
        strongest = np.full(len(rows), -1, np.int64)
        for i, (row, key, stop) in enumerate(zip(rows.tolist(), keys.tolist(), again.tolist(), strict=True)):
            within = slice(row + 2, min(stop, row + _REACH_STEPS) + 1)
            seen = np.where(self.let_go[within, key], self.offset[within, key], 0.0)
            if seen.any():
                strongest[i] = row + 2 + int(seen.argmax())
        there = strongest >= 0
        at = strongest.clip(1, max(latest - 1, 1))
        return {
            "strongest offset": np.where(there, _ratio(at + _between(self.offset, at, keys) - place, length), 0),
            "its strength": np.where(there, _share(self.offset[at, keys]), 0),
            "struck again": np.where(is_again, _ratio(again - place, length), RATIOS - 1),
            "how surely again": np.where(is_again, _share(self.onset[again, keys]), 0),
            "struck before": np.where(was_before, np.rint(2.5 * np.log2(np.maximum(rows - before, 1))), 15),
            "how surely before": np.where(was_before, _share(self.onset[before, keys]), 0),
        }

    def _related(self, rows: Ints, keys: Ints) -> dict[str, npt.NDArray[Any]]:
        """How surely the octaves of the key are struck at the same time."""
        near = _window(rows, -2, 3, len(self.onset))
        found = {}
        for name, step in (("octave below", -12), ("octave above", 12)):
            other = keys + step
            inside = (other >= 0) & (other < KEYS)
            highest = self.onset[near, other.clip(0, KEYS - 1)[:, None]].max(axis=1)
            found[name] = np.where(inside, _share(highest), 0)
        return found


def moment_s_of(steps: Reals) -> Reals:
    """`audio_steps.moment_s` of many steps."""
    result: Reals = np.asarray(moment_s(0.0) + steps * STEP_S, np.float64)
    return result


def _peaks(rows: Floats) -> npt.NDArray[np.bool_]:
    found = np.zeros(rows.shape, np.bool_)
    found[1:-1] = (rows[1:-1] > rows[:-2]) & (rows[1:-1] >= rows[2:])
    return found


def _between(rows: Floats, at: Ints, keys: Ints) -> Reals:
    """Where between steps a triangle's peak lies, see `note_picking`."""
    older, middle, newer = (rows[at + step, keys].astype(np.float64) for step in (-1, 0, 1))
    shift = (newer - older) / np.maximum(2 * (middle - np.minimum(older, newer)), 1e-6)
    return np.asarray(shift.clip(-0.5, 0.5), np.float64)


def _following(marked: npt.NDArray[np.bool_]) -> Ints:
    """For each row and key the first marked row from there on, the last row where there is none."""
    last = len(marked) - 1
    rows = np.where(marked, np.arange(last + 1)[:, None], last)
    return np.asarray(np.minimum.accumulate(rows[::-1], axis=0)[::-1], np.int64)


def _latest(marked: npt.NDArray[np.bool_]) -> Ints:
    """For each row and key the last marked row up to there, -1 where there is none."""
    rows = np.where(marked, np.arange(len(marked))[:, None], -1)
    return np.asarray(np.maximum.accumulate(rows, axis=0), np.int64)


def _window(rows: Ints, first: int, last: int, count: int) -> Ints:
    """Rows `first` to `last` around each, shape (n, last - first)."""
    return np.asarray((rows[:, None] + np.arange(first, last)).clip(0, count - 1), np.int64)


def _log_odds(probability: Floats) -> Reals:
    inside = np.clip(probability.astype(np.float64), 1e-3, 1 - 1e-3)
    return np.asarray(np.log(inside / (1 - inside)), np.float64)


def _share(values: npt.NDArray[Any]) -> Ints:
    return np.asarray((values * SHARES).astype(np.int64).clip(0, SHARES - 1), np.int64)


def _ratio(length: Reals, given: Reals) -> Ints:
    octaves = np.log2(np.maximum(length, 0.5) / given)
    return np.asarray(np.rint((octaves + 2.5) * 6).astype(np.int64).clip(0, RATIOS - 1), np.int64)


def tokens_of(heard: HeardNotes) -> tuple[Ints, Floats]:
    """Compound tokens, shape (n, fields), and their places in tenths of a second."""
    lengths = np.maximum(np.rint((heard.offset_s - heard.onset_s) / TICK_S), 1).astype(int)
    bins = (heard.probability * PROBABILITY_BINS).astype(int).clip(0, PROBABILITY_BINS - 1)
    rows = [
        compound(NoteToken("note", 0, pitch, length, velocity // 4, probability))
        for pitch, length, velocity, probability in zip(
            heard.pitch.tolist(), lengths.tolist(), heard.velocity.tolist(), bins.tolist(), strict=True
        )
    ]
    starts = np.array([BLOCKS[clue.block].start + clue.first for clue in CLUES], np.int64)
    notes = np.array(rows, np.int64).reshape(-1, len(COMPOUND_FIELDS))
    return np.concatenate([notes, heard.clues + starts], axis=1), (heard.onset_s * PLACES_A_SECOND).astype(np.float32)


def refined(heard: HeardNotes, outputs: Floats, threshold: float = 0.5) -> list[PickedNote]:
    """The notes that are kept, in order of onsets.

    Args:
        heard: Candidates.
        outputs: Of each of them, as `note_outputs.note_outputs_of` tells them.
        threshold: Smallest probability of being a note.
    """
    onset = np.maximum(heard.onset_s + outputs[:, LATE], 0.0)
    factor = 2.0 ** outputs[:, LENGTH].astype(np.float64).clip(-_FARTHEST_LENGTH, _FARTHEST_LENGTH)
    offset = onset + np.maximum((heard.offset_s - heard.onset_s) * factor, _SHORTEST_S)
    velocity = np.rint(heard.velocity + outputs[:, VELOCITY]).clip(1, 127).astype(int)
    sounding: dict[int, PickedNote] = {}
    notes: list[PickedNote] = []
    for i in np.argsort(onset, kind="stable").tolist():
        probability, pitch = float(outputs[i, KEPT]), int(heard.pitch[i])
        if probability < threshold:
            continue
        before = sounding.get(pitch)
        if before is not None and onset[i] - before.onset_s < _SOONEST_REPEAT_S:  # one stroke seen twice
            before.probability = max(before.probability, probability)
            continue
        if before is not None and before.offset_s is not None:
            before.offset_s = min(before.offset_s, float(onset[i]))
        note = PickedNote(len(notes), pitch, float(onset[i]), int(velocity[i]), probability, float(offset[i]))
        sounding[pitch] = note
        notes.append(note)
    return notes
