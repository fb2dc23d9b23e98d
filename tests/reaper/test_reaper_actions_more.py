"""The other actions: notation, audio, score images, settings, doctor; and cancelling."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from running_daemon import until
from running_reaper import lua_literal
from studio import MELODY, Studio, audio_source, item, midi_source, plucked

import bridge
from model_runtime import Notation, files, translate

SCORE = Path(bridge.__file__).parent / "demo" / "little_bridge.musicxml"
TRANSCRIBE = "Transcribe items to MIDI"
NOTATION = "Transcribe items to notation"
RENDER = "Render MIDI items to audio"
SCORE_TO_MIDI = "Score image to MIDI"

# ---- cancelling ----------------------------------------------------------------------------------------------------


@pytest.fixture
def long_job(studio: Studio) -> Studio:
    """A transcription that takes a while, on the way."""
    long = plucked(studio.media / "long.wav", MELODY, 300.0)
    studio.open(item(audio_source(long), 0.0, 300.0), item(audio_source(long), 1300.0, 300.0))
    studio.start(TRANSCRIBE)
    studio.reaper.until(lambda: any(job.phase == "running" and job.stage for job in studio.jobs()[:2]))
    return studio


def until_nothing_runs(studio: Studio) -> None:
    until(lambda: not [job for job in studio.jobs() if job.phase in ("queued", "running")])


@pytest.mark.parametrize("how", ["button", "closing the window", "escape"])
def test_cancelling_reaches_the_daemon_and_ends_the_jobs(long_job: Studio, how: str) -> None:
    if how == "button":
        assert long_job.reaper.call("press", 1, "Cancel all")
    elif how == "escape":
        long_job.reaper.call("key", 1, 27)
    else:
        long_job.reaper.call("close_window", 1)
    long_job.reaper.finish()
    assert [job.phase for job in long_job.jobs()[:2]] == ["cancelled", "cancelled"]
    assert long_job.new_items() == []
    mailbox = long_job.reaper.resource_path / "ScoreBridge"
    assert [path for path in mailbox.rglob("*.json") if path.parent.name != path.parent.parent.name and
            path.parent.name in ("requests", "replies", "pending")] == []  # fmt: skip


def test_one_item_of_a_batch_can_be_cancelled(studio: Studio) -> None:
    long = plucked(studio.media / "long.wav", MELODY, 300.0)
    short = plucked(studio.media / "short.wav")
    studio.open(item(audio_source(long), 0.0, 300.0), item(audio_source(short), 1300.0, 4.0))
    number = studio.start(TRANSCRIBE)
    studio.reaper.until(lambda: any(job.phase == "running" and job.stage for job in studio.jobs()[:2]))
    shown = studio.reaper.script(number)["window"]["texts"]
    first_cross = min((text for text in shown if text["text"] == "×"), key=lambda text: text["y"])
    studio.reaper.call("click", number, first_cross["x"] + 2, first_cross["y"] + 2)
    studio.close_when_over(number)
    assert sorted(job.phase for job in studio.jobs()[:2]) == ["cancelled", "done"]
    assert [round(onset - 1300, 1) for onset, *_ in studio.notes()] == [onset for onset, _ in MELODY]


def test_progress_shows_a_bar_and_what_remains_for_each_item(long_job: Studio) -> None:
    long_job.reaper.until(lambda: any("left" in text for text in long_job.reaper.texts()))
    texts = long_job.reaper.texts()
    assert texts.count("My take") == 2
    assert "0 of 2 done" in texts
    long_job.reaper.call("close_window", 1)
    long_job.reaper.finish()


def test_closing_reaper_in_the_middle_ends_its_jobs(long_job: Studio) -> None:
    long_job.reaper.call("close_reaper")
    until_nothing_runs(long_job)
    assert {job.phase for job in long_job.jobs()[:2]} == {"cancelled"}


def test_killing_reaper_in_the_middle_ends_its_jobs_and_leaves_nothing(long_job: Studio) -> None:
    os.kill(long_job.reaper.process.pid, signal.SIGKILL)
    long_job.reaper.process.wait()
    until_nothing_runs(long_job)
    until(lambda: not list((long_job.reaper.resource_path / "ScoreBridge").glob("mailbox-*")))


# ---- MIDI to audio -------------------------------------------------------------------------------------------------


def onsets_of(path: Path) -> list[float]:
    """Where sound begins after silence."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    hop = rate // 100
    level = np.sqrt(np.add.reduceat(samples.mean(axis=1) ** 2, np.arange(0, len(samples), hop)) / hop)
    loud = level > 0.2 * level.max()
    return [float(i) / 100 for i in np.flatnonzero(loud & ~np.roll(loud, 1))]


