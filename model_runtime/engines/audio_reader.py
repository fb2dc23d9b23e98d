"""Audio → performance with the unified model's audio reader: any pitched instrument, and the same ears as live."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from model_runtime.engines.base import Availability, Context, Engine, Measurement
from model_runtime.engines.pitch_ranges import pitch_range
from model_runtime.errors import InvalidValue
from model_runtime.instruments import is_percussion, program_number
from model_runtime.modality import Audio, Modality, Note, Performance, ProgramChange, Value
from model_runtime.options import Options
from model_runtime.unified.audio_reader import SILENCE, AudioReader, ReadNotes
from model_runtime.unified.note_picking import PickedNote, PickingSettings

Told = Callable[[float, list[PickedNote]], None]
_STAGE = "Transcribing"
_BENCHMARK = "python -m benchmarks.transcription --data DIR --json FILE"
_FIRST_PARTIAL_S = 10.0
_PARTIAL_GROWTH = 1.25  # early results are repeated whole, so they come at growing distances


class AudioReaderEngine(Engine):
    """Transcribes any pitched instrument; notes end where their sound does, so a pedal is not reported by itself.

    Args:
        threads: That the network may use.
    """

    name = "audio-reader"
    source = Modality.AUDIO
    target = Modality.PERFORMANCE
    summary = "Transcribes recordings of any pitched instrument with the model that comes with ScoreBridge."
    quality = 0.65
    measurements: ClassVar[tuple[Measurement, ...]] = (
        Measurement("note onset F1 (50 ms)", "five Bach10 chorales, mean", 0.656, _BENCHMARK),
        Measurement("note onset F1 (50 ms)", "a piano phrase (stereo_sample)", 1.0, _BENCHMARK),
        Measurement("note onset F1 (50 ms)", "a singer (vocadito_1)", 0.655, _BENCHMARK),
    )

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads

    def availability(self) -> Availability:
        from importlib.resources import files

        from model_runtime.unified.audio_reader import WEIGHTS

        if (files("model_runtime.unified") / "weights" / WEIGHTS).is_file():
            return Availability(True)
        return Availability(False, "The audio reader's network is not there.", "Install ScoreBridge again.")

    def load(self) -> None:
        AudioReader(threads=self._threads).load()

    def translate(self, value: Value, options: Options, context: Context) -> Performance:
        if not isinstance(value, Audio):
            raise InvalidValue("The audio reader transcribes audio only.")
        program = None if options.instrument is None else _program(options.instrument, context)
        next_partial_s = _FIRST_PARTIAL_S
        if options.pitch_bends:
            context.warn("The audio reader hears no bends; basic-pitch does.")

        def told(read_s: float, notes: list[PickedNote]) -> None:
            nonlocal next_partial_s
            context.progress(_STAGE, read_s, value.duration_s)
            if context.on_partial is not None and read_s >= next_partial_s:
                context.partial(_performance(notes, options, program))
                next_partial_s = read_s * _PARTIAL_GROWTH

        context.progress(_STAGE, 0.0, value.duration_s)
        read = self.read(value, options, context, told)
        performance = _performance(read.notes, options, program)
        if not performance.notes:
            silent = read.loudest < SILENCE
            context.warn("The recording is silent." if silent else "No notes were found in the recording.")
        return performance

    def read(self, audio: Audio, options: Options, context: Context, told: Told) -> ReadNotes:
        """What is heard in a recording; `told` is to be called as `AudioReader.read` says."""
        return AudioReader(threads=self._threads, settings=settings_of(options)).read(audio, told)


def settings_of(options: Options) -> PickingSettings:
    """What counts as a note; where an option has its default, so has the reader."""
    usual, asked = PickingSettings(), Options()
    return PickingSettings(
        onset=moved(usual.onset, options.onset_threshold, asked.onset_threshold),
        frame=moved(usual.frame, options.frame_threshold, asked.frame_threshold),
        offset=usual.offset,
    )


def moved(own: float, wanted: float, default: float) -> float:
    """A threshold between 0 and 1 that is `own` where `default` is wanted, and rises with what is wanted."""
    return float(own ** (math.log(wanted) / math.log(default)))


def _performance(found: list[PickedNote], options: Options, program: int | None) -> Performance:
    lowest, highest = pitch_range(options.instrument)
    notes = []
    for note in found:
        end_s = note.offset_s if note.offset_s is not None else note.onset_s + 0.1  # it still sounds
        if lowest <= note.pitch <= highest and (end_s - note.onset_s) * 1000 >= options.minimum_note:
            notes.append(Note(note.onset_s, end_s, note.pitch, note.velocity, confidence=note.probability))
    programs = () if program is None or not notes else (ProgramChange(0.0, program),)
    return Performance(tuple(notes), programs=programs)


def _program(instrument: str, context: Context) -> int | None:
    if is_percussion(instrument):
        context.warn("The audio reader hears pitches only; unpitched percussion is not transcribed.")
        return None
    return program_number(instrument)
