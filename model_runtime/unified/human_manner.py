"""How a score is played by the trunk: its outputs for the performed notes, laid over what the rules made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from model_runtime.modality import Note
from model_runtime.playback.manner import Manner
from model_runtime.playback.realising import Struck
from model_runtime.playback.score import Measure
from model_runtime.playback.timeline import Timeline
from model_runtime.playback.unfolding import Tone
from model_runtime.synthesis.events import SHORTEST_NOTE_S
from model_runtime.tempo import TempoMap
from model_runtime.unified.note_outputs import LATE, LENGTH, OUTPUTS, SLOW, VELOCITY, NoteTrunk, note_outputs_of
from model_runtime.unified.written_notes import ALONE, LEFT, RIGHT, WrittenNotes, note_tokens

SOFTEST, LOUDEST = 8, 127
LIVELINESS = (
    1.5  # the trunk was taught medians, people go further: `voicing_slope` of `benchmarks.expression` is 1 then
)
FARTHEST_VELOCITY = 36.0
FARTHEST_S = 0.06
SHORTEST_LENGTH, LONGEST_LENGTH = -0.5, 0.1  # log2 of what sounds to what is written; there is no pedal to lie over it
FARTHEST_SLOW = 0.3  # log2 of a beat to the usual one
STEADY_SLOW = 0.01  # a beat this near the usual one is as long
_KEY_SHARE = 0.3  # of the time between two strokes of a key, by which one may come nearer to the other
_QUICK_S = 0.02  # strokes of a key this near each other stay where they are
_SHORTEST_S = 0.03
_STEADY = 0.03  # log2: where the score's own tempo changes by more, it is followed alone
_NEAR_QUARTERS = 3  # about such a place
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
_NOTHING: Floats = np.zeros(len(OUTPUTS))  # is told of what the trunk was not asked about


class HumanManner(Manner):
    """Plays the tones of all parts as the trunk says.

    Args:
        trunk: That tells how notes are played.
        timeline: Of the score.
        parts: The tones of each part; none of a part whose touch is not the trunk's matter, such as drums.
        progress: Called with how many windows are done and how many there are.
    """

    def __init__(
        self,
        trunk: NoteTrunk,
        timeline: Timeline,
        parts: Sequence[Sequence[Tone]],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        tempo_map = timeline.tempo_map()
        self._told: dict[int, Floats] = {}  # id of a tone → what the trunk says of it
        self._tones: list[Tone] = []
        for part in parts:
            tones = [tone for tone in part if tone.duration > 0]
            if not tones:
                continue
            tokens = note_tokens(written_notes(tones, timeline, tempo_map))
            outputs = note_outputs_of(trunk, "notation", tokens.ids, tokens.places, progress=progress)
            self._tones += tones  # keeps their ids their own
            outputs[:, LATE] = _within_chords(tokens.places, outputs[:, LATE])
            for index, values in zip(tokens.order, outputs, strict=True):
                self._told[id(tones[index])] = values.astype(np.float64)

    def paced(self, tempo_map: TempoMap) -> TempoMap:
        """The score's own tempo, its beats longer and shorter by what the trunk says of the notes on them."""
        if not self._tones:
            return tempo_map
        end = tempo_map.quarters[-1]
        beats = np.arange(int(np.ceil(end)) + 1, dtype=float)
        slow = self._slow(tempo_map, beats)
        quarters = np.unique(np.concatenate([tempo_map.quarters, beats[beats < end]]).round(9))
        steps = np.diff(tempo_map.times_at(quarters)) * 2.0 ** slow[np.floor(quarters[:-1] + 1e-6).astype(int)]
        times = np.concatenate([[0.0], np.cumsum(steps)])
        return TempoMap(tuple(times.tolist()), tuple(quarters.tolist()), tempo_map.meters, tempo_map.keys)

    def _slow(self, tempo_map: TempoMap, beats: Floats) -> Floats:
        """log2 of each beat's length to the one that is written; 0 where the score itself slows down or speeds up."""
        at = np.array([int(tone.onset) for tone in self._tones])
        told = np.array([self._told[id(tone)][SLOW] for tone in self._tones])
        count = np.bincount(at, minlength=len(beats))[: len(beats)]
        mean = np.bincount(at, told, len(beats))[: len(beats)] / np.maximum(count, 1)
        mean = np.interp(beats, beats[count > 0], mean[count > 0])
        padded = np.pad(mean, 1, mode="edge")
        smooth = padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4
        smooth = smooth - np.median(smooth)
        smooth = np.sign(smooth) * np.clip(np.abs(smooth) - STEADY_SLOW, 0.0, FARTHEST_SLOW)
        edges = tempo_map.times_at(np.append(beats, len(beats)))
        change = np.abs(np.diff(np.log2(np.diff(edges)), prepend=0.0)) > _STEADY
        change[0] = False
        near = np.convolve(np.pad(change, _NEAR_QUARTERS), np.ones(2 * _NEAR_QUARTERS + 1), "valid") > 0
        return np.where(near, 0.0, smooth)

    def played(self, notes: list[Note], strokes: Sequence[Struck]) -> list[Note]:
        """The notes moved; what strikes one key together still does, and strokes of a key keep their order."""
        told = [self._told.get(id(stroke.tone), _NOTHING) for stroke in strokes]
        late = np.clip(LIVELINESS * np.array([values[LATE] for values in told]), -FARTHEST_S, FARTHEST_S)
        louder = LIVELINESS * np.array([values[VELOCITY] for values in told])
        louder = np.clip(louder, -FARTHEST_VELOCITY, FARTHEST_VELOCITY)
        by_key: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, note in enumerate(notes):
            by_key[note.channel, note.pitch].append(i)
        for same_key in by_key.values():
            _keep_apart(sorted(same_key, key=lambda i: notes[i].onset_s), notes, late, louder)
        return [
            note
            if told[i] is _NOTHING
            else _moved(note, stroke, float(late[i]), float(louder[i]), float(told[i][LENGTH]))
            for i, (note, stroke) in enumerate(zip(notes, strokes, strict=True))
        ]