def test_a_midi_item_becomes_sound_on_a_new_track_at_the_same_place(studio: Studio) -> None:
    notes = midi_source(
        (0, 0.5, 60),
        (4, 4.5, 64),
        (
            6,
            6.5,
            67,
        ),
    )
    notes["notes"].append({"tick": 1920, "last_tick": 2400, "pitch": 72, "muted": True})
    studio.open(item(notes, 2.5, 4.0))
    before = studio.reaper.project()["tracks"]
    studio.run(RENDER)
    tracks = studio.reaper.project()["tracks"]
    assert [track["name"] for track in tracks] == ["Piano", "Piano audio"]
    (new,) = tracks[1]["items"]
    assert new["position_s"] == 2.5
    path = Path(new["takes"][0]["source"]["file"])
    assert path.parent == studio.media
    assert new["length_s"] == pytest.approx(soundfile.info(path).duration)
    assert onsets_of(path)[0] == pytest.approx(0.0, abs=0.05)
    found = onsets_of(path)
    assert any(onset == pytest.approx(2.0, abs=0.05) for onset in found)
    assert any(onset == pytest.approx(3.0, abs=0.05) for onset in found)
    assert not any(0.9 < onset < 1.2 for onset in found)  # the muted note
    assert studio.reaper.call("undo", 1)
    assert studio.reaper.project()["tracks"] == before


def test_a_looped_midi_item_and_its_pooled_twin_are_rendered_and_stay_as_they_are(studio: Studio) -> None:
    pooled = midi_source((0, 0.5, 60), quarters=2.0, pool="twins")
    studio.open(item(pooled, 1.0, 3.0), item(pooled, 10.0, 1.0))
    before = studio.reaper.project()["tracks"][0]
    studio.run(RENDER)
    assert studio.reaper.project()["tracks"][0] == before
    made = sorted(studio.new_items(), key=lambda new: new["position_s"])  # the one that is ready first comes first
    first, second = (Path(new["takes"][0]["source"]["file"]) for new in made)
    assert first != second
    for expected in (0.0, 1.0, 2.0):
        assert any(onset == pytest.approx(expected, abs=0.05) for onset in onsets_of(first))
    assert [onset for onset in onsets_of(second) if onset > 0.5] == []


def test_a_project_without_a_file_keeps_its_results_in_a_lasting_folder(studio: Studio) -> None:
    studio.open(item(midi_source((0, 1, 60)), 0.0, 4.0), saved=False, media_folder="")
    studio.run(RENDER)
    (new,) = studio.new_items()
    path = Path(new["takes"][0]["source"]["file"])
    assert path.parent == studio.reaper.resource_path / "ScoreBridge" / "Results"
    assert path.is_file()


def test_results_never_write_over_one_another_or_onto_what_is_there(studio: Studio) -> None:
    (studio.media / "My take.wav").write_bytes(b"precious")
    studio.open(item(midi_source((0, 1, 60)), 0.0, 4.0), item(midi_source((0, 1, 64)), 5.0, 4.0))
    studio.run(RENDER)
    assert (studio.media / "My take.wav").read_bytes() == b"precious"
    assert {Path(new["takes"][0]["source"]["file"]).name for new in studio.new_items()} == {
        "My take 2.wav",
        "My take 3.wav",
    }


# ---- notation ------------------------------------------------------------------------------------------------------


@pytest.fixture
def opener(studio: Studio) -> Path:
    """A program that only writes down what it is asked to open."""
    program = studio.folder / "my 'notation' program"
    program.write_text('#!/bin/sh\ncd "$(dirname "$0")" && printf %s "$1" >opened.part && mv opened.part opened\n')
    program.chmod(0o755)
    studio.choose(notation_program=program)
    return studio.folder / "opened"


def test_notation_lies_beside_the_project_in_its_meter_and_is_opened(studio: Studio, opener: Path) -> None:
    waltz = midi_source(*((i, i + 1, 60 + i) for i in range(6)), quarters=6.0)
    studio.open(item(waltz, 0.0, 3.0), tempo={"bpm": 120, "numerator": 3, "denominator": 4})
    studio.run(NOTATION)
    path = studio.folder / "My take.musicxml"
    notation = files.read(path)
    assert isinstance(notation, Notation)
    assert notation.root.findtext(".//time/beats") == "3"
    assert notation.measure_count == 2
    assert notation.root.findtext(".//work-title") == "My take" or "My take" in path.read_text()
    until(opener.exists)
    assert opener.read_text() == str(path)
    assert studio.reaper.project()["undo_points"] == []


