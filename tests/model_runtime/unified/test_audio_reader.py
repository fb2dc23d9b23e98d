"""The audio reader hears what is played, the same live as in a recording, and however the sound arrives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.engines.audio_reader import AudioReaderEngine, settings_of
from model_runtime.engines.base import Context
from model_runtime.errors import Cancelled, EngineUnavailable, InvalidValue
from model_runtime.listening import HeardNote, Listener
from model_runtime.modality import FloatArray, Performance, SampledAudio
from model_runtime.options import Options
from model_runtime.unified.audio_front_end import BINS, HISTORY_SAMPLES, HOP_SAMPLES, SAMPLE_RATE, frames_of
from model_runtime.unified.audio_reader import AudioReader, listener
from model_runtime.unified.audio_steps import LATE_STEPS
from model_runtime.unified.note_picking import NotePicker, PickingSettings

Event = tuple[float, float, int]  # onset and length in seconds, MIDI pitch
SCALE: list[Event] = [(0.5 + 0.4 * i, 0.36, pitch) for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]
CHORDS: list[Event] = [(0.5 + 0.7 * i, 0.6, p) for i, chord in enumerate(((48, 55, 64), (50, 57, 65))) for p in chord]


def played(events: list[Event], length_s: float, rate: int = SAMPLE_RATE) -> FloatArray:
    """Struck tones that die away, as a piano's, mono."""
    samples = np.zeros(round(length_s * rate), np.float32)
    for onset_s, tone_s, pitch in events:
        time_s = np.arange(round(tone_s * rate)) / rate
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        partials = sum(
            np.sin(2 * np.pi * k * hertz * time_s) * np.exp(-1.5 * k**0.7 * time_s) / k**1.2
            for k in range(1, 11)
            if k * hertz < rate / 2.2
        )
        tone = 0.2 * np.asarray(partials) * np.minimum(1, np.minimum(time_s / 0.003, (tone_s - time_s) / 0.03))
        first = min(round(onset_s * rate), len(samples))
        samples[first : first + len(tone)] += tone.astype(np.float32)[: len(samples) - first]
    return samples


def audio(samples: FloatArray, rate: int = SAMPLE_RATE, channels: int = 1) -> SampledAudio:
    return SampledAudio(np.repeat(samples[:, None], channels, axis=1), rate)


def heard_in_pieces(samples: FloatArray, lengths: list[int]) -> list[HeardNote]:
    ears, heard, at = listener(), [], 0
    for length in lengths:
        heard += ears.listen(samples[at : at + length])
        at += length
    return heard + ears.listen(samples[at:]) + ears.finish()


def test_a_scale_is_heard_with_its_pitches_onsets_and_ends() -> None:
    notes = AudioReader().read(audio(played(SCALE, 4.5))).notes
    assert [note.pitch for note in notes] == [pitch for _, _, pitch in SCALE]
    for note, (onset_s, length_s, _) in zip(notes, SCALE, strict=True):
        assert note.onset_s == pytest.approx(onset_s, abs=0.03)
        assert note.offset_s == pytest.approx(onset_s + length_s, abs=0.2)
        assert 0.3 < note.probability <= 1.0
        assert 1 <= note.velocity <= 127


def test_the_notes_of_a_chord_are_heard_together() -> None:
    notes = AudioReader().read(audio(played(CHORDS, 2.5))).notes
    heard = {(round(note.onset_s, 1), note.pitch) for note in notes}
    played_notes = {(round(onset_s, 1), pitch) for onset_s, _, pitch in CHORDS}
    assert played_notes <= heard
    assert len(heard - played_notes) <= 1  # an overtone of these bare tones may be taken for a note


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (96_000, 1)])
def test_any_sample_rate_and_number_of_channels_is_heard_alike(rate: int, channels: int) -> None:
    notes = AudioReader().read(audio(played(SCALE, 4.5, rate), rate, channels)).notes
    assert [note.pitch for note in notes] == [pitch for _, _, pitch in SCALE]


