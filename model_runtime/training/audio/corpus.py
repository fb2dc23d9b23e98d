"""Builds the audio reader's corpus: clips of frames and notes, no sound is kept.

    python -m model_runtime.training.audio.corpus --scores CORPUS --midi POP909 --samples SAMPLES \
        --soundfont A.sf2 --soundfont B.sf3 --out DIR --clips 1000

`CORPUS` is the trunk's corpus (its splits are kept); every twentieth file of `POP909` is left for `dev`. `SAMPLES`
holds folders of sampled instruments. Clip i of a split depends on i and the split alone, so that a build can be stopped
and gone on with, or enlarged, and a run that reads the first n clips reads the same ones ever after.
"""

from __future__ import annotations

import argparse
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_runtime.training.audio import music, soundfonts
from model_runtime.training.audio.degrade import degraded
from model_runtime.training.audio.music import Part
from model_runtime.training.audio.samplers import Sampler
from model_runtime.training.audio.singing import sing
from model_runtime.training.audio.soundfonts import SoundFont, Voice
from model_runtime.unified.audio_front_end import (
    BINS,
    HISTORY_SAMPLES,
    HOP_SAMPLES,
    SAMPLE_RATE,
    SCALE_DB,
    frames_of,
)

Floats = npt.NDArray[np.float32]
CLIP_S = 20.0
STEP_DB = 0.4  # of a stored frame's value
LARGEST_DETUNE_CENTS = 50.0
SPLITS = {"train": ("train", "train_extra"), "dev": ("dev",)}
_DEV_EVERY = 20  # of the MIDI files
# Kinds of clips and how often they come.
KINDS = {"piano": 0.44, "ensemble": 0.28, "texture": 0.12, "one instrument": 0.1, "sung": 0.06}
_SUNG_SHARE, _SAMPLED_SHARE = 0.25, 0.5  # of an ensemble's parts
_SAMPLED = {
    "grand": ("piano-velocity", True),
    "upright": ("instrument-piano", True),
    "violin": ("violin", False),
    "clarinet": ("clarinet", False),
    "saxophone": ("saxophone", False),
    "bassoon": ("bassoon", False),
    "cello": ("cello", False),
}


@dataclass(frozen=True)
class Clip:
    """Sound and what is heard in it.

    Attributes:
        sound: Mono at `SAMPLE_RATE`.
        notes: Columns onset and end of the sound in seconds, pitch, velocity; shape (n, 4).
        pedal: When the pedal is down, shape (m, 2); meaningful where `pedalled`.
        pedalled: Whether one piano plays, so that there is a pedal to be heard.
        about: Where it comes from.
    """

    sound: Floats
    notes: npt.NDArray[np.float64]
    pedal: npt.NDArray[np.float64]
    pedalled: bool
    about: dict[str, str]


