"""Recordings: opened and streamed from a file, resampled and written in blocks.

An hour of audio never lies in memory: a `FileAudio` holds a path, and every step works on blocks.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model_runtime.errors import InvalidValue, TooLarge, UnreadableFile
from model_runtime.files.iff import mended
from model_runtime.files.limits import MEBIBYTE, Limits
from model_runtime.files.storing import stored, unreadable
from model_runtime.modality import Audio, Clip, FloatArray

if TYPE_CHECKING:
    import soundfile

LARGEST_WAV_BYTES = (1 << 32) - (1 << 16)  # above it a WAV is written as RF64
SCANNED_AT_OPENING_S = 600.0  # float recordings up to here are searched for NaN before anything is made of them
MOST_FRAMES = 1 << 46  # libsndfile says more where it does not know
MP3_PREROLL_FRAMES = 10 * 1152  # an MP3 frame borrows from those before it, and soundfile seeks after each read
LIBSNDFILE_SYSTEM_ERROR = 2
_BLOCK_FRAMES = 1 << 16


@dataclass(frozen=True)
class FileAudio(Audio):
    """Audio that stays in its file.

    Attributes:
        path: The file.
        sample_rate: In Hz.
        channels: Samples a frame.
        first_frame: Where the clip starts in the file.
        frames: The clip's length.
        playrate: How much faster the host plays it.
        reverse: Whether blocks come from the clip's end, backwards.
    """

    path: Path
    sample_rate: int
    channels: int
    first_frame: int
    frames: int
    playrate: float = 1.0
    reverse: bool = False

    def blocks(self, block_frames: int = _BLOCK_FRAMES) -> Iterator[FloatArray]:
        """Yield consecutive blocks, float32, shape (frames, channels); the last may be shorter.

        Raises:
            UnreadableFile: the file breaks off, or holds samples that are not numbers.
        """
        with _opened(self.path) as file:
            for start in range(0, self.frames, block_frames):
                count = min(block_frames, self.frames - start)
                position = self.frames - start - count if self.reverse else start
                block = _block(file, self.first_frame + position, count)
                if len(block) < count:
                    raise _breaks_off(self.first_frame + position + len(block), self.sample_rate)
                if not np.isfinite(block).all():
                    raise UnreadableFile("The recording holds samples that are not numbers (NaN or infinite).")
                yield np.ascontiguousarray(block[::-1]) if self.reverse else block


def open_audio(path: Path, clip: Clip | None = None, limits: Limits | None = None) -> FileAudio:
    """Open a WAV, FLAC, Ogg, MP3 or AIFF recording, or a clip of it, without reading it into memory.

    A clip that ends behind the recording's end ends with it. A WAV that is still being recorded (its header says 0
    or nonsense) is taken as far as it has come.

    Raises:
        UnreadableFile: damaged, truncated, without sound, 0 Hz, or with samples that are not numbers.
        InvalidValue: the clip starts behind the end.
        TooLarge: longer than the limit.
    """
    clip, limits = clip or Clip(), limits or Limits()
    with _opened(path) as file:
        sample_rate, channels, subtype = file.samplerate, file.channels, file.subtype
        total = _frames(file)
    if total == 0:
        raise UnreadableFile("The recording holds no sound: its length is 0.")
    first = round(clip.offset_s * sample_rate)
    if first >= total:
        raise InvalidValue(
            f"The clip starts at {clip.offset_s:.2f} s, but the recording is only {total / sample_rate:.2f} s long."
        )
    frames = total - first
    if clip.duration_s is not None:
        frames = min(frames, max(1, round(clip.duration_s * sample_rate)))
    if frames / sample_rate > limits.seconds:
        raise TooLarge(
            f"The recording lasts {frames / sample_rate / 3600:.1f} hours, "
            f"and at most {limits.seconds / 3600:.1f} are read."
        )
    audio = FileAudio(path, sample_rate, channels, first, frames, clip.playrate, clip.reverse)
    if subtype in ("FLOAT", "DOUBLE") and audio.duration_s <= SCANNED_AT_OPENING_S:
        for _ in audio.blocks():
            pass
    return audio


def resampled(audio: Audio, sample_rate: int, *, mono: bool = True, block_s: float = 10.0) -> Iterator[FloatArray]:
    """Yield the audio at another rate, in blocks of about `block_s` seconds.

    The blocks together have exactly round(frames · sample_rate / audio.sample_rate) frames (at least 1), and are what
    resampling in one go gives.

    Args:
        audio: The source.
        sample_rate: In Hz.
        mono: Mix the channels to one (their mean).
        block_s: Length of a block in seconds of the source.

    Yields:
        float32, shape (frames, 1 or channels).
    """
    if sample_rate <= 0:
        raise InvalidValue("The sample rate is 0 Hz.")
    block_frames = max(1, round(block_s * audio.sample_rate))
    source = (_mixed(block) if mono else block for block in audio.blocks(block_frames))
    if sample_rate == audio.sample_rate:
        yield from source
        return
    yield from _through_resampler(source, audio, sample_rate, 1 if mono else audio.channels)


def _through_resampler(
    source: Iterator[FloatArray], audio: Audio, sample_rate: int, channels: int
) -> Iterator[FloatArray]:
    import soxr

    stream = soxr.ResampleStream(audio.sample_rate, sample_rate, channels, dtype="float32", quality="HQ")
    wanted = max(1, round(audio.frames * sample_rate / audio.sample_rate))
    made = 0
    for block in source:
        out = stream.resample_chunk(np.ascontiguousarray(block))[: wanted - made]
        made += len(out)
        if len(out):
            yield out
    out = stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)[: wanted - made]
    made += len(out)
    if made < wanted:  # the resampler rounds the last fraction of a frame down
        out = np.concatenate([out, np.zeros((wanted - made, channels), np.float32)])
    if len(out):
        yield out


def _mixed(block: FloatArray) -> FloatArray:
    return block if block.shape[1] == 1 else block.mean(axis=1, keepdims=True, dtype=np.float32)


def write_audio(audio: Audio, path: Path, format: str = "wav") -> None:
    """Write a recording block by block.

    WAV is written as 32-bit float, so that nothing clips and reading it gives the same samples again (as RF64 from
    4 GB on); FLAC, which has no float, as 24-bit integers, with what passes full scale clipped.

    Raises:
        InvalidValue: no frames, or samples that are not numbers.
        UnwritableFile: no room, no right or no folder.
    """
    import soundfile

    if audio.frames == 0:
        raise InvalidValue("The audio holds no sound: its length is 0.")
    large = audio.frames * audio.channels * 4 > LARGEST_WAV_BYTES
    kind, subtype = ("FLAC", "PCM_24") if format == "flac" else ("RF64" if large else "WAV", "FLOAT")
    with stored(path) as temporary:
        try:
            with soundfile.SoundFile(
                temporary, "w", samplerate=audio.sample_rate, channels=audio.channels, format=kind, subtype=subtype
            ) as file:
                for block in audio.blocks():
                    if not np.isfinite(block).all():
                        raise InvalidValue("The audio holds samples that are not numbers (NaN or infinite).")
                    file.write(np.clip(block, -1.0, 1.0) if format == "flac" else block)
        except soundfile.LibsndfileError as error:
            raise _not_written(error, temporary) from error


def _not_written(error: soundfile.LibsndfileError, temporary: Path) -> OSError | InvalidValue:
    """libsndfile tells only that the system failed it; the disk tells whether it is full."""
    if error.code != LIBSNDFILE_SYSTEM_ERROR:
        return InvalidValue(f"The audio cannot be written in this format ({error.error_string.rstrip('.')}).")
    room = os.statvfs(temporary.parent)
    full = room.f_bavail * room.f_frsize < MEBIBYTE
    return OSError(errno.ENOSPC, "No space left on device") if full else OSError(errno.EIO, "Input/output error")


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    import soundfile

    try:
        source = mended(path) or path
        with soundfile.SoundFile(source) as file:
            yield file
    except (soundfile.SoundFileError, ValueError, AssertionError) as error:  # of a damaged file soundfile raises each
        raise _damaged(error) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _block(file: soundfile.SoundFile, first_frame: int, count: int) -> FloatArray:
    """Frames from `first_frame` on; of an MP3 with what leads up to them decoded in the same call and dropped."""
    lead = min(first_frame, MP3_PREROLL_FRAMES) if file.format == "MP3" else 0
    if lead or file.tell() != first_frame:
        file.seek(first_frame - lead)
    block: FloatArray = file.read(lead + count, dtype="float32", always_2d=True)[lead:]
    return block


def _frames(file: soundfile.SoundFile) -> int:
    """The recording's length, its end tried: a header may promise what the file does not hold."""
    import soundfile

    frames = int(file.frames)
    if frames == 0:
        return 0
    try:
        if frames < MOST_FRAMES:
            file.seek(frames - 1)
            if len(file.read(1)) == 1:
                return frames
        elif file.format in ("OGG", "MP3"):  # a stream that does not say how long it is
            file.seek(0)
            return sum(len(block) for block in file.blocks(_BLOCK_FRAMES, dtype="float32"))
    except (soundfile.SoundFileError, ValueError):
        pass
    raise UnreadableFile("The recording is truncated.", hint="Copy or export it again.")


def _damaged(error: Exception) -> UnreadableFile:
    reason = str(getattr(error, "error_string", error)).rstrip(". ")
    return UnreadableFile(f"The recording is truncated or damaged ({reason}).", hint="Copy or export it again.")


def _breaks_off(frame: int, sample_rate: int) -> UnreadableFile:
    return UnreadableFile(f"The recording breaks off after {frame / sample_rate:.1f} s.")
