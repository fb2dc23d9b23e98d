"""What is played comes out as it was written."""

from __future__ import annotations

import time
from fractions import Fraction
from math import sin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import as_written, melody, play, score_of, steady, tempo_map_of, written

from model_runtime.engines.base import Context
from model_runtime.errors import Cancelled
from model_runtime.modality import Control, Note, Performance, ProgramChange
from model_runtime.notation.instruments import has_two_staves
from model_runtime.notation.quantise import quantise
from model_runtime.options import Options, TempoMapOption
from model_runtime.tempo import KeySignature, Meter, TempoMap

SCALE = melody(*((pitch, "1/2") for pitch in (60, 62, 64, 65, 67, 69, 71, 72)))


@pytest.mark.parametrize("seed", range(5))
def test_a_scale_in_eighths_with_jitter_is_exact_on_the_map(seed: int) -> None:
    clock = steady(96)
    score = score_of(play(SCALE, clock, jitter_s=0.02, seed=seed), tempo_map_of(clock, 4, 4))
    assert as_written(score.notes) == sorted(SCALE)


def test_triplets_and_eighths_are_told_apart() -> None:
    notes = melody((60, "1/2"), (62, "1/2"), (64, "1/3"), (65, "1/3"), (67, "1/3"), (69, "1/2"), (67, "1/2"), (65, 1))
    clock = steady(90)
    assert as_written(score_of(play(notes, clock), tempo_map_of(clock, 4, 4)).notes) == sorted(notes)


def test_three_against_two_keeps_both_hands_exact() -> None:
    upper = melody(*((pitch, "1/3") for pitch in (72, 74, 76, 77, 76, 74) * 2))
    lower = melody(*((pitch, "1/2") for pitch in (48, 52, 55, 52) * 2))
    clock = steady(72)
    notes = play(upper, clock, jitter_s=0.006) + play(lower, clock, jitter_s=0.006, seed=2)
    assert as_written(score_of(notes, tempo_map_of(clock, 4, 4)).notes) == sorted(upper + lower)


def test_sixteenths_and_a_dotted_rhythm_are_exact() -> None:
    notes = melody((60, "3/4"), (62, "1/4"), (64, "1/4"), (65, "1/4"), (67, "1/4"), (69, "1/4"), (67, 1), (60, 1))
    clock = steady(80)
    assert as_written(score_of(play(notes, clock), tempo_map_of(clock, 4, 4)).notes) == sorted(notes)


def test_six_eight_is_placed_on_its_own_beats() -> None:
    notes = melody((67, "1/2"), (69, "1/2"), (71, "1/2"), (72, 1), (71, "1/2"), (69, "3/2"), (67, "3/2"))
    clock = steady(120)
    score = score_of(play(notes, clock), tempo_map_of(clock, 6, 8))
    assert as_written(score.notes) == sorted(notes)
    assert (score.meters[0].numerator, score.meters[0].denominator) == (6, 8)


def test_a_grace_note_is_written_small_before_its_main_note() -> None:
    clock = steady(80)
    notes = play(melody((60, 1), (64, 1), (67, 1), (72, 1)), clock, jitter_s=0.0)
    start = clock(2.0)
    notes.append(Note(start - 0.07, start - 0.005, 69))
    score = score_of(notes, tempo_map_of(clock, 4, 4))
    grace = [note for note in score.notes if note.grace]
    assert [(note.onset, note.pitch, note.duration) for note in grace] == [(2, 69, 0)]
    assert as_written([n for n in score.notes if not n.grace]) == written(
        (0, 1, 60), (1, 1, 64), (2, 1, 67), (3, 1, 72)
    )


def test_a_rolled_chord_is_one_chord() -> None:
    clock = steady(70)
    notes = [Note(clock(0) + 0.035 * i, clock(2), pitch) for i, pitch in enumerate((48, 55, 64, 72))]
    notes += play(written((2, 2, 60)), clock, jitter_s=0.0)
    score = score_of(notes, tempo_map_of(clock, 4, 4))
    assert as_written(score.notes) == written((0, 2, 48), (0, 2, 55), (0, 2, 64), (0, 2, 72), (2, 2, 60))