def test_a_recording_becomes_notation(studio: Studio) -> None:
    studio.choose(open_notation=False)
    studio.open(item(audio_source(plucked(studio.media / "take.wav")), 0.0, 4.0))
    studio.run(NOTATION)
    notation = files.read(studio.folder / "My take.musicxml")
    assert isinstance(notation, Notation)
    pitches = [note.findtext("pitch/step") for note in notation.root.iter("note") if note.find("pitch") is not None]
    assert pitches[:3] == ["C", "E", "G"]


# ---- score images --------------------------------------------------------------------------------------------------


def test_a_score_becomes_midi_on_the_projects_beats_from_the_cursor_on(studio: Studio) -> None:
    score = shutil.copy(SCORE, studio.media / "Partitur.musicxml")
    studio.open(tempo={"bpm": 60, "numerator": 4, "denominator": 4})
    studio.reaper.call("set_cursor", 1, 8.0)
    studio.reaper.call("answer", "GetUserFileNameForRead", score)
    studio.run(SCORE_TO_MIDI)
    performance = translate(SCORE, "performance").value
    expected = sorted((performance.tempo_map.quarter_at(n.onset_s), n.pitch) for n in performance.notes)
    found = [(onset_s, pitch) for onset_s, _, pitch in studio.notes()]
    assert [pitch for _, pitch in sorted(found)] != []
    assert sorted(pitch for _, pitch in found) == sorted(pitch for _, pitch in expected)
    start = performance.tempo_map.quarter_at(0.0)
    assert [onset for onset, _ in found] == pytest.approx([8.0 + q - start for q, _ in expected], abs=0.02)
    assert len(studio.reaper.project()["undo_points"]) == 1


PEDALLED = """<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Piano</part-name></score-part>
</part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions><time><beats>4</beats>
<beat-type>4</beat-type></time><clef><sign>G</sign><line>2</line></clef></attributes>
<direction><direction-type><pedal type="start"/></direction-type></direction>
<note><pitch><step>C</step><octave>4</octave></pitch><duration>2</duration><type>half</type></note>
<direction><direction-type><pedal type="stop"/></direction-type></direction>
<note><pitch><step>G</step><octave>4</octave></pitch><duration>2</duration><type>half</type></note>
</measure></part></score-partwise>"""


def test_a_scores_pedal_becomes_controller_64(studio: Studio) -> None:
    score = studio.media / "pedal.musicxml"
    score.write_text(PEDALLED)
    studio.open(tempo={"bpm": 60, "numerator": 4, "denominator": 4})
    studio.reaper.call("set_cursor", 1, 4.0)
    studio.reaper.call("answer", "GetUserFileNameForRead", score)
    studio.run(SCORE_TO_MIDI)
    (new,) = studio.new_items()
    pedal = [(c["time_s"], c["value"]) for c in new["takes"][0]["controls"] if c["number"] == 64]
    assert [value >= 64 for _, value in pedal] == [True, False]
    assert [time_s for time_s, _ in pedal] == pytest.approx([4.0, 6.0], abs=0.2)


def test_what_fails_halfway_is_taken_back(studio: Studio) -> None:
    studio.open(item(midi_source((0, 1, 60)), 0.0, 4.0))
    before = studio.reaper.project()
    chunk = f"""
        dofile({lua_literal(studio.scripts / "lib" / "start.lua")})({lua_literal(str(studio.scripts) + "/")})
        local project = reaper.EnumProjects(-1)
        local well, said = pcall(require("scorebridge.undo").block, project, "half of it", function()
          reaper.InsertTrackInProject(project, 0, 0)
          error("no more", 0)
        end)
        return tostring(well) .. " " .. said
    """
    assert studio.reaper.call("evaluate", chunk, "") == "false no more"
    after = studio.reaper.project()
    assert (after["tracks"], after["undo_points"]) == (before["tracks"], [])
    studio.reaper.check()


