"""The real plugin file in Qt 6, as MuseScore 4 loads it, with a score that is stricter than MuseScore's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running_daemon import RunningDaemon

from benchmarks.musescore_window import SCREENSHOTS
from bridge.plugin_installer import install
from model_runtime import Options, Performance, files, translate
from model_runtime.tempo import TempoMap

HOST = Path(__file__).parent / "qt6_host.py"
# Two measures, two staves: [tick, ticks, pitch, track].
NOTES = [
    *([480 * i, 480, 60 + 2 * i, 0] for i in range(8)),
    *([960 * i, 960, 40 + i, 4] for i in range(4)),
]


class Qt6:
    """The plugin in a window of Qt 6."""

    def __init__(self, plugin: Path, home: Path, *words: str, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HOST), str(plugin), str(home), *words],
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, *command: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (BrokenPipeError, ValueError):
            assert self._process.stderr is not None
            raise AssertionError(self._process.stderr.read()) from None

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.ask("picture", str(SCREENSHOTS / f"qt6-{name}.png"))

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


Open = Callable[..., Qt6]


@pytest.fixture
def daemon(basic_pitch_data: Path, tmp_path: Path) -> Iterator[RunningDaemon]:
    """A daemon that is not started yet."""
    made = RunningDaemon(tmp_path, DATA=str(basic_pitch_data), ROOTS=str(tmp_path))
    yield made
    made.close()


@pytest.fixture
def qt6(daemon: RunningDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setenv("SCOREBRIDGE_RUNTIME", str(daemon.connection_file.parent))
    (plugin,) = install("musescore", str(tmp_path / "plugins of 4")).folders
    made: list[Qt6] = []

    def build(*words: str) -> Qt6:
        settings = {name: value for name, value in daemon.environment.items() if name.startswith("SCOREBRIDGE_")}
        made.append(Qt6(plugin / "ScoreBridge.qml", tmp_path, *words, **settings))
        return made[-1]

    yield build
    try:
        for one in made:
            assert one.ask("complaints") == []
    finally:
        for one in made:
            one.close()


def ended(dialog: Qt6) -> str:
    """How the job ended."""
    dialog.ask("until", "view.isBusy", False)
    phase = dialog.ask("value", "view.phase")
    assert isinstance(phase, str)
    return phase


def score(selected: list[int] | None = None) -> tuple[str, str]:
    return "--score", json.dumps({"notes": NOTES, "range": selected})


def test_it_loads_has_its_title_and_says_that_there_is_no_daemon(qt6: Open) -> None:
    dialog = qt6()
    assert dialog.ask("until", "view.link", "absent") == "absent"
    texts = dialog.ask("texts")
    assert dialog.ask("value", "title") == "ScoreBridge"
    assert {"The ScoreBridge daemon does not run.", "Start the daemon", "No score is open."} <= set(texts)
    dialog.picture("no-daemon")


def test_the_selection_is_read_from_a_strict_score_and_performed(qt6: Open, daemon: RunningDaemon) -> None:
    daemon.start()
    dialog = qt6(*score([1920, 3840, 0, 1]))
    assert dialog.ask("until", "view.link", "ready") == "ready"
    assert "Measure 2, staff 1" in dialog.ask("texts")
    dialog.ask("key", "4")
    dialog.ask("key", "Return")
    assert ended(dialog) == "done", dialog.ask("texts")
    performance = files.read(Path(dialog.ask("value", "view.result.path")))
    assert isinstance(performance, Performance)
    assert [note.pitch for note in performance.notes] == [68, 70, 72, 74]
    assert isinstance(performance.tempo_map, TempoMap)
    assert [note.onset_s for note in performance.notes] == pytest.approx([0, 0.625, 1.25, 1.875], abs=0.05)
    dialog.picture("done")


def test_without_a_selection_the_whole_score_is_heard(qt6: Open, daemon: RunningDaemon) -> None:
    daemon.start()
    dialog = qt6(*score())
    dialog.ask("until", "view.link", "ready")
    assert "The whole score (nothing is selected), 2 measures" in dialog.ask("texts")
    dialog.ask("key", "Return")
    assert ended(dialog) == "done", dialog.ask("texts")
    heard = translate(Path(dialog.ask("value", "view.result.path")), "performance", Options()).value
    assert isinstance(heard, Performance)
    missing = {note[2] for note in NOTES} - {note.pitch for note in heard.notes}
    assert len(missing) <= 1  # a transcriber may miss one; a reader may not, which the performance above shows
    assert dialog.ask("focus") in ("Play", "Stop")


def test_a_version_that_cannot_open_scores_says_so(qt6: Open, daemon: RunningDaemon, tmp_path: Path) -> None:
    daemon.start()
    (tmp_path / "take.mid").write_bytes(b"MThd nothing")
    dialog = qt6()
    dialog.ask("until", "view.link", "ready")
    dialog.ask("key", "2")
    dialog.ask("key", "Tab")
    dialog.ask("type", "~/take.mid")
    dialog.ask("key", "Return")
    assert ended(dialog) == "failed"
    assert dialog.ask("value", "view.problem.message") in dialog.ask("texts")
    assert dialog.ask("value", "view.problem.hint") in dialog.ask("texts")

    from model_runtime.modality import Audio  # the clip's own sound, where the daemon may read it

    clip = files.read(Path(str(files.__file__)).parents[2] / "bridge" / "demo" / "little_bridge.ogg")
    assert isinstance(clip, Audio)
    files.write(clip, tmp_path / "take.wav")
    dialog.ask("key", "2")
    dialog.ask("key", "Tab")
    dialog.ask("type", "~/take.wav")
    dialog.ask("key", "Return")
    assert ended(dialog) == "done", dialog.ask("texts")
    assert any("does not let plugins open scores" in text for text in dialog.ask("texts"))
    dialog.picture("new-score")


def test_the_keyboard_reaches_every_control(qt6: Open, daemon: RunningDaemon) -> None:
    daemon.start()
    dialog = qt6(*score())
    dialog.ask("until", "view.link", "ready")
    dialog.ask("key", "2")
    reached = []
    for _ in range(25):
        dialog.ask("key", "Tab")
        reached.append(dialog.ask("focus"))
    for wanted in (
        "Browse…",
        "into this score",
        "into a new score",
        "with their key, time signature and tempo",
        "Close",
    ):
        assert wanted in reached
    assert "0.5" in reached and "58" in reached  # the options


def test_an_option_out_of_range_is_said_before_anything_is_sent(qt6: Open, daemon: RunningDaemon) -> None:
    daemon.start()
    dialog = qt6(*score())
    dialog.ask("until", "view.link", "ready")
    before = daemon.connected.jobs()
    dialog.ask("key", "1")
    for _ in range(12):
        dialog.ask("key", "Tab")
        if dialog.ask("focus") == "0.5":
            break
    dialog.ask("type", "9")
    dialog.ask("key", "Return")
    assert any("Swing is out of range (0.5 – 0.75)" in text for text in dialog.ask("texts"))
    assert dialog.ask("value", "view.phase") == "idle"
    assert daemon.connected.jobs() == before


def test_closing_the_window_cancels_the_job(qt6: Open, daemon: RunningDaemon, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    daemon.start()
    noise = np.random.default_rng(1).normal(0, 0.1, 22050 * 60 * 8)
    soundfile.write(tmp_path / "long.flac", noise, 22050)
    dialog = qt6(*score())
    dialog.ask("until", "view.link", "ready")
    dialog.ask("key", "2")
    dialog.ask("key", "Tab")
    dialog.ask("type", "~/long.flac")
    dialog.ask("key", "Return")
    assert dialog.ask("until", "view.phase", "working") == "working"
    dialog.ask("spin", 0.3)
    dialog.ask("close")
    dialog.ask("spin", 0.5)
    job = daemon.connected.jobs()[0]
    assert daemon.ended(job.job).phase == "cancelled"


def test_a_dark_theme_makes_a_dark_dialog_with_readable_text(qt6: Open, daemon: RunningDaemon) -> None:
    from PIL import Image

    daemon.start()
    dialog = qt6("--dark")
    dialog.ask("until", "view.link", "ready")
    dialog.picture("dark")
    with Image.open(SCREENSHOTS / "qt6-dark.png") as picture:
        grey = picture.convert("L")
        histogram = grey.histogram()
    pixels = grey.width * grey.height
    assert sum(histogram[:80]) > 0.8 * pixels
    assert sum(histogram[180:]) > 0.002 * pixels  # the words
