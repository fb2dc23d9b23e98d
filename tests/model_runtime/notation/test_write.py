"""What goes into a quantised score comes out of the MusicXML, note for note, in measures that are exactly full."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from exact_reader import ReadScore, read
from hypothesis import given, settings
from score_examples import quantised_scores

from model_runtime.engines.base import Context
from model_runtime.errors import Cancelled
from model_runtime.notation.quantised import QuantisedScore, ScoreMeter, ScoreNote, ScoreTrack
from model_runtime.notation.write import write_score
from model_runtime.options import Options

ORDINARY = [1, 2, 4, 3, 6, 8]
WILD = [1, 2, 4, 8, 16, 32, 64, 3, 6, 12, 24, 5, 10, 20, 7, 14, 9, 15, 21, 35, 105]


def written(score: QuantisedScore, **options: object) -> ReadScore:
    context = Context()
    result = read(write_score(score, Options(**options), context).musicxml)
    assert context.warnings == []
    return result


def note_list(score: QuantisedScore) -> list[tuple[F, F, int, int]]:
    return sorted((n.onset, n.duration, n.pitch, n.track) for n in score.notes)


def read_list(score: ReadScore, tracks: list[int]) -> list[tuple[F, F, int, int]]:
    return sorted((n.onset, n.duration, n.pitch, tracks[n.part]) for n in score.notes)


@settings(max_examples=100, deadline=None)
@given(quantised_scores(ORDINARY))
def test_every_note_comes_back_exactly_from_full_measures(score: QuantisedScore) -> None:
    result = written(score)
    tracks = sorted({n.track for n in score.notes}) or [0]
    assert read_list(result, tracks) == note_list(score)
    assert result.faults == []
    assert result.crossed_ties == 0
    assert result.pickup == score.pickup


@settings(max_examples=100, deadline=None)
@given(quantised_scores(WILD))
def test_notes_on_unlikely_grids_are_full_and_complete_and_warned_about_when_moved(score: QuantisedScore) -> None:
    context = Context()
    result = read(write_score(score, Options(), context).musicxml)
    assert result.faults == []
    assert len(result.notes) == len(score.notes)
    if not context.warnings:
        tracks = sorted({n.track for n in score.notes}) or [0]
        assert read_list(result, tracks) == note_list(score)


def test_a_long_piece_reports_progress_and_can_be_cancelled() -> None:
    notes = tuple(ScoreNote(F(i, 2), F(1, 2), 48 + i * 7 % 36) for i in range(800))
    score = QuantisedScore(notes, (ScoreMeter(F(0), 4, 4),))
    seen: list[float] = []
    write_score(score, Options(), Context(on_progress=lambda stage, current, total: seen.append(current / total)))
    assert seen == sorted(seen)
    assert len(seen) > 10
    assert seen[-1] == 1

    def stop(stage: str, current: float, total: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write_score(score, Options(), Context(on_progress=stop))


def test_one_note_of_every_pitch_alone_can_be_written() -> None:
    for pitch in range(128):
        score = QuantisedScore((ScoreNote(F(0), F(1), pitch),), (ScoreMeter(F(0), 4, 4),))
        assert [n.pitch for n in written(score).notes] == [pitch]


def test_a_position_that_no_tuplet_reaches_is_moved_with_a_warning() -> None:
    context = Context()
    score = QuantisedScore((ScoreNote(F(1, 13), F(1, 11), 60),), (ScoreMeter(F(0), 4, 4),))
    result = read(write_score(score, Options(), context).musicxml)
    assert len(context.warnings) == 1
    assert abs(result.notes[0].onset - F(1, 13)) < F(1, 50)
    assert result.faults == []


def test_empty_tracks_leave_no_empty_staves() -> None:
    notes = (ScoreNote(F(0), F(4), 60, track=1),)
    score = QuantisedScore(notes, (ScoreMeter(F(0), 4, 4),), tracks=(ScoreTrack("Conductor"), ScoreTrack("Flute", 73)))
    root = write_score(score, Options(), Context()).root
    assert [name.text for name in root.iter("part-name")] == ["Flute"]
