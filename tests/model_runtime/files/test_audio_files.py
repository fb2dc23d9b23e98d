"""Recordings in and out, streamed."""

from __future__ import annotations

import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from file_samples import RATE, recording, sine, sound_bytes, write_file
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime import files
from model_runtime.errors import InvalidValue, TooLarge, UnreadableFile
from model_runtime.files.audio import FileAudio
from model_runtime.files.limits import Limits
from model_runtime.modality import Audio, Clip, FloatArray, SampledAudio


def read(path: Path, clip: Clip | None = None, limits: Limits | None = None) -> FileAudio:
    value = files.read(path, clip=clip, limits=limits)
    assert isinstance(value, FileAudio)
    return value


def wav_bytes(subtype: str = "PCM_16", seconds: float = 0.5) -> bytes:
    return sound_bytes("WAV", subtype, seconds)


# ---- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "format", "subtype", "tolerance"),
    [
        ("a.wav", "WAV", "PCM_16", 1e-4),
        ("a.wav", "WAV", "PCM_U8", 1e-2),
        ("a.wav", "WAV", "PCM_24", 1e-6),
        ("a.wav", "WAV", "FLOAT", 0),
        ("a.wav", "WAV", "DOUBLE", 1e-7),
        ("a.wav", "WAVEX", "PCM_24", 1e-6),
        ("a.wav", "RF64", "PCM_24", 1e-6),
        ("a.flac", "FLAC", "PCM_24", 1e-6),
        ("a.aiff", "AIFF", "PCM_16", 1e-4),
        ("a.ogg", "OGG", "VORBIS", 0.05),
        ("a.mp3", "MP3", None, 0.05),
    ],
)
def test_every_kind_of_recording_sounds_as_it_was(
    tmp_path: Path, name: str, format: str, subtype: str | None, tolerance: float
) -> None:
    audio = read(write_file(tmp_path, name, sound_bytes(format, subtype)))
    assert (audio.sample_rate, audio.channels) == (RATE, 2)
    assert audio.duration_s == pytest.approx(0.5, abs=0.06)
    heard, meant = audio.samples(), sine()
    assert heard.shape == (audio.frames, 2)
    assert np.abs(heard[2000:9000] - meant[2000:9000]).max() <= tolerance


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_clip_is_cut_where_the_host_says_forwards_and_backwards(tmp_path: Path, name: str) -> None:
    format = {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3"}[name[2:]]
    path = write_file(tmp_path, name, sound_bytes(format, seconds=3.0))
    whole = read(path).samples()
    assert np.abs(np.concatenate(list(read(path).blocks(7000))) - whole).max() < 1e-4
    clip = read(path, Clip(offset_s=1.0, duration_s=0.7, playrate=1.5))
    first, count = RATE, round(0.7 * RATE)
    assert clip.playrate == 1.5
    assert np.abs(clip.samples() - whole[first : first + count]).max() < 1e-4
    backwards = read(path, Clip(offset_s=1.0, duration_s=0.7, reverse=True))
    played = np.concatenate(list(backwards.blocks(999)))
    assert np.abs(played - whole[first : first + count][::-1]).max() < 1e-4


def test_a_clip_that_reaches_over_the_end_stops_there(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.wav", wav_bytes())
    assert read(path, Clip(offset_s=0.4, duration_s=9.0)).duration_s == pytest.approx(0.1, abs=1e-4)


def test_a_clip_behind_the_end_is_refused_with_the_recordings_length(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.wav", wav_bytes())
    with pytest.raises(InvalidValue, match=r"starts at 2\.00 s, but the recording is only 0\.50 s long"):
        read(path, Clip(offset_s=2.0))


@pytest.mark.parametrize(("riff", "data"), [(0, 0), (36, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFFFFF, 0x7FFFFFDB)])
def test_a_recording_in_progress_is_read_as_far_as_it_has_come(tmp_path: Path, riff: int, data: int) -> None:
    content = bytearray(wav_bytes())
    at = content.index(b"data") + 4
    content[4:8], content[at : at + 4] = struct.pack("<I", riff), struct.pack("<I", data)
    audio = read(write_file(tmp_path, "take.wav", bytes(content) + b"\x01"))  # and half a sample of the next block
    assert audio.frames == round(0.5 * RATE)
    assert np.abs(audio.samples() - sine()).max() < 1e-4
    assert np.abs(read(tmp_path / "take.wav", Clip(reverse=True)).samples()[::-1] - sine()).max() < 1e-4


# ---- refusing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF"])
def test_a_truncated_recording_is_refused(tmp_path: Path, format: str) -> None:
    whole = sound_bytes(format, seconds=2.0)
    for share in (0.001, 0.3, 0.9):
        with pytest.raises(UnreadableFile):
            read(write_file(tmp_path, f"a.{format.lower()}", whole[: int(len(whole) * share)]))


def test_a_sample_rate_of_zero_is_refused(tmp_path: Path) -> None:
    content = bytearray(wav_bytes())
    content[24:28] = bytes(4)
    with pytest.raises(UnreadableFile, match="sample rate is 0 Hz"):
        read(write_file(tmp_path, "a.wav", bytes(content)))


def test_a_recording_without_sound_is_refused(tmp_path: Path) -> None:
    for format in ("WAV", "FLAC", "AIFF"):
        path = tmp_path / f"a.{format.lower()}"
        soundfile.write(path, np.zeros((0, 1)), RATE, format=format)
        with pytest.raises(UnreadableFile):
            read(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    samples = sine()
    samples[7000, 1] = bad
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(UnreadableFile, match="not numbers"):
        read(tmp_path / "a.wav")


def test_a_recording_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.wav", wav_bytes())
    with pytest.raises(TooLarge, match="hours"):
        read(path, limits=Limits(seconds=0.2))
    with pytest.raises(TooLarge, match="MB"):
        read(path, limits=Limits(audio_bytes=1000))
    assert read(path, Clip(duration_s=0.1), Limits(seconds=0.2)).frames == round(0.1 * RATE)


# ---- writing -------------------------------------------------------------------------------------------------------


def test_a_wav_gives_the_same_samples_again_even_above_full_scale(tmp_path: Path) -> None:
    loud = SampledAudio(np.float32(5.0) * sine(), RATE)
    files.write(loud, tmp_path / "a.wav")
    assert np.array_equal(read(tmp_path / "a.wav").samples(), loud.data)


def test_a_flac_has_24_bits_and_clips_what_passes_full_scale(tmp_path: Path) -> None:
    loud = SampledAudio(np.float32(5.0) * sine(), RATE)
    files.write(loud, tmp_path / "a.flac")
    assert soundfile.info(tmp_path / "a.flac").subtype == "PCM_24"
    assert np.abs(read(tmp_path / "a.flac").samples() - np.clip(loud.data, -1, 1)).max() < 1e-6


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_nothing_is_left_of_a_refused_write(tmp_path: Path, name: str) -> None:
    broken = sine()
    broken[3, 0] = np.nan
    for data, sentence in ((broken, "not numbers"), (np.zeros((0, 2), np.float32), "length is 0")):
        with pytest.raises(InvalidValue, match=sentence):
            files.write(SampledAudio(data, RATE), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


# ---- resampling ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30000), st.sampled_from([8000, 11025, 22050, 44100, 48000, 96000]),
    st.sampled_from([8000, 16000, 22050, 44100, 48000]), st.floats(0.001, 0.5), st.booleans(),
)  # fmt: skip
def test_resampling_in_blocks_is_resampling_in_one_go(
    frames: int, rate: int, wanted: int, block_s: float, mono: bool
) -> None:
    data = np.random.default_rng(frames).standard_normal((frames, 2)).astype(np.float32)
    out = np.concatenate(list(files.resampled(SampledAudio(data, rate), wanted, mono=mono, block_s=block_s)))
    source = data.mean(axis=1, keepdims=True) if mono else data
    whole = soxr.resample(source, rate, wanted) if rate != wanted else source
    assert out.dtype == np.float32
    assert out.shape == (max(1, round(frames * wanted / rate)), 1 if mono else 2)
    count = min(len(out), len(whole))
    assert abs(len(out) - len(whole)) <= 1
    assert np.abs(out[:count] - whole[:count]).max(initial=0) < 1e-4


def test_resampling_to_no_rate_is_refused() -> None:
    with pytest.raises(InvalidValue, match="0 Hz"):
        list(files.resampled(recording(), 0))


class EndlessTone(Audio):
    """Sound that is made while it is read."""

    sample_rate, channels = 44100, 2

    def __init__(self, seconds: float) -> None:
        self.frames = round(seconds * self.sample_rate)

    def blocks(self, block_frames: int = 1 << 16) -> Iterator[FloatArray]:
        for start in range(0, self.frames, block_frames):
            t = np.arange(start, min(start + block_frames, self.frames)) / self.sample_rate
            yield np.stack([np.sin(2764.6 * t), np.sin(1382.3 * t)], axis=1).astype(np.float32)


def test_a_long_recording_streams_through_little_memory(tmp_path: Path) -> None:
    """Ten minutes of stereo are 212 MB as float32; reading backwards, resampling and writing take a fraction."""
    files.write(EndlessTone(600.0), tmp_path / "long.wav")
    program = textwrap.dedent(
        f"""
        import resource, sys
        from pathlib import Path
        from model_runtime import files
        from model_runtime.modality import Clip
        import numpy, soundfile, soxr
        list(files.resampled(files.read({str(tmp_path / "long.wav")!r}, clip=Clip(duration_s=30.0)), 22050))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        audio = files.read({str(tmp_path / "long.wav")!r}, clip=Clip(reverse=True))
        print(sum(len(block) for block in files.resampled(audio, 22050)))
        files.write(audio, Path({str(tmp_path / "back.flac")!r}))
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    frames, grown_mb = map(int, done.stdout.split())
    assert frames == 600 * 22050
    assert grown_mb < 40
