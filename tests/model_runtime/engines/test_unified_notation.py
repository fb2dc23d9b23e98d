"""Performance → notation by the performance reader, as an engine."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from model_runtime.engines.base import Context
from model_runtime.engines.unified_notation import UnifiedNotation
from model_runtime.errors import Cancelled, InvalidValue
from model_runtime.modality import Control, Modality, Notation, Note, Performance
from model_runtime.notation.score_notes import WrittenNote, notes_in_order, read_measures
from model_runtime.options import Options
from model_runtime.router import Router
from model_runtime.tempo import Meter, TempoMap

_MELODY = (72, 74, 76, 77, 79, 77, 76, 74)


def _waltz(measures: int = 24, *, rubato: float = 0.12) -> tuple[Performance, TempoMap]:
    """A waltz at about 144 quarter notes a minute that comes and goes, and its beats."""
    quarters = np.arange(0.0, 3 * measures + 1.0, 0.5)
    stretch = np.exp(rubato * np.sin(quarters / 5.0))
    times = 0.5 + np.concatenate([[0.0], np.cumsum(0.5 * 60 / 144 * stretch)[:-1]])
    beats = TempoMap(tuple(times.tolist()), tuple(quarters.tolist()), (Meter(0.0, 3, 4),))
    hand = np.random.default_rng(1)
    notes: list[Note] = []

    def strike(quarter: float, length: float, pitch: int, velocity: int) -> None:
        start = beats.time_at(quarter) + float(hand.normal(0, 0.008))
        notes.append(Note(max(start, 0.0), beats.time_at(quarter + 0.93 * length), pitch, velocity))

    for measure in range(measures):
        bar = 3.0 * measure
        root = (48, 43, 41, 43)[measure % 4]
        strike(bar, 1, root - 12, 75)
        for beat in (1, 2):
            for pitch in (root + 7, root + 12, root + 16):
                strike(bar + beat, 1, pitch, 55)
        top = _MELODY[measure % len(_MELODY)]
        strike(bar, 2, top, 90)
        strike(bar + 2, 0.5, top + 2, 80)
        strike(bar + 2.5, 0.5, top, 80)
    return Performance(tuple(notes)), beats


def _written(performance: Performance, context: Context | None = None) -> list[WrittenNote]:
    notation = UnifiedNotation().translate(performance, Options(), context or Context())
    return notes_in_order(read_measures(notation.musicxml))


def test_a_waltz_with_rubato_is_written_in_time_without_being_told_the_beat() -> None:
    performance, _ = _waltz()
    written = _written(performance)
    assert len(written) == len(performance.notes)
    bass = [note.onset for note in written if note.pitch < 40]
    steps = [after - before for before, after in pairwise(bass)]
    usual = max(set(steps), key=steps.count)
    assert usual in (3, Fraction(3, 2))  # in quarters or in eighths: either can be written
    assert steps.count(usual) >= 0.9 * len(steps)


def test_beats_that_are_given_are_kept_and_lengths_and_hands_are_read() -> None:
    performance, beats = _waltz()
    written = _written(replace(performance, tempo_map=beats))
    bass = [note for note in written if note.pitch < 40]
    assert [note.onset for note in bass] == [3 * measure for measure in range(24)]
    melody = [note for note in written if note.pitch >= 70]
    assert sum(note.staff == 1 for note in melody) >= 0.9 * len(melody)
    assert sum(note.staff == 2 for note in bass) >= 0.9 * len(bass)
    assert sum(note.duration == (2 if note.onset % 3 == 0 else 0.5) for note in melody) >= 0.8 * len(melody)


def test_notes_from_a_sequencer_are_written_exactly() -> None:
    lengths = (1, 0.5, 0.5, 1.5, 0.5, 3, 1, 2.5, 1.5)
    onset, notes, wanted = 0.0, [], []
    for index, length in enumerate(lengths * 4):
        notes.append(Note(onset / 2, (onset + length) / 2, 60 + index % 7))
        wanted.append((onset, length))
        onset += length
    performance = Performance(tuple(notes), tempo_map=TempoMap.constant(120.0, (Meter(0.0, 4, 4),)))
    assert [(float(note.onset), float(note.duration)) for note in _written(performance)] == wanted


def test_every_measure_is_full_whatever_is_played() -> None:
    draw = np.random.default_rng(7)
    onsets = np.sort(draw.random(300) * 60)
    notes = tuple(Note(float(t), float(t + draw.uniform(0.03, 3.0)), int(draw.integers(21, 109))) for t in onsets)
    controls = tuple(Control(float(t), 64, int(draw.integers(0, 128))) for t in np.sort(draw.random(60) * 60))
    notation = UnifiedNotation().translate(Performance(notes, controls), Options(), Context())
    for measure in read_measures(notation.musicxml)[1:]:
        assert set(measure.voice_fill.values()) == {measure.nominal}


def test_a_split_that_was_asked_for_is_kept() -> None:
    performance, beats = _waltz(8)
    notation = UnifiedNotation().translate(replace(performance, tempo_map=beats), Options(split_point=76), Context())
    written = notes_in_order(read_measures(notation.musicxml))
    assert all((note.staff == 1) == (note.pitch >= 76) for note in written)


def test_one_note_and_silence_are_written() -> None:
    assert [n.pitch for n in _written(Performance((Note(0.3, 0.8, 60),)))] == [60]
    context = Context()
    assert _written(Performance(()), context) == []
    assert any("no notes" in warning for warning in context.warnings)


def test_drums_are_written_beside_what_is_read() -> None:
    performance, _ = _waltz(8)
    drums = tuple(Note(0.5 * i, 0.5 * i + 0.1, 38, 80, 9, 1) for i in range(20))
    both = replace(performance, notes=performance.notes + drums, tracks=("Piano", "Drums"))
    notation = UnifiedNotation().translate(both, Options(), Context())
    assert len(notation.root.findall("part")) == 2


def test_anything_but_a_performance_is_refused() -> None:
    with pytest.raises(InvalidValue):
        UnifiedNotation().translate(Notation(b"<score-partwise/>"), Options(), Context())


def test_it_can_be_cancelled_while_it_finds_beats() -> None:
    performance, _ = _waltz(120)

    def cancel(stage: str, current: float, total: float) -> None:
        if stage == "Finding beats" and current:
            raise Cancelled

    with pytest.raises(Cancelled):
        UnifiedNotation().translate(performance, Options(), Context(cancel))


def test_it_is_on_the_way_from_audio_to_notation() -> None:
    ways = [[engine.name for engine in chain] for chain in Router().chains(Modality.AUDIO, Modality.NOTATION)]
    assert ["audio-reader", "unified-notation"] in ways


def test_importing_it_is_cheap() -> None:
    heavy = "{'scipy', 'onnxruntime', 'torch', 'music21'}"
    modules = "model_runtime.engines.unified_notation, model_runtime.unified.notation_reading"
    program = f"import sys, {modules}; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
