"""Transkun in a process of its own: run by the add-on's Python, which knows nothing of ScoreBridge.

Messages in both directions are a length (4 bytes, big-endian), that many bytes of JSON, and then as many bytes of
samples as its "bytes" says. Requests come on standard input:

    {"channels": 2, "bytes": …}    one segment: float32 samples, little-endian, shape (frames, channels), 44.1 kHz

Answers go to standard output: {"ready": true} once, then {"notes": [[onset_s, offset_s, pitch, velocity, has_onset,
has_offset], …]} or {"error": "…"} for each request. Pitches below 0 are pedals: -64 is sustain. The process ends when
its standard input does, even in the middle of a segment.

The model: Yan and Duan, "Scoring Time Intervals Using Non-Hierarchical Transformer for Automatic Piano Transcription"
(ISMIR 2024).
"""

from __future__ import annotations

import json
import os
import queue
import struct
import sys
import threading
import traceback
import types
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

Request = tuple[dict[str, Any], bytes]

_LENGTH = struct.Struct(">I")


def read_message(stream: BinaryIO) -> Request | None:
    """The next message, or None at the end of the stream."""
    start = stream.read(_LENGTH.size)
    if len(start) < _LENGTH.size:
        return None
    header = json.loads(stream.read(_LENGTH.unpack(start)[0]))
    return header, stream.read(header.get("bytes", 0))


def write_message(stream: BinaryIO, header: dict[str, Any], samples: bytes = b"") -> None:
    """Send one message."""
    text = json.dumps(header).encode()
    stream.write(_LENGTH.pack(len(text)) + text + samples)
    stream.flush()


def main() -> None:
    """Serve until standard input ends. The first argument is the number of threads."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the package prints must not get between the answers
    requests: queue.Queue[Request] = queue.Queue()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    warnings.simplefilter("ignore")
    model = Model(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    write_message(answers, {"ready": True})
    while True:
        header, samples = requests.get()
        try:
            answer: dict[str, Any] = {"notes": model.notes(samples, header["channels"])}
        except Exception as error:  # whatever went wrong in there, the next segment may go well
            answer = {"error": f"{type(error).__name__}: {error}"}
        write_message(answers, answer)


def _receive(requests: queue.Queue[Request]) -> None:
    while message := read_message(sys.stdin.buffer):
        requests.put(message)
    os._exit(0)


class Model:
    """The network with the weights of its package."""

    def __init__(self, threads: int) -> None:
        self._torch = import_module("torch")
        self._torch.set_num_threads(threads)
        self._torch.set_grad_enabled(False)
        _stand_in_for_training_imports(self._torch)
        package = import_module("transkun.ModelTransformer")
        weights = Path(package.__file__ or "").parent / "pretrained"
        settings = package.ModelConfig()
        vars(settings).update(json.loads((weights / "2.0.conf").read_text())["Model"]["config"])
        self._frames_of = package.makeFrame
        self._model = package.TransKun(settings)
        checkpoint = self._torch.load(weights / "2.0.pt", map_location="cpu", weights_only=True)
        self._model.load_state_dict(checkpoint["state_dict"])
        self._model.eval()

    def notes(self, samples: bytes, channels: int) -> list[list[float]]:
        """Transcribe one segment on its own; times in seconds from its start."""
        torch = self._torch
        wave = torch.frombuffer(bytearray(samples), dtype=torch.float32).reshape(-1, channels).T
        frames = self._frames_of(wave, self._model.hopSize, self._model.windowSize)
        last_frame = round(wave.shape[-1] / self._model.hopSize)
        (found,), _ = self._model.transcribeFrames(frames[None], lastFrameIdx=last_frame)
        return [[n.start, n.end, n.pitch, n.velocity, bool(n.hasOnset), bool(n.hasOffset)] for n in found]


def _stand_in_for_training_imports(torch: Any) -> None:
    """The package imports MIDI, scoring and filterbank libraries for its training; transcribing needs none of them."""
    for name in ("pretty_midi", "mir_eval"):
        sys.modules.setdefault(name, types.ModuleType(name))

    def melscale_fbanks(*, n_freqs: int, n_mels: int, **_: Any) -> Any:
        return torch.zeros(n_freqs, n_mels)  # the filters themselves come with the weights

    torchaudio = types.ModuleType("torchaudio")
    torchaudio.functional = types.SimpleNamespace(melscale_fbanks=melscale_fbanks)  # type: ignore[attr-defined]
    sys.modules.setdefault("torchaudio", torchaudio)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # the thread that waits on standard input cannot be joined
