"""Parts played from recordings of single notes: a grand piano, a violin, a clarinet, whatever a folder holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.training.audio.attacks import heard, rise_s
from model_runtime.training.audio.music import OFFSET, ONSET, PITCH, VELOCITY, Part, sounding
from model_runtime.unified.audio_front_end import SAMPLE_RATE

Floats = npt.NDArray[np.float32]
_NAME = re.compile(r"^([A-G])(#|s|b)?(-?\d)(?:\s*v(\d+))?$")
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_AUDIBLE = 0.05  # of a sample's peak: there its attack is
_LEAD_S = 0.004  # kept before the attack
_FARTHEST = 7  # semitones that a sample is moved by


@dataclass(frozen=True)
class Sample:
    """One recorded note, mono at `SAMPLE_RATE`, trimmed to its attack and of peak 1."""

    pitch: int
    layer: int
    sound: Floats


class Sampler:
    """An instrument.

    Args:
        folders: With sound files called by their pitch (`A#3.ogg`, `Cs4.mp3`), a layer of loudness behind a v or not.
        fades: Whether its notes die away by themselves.
    """

    def __init__(self, name: str, folders: list[Path], *, fades: bool) -> None:
        self.name, self.fades = name, fades
        self.samples = [
            sample
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.suffix in (".ogg", ".mp3", ".wav") and (sample := _read(path)) is not None
        ]
        if not self.samples:
            raise ValueError(f"no samples for {name}")
        self.lowest = min(s.pitch for s in self.samples) - _FARTHEST // 2
        self.highest = max(s.pitch for s in self.samples) + _FARTHEST // 2

    def playable(self, part: Part) -> Part:
        """The notes that it has, moved by the octaves that keep most of them."""
        pitches = part.notes[:, PITCH]
        moves = (0, -12, 12, -24, 24)
        move = max(moves, key=lambda m: int(((pitches + m >= self.lowest) & (pitches + m <= self.highest)).sum()))
        notes = part.notes.copy()
        notes[:, PITCH] += move
        inside = (notes[:, PITCH] >= self.lowest) & (notes[:, PITCH] <= self.highest)
        return Part(notes[inside], part.pedal)

    def play(self, part: Part, length_s: float, rng: np.random.Generator) -> tuple[Floats, Part]:
        """The sound of a part, shape (frames,), and the part as it is heard."""
        out = np.zeros(int(length_s * SAMPLE_RATE), np.float32)
        release_s = float(rng.uniform(0.05, 0.25))
        legato = 0.0 if self.fades else float(rng.uniform(0.0, 0.6))
        depth = 0.0 if self.fades else float(rng.uniform(0.0, 35.0))
        off_cents = 0.0 if self.fades else float(rng.normal(0.0, 10.0))
        slow_s = 0.0 if self.fades else float(min(rng.exponential(0.05), 0.2))
        rises_s = np.zeros(len(part.notes))
        for i, note in enumerate(sounding(part, fades=self.fades)):
            sound = self._note(note, release_s, legato, depth, off_cents, rng)
            if not self.fades:
                rise = int(slow_s * rng.uniform(0.5, 1.5) * SAMPLE_RATE)
                sound[:rise] *= np.linspace(0.0, 1.0, rise, dtype=np.float32)[: len(sound)]
                rises_s[i] = rise_s(sound, SAMPLE_RATE)
            first = int(note[ONSET] * SAMPLE_RATE)
            lead = min(int(_LEAD_S * SAMPLE_RATE), first)
            sound = sound[int(_LEAD_S * SAMPLE_RATE) - lead :][: len(out) - first + lead]
            out[first - lead : first - lead + len(sound)] += sound
        return out, heard(part, rises_s)

    def _note(
        self,
        note: npt.NDArray[np.float64],
        release_s: float,
        legato: float,
        depth: float,
        off_cents: float,
        rng: np.random.Generator,
    ) -> Floats:
        sample = self._nearest(int(note[PITCH]), float(note[VELOCITY]), rng)
        cents = off_cents + float(rng.normal(0.0, 1.5 if self.fades else 8.0))
        ratio = 2.0 ** ((note[PITCH] - sample.pitch + cents / 100) / 12)
        held = int((note[OFFSET] - note[ONSET] + _LEAD_S) * SAMPLE_RATE)
        total = held + int(release_s * SAMPLE_RATE)
        places = np.arange(total) * ratio
        if depth:
            rate = float(rng.uniform(4.5, 6.5))
            swing = np.sin(2 * np.pi * (rate * np.arange(total) / SAMPLE_RATE + rng.random()))
            places = places + swing * depth / 1731.0 * SAMPLE_RATE / (2 * np.pi * rate)
        skipped = 0
        if rng.random() < legato:  # slurred: the attack of the recording is left out
            skipped = int(rng.uniform(0.05, 0.2) * SAMPLE_RATE)
            places = np.maximum(places, 0.0) + skipped
        places = places[(places < len(sample.sound) - 1)]
        if not len(places):
            return np.zeros(0, np.float32)
        sound = np.interp(places, np.arange(len(sample.sound)), sample.sound).astype(np.float32)
        if skipped:
            rise = int(rng.uniform(0.01, 0.05) * SAMPLE_RATE)
            sound[:rise] *= np.linspace(0.0, 1.0, rise, dtype=np.float32)[: len(sound)]
        if len(sound) > held:
            fall = np.arange(len(sound) - held, dtype=np.float32)
            sound[held:] *= np.exp(-fall / (release_s * SAMPLE_RATE / 5))
        elif len(sound) < held:  # the recording is over first
            tail = min(len(sound), int(0.05 * SAMPLE_RATE))
            sound[-tail:] *= np.linspace(1.0, 0.0, tail, dtype=np.float32)
        gain = (max(float(note[VELOCITY]), 4.0) / 127.0) ** 1.7
        return sound * np.float32(0.3 * gain)

    def _nearest(self, pitch: int, velocity: float, rng: np.random.Generator) -> Sample:
        layers = sorted({s.layer for s in self.samples})
        wanted = layers[min(int(velocity / 128 * len(layers)), len(layers) - 1)]
        if not self.fades and rng.random() < 0.3:  # a sustained instrument is rarely recorded on every key
            pitch += int(rng.integers(-2, 3))
        return min(self.samples, key=lambda s: abs(s.pitch - pitch) + 100 * abs(s.layer - wanted))


def _read(path: Path) -> Sample | None:
    import soundfile
    import soxr

    found = _NAME.match(path.stem)
    if found is None:
        return None
    letter, sign, octave, layer = found.groups()
    pitch = _SEMITONES[letter] + {"#": 1, "s": 1, "b": -1, None: 0}[sign] + 12 * (int(octave) + 1)
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(sound.mean(axis=1), rate, SAMPLE_RATE)
    attack = int(np.argmax(np.abs(mono) > _AUDIBLE * np.abs(mono).max()))
    lead = int(_LEAD_S * SAMPLE_RATE)
    mono = np.pad(mono, (lead, 0))[attack : attack + lead + 14 * SAMPLE_RATE]
    return Sample(pitch, int(layer or 0), (mono / np.abs(mono).max()).astype(np.float32))
