"""The audio reader at run time, without torch: sound in, notes with probabilities out, offline and live.

    AudioReader().read(audio)    a recording of any length, in flat memory
    listener()                   a `model_runtime.listening.Listener` for one live session

Both see the same frames through the same network. Live, a step is taken as soon as its 512 samples are there, and notes
are told of 93 ms after they begin. The late heads wait 139 ms longer and are surer: a recording is read by them alone,
and live they confirm what was told of, let it be withdrawn, or add to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.errors import EngineUnavailable, InvalidValue
from model_runtime.listening import HeardNote, Listener
from model_runtime.modality import Audio
from model_runtime.unified.audio_front_end import BINS, HISTORY_SAMPLES, SAMPLE_RATE, frames_of
from model_runtime.unified.audio_steps import DELAY_S, DELAY_SAMPLES, FRAMES_A_STEP, LATE_STEPS, STEP_S, STEP_SAMPLES
from model_runtime.unified.note_picking import NotePicker, PickedNote, PickingSettings
from model_runtime.unified.second_reading import SecondReading

Floats = npt.NDArray[np.float32]
WEIGHTS = "audio_reader.onnx"
LOOK_AHEAD_S = DELAY_S + 1.5 * STEP_S
"""What a note needs to be heard of after its onset, 93 ms: the delay, half a step for the grid, a step for the peak."""

SILENCE = 1e-4
"""Of full scale: softer than this is nothing."""

_SILENT_STEPS = 24
_BLOCK_STEPS = 4  # at once: as many as lie in a core's cache
_FLUSH_SAMPLES = DELAY_SAMPLES + (LATE_STEPS + 3) * STEP_SAMPLES  # until all that was heard has been told of
_MEND = "Install ScoreBridge again."


class ReaderSession:
    """The network on onnxruntime, with the memory of one stream.

    Args:
        weights: File of the exported network; None is the one that comes with ScoreBridge.
        threads: That one call may use.

    Raises:
        EngineUnavailable: the file is missing or no such network.
    """

    def __init__(self, weights: Path | None = None, threads: int = 1) -> None:
        self._session = _session(weights, threads)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._state = [
            np.zeros([size if isinstance(size, int) else 1 for size in given.shape], np.float32)
            for given in self._session.get_inputs()[1:]
        ]

    def hear_silence(self) -> None:
        """Start as after a silence: what the network says in its first steps means nothing."""
        self.heads(np.zeros((_SILENT_STEPS * FRAMES_A_STEP, BINS), np.float32))

    def heads(self, frames: Floats) -> tuple[Floats, Floats, Floats]:
        """Probabilities of the heads and of the late heads, shape (T, KEYS, 4), and of the pedal, shape (T,).

        Args:
            frames: Shape (T × FRAMES_A_STEP, BINS).
        """
        names = [given.name for given in self._session.get_inputs()]
        given = dict(zip(names, [frames[None], *self._state], strict=True))
        heads, late, pedal, *self._state = self._session.run(None, given)
        return heads[0], late[0], pedal[0]


@cache
def _session(weights: Path | None, threads: int) -> Any:
    """The network itself keeps nothing of a stream, so that all streams share one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to others
    options.log_severity_level = 3
    try:
        content = (
            resources.files("model_runtime.unified") / "weights" / WEIGHTS if weights is None else weights
        ).read_bytes()
    except OSError:
        raise EngineUnavailable("The audio reader's network is not there.", hint=_MEND) from None
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an exception of its own for each kind of damage
        raise EngineUnavailable("The audio reader's network is damaged.", hint=_MEND) from error


class _Framing:
    """Samples in pieces of any length → frames, whole steps of them."""

    def __init__(self) -> None:
        self._held = np.zeros(HISTORY_SAMPLES, np.float32)

    def feed(self, samples: Floats) -> Floats:
        """The frames of the steps that have become whole, shape (n × FRAMES_A_STEP, BINS)."""
        held = np.concatenate([self._held, samples])
        steps = (len(held) - HISTORY_SAMPLES) // STEP_SAMPLES
        used = HISTORY_SAMPLES + steps * STEP_SAMPLES
        self._held = held[used - HISTORY_SAMPLES :]
        return frames_of(held[:used]) if steps else np.zeros((0, BINS), np.float32)


@dataclass(frozen=True)
class ReadNotes:
    """What was heard in a recording.

    Attributes:
        notes: In order of onsets.
        pedal: When the sustain pedal is down in seconds, shape (n, 2).
        loudest: Of the samples, 0 to 1.
    """

    notes: list[PickedNote]
    pedal: npt.NDArray[np.float64]
    loudest: float


