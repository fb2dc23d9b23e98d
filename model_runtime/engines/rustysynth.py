"""Performance → audio with RustySynth, which comes with the `midirenderer` wheel and needs nothing else installed.

The renderer takes a whole MIDI file and returns a whole sound at 48 kHz. A long performance is therefore rendered in
pieces that overlap, and crossfaded, so that memory stays flat.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np

from model_runtime.addons import find_soundfont
from model_runtime.engines.base import Availability, Context, Engine, Measurement
from model_runtime.errors import EngineUnavailable, InvalidValue, MusicError, UnreadableFile
from model_runtime.modality import Audio, FloatArray, Modality, Performance, Value
from model_runtime.options import Options
from model_runtime.synthesis.events import Kind, SynthEvent, synth_events
from model_runtime.synthesis.finishing import CHANNELS, LONGEST_TAIL_S, check_length, finished_audio, silent_audio

RENDER_RATE = 48000  # of the renderer
PIECE_S = 60.0
BLOCK_FRAMES = 1 << 14
LEAD_IN_S = 12.0  # rendered before each piece and dropped: reverberation, releases and long notes are then under way
CROSSFADE_S = 0.05
TICKS_PER_SECOND = 10000
FULL_SCALE = 32767
LOUDEST_VOLUME, VOLUME_STEP = 100, 0.7  # channel volume (controller 7); lowered while the 16-bit sound clips
LOWEST_VOLUME = 20
VOLUME = 7
_BENCHMARK = "python -m benchmarks.playback --data DIR --json FILE"


class RustySynth(Engine):
    """Plays a performance through a SoundFont with RustySynth."""

    name = "rustysynth"
    source = Modality.PERFORMANCE
    target = Modality.AUDIO
    summary = "Plays performances through a SoundFont (.sf2) with RustySynth; needs no system library."
    quality = 0.84  # read back as well as FluidSynth's, but slower, bigger and of 16 bits: asked after it
    measurements = (
        Measurement("note onset F1 (50 ms) as basic-pitch hears it", "four performances, mean", 0.850, _BENCHMARK),
        Measurement("seconds of music rendered in a second", "a made minute, two cores", 63.0, _BENCHMARK),
        Measurement("peak memory in MB", "ten made minutes", 526.0, _BENCHMARK),
    )

    def availability(self) -> Availability:
        if find_spec("midirenderer") is None or find_spec("mido") is None:
            return Availability(False, "The Python package midirenderer is missing.", "pip install midirenderer mido")
        try:
            find_soundfont(None, (".sf2",))
        except MusicError as error:
            return Availability(False, error.message, error.hint)
        return Availability(True)

    def translate(self, value: Value, options: Options, context: Context) -> Audio:
        if not isinstance(value, Performance):
            raise InvalidValue("RustySynth plays performances only.")
        check_length(value.duration_s)
        events = synth_events(value, options)
        if not value.notes:
            return silent_audio(value.duration_s, options.sample_rate)
        path = find_soundfont(options.soundfont, (".sf2",))
        if path.suffix.lower() == ".sf3":
            raise InvalidValue(
                "RustySynth reads .sf2 SoundFonts only.", hint="Name a .sf2 file, or use the engine fluidsynth."
            )
        soundfont = path.read_bytes()
        volume = float(LOUDEST_VOLUME)
        while True:
            pieces = _Pieces(soundfont, path.name, events, value.duration_s, int(volume))
            try:
                raw = _at_rate(pieces.blocks(context), options.sample_rate)
                return finished_audio(raw, value.duration_s, options, context)
            except _Clipped:
                volume *= VOLUME_STEP


class _Clipped(Exception):
    """The renderer's 16 bits were not enough; everything is rendered again at a lower channel volume."""


