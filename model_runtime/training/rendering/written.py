"""How a played track would be written: places on the grid, note values, hands; and how it was played beside that."""

from __future__ import annotations

import numpy as np

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.notation.hands import split_hands
from model_runtime.notation.stems import PlacedNote
from model_runtime.training.rendering.grid import Grid
from model_runtime.training.rendering.song import Floats, Ints, Song, Track
from model_runtime.unified.written_notes import LEFT, RIGHT

FARTHEST_S = 0.12  # further from the grid is another note value, or an ornament
_STRAIGHT = np.array([0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0])  # of a quarter note
_STRAIGHT_COST = np.array([0.0, 0.004, 0.0, 0.004, 0.0, 0.004, 0.0, 0.004, 0.0])  # thirty-seconds are rare
_TRIPLETS = np.array([0.0, 1 / 3, 2 / 3, 1.0])
_TRIPLET_COST = 0.004  # of a beat that is divided by three
_DIVIDED = 0.5  # share of the straight cost below which a beat is divided by three
_SHORTEST_SHARE, _LONGEST_SHARE = 0.3, 1.3  # of the time until the next note, of what is written so long
_PLAYED_SHARE = 0.25  # of notes struck together that are apart, where onsets may be a person's
_EARLY_IF_LOUD = -0.15  # correlation of lateness and velocity within chords, from which they are (Goebl, JASA 2001)
_TOGETHER_S = 0.04
_FEWEST = 50  # notes that a correlation is believed of


class WrittenTrack:
    """A track as it would be written.

    Attributes:
        place, written: Onset and length in quarter notes, as written.
        late_s: Seconds that each note comes after the mean of those that are written at the same moment.
        sure: Whether its place is plain.
        played: Whether the onsets are a person's.
        track: As it was played.
    """

    def __init__(self, track: Track, song: Song, grid: Grid) -> None:
        self.track = track
        at = grid.unrounded(track.onset)
        self.place = _rounded(at)
        beat_s = song.beat_s_at(track.onset)
        late = (at - self.place) * beat_s
        self.sure = np.abs(late) < FARTHEST_S
        self.late_s = _about_chord(self.place, np.where(self.sure, late, 0.0))
        self.written = _written(self.place, track.length)
        louder = _about_chord(self.place, track.velocity)
        apart = self.sure & (self.late_s != 0)
        self.played = (
            _played_share(track.onset, beat_s) >= _PLAYED_SHARE
            and _correlation(self.late_s[apart], louder[apart]) <= _EARLY_IF_LOUD
        )


def _rounded(at: Floats) -> Floats:
    """Onsets on eighths, sixteenths and thirty-seconds of a beat's time, or on triplets where a beat fits them well."""
    beat = np.floor(at + 1 / 16).astype(np.int64)
    share = at - beat
    straight = np.abs(share[:, None] - _STRAIGHT) ** 2 + _STRAIGHT_COST
    triplet = np.abs(share[:, None] - _TRIPLETS) ** 2 + _TRIPLET_COST
    number = beat - beat.min(initial=0)
    size = int(number.max(initial=0)) + 1
    costs = [np.bincount(number, each.min(axis=1), size) for each in (straight, triplet)]
    divided = (costs[1] < _DIVIDED * costs[0])[number]
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


def _played_share(onset: Floats, beat_s: Floats) -> float:
    """Of neighbours that start together, the share that is not exactly together."""
    order = np.argsort(onset)
    gaps = np.diff(onset[order]) * beat_s[order][1:]
    near = gaps < _TOGETHER_S
    return float((gaps[near] > 1e-4).sum() / max(near.sum(), 1))


def _about_chord(place: Floats, values: Floats) -> Floats:
    """Values about the mean of those that are written at the same moment."""
    _, chord, size = np.unique(np.round(place * 96), return_inverse=True, return_counts=True)
    return np.asarray(values - (np.bincount(chord, values) / size)[chord], float)


def _correlation(one: Floats, other: Floats) -> float:
    if len(one) < _FEWEST or one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def hands_of(part: WrittenTrack) -> Ints:
    """Which hand plays each note of a piano part."""
    placed = [
        PlacedNote(round(start * TICKS_PER_QUARTER), round((start + long) * TICKS_PER_QUARTER), int(pitch), 64, 0, i)
        for i, (start, long, pitch) in enumerate(zip(part.place, part.written, part.track.pitch, strict=True))
    ]
    split_hands(sorted(placed, key=lambda n: (n.onset, n.pitch)), None)
    return np.array([RIGHT if note.staff == 1 else LEFT for note in placed])