class AudioReader:
    """Reads recordings.

    Args:
        weights: File of the exported network; None is the one that comes with ScoreBridge.
        threads: That the network may use.
        settings: What counts as a note.
    """

    def __init__(self, weights: Path | None = None, threads: int = 1, settings: PickingSettings | None = None) -> None:
        self._weights, self._threads, self._settings = weights, threads, settings

    def load(self) -> None:
        """Read the network."""
        _session(self._weights, self._threads)

    def read(
        self,
        audio: Audio,
        on_progress: Callable[[float, list[PickedNote]], None] | None = None,
        on_heads: Callable[[Floats, Floats, Floats], None] | None = None,
    ) -> ReadNotes:
        """All notes of a recording.

        Args:
            audio: Of any rate and length.
            on_progress: Told after every ten seconds or so how many seconds are read and what was heard; may raise.
            on_heads: Told all that the network says, as `ReaderSession.heads` tells it, some steps at a time.

        Raises:
            InvalidValue: samples that are not numbers.
            EngineUnavailable: the network is missing.
        """
        session, framing, picker = ReaderSession(self._weights, self._threads), _Framing(), NotePicker(self._settings)
        session.hear_silence()
        notes: list[PickedNote] = []
        pedal = _Pedal()
        loudest, heard, steps = 0.0, 0, 0
        for samples in _samples(audio):
            loudest = max(loudest, float(np.abs(samples).max(initial=0.0)))
            frames = framing.feed(samples)
            for start in range(0, len(frames), _BLOCK_STEPS * FRAMES_A_STEP):
                early, late, pedals = session.heads(frames[start : start + _BLOCK_STEPS * FRAMES_A_STEP])
                if on_heads is not None:
                    on_heads(early, late, pedals)
                for step in late[max(LATE_STEPS - steps, 0) :]:
                    notes += picker.step(step).struck
                steps += len(late)
                pedal.feed(pedals)
            heard += len(samples)
            if on_progress is not None:
                on_progress(min(heard / SAMPLE_RATE, audio.duration_s), notes)
        notes += picker.finish().struck
        return ReadNotes(sorted(notes, key=lambda n: (n.onset_s, n.pitch)), pedal.spans(), loudest)


def _samples(audio: Audio) -> Iterator[Floats]:
    """The recording as the network takes it, and the silence after it in which the last notes are told of."""
    from model_runtime.files.audio import resampled

    for block in resampled(audio, SAMPLE_RATE, mono=True):
        samples = block.reshape(-1)
        _check(samples)
        yield samples
    yield np.zeros(_FLUSH_SAMPLES, np.float32)


def _check(samples: Floats) -> None:
    if not np.isfinite(samples).all():
        raise InvalidValue("The recording holds samples that are not numbers.")


class _Pedal:
    """Spans in which the pedal is down, with a little inertia."""

    def __init__(self) -> None:
        self._found: list[list[float]] = []
        self._step = 0
        self._down = False

    def feed(self, probabilities: Floats) -> None:
        from model_runtime.unified.audio_steps import moment_s

        for probability in probabilities.tolist():
            if not self._down and probability > 0.6:
                self._found.append([max(moment_s(self._step), 0.0)])
                self._down = True
            elif self._down and probability < 0.4:
                self._found[-1].append(max(moment_s(self._step), 0.0))
                self._down = False
            self._step += 1
        self._last = max(moment_s(self._step), 0.0)

    def spans(self) -> npt.NDArray[np.float64]:
        closed = [span if len(span) == 2 else [span[0], self._last] for span in self._found]
        found: npt.NDArray[np.float64] = np.array(closed, np.float64).reshape(-1, 2)
        return found[found[:, 1] > found[:, 0]]


def listener(weights: Path | None = None, settings: PickingSettings | None = None) -> Listener:
    """Hears notes live. Each session takes one of its own; all of them share the network.

    Raises:
        EngineUnavailable: the network is missing.
    """
    return LiveReader(weights, settings)


class LiveReader:
    """See `model_runtime.listening.Listener`. Results do not depend on how the samples were cut into pieces."""

    sample_rate = SAMPLE_RATE
    look_ahead_s = LOOK_AHEAD_S

    def __init__(self, weights: Path | None = None, settings: PickingSettings | None = None) -> None:
        self._session = ReaderSession(weights)
        self._session.hear_silence()
        self._framing = _Framing()
        self._early, self._late = NotePicker(settings), NotePicker(settings)
        self._told = SecondReading()
        self._steps = 0

    def listen(self, samples: npt.NDArray[np.float32]) -> list[HeardNote]:
        """The next samples, mono, shape (n,), any n → what is now known that was not before, in order of time.

        Raises:
            InvalidValue: samples that are not numbers.
        """
        samples = np.asarray(samples, np.float32).reshape(-1)
        _check(samples)
        heard: list[HeardNote] = []
        for start in range(
            0, len(samples), STEP_SAMPLES
        ):  # never two steps in one go: the result would differ in the last bits
            frames = self._framing.feed(samples[start : start + STEP_SAMPLES])
            if len(frames):
                heads, late, _ = self._session.heads(frames)
                heard += self._step(heads[0], late[0])
        return heard

    def _step(self, heads: Floats, late: Floats) -> list[HeardNote]:
        words = self._told.early(self._early.step(heads))
        step = self._steps - LATE_STEPS
        if step >= 0:
            words += self._told.late(self._late.step(late), step)
        self._steps += 1
        latest = {word.number: word for word in words}  # of a note that both readings tell of, the late one's
        return sorted(latest.values(), key=lambda word: word.onset_s)

    def finish(self) -> list[HeardNote]:
        """The sound is over: the ends of what still sounds, and what was still provisional confirmed or withdrawn."""
        heard = self.listen(np.zeros(_FLUSH_SAMPLES, np.float32))
        heard += self._told.early(self._early.finish())
        heard += self._told.late(self._late.finish(), self._steps - LATE_STEPS)
        return heard + self._told.finish()
