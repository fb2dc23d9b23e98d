"""The dialog in a real MuseScore 3, opened from its menu and driven by keyboard, against the real daemon."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile
from PIL import Image, ImageDraw
from running_daemon import RunningDaemon, until

import bridge
from benchmarks.musescore_window import MuseScore, Screen, converted
from bridge.plugin_installer import install
from model_runtime import Options, Performance, files, translate
from model_runtime.files.notes import notation_to_notes
from model_runtime.modality import Notation, Note
from protocol.client import Client
from protocol.connection import read_connection
from protocol.live import LiveStart

DEMO = Path(bridge.__file__).parent / "demo"
CLIP, SCORE = DEMO / "little_bridge.ogg", DEMO / "little_bridge.musicxml"
Open = Callable[..., MuseScore]
Notes = list[tuple[float, float, int]]


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    made.close()


@pytest.fixture
def daemon(basic_pitch_data: Path, tmp_path: Path) -> Iterator[RunningDaemon]:
    """A daemon that is not started yet, with the transcription network."""
    made = RunningDaemon(tmp_path, DATA=str(basic_pitch_data), ROOTS=f"{tmp_path}{os.pathsep}{DEMO}")
    yield made
    made.close()


@pytest.fixture
def score(tmp_path: Path) -> Path:
    """The project's own piece as MuseScore's file."""
    return converted(SCORE, tmp_path / "piece.mscx")


@pytest.fixture
def musescore(screen: Screen, daemon: RunningDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens MuseScore with the plugin installed; what it would open elsewhere is written to opened.txt."""
    monkeypatch.setenv("SCOREBRIDGE_RUNTIME", str(daemon.connection_file.parent))
    plugins = tmp_path / "MuseScore plugins"
    install("musescore", str(plugins))
    programs = tmp_path / "bin"
    programs.mkdir()
    opener = programs / "xdg-open"
    opener.write_text(f'#!/bin/sh\necho "$1" >> "{tmp_path}/opened.txt"\n')
    opener.chmod(0o755)
    made: list[MuseScore] = []

    def build(score: Path | None) -> MuseScore:
        folder = tmp_path / f"musescore-{len(made)}"
        folder.mkdir()
        environment = {**daemon.environment, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        kept = {name: value for name, value in environment.items() if name.startswith("SCOREBRIDGE_") or name == "PATH"}
        made.append(MuseScore(screen, folder, plugins, score, **kept))
        return made[-1]

    yield build
    for one in made:
        one.close()


def written_notes(path: Path, tmp_path: Path) -> Notes:
    """(onset, duration, pitch) of every note that a MuseScore file sounds, in quarters; tied notes are one."""
    notation = notation_of(converted(path, tmp_path / f"read-{path.stat().st_mtime_ns}.musicxml"))
    return document_notes(notation_to_notes(notation).model_dump())


def notation_of(path: Path) -> Notation:
    notation = files.read(path)
    assert isinstance(notation, Notation)
    return notation


def document_notes(document: dict[str, object]) -> Notes:
    """The same of a notes document."""
    ticks = document["ticks_per_quarter"]
    assert isinstance(ticks, int)
    found: list[list[float]] = []
    for note in sorted(document["notes"], key=lambda note: note["tick"]):  # type: ignore[call-overload]
        same = [f for f in found if note["tie_stop"] and f[2] == note["pitch"] and f[0] + f[1] == note["tick"]]
        if same:
            same[-1][1] += note["duration"]
        else:
            found.append([note["tick"], note["duration"], note["pitch"]])
    return sorted((onset / ticks, duration / ticks, int(pitch)) for onset, duration, pitch in found)


def played(path: Path, options: Options | None = None) -> Performance:
    performance = translate(path, "performance", options or Options()).value
    assert isinstance(performance, Performance)
    return performance


def onset_f1(found: Performance, expected: Performance) -> float:
    def arrays(performance: Performance) -> tuple[np.ndarray, np.ndarray]:
        intervals = np.array([(n.onset_s, n.offset_s) for n in performance.notes])
        return intervals, mir_eval.util.midi_to_hz(np.array([n.pitch for n in performance.notes]))

    scores = mir_eval.transcription.precision_recall_f1_overlap(*arrays(expected), *arrays(found), offset_ratio=None)
    return float(scores[2])


def measure_pitch_f1(found: Notes, expected: Notes) -> float:
    """Of notes in common time, as (measure, pitch)."""
    ours, theirs = (Counter((onset // 4, pitch) for onset, _, pitch in notes) for notes in (found, expected))
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total())


def text_page(path: Path) -> Path:
    """A picture of a page without any music: lines of words."""
    page = Image.new("L", (900, 1200), 255)
    for line in range(20):
        ImageDraw.Draw(page).text((80, 60 + 50 * line), "the bridge is long and the river is wide " * 2, fill=0)
    page.save(path)
    return path


def long_recording(path: Path, minutes: int) -> Path:
    """The clip again and again: many seconds of work."""
    samples, rate = soundfile.read(CLIP)
    soundfile.write(path, np.tile(samples, int(minutes * 60 * rate / len(samples)) + 1)[: minutes * 60 * rate], rate)
    return path


def test_a_selection_is_heard_and_played_and_its_notes_are_the_selections(
    musescore: Open, daemon: RunningDaemon, score: Path, tmp_path: Path
) -> None:
    daemon.start()
    # The upper staff of the second and third measure; the left hand stays below E4.
    wanted = [
        n for n in document_notes(notation_to_notes(notation_of(SCORE)).model_dump()) if 4 <= n[0] < 12 and n[2] >= 64
    ]
    host = musescore(score)
    host.focus(host.main)
    host.keys("ctrl+Home", "ctrl+Right", "shift+ctrl+Right", "shift+ctrl+Right")
    host.picture("selection")
    dialog = host.open_dialog()
    host.hears("daemon: ready")
    host.keys("Return")
    wav = Path(host.hears(r"done: (.*\.wav)")[1])
    host.hears("the window was blocked")
    host.picture("heard", dialog)
    assert sorted({n.pitch for n in played(wav).notes}) == sorted({n[2] for n in wanted})

    host.keys("Return")  # the Play button has the keyboard
    until(lambda: (tmp_path / "opened.txt").exists())
    assert (tmp_path / "opened.txt").read_text().strip() == f"file://{wav}"

    host.focus(dialog)
    host.keys("4", "Return")
    midi = Path(host.hears(r"done: (.*\.mid)")[1])
    host.hears("the window was blocked")
    host.picture("performed", dialog)
    performed = files.read(midi)
    assert isinstance(performed, Performance)
    assert [n.pitch for n in performed.notes] == [n[2] for n in wanted]
    quarter_s = 60 / 104  # the mark stands before the selection and holds in it
    assert [n.onset_s for n in performed.notes] == pytest.approx([(n[0] - 4) * quarter_s for n in wanted], abs=0.05)
    assert "*" not in host.title()  # reading a score does not change it


def test_a_recordings_notes_stand_in_the_score_and_one_undo_takes_them_back(
    musescore: Open, daemon: RunningDaemon, score: Path, tmp_path: Path
) -> None:
    daemon.start()
    before = written_notes(score, tmp_path)
    host = musescore(score)
    dialog = host.open_dialog()
    host.hears("daemon: ready")
    host.keys("Down", "Tab")
    host.type(str(CLIP))
    host.picture("recording-chosen", dialog)
    host.keys("Return")
    made = Path(host.hears(r"done: (.*\.musicxml)")[1])
    host.hears("the window was blocked")
    host.picture("notes-inserted")
    host.save(score)
    document = json.loads(next(made.parent.glob("*notes*")).read_text())
    assert written_notes(score, tmp_path) == document_notes(document)
    assert onset_f1(played(made, Options(deadpan=True)), played(SCORE, Options(deadpan=True))) > 0.85

    host.focus(host.main)
    host.keys("ctrl+z")
    host.save(score)
    assert written_notes(score, tmp_path) == before


def test_the_last_bars_of_a_live_session_stand_in_the_score(
    musescore: Open, daemon: RunningDaemon, score: Path, tmp_path: Path
) -> None:
    client = daemon.start().connected
    notes = tuple(Note(0.25 * i, 0.25 * i + 0.2, 60 + i % 8) for i in range(16))
    files.write(Performance(notes), tmp_path / "played.mid")
    request = LiveStart.model_validate({"source": f"file:{tmp_path / 'played.mid'}", "formats": []})
    assert list(client.live.listen(request))[-1].notes == len(notes)  # type: ignore[union-attr]

    host = musescore(score)
    dialog = host.open_dialog()
    host.hears("daemon: ready")
    host.keys("Down", "Down", "Down", "Down")
    host.picture("live-chosen", dialog)
    host.keys("Return")
    made = Path(host.hears(r"done: (.*\.musicxml)")[1])
    host.hears("the window was blocked")
    host.picture("live-inserted")
    host.save(score)
    document = json.loads(next(made.parent.glob("*notes*")).read_text())
    assert [pitch for *_, pitch in document_notes(document)] == [note.pitch for note in notes]
    assert set(document_notes(document)) <= set(written_notes(score, tmp_path))


def test_triplets_that_were_played_are_pasted_into_the_score_and_leave_no_file(
    musescore: Open, daemon: RunningDaemon, score: Path, tmp_path: Path
) -> None:
    client = daemon.start().connected
    onsets = [bar + beat for bar in range(0, 16, 2) for beat in (0, 0.5, 0.75, 1, 1 + 1 / 6, 1 + 1 / 3, 1.5)]
    notes = tuple(Note(on, off - 0.02, 72 + i % 5) for i, (on, off) in enumerate(pairwise([*onsets, 16.0])))
    files.write(Performance(notes), tmp_path / "played.mid")
    request = LiveStart.model_validate({"source": f"file:{tmp_path / 'played.mid'}", "formats": []})
    assert list(client.live.listen(request))[-1].notes == len(notes)  # type: ignore[union-attr]

    before = written_notes(score, tmp_path)
    host = musescore(score)
    host.open_dialog()
    host.hears("daemon: ready")
    host.keys("5", "Return")
    made = Path(host.hears(r"done: (.*\.musicxml)")[1])
    host.hears("the window was blocked")
    host.picture("triplets-inserted")
    host.save(score)
    document = json.loads(next(made.parent.glob("*notes*")).read_text())
    assert any(note["tuplet"] for note in document["notes"])
    pasted = [pitch for *_, pitch in document_notes(document)]  # of eight measures, in two or in four
    assert len(pasted) >= len(notes) // 2 and pasted == [note.pitch for note in notes][-len(pasted) :]
    assert set(document_notes(document)) <= set(written_notes(score, tmp_path))
    assert "scorebridge-" not in host.title()
    host.focus(host.main)
    host.keys("ctrl+z")
    host.save(score)
    assert written_notes(score, tmp_path) == before
    assert not list(Path(tempfile.gettempdir()).glob("scorebridge-*.mscx"))


def test_a_recording_becomes_a_new_score(musescore: Open, daemon: RunningDaemon, score: Path, tmp_path: Path) -> None:
    daemon.start()
    host = musescore(score)
    dialog = host.open_dialog()
    host.hears("daemon: ready")
    host.keys("2", "Tab", "Tab", "Return")  # the file picker's button
    host.until(lambda: host.focused() != dialog, "no file picker came")
    host.picture("file-picker")
    host.type(str(CLIP))
    host.keys("Return")
    host.focus(dialog)
    host.keys("Tab", "Tab", "space")  # past "into this score"
    host.picture("new-score-chosen", dialog)
    host.keys("2", "Return")
    made = Path(host.hears(r"done: (.*\.musicxml)")[1])
    host.until(lambda: made.stem in host.title(), "the new score is not in front")
    host.picture("new-score")


def test_a_pages_notes_stand_in_the_score_and_a_picture_without_music_leaves_it_as_it_was(
    musescore: Open, daemon: RunningDaemon, tmp_path: Path
) -> None:
    files.write(translate(SCORE, "image", Options()).value, tmp_path / "page.png")
    text_page(tmp_path / "letter.png")
    other = tmp_path / "other.musicxml"  # the same piece where the page has no note: two octaves above
    other.write_text(
        re.sub(r"(?<=<octave>)\d", lambda octave: str(int(octave[0]) + 2), SCORE.read_text("utf-8")), "utf-8"
    )
    score = converted(other, tmp_path / "piece.mscx")
    before, untouched = written_notes(score, tmp_path), score.read_bytes()
    daemon.start()
    host = musescore(score)
    dialog = host.open_dialog()
    host.hears("daemon: ready")

    host.keys("3", "Tab")
    host.type(str(tmp_path / "letter.png"))
    host.keys("Return")
    host.hears("failed: No music was found in the image.")
    assert "See that staves run across the page" in host.hears("shows: No music was found in the image. (.*)")[1]
    host.picture("page-without-music", dialog)
    assert "*" not in host.title()
    assert score.read_bytes() == untouched

    host.keys("3", "Tab")  # what was typed is selected
    host.type(str(tmp_path / "page.png"))
    host.keys("Return")
    host.hears(r"done: .*\.musicxml")
    assert "compare the notes with the page" in host.hears("shows: (.*)")[1]
    host.picture("page-read", dialog)
    host.picture("page-in-the-score")
    host.save(score)
    page = document_notes(notation_to_notes(notation_of(SCORE)).model_dump())
    assert measure_pitch_f1(before, page) < 0.2
    assert measure_pitch_f1(written_notes(score, tmp_path), page) >= 0.7

    host.focus(host.main)
    host.keys("ctrl+z")
    host.save(score)
    assert written_notes(score, tmp_path) == before


def test_without_a_daemon_it_says_so_and_starts_one(musescore: Open, daemon: RunningDaemon, score: Path) -> None:
    host = musescore(score)
    dialog = host.open_dialog()
    host.hears("daemon: absent")
    host.picture("no-daemon", dialog)
    host.keys("Return")
    host.hears("daemon: starting")
    host.hears("daemon: ready")
    host.picture("daemon-started", dialog)
    with Client(read_connection(daemon.connection_file)) as client:
        client.shutdown()


def test_cancelling_a_killed_daemon_and_a_wrong_token_leave_the_score_as_it_was(
    musescore: Open, daemon: RunningDaemon, score: Path, tmp_path: Path
) -> None:
    daemon.start()
    before = score.read_bytes()
    host = musescore(score)
    dialog = host.open_dialog()
    host.hears("daemon: ready")
    host.keys("2", "Tab")
    host.type(str(long_recording(tmp_path / "long take.flac", minutes=12)))

    host.keys("Return")
    host.hears("working")
    until(lambda: _stages(daemon) != {""})
    host.picture("working", dialog)
    host.keys("Escape")
    host.hears("cancelled")
    host.picture("cancelled", dialog)
    assert daemon.connected.jobs()[0].phase == "cancelled"

    host.keys("2", "Return")
    host.hears("working")
    until(lambda: _stages(daemon) != {""})
    daemon.kill()
    assert "ended while it worked" in host.hears("failed: (.*)")[1]
    host.picture("daemon-killed", dialog)

    daemon.start()
    host.hears("daemon: ready")
    text = daemon.connection_file.read_text()
    daemon.connection_file.write_text(re.sub(r'"token": "....', '"token": "0000', text))
    host.keys("1", "Return")
    # The client keeps the token that it has; a dialog that is opened now reads the wrong one.
    host.hears("done: .*wav")
    host.keys("Escape")
    dialog = host.open_dialog()
    assert "did not accept this plugin's token" in host.hears("daemon: refused: (.*)")[1]
    host.picture("wrong-token", dialog)

    assert "*" not in host.title()
    assert score.read_bytes() == before


def _stages(daemon: RunningDaemon) -> set[str]:
    return {state.stage for state in daemon.connected.jobs(active=True)}
