"""Scores that people played, note by note: pieces of ASAP, and POP909's piano parts that no training saw.

ASAP has its scores; repeats are laid on the first or second time that the score has them. POP909 has only its grid:
notes are written down on it by the quantiser.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import asap
from model_runtime.engines.base import Context
from model_runtime.engines.quantiser import Quantiser
from model_runtime.modality import Notation, Note, Performance
from model_runtime.notation.score_notes import measure_starts, notes_in_order, read_measures
from model_runtime.options import Options
from model_runtime.playback.reading import read_score
from model_runtime.playback.repeats import performed_order
from model_runtime.playback.timeline import Timeline
from model_runtime.tempo import Meter, TempoMap
from model_runtime.training.rendering.corpus import DEV_EVERY
from model_runtime.training.rendering.pieces import pieces_of
from model_runtime.training.rendering.song import Song, read_song

Floats = npt.NDArray[np.float64]
FARTHEST_PLAYED_S, FARTHEST_RENDERED_S = 0.25, 0.15


@dataclass(frozen=True)
class PlayedScore:
    """A score and how somebody played it; arrays of shape (n,), a row for every note that was played as written.

    Attributes:
        name: Of the piece.
        notation: The score.
        onset: Quarter notes on the score's own axis, repeats unfolded.
        quarters: Written length in quarter notes.
        pitch: MIDI note numbers.
        velocity: As played.
        late_s: Seconds by which the note came after its place in the player's own beats; none where a machine moved
            them there.
        length: log2 of its sounding length to the written one.
        beats, beat_s: Quarter notes at which beats begin, and how long the player took for each a quarter note; none
            where the player followed a machine.
    """

    name: str
    notation: Notation
    onset: Floats
    quarters: Floats
    pitch: npt.NDArray[np.int64]
    velocity: Floats
    late_s: Floats
    length: Floats
    beats: Floats
    beat_s: Floats


def asap_pieces(folder: Path) -> Iterator[PlayedScore]:
    """All pieces of a folder laid out as `eval/asap`."""
    for piece in asap.pieces(folder):
        yield _of_asap(piece)


def _of_asap(piece: asap.Piece) -> PlayedScore:
    notation = Notation(piece.musicxml)
    on_axis = _unfolded(notation, piece)
    written = [note for note in piece.reference if not note.grace and note.duration > 0]
    onset = np.array([float(note.onset) for note in written])
    quarters = np.array([float(note.duration) for note in written])
    pitch = np.array([note.pitch for note in written])
    expected = piece.tempo_map.times_at(onset)
    found = matched(expected, pitch, piece.performance.notes, FARTHEST_PLAYED_S)
    kept = np.flatnonzero((found >= 0) & np.isfinite(on_axis(onset)))
    notes = [piece.performance.notes[i] for i in found[kept]]
    given_s = piece.tempo_map.times_at(onset + quarters) - expected
    beats = np.array(piece.tempo_map.quarters)
    beat_s = np.diff(piece.tempo_map.times_s) / np.diff(beats)
    placed = on_axis(beats[:-1])
    inside = np.isfinite(placed)
    return PlayedScore(
        piece.name,
        notation,
        on_axis(onset)[kept],
        quarters[kept],
        pitch[kept],
        np.array([float(note.velocity) for note in notes]),
        np.array([note.onset_s for note in notes]) - expected[kept],
        np.log2(np.array([note.duration_s for note in notes]) / given_s[kept]),
        placed[inside],
        beat_s[inside],
    )


def _unfolded(notation: Notation, piece: asap.Piece) -> Callable[[Floats], Floats]:
    """From quarter notes as the person unfolded the score to those of the score's own unfolding; NaN outside."""
    measures = read_measures(piece.musicxml)
    starts = np.array([float(start) for start in measure_starts(measures, piece.order)])
    score = read_score(notation.root, Context())
    places: dict[int, list[float]] = defaultdict(list)
    for passage in Timeline(score, performed_order(score.measures), deadpan=False).passages:
        places[passage.measure].append(float(passage.start))
    seen: dict[int, int] = defaultdict(int)
    own = []
    for measure in piece.order:
        own.append(places[measure][min(seen[measure], len(places[measure]) - 1)] if places[measure] else np.nan)
        seen[measure] += 1
    offsets = np.array(own)

    def moved(quarters: Floats) -> Floats:
        index = np.searchsorted(starts, quarters + 1e-6) - 1
        inside = (index >= 0) & (index < len(offsets))
        index = np.clip(index, 0, len(offsets) - 1)
        return np.where(inside, offsets[index] + quarters - starts[index], np.nan)

    return moved


