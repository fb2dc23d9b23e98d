"""Performance → audio with FluidSynth (https://www.fluidsynth.org): any `.sf2` or `.sf3`, rendered as it streams."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes.util import find_library
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from model_runtime.addons import find_soundfont
from model_runtime.engines.base import Availability, Context, Engine, Measurement
from model_runtime.errors import EngineUnavailable, InvalidValue, MusicError, UnreadableFile
from model_runtime.library_log import caught_stderr
from model_runtime.modality import Audio, FloatArray, Modality, Performance, Value
from model_runtime.options import Options
from model_runtime.synthesis.events import Kind, SynthEvent, synth_events
from model_runtime.synthesis.finishing import CHANNELS, LONGEST_TAIL_S, check_length, finished_audio, silent_audio

HIGHEST_RATE = 96000  # the library renders no faster; above, the sound is resampled
RENDER_QUANTUM = 64  # frames that the library renders at once: events fall on these
BLOCK_FRAMES = 1 << 15
PROGRESS_S = 2.0  # of rendered sound
# A small room: enough that dry samples do not sound cut out, little enough that onsets stay clear.
REVERB = {"roomsize": 0.35, "damping": 0.4, "width": 0.7, "level": 0.2}
_BENCHMARK = "python -m benchmarks.playback --data DIR --json FILE"
_LIBRARY_NAMES = ("fluidsynth", "fluidsynth-3", "libfluidsynth", "libfluidsynth-3", "libfluidsynth-2")


@cache
def _library_found() -> bool:
    """Looked for once: on Linux the search starts other programs."""
    return any(find_library(name) for name in _LIBRARY_NAMES)


class FluidSynth(Engine):
    """Plays a performance through a SoundFont with FluidSynth."""

    name = "fluidsynth"
    source = Modality.PERFORMANCE
    target = Modality.AUDIO
    summary = "Plays performances through a SoundFont (.sf2 or .sf3) with FluidSynth."
    quality = 0.85
    measurements = (
        Measurement("note onset F1 (50 ms) as basic-pitch hears it", "four performances, mean", 0.850, _BENCHMARK),
        Measurement("seconds of music rendered in a second", "a made minute, two cores", 117.0, _BENCHMARK),
        Measurement("peak memory in MB", "ten made minutes", 172.0, _BENCHMARK),
    )

    def availability(self) -> Availability:
        if find_spec("fluidsynth") is None:
            return Availability(False, "The Python package pyfluidsynth is missing.", "pip install pyfluidsynth")
        if not _library_found():
            return Availability(
                False,
                "The FluidSynth library is not installed.",
                "Install it: apt install libfluidsynth3, brew install fluid-synth, or choco install fluidsynth.",
            )
        try:
            find_soundfont(None)
        except MusicError as error:
            return Availability(False, error.message, error.hint)
        return Availability(True)

    def load(self) -> None:
        _import_library()

    def translate(self, value: Value, options: Options, context: Context) -> Audio:
        if not isinstance(value, Performance):
            raise InvalidValue("FluidSynth plays performances only.")
        check_length(value.duration_s)
        events = synth_events(value, options)
        if not value.notes:
            return silent_audio(value.duration_s, options.sample_rate)
        soundfont = find_soundfont(options.soundfont)
        render_rate = min(options.sample_rate, HIGHEST_RATE)
        context.progress("Synthesising", 0, value.duration_s)
        synth = _Synth(soundfont, render_rate)
        try:
            raw = synth.play(events, value.duration_s, context)
            if render_rate != options.sample_rate:
                raw = _resampled(raw, render_rate, options.sample_rate)
            audio = finished_audio(raw, value.duration_s, options, context)
        finally:
            synth.close()
        context.progress("Synthesising", value.duration_s, value.duration_s)
        return audio


def _import_library() -> Any:
    try:
        import fluidsynth
    except (ImportError, OSError, AttributeError) as error:
        raise EngineUnavailable(
            "The FluidSynth library is not installed.",
            hint="Install it: apt install libfluidsynth3, brew install fluid-synth, or choco install fluidsynth.",
        ) from error
    return fluidsynth


class _Synth:
    """One synthesiser with one SoundFont."""

    def __init__(self, soundfont: Path, sample_rate: int) -> None:
        library = _import_library()
        self.sample_rate = sample_rate
        self._write = library._fl.fluid_synth_write_float
        said: list[str] = []
        with caught_stderr(said):  # the library talks about sound cards that nobody asked for
            settings = {"synth.chorus.active": 0, "synth.dynamic-sample-loading": 1}
            self._synth = library.Synth(gain=0.3, samplerate=sample_rate, channels=16, **settings)
            self._synth.set_reverb(**REVERB)
            if self._synth.sfload(str(soundfont), 1) < 0:
                self.close()
                raise UnreadableFile(f"{soundfont.name} is not a SoundFont that FluidSynth can read.")
            for channel in range(16):
                self._synth.program_change(channel, 0)

    def close(self) -> None:
        self._synth.delete()

    def play(self, events: list[SynthEvent], duration_s: float, context: Context) -> Iterator[FloatArray]:
        """Blocks of sound from the first event to the longest tail."""
        frame, reported = 0, 0.0
        for event in events:
            target = int(event.time_s * self.sample_rate) // RENDER_QUANTUM * RENDER_QUANTUM
            while frame < target:
                count = min(target - frame, BLOCK_FRAMES)
                yield self._render(count)
                frame += count
                if frame / self.sample_rate - reported >= PROGRESS_S:
                    reported = frame / self.sample_rate
                    context.progress("Synthesising", min(reported, duration_s), duration_s)
            self._send(event)
        end = int((duration_s + LONGEST_TAIL_S) * self.sample_rate) + BLOCK_FRAMES
        while frame < end:
            yield self._render(BLOCK_FRAMES // 4)
            frame += BLOCK_FRAMES // 4

    def _render(self, frames: int) -> FloatArray:
        planar = np.empty((CHANNELS, frames), np.float32)
        left, right = (planar[i].ctypes.data_as(ctypes.c_void_p) for i in range(CHANNELS))
        self._write(ctypes.c_void_p(self._synth.synth), frames, left, 0, 1, right, 0, 1)
        return np.ascontiguousarray(planar.T)

    def _send(self, event: SynthEvent) -> None:
        match event.kind:
            case Kind.NOTE_ON:
                self._synth.noteon(event.channel, event.number, event.value)
            case Kind.NOTE_OFF:
                self._synth.noteoff(event.channel, event.number)
            case Kind.PROGRAM:
                self._synth.program_change(event.channel, event.number)
            case Kind.CONTROL:
                self._synth.cc(event.channel, event.number, event.value)
            case Kind.PITCH_BEND:
                self._synth.pitch_bend(event.channel, event.number)


def _resampled(raw: Iterator[FloatArray], from_rate: int, to_rate: int) -> Iterator[FloatArray]:
    import soxr

    stream = soxr.ResampleStream(from_rate, to_rate, CHANNELS, dtype="float32")
    for block in raw:
        yield stream.resample_chunk(block)
