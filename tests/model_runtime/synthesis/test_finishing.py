"""Raw sound made ready for a musician."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from model_runtime.engines.base import Context
from model_runtime.modality import FloatArray
from model_runtime.options import Options
from model_runtime.synthesis.finishing import LONGEST_TAIL_S, finished_audio
from model_runtime.synthesis.loudness import integrated_loudness

RATE = 44100


def tone_then_silence(tone_s: float, block_frames: int, gap_s: float = 0.0) -> Iterator[FloatArray]:
    """A tone that stops, with a second one after `gap_s` if there is a gap, then silence; in blocks."""
    frames = np.arange(round((tone_s + gap_s + LONGEST_TAIL_S + 1) * RATE)) / RATE
    sounding = (frames < tone_s) | ((frames >= tone_s + gap_s) & (frames < tone_s + 2 * gap_s))
    wave = np.where(sounding, 0.2 * np.sin(2 * np.pi * 440 * frames), 0).astype(np.float32)
    stereo = np.stack([wave, wave], axis=1)
    for start in range(0, len(stereo), block_frames):
        yield stereo[start : start + block_frames]


@pytest.mark.parametrize("tone_s", [0.5, 1.25, 4.0])
@pytest.mark.parametrize("block_frames", [1 << 13, 1 << 15])
def test_a_short_sound_is_as_loud_as_asked_whatever_silence_was_rendered_after_it(
    tone_s: float, block_frames: int
) -> None:
    audio = finished_audio(tone_then_silence(tone_s, block_frames), tone_s, Options(loudness=-20.0), Context())
    assert audio.duration_s == pytest.approx(tone_s, abs=0.01)
    assert integrated_loudness(audio.samples(), RATE) == pytest.approx(-20.0, abs=0.1)


def test_an_echo_after_the_last_note_counts_towards_the_loudness() -> None:
    raw = tone_then_silence(1.0, 1 << 13, gap_s=0.15)
    audio = finished_audio(raw, 1.0, Options(loudness=-20.0), Context())
    assert audio.duration_s == pytest.approx(1.3, abs=0.01)
    assert integrated_loudness(audio.samples(), RATE) == pytest.approx(-20.0, abs=0.1)
