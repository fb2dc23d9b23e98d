"""Builds what the trunk learns playing from: scores, and how people played them.

    python -m model_runtime.training.rendering --data DATA --out DIR

DATA holds `data/pop909`: arrangements for melody, second voice and piano whose keys people pressed. In most of them a
sequencer moved the onsets to its grid afterwards, while velocities and lengths were left as they were played; in some
the onsets are a person's too; and some follow a singer's tempo. So the grid is the score, and what lies beside it is
the wanted output: the velocity about its running mean, the length that sounds to the one that would be written, the
tempo to the usual one, and, where onsets are a person's, how late each comes. What a file does not know weighs nothing.

Of every song three pieces are made: the piano part, piano and melody as one piano piece, and single lines. Every
twentieth song is left for `dev`. Files are as `training.note_windows` reads them; those that are there are kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.notation.hands import split_hands
from model_runtime.notation.stems import PlacedNote
from model_runtime.tokens.vocabulary import fingerprint
from model_runtime.unified.note_outputs import LATE, LATE_S, LENGTH, OUTPUTS, SLOW, SLOW_OCTAVE, VELOCITY, VELOCITY_STEP
from model_runtime.unified.written_notes import ALONE, LEFT, RIGHT, WrittenNotes, note_tokens

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DEV_EVERY = 20
MELODY, SECOND, PIANO = "MELODY", "BRIDGE", "PIANO"
_STRAIGHT = np.array([0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0])  # of a quarter note
_STRAIGHT_COST = np.array([0.0, 0.004, 0.0, 0.004, 0.0, 0.004, 0.0, 0.004, 0.0])  # thirty-seconds are rare
_TRIPLETS = np.array([0.0, 1 / 3, 2 / 3, 1.0])
_TRIPLET_COST = 0.004  # of a beat that is divided by three
_PHASE_QUARTERS = 16.0  # over which the grid may drift
_USUAL_QUARTERS = 8.0  # over which a velocity's mean runs
_USUAL_BEATS = 24  # on each side, over which the usual beat is the median
_SHORTEST_SHARE, _LONGEST_SHARE = 0.3, 1.3  # of the time until the next note, of what is written so long
_PLAYED_SHARE = 0.25  # of notes struck together that are apart, where onsets are a person's
_TOGETHER_S = 0.04
_FARTHEST_S = 0.12  # further from the grid is another note value, or an ornament
_LEAST_TEMPOS = 6  # of a file that follows somebody
_STEADY_WEIGHT = 0.1
_LEAST_SPREAD = 3.0  # of velocities that somebody played
_MELODY_WEIGHT = 0.5  # its velocities are drawn rather than played in many files


@dataclass(frozen=True)
class Track:
    """Notes of one track in quarter notes of the file: onset and length, pitch, velocity; arrays of shape (n,)."""

    onset: Floats
    length: Floats
    pitch: Ints
    velocity: Floats


@dataclass(frozen=True)
class Song:
    """A file: its tracks by name, and its tempo: from which quarter note on, seconds of one; shape (m,)."""

    tracks: dict[str, Track]
    changes: Floats
    beat_s: Floats


@dataclass(frozen=True)
class Piece:
    """A score, how it was played, and what is wanted of it: rows of notes, columns in the order of `OUTPUTS`."""

    notes: WrittenNotes
    played: Track
    wanted: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]


def read_song(path: Path) -> Song:
    """Read a MIDI file."""
    import mido

    file = mido.MidiFile(path)
    tempos, tracks = {0: 500_000}, {}
    for track in file.tracks:
        tick, down, rows = 0, dict[int, tuple[int, int]](), []
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                tempos[tick] = message.tempo
            elif message.type in ("note_on", "note_off"):
                started = down.pop(message.note, None)
                if started is not None:
                    rows.append((started[0], tick - started[0], message.note, started[1]))
                if message.type == "note_on" and message.velocity:
                    down[message.note] = tick, message.velocity
        if rows:
            table = np.array(sorted(rows), float)
            quarters = table[:, :2] / file.ticks_per_beat
            pitch = table[:, 2].astype(np.int64)
            tracks[track.name] = Track(quarters[:, 0], np.maximum(quarters[:, 1], 1e-3), pitch, table[:, 3])
    ticks = sorted(tempos)
    return Song(tracks, np.array(ticks) / file.ticks_per_beat, np.array([tempos[t] / 1e6 for t in ticks]))


def pieces_of(song: Song) -> Iterator[tuple[str, Piece]]:
    """The pieces that a song gives, by name; none where it has no piano part."""
    if PIANO not in song.tracks:
        return
    grid = _Grid(song)
    parts = {name: _Part(track, song, grid) for name, track in song.tracks.items() if len(track.onset) > 8}
    if PIANO in parts:
        hands = _hands(parts[PIANO])
        yield "piano", _joined([(parts[PIANO], hands, 1.0)], song, grid)
        if MELODY in parts:
            melody = parts[MELODY], np.full(len(parts[MELODY].place), RIGHT), _MELODY_WEIGHT
            yield "song", _joined([(parts[PIANO], hands, 1.0), melody], song, grid)
    for name, weight in ((MELODY, _MELODY_WEIGHT), (SECOND, 1.0)):
        if name in parts:
            yield name.lower(), _joined([(parts[name], np.full(len(parts[name].place), ALONE), weight)], song, grid)


class _Grid:
    """Where the sixteenths, beats and barlines of a song lie."""

    def __init__(self, song: Song) -> None:
        onset = np.sort(np.concatenate([track.onset for track in song.tracks.values()]))
        self._knots, self._phases = _phases(onset)
        played = song.tracks[PIANO]
        at = self.unrounded(played.onset)
        whole = [self._weight(at, played, shift) for shift in np.arange(4) / 4]
        self._knots_shift = float(np.argmax(whole)) / 4
        at = self.unrounded(played.onset)
        self.measure, self._barlines = _barlines(at, played)

    def unrounded(self, onset: Floats) -> Floats:
        """Quarter notes from a beat on."""
        shift = getattr(self, "_knots_shift", 0.0)
        return onset - np.interp(onset, self._knots, self._phases) - shift

    @staticmethod
    def _weight(at: Floats, track: Track, shift: float) -> float:
        """How much starts on beats, and half as much on their halves, if beats lie `shift` later."""
        moved = at - shift
        heavy = np.minimum(track.length, 2.0) + 0.02 * np.maximum(60 - track.pitch, 0)
        on_beat, on_half = (np.abs(moved - np.rint(moved * n) / n) < 0.06 for n in (1, 2))
        return float((heavy * (0.5 * on_beat + 0.5 * on_half)).sum())

    def in_measure(self, place: Floats) -> Floats:
        """Quarter notes from the barline before."""
        index = np.clip(np.searchsorted(self._barlines, place + 1e-6) - 1, 0, len(self._barlines) - 1)
        return np.mod(place - self._barlines[index], self.measure)


def _phases(onset: Floats) -> tuple[Floats, Floats]:
    """By how much the sixteenths lie behind the file's own, at knots along the song."""
    knots = np.arange(0.0, onset[-1] + 1.0, _PHASE_QUARTERS / 2)
    turning = np.exp(2j * np.pi * 4 * onset)
    sums = np.array([turning[np.abs(onset - knot) <= _PHASE_QUARTERS].sum() for knot in knots])
    overall = turning.sum() / max(len(onset), 1)
    angles = np.unwrap(np.angle(sums + 4 * overall + 1e-9))
    return knots, angles / (2 * np.pi * 4)


