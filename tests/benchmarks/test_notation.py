"""The notation benchmark on a piece made here: the same information reaches every engine."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import mido
import pytest

from benchmarks.asap import Piece, exact_shift, read_piece
from benchmarks.notation import figures_of, full_measures, measure_importer, measure_scorebridge, midi_with_map
from model_runtime.engines.base import Context
from model_runtime.modality import Note, Performance
from model_runtime.notation.quantised import QuantisedScore, ScoreMeter, ScoreNote
from model_runtime.notation.score_notes import WrittenMeasure, read_measures
from model_runtime.notation.write import write_score
from model_runtime.options import Options

BEATS = 16


@pytest.fixture
def piece(tmp_path: Path) -> Piece:
    """Sixteen quarter notes of 4/4 with a slowing tempo, in the data set's files."""
    pitches = [60 + (5 * i) % 12 for i in range(BEATS)]
    times = [0.5 * i + 0.005 * i * i for i in range(BEATS + 1)]
    score = QuantisedScore(
        notes=tuple(ScoreNote(Fraction(i), Fraction(1), pitch) for i, pitch in enumerate(pitches)),
        meters=(ScoreMeter(Fraction(0), 4, 4),),
    )
    (tmp_path / "score.musicxml").write_bytes(write_score(score, Options(), Context()).musicxml)
    file = mido.MidiFile(ticks_per_beat=480)
    events = [(start, "note_on", p) for start, p in zip(times, pitches, strict=False)]
    events += [(end - 0.02, "note_off", p) for end, p in zip(times[1:], pitches, strict=True)]
    track, now = mido.MidiTrack(), 0
    for time, kind, pitch in sorted(events):
        at = round(time * 960)
        track.append(mido.Message(kind, note=pitch, velocity=70, time=at - now))
        now = at
    file.tracks.append(track)
    file.save(tmp_path / "performance.mid")
    labels = [("db,4/4,0" if i == 0 else "db" if i % 4 == 0 else "b") for i in range(BEATS)]
    for name, beat_times in (("performance", times), ("midi_score", [0.5 * i for i in range(BEATS)])):
        lines = "".join(f"{t}\t{t}\t{label}\n" for t, label in zip(beat_times, labels, strict=False))
        (tmp_path / f"{name}_annotations.txt").write_text(lines)
    return read_piece(tmp_path)


def test_beats_and_score_lie_on_one_axis(piece: Piece) -> None:
    assert [note.onset for note in piece.reference] == list(range(BEATS))
    onsets = piece.tempo_map.quarters_at([note.onset_s for note in piece.performance.notes])
    assert onsets == pytest.approx(range(BEATS), abs=0.02)
    assert exact_shift(piece.tempo_map) == 0


def test_the_midi_file_for_the_others_has_the_beats_on_its_ticks(piece: Piece, tmp_path: Path) -> None:
    midi_with_map(piece, tmp_path / "given.mid")
    file = mido.MidiFile(tmp_path / "given.mid")
    now, ticks = 0, []
    for message in file.tracks[1]:
        now += message.time
        if message.type == "note_on" and message.velocity:
            ticks.append(now)
    assert ticks == pytest.approx([480 * i for i in range(BEATS)], abs=10)
    assert any(m.type == "time_signature" for m in file.tracks[0])


def test_our_score_of_it_is_perfect_and_full(piece: Piece) -> None:
    result = measure_scorebridge(piece, with_map=True)
    assert result.strict.onset == 1.0
    assert result.full_measures == (4, 4)


def test_another_importer_is_scored_on_what_it_reads(piece: Piece, tmp_path: Path) -> None:
    result = measure_importer("music21", lambda path: list(piece.reference[:8]), piece, True, tmp_path)
    assert result.strict.full == pytest.approx(2 * 8 / 24)
    figures = figures_of([result])
    assert figures["note_f1_music21_with_map"] == pytest.approx(2 * 8 / 24, abs=1e-4)


def test_a_short_voice_is_not_a_full_measure() -> None:
    short = WrittenMeasure(length=Fraction(4), voice_fill={(0, "1"): Fraction(4), (0, "2"): Fraction(3)})
    full = WrittenMeasure(length=Fraction(4), voice_fill={(0, "1"): Fraction(4)})
    assert full_measures([full, short, full]) == (2, 3)
    assert full_measures(read_measures(b"<score-partwise/>")) == (0, 0)


def test_without_agreement_there_is_nothing_to_compare(piece: Piece) -> None:
    silent = Piece("silent", Performance((Note(0.0, 1.0, 20),)), piece.tempo_map, piece.reference)
    assert measure_scorebridge(silent, with_map=True).strict.full == 0.0
