"""From posteriorgrams to notes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.engines import note_creation
from model_runtime.engines.note_creation import FoundNote, NoteCreator, NoteSettings, Posteriors
from model_runtime.engines.overtones import END, OvertoneFilter

Span = tuple[int, int, int]  # MIDI pitch, first frame, frame after the last


def posteriors(frames: int, *sounding: Span, onset: float = 0.9, level: float = 0.8) -> Posteriors:
    """What the network gives: an onset peak three frames wide, and a posterior that rises over a few frames."""
    notes = np.zeros((frames, 88), np.float32)
    onsets = np.zeros((frames, 88), np.float32)
    for pitch, start, end in sounding:
        notes[start - 2 : end, pitch - 21] = np.minimum(0.1 + 0.1 * np.arange(end - start + 2), level)
        onsets[start - 1 : start + 2, pitch - 21] = [onset / 2, onset, onset / 2]
    return Posteriors(notes, onsets)


def found(given_posteriors: Posteriors, **chosen: float) -> list[FoundNote]:
    creator = NoteCreator(NoteSettings(**chosen))  # type: ignore[arg-type]
    return creator.feed(given_posteriors) + creator.finish()


def spans(notes: list[FoundNote]) -> list[Span]:
    return [(note.pitch, note.start_frame, note.end_frame) for note in notes]


def test_each_onset_becomes_a_note_that_lasts_until_the_posterior_falls() -> None:
    chord = ((60, 20, 60), (64, 20, 50), (67, 30, 90))
    notes = found(posteriors(120, *chord))
    assert spans(notes) == list(chord)
    assert [note.amplitude for note in notes] == pytest.approx([0.8] * 3, abs=0.06)


def test_a_gap_shorter_than_an_eighth_of_a_second_does_not_end_a_note() -> None:
    bridged, broken = posteriors(120, (60, 20, 80)), posteriors(120, (60, 20, 80))
    for dented, dent in ((bridged, 10), (broken, 11)):
        dented.notes[40 : 40 + dent, 39] = 0.2
        dented.notes[40 + dent : 45 + dent, 39] = [0.3, 0.4, 0.5, 0.6, 0.7]
    assert spans(found(bridged)) == [(60, 20, 80)]
    assert spans(found(broken)) == [(60, 20, 40), (60, 51, 80)]


def test_a_note_struck_again_after_fading_is_two_notes() -> None:
    struck = posteriors(120, (60, 20, 50), (60, 50, 80), onset=0.6)
    struck.notes[44:50, 39] = 0.4
    assert spans(found(struck)) == [(60, 20, 50), (60, 50, 80)]


def test_a_doubtful_onset_in_a_steady_note_is_no_repetition_and_a_sure_one_is() -> None:
    for onset, count in ((0.6, 1), (0.9, 2)):
        steady = posteriors(120, (60, 20, 80))
        steady.onsets[50, 39] = onset
        assert len(found(steady)) == count


def test_a_broad_onset_peak_starts_where_it_rises() -> None:
    slow = posteriors(120, (60, 20, 80))
    slow.onsets[14:20, 39] = [0.4, 0.75, 0.78, 0.8, 0.82, 0.85]
    assert spans(found(slow)) == [(60, 15, 80)]


def test_energy_without_an_onset_becomes_a_note_when_it_is_strong_and_the_trick_is_on() -> None:
    hum = posteriors(120, (60, 20, 80), onset=0.0)
    assert spans(found(hum)) == [(60, 20, 80)]
    assert found(hum, energy_trick=False) == []
    assert found(posteriors(120, (60, 20, 80), onset=0.0, level=0.35)) == []


def test_a_sudden_rise_is_an_onset_even_when_the_onset_head_is_silent() -> None:
    sudden = posteriors(120, (60, 20, 80), onset=0.0)
    sudden.notes[18:20, 39] = 0.0
    assert spans(found(sudden, energy_trick=False)) == [(60, 20, 80)]


def test_thresholds_length_and_range_are_obeyed() -> None:
    music = posteriors(120, (40, 20, 60), (60, 20, 26), (80, 20, 60), level=0.5, onset=0.6)
    assert [note.pitch for note in found(music)] == [40, 60, 80]
    assert [note.pitch for note in found(music, minimum_frames=7)] == [40, 80]
    assert [note.pitch for note in found(music, lowest_pitch=50, highest_pitch=70)] == [60]
    assert found(music, frame_threshold=0.55, onset_threshold=0.99) == []


@st.composite
def music(draw: st.DrawFn) -> Posteriors:
    """Posteriorgrams as crowded and as rough as the network's worst."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames = draw(st.integers(1, 400))
    notes = random.random((frames + 6, 88))
    smooth = sum(notes[i : i + frames] for i in range(6)) / 6  # type: ignore[arg-type]
    lifted = np.clip((smooth - 0.5) * draw(st.floats(1.0, 4.0)) + draw(st.floats(0.0, 0.4)), 0, 1)
    onsets = np.clip(random.random((frames, 88)) * draw(st.floats(0.3, 1.0)), 0, 1) * (
        random.random((frames, 88)) < 0.1
    )
    keys = random.random(88) < draw(st.floats(0.02, 0.6))
    return Posteriors((lifted * keys).astype(np.float32), (onsets * keys).astype(np.float32))