def _barlines(at: Floats, track: Track) -> tuple[float, Floats]:
    """Length of a measure in quarter notes, and where barlines lie: where long and low notes start.

    Four or three beats a measure, whichever tells more beats apart; the count may start anew at some cost.
    """
    count = int(at.max()) + 2
    weight = np.minimum(track.length, 4.0) * (1.0 + 0.05 * np.maximum(60 - track.pitch, 0))
    beats = np.rint(at).astype(np.int64)
    on = (np.abs(at - beats) < 0.1) & (beats >= 0)
    heavy = np.bincount(beats[on], weight[on], count)[:count]
    heavy = np.minimum(heavy, np.quantile(heavy, 0.95) + 1e-9)
    told = {}
    for size in (4, 3):
        sums = np.array([heavy[k::size].mean() for k in range(size)])
        told[size] = (sums.max() - sums.mean()) / (heavy.std() + 1e-9)
    size = 3 if told[3] > 1.3 * told[4] else 4
    return float(size), _counted(heavy - heavy.mean(), size)


def _counted(heavy: Floats, size: int) -> Floats:
    """Beats on which measures of `size` beats start, by a search that may lose count at some cost."""
    cost = 8.0 * heavy.std() + 1e-9
    best, came = np.zeros(size), np.zeros((len(heavy), size), np.int64)
    for i, gain in enumerate(heavy):
        moved = np.roll(best, 1)  # state: beat of the measure
        jumped = best.max() - cost
        came[i] = np.where(moved >= jumped, (np.arange(size) - 1) % size, int(best.argmax()))
        best = np.maximum(moved, jumped)
        best[0] += gain
    state = int(best.argmax())
    found = []
    for i in range(len(heavy) - 1, -1, -1):
        if state == 0:
            found.append(i)
        state = int(came[i, state])
    return np.array(found[::-1] or [0], float)


