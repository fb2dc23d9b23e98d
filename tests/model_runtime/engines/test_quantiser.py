"""The quantiser as an engine: performance in, MusicXML out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from model_runtime.engines.base import Context
from model_runtime.engines.quantiser import Quantiser
from model_runtime.errors import InvalidValue
from model_runtime.modality import Notation, Note, Performance
from model_runtime.notation.score_notes import notes_in_order, read_measures
from model_runtime.options import Options
from model_runtime.tempo import Meter, TempoMap


def test_a_played_scale_is_written() -> None:
    notes = tuple(Note(0.5 * i, 0.5 * i + 0.45, pitch) for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72)))
    performance = Performance(notes, tempo_map=TempoMap.constant(120.0, (Meter(0.0, 4, 4),)))
    notation = Quantiser().translate(performance, Options(), Context())
    written = notes_in_order(read_measures(notation.musicxml))
    assert [(n.onset, n.duration, n.pitch) for n in written] == [
        (i, 1, pitch) for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))
    ]


def test_silence_is_one_empty_measure_and_that_is_said() -> None:
    context = Context()
    notation = Quantiser().translate(Performance(()), Options(), context)
    assert notation.measure_count == 1
    assert any("no notes" in warning for warning in context.warnings)
    assert notes_in_order(read_measures(notation.musicxml)) == []


def test_anything_but_a_performance_is_refused() -> None:
    with pytest.raises(InvalidValue):
        Quantiser().translate(Notation(b"<score-partwise/>"), Options(), Context())


def test_importing_it_is_cheap() -> None:
    heavy = "{'scipy', 'partitura', 'onnxruntime', 'music21', 'mido', 'verovio'}"
    modules = "model_runtime.engines.quantiser, model_runtime.notation.quantise"
    program = f"import sys, {modules}; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
