"""What happens to sound on its way to us: rooms, microphones, loudness, noise, compression, lossy coding."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from model_runtime.unified.audio_front_end import SAMPLE_RATE

Floats = npt.NDArray[np.float32]
_LOSSY_SHARE, _NOISY_SHARE, _ROOM_SHARE, _EQUALISED_SHARE, _COMPRESSED_SHARE = 0.3, 0.7, 0.7, 0.6, 0.3


def degraded(sound: Floats, rng: np.random.Generator) -> Floats:
    """The sound as a recording of it might be; of the same length, its attacks where they were.

    Args:
        sound: Mono at `SAMPLE_RATE`.
    """
    length = len(sound)
    if rng.random() < _ROOM_SHARE:
        sound = _in_room(sound, rng)
    if rng.random() < _EQUALISED_SHARE:
        sound = _equalised(sound, rng)
    if rng.random() < _COMPRESSED_SHARE:
        sound = _compressed(sound, rng)
    sound = sound / max(float(np.abs(sound).max()), 1e-6)
    if rng.random() < _NOISY_SHARE:
        sound = sound + _noise(length, rng) * np.float32(_rms(sound) * 10.0 ** (-rng.uniform(20.0, 65.0) / 20))
    if rng.random() < 0.05:
        sound = np.tanh(sound * np.float32(rng.uniform(1.0, 3.0)))
    if rng.random() < _LOSSY_SHARE:
        sound = _lossy(sound, rng)
    loudness = 10.0 ** (rng.uniform(-26.0, -0.5) / 20)
    return (sound / max(float(np.abs(sound).max()), 1e-6) * loudness).astype(np.float32)[:length]


def _rms(sound: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(sound)) + 1e-12))


def _in_room(sound: Floats, rng: np.random.Generator) -> Floats:
    """Early reflections and a tail that dies away exponentially, the treble first (Moorer 1979)."""
    from scipy.signal import fftconvolve

    seconds = float(np.exp(rng.uniform(np.log(0.15), np.log(2.2))))
    count = int(min(seconds * 1.2, 2.0) * SAMPLE_RATE)
    time_s = np.arange(count) / SAMPLE_RATE
    tail = rng.normal(size=count)
    dull = np.cumsum(rng.normal(size=count)) * 0.0 + np.convolve(tail, np.ones(6) / 6, mode="same") * 2.0
    treble = np.exp(-6.9 * time_s / (seconds * rng.uniform(0.25, 0.8)))
    reverb = (tail * treble + dull * (1 - treble)) * np.exp(-6.9 * time_s / seconds)
    reverb[: int(rng.uniform(0.002, 0.03) * SAMPLE_RATE)] = 0.0
    for _ in range(int(rng.integers(0, 9))):
        place = int(rng.uniform(0.001, 0.05) * SAMPLE_RATE)
        reverb[place] += rng.uniform(-1, 1) * 3.0
    direct_db = rng.uniform(-2.0, 22.0)
    reverb *= 10.0 ** (-direct_db / 20) / np.sqrt(np.sum(reverb**2) + 1e-12)
    response = reverb.astype(np.float32)
    response[0] += 1.0
    return np.asarray(fftconvolve(sound, response)[: len(sound)], np.float32)


def _equalised(sound: Floats, rng: np.random.Generator) -> Floats:
    """A smooth curve over the octaves, at times with the narrow band of a telephone."""
    spectrum = np.fft.rfft(sound)
    octaves = np.log2(np.maximum(np.arange(len(spectrum)) * SAMPLE_RATE / len(sound), 20.0) / 20.0)
    knots = np.arange(0.0, 10.5)
    curve_db = np.interp(octaves, knots, np.cumsum(rng.normal(0.0, 2.5, len(knots))))
    curve_db += octaves * rng.uniform(-1.2, 1.2)
    if rng.random() < 0.3:
        curve_db -= 12.0 * np.maximum(rng.uniform(0.5, 3.5) - octaves, 0.0)  # a small loudspeaker has no bass
    if rng.random() < 0.25:
        curve_db -= 18.0 * np.maximum(octaves - rng.uniform(6.8, 8.8), 0.0)
    return np.fft.irfft(spectrum * 10.0 ** (curve_db / 20), len(sound)).astype(np.float32)


def _compressed(sound: Floats, rng: np.random.Generator) -> Floats:
    """Loud passages are turned down, as a recorder's automatic gain does."""
    from scipy.signal import lfilter

    keep = np.exp(-1.0 / (rng.uniform(0.03, 0.3) * SAMPLE_RATE))
    power = lfilter([1 - keep], [1, -keep], np.square(sound)) + 1e-8
    level_db = 10.0 * np.log10(power)
    over = np.maximum(level_db - level_db.max() + rng.uniform(6.0, 25.0), 0.0)
    gain = 10.0 ** (-over * (1 - 1 / rng.uniform(1.5, 4.0)) / 20)
    return np.asarray(sound * gain, np.float32)


def _noise(count: int, rng: np.random.Generator) -> Floats:
    """White to brown noise, with hum at times, of root mean square 1."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    frequencies = np.maximum(np.arange(len(spectrum)) * SAMPLE_RATE / count, 20.0)
    noise = np.fft.irfft(spectrum * (frequencies / 1000.0) ** -rng.uniform(0.0, 1.0), count)
    noise /= np.sqrt(np.mean(noise**2))
    if rng.random() < 0.15:
        mains = rng.choice([50.0, 60.0])
        time_s = np.arange(count) / SAMPLE_RATE
        for partial in range(1, 6):
            noise += rng.uniform(0, 1.5) * np.sin(2 * np.pi * (mains * partial * time_s + rng.random()))
        noise /= np.sqrt(np.mean(noise**2))
    return noise.astype(np.float32)


def _lossy(sound: Floats, rng: np.random.Generator) -> Floats:
    """Through MP3 or Vorbis and back; both decoders give back the same length and place."""
    import soundfile

    format, subtype = ("MP3", "MPEG_LAYER_III") if rng.random() < 0.6 else ("OGG", "VORBIS")
    buffer = io.BytesIO()
    level = float(rng.uniform(0.2, 0.95))
    soundfile.write(buffer, sound * 0.9, SAMPLE_RATE, format=format, subtype=subtype, compression_level=level)
    buffer.seek(0)
    decoded, _ = soundfile.read(buffer, dtype="float32")
    return np.asarray(np.pad(decoded, (0, max(len(sound) - len(decoded), 0)))[: len(sound)], np.float32)