class Studio:
    """Scores, instruments and rooms.

    Args:
        scores: The trunk's corpus.
        midi: Folder of MIDI files.
        samples: Folder of folders of single notes.
        fonts: SoundFonts.
        split: "train" or "dev".
    """

    def __init__(self, scores: Path, midi: Path, samples: Path, fonts: list[Path], split: str) -> None:
        self.split = split
        self.scores = music.Scores(tuple(scores / name for name in SPLITS[split]))
        paths = sorted(midi.glob("*.mid"))
        self.arrangements = music.Arrangements(
            [p for i, p in enumerate(paths) if (i % _DEV_EVERY == 0) == (split == "dev")]
        )
        self._fonts = [SoundFont(path) for path in fonts]
        folders = [path for path in sorted(samples.iterdir()) if path.is_dir()]
        self._samplers = {
            name: Sampler(name, [f for f in folders if key in f.name], fades=fades)
            for name, (key, fades) in _SAMPLED.items()
            if any(key in f.name for f in folders)
        }

    def clip(self, number: int, kind: str | None = None) -> Clip:
        """Clip `number` of the split, of a kind where one is asked for."""
        rng = np.random.default_rng([zlib.crc32(self.split.encode()), number])
        drawn = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        kind = kind or drawn
        while True:
            made = self._made(kind, rng)
            if made is not None:
                return made

    def _made(self, kind: str, rng: np.random.Generator) -> Clip | None:
        seconds = CLIP_S * 1.04  # a lower tuning makes it longer
        part, source = self._music(seconds, rng) if kind != "texture" else (music.texture(seconds, rng), "texture")
        about = {"kind": kind, "music": source}
        if kind in ("ensemble", "sung"):
            parts = music.chorale(seconds, rng)[: 1 if kind == "sung" else 4]
            about["music"] = "chorale"
            if rng.random() < 0.5:
                count = 1 if kind == "sung" else int(rng.integers(1, 5))
                parts, about["music"] = music.voices_of(part, count), source
            sung = 1.0 if kind == "sung" else _SUNG_SHARE
            sound, notes, about["sound"] = self._ensemble(parts, seconds, sung, rng)
            pedalled, part = False, Part(notes, music.no_pedal())
        else:
            part = music.without_restrikes(part)
            piano = kind == "piano" or (kind == "texture" and rng.random() < 0.5)
            sound, part, about["sound"], fades = self._alone(part, seconds, piano, rng)
            pedalled, notes = fades and piano, music.sounding(part, fades=fades)
        if len(notes) < 4 or float(np.abs(sound).max()) < 1e-4:
            return None
        return _recorded(sound, notes, part.pedal, pedalled, about, rng)

    def _music(self, seconds: float, rng: np.random.Generator) -> tuple[Part, str]:
        if rng.random() < 0.55:
            part, name = self.scores.draw(seconds, rng)
            return part, f"score {name}"
        part, name = self.arrangements.draw(seconds, rng)
        return part, f"midi {name}"

    def _alone(
        self, part: Part, seconds: float, piano: bool, rng: np.random.Generator
    ) -> tuple[Floats, Part, str, bool]:
        """One instrument: its sound, what it plays, its name, and whether it dies away by itself."""
        sampled = [s for s in self._samplers.values() if s.fades]
        if piano and sampled and rng.random() < 0.5:
            sampler = sampled[int(rng.integers(len(sampled)))]
            part = sampler.playable(part)
            sound, part = sampler.play(part, seconds, rng)
            return sound, part, sampler.name, True
        font = self._fonts[int(rng.integers(len(self._fonts)))]
        choices = soundfonts.PIANOS if piano else soundfonts.STRUCK + soundfonts.SUSTAINED
        program = int(rng.choice(choices))
        part = soundfonts.in_compass(part, program)
        if program in soundfonts.SUSTAINED:
            part = Part(part.notes, music.no_pedal())
        stereo = font.play([Voice(part, program)], seconds, rng)
        part = font.heard(Voice(part, program))
        return _mono(stereo, rng), part, f"{font.name} {program}", program not in soundfonts.SUSTAINED

    def _ensemble(
        self, parts: list[Part], seconds: float, sung: float, rng: np.random.Generator
    ) -> tuple[Floats, npt.NDArray[np.float64], str]:
        """Several solo instruments at once, sung, sampled or from a SoundFont, each as loud as it likes."""
        sampled = [s for s in self._samplers.values() if not s.fades]
        total = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
        notes, names = [], []
        for part in parts:
            gain = np.float32(10.0 ** (rng.uniform(-9.0, 0.0) / 20))
            part = music.without_restrikes(part)
            if not len(part.notes):
                continue
            draw = rng.random()
            if draw < sung:
                name = "sung"
                sound, part = sing(part, seconds, rng)
            elif sampled and draw < sung + _SAMPLED_SHARE:
                sampler = sampled[int(rng.integers(len(sampled)))]
                part, name = sampler.playable(part), sampler.name
                sound, part = sampler.play(part, seconds, rng)
            else:
                font = self._fonts[int(rng.integers(len(self._fonts)))]
                program = int(rng.choice(soundfonts.SOLO_SUSTAINED))
                part, name = soundfonts.in_compass(part, program), f"{font.name} {program}"
                sound = _mono(font.play([Voice(part, program)], seconds, rng), rng)
                part = font.heard(Voice(part, program))
            peak = float(np.abs(sound).max()) or 1.0
            count = min(len(total), len(sound))
            total[:count] += sound[:count] * gain * np.float32(0.3 / peak)
            notes.append(part.notes)
            names.append(name)
        if not notes:
            return total, np.zeros((0, 4)), ""
        joined = music.without_restrikes(Part(np.concatenate(notes), music.no_pedal())).notes
        return total, joined, ", ".join(names)


