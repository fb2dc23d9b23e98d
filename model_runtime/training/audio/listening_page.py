"""A page of clips to listen to and to look at, so that a person can check what the audio reader is fed.

    python -m model_runtime.training.audio.listening_page --scores CORPUS --midi POP909 --samples SAMPLES \
        --soundfont A.sf2 --out PAGE --clips 24

PAGE/index.html has for each clip its sound, its frames with the notes drawn on them, and what it was made of.
"""

from __future__ import annotations

import argparse
import html
from pathlib import Path

import numpy as np

from model_runtime.training.audio.corpus import CLIP_S, Clip, add_studio_options, studio_of
from model_runtime.unified.audio_front_end import (
    BINS,
    BINS_PER_SEMITONE,
    FLOOR_DB,
    HISTORY_SAMPLES,
    LOWEST_PITCH,
    SAMPLE_RATE,
    SCALE_DB,
    frames_of,
)

_RISE_S = 512 / SAMPLE_RATE  # how long after an attack its column of frames stands
_SHOWN_DB = (-90.0, -10.0)


def write_clip(clip: Clip, folder: Path, name: str) -> str:
    """Write a clip's sound and picture; returns its piece of the page."""
    import soundfile

    soundfile.write(folder / f"{name}.ogg", clip.sound, SAMPLE_RATE, format="OGG", subtype="VORBIS")
    draw(clip, folder / f"{name}.png")
    about = html.escape(", ".join(f"{key}: {value}" for key, value in clip.about.items()))
    return (
        f"<section><h2>{name}</h2><p>{about}; {len(clip.notes)} notes</p>"
        f'<audio controls preload="none" src="{name}.ogg"></audio><br><img src="{name}.png" alt="frames"></section>'
    )


def draw(clip: Clip, path: Path) -> None:
    """The clip's frames, its notes on their pitches, the pedal below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    frames = frames_of(np.concatenate([np.zeros(HISTORY_SAMPLES, np.float32), clip.sound]))
    top = LOWEST_PITCH + (BINS - 1.5) / BINS_PER_SEMITONE
    figure, axes = plt.subplots(figsize=(16, 6), layout="constrained")
    axes.imshow(
        frames.T * SCALE_DB + FLOOR_DB,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=_SHOWN_DB[0],
        vmax=_SHOWN_DB[1],
        extent=(0.0, len(clip.sound) / SAMPLE_RATE, LOWEST_PITCH - 0.5, top),
    )
    for onset_s, end_s, pitch, _ in clip.notes:
        axes.plot([onset_s + _RISE_S, min(end_s + _RISE_S, CLIP_S)], [pitch, pitch], color="cyan", linewidth=0.8)
        axes.plot([onset_s + _RISE_S], [pitch], marker="|", color="white", markersize=5)
    for down_s, up_s in clip.pedal if clip.pedalled else ():
        axes.plot([down_s, up_s], [LOWEST_PITCH, LOWEST_PITCH], color="lime", linewidth=3)
    axes.set(xlabel="s", ylabel="MIDI pitch", xlim=(0.0, len(clip.sound) / SAMPLE_RATE), ylim=(LOWEST_PITCH - 0.5, top))
    figure.savefig(path, dpi=60)
    plt.close(figure)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write a page of training clips to listen to.")
    add_studio_options(parser)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    studio = studio_of(arguments)
    numbers = range(arguments.first, arguments.first + arguments.clips)
    sections = [write_clip(studio.clip(number), arguments.out, f"{number:06d}") for number in numbers]
    page = "<!doctype html><meta charset='utf-8'><title>What the audio reader is fed</title>" + "".join(sections)
    (arguments.out / "index.html").write_text(page + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
