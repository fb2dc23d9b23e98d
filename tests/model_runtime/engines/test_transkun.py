"""Audio → performance over Transkun, in its own environment and process, with its real network."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import midirenderer
import mido
import numpy as np
import psutil
import pytest
import soundfile
from plucked import played

from model_runtime.addons.known import SOUNDFONT, TRANSKUN
from model_runtime.addons.soundfonts import ADDON_SOUNDFONT
from model_runtime.engines.base import Context
from model_runtime.engines.transkun import Transkun
from model_runtime.engines.transkun_process import TranskunProcess
from model_runtime.errors import Cancelled, EngineUnavailable
from model_runtime.modality import SampledAudio
from model_runtime.options import Options

pytestmark = pytest.mark.timeout(600)  # seconds a segment, on a slow machine that does other things too

# Onset and length in seconds, pitch, velocity: a melody, loud and soft by turns, and a held chord.
PIECE = [
    *((0.5 + 0.5 * i, 0.45, pitch, 50 if i % 2 else 100) for i, pitch in enumerate([60, 64, 67, 72, 71, 67, 62, 55])),
    *((4.5, 3.0, pitch, 90) for pitch in (48, 64)),
]


@pytest.fixture(scope="module")
def _shared() -> Iterator[Transkun]:
    engine = Transkun()
    yield engine
    engine.close()


@pytest.fixture
def engine(_shared: Transkun, transkun_data: Path) -> Transkun:
    """One warm process for all tests that do not end it."""
    return _shared


def piano(length_s: float) -> SampledAudio:
    """`PIECE` on a sampled piano."""
    events = [(onset, mido.Message("note_on", note=p, velocity=v)) for onset, _, p, v in PIECE]
    events += [(onset + length, mido.Message("note_on", note=p, velocity=0)) for onset, length, p, _ in PIECE]
    track, now = mido.MidiTrack(), 0
    for time_s, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=round(time_s * 1000) - now))
        now = round(time_s * 1000)
    file = io.BytesIO()
    mido.MidiFile(ticks_per_beat=500, tracks=[track]).save(file=file)  # 120 quarters a minute: a tick is 1 ms
    wave = midirenderer.render_wave_from(SOUNDFONT.path(ADDON_SOUNDFONT).read_bytes(), file.getvalue())
    samples, rate = soundfile.read(io.BytesIO(bytes(wave)), dtype="float32", always_2d=True)
    return SampledAudio(samples[: round(length_s * rate)], rate)


def test_a_piano_piece_comes_back_with_its_notes_and_their_loudness(engine: Transkun) -> None:
    steps: list[tuple[float, float]] = []

    def watch(stage: str, current: float, total: float) -> None:
        steps.append((time.monotonic(), current))

    context = Context(on_progress=watch)
    recording = piano(9.0)
    performance = engine.translate(recording, Options(instrument="piano"), context)
    expected = sorted((round(onset, 1), pitch) for onset, _, pitch, _ in PIECE)
    assert sorted((round(note.onset_s, 1), note.pitch) for note in performance.notes) == expected
    held = [note.offset_s for note in performance.notes if note.onset_s > 4.4]
    assert held == pytest.approx([7.5, 7.5], abs=0.5)
    loudness = [note.velocity for note in performance.notes if note.onset_s < 4.4]
    assert min(loudness[::2]) > max(loudness[1::2])
    assert [(p.program, p.channel) for p in performance.programs] == [(0, 0)]

    assert [current for _, current in steps] == sorted(current for _, current in steps)
    assert steps[-1][1] == recording.duration_s
    waits = np.diff([moment for moment, current in steps if current > 0])
    assert waits.max() < 2.0


def test_cancelling_ends_the_process_within_a_second_and_the_next_call_starts_another(engine: Transkun) -> None:
    engine.load()
    process = psutil.Process(engine._process.pid)  # type: ignore[union-attr]
    cancelled: list[float] = []

    def stop(stage: str, current: float, total: float) -> None:
        if current > 0.1:  # in the middle of the segment
            cancelled.append(time.monotonic())
            raise Cancelled

    with pytest.raises(Cancelled):
        engine.translate(played([(0.5, 1.0, 60)], 3.0), Options(), Context(on_progress=stop))
    assert time.monotonic() - cancelled[0] < 1.0
    assert not process.is_running()
    engine.load()
    assert engine._process is not None and engine._process.pid != process.pid


def test_when_the_process_dies_the_error_is_a_sentence_and_the_next_call_starts_another(engine: Transkun) -> None:
    engine.load()
    first = engine._process.pid  # type: ignore[union-attr]
    threading.Timer(0.5, psutil.Process(first).kill).start()
    with pytest.raises(EngineUnavailable, match="ended unexpectedly") as death:
        engine.translate(played([(0.5, 1.0, 60)], 3.0), Options(), Context())
    assert "Traceback" not in str(death.value)
    assert death.value.hint
    engine.load()
    assert engine._process is not None and engine._process.alive and engine._process.pid != first


def test_a_segment_that_cannot_be_transcribed_is_an_error_and_the_process_goes_on(engine: Transkun) -> None:
    engine.load()
    process = engine._process
    assert process is not None
    with pytest.raises(EngineUnavailable, match="Transkun failed"):
        process.notes(np.zeros((0, 1), np.float32), lambda: None)
    assert process.alive


def test_closing_ends_the_process_and_closing_again_does_no_harm(transkun_data: Path) -> None:
    engine = Transkun()
    engine.load()
    process = psutil.Process(engine._process.pid)  # type: ignore[union-attr]
    engine.close()
    assert not process.is_running()
    engine.close()


def test_the_process_ends_when_its_parent_is_killed(transkun_data: Path) -> None:
    program = (
        "import time, numpy as np\n"
        "from model_runtime.engines.transkun_process import TranskunProcess\n"
        "from model_runtime.addons.known import TRANSKUN\n"
        "process = TranskunProcess(TRANSKUN.python, 1)\n"
        "process.wait_until_ready()\n"
        "print(process.pid, flush=True)\n"
        "process.notes(np.zeros((16 * 44100, 2), np.float32), lambda: None)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(0.5)  # now it is in the middle of a segment
    assert child.is_running()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()


def test_an_environment_without_what_it_needs_is_named_in_the_error() -> None:
    process = TranskunProcess(Path(sys.executable), 1)  # our own Python has no Transkun, and PyTorch only for training
    with pytest.raises(EngineUnavailable, match=r"No module named '(torch|transkun)'"):
        process.wait_until_ready()
    assert not process.alive
    process.close()


def test_where_it_is_not_installed_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCOREBRIDGE_DATA", str(tmp_path))
    engine = Transkun()
    state = engine.availability()
    assert not state.ready and "scorebridge models add transkun" in state.hint
    with pytest.raises(EngineUnavailable, match="not installed"):
        engine.load()


def test_its_environment_shares_nothing_with_ours(transkun_data: Path) -> None:
    script = "import importlib.util as u; print([n for n in ('model_runtime', 'onnxruntime', 'pip') if u.find_spec(n)])"
    done = subprocess.run([str(TRANSKUN.python), "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
