"""MIDI files in and out."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import mido
import pytest
from file_samples import END_OF_TRACK, TEMPO_120, midi_bytes, track, write_file
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime import files
from model_runtime.errors import InvalidValue, TooLarge, UnreadableFile
from model_runtime.modality import Clip, Control, Note, Performance, PitchBend, ProgramChange
from model_runtime.tempo import KeySignature, Meter, TempoMap

C_ON, C_OFF = b"\x00\x90\x3c\x50", b"\x83\x60\x80\x3c\x40"  # a quarter of 480 ticks


def read(tmp_path: Path, content: bytes) -> Performance:
    value = files.read(write_file(tmp_path, "a.mid", content))
    assert isinstance(value, Performance)
    return value


def rewritten(performance: Performance, path: Path) -> Performance:
    files.write(performance, path)
    value = files.read(path)
    assert isinstance(value, Performance)
    return value


# ---- reading -------------------------------------------------------------------------------------------------------


def test_a_note_lasts_from_its_on_to_its_off_by_the_files_own_tempo(tmp_path: Path) -> None:
    performance = read(tmp_path, midi_bytes(track(TEMPO_120, END_OF_TRACK), track(C_ON, C_OFF, END_OF_TRACK)))
    assert performance.notes == (Note(0.0, 0.5, 60, 80),)


def test_a_tempo_change_is_exact_to_the_tick(tmp_path: Path) -> None:
    slower = b"\x83\x60\xff\x51\x03\x0f\x42\x40"  # after 480 ticks: 1,000,000 microseconds a quarter
    on_later = b"\x83\x60\x90\x3c\x50"
    performance = read(
        tmp_path, midi_bytes(track(TEMPO_120, slower, END_OF_TRACK), track(on_later, C_OFF, END_OF_TRACK))
    )
    assert [(n.onset_s, n.offset_s) for n in performance.notes] == [(0.5, 1.5)]
    assert performance.tempo_map is not None
    assert performance.tempo_map.quarter_at(1.5) == pytest.approx(2.0, abs=1e-12)


def test_running_status_and_velocity_zero_are_understood(tmp_path: Path) -> None:
    body = track(C_ON, b"\x83\x60\x3c\x00", b"\x00\x40\x30", b"\x83\x60\x40\x00", END_OF_TRACK)
    assert [(n.pitch, n.velocity, n.onset_s) for n in read(tmp_path, midi_bytes(body)).notes] == [
        (60, 80, 0.0),
        (64, 48, 0.5),
    ]


def test_smpte_time_counts_frames_and_has_no_tempo_map(tmp_path: Path) -> None:
    division = struct.unpack(">h", bytes([256 - 25, 40]))[0]  # 25 frames of 40 ticks: a tick is a millisecond
    performance = read(tmp_path, midi_bytes(track(TEMPO_120, C_ON, C_OFF, END_OF_TRACK), division=division))
    assert performance.notes == (Note(0.0, 0.48, 60, 80),)
    assert performance.tempo_map is None


def test_a_riff_wrapper_is_taken_off(tmp_path: Path) -> None:
    inner = midi_bytes(track(C_ON, C_OFF, END_OF_TRACK))
    riff = b"RIFF" + struct.pack("<I", len(inner) + 12) + b"RMIDdata" + struct.pack("<I", len(inner)) + inner
    assert len(read(tmp_path, riff).notes) == 1


def test_what_follows_the_last_track_is_ignored(tmp_path: Path) -> None:
    assert len(read(tmp_path, midi_bytes(track(C_ON, C_OFF, END_OF_TRACK)) + b"garbage" * 9).notes) == 1


def test_a_missing_end_of_track_is_forgiven(tmp_path: Path) -> None:
    assert len(read(tmp_path, midi_bytes(track(C_ON, C_OFF))).notes) == 1


def test_a_note_that_is_never_released_lasts_to_the_end(tmp_path: Path) -> None:
    other = (b"\x00\x90\x40\x50", b"\x87\x40\x80\x40\x00")  # 960 ticks
    performance = read(tmp_path, midi_bytes(track(C_ON, *other, END_OF_TRACK)))
    assert {(n.pitch, n.offset_s) for n in performance.notes} == {(60, 1.0), (64, 1.0)}


def test_a_note_of_no_length_lasts_a_tick(tmp_path: Path) -> None:
    performance = read(tmp_path, midi_bytes(track(C_ON, b"\x00\x80\x3c\x00", END_OF_TRACK)))
    assert performance.notes[0].duration_s == pytest.approx(0.5 / 480)


def test_of_overlapping_notes_of_one_key_the_older_ends_first(tmp_path: Path) -> None:
    again = b"\x81\x70\x90\x3c\x60"
    performance = read(tmp_path, midi_bytes(track(C_ON, again, b"\x81\x70\x80\x3c\x00", C_OFF, END_OF_TRACK)))
    assert [(n.onset_s, n.offset_s, n.velocity) for n in performance.notes] == [(0.0, 0.5, 80), (0.25, 1.0, 96)]


@pytest.mark.parametrize("raw", ["Flöte".encode(), "Flöte".encode("latin-1")])
def test_track_names_are_read_in_either_encoding(tmp_path: Path, raw: bytes) -> None:
    named = track(b"\x00\xff\x03" + bytes([len(raw)]) + raw, C_ON, C_OFF, END_OF_TRACK)
    assert read(tmp_path, midi_bytes(named)).tracks == ("Flöte",)


def test_the_conductors_track_is_not_an_instrument_but_an_empty_track_between_is(tmp_path: Path) -> None:
    notes = track(C_ON, C_OFF, END_OF_TRACK)
    performance = read(tmp_path, midi_bytes(track(TEMPO_120, END_OF_TRACK), track(END_OF_TRACK), notes))
    assert len(performance.tracks) == 2
    assert performance.notes[0].track == 1


def test_a_file_without_a_tempo_has_no_tempo_map(tmp_path: Path) -> None:
    assert read(tmp_path, midi_bytes(track(C_ON, C_OFF, END_OF_TRACK))).tempo_map is None


def test_a_single_tempo_is_believed_only_where_notes_lie_on_its_grid(tmp_path: Path) -> None:
    steady = Performance(tuple(Note(i * 0.25, i * 0.25 + 0.2, 60 + i % 12) for i in range(60)))
    loose = Performance(tuple(Note(i * 0.2718281, i * 0.2718281 + 0.2, 60 + i % 12) for i in range(60)))
    grid = TempoMap.constant(120)
    on_grid = rewritten(Performance(steady.notes, tempo_map=grid), tmp_path / "steady.mid")
    off_grid = rewritten(Performance(loose.notes, tempo_map=grid), tmp_path / "loose.mid")
    assert on_grid.tempo_map is not None
    assert off_grid.tempo_map is None


# ---- refusing ------------------------------------------------------------------------------------------------------


def test_format_2_is_refused_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="format 2") as caught:
        read(tmp_path, midi_bytes(track(C_ON, C_OFF, END_OF_TRACK), format=2))
    assert "format 0 or 1" in caught.value.hint


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = midi_bytes(track(TEMPO_120, END_OF_TRACK), track(C_ON, C_OFF, END_OF_TRACK))
    for size in range(4, len(whole)):
        with pytest.raises(UnreadableFile):
            read(tmp_path, whole[:size])


def test_a_million_notes_are_refused_before_they_lie_in_memory(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="more than 500,000 notes"):
        read(tmp_path, midi_bytes(track(b"\x00\x90\x3c\x50", b"\x01\x3c\x50" * 1_000_000, END_OF_TRACK)))


def test_a_file_that_lasts_for_days_is_refused(tmp_path: Path) -> None:
    late = b"\xff\xff\xff\x7f\x90\x3c\x50"
    with pytest.raises(TooLarge, match="hours"):
        read(tmp_path, midi_bytes(track(late, C_OFF, END_OF_TRACK), division=96))


@pytest.mark.parametrize(
    "content",
    [
        midi_bytes(track(C_ON, C_OFF, END_OF_TRACK), division=0),
        midi_bytes(track(b"\x00\x3c\x50")),
        midi_bytes(track(b"\x00\x90\x3c\xf0")),
        midi_bytes(track(b"\xff\xff\xff\xff\x7f\x90\x3c\x50")),
        midi_bytes(track(b"\x00\xf4")),
    ],
    ids=["0 ticks", "no status", "data above 127", "endless delta", "wire message"],
)
def test_nonsense_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(tmp_path, content)
    assert caught.value.message.endswith(".")


# ---- writing and reading again -------------------------------------------------------------------------------------


@st.composite
def tempo_maps(draw: st.DrawFn) -> TempoMap:
    start = draw(st.floats(-3, 30))
    times, quarters = [start], [draw(st.floats(-8, 200))]
    for _ in range(draw(st.integers(1, 12))):
        span = draw(st.floats(0.05, 12))
        times.append(times[-1] + span * draw(st.floats(0.1, 3.5)))
        quarters.append(quarters[-1] + span)
    meters = [Meter(quarters[0], draw(st.integers(1, 12)), draw(st.sampled_from([2, 4, 8])))]
    return TempoMap(tuple(times), tuple(quarters), tuple(meters), (KeySignature(quarters[0], -3, "minor"),))


@st.composite
def keys_without_overlap(draw: st.DrawFn, tracks: int) -> tuple[Note, ...]:
    """Notes of which none is struck while its own key is down."""
    values = (st.integers(0, 127), st.integers(1, 127), st.integers(0, 15), st.integers(0, tracks - 1))
    ends: dict[tuple[int, int, int], float] = {}
    notes = []
    for gap, length, pitch, velocity, channel, index in draw(
        st.lists(st.tuples(st.floats(0.002, 5), st.floats(0.002, 3), *values), max_size=40)
    ):
        onset = ends.get((pitch, channel, index), 0.0) + gap
        ends[pitch, channel, index] = onset + length
        notes.append(Note(onset, onset + length, pitch, velocity, channel, index))
    return tuple(notes)


@st.composite
def performances(draw: st.DrawFn) -> Performance:
    names = st.text(st.characters(codec="utf-8", exclude_characters="\x00 "), max_size=8)
    tracks = draw(st.lists(names, min_size=1, max_size=3))
    times, channels, data = st.floats(0, 60), st.integers(0, 15), st.integers(0, 127)
    return Performance(
        draw(keys_without_overlap(len(tracks))),
        controls=tuple(draw(st.lists(st.builds(Control, times, data, data, channels), max_size=8))),
        pitch_bends=tuple(draw(st.lists(st.builds(PitchBend, times, st.integers(-8192, 8191), channels), max_size=5))),
        programs=tuple(draw(st.lists(st.builds(ProgramChange, times, data, channels), max_size=4))),
        tracks=tuple(tracks),
        tempo_map=draw(st.none() | tempo_maps()),
    )


def by_identity(performance: Performance) -> list[Note]:
    return sorted(performance.notes, key=lambda n: (n.track, n.channel, n.pitch, n.onset_s))


@settings(max_examples=150, deadline=None)
@given(performances())
def test_every_note_comes_back_within_a_millisecond(
    tmp_path_factory: pytest.TempPathFactory, made: Performance
) -> None:
    back = rewritten(made, tmp_path_factory.mktemp("midi") / "a.mid")
    assert back.tracks == made.tracks
    assert len(back.notes) == len(made.notes)
    for before, after in zip(by_identity(made), by_identity(back), strict=True):
        assert (before.pitch, before.velocity, before.channel, before.track) == (
            after.pitch, after.velocity, after.channel, after.track)  # fmt: skip
        assert abs(before.onset_s - after.onset_s) < 0.001
        assert abs(before.offset_s - after.offset_s) < 0.001
    for events in ("controls", "pitch_bends", "programs"):
        pairs = zip(
            sorted(getattr(made, events), key=lambda e: (e.channel, e.time_s)),
            sorted(getattr(back, events), key=lambda e: (e.channel, e.time_s)),
            strict=True,
        )
        assert all(abs(before.time_s - after.time_s) < 0.001 for before, after in pairs)


@settings(max_examples=100, deadline=None)
@given(tempo_maps(), st.floats(0, 60))
def test_beats_come_back_where_they_were(
    tmp_path_factory: pytest.TempPathFactory, tempo_map: TempoMap, time_s: float
) -> None:
    """Up to a whole number of quarters by which the file's beginning is shifted."""
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    files.write(Performance((Note(0.0, 90.0, 60),), tempo_map=tempo_map), path)
    file = mido.MidiFile(path)
    messages = mido.merge_tracks(file.tracks)
    seconds, quarter, tempo = 0.0, 0.0, 500_000
    points = []
    for message in messages:
        quarter += message.time / file.ticks_per_beat
        seconds += message.time / file.ticks_per_beat * tempo / 1e6
        if message.type == "set_tempo":
            points.append((seconds, quarter, message.tempo))
            tempo = message.tempo
    at, start, tempo = [p for p in points if p[0] <= time_s + 1e-9][-1]
    position = start + (time_s - at) * 1e6 / tempo
    first_beat = tempo_map.time_at(tempo_map.quarter_at(0.0) + 2.5)  # behind the lead-in
    if time_s > first_beat:
        shift = position - tempo_map.quarter_at(time_s)
        origin = tempo_map.meters[0].quarter
        assert abs((shift + origin) - round(shift + origin)) < 0.02


