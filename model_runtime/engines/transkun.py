"""Audio → performance with Transkun: piano notes and pedals, very accurate, slow.

The network runs in an environment and process of its own (`transkun_server.py`). It hears segments of 16 seconds;
neighbouring ones share four, and a note is taken from the segment in which its onset lies further from the edge. A
note that a segment's end cuts is followed into the next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_runtime.addons.known import TRANSKUN
from model_runtime.engines.base import Availability, Context, Engine, Measurement
from model_runtime.engines.transkun_process import SegmentNote, TranskunProcess
from model_runtime.errors import EngineUnavailable, InvalidValue
from model_runtime.instruments import program_number
from model_runtime.modality import Audio, Control, Modality, Note, Performance, ProgramChange, Value
from model_runtime.options import Options

SAMPLE_RATE = 44_100  # Hz
SEGMENT_S = 16.0  # what the network was trained on
STEP_S = 12.0
EDGE_S = (SEGMENT_S - STEP_S) / 2  # at each end only context

_STAGE = "Transcribing"
_MEND = "Run `scorebridge models add transkun`."
_BENCHMARK = "python -m benchmarks.transcription --data DIR --json FILE"
_SEGMENT_SAMPLES = round(SEGMENT_S * SAMPLE_RATE)
_STEP_SAMPLES = round(STEP_S * SAMPLE_RATE)
_SHORTEST_NOTE_S = 0.001
_SAME_ONSET_S = 0.05

Samples = npt.NDArray[np.float32]


class Transkun(Engine):
    """Transcribes the piano with its pedals.

    Args:
        threads: That the network may use.
    """

    name = "transkun"
    source = Modality.AUDIO
    target = Modality.PERFORMANCE
    summary = "Transcribes piano recordings, notes and pedals, very accurately and slowly."
    quality = 0.95
    measurements = (Measurement("note onset F1 (50 ms)", "a piano phrase (stereo_sample)", 1.0, _BENCHMARK),)
    instruments = frozenset({"piano"})

    def __init__(self, threads: int = 2) -> None:
        self._threads = threads
        self._process: TranskunProcess | None = None
        self._lock = threading.Lock()

    def availability(self) -> Availability:
        if TRANSKUN.installed():
            return Availability(True)
        return Availability(False, "Transkun is not installed.", _MEND)

    def load(self) -> None:
        """Start the process, unless it runs.

        Raises:
            EngineUnavailable: it is not installed or does not start.
        """
        with self._lock:
            if self._process is not None and self._process.alive:
                return
            self._end()
            if not TRANSKUN.installed():
                raise EngineUnavailable("Transkun is not installed.", hint=_MEND)
            self._process = TranskunProcess(TRANSKUN.python, self._threads)
            self._process.wait_until_ready()

    def close(self) -> None:
        with self._lock:
            self._end()

    def translate(self, value: Value, options: Options, context: Context) -> Performance:
        if not isinstance(value, Audio):
            raise InvalidValue("Transkun transcribes audio only.")
        _warn_of_ignored(options, context)
        context.progress("Starting Transkun", 0.0, value.duration_s)
        self.load()
        process = self._process
        assert process is not None
        stitcher = Stitcher()
        clock = _Clock(context, value.duration_s)
        for index, segment in enumerate(segments(_blocks(value))):
            clock.segment(index)
            stitcher.feed(process.notes(segment, clock.tick))
            if context.on_partial is not None:
                context.partial(to_performance(stitcher.finished, options))
        context.progress(_STAGE, value.duration_s, value.duration_s)
        performance = to_performance(stitcher.finish(), options)
        if not performance.notes:
            context.warn("No notes were found in the recording.")
        return performance

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


class _Clock:
    """Progress in seconds of audio: segments done, and within one an estimate from those before."""

    def __init__(self, context: Context, duration_s: float) -> None:
        self._context = context
        self._duration_s = duration_s
        self._began = time.monotonic()
        self._segment_began = self._began
        self._index = 0

    def segment(self, index: int) -> None:
        self._index = index
        self._segment_began = time.monotonic()
        self.tick()

    def tick(self) -> None:
        spent = time.monotonic() - self._segment_began
        usual = (self._segment_began - self._began) / self._index if self._index else 10.0
        done = (self._index + min(spent / max(usual, 0.1), 0.9)) * STEP_S
        self._context.progress(_STAGE, min(done, self._duration_s), self._duration_s)


def segments(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Segments of 16 s, each 12 s after the one before, the first with 2 s of silence in front; the last is padded.

    Args:
        blocks: 44.1 kHz, shape (frames, channels).
    """
    held: Samples | None = None
    first = True
    for block in blocks:
        if held is None:
            held = np.zeros((round(EDGE_S * SAMPLE_RATE), block.shape[1]), np.float32)
        held = np.concatenate([held, block])
        while len(held) >= _SEGMENT_SAMPLES:
            yield held[:_SEGMENT_SAMPLES]
            held = held[_STEP_SAMPLES:]
            first = False
    if held is not None and (first or len(held) > _SEGMENT_SAMPLES - _STEP_SAMPLES):  # else all of it was heard
        yield np.pad(held, ((0, _SEGMENT_SAMPLES - len(held)), (0, 0)))