def _within_chords(places: Floats32, late: Floats32) -> Floats32:
    """Lateness about the mean of what is struck together: beats stay where they are, single notes on them."""
    _, chord, size = np.unique(places, return_inverse=True, return_counts=True)
    return (late - (np.bincount(chord, late) / size)[chord]).astype(np.float32)


def _keep_apart(order: Sequence[int], notes: Sequence[Note], late: Floats, louder: Floats) -> None:
    """See that strokes of one key, in order of time, neither pass nor join each other."""
    together: list[list[int]] = []
    for i in order:
        if together and notes[i].onset_s - notes[together[-1][0]].onset_s < SHORTEST_NOTE_S:
            together[-1].append(i)
        else:
            together.append([i])
    for number, group in enumerate(together):
        onset_s = notes[group[0]].onset_s
        room_before = onset_s - notes[together[number - 1][0]].onset_s if number else 2 * FARTHEST_S / _KEY_SHARE
        room_after = (
            notes[together[number + 1][0]].onset_s - onset_s
            if number + 1 < len(together)
            else 2 * FARTHEST_S / _KEY_SHARE
        )
        moved = float(np.clip(late[group[0]], -_KEY_SHARE * room_before, _KEY_SHARE * room_after))
        moved = 0.0 if min(room_before, room_after) < _QUICK_S else max(moved, -onset_s)
        late[group], louder[group] = moved, louder[group[0]]


def _moved(note: Note, stroke: Struck, late_s: float, louder: float, length: float) -> Note:
    onset_s = note.onset_s + late_s
    sounding_s = note.duration_s
    if stroke.full_s is not None and stroke.tone is not None:
        sounding_s = stroke.full_s * 2.0 ** min(max(length, SHORTEST_LENGTH), LONGEST_LENGTH)
    velocity = round(min(max(note.velocity + louder, SOFTEST), LOUDEST))
    return replace(note, onset_s=onset_s, offset_s=onset_s + max(sounding_s, _SHORTEST_S), velocity=velocity)


def written_notes(tones: Sequence[Tone], timeline: Timeline, tempo_map: TempoMap) -> WrittenNotes:
    """The tones of a part as a player sees them: two staves are two hands."""
    passages = [timeline.passage_at(tone.onset) for tone in tones]
    measures = [timeline.score.measures[passage.measure] for passage in passages]
    before = _pickup(timeline)
    on_staves = len({tone.note.staff for tone in tones}) > 1
    hands = [(RIGHT if tone.note.staff == 1 else LEFT) if on_staves else ALONE for tone in tones]
    onset = np.array([float(tone.onset) for tone in tones])
    qpm = [tempo_map.quarters_per_minute_at(time) for time in tempo_map.times_at(onset + 1e-6)]
    return WrittenNotes(
        onset=onset,
        duration=np.array([float(tone.duration) for tone in tones]),
        pitch=np.array([tone.note.pitch for tone in tones]),
        hand=np.array(hands),
        in_measure=np.array(
            [float(t.onset - p.start + (0 if p.start else before)) for t, p in zip(tones, passages, strict=True)]
        ),
        measure=np.array([float(measure.nominal_length) for measure in measures]),
        beat=np.array([_beat(measure) for measure in measures]),
        qpm=np.array(qpm),
    )


def _pickup(timeline: Timeline) -> Fraction:
    """Quarter notes by which the first measure is short of its beginning."""
    first = timeline.passages[0]
    missing = timeline.score.measures[first.measure].nominal_length - first.length
    return max(missing, Fraction(0)) if len(timeline.passages) > 1 else Fraction(0)


def _beat(measure: Measure) -> float:
    compound = measure.beat_type >= 8 and measure.beats % 3 == 0 and measure.beats > 3
    return (12.0 if compound else 4.0) / measure.beat_type