def test_a_trill_becomes_one_note_with_its_sign() -> None:
    clock = steady(60)
    trill = [Note(clock(0) + 0.09 * i, clock(0) + 0.09 * i + 0.08, 72 + 2 * (i % 2)) for i in range(11)]
    score = score_of([*trill, Note(clock(1), clock(2), 71)], tempo_map_of(clock, 4, 4))
    assert [(n.onset, n.duration, n.pitch, n.ornament) for n in score.notes] == [(0, 1, 72, "trill"), (1, 1, 71, "")]


def test_short_playing_is_staccato_and_not_rests() -> None:
    clock = steady(90)
    score = score_of(play(SCALE, clock, held=0.3), tempo_map_of(clock, 4, 4))
    assert [note.duration for note in score.notes[:-1]] == [Fraction(1, 2)] * 7
    assert all(note.staccato for note in score.notes[:-1])


def test_a_long_rest_stays_a_rest() -> None:
    notes = melody((60, 1), (62, 1), (64, 2), (0, 12), (65, 1), (67, 1), (69, 2))
    clock = steady(100)
    assert as_written(score_of(play(notes, clock), tempo_map_of(clock, 4, 4)).notes) == sorted(notes)


def test_a_held_bass_keeps_its_length_under_moving_notes_of_the_same_hand() -> None:
    clock = steady(90)
    bass, moving = written((0, 2, 41)), melody((48, "1/2"), (45, "1/2"), (48, "1/2"), (45, "1/2"))
    notes = play(bass, clock, held=1.0) + play(moving[1:], clock) + play(written((0, 2, 76)), clock, held=1.0)
    score = score_of(notes, tempo_map_of(clock, 4, 4))
    assert (Fraction(0), Fraction(2), 41) in as_written(score.notes)


def test_notes_before_the_first_barline_are_a_pickup() -> None:
    clock = steady(100, 1.0)
    notes = [(onset - 1, length, pitch) for onset, length, pitch in melody((67, 1), (72, 2), (67, 1), (64, 3))]
    meters = (Meter(0.0, 3, 4),)
    tempo_map = TempoMap((clock(-2), clock(20)), (-2.0, 20.0), meters)
    score = score_of(play(notes, clock), tempo_map)
    assert score.pickup == 1
    assert as_written(score.notes) == sorted(notes)


def test_a_tempo_ramp_of_the_host_is_followed() -> None:
    def clock(quarter: float) -> float:
        return 0.3 + 0.6 * quarter + 0.012 * quarter * quarter

    notes = melody(*((60 + i % 12, "1/2") for i in range(32)))
    assert as_written(score_of(play(notes, clock), tempo_map_of(clock, 4, 4)).notes) == sorted(notes)


def test_meter_changes_and_keys_of_the_map_are_passed_on() -> None:
    clock = steady(120)
    tempo_map = TempoMap(
        (clock(0), clock(1)),
        (0.0, 1.0),
        (Meter(0.0, 4, 4), Meter(8.0, 3, 4)),
        (KeySignature(0.0, -3, "minor"), KeySignature(8.0, 0, "major")),
    )
    score = score_of(play(melody(*((60, 1) for _ in range(14))), clock), tempo_map)
    assert [(m.onset, m.numerator) for m in score.meters] == [(0, 4), (8, 3)]
    assert [(k.onset, k.fifths, k.mode) for k in score.keys] == [(0, -3, "minor"), (8, 0, "major")]


def test_the_options_tempo_map_goes_before_the_performances_own() -> None:
    notes = play(melody((60, 1), (62, 1), (64, 1), (65, 1)), steady(60, 0.0), jitter_s=0.0)
    performance = Performance(tuple(notes), tempo_map=TempoMap.constant(60.0))
    score = quantise(performance, Options(tempo_map=TempoMapOption(bpm=120.0)), Context())
    assert [note.onset for note in score.notes] == [0, 2, 4, 6]
    assert score.tempos[0].quarters_per_minute == 120


