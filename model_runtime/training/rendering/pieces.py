"""The pieces that a song gives, and what is wanted of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model_runtime.training.rendering.grid import Grid
from model_runtime.training.rendering.song import Floats, Ints, Song, Track
from model_runtime.training.rendering.written import FARTHEST_S, WrittenTrack, hands_of
from model_runtime.unified.note_outputs import (
    KEPT,
    LATE,
    LATE_S,
    LENGTH,
    OUTPUTS,
    SLOW,
    SLOW_OCTAVE,
    VELOCITY,
    VELOCITY_STEP,
)
from model_runtime.unified.written_notes import ALONE, RIGHT, WrittenNotes

MELODY, SECOND, PIANO = "MELODY", "BRIDGE", "PIANO"
_FEWEST_NOTES = 9  # of a track
_USUAL_QUARTERS = 8.0  # over which a velocity's mean runs
_USUAL_BEATS = 24  # on each side, over which the usual beat is the median
_SINGLE_WEIGHT = 0.2  # of notes struck alone, which are to be on time
_LEAST_TEMPOS = 6  # of a file that follows somebody
_LEAST_SPREAD = 3.0  # of velocities that somebody played
_MELODY_WEIGHT = 0.5  # its velocities are drawn rather than played in many files
_SHORTEST_LENGTH, _LONGEST_LENGTH = -2.5, 1.0
_FARTHEST_SLOW = 0.5


@dataclass(frozen=True)
class Piece:
    """A score, how it was played, and what is wanted of it: rows of notes, columns in the order of `OUTPUTS`."""

    notes: WrittenNotes
    played: Track
    wanted: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]


def pieces_of(song: Song) -> Iterator[tuple[str, Piece]]:
    """The pieces that a song gives, by name; none where it has no piano part."""
    if PIANO not in song.tracks:
        return
    grid = Grid(np.concatenate([track.onset for track in song.tracks.values()]), song.tracks[PIANO])
    parts = {
        n: WrittenTrack(track, song, grid) for n, track in song.tracks.items() if len(track.onset) >= _FEWEST_NOTES
    }
    if PIANO in parts:
        piano = parts[PIANO], hands_of(parts[PIANO]), 1.0
        yield "piano", _joined([piano], song, grid)
        if MELODY in parts:
            melody = parts[MELODY], np.full(len(parts[MELODY].place), RIGHT), _MELODY_WEIGHT
            yield "song", _joined([piano, melody], song, grid)
    for name, weight in ((MELODY, _MELODY_WEIGHT), (SECOND, 1.0)):
        if name in parts:
            yield name.lower(), _joined([(parts[name], np.full(len(parts[name].place), ALONE), weight)], song, grid)


def broadened(piece: Piece) -> Piece:
    """The same in note values of twice the length at twice the tempo, a measure then becoming two."""
    notes = piece.notes
    return replace(
        piece,
        notes=replace(
            notes,
            onset=2 * notes.onset,
            duration=2 * notes.duration,
            in_measure=np.mod(2 * notes.in_measure, notes.measure),
            qpm=2 * notes.qpm,
        ),
    )


def _joined(parts: list[tuple[WrittenTrack, Ints, float]], song: Song, grid: Grid) -> Piece:
    """Parts with their hands, and how much their velocities weigh, as one piece."""
    place, written = (np.concatenate([getattr(part, name) for part, _, _ in parts]) for name in ("place", "written"))
    tracks = [part.track for part, _, _ in parts]
    onset, length, velocity = (
        np.concatenate([getattr(t, name) for t in tracks]) for name in ("onset", "length", "velocity")
    )
    slow, usual_s = _slowness(song, onset)
    count = len(place)
    wanted, weights = (np.zeros((count, len(OUTPUTS)), np.float32) for _ in range(2))
    wanted[:, KEPT] = 1.0
    wanted[:, LATE] = np.clip(np.concatenate([part.late_s for part, _, _ in parts]), -FARTHEST_S, FARTHEST_S) / LATE_S
    weights[:, LATE] = np.concatenate(
        [(part.sure & part.played) * np.where(part.late_s == 0, _SINGLE_WEIGHT, 1.0) for part, _, _ in parts]
    )
    wanted[:, LENGTH] = np.clip(np.log2(length / written), _SHORTEST_LENGTH, _LONGEST_LENGTH)
    weights[:, LENGTH] = np.concatenate([np.full(len(part.place), weight) for part, _, weight in parts])
    wanted[:, VELOCITY] = (velocity - _running_mean(place, velocity)) / VELOCITY_STEP
    weights[:, VELOCITY] = np.concatenate(
        [
            np.full(len(t.onset), w if t.velocity.std() >= _LEAST_SPREAD else 0.0)
            for t, (_, _, w) in zip(tracks, parts, strict=True)
        ]
    )
    wanted[:, SLOW] = slow * SLOW_OCTAVE
    weights[:, SLOW] = float(len(song.changes) >= _LEAST_TEMPOS)
    notes = WrittenNotes(
        onset=place - min(place.min(), 0.0),
        duration=written,
        pitch=np.concatenate([t.pitch for t in tracks]),
        hand=np.concatenate([hand for _, hand, _ in parts]).astype(np.int64),
        in_measure=grid.in_measure(place),
        measure=np.full(count, grid.measure),
        beat=np.ones(count),
        qpm=60.0 / usual_s,
    )
    played = Track(onset, length, notes.pitch, velocity)
    return Piece(notes, played, wanted, weights)


def _slowness(song: Song, onset: Floats) -> tuple[Floats, Floats]:
    """At each onset log2 of the beat to the usual one, and the usual one in seconds."""
    beats = np.arange(max(int(onset.max()) + 2, 2), dtype=float)
    fine = song.beat_s_at(beats[:, None] + np.arange(4) / 4).mean(axis=1)
    usual = np.array([np.median(fine[max(i - _USUAL_BEATS, 0) : i + _USUAL_BEATS + 1]) for i in range(len(fine))])
    at = np.interp(onset, beats + 0.5, usual)
    return np.clip(np.log2(np.interp(onset, beats + 0.5, fine) / at), -_FARTHEST_SLOW, _FARTHEST_SLOW), at


def _running_mean(place: Floats, velocity: Floats) -> Floats:
    """Of the velocities about each place, the nearer the more."""
    beats = np.floor(place - place.min()).astype(np.int64)
    sums, counts = np.bincount(beats, velocity), np.bincount(beats).astype(float)
    reach = np.arange(-3 * _USUAL_QUARTERS, 3 * _USUAL_QUARTERS + 1)
    kernel = np.exp(-0.5 * (reach / _USUAL_QUARTERS) ** 2)
    smooth = [np.convolve(np.pad(x, len(kernel) // 2), kernel, "valid") for x in (sums, counts)]
    return np.asarray(smooth[0][beats] / smooth[1][beats], float)