def test_meters_and_keys_come_back_from_a_map_that_begins_at_zero(tmp_path: Path) -> None:
    tempo_map = TempoMap(
        (0.0, 0.6, 1.0), (0.0, 1.0, 2.0), (Meter(1.0, 3, 4), Meter(7.0, 6, 8)), (KeySignature(1.0, -2, "minor"),)
    )
    notes = tuple(Note(tempo_map.time_at(q), tempo_map.time_at(q + 0.9), 60) for q in range(12))
    back = rewritten(Performance(notes, tempo_map=tempo_map), tmp_path / "a.mid").tempo_map
    assert back is not None
    assert (back.meters, back.keys) == (tempo_map.meters, tempo_map.keys)
    assert [back.quarter_at(t) for t in (0.0, 0.3, 0.8, 4.0)] == pytest.approx(
        [tempo_map.quarter_at(t) for t in (0.0, 0.3, 0.8, 4.0)], abs=1e-5
    )


def test_no_tempo_is_written_where_none_is_known(tmp_path: Path) -> None:
    files.write(Performance((Note(0.1, 0.4, 60),)), tmp_path / "a.mid")
    assert not any(m.type == "set_tempo" for m in itertools.chain(*mido.MidiFile(tmp_path / "a.mid").tracks))


# ---- clips ---------------------------------------------------------------------------------------------------------


def test_a_clip_keeps_what_starts_inside_it_in_played_seconds(tmp_path: Path) -> None:
    notes = tuple(Note(float(i), i + 0.9, 60 + i) for i in range(6))
    files.write(Performance(notes, programs=(ProgramChange(0.0, 40),)), tmp_path / "a.mid")
    clip = files.read(tmp_path / "a.mid", clip=Clip(offset_s=1.5, duration_s=3.0, playrate=2.0))
    assert isinstance(clip, Performance)
    assert [n.pitch for n in clip.notes] == [62, 63, 64]
    assert [n.onset_s for n in clip.notes] == pytest.approx([0.25, 0.75, 1.25], abs=1e-3)
    assert clip.notes[-1].offset_s == pytest.approx(1.5, abs=1e-3)
    assert clip.programs == (ProgramChange(0.0, 40),)


def test_a_clip_behind_the_end_says_how_long_the_file_is(tmp_path: Path) -> None:
    files.write(Performance((Note(0.0, 2.0, 60),)), tmp_path / "a.mid")
    with pytest.raises(InvalidValue, match=r"only 2\.0 s"):
        files.read(tmp_path / "a.mid", clip=Clip(offset_s=5.0))
