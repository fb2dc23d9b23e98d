"""Basic Pitch's network on a stream of audio: overlapping windows in, a seamless posteriorgram out.

The network is that of Bittner et al., "A Lightweight Instrument-Agnostic Model for Polyphonic Note Transcription and
Multipitch Estimation" (ICASSP 2022), run on onnxruntime.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.engines.note_creation import Posteriors

SAMPLE_RATE = 22_050  # Hz
HOP_SAMPLES = 256  # samples a frame
FRAME_RATE = SAMPLE_RATE / HOP_SAMPLES  # 86.13 frames a second
WINDOW_SAMPLES = 43_844  # what the network takes at once: two seconds less a hop
WINDOW_FRAMES = 172  # what it gives back for that
EDGE_FRAMES = 15  # left out at each end of a window, where the network sees too little
EDGE_SAMPLES = EDGE_FRAMES * HOP_SAMPLES
KEPT_FRAMES = WINDOW_FRAMES - 2 * EDGE_FRAMES
WINDOW_STEP_SAMPLES = WINDOW_SAMPLES - 2 * EDGE_SAMPLES

_BATCH_WINDOWS = 4
SILENCE = 1e-4  # of full scale; the network lifts whatever it gets to full scale, and finds notes in bare noise
_INPUT = "serving_default_input_2:0"
_CONTOURS = "StatefulPartitionedCall:0"
_NOTES = "StatefulPartitionedCall:1"
_ONSETS = "StatefulPartitionedCall:2"

Samples = npt.NDArray[np.float32]


def frame_time(frame: int) -> float:
    """Seconds from the start of the audio to the middle of a frame.

    A window steps by 141.27 hops but 142 of its frames are kept, so frames are counted window by window.
    """
    window, frame_in_window = divmod(frame, KEPT_FRAMES)
    return (window * WINDOW_STEP_SAMPLES + frame_in_window * HOP_SAMPLES) / SAMPLE_RATE


class Network:
    """The network, warm.

    Args:
        network: Content of `nmp.onnx`.
        threads: That one call may use.
    """

    def __init__(self, network: bytes, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to others
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def posteriors(self, samples: Iterable[Samples], *, contours: bool = False) -> Iterator[tuple[Posteriors, int]]:
        """Run over a stream.

        Args:
            samples: Consecutive blocks at 22,050 Hz, shape (n,), any lengths.
            contours: Whether the finer pitch contours are wanted as well.

        Yields:
            Consecutive frames, and how many samples have been heard so far.
        """
        wanted = [_NOTES, _ONSETS, _CONTOURS] if contours else [_NOTES, _ONSETS]
        windows = _windows(samples)
        heard = 0
        while batch := list(islice(windows, _BATCH_WINDOWS)):
            stacked = np.stack([window for window, _ in batch])  # (windows, WINDOW_SAMPLES)
            outputs = self._session.run(wanted, {_INPUT: stacked[:, :, None]})
            heard += sum(new_samples for _, new_samples in batch)
            kept = [output[:, EDGE_FRAMES:-EDGE_FRAMES].reshape(-1, output.shape[-1]) for output in outputs]
            frames = sum(min(-(-new_samples // HOP_SAMPLES), KEPT_FRAMES) for _, new_samples in batch)
            audible = _audible(stacked).reshape(-1, 1)[:frames]
            notes, onsets = (output[:frames] * audible for output in kept[:2])
            yield Posteriors(notes, onsets, kept[2][:frames] if contours else None), heard


def _windows(blocks: Iterable[Samples]) -> Iterator[tuple[Samples, int]]:
    """Overlapping windows with the number of samples that each adds; silence before the start and after the end."""
    held = np.zeros(EDGE_SAMPLES, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        start = 0
        while len(held) - start >= WINDOW_SAMPLES:
            yield held[start : start + WINDOW_SAMPLES], WINDOW_STEP_SAMPLES
            start += WINDOW_STEP_SAMPLES
        held = held[start:]
    while len(held) > EDGE_SAMPLES:
        padded = np.pad(held[:WINDOW_SAMPLES], (0, max(WINDOW_SAMPLES - len(held), 0)))
        yield padded, min(len(held) - EDGE_SAMPLES, WINDOW_STEP_SAMPLES)
        held = held[WINDOW_STEP_SAMPLES:]


def _audible(windows: Samples) -> npt.NDArray[np.bool_]:
    """For each kept frame of each window whether anything sounds around it, shape (windows, KEPT_FRAMES)."""
    hops = windows[:, : WINDOW_FRAMES * HOP_SAMPLES]
    hops = np.pad(hops, ((0, 0), (0, WINDOW_FRAMES * HOP_SAMPLES - hops.shape[1])))
    peaks = np.abs(hops).reshape(len(windows), WINDOW_FRAMES, HOP_SAMPLES).max(axis=2)
    around = np.maximum(peaks[:, 1:], peaks[:, :-1])  # a frame lies between two hops
    return np.asarray(around[:, EDGE_FRAMES - 1 : EDGE_FRAMES - 1 + KEPT_FRAMES] >= SILENCE)
