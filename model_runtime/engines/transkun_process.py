"""The long-lived process in which Transkun runs, seen from ScoreBridge."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
import numpy.typing as npt

from model_runtime.engines.transkun_server import Request, read_message, write_message
from model_runtime.errors import EngineUnavailable

_POLL_S = 0.25
_SERVER = Path(__file__).with_name("transkun_server.py")


@dataclass(frozen=True, slots=True)
class SegmentNote:
    """A note, or a pedal's being down, within one segment.

    Attributes:
        onset_s, offset_s: From the segment's start.
        pitch: MIDI number; minus the controller's number for a pedal.
        has_onset, has_offset: False where the segment's edge cuts it.
    """

    onset_s: float
    offset_s: float
    pitch: int
    velocity: int
    has_onset: bool
    has_offset: bool


class TranskunProcess:
    """Starts the server and asks it.

    Args:
        python: Interpreter of the add-on's environment.
        threads: That the network may use.
        server: The script to run.
    """

    def __init__(self, python: Path, threads: int, server: Path = _SERVER) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            # Isolated (-I), so that neither this folder nor the user's packages get between it and its own.
            self._process = subprocess.Popen(
                [str(python), "-I", str(server), str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
            )
        except OSError as error:
            self._log.close()
            raise EngineUnavailable(
                f"Transkun could not be started: {error.strerror}.", hint="Run `scorebridge models add transkun`."
            ) from error
        self._answers: Queue[Request | None] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return when the weights are read.

        Raises:
            EngineUnavailable: it ended instead.
        """
        self._answer(lambda: None)

    def notes(self, samples: npt.NDArray[np.float32], tick: Callable[[], None]) -> list[SegmentNote]:
        """Transcribe one segment.

        Args:
            samples: 44.1 kHz, shape (frames, channels).
            tick: Called four times a second; when it raises, the process is ended, for it cannot be interrupted.

        Raises:
            EngineUnavailable: the process died or failed.
        """
        data = np.ascontiguousarray(samples, "<f4").tobytes()
        assert self._process.stdin is not None
        try:
            write_message(self._process.stdin, {"channels": samples.shape[1], "bytes": len(data)}, data)  # type: ignore[arg-type]
        except OSError:
            raise self._died() from None
        answer = self._answer(tick)
        if "error" in answer:
            raise EngineUnavailable(f"Transkun failed: {answer['error']}.")
        return [SegmentNote(*note) for note in answer["notes"]]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._log):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:  # what it had not read any more
                    continue

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while message := read_message(stream):  # type: ignore[arg-type]
                self._answers.put(message)
        self._answers.put(None)

    def _answer(self, tick: Callable[[], None]) -> dict[str, Any]:
        try:
            while True:
                try:
                    message = self._answers.get(timeout=_POLL_S)
                    break
                except Empty:
                    tick()
        except BaseException:
            self.close()
            raise
        if message is None:
            raise self._died()
        return message[0]

    def _died(self) -> EngineUnavailable:
        self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        reason = lines[-1].strip().rstrip(".") if lines else f"status {self._process.returncode}"
        return EngineUnavailable(
            f"Transkun's process ended unexpectedly ({reason}).",
            hint="It is started again next time; it needs about 2 GB of memory.",
        )
