"""Both synthesisers: what a performance says is what sounds, when it says so."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model_runtime.addons import find_soundfont
from model_runtime.engines import fluidsynth, rustysynth
from model_runtime.engines.base import Context, Engine
from model_runtime.engines.fluidsynth import FluidSynth
from model_runtime.engines.rustysynth import RustySynth
from model_runtime.errors import Cancelled, InvalidValue, UnreadableFile
from model_runtime.modality import Audio, Control, FloatArray, Note, Performance, PitchBend, ProgramChange
from model_runtime.options import Options
from model_runtime.synthesis.loudness import integrated_loudness

ORGAN, VIOLIN = 19, 40
SOUNDFONT = str(find_soundfont(None, (".sf2",)))


@pytest.fixture(params=[FluidSynth, RustySynth], ids=["fluidsynth", "rustysynth"])
def engine(request: pytest.FixtureRequest) -> Engine:
    kind: Callable[[], Engine] = request.param
    return kind()


def render(engine: Engine, performance: Performance, context: Context | None = None, **options: object) -> Audio:
    asked = Options.model_validate({"sample_rate": 22050, "soundfont": SOUNDFONT, **options})
    audio = engine.translate(performance, asked, context or Context())
    assert isinstance(audio, Audio)
    return audio


def mono(audio: Audio) -> FloatArray:
    return audio.samples().mean(axis=1)


def between(audio: Audio, start_s: float, stop_s: float) -> FloatArray:
    return mono(audio)[round(start_s * audio.sample_rate) : round(stop_s * audio.sample_rate)]


def level(samples: FloatArray) -> float:
    return float(np.sqrt(np.mean(samples**2))) if samples.size else 0.0


def energy_at(samples: FloatArray, sample_rate: int, frequency: float) -> float:
    """Share of the spectrum's energy within a third of a semitone of a frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples))) ** 2
    frequencies = np.fft.rfftfreq(8 * len(samples), 1 / sample_rate)
    near = np.abs(12 * np.log2(np.maximum(frequencies, 1) / frequency)) < 1 / 3
    return float(spectrum[near].sum() / spectrum.sum())


def hertz(pitch: float) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


def scale(program: int = 0) -> Performance:
    notes = [Note(i * 0.5, i * 0.5 + 0.45, pitch, 90) for i, pitch in enumerate(SCALE)]
    return Performance(tuple(notes), programs=(ProgramChange(0.0, program),))


def test_each_note_of_a_scale_sounds_at_its_pitch_and_time(engine: Engine) -> None:
    audio = render(engine, scale())
    for i, pitch in enumerate(SCALE):
        heard = between(audio, i * 0.5 + 0.05, i * 0.5 + 0.45)
        shares = {p: energy_at(heard, audio.sample_rate, hertz(p)) for p in SCALE}
        assert max(shares, key=lambda p: shares[p]) == pitch
    rests = [level(between(audio, i * 0.5 - 0.02, i * 0.5)) for i in range(1, 8)]
    starts = [level(between(audio, i * 0.5 + 0.01, i * 0.5 + 0.03)) for i in range(1, 8)]
    assert all(start > rest for start, rest in zip(starts, rests, strict=True))


@pytest.mark.parametrize("target", [-16.0, -23.0, -40.0])
def test_the_loudness_is_what_was_asked_for(engine: Engine, target: float) -> None:
    context = Context()
    audio = render(engine, scale(ORGAN), context, loudness=target)
    assert integrated_loudness(audio.samples(), audio.sample_rate) == pytest.approx(target, abs=0.5)
    assert context.warnings == []


def test_peaks_stay_below_full_scale_and_a_warning_tells_the_loudness_reached(engine: Engine) -> None:
    context = Context()
    audio = render(engine, scale(), context, loudness=-3.0)
    assert 0.8 < np.abs(audio.samples()).max() <= 10 ** (-1 / 20) + 1e-4
    assert any("LUFS instead of -3.0" in warning for warning in context.warnings)


def test_the_tail_sounds_until_it_has_decayed(engine: Engine) -> None:
    audio = render(
        engine, Performance((Note(0.0, 1.0, 36, 100),), controls=(Control(0.0, 64, 127), Control(1.5, 64, 0)))
    )
    assert 1.6 < audio.duration_s < 11.6
    sound = audio.samples()
    peak = np.abs(sound).max()
    assert np.abs(sound[-200:]).max() < peak * 0.003
    assert level(between(audio, 1.5, 1.55)) > 0.01 * peak


