"""How soon ScoreBridge's dialog in a real MuseScore 3 answers, and for how long it holds the window up.

    python -m benchmarks.musescore_dialog --json benchmarks/results/musescore_dialog.json

A daemon of its own, and a MuseScore on a screen of its own (Xvfb), driven by keyboard. The dialog's Timer measures
itself: how late it comes (every 40 ms while something is done) is how long the window could not have answered.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
from pathlib import Path

import numpy as np

import bridge
from benchmarks import report
from benchmarks.musescore_window import MuseScore, Screen, converted
from benchmarks.own_daemon import OwnDaemon
from bridge.plugin_installer import install
from model_runtime.addons.known import BASIC_PITCH
from protocol.connection import RUNTIME_VARIABLE

DEMO = Path(bridge.__file__).parent / "demo"
ROUNDS = 5
RECORDING_S = 90
AIMS = {"accepted_ms": 150.0, "longest_block_ms": 100.0}
BLOCKED = r"blocked for (\d+) ms at most while waiting, (\d+) ms by reading or writing"


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--data", type=Path, help="not needed here; all benchmarks take the same arguments")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SCOREBRIDGE_DATA"] = f"{folder}/data"
        BASIC_PITCH.install()
        with OwnDaemon(DATA=f"{folder}/data", ROOTS=folder) as daemon:
            os.environ[RUNTIME_VARIABLE] = str(daemon.folder / "run")
            runs = _rounds(Path(folder))
    figures = {name: statistics.median(values) for name, values in runs.items()}
    figures["typical_block_ms"] = figures["longest_block_ms"]
    figures["longest_block_ms"] = max(runs["longest_block_ms"])  # of all rounds: one is felt, too
    rows = [
        {"figure": name, "value": f"{value:.0f}", "aim": f"≤ {AIMS[name]:g}" if name in AIMS else "–"}
        for name, value in figures.items()
    ]
    report.write(figures, rows, arguments.json, f"The dialog in MuseScore 3, {ROUNDS} rounds")


def _rounds(folder: Path) -> dict[str, list[float]]:
    plugins = folder / "plugins"
    install("musescore", str(plugins))
    score = converted(DEMO / "little_bridge.musicxml", folder / "piece.mscx")
    recording = _recording(folder / "long.flac")
    screen = Screen()
    runs: dict[str, list[float]] = {}
    try:
        host = MuseScore(screen, folder / "host", plugins, score, **_scorebridge_settings())
        try:
            host.open_dialog()
            host.hears("daemon: ready")
            host.keys("2", "Tab")
            host.type(str(recording))
            for _ in range(ROUNDS):
                host.keys("Return")
                for name, value in _figures(host).items():
                    runs.setdefault(name, []).append(value)
                host.keys("2")
        finally:
            host.close()
    finally:
        screen.close()
    return runs


def _figures(host: MuseScore) -> dict[str, float]:
    """Of one transcription into the score, from the dialog's own record."""
    shown = float(host.hears(r"\+(\d+) ms: Sending")[1])
    accepted = float(host.hears(r"\+(\d+) ms: working")[1])
    stage = float(host.hears(r"\+(\d+) ms: (?!Waiting|working)[A-Z]")[1])
    blocked = host.hears(BLOCKED, within_s=300)
    assert re.search("done: .*musicxml", host.said())
    return {
        "first_sign_ms": shown,
        "accepted_ms": accepted,
        "first_stage_ms": stage,
        "longest_block_ms": float(blocked[1]),
        "writing_block_ms": float(blocked[2]),
    }


def _recording(path: Path) -> Path:
    """The demo's clip again and again: seconds of work, in which the window must answer."""
    import soundfile

    samples, rate = soundfile.read(DEMO / "little_bridge.ogg")
    soundfile.write(path, np.resize(samples, RECORDING_S * rate), rate)
    return path


def _scorebridge_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("SCOREBRIDGE_")}


if __name__ == "__main__":
    main()
