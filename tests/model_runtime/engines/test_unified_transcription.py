"""The reader hears, the trunk judges: what it keeps, moves and lengthens is what the engine gives back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from plucked import Event, played

from model_runtime.engines.audio_reader import AudioReaderEngine
from model_runtime.engines.base import Context
from model_runtime.engines.unified_transcription import UnifiedTranscription
from model_runtime.errors import Cancelled, EngineUnavailable, InvalidValue
from model_runtime.modality import Performance, SampledAudio
from model_runtime.options import Options
from model_runtime.training.export import export
from model_runtime.unified.architecture import Trunk, TrunkConfig
from model_runtime.unified.note_outputs import LATE_S, OUTPUTS, VELOCITY_STEP

TINY = TrunkConfig(width=32, heads=2, encoder_layers=1, decoder_layers=1, hidden=64, pointing_layer=0)
SCALE: list[Event] = [(0.5 + 0.4 * i, 0.36, pitch) for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]
CERTAIN = 20.0  # as a logit


def trunk_that_says(folder: Path, **told: float) -> Path:
    """Weights of a trunk that says the same of every note, in the network's units."""
    torch.manual_seed(1)
    trunk = Trunk(replace(TINY, note_outputs=len(OUTPUTS))).eval()
    assert trunk.notes is not None
    with torch.no_grad():
        trunk.notes.outer.weight.zero_()
        trunk.notes.outer.bias.copy_(torch.tensor([told.get(name, 0.0) for name in OUTPUTS]))
    export(trunk, folder, {"hours": 0})
    return folder


@pytest.fixture(scope="module")
def keeps_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trunk_that_says(tmp_path_factory.mktemp("keeps_all"), kept=CERTAIN)


@pytest.fixture(scope="module")
def sound() -> SampledAudio:
    return played(SCALE, 4.5)


def translated(weights: Path, sound: SampledAudio, options: Options | None = None) -> Performance:
    return UnifiedTranscription(weights).translate(sound, options or Options(), Context())


def test_what_the_trunk_keeps_is_all_that_the_reader_heard_and_what_it_doubted(
    keeps_all: Path, sound: SampledAudio
) -> None:
    own = AudioReaderEngine().translate(sound, Options(), Context())
    kept = translated(keeps_all, sound)
    heard = {(round(note.onset_s, 3), note.pitch) for note in kept.notes}
    assert {(round(note.onset_s, 3), note.pitch) for note in own.notes} <= heard
    assert {pitch for _, _, pitch in SCALE} <= {pitch for _, pitch in heard}
    assert all(note.confidence == pytest.approx(1.0) for note in kept.notes), "as sure as the trunk"
    assert all(0.5 <= note.confidence <= 1.0 for note in own.notes), "as sure as the reader"


def test_notes_are_moved_and_made_louder_as_it_says_and_their_ends_as_far_as_it_is_believed(
    keeps_all: Path, sound: SampledAudio, tmp_path: Path
) -> None:
    changes = trunk_that_says(tmp_path, kept=CERTAIN, late=0.4, length=2.0, velocity=0.5)
    plain = translated(keeps_all, sound)
    for ends in (0.0, 0.5):
        changed = UnifiedTranscription(changes, ends=ends).translate(sound, Options(), Context())
        first, last = 2, len(SCALE)  # before that the key may be struck again
        for old, new in zip(plain.notes[first:last], changed.notes[first:last], strict=True):
            assert new.pitch == old.pitch
            assert new.onset_s == pytest.approx(old.onset_s + 0.4 * LATE_S, abs=1e-4)
            assert new.velocity == min(old.velocity + round(0.5 * VELOCITY_STEP), 127)
            assert new.duration_s == pytest.approx(old.duration_s * (1 + 2 * ends), rel=0.02)


def test_a_trunk_that_believes_nothing_leaves_nothing(sound: SampledAudio, tmp_path: Path) -> None:
    context = Context()
    engine = UnifiedTranscription(trunk_that_says(tmp_path, kept=-CERTAIN))
    assert engine.translate(sound, Options(), context).notes == ()
    assert context.warnings == ["No notes were found in the recording."]


def test_thresholds_keep_their_meaning(keeps_all: Path, sound: SampledAudio, tmp_path: Path) -> None:
    doubts = trunk_that_says(tmp_path, kept=0.0)  # one half
    assert translated(doubts, sound, Options(onset_threshold=0.7)).notes == ()
    assert len(translated(doubts, sound, Options(onset_threshold=0.4)).notes) >= len(SCALE)
    lengths = [
        np.mean([n.offset_s - n.onset_s for n in translated(keeps_all, sound, Options(frame_threshold=level)).notes])
        for level in (0.1, 0.3, 0.9)
    ]
    assert lengths[0] > lengths[1] > lengths[2]


def test_instrument_and_shortest_note_are_kept_to(keeps_all: Path, sound: SampledAudio) -> None:
    flute = translated(keeps_all, sound, Options(instrument="flute"))
    assert {program.program for program in flute.programs} == {73}
    assert all(note.pitch >= 59 for note in flute.notes)
    assert translated(keeps_all, sound, Options(minimum_note=3000)).notes == ()


def test_it_tells_how_far_it_is_hands_out_early_notes_and_can_be_cancelled(keeps_all: Path) -> None:
    long = played([(at, 0.3, 60 + at % 12) for at in range(1, 24)], 25.0)
    told: list[tuple[str, float, float]] = []
    partial: list[int] = []
    context = Context(
        on_progress=lambda *told_of: told.append(told_of),
        on_partial=lambda value: partial.append(len(value.notes)) if isinstance(value, Performance) else None,
    )
    engine = UnifiedTranscription(keeps_all)
    engine.translate(long, Options(), context)
    assert [stage for stage, _, _ in told] == sorted((stage for stage, _, _ in told), reverse=True)
    assert {stage for stage, _, _ in told} == {"Transcribing", "Refining"}
    assert told[-1][1] == told[-1][2] and told[0][1:] == (0.0, 25.0)
    assert partial and partial[0] >= 8

    def stop(stage: str, current: float, total: float) -> None:
        if stage == "Refining":
            raise Cancelled()

    with pytest.raises(Cancelled):
        engine.translate(long, Options(), Context(on_progress=stop))


def test_silence_is_said_to_be_silence(keeps_all: Path) -> None:
    context = Context()
    empty = SampledAudio(np.zeros((22_050, 1), np.float32), 22_050)
    assert UnifiedTranscription(keeps_all).translate(empty, Options(), context).notes == ()
    assert context.warnings == ["The recording is silent."]


def test_weights_that_are_missing_or_judge_no_notes_are_a_sentence(sound: SampledAudio, tmp_path: Path) -> None:
    nothing = UnifiedTranscription(tmp_path / "none")
    assert not nothing.availability().ready
    with pytest.raises(EngineUnavailable, match="not there"):
        nothing.translate(sound, Options(), Context())
    export(Trunk(TINY).eval(), tmp_path, {"hours": 0})
    reads_only = UnifiedTranscription(tmp_path)
    assert reads_only.availability().hint == "Use the engine 'audio-reader'."
    with pytest.raises(EngineUnavailable, match="judge no notes"):
        reads_only.load()


def test_only_audio_is_taken(keeps_all: Path) -> None:
    engine = UnifiedTranscription(keeps_all)
    assert engine.availability().ready
    with pytest.raises(InvalidValue, match="audio only"):
        engine.translate(Performance(()), Options(), Context())
    engine.close()