def test_a_pedal_that_is_never_lifted_ends_in_a_fade_at_the_longest_tail(engine: Engine) -> None:
    audio = render(engine, Performance((Note(0.0, 0.2, 33, 127),), controls=(Control(0.0, 64, 127),)))
    assert 3 < audio.duration_s <= 10.3
    assert np.abs(audio.samples()[-20:]).max() < 0.002


def test_the_sustain_pedal_lets_a_released_note_sound(engine: Engine) -> None:
    notes = (Note(0.0, 0.2, 60, 100), Note(2.0, 2.2, 96, 10))
    dry = render(engine, Performance(notes))
    held = render(engine, Performance(notes, controls=(Control(0.0, 64, 127), Control(2.0, 64, 0))))
    assert level(between(held, 1.2, 1.8)) > 5 * level(between(dry, 1.2, 1.8))


def test_programs_and_the_instrument_option_change_the_sound(engine: Engine) -> None:
    piano, organ = render(engine, scale()), render(engine, scale(ORGAN))
    asked = render(engine, scale(), instrument="church organ")
    length = 4 * piano.sample_rate
    assert np.allclose(mono(organ)[:length], mono(asked)[:length], atol=1e-3)
    assert np.abs(mono(organ)[:length] - mono(piano)[:length]).max() > 0.05
    # A piano decays within a note, an organ does not.
    assert level(between(organ, 0.3, 0.4)) / level(between(organ, 0.1, 0.2)) > 0.8
    assert level(between(piano, 0.3, 0.4)) / level(between(piano, 0.1, 0.2)) < 0.9


def test_a_performance_of_drums_alone_sounds_like_drums(engine: Engine) -> None:
    snare = Performance(tuple(Note(i * 0.5, i * 0.5 + 0.1, 38, 100, channel=9) for i in range(4)))
    audio = render(engine, snare)
    spectrum = np.abs(np.fft.rfft(between(audio, 0.5, 0.7))) ** 2
    flatness = np.exp(np.mean(np.log(spectrum + 1e-12))) / np.mean(spectrum)
    piano = render(engine, scale())
    tone = np.abs(np.fft.rfft(between(piano, 0.5, 0.7))) ** 2
    assert flatness > 3 * np.exp(np.mean(np.log(tone + 1e-12))) / np.mean(tone)


def test_a_pitch_bend_bends(engine: Engine) -> None:
    bends = (PitchBend(0.0, 0), PitchBend(1.0, 8191))
    audio = render(
        engine, Performance((Note(0.0, 2.0, 69, 100),), pitch_bends=bends, programs=(ProgramChange(0, ORGAN),))
    )
    rate = audio.sample_rate
    assert energy_at(between(audio, 0.3, 0.9), rate, hertz(69)) > 10 * energy_at(
        between(audio, 1.2, 1.8), rate, hertz(69)
    )
    assert energy_at(between(audio, 1.2, 1.8), rate, hertz(71)) > 10 * energy_at(
        between(audio, 0.3, 0.9), rate, hertz(71)
    )


def test_a_repeated_key_is_not_silenced_by_the_release_of_an_earlier_note(engine: Engine) -> None:
    overlapping = (Note(0.0, 1.0, 60, 90, track=0), Note(0.5, 2.0, 60, 90, track=1))
    audio = render(engine, Performance(overlapping, programs=(ProgramChange(0, ORGAN),), tracks=("a", "b")))
    assert level(between(audio, 1.3, 1.9)) > 0.5 * level(between(audio, 0.2, 0.4))


@pytest.mark.parametrize("duration_s", [0.0, 2.5])
def test_no_notes_give_valid_silence(engine: Engine, duration_s: float) -> None:
    controls = (Control(duration_s, 64, 0),) if duration_s else ()
    audio = render(engine, Performance((), controls=controls))
    assert audio.duration_s == pytest.approx(duration_s or 1.0, abs=0.001)
    assert audio.channels == 2 and not audio.samples().any()


@pytest.mark.parametrize("sample_rate", [8000, 48000, 192000])
def test_any_sample_rate_keeps_pitch_and_time(engine: Engine, sample_rate: int) -> None:
    audio = render(engine, Performance((Note(0.0, 0.2, 60, 30), Note(0.5, 1.0, 69, 100))), sample_rate=sample_rate)
    assert audio.sample_rate == sample_rate
    assert energy_at(between(audio, 0.6, 0.9), sample_rate, 440.0) > 0.3


