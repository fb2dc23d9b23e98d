"""From a pitch posteriorgram to notes, frame by frame, without ever holding a whole piece.

Follows the note creation of Bittner, Bosch, Rubinstein, Meseguer-Brocal and Ewert, "A Lightweight Instrument-Agnostic
Model for Polyphonic Note Transcription and Multipitch Estimation" (ICASSP 2022): notes grow from onset peaks, later
ones first; what energy is left over grows notes from its maxima (the trick of the Melodia melody extractor, Salamon
and Gómez 2012). Two things are added: a start is moved back to where its onset peak rises, and a peak within a
sounding note counts as a repetition only where the note had faded or the onset is very sure.

Here it runs on a stream: cells of the posteriorgram that can touch the same note form an island in time and pitch,
and an island is turned into notes as soon as it has ended, so that the result does not depend on how the frames
arrived. The constants were chosen on pieces synthesised with a SoundFont.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

KEYS = 88
LOWEST_PITCH = 21  # MIDI number of band 0
CONTOUR_BINS_PER_SEMITONE = 3

_SILENCE_FRAMES = 11  # frames below the threshold that end a note
_INFERRED_ONSET_GAIN = 4.5  # the posterior rises by 0.17 a frame at most, where the onset head peaks at 0.95
_ONSET_FLANK = 0.8  # of its peak: where an onset begins
_LONGEST_FLANK_FRAMES = 8
_FADED = 0.8  # of what follows: a note that fell below it may have been struck again
_FADING_FRAMES = 6
_SURE_ONSET = 0.7  # counts as a repetition even in a note that did not fade
_UNSTARTED_GAIN = 1.5  # how far a note without an onset must exceed the frame threshold, on average
_HISTORY_FRAMES = 10  # before an island, for its onsets' flanks and fading
_LAST_FRAMES = 3  # an island that reaches into the last frames has not ended yet
_STEP_FRAMES = 860  # islands are looked for about every ten seconds
_LONGEST_WAIT_FRAMES = 26_000  # an island of five minutes is cut, whatever sounds
_BEND_REACH_BINS = 6
_BEND_SPREAD_BINS = 4.0

Frames = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Posteriors:
    """Consecutive frames of the network's output, each between 0 and 1.

    Attributes:
        notes: Whether a pitch sounds, shape (frames, 88).
        onsets: Whether it starts, shape (frames, 88).
        contours: Finer pitch, three bins a semitone, shape (frames, 264); None where bends are not asked for.
    """

    notes: Frames
    onsets: Frames
    contours: Frames | None = None


@dataclass(frozen=True, slots=True)
class NoteSettings:
    """What counts as a note.

    Attributes:
        onset_threshold: Smallest onset peak that starts a note, 0 to 1.
        frame_threshold: Smallest posterior at which it goes on, 0 to 1.
        minimum_frames: Shortest note that is kept.
        lowest_pitch, highest_pitch: MIDI numbers; nothing is found outside.
        energy_trick: Whether energy that no onset explains becomes notes too.
        pitch_bends: Whether each note gets its bend.
    """

    onset_threshold: float = 0.5
    frame_threshold: float = 0.3
    minimum_frames: int = 5
    lowest_pitch: int = LOWEST_PITCH
    highest_pitch: int = LOWEST_PITCH + KEYS - 1
    energy_trick: bool = True
    pitch_bends: bool = False


@dataclass(frozen=True, slots=True)
class FoundNote:
    """A note in frames.

    Attributes:
        start_frame: First frame.
        end_frame: The frame after its last.
        pitch: MIDI number.
        amplitude: Mean posterior while it sounds, 0 to 1.
        bend: Deviation from `pitch` in semitones for each of its frames; None where bends are not asked for.
    """

    start_frame: int
    end_frame: int
    pitch: int
    amplitude: float
    bend: Frames | None = None


class NoteCreator:
    """Turns a stream of posteriors into notes.

    Feed consecutive frames; each call returns the notes that have become certain, and `finish` those that still
    sounded. Memory holds the frames of the longest unfinished island, five minutes at most.

    Attributes:
        settled_before: Frame before which no further note will start.
    """

    def __init__(self, settings: NoteSettings) -> None:
        self.settings = settings
        self.settled_before = 0
        self._first_frame = 0
        self._waiting = 0
        self._notes = np.zeros((KEYS, 0), np.float32)
        self._onsets = np.zeros((KEYS, 0), np.float32)
        self._contours = np.zeros((0, KEYS * CONTOUR_BINS_PER_SEMITONE), np.float32)
        self._support = np.zeros((KEYS, 0), np.bool_)
        self._before = np.full((KEYS, 2), np.inf, np.float32)  # nothing rises out of what was never heard

    def feed(self, posteriors: Posteriors) -> list[FoundNote]:
        """Take consecutive frames; returns notes that no later frame can change."""
        self._append(posteriors)
        self._waiting += len(posteriors.notes)
        # Waiting for half of what is held keeps the cost linear where an island stays open for long.
        if self._waiting < max(_STEP_FRAMES, self._notes.shape[1] // 2):
            return []
        return self._settle(everything=self._notes.shape[1] > _LONGEST_WAIT_FRAMES)

    def finish(self) -> list[FoundNote]:
        """The notes that are left when no more frames follow."""
        return self._settle(everything=True)

    def _append(self, posteriors: Posteriors) -> None:
        inside = slice(
            max(self.settings.lowest_pitch - LOWEST_PITCH, 0), self.settings.highest_pitch - LOWEST_PITCH + 1
        )
        notes = np.zeros((KEYS, len(posteriors.notes)), np.float32)
        onsets = np.zeros_like(notes)
        notes[inside] = posteriors.notes.T[inside]
        onsets[inside] = posteriors.onsets.T[inside]
        np.maximum(onsets, _INFERRED_ONSET_GAIN * _rise(self._before, notes), out=onsets)
        self._before = np.concatenate([self._before, notes], axis=1)[:, -2:]
        support = (notes >= self.settings.frame_threshold) | (onsets >= self.settings.onset_threshold)
        self._notes = np.concatenate([self._notes, notes], axis=1)
        self._onsets = np.concatenate([self._onsets, onsets], axis=1)
        self._support = np.concatenate([self._support, support], axis=1)
        if self.settings.pitch_bends and posteriors.contours is not None:
            self._contours = np.concatenate([self._contours, posteriors.contours])

    def _settle(self, *, everything: bool) -> list[FoundNote]:
        self._waiting = 0
        frames = self._notes.shape[1]
        open_cells = np.zeros_like(self._support) if everything else _open_islands(self._support)
        notes = [
            self._found(*note)
            for note in _notes_of(self._notes, self._onsets, self._support & ~open_cells, self.settings)
        ]
        self._support &= open_cells
        open_columns = np.flatnonzero(open_cells.any(axis=0))
        first_open = int(open_columns[0]) if len(open_columns) else frames
        self.settled_before = self._first_frame + first_open
        self._drop(frames if everything else max(first_open - _HISTORY_FRAMES, 0))
        return sorted(notes, key=lambda note: (note.start_frame, note.pitch))

    def _found(self, band: int, start: int, end: int) -> FoundNote:
        amplitude = float(self._notes[band, start:end].mean())
        bend = _bend(self._contours[start:end], band) if len(self._contours) else None
        return FoundNote(self._first_frame + start, self._first_frame + end, band + LOWEST_PITCH, amplitude, bend)

    def _drop(self, frames: int) -> None:
        self._first_frame += frames
        self._notes = self._notes[:, frames:].copy()
        self._onsets = self._onsets[:, frames:].copy()
        self._support = self._support[:, frames:].copy()
        self._contours = self._contours[frames:].copy()


def _rise(before: Frames, notes: Frames) -> Frames:
    """How much each cell exceeds both of the two frames before it, shape (88, frames)."""
    padded = np.concatenate([before, notes], axis=1)
    rise: Frames = np.minimum(notes - padded[:, 1:-1], notes - padded[:, :-2])
    return np.maximum(rise, 0.0, out=rise)


def _open_islands(support: Mask) -> Mask:
    """The cells of islands that later frames may still join, shape as `support`."""
    from scipy import ndimage

    reach = _SILENCE_FRAMES + 1  # each cell together with the silence after it that a note may bridge
    counts = np.cumsum(np.pad(support, ((0, 0), (reach, 0))), axis=1, dtype=np.int32)
    spread = counts[:, reach:] > counts[:, :-reach]
    islands, _ = ndimage.label(spread, structure=np.ones((3, 3)))
    still_open = np.unique(islands[:, -_LAST_FRAMES:])
    result: Mask = np.isin(islands, still_open[still_open > 0]) & support
    return result


def _notes_of(notes: Frames, onsets: Frames, cells: Mask, settings: NoteSettings) -> Iterator[tuple[int, int, int]]:
    """Notes as (band, start, end) out of the given cells."""
    sounding = cells & (notes >= settings.frame_threshold)
    bands, frames = _starts(notes, onsets, cells, settings.onset_threshold)
    yield from _from_onsets(bands, frames, onsets, sounding, settings.minimum_frames)
    if settings.energy_trick:
        yield from _from_energy(notes, sounding, settings)


def _starts(notes: Frames, onsets: Frames, cells: Mask, threshold: float) -> tuple[Indices, Indices]:
    """Onset peaks as bands and frames, in the order of time."""
    peaks = np.zeros(onsets.shape, np.bool_)
    middle = onsets[:, 1:-1]
    peaks[:, 1:-1] = (middle >= threshold) & (middle > onsets[:, :-2]) & (middle > onsets[:, 2:])
    frames, bands = np.nonzero((peaks & cells).T)
    reach = np.arange(_FADING_FRAMES)
    before = notes[bands[:, None], np.maximum(frames[:, None] - reach, 0)].min(axis=1, initial=1.0)
    after = notes[bands[:, None], np.minimum(frames[:, None] + reach, notes.shape[1] - 1)].max(axis=1, initial=0.0)
    fresh = (before <= _FADED * after) | (onsets[bands, frames] >= _SURE_ONSET) | (frames < _FADING_FRAMES)
    return bands[fresh], frames[fresh]


def _from_onsets(
    bands: Indices, peaks: Indices, onsets: Frames, sounding: Mask, minimum_frames: int
) -> Iterator[tuple[int, int, int]]:
    """Grow a note from each onset, the last first, and take its cells out of `sounding`."""
    next_start = [sounding.shape[1]] * KEYS
    for peak, band in zip(peaks[::-1].tolist(), bands[::-1].tolist(), strict=True):
        end = min(peak + 1 + _reach(sounding[band, peak + 1 :]), next_start[band])
        if end - peak >= minimum_frames:
            flank = onsets[band, max(peak - _LONGEST_FLANK_FRAMES, 0) : peak][::-1]
            start = peak - _leading(flank >= _ONSET_FLANK * onsets[band, peak])
            sounding[max(band - 1, 0) : band + 2, start:end] = False
            next_start[band] = start
            yield band, start, end


def _from_energy(notes: Frames, sounding: Mask, settings: NoteSettings) -> Iterator[tuple[int, int, int]]:
    """Grow a note in both directions from each maximum of what is left, the strongest first."""
    bands, frames = np.nonzero(sounding)
    order = np.argsort(-notes[bands, frames], kind="stable")
    for band, middle in zip(bands[order].tolist(), frames[order].tolist(), strict=True):
        if not sounding[band, middle]:
            continue
        end = middle + 1 + _reach(sounding[band, middle + 1 :])
        start = middle - _reach(sounding[band, :middle][::-1])
        sounding[max(band - 1, 0) : band + 2, start:end] = False
        strong = notes[band, start:end].mean() >= _UNSTARTED_GAIN * settings.frame_threshold
        if strong and end - start >= settings.minimum_frames:
            yield band, start, end


def _leading(mask: Mask) -> int:
    """How many values are true before the first that is not."""
    return len(mask) if mask.all() else int(np.argmin(mask))


def _reach(sounding: Mask) -> int:
    """Frames up to the last sounding one before the first silence that ends a note."""
    positions = np.flatnonzero(sounding)
    steps = np.diff(positions, prepend=-1)
    breaks = np.flatnonzero(steps > _SILENCE_FRAMES)
    count = int(breaks[0]) if len(breaks) else len(positions)
    return int(positions[count - 1]) + 1 if count else 0


def _bend(contours: Frames, band: int) -> Frames:
    """Deviation from a band's pitch in semitones, shape (frames,): the centre of the nearest ridge of the contours."""
    centre = band * CONTOUR_BINS_PER_SEMITONE
    bins = np.arange(max(centre - _BEND_REACH_BINS, 0), min(centre + _BEND_REACH_BINS + 1, contours.shape[1]))
    weights = np.exp(-0.5 * ((bins - centre) / _BEND_SPREAD_BINS) ** 2).astype(np.float32)
    near = contours[:, bins] * weights
    ridge = np.argmax(near, axis=1)
    around = np.clip(ridge[:, None] + np.arange(-1, 2), 0, len(bins) - 1)
    energy = np.take_along_axis(contours[:, bins], around, axis=1) + 1e-9
    position = (energy * bins[around]).sum(axis=1) / energy.sum(axis=1)
    bend: Frames = ((position - centre) / CONTOUR_BINS_PER_SEMITONE).astype(np.float32)
    return bend