def test_a_picture_of_a_score_becomes_midi_or_a_sentence_says_why_not(studio: Studio) -> None:
    (picture,) = files.write(translate(SCORE, "image").value, studio.media / "page.png")
    studio.open()
    studio.reaper.call("answer", "GetUserFileNameForRead", picture)
    studio.run(SCORE_TO_MIDI)
    (job,) = studio.jobs()[:1]
    if job.phase == "done":
        assert studio.notes()
    else:
        assert job.message in " ".join(studio.news)
        assert studio.new_items() == []


def test_choosing_no_file_does_nothing(studio: Studio) -> None:
    studio.open()
    studio.reaper.call("answer", "GetUserFileNameForRead", None)
    assert studio.reaper.script(studio.start(SCORE_TO_MIDI))["ended"]


# ---- settings and doctor -------------------------------------------------------------------------------------------


def change(studio: Studio, number: int, title: str) -> None:
    """Click on a setting's row."""
    assert studio.reaper.call("press", number, title)
    studio.reaper.tick(4)


def test_settings_are_changed_by_clicks_checked_and_remembered(studio: Studio) -> None:
    studio.open()
    number = studio.start("Settings")
    studio.reaper.tick(2)
    assert "Keep velocities" in studio.reaper.texts(number)
    change(studio, number, "Keep velocities")
    studio.reaper.call("answer", "showmenu", 2)
    change(studio, number, "Pedal")
    studio.reaper.call("answer", "GetUserInputs", "0,75")
    change(studio, number, "Onset threshold")
    studio.reaper.call("answer", "GetUserInputs", "loud")
    change(studio, number, "Shortest note, ms")
    assert "Shortest note, ms is a number." in " ".join(studio.reaper.texts(number))
    remembered = studio.reaper.report()["ext_state"]
    assert remembered["ScoreBridge/keep_velocities"] == "no"
    assert remembered["ScoreBridge/pedal"] == "sounding"
    assert remembered["ScoreBridge/onset_threshold"] == "0.75"
    assert "ScoreBridge/minimum_note" not in remembered
    assert "note lengths" in studio.reaper.texts(number)
    change(studio, number, "Close")
    studio.reaper.finish()
    assert studio.reaper.script(number)["ended"]


def test_the_engines_that_can_be_chosen_are_the_daemons(studio: Studio) -> None:
    studio.open()
    number = studio.start("Settings")
    folder = studio.reaper.resource_path / "ScoreBridge"
    studio.reaper.until(lambda: list(folder.glob("mailbox-*/client.json")))
    studio.reaper.until(lambda: not list(folder.glob("mailbox-*/requests/*")))
    studio.reaper.call("answer", "showmenu", 2)
    change(studio, number, "Engine")
    assert studio.reaper.script(number).get("problem") is None, studio.reaper.said()
    chosen = studio.reaper.report()["ext_state"]["ScoreBridge/engine"]
    menu = studio.reaper.report()["dialogs"][-1]["text"]
    assert f"|{chosen}: " in menu
    assert "basic-pitch: audio → performance" in menu
    studio.reaper.call("close_window", number)
    studio.reaper.finish()


def test_choices_reach_the_daemon_under_the_protocols_names(studio: Studio) -> None:
    studio.choose(onset_threshold=0.99, minimum_note=120, pedal="sounding", quantise="1/8t", quantise_strength=0.5)
    studio.open(item(audio_source(plucked(studio.media / "take.wav")), 0.0, 4.0))
    number = studio.start(TRANSCRIBE)
    requests = studio.reaper.resource_path / "ScoreBridge"
    studio.reaper.until(lambda: list(requests.glob("mailbox-*/requests/*.json")))
    (request,) = requests.glob("mailbox-*/requests/*.json")
    options = json.loads(request.read_text())["options"]
    assert options.pop("tempo_map")["meters"] == [{"quarter": 0, "numerator": 4, "denominator": 4}]
    assert options == {
        "onset_threshold": 0.99,
        "minimum_note": 120,
        "pedal": "sounding",
        "pitch_bends": False,
        "quantise": "1/8t",
        "quantise_strength": 0.5,
    }
    studio.close_when_over(number)
    assert "unknown" not in " ".join(getattr(studio, "news", []))


def test_the_doctor_tells_what_is_there_and_what_to_do(studio: Studio) -> None:
    studio.open()
    studio.start("Doctor")
    studio.reaper.finish()
    said = studio.reaper.report()["console"]
    for part in ("Client:", "Daemon: scorebridge", "OSC:", "LuaSocket:", "SoundFont:", "That is all."):
        assert part in said
    assert "local listen port 8000" in said
