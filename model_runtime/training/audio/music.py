"""What is played in a training clip: windows of scores, whole arrangements, and textures drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.modality import SUSTAIN_PEDAL, Performance
from model_runtime.tokens.vocabulary import BLOCKS, FINE_TICKS, TICK_S
from model_runtime.training.perform import FASTEST_QPM, Played, ScoreWindow, perform

Floats = npt.NDArray[np.float64]
ONSET, OFFSET, PITCH, VELOCITY = range(4)
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11), (0, 2, 3, 5, 7, 8, 10))
_VOICE_RANGES = ((60, 81), (53, 74), (48, 69), (36, 62))  # soprano, alto, tenor, bass


@dataclass(frozen=True)
class Part:
    """What one instrument plays.

    Attributes:
        notes: Columns onset and offset of the key in seconds, pitch, velocity; shape (n, 4), in order of onsets.
        pedal: When the sustain pedal goes down and up in seconds, shape (m, 2).
    """

    notes: Floats
    pedal: Floats

    def between(self, start_s: float, end_s: float) -> Part:
        """What starts in the stretch, moved to second 0; ends and pedal are cut at its end."""
        kept = self.notes[(self.notes[:, ONSET] >= start_s) & (self.notes[:, ONSET] < end_s - 0.05)].copy()
        kept[:, :PITCH] = np.minimum(kept[:, :PITCH], end_s) - start_s
        pedal = np.clip(self.pedal, start_s, end_s) - start_s
        return Part(kept, pedal[pedal[:, 1] > pedal[:, 0]])


def no_pedal() -> Floats:
    """A pedal that is never touched."""
    return np.zeros((0, 2))


class Scores:
    """Piano parts of scores, as the trunk's corpus keeps them (`model_runtime.training.corpus`).

    Args:
        folders: Of one split each.
    """

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.paths = sorted(path for folder in folders for path in folder.glob("*.npz"))

    def draw(self, length_s: float, rng: np.random.Generator) -> tuple[Part, str]:
        """About `length_s` of one of them, performed."""
        while True:
            path = self.paths[int(rng.integers(len(self.paths)))]
            with np.load(path) as arrays:
                starts, onset = arrays["measure_start"].astype(float), arrays["note_onset"].astype(float)
                columns = [arrays[f"note_{name}"] for name in ("duration", "pitch", "staff", "flags")]
            if len(starts) < 3 or len(onset) < 4:
                continue
            first = float(starts[int(rng.integers(len(starts) - 1))])
            quarters = min(float(starts[-1]) - first, length_s * FASTEST_QPM / 60)
            inside = (onset >= first) & (onset < first + quarters)
            if inside.sum() < 4:
                continue
            duration, pitch, staff, flags = (column[inside] for column in columns)
            window = ScoreWindow(
                *(onset[inside] - first, duration.astype(float)),
                *(pitch.astype(np.int64), staff.astype(np.int64), flags.astype(np.int64)),
                *(quarters, float(np.median(np.diff(starts)))),
            )
            played = _part_of(perform(window, rng))
            moved = replace(played, notes=played.notes + np.array((0.3, 0.3, 0.0, 0.0)), pedal=played.pedal + 0.3)
            return moved.between(0.0, length_s), path.stem


def _part_of(played: Played) -> Part:
    ids = played.ids
    kinds = ids[:, 0] - BLOCKS["note"].start
    onset = played.ticks * TICK_S
    ticks = (ids[:, 2] - BLOCKS["duration_coarse"].start) * FINE_TICKS + ids[:, 3] - BLOCKS["duration_fine"].start
    pitch = ids[:, 1] - BLOCKS["pitch"].start
    velocity = (ids[:, 4] - BLOCKS["velocity"].start) * 4 + 2
    notes = np.stack([onset, onset + ticks * TICK_S, pitch, velocity], axis=1)[kinds < 2]
    down, up = onset[kinds == 2], onset[kinds == 3]
    count = min(len(down), len(up))
    return Part(notes.astype(float), np.stack([down[:count], up[:count]], axis=1))


class Arrangements:
    """Performances in MIDI files, whose tracks are played together.

    Args:
        paths: The files.
    """

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def draw(self, length_s: float, rng: np.random.Generator) -> tuple[Part, str]:
        """A stretch of one of them, at times slower, faster or transposed."""
        from model_runtime.files.midi import read_midi

        while True:
            path = self.paths[int(rng.integers(len(self.paths)))]
            part = part_of(read_midi(path))
            if rng.random() < 0.4:  # the accompaniment is a piece of its own
                part = part_of(read_midi(path), track=2)
            rate = float(np.exp(rng.normal(0.0, 0.12)))
            start_s = float(rng.uniform(0.0, max(part.notes[-1, OFFSET] / rate - length_s, 1.0)))
            notes = part.notes.copy()
            notes[:, :PITCH] /= rate
            notes[:, PITCH] += rng.integers(-5, 6)
            cut = Part(notes, part.pedal / rate).between(start_s, start_s + length_s)
            if len(cut.notes) >= 4:
                return cut, path.stem


def part_of(performance: Performance, track: int | None = None) -> Part:
    """The notes of a performance, or of one of its tracks, as if one instrument played them."""
    rows = [
        (note.onset_s, note.offset_s, note.pitch, note.velocity)
        for note in performance.notes
        if track is None or note.track == track
    ]
    down_s, spans = None, []
    for control in performance.controls:
        if control.number != SUSTAIN_PEDAL:
            continue
        if control.value >= 64 and down_s is None:
            down_s = control.time_s
        elif control.value < 64 and down_s is not None:
            spans.append((down_s, control.time_s))
            down_s = None
    return Part(np.array(rows, float).reshape(-1, 4), np.array(spans, float).reshape(-1, 2))


def chorale(length_s: float, rng: np.random.Generator) -> list[Part]:
    """Two to four voices that move mostly by step and mostly together, each on an instrument of its own."""
    scale = np.array(_SCALES[int(rng.integers(len(_SCALES)))]) + int(rng.integers(12))
    beat_s = float(rng.uniform(0.4, 1.1))
    beats = int(length_s / beat_s)
    root = np.cumsum(rng.choice([0, 3, 4, 1, 5, 2], beats)) % 7
    voices = sorted(rng.choice(4, int(rng.integers(2, 5)), replace=False))
    jitter = float(rng.uniform(0.0, 0.03))
    parts = []
    for voice in voices:
        low, high = _VOICE_RANGES[voice]
        inside = np.array([p for p in range(low, high + 1) if (p - scale[0]) % 12 in (scale - scale[0]) % 12])
        at = int(rng.integers(len(inside)))
        rows: list[list[float]] = []
        for beat in range(beats):
            triad = {int(scale[(root[beat] + step) % 7] % 12) for step in (0, 2, 4)}
            tones = [i for i in range(len(inside)) if int(inside[i]) % 12 in triad]
            at = min(tones, key=lambda i: abs(i - at - rng.normal(0.0, 2.0)))
            steps = [(beat * beat_s, beat_s, at)]
            draw = rng.random()
            if draw < 0.25:
                passing = int(np.clip(at + rng.choice([-1, 1]), 0, len(inside) - 1))
                steps = [(beat * beat_s, beat_s / 2, at), ((beat + 0.5) * beat_s, beat_s / 2, passing)]
                at = passing
            elif draw < 0.4 and rows:
                rows[-1][OFFSET] = (beat + 1) * beat_s
                continue
            rows += [[s + 0.1, s + 0.1 + d, float(inside[i]), 0.0] for s, d, i in steps]
        notes = np.array(rows)
        notes[:, VELOCITY] = np.clip(rng.normal(rng.uniform(50, 100), 8, len(notes)), 1, 127)
        late = np.maximum(notes[:, ONSET] + rng.normal(0, jitter, len(notes)), 0)
        gaps = np.diff(late, append=length_s)
        notes[:, OFFSET] = late + np.minimum(notes[:, OFFSET] - notes[:, ONSET], gaps) * rng.uniform(0.85, 1.0)
        notes[:, ONSET] = late
        parts.append(Part(notes[gaps > 0.03], no_pedal()))
    return parts


def texture(length_s: float, rng: np.random.Generator) -> Part:
    """Notes anywhere: any pitch, any length, chords and clusters, sparse to dense, repeated keys."""
    rate = float(np.exp(rng.uniform(np.log(1.5), np.log(14.0))))
    onsets = np.sort(rng.uniform(0.1, length_s - 0.1, max(int(rate * length_s), 4)))
    if rng.random() < 0.5:
        grid = float(rng.uniform(0.08, 0.3))
        onsets = np.round(onsets / grid) * grid
    centre, spread = rng.uniform(45, 80), rng.uniform(4, 22)
    pitches = np.clip(np.round(rng.normal(centre, spread, len(onsets))), 21, 108)
    lengths = np.exp(rng.normal(np.log(rng.uniform(0.12, 0.8)), 0.6, len(onsets)))
    velocities = np.clip(rng.normal(rng.uniform(30, 105), rng.uniform(2, 25), len(onsets)), 1, 127)
    notes = np.stack([onsets, onsets + np.clip(lengths, 0.05, 6.0), pitches, velocities], axis=1)
    repeat = rng.random(len(notes)) < 0.1
    again = notes[repeat] + np.array([0.15, 0.15, 0, 0]) * rng.uniform(0.7, 3.0)
    notes = np.concatenate([notes, again])
    pedal = no_pedal()
    if rng.random() < 0.4:
        cuts = np.cumsum(rng.uniform(0.4, 3.0, int(length_s)))
        cuts = cuts[cuts < length_s]
        pedal = np.stack([cuts[:-1] + 0.08, cuts[1:]], axis=1)
    return Part(notes[np.argsort(notes[:, ONSET], kind="stable")], pedal).between(0.0, length_s)


def voices_of(part: Part, count: int) -> list[Part]:
    """The notes shared out among instruments that play one note at a time, the highest first."""
    ends = np.zeros(count)
    last = np.array([_VOICE_RANGES[round(i * 3 / max(count - 1, 1))] for i in range(count)], float).mean(axis=1)
    rows: list[list[list[float]]] = [[] for _ in range(count)]
    for note in part.notes:
        cost = np.abs(last - note[PITCH]) + 40.0 * (ends > note[ONSET] + 0.08)
        voice = int(np.argmin(cost))
        if rows[voice] and note[ONSET] - rows[voice][-1][ONSET] < 0.06:
            continue  # it cannot play two at once, so the second is left out
        if rows[voice]:
            rows[voice][-1][OFFSET] = min(rows[voice][-1][OFFSET], note[ONSET])
        rows[voice].append(note.tolist())
        ends[voice], last[voice] = note[OFFSET], note[PITCH]
    return [Part(np.array(each), no_pedal()) for each in rows if each]


def without_restrikes(part: Part) -> Part:
    """Each key's note ends where the key is struck again; strokes within 50 ms of another are left out."""
    order = np.lexsort((part.notes[:, ONSET], part.notes[:, PITCH]))
    notes = part.notes[order].copy()
    same = np.diff(notes[:, PITCH], prepend=-1) == 0
    keep = ~(same & (np.diff(notes[:, ONSET], prepend=-9) < 0.05))
    notes = notes[keep]
    following = np.append(np.where(np.diff(notes[:, PITCH]) == 0, notes[1:, ONSET], np.inf), np.inf)
    notes[:, OFFSET] = np.minimum(notes[:, OFFSET], following - 0.005)
    notes[:, OFFSET] = np.maximum(notes[:, OFFSET], notes[:, ONSET] + 0.03)
    return Part(notes[np.argsort(notes[:, ONSET], kind="stable")], part.pedal)


def sounding(part: Part, *, fades: bool) -> Floats:
    """The notes with the ends of their sound: the pedal holds them, another stroke of the key ends them.

    Args:
        fades: Whether the sound dies away by itself, as a piano's.
    """
    notes = part.notes.copy()
    for down, up in part.pedal:
        held = (notes[:, OFFSET] >= down) & (notes[:, OFFSET] < up)
        notes[held, OFFSET] = up
    order = np.lexsort((notes[:, ONSET], notes[:, PITCH]))
    ordered = notes[order]
    following = np.append(np.where(np.diff(ordered[:, PITCH]) == 0, ordered[1:, ONSET], np.inf), np.inf)
    ordered[:, OFFSET] = np.minimum(ordered[:, OFFSET], following)
    if fades:
        longest = 10.0 * 2.0 ** (-(ordered[:, PITCH] - 36) / 18)
        ordered[:, OFFSET] = np.minimum(ordered[:, OFFSET], ordered[:, ONSET] + longest)
    return ordered[np.argsort(ordered[:, ONSET], kind="stable")]
