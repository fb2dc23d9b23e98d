"""Audio → performance over Basic Pitch's network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from plucked import played, tone

from model_runtime.engines.base import Context
from model_runtime.engines.basic_pitch import BasicPitch
from model_runtime.errors import Cancelled, EngineUnavailable, InvalidValue
from model_runtime.modality import Audio, Performance, SampledAudio
from model_runtime.options import Options

SCALE = [(0.5 + 0.4 * i, 0.38, pitch) for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]


@pytest.fixture
def engine(basic_pitch_data: Path) -> BasicPitch:
    return BasicPitch(threads=1)


def heard(engine: BasicPitch, audio: Audio, context: Context | None = None, **options: object) -> Performance:
    return engine.translate(audio, Options.model_validate(options), context or Context())


def test_a_scale_is_found_with_its_pitches_onsets_and_lengths(engine: BasicPitch) -> None:
    notes = heard(engine, played(SCALE, 4.5)).notes
    assert [note.pitch for note in notes] == [pitch for _, _, pitch in SCALE]
    for note, (onset_s, length_s, _) in zip(notes, SCALE, strict=True):
        assert note.onset_s == pytest.approx(onset_s, abs=0.03)
        assert note.offset_s == pytest.approx(onset_s + length_s, abs=0.12)
        assert 20 < note.velocity < 127


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (96_000, 1), (48_000, 6)])
def test_any_sample_rate_and_number_of_channels_is_heard_alike(engine: BasicPitch, rate: int, channels: int) -> None:
    audio = played(SCALE, 4.5, rate, channels)
    assert [note.pitch for note in heard(engine, audio).notes] == [pitch for _, _, pitch in SCALE]


def test_notes_of_a_chord_are_found_together_without_their_overtones(engine: BasicPitch) -> None:
    chords = [(0.5, 1.0, p) for p in (48, 55, 64)] + [(1.7, 1.0, p) for p in (50, 57, 65)]
    notes = heard(engine, played(chords, 3.2)).notes
    assert [(round(note.onset_s, 1), note.pitch) for note in notes] == [(round(o, 1), p) for o, _, p in chords]


def test_music_over_many_windows_keeps_time(engine: BasicPitch) -> None:
    clicks = [(1.0 * i + 0.25, 0.3, 60 + i % 12) for i in range(40)]
    notes = heard(engine, played(clicks, 41.0)).notes
    assert [note.pitch for note in notes] == [pitch for _, _, pitch in clicks]
    late_s = [note.onset_s - onset_s for note, (onset_s, _, _) in zip(notes, clicks, strict=True)]
    assert np.abs(late_s).max() < 0.03
    assert abs(np.mean(late_s[:10]) - np.mean(late_s[-10:])) < 0.006  # no drift


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_and_bare_noise_floor_give_an_empty_performance_and_a_warning(engine: BasicPitch, level: float) -> None:
    noise = np.random.default_rng(0).normal(0, level or 0, (44_100 * 3, 1)).astype(np.float32)
    context = Context()
    assert heard(engine, SampledAudio(noise, 44_100), context).notes == ()
    assert context.warnings == ["The recording is silent."]


def test_a_recording_shorter_than_a_frame_is_no_error(engine: BasicPitch) -> None:
    assert heard(engine, SampledAudio(np.full((10, 1), 0.1, np.float32), 44_100)).notes == ()


def test_samples_that_are_no_numbers_are_refused(engine: BasicPitch) -> None:
    audio = played(SCALE, 4.5)
    audio.data[5000] = np.nan
    with pytest.raises(InvalidValue, match="not numbers"):
        heard(engine, audio)


def test_higher_thresholds_find_fewer_notes_and_a_minimum_length_drops_short_ones(engine: BasicPitch) -> None:
    audio = played([*SCALE, (4.5, 0.09, 84), (4.9, 1.0, 55)], 6.2)
    usual = heard(engine, audio).notes
    strict = heard(engine, audio, onset_threshold=0.95, frame_threshold=0.9).notes
    assert len(strict) < len(usual)
    long = heard(engine, audio, minimum_note=500).notes
    assert [note.pitch for note in long] == [55]


def test_an_instrument_sets_range_and_program(engine: BasicPitch) -> None:
    audio = played([(0.5, 0.8, 40), (0.5, 0.8, 76)], 1.8)
    assert {note.pitch for note in heard(engine, audio).notes} == {40, 76}
    violin = heard(engine, audio, instrument="Violino I")
    assert {note.pitch for note in violin.notes} == {76}
    assert [(p.program, p.channel) for p in violin.programs] == [(40, 0)]


def test_an_unknown_instrument_is_refused_and_percussion_is_warned_of(engine: BasicPitch) -> None:
    with pytest.raises(InvalidValue, match="kazoophone"):
        heard(engine, played(SCALE, 1.0), instrument="kazoophone")
    context = Context()
    heard(engine, played(SCALE, 1.0), context, instrument="drums")
    assert any("percussion" in warning for warning in context.warnings)


def test_vibrato_becomes_pitch_bends_of_its_rate_and_depth(engine: BasicPitch) -> None:
    rate, length_s = 22_050, 3.0
    time_s = np.arange(round(length_s * rate)) / rate
    vibrato = np.asarray(0.5 * np.sin(2 * np.pi * 5 * time_s), np.float32)  # half a semitone, five times a second
    samples = tone(length_s, 69, rate, vibrato)
    sung = heard(engine, SampledAudio(samples[:, None], rate), pitch_bends=True, instrument="voice")
    (note,) = [note for note in sung.notes if note.duration_s > 2]
    bends = [b for b in sung.pitch_bends if b.channel == note.channel]
    times, semitones = np.array([b.time_s for b in bends]), np.array([b.value for b in bends]) / 4096
    grid = np.arange(0.5, 2.5, 0.01)
    curve = np.interp(grid, times, semitones)
    assert 0.25 < (curve.max() - curve.min()) / 2 < 0.75
    assert np.abs(np.fft.rfft(curve - curve.mean())).argmax() == 10  # ten swings in two seconds
    assert np.corrcoef(curve, 0.5 * np.sin(2 * np.pi * 5 * grid))[0, 1] > 0.9


def test_without_the_option_there_are_no_bends_and_one_channel(engine: BasicPitch) -> None:
    performance = heard(engine, played(SCALE, 4.5))
    assert performance.pitch_bends == ()
    assert {note.channel for note in performance.notes} == {0}


def test_progress_goes_from_nothing_to_all_of_the_recording_in_small_steps(engine: BasicPitch) -> None:
    seen: list[tuple[float, float]] = []
    context = Context(on_progress=lambda stage, current, total: seen.append((current, total)))
    heard(engine, played(SCALE, 30.0), context)
    done = [current for current, _ in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0.0, 30.0)
    assert {total for _, total in seen} == {30.0}
    assert max(np.diff(done)) < 7.0


def test_a_caller_who_cancels_is_obeyed_and_the_engine_stays_usable(engine: BasicPitch) -> None:
    def stop(stage: str, current: float, total: float) -> None:
        if current > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        heard(engine, played(SCALE, 30.0), Context(on_progress=stop))
    assert len(heard(engine, played(SCALE, 4.5)).notes) == 8


def test_early_results_are_the_beginning_of_the_final_one(engine: BasicPitch) -> None:
    early: list[Performance] = []
    music = [(0.5 * i, 0.4, 55 + i % 20) for i in range(100)]
    context = Context(on_partial=early.append)  # type: ignore[arg-type]
    final = heard(engine, played(music, 51.0), context)
    assert early
    assert 0 < len(early[-1].notes) < len(final.notes)
    for partial in early:
        assert partial.notes == final.notes[: len(partial.notes)]


def test_without_its_network_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCOREBRIDGE_DATA", str(tmp_path))
    engine = BasicPitch()
    state = engine.availability()
    assert not state.ready and "scorebridge models add basic-pitch" in state.hint
    with pytest.raises(EngineUnavailable, match="not installed"):
        heard(engine, played(SCALE, 1.0))


def test_a_damaged_network_is_refused(basic_pitch_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = (basic_pitch_data / "basic-pitch" / "nmp.onnx").read_bytes()
    (tmp_path / "basic-pitch").mkdir()
    (tmp_path / "basic-pitch" / "nmp.onnx").write_bytes(network[:1000] + b"\0" + network[1001:])
    monkeypatch.setenv("SCOREBRIDGE_DATA", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="damaged"):
        BasicPitch().load()


def test_importing_the_transcribers_loads_nothing_heavy() -> None:
    modules = "model_runtime.engines.basic_pitch, model_runtime.engines.transkun, model_runtime.addons"
    heavy = "{'onnxruntime', 'scipy', 'soundfile', 'soxr', 'torch', 'platformdirs'}"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