class _Part:
    """A track as it would be written.

    Attributes:
        place, written: Onset and length in quarter notes, as written.
        late_s: Seconds that each note comes after its place.
        sure: Whether its place is plain.
        track: As it was played.
    """

    def __init__(self, track: Track, song: Song, grid: _Grid) -> None:
        self.track = track
        at = grid.unrounded(track.onset)
        self.place = _rounded(at)
        beat_s = _beat_s(song, track.onset)
        late = (at - self.place) * beat_s
        self.sure = np.abs(late) < _FARTHEST_S
        self.late_s = late - np.median(late)
        self.written = _written(self.place, track.length)
        self.played = _played_share(track.onset, beat_s) >= _PLAYED_SHARE


def _rounded(at: Floats) -> Floats:
    """Onsets on eighths, sixteenths and thirty-seconds of a beat's time, or on triplets where a beat fits them well."""
    beat = np.floor(at + 1 / 16).astype(np.int64)
    share = at - beat
    straight = np.abs(share[:, None] - _STRAIGHT) ** 2 + _STRAIGHT_COST
    triplet = np.abs(share[:, None] - _TRIPLETS) ** 2 + _TRIPLET_COST
    number = beat - beat.min(initial=0)
    size = int(number.max(initial=0)) + 1
    costs = [np.bincount(number, each.min(axis=1), size) for each in (straight, triplet)]
    divided = (costs[1] < 0.5 * costs[0])[number]
    places = np.where(divided, _TRIPLETS[triplet.argmin(axis=1)], _STRAIGHT[straight.argmin(axis=1)])
    return np.asarray(beat + places, float)


def _written(place: Floats, length: Floats) -> Floats:
    """How long a note would be written: until the next one of its line, or the later one that it reaches to."""
    moments = np.unique(np.round(place * 96)) / 96
    written = np.empty(len(place))
    for i, (start, sounding) in enumerate(zip(place, length, strict=True)):
        ahead = moments[np.searchsorted(moments, start + 0.02) :][:32] - start
        if not len(ahead) or sounding < _SHORTEST_SHARE * ahead[0]:
            written[i] = _plain(sounding)
        elif sounding <= _LONGEST_SHARE * ahead[0]:
            written[i] = ahead[0]
        else:
            written[i] = ahead[np.abs(np.log(ahead / sounding)).argmin()]
    return written


def _plain(sounding: float) -> float:
    """A plain note value that may sound so long."""
    return next((value for value in (0.25, 0.5, 1.0, 2.0, 3.0, 4.0) if sounding <= 1.1 * value), 4.0)


def _beat_s(song: Song, quarter: Floats) -> Floats:
    return song.beat_s[np.clip(np.searchsorted(song.changes, quarter + 1e-6) - 1, 0, len(song.changes) - 1)]


def _played_share(onset: Floats, beat_s: Floats) -> float:
    """Of neighbours that start together, the share that is not exactly together."""
    order = np.argsort(onset)
    gaps = np.diff(onset[order]) * beat_s[order][1:]
    near = gaps < _TOGETHER_S
    return float((gaps[near] > 1e-4).sum() / max(near.sum(), 1))


def _hands(part: _Part) -> Ints:
    placed = [
        PlacedNote(round(start * TICKS_PER_QUARTER), round((start + long) * TICKS_PER_QUARTER), int(pitch), 64, 0, i)
        for i, (start, long, pitch) in enumerate(zip(part.place, part.written, part.track.pitch, strict=True))
    ]
    split_hands(sorted(placed, key=lambda n: (n.onset, n.pitch)), None)
    return np.array([RIGHT if note.staff == 1 else LEFT for note in placed])