def test_what_is_kept_of_a_live_session_is_what_a_recording_gives() -> None:
    samples = played(SCALE + CHORDS, 4.5)
    samples += 0.01 * np.random.default_rng(4).normal(size=len(samples)).astype(np.float32)
    offline = AudioReader().read(audio(samples)).notes
    final = {note.number: note for note in heard_in_pieces(samples, [1000] * 80)}
    live = sorted((n for n in final.values() if n.phase != "withdrawn"), key=lambda n: (n.onset_s, n.pitch))
    assert len(live) >= len(SCALE)
    assert [note.pitch for note in live] == [note.pitch for note in offline]
    for one, other in zip(live, offline, strict=True):
        assert one.onset_s == pytest.approx(other.onset_s, abs=0.002)
        assert one.offset_s == pytest.approx(other.offset_s, abs=0.002)
        assert one.velocity == pytest.approx(other.velocity, abs=1)


@settings(max_examples=6, deadline=None)
@given(lengths=st.lists(st.integers(0, 3000), min_size=1, max_size=40))
def test_it_does_not_matter_how_the_sound_is_cut_into_pieces(lengths: list[int]) -> None:
    samples = played(CHORDS, 1.6)
    assert heard_in_pieces(samples, lengths) == heard_in_pieces(samples, [len(samples)])


def test_a_live_note_is_guessed_then_confirmed_and_its_end_comes_as_a_correction() -> None:
    heard = heard_in_pieces(played(SCALE[:3], 2.2), [256] * 100)
    confirmed = {note.number for note in heard if note.phase == "confirmed"}
    withdrawn = {note.number for note in heard if note.phase == "withdrawn"}
    assert len(confirmed) >= 3 and not confirmed & withdrawn
    assert {note.number for note in heard} == confirmed | withdrawn
    for number in confirmed:
        phases = [note.phase for note in heard if note.number == number]
        assert phases.count("confirmed") == 1 and phases[-1] == "corrected"
        assert "provisional" not in phases[phases.index("confirmed") :]
        assert [note.offset_s is None for note in heard if note.number == number][-1] is False
    for number in withdrawn:
        *guesses, last = [note.phase for note in heard if note.number == number]
        assert set(guesses) == {"provisional"} and last == "withdrawn"


def test_a_note_is_told_of_within_the_promised_look_ahead_and_confirmed_soon_after() -> None:
    ears = listener()
    assert ears.look_ahead_s <= 0.1
    samples, told_s, confirmed_s = played(SCALE, 4.5), {}, {}
    for end in range(0, len(samples), 128):
        for note in ears.listen(samples[end : end + 128]):
            after_s = (end + 128) / SAMPLE_RATE - note.onset_s
            told_s.setdefault(note.number, after_s)
            if note.phase == "confirmed":
                confirmed_s[note.number] = after_s
    assert len(confirmed_s) >= len(SCALE)
    unevenness_s = (512 / 2 + 128) / SAMPLE_RATE
    on_time = [number for number in confirmed_s if told_s[number] <= ears.look_ahead_s + unevenness_s]
    assert len(on_time) >= len(SCALE)  # what the first reading missed comes with the second
    assert max(confirmed_s.values()) <= ears.look_ahead_s + LATE_STEPS * 512 / SAMPLE_RATE + unevenness_s


def test_sessions_do_not_hear_each_other() -> None:
    one, other = listener(), listener()
    samples = played(CHORDS, 1.6)
    heard: list[HeardNote] = []
    for start in range(0, len(samples), 700):
        heard += one.listen(samples[start : start + 700])
        assert not [n for n in other.listen(np.zeros(700, np.float32)) if n.phase == "confirmed"]
    assert heard + one.finish() == heard_in_pieces(samples, [700] * 60)


def test_frames_do_not_know_the_future() -> None:
    draw = np.random.default_rng(1)
    samples = draw.normal(size=HISTORY_SAMPLES + 40 * HOP_SAMPLES).astype(np.float32)
    changed = samples.copy()
    changed[HISTORY_SAMPLES + 20 * HOP_SAMPLES :] = 0.0
    before, after = frames_of(samples), frames_of(changed)
    assert before.shape == (40, BINS)
    np.testing.assert_array_equal(before[:20], after[:20])
    assert np.abs(before[30:] - after[30:]).max() > 0.5


@pytest.mark.parametrize("pitch", [33, 45, 60, 81, 105])
def test_a_tone_stands_in_the_middle_bin_of_its_key(pitch: int) -> None:
    time_s = np.arange(HISTORY_SAMPLES + 4 * HOP_SAMPLES) / SAMPLE_RATE
    frames = frames_of(np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_s).astype(np.float32))
    assert frames[-1].argmax() == 3 * (pitch - 21) + 1
    assert frames[-1].max() == pytest.approx(2.0, abs=0.03)  # full scale: 100 dB over the floor, in units of 50 dB


