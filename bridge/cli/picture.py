"""A picture of a transcription: the notes that were found, drawn over the spectrogram of what was heard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from model_runtime.files.audio import resampled
from model_runtime.modality import Audio, Performance

SAMPLE_RATE = 22050
WINDOW_SAMPLES = 4096
RANGE_DB = 70.0
MARGIN_LEFT, MARGIN_BOTTOM, MARGIN_TOP = 64, 44, 48
ROW_PX = 10  # height of a semitone
LONGEST_S = 60.0  # a longer recording shows its beginning
BACKGROUND, INK, GRID = (16, 18, 24), (220, 224, 232), (58, 62, 74)
NOTE_FILL, NOTE_EDGE = (255, 170, 60, 120), (255, 214, 150, 255)

Image_ = npt.NDArray[np.uint8]


def draw_transcription(audio: Audio, performance: Performance, path: Path, title: str, width_px: int = 1600) -> None:
    """Write a PNG with time to the right, pitch upwards, brightness for energy and boxes for notes.

    Args:
        audio: What was heard.
        performance: What was found in it; its opacity shows velocity.
        path: Where the PNG goes.
        title: Line of text above.
    """
    shown_s = min(audio.duration_s, LONGEST_S)
    low, high = _pitch_range(performance)
    rows = high - low + 1
    plot = (width_px - MARGIN_LEFT - 16, rows * ROW_PX)
    energy = _pitch_spectrogram(audio, shown_s, low, high)
    heat = Image.fromarray(_coloured(energy)).resize(plot, Image.Resampling.BICUBIC)
    picture = Image.new("RGBA", (width_px, plot[1] + MARGIN_TOP + MARGIN_BOTTOM), (*BACKGROUND, 255))
    picture.paste(heat, (MARGIN_LEFT, MARGIN_TOP))
    overlay = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    _draw_axes(ImageDraw.Draw(overlay), plot, low, high, shown_s, title)
    _draw_notes(ImageDraw.Draw(overlay), performance, plot, high, shown_s)
    Image.alpha_composite(picture, overlay).convert("RGB").save(path, optimize=True)


def _pitch_range(performance: Performance) -> tuple[int, int]:
    pitches = [note.pitch for note in performance.notes] or [48, 72]
    return max(0, min(pitches) - 5), min(127, max(pitches) + 17)


def _pitch_spectrogram(audio: Audio, shown_s: float, low: int, high: int) -> npt.NDArray[np.float32]:
    """Level in dB, shape (2 rows a semitone, frames): the spectrum read off at quarter tones."""
    half = np.zeros(WINDOW_SAMPLES // 2, np.float32)  # so that a frame shows what sounds at its middle
    signal = np.concatenate([half, *_until(audio, shown_s), half])
    hop = max(256, int(shown_s * SAMPLE_RATE / 1500))
    window = np.hanning(WINDOW_SAMPLES).astype(np.float32)
    starts = range(0, max(1, len(signal) - WINDOW_SAMPLES), hop)
    spectrum = np.stack([np.abs(np.fft.rfft(signal[s : s + WINDOW_SAMPLES] * window)) for s in starts], axis=1)
    quarter_tones = np.arange(low - 0.25, high + 0.75, 0.5)
    bins = 440.0 * 2.0 ** ((quarter_tones - 69) / 12) * WINDOW_SAMPLES / SAMPLE_RATE
    positions = np.arange(spectrum.shape[0])
    levels = np.stack([np.interp(bins, positions, frame) for frame in spectrum.T], axis=1)
    decibels: npt.NDArray[np.float32] = 20 * np.log10(levels / (levels.max() + 1e-9) + 1e-6).astype(np.float32)
    return decibels


def _until(audio: Audio, shown_s: float) -> Iterator[npt.NDArray[np.float32]]:
    left = int(shown_s * SAMPLE_RATE)
    for block in resampled(audio, SAMPLE_RATE):
        yield block.reshape(-1)[:left]  # one channel
        left -= len(block)
        if left <= 0:
            return


def _coloured(decibels: npt.NDArray[np.float32]) -> Image_:
    """Dark blue to teal to white, lowest pitch at the bottom, shape (rows, frames, 3)."""
    level = np.clip(1 + decibels / RANGE_DB, 0, 1)[::-1, :, None]
    dark, middle, bright = (np.array(c, np.float32) for c in ((16, 18, 24), (30, 110, 130), (225, 245, 240)))
    lower = dark + (middle - dark) * np.minimum(1, level * 1.6)
    colours: Image_ = (lower + (bright - lower) * np.clip(level * 2.2 - 1.2, 0, 1)).astype(np.uint8)
    return colours


def _draw_axes(
    draw: ImageDraw.ImageDraw, plot: tuple[int, int], low: int, high: int, shown_s: float, title: str
) -> None:
    small, large = ImageFont.load_default(14), ImageFont.load_default(18)
    draw.text((MARGIN_LEFT, 14), title, INK, large)
    for pitch in range(low, high + 1):
        if pitch % 12 == 0:
            y = MARGIN_TOP + (high - pitch + 1) * ROW_PX
            draw.line((MARGIN_LEFT, y, MARGIN_LEFT + plot[0], y), (*GRID, 160))
            draw.text((18, y - ROW_PX - 4), f"C{pitch // 12 - 1}", INK, small)
    step = next(s for s in (0.5, 1, 2, 5, 10, 20) if shown_s / s <= 16)
    for second in np.arange(0, shown_s + 1e-6, step):
        x = MARGIN_LEFT + plot[0] * second / shown_s
        draw.line((x, MARGIN_TOP, x, MARGIN_TOP + plot[1]), (*GRID, 110))
        draw.text((x + 2, MARGIN_TOP + plot[1] + 8), f"{second:g} s", INK, small)


def _draw_notes(
    draw: ImageDraw.ImageDraw, performance: Performance, plot: tuple[int, int], high: int, shown_s: float
) -> None:
    for note in performance.notes:
        if note.onset_s >= shown_s:
            break
        left = MARGIN_LEFT + plot[0] * note.onset_s / shown_s
        right = MARGIN_LEFT + plot[0] * min(note.offset_s, shown_s) / shown_s
        top = MARGIN_TOP + (high - note.pitch) * ROW_PX
        fill = (*NOTE_FILL[:3], 70 + note.velocity)
        draw.rounded_rectangle((left, top + 1, max(right, left + 3), top + ROW_PX - 1), 2, fill, NOTE_EDGE)