@settings(deadline=None, max_examples=60)
@given(whole=music(), cuts=st.lists(st.integers(1, 399), max_size=12))
def test_notes_do_not_depend_on_how_the_frames_arrived(whole: Posteriors, cuts: list[int]) -> None:
    def streamed(bounds: list[int]) -> list[FoundNote]:
        creator, overtones, notes = NoteCreator(NoteSettings()), OvertoneFilter(), list[FoundNote]()
        for start, end in pairwise(bounds):
            fed = creator.feed(Posteriors(whole.notes[start:end], whole.onsets[start:end]))
            notes += overtones.feed(fed, creator.settled_before)
        return sorted(notes + overtones.feed(creator.finish(), END), key=lambda n: (n.start_frame, n.pitch))

    frames = len(whole.notes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(note_creation, "_STEP_FRAMES", 10)  # settle as often as can be
        in_pieces = streamed(sorted({0, frames, *(cut for cut in cuts if cut < frames)}))
        patch.setattr(note_creation, "_STEP_FRAMES", 10**9)
        at_once = streamed([0, frames])
    assert spans(in_pieces) == spans(at_once)
    assert [n.amplitude for n in in_pieces] == pytest.approx([n.amplitude for n in at_once], rel=1e-5)


@settings(deadline=None, max_examples=40)
@given(music())
def test_notes_of_one_pitch_never_overlap_and_lie_within_the_music(whole: Posteriors) -> None:
    notes = found(whole)
    for note in notes:
        assert 0 <= note.start_frame < note.end_frame <= len(whole.notes)
        assert note.end_frame - note.start_frame >= 5
        assert 0 < note.amplitude <= 1
    for pitch in {note.pitch for note in notes}:
        line = sorted((n.start_frame, n.end_frame) for n in notes if n.pitch == pitch)
        assert all(end <= start for (_, end), (start, _) in pairwise(line))


def test_what_is_held_stays_small_while_music_with_rests_goes_on() -> None:
    phrase = posteriors(430, (60, 20, 100), (64, 120, 200), (67, 220, 400))
    creator = NoteCreator(NoteSettings())
    count = 0
    for _ in range(100):
        count += len(creator.feed(phrase))
        assert creator._notes.shape[1] < 2000
    assert count + len(creator.finish()) == 300


def test_a_sound_that_never_ends_is_cut_rather_than_held_for_ever() -> None:
    creator = NoteCreator(NoteSettings())
    held, notes = 0, list[FoundNote]()
    for i in range(80):
        notes += creator.feed(posteriors(1000, *([(60, 20, 1000)] if i == 0 else [])) if i == 0 else _drone(1000))
        held = max(held, creator._notes.shape[1])
    notes += creator.finish()
    assert held < 60_000
    assert sum(n.end_frame - n.start_frame for n in notes) == 80_000 - 20


def _drone(frames: int) -> Posteriors:
    drone = posteriors(frames)
    drone.notes[:, 39] = 0.8
    return drone


def overtone_filtered(*notes: FoundNote) -> list[int]:
    return [note.pitch for note in OvertoneFilter().feed(notes, END)]


def test_a_faint_octave_over_a_sounding_note_is_an_overtone() -> None:
    assert overtone_filtered(FoundNote(10, 90, 48, 0.8), FoundNote(12, 30, 60, 0.4)) == [48]
    assert overtone_filtered(FoundNote(10, 90, 48, 0.8), FoundNote(12, 30, 67, 0.4)) == [48]


def test_an_octave_that_is_as_sure_as_its_fundamental_is_played() -> None:
    assert overtone_filtered(FoundNote(10, 90, 48, 0.8), FoundNote(12, 90, 60, 0.7)) == [48, 60]


def test_a_faint_note_that_is_no_partial_of_what_sounds_is_kept() -> None:
    assert overtone_filtered(FoundNote(10, 90, 48, 0.8), FoundNote(12, 30, 64, 0.4)) == [48, 64]
    assert overtone_filtered(FoundNote(10, 20, 48, 0.8), FoundNote(40, 60, 60, 0.4)) == [48, 60]