def test_sound_is_streamed_from_a_file_that_goes_with_the_value(engine: Engine) -> None:
    audio = render(engine, scale())
    path: Path = audio._path  # type: ignore[attr-defined]
    blocks = list(audio.blocks(1000))
    assert all(len(block) == 1000 for block in blocks[:-1]) and sum(map(len, blocks)) == audio.frames
    assert np.array_equal(np.concatenate(blocks), audio.samples()) and path.exists()
    del audio
    gc.collect()
    assert not path.exists()


def test_cancelling_stops_and_leaves_no_file(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    notes = tuple(Note(i * 1.0, i + 0.9, 60, 80) for i in range(150))

    def stop_in_the_middle(stage: str, current: float, total: float) -> None:
        if current > 50:
            raise Cancelled

    with pytest.raises(Cancelled):
        render(engine, Performance(notes), Context(on_progress=stop_in_the_middle), sample_rate=8000)
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_soundfont_is_refused(engine: Engine, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sf2"
    wrong.write_bytes(b"RIFF\x10\x00\x00\x00sfbkLIST" + bytes(100))
    with pytest.raises(UnreadableFile, match=r"wrong\.sf2"):
        render(engine, scale(), soundfont=str(wrong))


def test_an_unknown_instrument_and_an_endless_performance_are_refused(engine: Engine) -> None:
    with pytest.raises(InvalidValue, match="no General MIDI instrument"):
        render(engine, scale(), instrument="theremin of doom")
    with pytest.raises(InvalidValue, match="hours"):
        render(engine, Performance((Note(0.0, 1e6, 60),)))


def test_the_library_says_nothing_on_the_terminal(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    render(engine, scale())
    assert capfd.readouterr() == ("", "")


def test_both_engines_are_ready_here(engine: Engine) -> None:
    assert engine.availability().ready


def test_rendering_in_pieces_sounds_like_rendering_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Across every seam: an organ tone that is held, a pedalled piano, a program chosen long before."""
    notes = [Note(0.0, 9.5, 48, 70, channel=1)]
    notes += [Note(i * 0.5, i * 0.5 + 0.1, 60 + i % 12, 80) for i in range(20)]
    performance = Performance(
        tuple(notes), controls=(Control(2.0, 64, 127), Control(8.0, 64, 0)), programs=(ProgramChange(0, ORGAN, 1),)
    )
    at_once = mono(render(RustySynth(), performance))
    monkeypatch.setattr(rustysynth, "PIECE_S", 2.5)
    monkeypatch.setattr(rustysynth, "LEAD_IN_S", 4.0)
    in_pieces = mono(render(RustySynth(), performance))
    window = 2205
    count = min(len(at_once), len(in_pieces)) // window
    rms = [np.sqrt(np.mean(x[: count * window].reshape(count, window) ** 2, axis=1)) for x in (at_once, in_pieces)]
    loud = rms[0] > 0.05 * rms[0].max()
    # The held tone starts anew at a seam, so phases differ and beat against the piano's; levels stay.
    difference_db = np.abs(20 * np.log10(rms[1][loud] / rms[0][loud]))
    assert np.median(difference_db) < 1 and np.percentile(difference_db, 95) < 3 and difference_db.max() < 6
    steps = np.abs(np.diff(in_pieces))
    assert steps.max() < 1.5 * np.abs(np.diff(at_once)).max()  # no click at a seam


def test_chords_that_clip_sixteen_bits_are_rendered_again_softer() -> None:
    notes = tuple(Note(0.0, 2.0, pitch, 127, channel=c) for pitch in range(36, 96, 2) for c in range(4))
    sound = render(
        RustySynth(), Performance(notes, programs=tuple(ProgramChange(0, ORGAN, c) for c in range(4)))
    ).samples()
    peak = np.abs(sound).max()
    assert (np.abs(sound) > 0.999 * peak).mean() < 1e-3  # a clipped wave stays at its peak


def test_rustysynth_says_that_it_cannot_read_sf3(tmp_path: Path) -> None:
    compressed = tmp_path / "small.sf3"
    compressed.write_bytes(b"RIFF\x10\x00\x00\x00sfbkLIST" + bytes(100))
    with pytest.raises(InvalidValue, match="sf2 SoundFonts only"):
        render(RustySynth(), scale(), soundfont=str(compressed))


def test_importing_the_engines_imports_no_synthesiser() -> None:
    code = (
        "import sys, model_runtime.engines.fluidsynth, model_runtime.engines.rustysynth;"
        "print({'fluidsynth', 'midirenderer', 'mido', 'scipy', 'soxr'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_missing_library_is_told_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fluidsynth, "_library_found", lambda: False)
    state = FluidSynth().availability()
    assert not state.ready and "FluidSynth" in state.reason and "apt install libfluidsynth3" in state.hint
