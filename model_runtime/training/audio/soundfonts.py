"""Parts played by SoundFonts through FluidSynth, with the vibrato and swells that a MIDI file can ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.library_log import caught_stderr
from model_runtime.training.audio.attacks import heard, rise_s
from model_runtime.training.audio.music import OFFSET, ONSET, PITCH, VELOCITY, Part

Floats = npt.NDArray[np.float32]
SAMPLE_RATE = 44_100
_QUANTUM = 64  # frames: events fall on these
_MODULATION, _VOLUME, _EXPRESSION, _PEDAL, _REVERB = 1, 7, 11, 64, 91

PIANOS = (0, 0, 0, 1, 2, 4)
# What dies away, and what is blown, bowed or sung.
STRUCK = (5, 6, 8, 10, 11, 12, 24, 25, 26, 27, 32, 33, 45, 46)
SUSTAINED = (16, 19, 21, 40, 41, 42, 48, 52, 53, 56, 57, 58, 60, 61, 64, 65, 66, 68, 69, 70, 71, 72, 73, 74, 75, 79)
SOLO_SUSTAINED = (40, 41, 42, 56, 57, 58, 60, 64, 65, 66, 68, 69, 70, 71, 72, 73, 74)
# The compass of an instrument where it is far narrower than a piano's, as MIDI numbers.
_COMPASS = {
    **{40: (55, 100), 41: (48, 88), 42: (36, 76), 56: (54, 86), 57: (40, 74), 58: (28, 60), 60: (36, 78), 64: (56, 88)},
    **{65: (49, 81), 66: (44, 76), 68: (58, 91), 69: (52, 81), 70: (34, 72), 71: (50, 91), 72: (74, 108)},
    **{73: (60, 96), 74: (60, 92), 52: (43, 84), 53: (43, 84), 24: (40, 84), 25: (40, 84), 32: (28, 60), 33: (28, 60)},
}


@dataclass(frozen=True)
class Voice:
    """A part and its General MIDI program."""

    part: Part
    program: int


def in_compass(part: Part, program: int) -> Part:
    """The notes that the instrument has, moved by the octaves that keep most of them."""
    low, high = _COMPASS.get(program, (21, 108))
    pitches = part.notes[:, PITCH]
    move = max((0, -12, 12, -24, 24), key=lambda m: int(((pitches + m >= low) & (pitches + m <= high)).sum()))
    notes = part.notes.copy()
    notes[:, PITCH] += move
    return Part(notes[(notes[:, PITCH] >= low) & (notes[:, PITCH] <= high)], part.pedal)


class SoundFont:
    """A loaded SoundFont. It stays warm: reading a large one takes seconds."""

    def __init__(self, path: Path) -> None:
        import fluidsynth

        self.name = path.stem
        self._rises_s: dict[tuple[int, int], float] = {}
        said: list[str] = []
        with caught_stderr(said):
            self._synth: Any = fluidsynth.Synth(gain=0.3, samplerate=SAMPLE_RATE, channels=16)
            self._font = self._synth.sfload(str(path))
        if self._font < 0:
            raise ValueError(f"{path} is no SoundFont that FluidSynth reads")

    def close(self) -> None:
        """Give the memory back."""
        self._synth.delete()

    def _silence(self) -> None:
        """What was played before, and its echo, is not heard any more."""
        self._synth.system_reset()
        for channel in range(16):
            self._synth.all_sounds_off(channel)
        self._synth.get_samples(SAMPLE_RATE)

    def heard(self, voice: Voice) -> Part:
        """The part as it is heard: instruments that are blown, bowed or sung speak late."""
        if voice.program not in SUSTAINED:
            return voice.part
        return heard(voice.part, np.array([self._rise_s(voice.program, int(n[PITCH])) for n in voice.part.notes]))

    def _rise_s(self, program: int, pitch: int) -> float:
        known = self._rises_s.get((program, pitch))
        if known is None:
            self._silence()
            self._synth.program_select(0, self._font, 0, program)
            self._synth.cc(0, _REVERB, 0)
            self._synth.noteon(0, pitch, 80)
            stereo = self._synth.get_samples(int(0.65 * SAMPLE_RATE)).reshape(-1, 2)
            known = self._rises_s[program, pitch] = rise_s(stereo.mean(axis=1), SAMPLE_RATE)
        return known

    def play(self, voices: Sequence[Voice], length_s: float, rng: np.random.Generator) -> Floats:
        """The sound of all voices together, shape (frames, 2)."""
        self._silence()
        events: list[tuple[float, int, str, tuple[int, ...]]] = []
        for channel, voice in zip((c for c in range(16) if c != 9), voices, strict=False):
            self._synth.program_select(channel, self._font, 0, voice.program)
            self._synth.cc(channel, _REVERB, int(rng.integers(0, 40)))
            self._synth.cc(channel, _VOLUME, int(rng.integers(70, 120)))
            events += _events(voice, channel, length_s, rng)
        events.sort(key=lambda event: event[:2])
        blocks, frame = [], 0
        for time_s, _, name, arguments in [*events, (length_s, 9, "", ())]:
            count = max(int(time_s * SAMPLE_RATE) // _QUANTUM * _QUANTUM - frame, 0)
            if count:
                blocks.append(self._synth.get_samples(count))
                frame += count
            if name:
                getattr(self._synth, name)(*arguments)
        return np.concatenate(blocks).reshape(-1, 2).astype(np.float32) / 32768.0


def _events(
    voice: Voice, channel: int, length_s: float, rng: np.random.Generator
) -> list[tuple[float, int, str, tuple[int, ...]]]:
    found: list[tuple[float, int, str, tuple[int, ...]]] = []
    for note in voice.part.notes:
        pitch = int(note[PITCH])
        found.append((float(note[ONSET]), 2, "noteon", (channel, pitch, int(np.clip(note[VELOCITY], 1, 127)))))
        found.append((float(note[OFFSET]), 0, "noteoff", (channel, pitch)))
    for down, up in voice.part.pedal:
        found.append((float(down), 1, "cc", (channel, _PEDAL, 127)))
        found.append((float(up), 1, "cc", (channel, _PEDAL, 0)))
    if voice.program in SUSTAINED and rng.random() < 0.7:
        found += _vibrato(channel, length_s, rng)
    return found


def _vibrato(channel: int, length_s: float, rng: np.random.Generator) -> list[tuple[float, int, str, tuple[int, ...]]]:
    """Pitch that swings and loudness that swells, as players' does."""
    times = np.arange(0.0, length_s, 0.02)
    depth_cents = float(rng.uniform(0.0, 35.0))
    rate = float(rng.uniform(4.0, 7.0))
    slow = np.interp(
        times,
        np.arange(0.0, length_s + 1, 0.5),
        rng.uniform(0.2, 1.0, int(2 * length_s) + 3)[: len(np.arange(0.0, length_s + 1, 0.5))],
    )
    drift = 6.0 * np.sin(2 * np.pi * (times * rng.uniform(0.05, 0.4) + rng.random()))
    cents = drift + depth_cents * slow * np.sin(2 * np.pi * (rate * times + rng.random()))
    bends = np.round(cents / 200.0 * 8192).astype(int)  # pyfluidsynth counts from the middle
    loud = np.round(70 + 57 * slow).astype(int)
    found: list[tuple[float, int, str, tuple[int, ...]]] = []
    for time_s, bend, level in zip(times.tolist(), bends.tolist(), loud.tolist(), strict=True):
        found.append((time_s, 1, "pitch_bend", (channel, bend)))
        found.append((time_s, 1, "cc", (channel, _EXPRESSION, min(level, 127))))
    return found