def _mono(stereo: Floats, rng: np.random.Generator) -> Floats:
    import soxr

    balance = float(rng.uniform(0.3, 0.7))
    mixed = stereo[:, 0] * np.float32(balance) + stereo[:, 1] * np.float32(1 - balance)
    return np.asarray(soxr.resample(mixed, soundfonts.SAMPLE_RATE, SAMPLE_RATE), np.float32)


def _recorded(
    sound: Floats,
    notes: npt.NDArray[np.float64],
    pedal: npt.NDArray[np.float64],
    pedalled: bool,
    about: dict[str, str],
    rng: np.random.Generator,
) -> Clip:
    """Tuned to another pitch, degraded, and cut to the clip's length."""
    import soxr

    cents = float(rng.uniform(-1, 1)) * LARGEST_DETUNE_CENTS if rng.random() < 0.4 else float(rng.normal(0.0, 6.0))
    cents = float(np.clip(cents, -LARGEST_DETUNE_CENTS, LARGEST_DETUNE_CENTS))
    speed = 2.0 ** (cents / 1200)
    tuned = soxr.resample(sound, SAMPLE_RATE * speed, SAMPLE_RATE)[: int(CLIP_S * SAMPLE_RATE)]
    notes, pedal = notes.copy(), pedal / speed
    notes[:, :2] /= speed
    notes = notes[notes[:, 0] < CLIP_S - 0.01]
    kept = np.pad(tuned, (0, max(int(CLIP_S * SAMPLE_RATE) - len(tuned), 0))).astype(np.float32)
    return Clip(degraded(kept, rng), notes, pedal, pedalled, about | {"cents": f"{cents:.0f}"})


def stored(frames: Floats) -> npt.NDArray[np.uint8]:
    """Frames in steps of 0.4 dB."""
    return np.clip(np.rint(frames * (SCALE_DB / STEP_DB)), 0, 255).astype(np.uint8)


def restored(values: npt.NDArray[np.uint8]) -> Floats:
    """What `stored` was given, but for the rounding."""
    return values.astype(np.float32) * np.float32(STEP_DB / SCALE_DB)


def path_of(out: Path, split: str, number: int) -> Path:
    """Where a clip lies."""
    return out / split / f"{number:06d}.npz"


def save(clip: Clip, path: Path) -> None:
    """Write a clip's frames and notes."""
    silent = np.zeros(HISTORY_SAMPLES, np.float32)
    frames = stored(frames_of(np.concatenate([silent, clip.sound])))
    assert frames.shape == (len(clip.sound) // HOP_SAMPLES, BINS)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez(
            file,
            frames=frames,
            notes=clip.notes.astype(np.float32),
            pedal=clip.pedal.astype(np.float32),
            pedalled=np.array(clip.pedalled),
            about=np.array(json.dumps(clip.about)),
        )
    temporary.replace(path)


def build(studio: Studio, out: Path, numbers: range) -> int:
    """Make the clips that are not there yet; returns how many were made."""
    (out / studio.split).mkdir(parents=True, exist_ok=True)
    made = 0
    for number in numbers:
        path = path_of(out, studio.split, number)
        if not path.exists():
            save(studio.clip(number), path)
            made += 1
    return made


def add_studio_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what a studio is made of."""
    parser.add_argument("--scores", type=Path, required=True, help="the trunk's corpus")
    parser.add_argument("--midi", type=Path, required=True, help="folder of MIDI files")
    parser.add_argument("--samples", type=Path, required=True, help="folder of folders of single notes")
    parser.add_argument("--soundfont", type=Path, action="append", required=True, help="may be given several times")
    parser.add_argument("--split", choices=tuple(SPLITS), default="train")


def studio_of(arguments: argparse.Namespace) -> Studio:
    """The studio that the options ask for."""
    return Studio(arguments.scores, arguments.midi, arguments.samples, arguments.soundfont, arguments.split)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Build the audio reader's corpus.")
    add_studio_options(parser)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=1000, help="of 20 seconds")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    build(studio_of(arguments), arguments.out, range(arguments.clips))


if __name__ == "__main__":
    main()