class _Pieces:
    """A performance rendered piece by piece."""

    def __init__(
        self, soundfont: bytes, soundfont_name: str, events: list[SynthEvent], duration_s: float, volume: int
    ) -> None:
        self.soundfont = soundfont
        self.soundfont_name = soundfont_name
        self.events = events
        self.duration_s = duration_s
        self.volume = volume

    def blocks(self, context: Context) -> Iterator[FloatArray]:
        """Consecutive sound at 48 kHz from the start to the longest tail, shape (frames, 2)."""
        fade = round(CROSSFADE_S * RENDER_RATE)
        rising = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
        end_s = self.duration_s + LONGEST_TAIL_S + 1.0
        start_s, kept = 0.0, np.zeros((0, CHANNELS), np.float32)
        while start_s < end_s:
            context.progress("Synthesising", min(start_s, self.duration_s), self.duration_s)
            stop_s = min(start_s + PIECE_S, end_s)
            piece = self._piece(start_s, stop_s + (CROSSFADE_S if stop_s < end_s else 0.0))
            if len(kept):
                piece[:fade] = kept * (1 - rising) + piece[:fade] * rising
            frames = round((stop_s - start_s) * RENDER_RATE)
            kept = piece[frames : frames + fade]
            for first in range(0, frames, BLOCK_FRAMES):
                yield piece[first : min(first + BLOCK_FRAMES, frames)]
            start_s = stop_s
        context.progress("Synthesising", self.duration_s, self.duration_s)

    def _piece(self, start_s: float, stop_s: float) -> FloatArray:
        lead_s = min(LEAD_IN_S, start_s)
        sound = self._render(piece_events(self.events, start_s - lead_s, stop_s), lead_s + stop_s - start_s)
        first, frames = round(lead_s * RENDER_RATE), round((stop_s - start_s) * RENDER_RATE)
        result = np.zeros((frames, CHANNELS), np.float32)
        cut = sound[first : first + frames]
        result[: len(cut)] = cut
        return result

    def _render(self, events: list[SynthEvent], duration_s: float) -> FloatArray:
        try:
            import midirenderer
        except ImportError as error:
            raise EngineUnavailable(
                "The Python package midirenderer is missing.", hint="pip install midirenderer mido"
            ) from error
        midi = midi_bytes(events, duration_s, self.volume)
        try:
            wave = midirenderer.render_wave_from(self.soundfont, midi)
        except BaseException as error:
            if isinstance(error, (ValueError, RuntimeError)) or type(error).__name__ == "PanicException":
                raise UnreadableFile(f"{self.soundfont_name} is not a SoundFont that RustySynth can read.") from error
            raise
        samples = _samples(wave)
        if self.volume > LOWEST_VOLUME and int(np.abs(samples.astype(np.int32)).max(initial=0)) >= FULL_SCALE:
            raise _Clipped
        return samples.astype(np.float32) / np.float32(FULL_SCALE + 1)


def piece_events(events: list[SynthEvent], start_s: float, stop_s: float) -> list[SynthEvent]:
    """The events of a stretch of time, counted from its start, with what holds there already put in front.

    Notes that began before are struck again at the start.
    """
    state: dict[tuple[Kind, int, int], SynthEvent] = {}
    held: dict[tuple[int, int], SynthEvent] = {}
    inside: list[SynthEvent] = []
    for event in events:
        if event.time_s >= stop_s:
            break
        if event.time_s >= start_s:
            inside.append(_moved(event, event.time_s - start_s))
        elif event.kind is Kind.NOTE_ON:
            held[event.channel, event.number] = event
        elif event.kind is Kind.NOTE_OFF:
            held.pop((event.channel, event.number), None)
        else:
            state[event.kind, event.channel, event.number if event.kind is Kind.CONTROL else 0] = event
    return [_moved(event, 0.0) for event in (*state.values(), *held.values())] + inside


def _moved(event: SynthEvent, time_s: float) -> SynthEvent:
    return SynthEvent(time_s, event.kind, event.channel, event.number, event.value)


def midi_bytes(events: list[SynthEvent], duration_s: float, volume: int) -> bytes:
    """A MIDI file of format 0 that lasts `duration_s`; channel volumes are scaled by `volume` / 100."""
    import mido

    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))
    for channel in range(16):
        track.append(mido.Message("control_change", channel=channel, control=VOLUME, value=volume))
    now = 0
    for event in events:
        tick = round(event.time_s * TICKS_PER_SECOND)
        message = _message(event, volume)
        message.time = max(tick - now, 0)
        now = max(tick, now)
        track.append(message)
    track.append(mido.MetaMessage("end_of_track", time=max(round(duration_s * TICKS_PER_SECOND) - now, 0)))
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_SECOND // 2, tracks=[track])
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _message(event: SynthEvent, volume: int):  # type: ignore[no-untyped-def]  # mido has no types
    import mido

    match event.kind:
        case Kind.NOTE_ON:
            return mido.Message("note_on", channel=event.channel, note=event.number, velocity=event.value)
        case Kind.NOTE_OFF:
            return mido.Message("note_off", channel=event.channel, note=event.number)
        case Kind.PROGRAM:
            return mido.Message("program_change", channel=event.channel, program=event.number)
        case Kind.PITCH_BEND:
            return mido.Message("pitchwheel", channel=event.channel, pitch=event.number)
        case Kind.CONTROL:
            value = event.value * volume // LOUDEST_VOLUME if event.number == VOLUME else event.value
            return mido.Message("control_change", channel=event.channel, control=event.number, value=value)


def _samples(wave: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    """The 16-bit samples of a canonical WAV file, shape (frames, 2)."""
    start = wave.find(b"data", 12) + 8
    usable = (len(wave) - start) // (2 * CHANNELS) * 2 * CHANNELS
    samples = np.frombuffer(wave, "<i2", count=usable // 2, offset=start)
    return samples.reshape(-1, CHANNELS)


def _at_rate(raw: Iterator[FloatArray], sample_rate: int) -> Iterator[FloatArray]:
    """The same sound at another rate."""
    if sample_rate == RENDER_RATE:
        yield from raw
        return
    import soxr

    stream = soxr.ResampleStream(RENDER_RATE, sample_rate, CHANNELS, dtype="float32")
    for block in raw:
        yield stream.resample_chunk(block)