@pytest.mark.parametrize(("grid", "step"), [("1/4", 1), ("1/8", Fraction(1, 2)), ("1/8t", Fraction(1, 3))])
def test_the_grid_is_no_finer_than_asked(grid: str, step: Fraction) -> None:
    clock = steady(60)
    notes = melody(*((60 + i, "1/4") for i in range(16)))
    score = score_of(play(notes, clock), tempo_map_of(clock, 4, 4), Options.model_validate({"quantise": grid}))
    assert all((note.onset / step).denominator == 1 for note in score.notes)


def test_beats_metre_and_pickup_of_a_waltz_are_found() -> None:
    notes = [*written(("-1", 1, 67))]
    for bar, (bass, chord) in enumerate([(48, (52, 55)), (43, (53, 59)), (48, (52, 55)), (41, (57, 60))] * 4):
        at = 3 * bar
        notes += written((at, 1, bass), *((at + beat, 1, pitch) for beat in (1, 2) for pitch in chord))
        notes += written((at, "3/2", 72 + bar % 3), (at + Fraction(3, 2), "1/2", 76), (at + 2, 1, 74))
    score = score_of(play(notes, steady(126, 1.0), jitter_s=0.01, held=0.9))
    assert (score.meters[0].numerator, score.meters[0].denominator) == (3, 4)
    assert score.pickup == 1
    assert {(n.onset, n.pitch) for n in score.notes} == {(onset, pitch) for onset, _, pitch in notes}


def test_a_march_under_rubato_is_followed() -> None:
    def clock(quarter: float) -> float:
        return 0.5 + 0.55 * quarter + 0.22 * sin(quarter / 5.0)

    notes = []
    for bar, bass in enumerate([48, 41, 43, 48] * 5):
        at = 4 * bar
        notes += written((at, 2, bass), (at, 1, bass + 12), (at + 2, 2, bass + 7), (at + 2, 1, bass + 16))
        notes += written(*((at + step / 2, "1/2", 72 + (bar + step) % 8) for step in range(8)))
    score = score_of(play(notes, clock, jitter_s=0.01))
    found = {(n.onset, n.pitch) for n in score.notes}
    wanted = {(onset, pitch) for onset, _, pitch in notes}
    shifts = {onset - other for onset, pitch in found for other, same in wanted if pitch == same and other < 4}
    best = max(len(found & {(onset + shift, pitch) for onset, pitch in wanted}) for shift in shifts)
    assert best >= 0.97 * len(wanted)


def test_swing_is_written_as_triplets_or_eighths_but_always_evenly() -> None:
    clock = steady(120)
    notes = melody(*((60 + i % 5, "2/3" if i % 2 == 0 else "1/3") for i in range(16)))
    score = score_of(play(notes, clock), tempo_map_of(clock, 4, 4))
    assert as_written(score.notes) == sorted(notes)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_notes_without_a_map_are_written_in_order(count: int) -> None:
    notes = play(melody(*((60 + i, 1) for i in range(count))), steady(100))
    score = score_of(notes)
    assert [note.pitch for note in score.notes] == [60 + i for i in range(count)]
    assert len({note.onset for note in score.notes}) == count


def test_nothing_gives_an_empty_score_with_a_metre() -> None:
    score = score_of([])
    assert score.notes == ()
    assert (score.meters[0].onset, score.meters[0].numerator) == (0, 4)


def test_tracks_programs_and_percussion_are_kept() -> None:
    clock = steady(100)
    notes = play(SCALE, clock) + play(melody((36, 1), (38, 1), (36, 1), (38, 1)), clock, track=1, channel=9)
    performance = Performance(
        tuple(notes),
        programs=(ProgramChange(0.0, 40, 0),),
        tracks=("Violin", "Drums"),
        tempo_map=tempo_map_of(clock, 4, 4),
    )
    score = quantise(performance, Options(), Context())
    assert [(t.name, t.program, t.percussion) for t in score.tracks] == [("Violin", 40, False), ("Drums", None, True)]
    assert as_written([n for n in score.notes if n.track == 0]) == sorted(SCALE)
    assert [n.onset for n in score.notes if n.track == 1] == [0, 1, 2, 3]