def _joined(parts: list[tuple[_Part, Ints, float]], song: Song, grid: _Grid) -> Piece:
    """Parts with their hands, and how much their velocities weigh, as one piece."""
    place, written = (np.concatenate([getattr(part, name) for part, _, _ in parts]) for name in ("place", "written"))
    tracks = [part.track for part, _, _ in parts]
    onset, length, velocity = (
        np.concatenate([getattr(t, name) for t in tracks]) for name in ("onset", "length", "velocity")
    )
    slow, usual_s = _slowness(song, onset)
    count = len(place)
    wanted, weights = (np.zeros((count, len(OUTPUTS)), np.float32) for _ in range(2))
    wanted[:, 0] = 1.0
    wanted[:, LATE] = np.clip(np.concatenate([part.late_s for part, _, _ in parts]), -_FARTHEST_S, _FARTHEST_S) / LATE_S
    weights[:, LATE] = np.concatenate([part.sure & part.played for part, _, _ in parts])
    wanted[:, LENGTH] = np.clip(np.log2(length / written), -2.5, 1.0)
    weights[:, LENGTH] = np.concatenate([np.full(len(part.place), weight) for part, _, weight in parts])
    wanted[:, VELOCITY] = (velocity - _running_mean(place, velocity)) / VELOCITY_STEP
    weights[:, VELOCITY] = np.concatenate(
        [
            np.full(len(t.onset), w if t.velocity.std() >= _LEAST_SPREAD else 0.0)
            for t, (_, _, w) in zip(tracks, parts, strict=True)
        ]
    )
    wanted[:, SLOW] = slow * SLOW_OCTAVE
    weights[:, SLOW] = 1.0 if len(song.changes) >= _LEAST_TEMPOS else _STEADY_WEIGHT
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
    fine = _beat_s(song, beats[:, None] + np.arange(4) / 4).mean(axis=1)
    usual = np.array([np.median(fine[max(i - _USUAL_BEATS, 0) : i + _USUAL_BEATS + 1]) for i in range(len(fine))])
    at = np.interp(onset, beats + 0.5, usual)
    return np.clip(np.log2(np.interp(onset, beats + 0.5, fine) / at), -0.5, 0.5), at


def _running_mean(place: Floats, velocity: Floats) -> Floats:
    """Of the velocities about each place, the nearer the more."""
    beats = np.floor(place - place.min()).astype(np.int64)
    sums, counts = np.bincount(beats, velocity), np.bincount(beats).astype(float)
    reach = np.arange(-3 * _USUAL_QUARTERS, 3 * _USUAL_QUARTERS + 1)
    kernel = np.exp(-0.5 * (reach / _USUAL_QUARTERS) ** 2)
    smooth = [np.convolve(np.pad(x, len(kernel) // 2), kernel, "valid") for x in (sums, counts)]
    return np.asarray(smooth[0][beats] / smooth[1][beats], float)


def save(piece: Piece, path: Path) -> None:
    """Write a piece as `training.note_windows` reads it."""
    tokens = note_tokens(piece.notes)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            source=np.array("notation"),
            vocabulary=np.array(fingerprint()),
            ids=tokens.ids.astype(np.int16),
            places=tokens.places,
            wanted=piece.wanted[tokens.order],
            weights=piece.weights[tokens.order],
        )
    temporary.replace(path)


def build(data: Path, out: Path, limit: int | None = None) -> int:
    """Make the pieces of all songs that are not there yet; returns how many songs were read."""
    read = 0
    for number, path in enumerate(sorted((data / "data" / "pop909").glob("*.mid"))[:limit]):
        folder = out / ("dev" if number % DEV_EVERY == 0 else "train")
        folder.mkdir(parents=True, exist_ok=True)
        done = folder / f".{path.stem}"
        if done.exists():
            continue
        for name, piece in pieces_of(read_song(path)):
            save(piece, folder / f"{path.stem}_{name}.npz")
        done.touch()
        read += 1
    return read


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Build what playing is learnt from.")
    parser.add_argument("--data", type=Path, required=True, help="folder with data/pop909")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="songs")
    arguments = parser.parse_args()
    build(arguments.data, arguments.out, arguments.limit)


if __name__ == "__main__":
    main()
