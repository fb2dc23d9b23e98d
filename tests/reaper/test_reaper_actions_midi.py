"""Transcribe items to MIDI: whatever is done to an item, its notes lie where its sound lies."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from studio import MELODY, RECORDING_S, Studio, audio_source, item, midi_source, plucked

from protocol.messages import PathSource

ACTION = "Transcribe items to MIDI"
NEAR_S = 0.010
HEARD_S = 0.06  # how far a transcribed onset may be from the pluck
Open = Callable[..., Studio]


@pytest.fixture
def recording(studio: Studio) -> Path:
    return plucked(studio.media / "take 'one' 🎹.wav")


def near(found: Sequence[tuple[float, ...]], expected: Sequence[tuple[float, int]], within_s: float = HEARD_S) -> None:
    """Each expected onset and pitch was found, and nothing else."""
    assert [round(pitch) for *_, pitch in found] == [pitch for _, pitch in expected]
    assert [onset for onset, *_ in found] == pytest.approx([onset for onset, _ in expected], abs=within_s)


def answered(studio: Studio, source: PathSource) -> list[tuple[float, float, int]]:
    """What the daemon answers when it is asked directly."""
    (artefact,) = studio.daemon.connected.translate(source, ["events"])
    notes = json.loads(Path(artefact.path).read_text())["notes"]
    return sorted((n["onset"], n["offset"], n["pitch"]) for n in notes)


@pytest.mark.parametrize("lua", ["lua5.4", "lua5.3"])
def test_the_notes_lie_where_the_daemon_heard_them(open_studio: Open, lua: str) -> None:
    studio = open_studio(lua=lua)
    path = plucked(studio.media / "take.wav")
    studio.open(item(audio_source(path), 3.25, 2.0, D_STARTOFFS=0.9, D_PLAYRATE=1.25))
    studio.run(ACTION)
    direct = answered(studio, PathSource(path=str(path), offset=0.9, duration=2.5, playrate=1.25))
    assert len(direct) >= 4
    found = studio.notes()
    assert [pitch for *_, pitch in found] == [pitch for *_, pitch in direct]
    for (onset, offset, _), (direct_onset, direct_offset, _) in zip(found, direct, strict=True):
        assert onset == pytest.approx(3.25 + direct_onset, abs=NEAR_S)
        assert offset == pytest.approx(min(3.25 + direct_offset, 5.25), abs=NEAR_S)


def section(source: dict[str, Any], offset_s: float, length_s: float, reversed: bool = False) -> dict[str, Any]:
    return {"type": "SECTION", "parent": source, "offset_s": offset_s, "length_s": length_s, "reversed": reversed}


def test_sections_reversed_looped_stretched_and_pitched_takes(studio: Studio, recording: Path) -> None:
    """All in one batch: each item on its own stretch of the project, each becoming its own MIDI item."""
    source = audio_source(recording)
    stretched = item(source, 40.0, 6.0)
    stretched["takes"][0]["stretch_markers"] = [
        {"position_s": 0.0, "source_s": 0.0},
        {"position_s": 6.0, "source_s": 4.0},
    ]
    expected = {
        0.0: (item(section(source, 0.96, 2.0), 0.0, 2.0), [(o - 0.96, p) for o, p in MELODY[1:5]]),
        10.0: (item(section(source, 0.0, RECORDING_S, reversed=True), 10.0, RECORDING_S), None),
        20.0: (item(source, 20.0, 8.0), [(20 + o + k * RECORDING_S, p) for k in (0, 1) for o, p in MELODY]),
        30.0: (item(source, 30.0, 2.0, D_PLAYRATE=2.0), [(30 + o / 2, p) for o, p in MELODY]),
        40.0: (stretched, [(40 + o * 1.5, p) for o, p in MELODY]),
        50.0: (item(source, 50.0, 4.0, D_PITCH=3.0), [(50 + o, p + 3) for o, p in MELODY]),
        60.0: (item(source, 60.0, 8.0, D_PLAYRATE=0.5, B_PPITCH=0), [(60 + 2 * o, p - 12) for o, p in MELODY]),
        70.0: (item(source, 70.0, 9.0, B_LOOPSRC=0), [(70 + o, p) for o, p in MELODY]),
    }
    studio.open(*(each for each, _ in expected.values()))
    studio.choose(engine="basic-pitch")  # deaf to the partials that the stand-in's stretching leaves
    studio.run(ACTION)
    made = {round(new["position_s"], 6): new for new in studio.new_items()}
    assert sorted(made) == sorted(expected)
    for position_s, (asked, notes) in expected.items():
        assert made[position_s]["length_s"] == pytest.approx(asked["values"]["D_LENGTH"])
        found = sorted((n["onset_s"], n["pitch"]) for n in made[position_s]["takes"][0]["notes"])
        if notes is not None:  # where the stand-in stretches sound it is rough: a semitone off, and partials besides
            rough = asked["takes"][0].get("stretch_markers") or "D_PITCH" in asked["takes"][0]["values"]
            for onset, pitch in notes:
                heard = [p for o, p in found if abs(o - onset) < HEARD_S]
                assert any(abs(p - pitch) <= (1 if rough else 0) for p in heard), (position_s, onset, pitch, found)
            assert len(found) <= (2 if rough else 1) * len(notes)
        else:  # plucks played backwards end with a bang: what counts is their order
            pitches = [pitch for _, pitch in found]
            assert [p for i, p in enumerate(pitches) if not i or p != pitches[i - 1]] == [p for _, p in MELODY[::-1]]
    assert len(studio.reaper.project()["undo_points"]) == len(expected)


def test_the_active_take_is_heard(studio: Studio, recording: Path) -> None:
    other = plucked(studio.media / "other.wav", [(1.0, 50), (2.0, 53)])
    two = item(audio_source(recording), 0.0, 4.0, I_CURTAKE=1)
    two["takes"].append(item(audio_source(other), 0.0, 4.0)["takes"][0])
    studio.open(two)
    studio.run(ACTION)
    near(studio.notes(), [(1.0, 50), (2.0, 53)])


def test_what_cannot_be_transcribed_is_named_and_the_rest_is_done(studio: Studio, recording: Path) -> None:
    broken = studio.media / "broken.wav"
    broken.write_bytes(b"coffee" * 400)
    studio.open(
        item(audio_source(recording), 0.0, 4.0, B_MUTE=1),
        item({**audio_source(recording), "file": broken}, 5.0, 4.0),
        item(midi_source((0, 1, 60)), 10.0, 4.0),
        item(None, 15.0, 4.0),
    )
    studio.run(ACTION)
    near(studio.notes(), MELODY)
    news = " ".join(studio.news)
    for said in ("It is a MIDI item already.", "It is empty.", "The item is muted.", "1 of 2 done, 1 failed"):
        assert said in news


def test_nothing_selected_gets_a_sentence(studio: Studio, recording: Path) -> None:
    unselected = item(audio_source(recording), 0.0, 4.0)
    unselected["values"]["B_UISEL"] = 0
    studio.open(unselected)
    number = studio.start(ACTION)
    assert studio.reaper.script(number)["ended"]
    (dialog,) = studio.reaper.report()["dialogs"]
    assert "Select the audio items" in dialog["text"]
    assert studio.new_items() == []


def test_silence_makes_no_item(studio: Studio) -> None:
    silence = plucked(studio.media / "silence.wav", [(0.1, 60)], 2.0)
    studio.open(item(audio_source(silence), 0.0, 1.0, D_STARTOFFS=1.0))
    studio.run(ACTION)
    assert studio.new_items() == []
    assert "No notes were found." in " ".join(studio.news)


# ---- tempo ---------------------------------------------------------------------------------------------------------

TEMPOS = [
    {"quarter": 4, "bpm": 90, "linear": True, "numerator": 3, "denominator": 4},
    {"quarter": 10, "bpm": 150},
    {"quarter": 16, "bpm": 100, "numerator": 6, "denominator": 8},
]


def test_across_tempo_and_meter_changes_notes_stay_with_their_sound(studio: Studio, recording: Path) -> None:
    studio.open(item(audio_source(recording), 1.7, 4.0), tempo={"bpm": 120, "numerator": 4, "denominator": 4},
                markers=TEMPOS)  # fmt: skip
    studio.run(ACTION)
    near(studio.notes(), [(1.7 + o, p) for o, p in MELODY])


def test_notes_can_be_moved_to_the_projects_grid(studio: Studio, recording: Path) -> None:
    studio.choose(quantise="grid", quantise_strength=1)
    studio.open(item(audio_source(recording), 1.7, 4.0), tempo={"bpm": 120, "numerator": 4, "denominator": 4},
                markers=TEMPOS, grid={"division": 1 / 16, "swing_mode": 0, "swing": 0})  # fmt: skip
    studio.run(ACTION)
    (new,) = studio.new_items()
    assert len(new["takes"][0]["notes"]) == len(MELODY)
    starts = studio.reaper.call("evaluate", "return reaper.TimeMap2_timeToQN(reaper.EnumProjects(-1), 1.7)", "")
    for note in new["takes"][0]["notes"]:
        sixteenths = (starts + note["start_tick"] / 960) * 4
        assert sixteenths == pytest.approx(round(sixteenths), abs=0.01)


# ---- where results go ----------------------------------------------------------------------------------------------


def test_results_go_to_one_new_track_below_the_items_track(studio: Studio, recording: Path) -> None:
    source = audio_source(recording)
    studio.open(item(source, 0.0, 4.0), item(source, 6.0, 4.0))
    studio.run(ACTION)
    tracks = studio.reaper.project()["tracks"]
    assert [(track["name"], len(track["items"])) for track in tracks] == [("Piano", 2), ("Piano MIDI", 2)]


def test_results_can_go_to_the_same_track_or_into_a_new_take(open_studio: Open) -> None:
    for destination in ("same_track", "take"):
        studio = open_studio()
        studio.choose(destination=destination)
        studio.open(item(audio_source(plucked(studio.media / "take.wav")), 2.0, 4.0))
        studio.run(ACTION)
        (track,) = studio.reaper.project()["tracks"]
        if destination == "same_track":
            take = track["items"][1]["takes"][0]
            assert track["items"][1]["position_s"] == 2.0
        else:
            (only,) = track["items"]
            take = only["takes"][1]
            assert only["values"]["I_CURTAKE"] == 1
            assert take["last_tick"] == 8 * 960
        near([(n["onset_s"], n["pitch"]) for n in take["notes"]], [(2 + o, p) for o, p in MELODY])


def test_a_locked_item_gets_no_take(studio: Studio, recording: Path) -> None:
    studio.choose(destination="take")
    studio.open(item(audio_source(recording), 0.0, 4.0, C_LOCK=1))
    studio.run(ACTION)
    near(studio.notes(), MELODY)
    assert "The item is locked: its notes went to a new track." in " ".join(studio.news)


def test_notes_are_split_by_pitch_to_two_tracks_with_even_velocities(studio: Studio, recording: Path) -> None:
    studio.choose(split_tracks=True, split_point=65, keep_velocities=False)
    studio.open(item(audio_source(recording), 0.0, 4.0))
    studio.run(ACTION)
    upper, lower = studio.reaper.project()["tracks"][1:]
    assert (upper["name"], lower["name"]) == ("Piano MIDI, upper", "Piano MIDI, lower")
    notes = [[(n["pitch"], n["velocity"]) for n in track["items"][0]["takes"][0]["notes"]] for track in (upper, lower)]
    assert notes == [[(p, 96) for _, p in MELODY if p >= 65], [(p, 96) for _, p in MELODY if p < 65]]
    assert len(studio.reaper.project()["undo_points"]) == 1


def test_another_resolution_of_new_items_changes_nothing(studio: Studio, recording: Path) -> None:
    studio.open(item(audio_source(recording), 1.0, 4.0), ticks_per_quarter=480)
    studio.run(ACTION)
    near(studio.notes(), [(1 + o, p) for o, p in MELODY])


def test_undo_brings_back_the_project_exactly(studio: Studio, recording: Path) -> None:
    studio.open(item(audio_source(recording), 0.0, 4.0))
    before = studio.reaper.project()
    studio.run(ACTION)
    assert studio.reaper.project()["tracks"] != before["tracks"]
    assert studio.reaper.call("undo", 1)
    after = studio.reaper.project()
    assert after["tracks"] == before["tracks"]
    assert after["undo_points"] == []


# ---- while the job runs --------------------------------------------------------------------------------------------


def until_sent(studio: Studio, number: int = 1) -> None:
    """Wait until the daemon knows of the job."""
    known = len(studio.jobs())
    studio.reaper.until(lambda: len(studio.jobs()) > known)


@pytest.fixture
def begun(studio: Studio, recording: Path) -> Studio:
    """A transcription under way: its item is the first one of tab 1."""
    studio.open(item(audio_source(recording), 1.0, 4.0))
    studio.start(ACTION)
    until_sent(studio)
    return studio


def test_the_notes_follow_an_item_that_was_moved(begun: Studio) -> None:
    begun.reaper.call("change_item", 1, 1, 1, {"D_POSITION": 7.5})
    begun.close_when_over()
    near(begun.notes(), [(7.5 + o, p) for o, p in MELODY])


def test_the_notes_follow_an_item_that_was_trimmed_and_slowed(begun: Studio) -> None:
    values = {"D_POSITION": 2.25, "D_LENGTH": 4.0}
    begun.reaper.call("change_item", 1, 1, 1, values, {"D_STARTOFFS": 1.25, "D_PLAYRATE": 0.5})
    begun.close_when_over()
    near(begun.notes(), [(2.25 + (o - 1.25) / 0.5, p) for o, p in MELODY if 1.25 < o < 3.25])


def test_an_item_that_was_deleted_gets_nothing_and_its_job_ends(begun: Studio) -> None:
    begun.reaper.call("delete_item", 1, 1, 1)
    begun.close_when_over()
    assert begun.reaper.project()["tracks"] == [{**begun.reaper.project()["tracks"][0], "items": []}]
    assert "The item was deleted meanwhile" in " ".join(begun.news)
    assert begun.jobs()[0].phase in ("cancelled", "done")


def test_results_go_to_the_project_they_came_from_whichever_tab_is_in_front(begun: Studio) -> None:
    begun.reaper.open_project(tracks=[{"name": "Other", "items": []}], media_folder=begun.media)
    begun.close_when_over()
    assert [track["name"] for track in begun.reaper.project(1)["tracks"]] == ["Piano", "Piano MIDI"]
    assert [track["name"] for track in begun.reaper.project(2)["tracks"]] == ["Other"]


def test_a_project_that_was_closed_gets_nothing(begun: Studio) -> None:
    begun.reaper.open_project(tracks=[], media_folder=begun.media)
    begun.reaper.call("close_tab", 1)
    begun.close_when_over()
    assert begun.reaper.project(1)["tracks"] == []
    assert "1 failed" in " ".join(begun.news)


def test_the_track_of_results_may_be_deleted_in_between(studio: Studio, recording: Path) -> None:
    long = plucked(studio.media / "long.wav", MELODY, 240.0)
    source = audio_source(recording)
    studio.open(item(source, 0.0, 4.0), item(audio_source(long), 10.0, 240.0))
    studio.start(ACTION)
    studio.reaper.until(lambda: len(studio.reaper.project()["tracks"]) == 2)
    studio.reaper.call("delete_track", 1, 2)
    studio.close_when_over()
    assert [track["name"] for track in studio.reaper.project()["tracks"]] == ["Piano", "Piano MIDI"]
    (last,) = studio.new_items()  # of the two, the one that was ready later
    near(studio.notes(), [(last["position_s"] + o, p) for o, p in MELODY])