def test_pedal_marks_lie_on_the_grid() -> None:
    clock = steady(60, 0.0)
    controls = (Control(0.05, 64, 127), Control(1.97, 64, 0), Control(2.06, 64, 127), Control(4.02, 64, 0))
    performance = Performance(tuple(play(SCALE, clock)), controls=controls, tempo_map=tempo_map_of(clock, 4, 4))
    pedals = quantise(performance, Options(), Context()).pedals
    assert [(p.onset, p.release) for p in pedals] == [(0, 2), (2, 4)]


def test_the_same_pitch_never_overlaps_itself() -> None:
    clock = steady(100)
    notes = [Note(clock(i / 2), clock(i / 2 + 3), 60) for i in range(8)]
    score = score_of(notes, tempo_map_of(clock, 4, 4))
    ends = [note.onset + note.duration for note in score.notes]
    assert all(end <= later.onset for end, later in zip(ends, score.notes[1:], strict=False))


def test_doubled_and_barely_touched_notes_are_left_out_with_a_warning() -> None:
    clock = steady(100)
    notes = [*play(SCALE, clock, jitter_s=0.0), Note(clock(0) + 0.01, clock(0) + 0.2, 60), Note(1.0, 1.01, 90, 5)]
    context = Context()
    score = quantise(Performance(tuple(notes), tempo_map=tempo_map_of(clock, 4, 4)), Options(), context)
    assert as_written(score.notes) == sorted(SCALE)
    assert context.warnings == ["2 doubled or barely touched notes were left out."]


def test_ten_thousand_notes_take_seconds_report_progress_and_can_be_cancelled() -> None:
    clock = steady(100)
    notes = play(melody(*((48 + (7 * i) % 36, "1/4") for i in range(10_000))), clock, jitter_s=0.008)
    reports: list[float] = []

    def listen(stage: str, current: float, total: float) -> None:
        reports.append(time.perf_counter())

    start = time.perf_counter()
    score = quantise(Performance(tuple(notes)), Options(), Context(on_progress=listen))
    assert time.perf_counter() - start < 60.0  # about 7 s alone on a core
    assert len(score.notes) == 10_000
    assert len(reports) > 50

    def stop(stage: str, current: float, total: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        quantise(Performance(tuple(notes)), Options(), Context(on_progress=stop))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 20.0), st.floats(0.005, 5.0), st.integers(0, 127), st.integers(1, 127), st.integers(0, 1)
        ),
        max_size=25,
    ),
    st.booleans(),
)
def test_whatever_is_played_every_note_is_valid_and_in_order(
    played: list[tuple[float, float, int, int, int]], with_map: bool
) -> None:
    notes = [Note(onset, onset + length, pitch, velocity, 0, track) for onset, length, pitch, velocity, track in played]
    performance = Performance(
        tuple(notes), tracks=("a", "b"), tempo_map=TempoMap.constant(96.0, (Meter(0.0, 3, 4),)) if with_map else None
    )
    score = quantise(performance, Options(), Context())
    assert quantise(performance, Options(), Context()) == score
    ends: dict[tuple[int, int], Fraction] = {}
    for note in score.notes:
        if not note.grace:
            assert note.onset >= ends.get((note.track, note.pitch), note.onset)
            ends[note.track, note.pitch] = note.onset + note.duration


def test_a_melody_beside_other_tracks_is_written_on_one_staff_and_chords_on_two() -> None:
    tune = [Note(i * 0.5, i * 0.5 + 0.55, 72 + i % 5, track=0) for i in range(8)]
    chords = [Note(i, i + 0.9, pitch, track=1) for i in range(4) for pitch in (48, 64, 67)]
    score = quantise(Performance((*tune, *chords), tracks=("Melody", "Piano")), Options(), Context())
    assert [has_two_staves(track) for track in score.tracks] == [False, True]


def test_a_melody_alone_keeps_the_two_staves_of_its_keyboard() -> None:
    score = quantise(Performance(tuple(Note(i * 0.5, i * 0.5 + 0.4, 72) for i in range(8))), Options(), Context())
    assert has_two_staves(score.tracks[0])