def _blocks(audio: Audio) -> Iterator[Samples]:
    from model_runtime.files.audio import resampled

    for block in resampled(audio, SAMPLE_RATE, mono=audio.channels > 2):
        if not np.isfinite(block).all():
            raise InvalidValue("The recording holds samples that are not numbers.")
        yield block.reshape(len(block), -1)


@dataclass(slots=True)
class StitchedNote:
    """A note of the whole recording: seconds from its start; `open` while a segment's end cuts it."""

    onset_s: float
    offset_s: float
    pitch: int
    velocity: int
    open: bool


class Stitcher:
    """Joins the notes of overlapping segments.

    Attributes:
        finished: All notes so far that no later segment changes.
    """

    def __init__(self) -> None:
        self.finished: list[StitchedNote] = []
        self._open: list[StitchedNote] = []
        self._beyond: list[StitchedNote] = []  # past the next seam: the next segment's, should there be one
        self._segment = 0

    def feed(self, notes: Iterable[SegmentNote]) -> None:
        """Take the next segment's notes."""
        start_s = self._segment * STEP_S - EDGE_S
        seam_s = start_s + EDGE_S if self._segment else -np.inf
        here = [
            StitchedNote(start_s + n.onset_s, start_s + n.offset_s, n.pitch, n.velocity, not n.has_offset)
            for n in notes
        ]
        self._continue([note for note in here if note.onset_s < seam_s < note.offset_s])
        known = [note for note in self.finished + self._open if note.onset_s > seam_s - 2 * _SAME_ONSET_S]
        new = [note for note in here if note.onset_s >= seam_s - _SAME_ONSET_S and not _among(note, known)]
        next_seam_s = start_s + SEGMENT_S - EDGE_S
        self._open += [note for note in new if note.onset_s < next_seam_s]
        self._beyond = [note for note in new if note.onset_s >= next_seam_s]
        self.finished += [note for note in self._open if not note.open]
        self._open = [note for note in self._open if note.open]
        self._segment += 1

    def finish(self) -> list[StitchedNote]:
        """All notes; those that still sound end with the last segment."""
        self.finished += self._open + self._beyond
        self._open, self._beyond = [], []
        return self.finished

    def _continue(self, sounding: list[StitchedNote]) -> None:
        """Follow notes that the segment before cut, by what this one hears on the same key at the seam."""
        on_key = {note.pitch: note for note in sounding}
        for note in self._open:
            same = on_key.get(note.pitch)
            note.open = same is not None and same.open
            if same is not None:
                note.offset_s = same.offset_s


def _among(note: StitchedNote, known: Iterable[StitchedNote]) -> bool:
    """Whether two segments heard the same note a little apart."""
    return any(k.pitch == note.pitch and abs(k.onset_s - note.onset_s) < _SAME_ONSET_S for k in known)


def to_performance(stitched: Iterable[StitchedNote], options: Options) -> Performance:
    """Keys and pedals as notes and controllers; a key struck again ends its note before."""
    shortest_s = options.minimum_note / 1000 if "minimum_note" in options.model_fields_set else _SHORTEST_NOTE_S
    notes: list[Note] = []
    controls: list[Control] = []
    latest: dict[int, float] = {}  # key → onset of the note after
    for note in sorted(stitched, key=lambda n: n.onset_s, reverse=True):
        onset_s = max(note.onset_s, 0.0)
        offset_s = min(note.offset_s, latest.get(note.pitch, np.inf))
        if offset_s - onset_s < shortest_s:
            continue
        latest[note.pitch] = onset_s
        if note.pitch < 0:
            controls.append(Control(onset_s, -note.pitch, int(np.clip(note.velocity, 64, 127))))
            controls.append(Control(offset_s, -note.pitch, 0))
        else:
            notes.append(Note(onset_s, offset_s, note.pitch, int(np.clip(note.velocity, 1, 127))))
    programs = () if options.instrument is None else (ProgramChange(0.0, program_number(options.instrument)),)
    return Performance(tuple(notes), tuple(controls), programs=programs)


def _warn_of_ignored(options: Options, context: Context) -> None:
    chosen = options.model_fields_set & {"onset_threshold", "frame_threshold", "pitch_bends"}
    if chosen:
        names = " and ".join(sorted(chosen))
        context.warn(f"Transkun decides on whole notes and has no {names}; that was left out.")