def matched(expected_s: Floats, pitch: npt.NDArray[np.int64], notes: Sequence[Note], farthest_s: float) -> Floats:
    """For each written note the index of the one of its pitch that sounds nearest, -1 for none; each is taken once."""
    by_pitch: dict[int, list[int]] = defaultdict(list)
    for i, note in enumerate(notes):
        by_pitch[note.pitch].append(i)
    found = np.full(len(expected_s), -1)
    for one, indices in by_pitch.items():
        wanted = np.flatnonzero(pitch == one)
        sounds = np.array([notes[i].onset_s for i in indices])
        distance = np.abs(expected_s[wanted][:, None] - sounds[None, :])
        rows, columns = np.nonzero(distance <= farthest_s)
        taken: set[int] = set()
        for k in np.argsort(distance[rows, columns], kind="stable"):
            row, column = int(wanted[rows[k]]), int(columns[k])
            if found[row] < 0 and column not in taken:
                found[row] = indices[column]
                taken.add(column)
    return found


def pop_songs(folder: Path, count: int) -> Iterator[PlayedScore]:
    """The first held-out piano parts of a folder laid out as `data/pop909`."""
    for path in sorted(folder.glob("*.mid"))[::DEV_EVERY][:count]:
        song = read_song(path)
        yield _of_song(path.stem, song)


def _of_song(name: str, song: Song) -> PlayedScore:
    piece = dict(pieces_of(song))["piano"]
    notes, played = piece.notes, piece.played
    qpm = float(np.median(notes.qpm))
    first_barline = float((notes.onset - notes.in_measure).min() % notes.measure[0])
    meter = Meter(first_barline, int(notes.measure[0]), 4)
    exact = Performance(
        tuple(
            Note(60 / qpm * start, 60 / qpm * (start + long), int(pitch), 64)
            for start, long, pitch in zip(notes.onset, notes.duration, notes.pitch, strict=True)
        ),
        tempo_map=TempoMap.constant(qpm, [meter]),
    )
    notation = Quantiser().translate(exact, Options(), Context())
    onset = notes.onset + _shift(notation, notes.onset, notes.pitch)
    written = {(round(note.onset * 8), note.pitch): note for note in notes_in_order(read_measures(notation.musicxml))}
    found = [written.get((round(start * 8), pitch)) for start, pitch in zip(onset, notes.pitch, strict=True)]
    kept = np.array([note is not None and note.duration > 0 for note in found])
    quarters = np.array([float(note.duration) for note in found if note is not None and note.duration > 0])
    return PlayedScore(
        name,
        notation,
        onset[kept],
        quarters,
        notes.pitch[kept],
        played.velocity[kept],
        np.zeros(0),
        np.log2(played.length[kept] / quarters),
        np.zeros(0),
        np.zeros(0),
    )


def _shift(notation: Notation, onset: Floats, pitch: npt.NDArray[np.int64]) -> float:
    """Quarter notes by which the score's own axis lies behind."""
    from model_runtime.engines.performer import Performer

    performance = Performer().translate(notation, Options(deadpan=True), Context())
    if performance.tempo_map is None:
        raise AssertionError("what the performer plays has a tempo map")
    played = performance.tempo_map.quarters_at([note.onset_s for note in performance.notes])
    sounding = {(note.pitch, round(float(q) * 4)) for note, q in zip(performance.notes, played, strict=True)}

    def hits(shift: float) -> int:
        return sum((int(p), round((float(q) + shift) * 4)) in sounding for q, p in zip(onset, pitch, strict=True))

    return max((step / 4 for step in range(-32, 33)), key=hits)
