"""Audio → performance with Basic Pitch's network: any instrument, several notes at once, faster than it sounds.

Reading, network and note creation work on a stream, so that a recording of an hour needs no more memory than one of
a minute.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

import numpy as np

from model_runtime.addons.known import BASIC_PITCH, NETWORK_FILE
from model_runtime.engines.base import Availability, Context, Engine, Measurement
from model_runtime.engines.bend_channels import spread
from model_runtime.engines.note_creation import FoundNote, NoteCreator, NoteSettings
from model_runtime.engines.overtones import END, OvertoneFilter
from model_runtime.engines.pitch_ranges import pitch_range
from model_runtime.engines.posteriorgram import FRAME_RATE, SAMPLE_RATE, SILENCE, Network, Samples, frame_time
from model_runtime.errors import EngineUnavailable, InvalidValue
from model_runtime.instruments import is_percussion, program_number
from model_runtime.modality import Audio, Modality, Note, Performance, PitchBend, ProgramChange, Value
from model_runtime.options import Options

_STAGE = "Transcribing"
_NETWORK_SHA256 = "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec"
_MEND = "Run `scorebridge models add basic-pitch`."
_BENCHMARK = "python -m benchmarks.transcription --data DIR --json FILE"
_FIRST_PARTIAL_S = 10.0
_PARTIAL_GROWTH = 1.25  # early results are repeated whole, so they come at growing distances


class BasicPitch(Engine):
    """Transcribes any pitched instrument.

    With `Options.pitch_bends` every note lies on a channel of its own while it sounds, which carries its bend
    (range 2 semitones); else all notes lie on channel 0.

    Args:
        threads: That the network may use.
    """

    name = "basic-pitch"
    source = Modality.AUDIO
    target = Modality.PERFORMANCE
    summary = "Transcribes recordings of any pitched instrument, several notes at once."
    quality = 0.63
    measurements = (
        Measurement("note onset F1 (50 ms)", "five Bach10 chorales, mean", 0.631, _BENCHMARK),
        Measurement("note onset F1 (50 ms)", "a piano phrase (stereo_sample)", 0.933, _BENCHMARK),
        Measurement("note onset F1 (50 ms)", "a singer (vocadito_1)", 0.529, _BENCHMARK),
    )

    def __init__(self, threads: int = 2) -> None:
        self._threads = threads
        self._network: Network | None = None
        self._loading = threading.Lock()

    def availability(self) -> Availability:
        if BASIC_PITCH.installed():
            return Availability(True)
        return Availability(False, "The network of basic-pitch is not installed.", _MEND)

    def load(self) -> None:
        """Read the network.

        Raises:
            EngineUnavailable: it is not installed, or not the file that it should be.
        """
        with self._loading:
            if self._network is None:
                self._network = self._read_network()

    def close(self) -> None:
        self._network = None

    def translate(self, value: Value, options: Options, context: Context) -> Performance:
        if not isinstance(value, Audio):
            raise InvalidValue("Basic Pitch transcribes audio only.")
        self.load()
        network = self._network
        assert network is not None
        return _Transcription(value, options, context).run(network)

    def _read_network(self) -> Network:
        path = BASIC_PITCH.path(NETWORK_FILE)
        try:
            content = path.read_bytes()
        except OSError:
            raise EngineUnavailable("The network of basic-pitch is not installed.", hint=_MEND) from None
        if hashlib.sha256(content).hexdigest() != _NETWORK_SHA256:
            raise EngineUnavailable("The network of basic-pitch is damaged.", hint=_MEND)
        return Network(content, self._threads)


class _Transcription:
    """One recording on its way to notes."""

    def __init__(self, audio: Audio, options: Options, context: Context) -> None:
        self.audio = audio
        self.options = options
        self.context = context
        self.program = None if options.instrument is None else _program(options.instrument, context)
        lowest, highest = pitch_range(options.instrument)
        self.settings = NoteSettings(
            onset_threshold=options.onset_threshold,
            frame_threshold=options.frame_threshold,
            minimum_frames=max(round(options.minimum_note / 1000 * FRAME_RATE), 1),
            lowest_pitch=lowest,
            highest_pitch=highest,
            pitch_bends=options.pitch_bends,
        )
        self.found: list[FoundNote] = []
        self.loudest = 0.0

    def run(self, network: Network) -> Performance:
        creator = NoteCreator(self.settings)
        overtones = OvertoneFilter()
        next_partial_s = _FIRST_PARTIAL_S
        self.context.progress(_STAGE, 0.0, self.audio.duration_s)
        for posteriors, heard in network.posteriors(self._samples(), contours=self.settings.pitch_bends):
            self.found += overtones.feed(creator.feed(posteriors), creator.settled_before)
            done_s = min(heard / SAMPLE_RATE, self.audio.duration_s)
            self.context.progress(_STAGE, done_s, self.audio.duration_s)
            if self.context.on_partial is not None and done_s >= next_partial_s:
                self.context.partial(self._performance())
                next_partial_s = done_s * _PARTIAL_GROWTH
        self.found += overtones.feed(creator.finish(), END)
        if not self.found:
            self.context.warn(
                "The recording is silent." if self.loudest < SILENCE else "No notes were found in the recording."
            )
        return self._performance()

    def _samples(self) -> Iterator[Samples]:
        from model_runtime.files.audio import resampled

        for block in resampled(self.audio, SAMPLE_RATE, mono=True):
            if not np.isfinite(block).all():
                raise InvalidValue("The recording holds samples that are not numbers.")
            self.loudest = max(self.loudest, float(np.abs(block).max(initial=0.0)))
            yield block.reshape(-1)

    def _performance(self) -> Performance:
        found = sorted(self.found, key=lambda note: (note.start_frame, note.pitch))
        notes = [_note(each) for each in found]
        bends: list[PitchBend] = []
        if self.settings.pitch_bends:
            notes, bends, crowded = spread(found, notes, frame_time)
            if crowded:
                self.context.warn("More than 15 notes sound at once somewhere; some of them have no pitch bend.")
        channels = sorted({note.channel for note in notes})
        programs = () if self.program is None else tuple(ProgramChange(0.0, self.program, c) for c in channels)
        return Performance(tuple(notes), pitch_bends=tuple(bends), programs=programs)


def _program(instrument: str, context: Context) -> int | None:
    if is_percussion(instrument):
        context.warn("Basic Pitch hears pitches only; unpitched percussion is not transcribed.")
        return None
    return program_number(instrument)


def _note(found: FoundNote) -> Note:
    velocity = int(np.clip(round(127 * found.amplitude), 1, 127))
    confidence = float(np.clip(found.amplitude, 0.0, 1.0))
    return Note(
        frame_time(found.start_frame), frame_time(found.end_frame), found.pitch, velocity, confidence=confidence
    )