def test_a_repeated_key_is_two_notes_and_a_peak_lies_between_steps() -> None:
    picker, notes = NotePicker(PickingSettings(onset=0.5)), []
    heads = np.zeros((30, 88, 4), np.float32)
    heads[4:25, 40, 1] = 0.9
    heads[4:7, 40, 0] = (0.55, 0.95, 0.65)
    heads[14:17, 40, 0] = (0.65, 0.95, 0.55)
    for step in heads:
        notes += picker.step(step).struck
    notes += picker.finish().struck
    assert [note.pitch for note in notes] == [61, 61]
    assert notes[0].offset_s == notes[1].onset_s
    assert 10 * 512 / SAMPLE_RATE - 0.02 < notes[1].onset_s - notes[0].onset_s < 10 * 512 / SAMPLE_RATE


def test_silence_and_noise_have_no_notes() -> None:
    context = Context()
    result = AudioReaderEngine().translate(audio(np.zeros(SAMPLE_RATE, np.float32)), Options(), context)
    assert result.notes == ()
    assert context.warnings == ["The recording is silent."]
    noise = 0.1 * np.random.default_rng(0).normal(size=3 * SAMPLE_RATE).astype(np.float32)
    assert len(AudioReader().read(audio(noise)).notes) <= 8


@pytest.mark.parametrize("length", [1, 100, 511, 513])
def test_very_short_sound_is_no_trouble(length: int) -> None:
    samples = 1e-3 * np.random.default_rng(length).normal(size=length).astype(np.float32)
    assert AudioReader().read(audio(samples)).notes == []
    assert heard_in_pieces(samples, []) == []


def test_samples_that_are_not_numbers_are_refused() -> None:
    samples = played(CHORDS, 1.0)
    samples[500] = np.nan
    with pytest.raises(InvalidValue, match="not numbers"):
        AudioReader().read(audio(samples))
    with pytest.raises(InvalidValue, match="not numbers"):
        listener().listen(samples)


def test_a_missing_or_damaged_network_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="not there"):
        AudioReader(tmp_path / "none.onnx").load()
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no network")
    with pytest.raises(EngineUnavailable, match="damaged"):
        listener(damaged)


def test_the_engine_tells_how_far_it_is_hands_out_early_notes_and_can_be_cancelled() -> None:
    music = audio(played([(0.3 + 0.5 * i, 0.4, 60 + i % 12) for i in range(44)], 23.0))
    stages: list[float] = []
    early: list[Performance] = []
    context = Context(
        on_progress=lambda stage, current, total: stages.append(current / total),
        on_partial=lambda value: early.append(value) if isinstance(value, Performance) else None,
    )
    whole = AudioReaderEngine().translate(music, Options(), context)
    assert stages == sorted(stages)
    assert stages[-1] == pytest.approx(1.0)
    assert early
    assert set(early[0].notes[:-3]) <= set(whole.notes)

    def stop(stage: str, current: float, total: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        AudioReaderEngine().translate(music, Options(), Context(on_progress=stop))


def test_the_engine_keeps_to_instrument_and_shortest_note() -> None:
    music = audio(played([*SCALE, (1.0, 1.0, 28)], 4.5))
    found = AudioReaderEngine().translate(music, Options(instrument="violin"), Context())
    assert min(note.pitch for note in found.notes) >= 55
    assert found.programs[0].program == 40
    long = AudioReaderEngine().translate(music, Options(minimum_note=800), Context())
    assert all(note.duration_s >= 0.8 for note in long.notes)


def test_thresholds_rise_with_what_is_asked() -> None:
    usual = PickingSettings()
    assert settings_of(Options()) == usual
    assert settings_of(Options(onset_threshold=0.8)).onset > usual.onset
    assert settings_of(Options(frame_threshold=0.1)).frame < usual.frame


def test_a_listener_is_what_live_sessions_expect() -> None:
    ears: Listener = listener()
    assert ears.sample_rate == SAMPLE_RATE
    assert ears.listen(np.zeros(0, np.float32)) == []
