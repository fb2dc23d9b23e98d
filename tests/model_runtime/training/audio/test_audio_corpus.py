"""What the audio reader is fed: the notes that it is told of are those that sound, where they are heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from model_runtime import files
from model_runtime.addons import find_soundfont
from model_runtime.modality import Control, Note, Performance
from model_runtime.training.audio import music
from model_runtime.training.audio.attacks import rise_s
from model_runtime.training.audio.corpus import Studio, build, path_of
from model_runtime.training.audio.dataset import load
from model_runtime.training.audio.degrade import degraded
from model_runtime.training.audio.listening_page import write_clip
from model_runtime.training.audio.music import Part
from model_runtime.training.audio.samplers import Sampler
from model_runtime.training.audio.singing import sing
from model_runtime.training.audio.soundfonts import SAMPLE_RATE as FONT_RATE
from model_runtime.training.audio.soundfonts import SoundFont, Voice
from model_runtime.unified.audio_front_end import HISTORY_SAMPLES, HOP_SAMPLES, SAMPLE_RATE, frames_of

VIOLIN, PIANO = 40, 0


def part(*notes: tuple[float, float, int], pedal: tuple[tuple[float, float], ...] = ()) -> Part:
    return Part(np.array([(*note, 90.0) for note in notes]), np.array(pedal, float).reshape(-1, 2))


def loudest_pitch(sound: np.ndarray, at_s: float) -> float:
    """MIDI pitch of the strongest bin at a moment of a mono sound at `SAMPLE_RATE`."""
    frames = frames_of(np.concatenate([np.zeros(HISTORY_SAMPLES, np.float32), sound.astype(np.float32)]))
    return 21 + (int(frames[int(at_s * SAMPLE_RATE / HOP_SAMPLES)].argmax()) - 1) / 3


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two instruments of made notes: a piano in two layers, and a clarinet that speaks slowly."""
    folder = tmp_path_factory.mktemp("samples")
    time_s = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    for name, decay, attack_s in (("piano-velocity", 2.0, 0.002), ("clarinet", 0.0, 0.2)):
        (folder / name).mkdir()
        for letter, pitch in (("C3", 48), ("F#3", 54), ("C4", 60), ("Fs4", 66), ("C5", 72)):
            tone = sum(np.sin(2 * np.pi * k * 440 * 2 ** ((pitch - 69) / 12) * time_s) / k**2 for k in range(1, 5))
            sound = 0.4 * np.asarray(tone) * np.exp(-decay * time_s) * np.minimum(time_s / attack_s, 1.0)
            for layer in ("v4", "v8") if decay else ("",):
                soundfile.write(folder / name / f"{letter}{layer}.wav", sound, SAMPLE_RATE)
    return folder


@pytest.fixture(scope="module")
def studio(samples: Path, corpus_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    midi = tmp_path_factory.mktemp("midi")
    for number in range(3):
        notes = tuple(Note(0.3 * i, 0.3 * i + 0.25, 50 + (7 * i + number) % 24, 70, 0, i % 3) for i in range(90))
        controls = (Control(1.0, 64, 127), Control(2.0, 64, 0))
        files.write(Performance(notes, controls, tracks=("a", "b", "c")), midi / f"{number:03d}.mid")
    soundfont = find_soundfont(None, (".sf2",))
    return Studio(corpus_folder, midi, samples, [soundfont], "train")


def test_a_build_makes_every_kind_goes_on_and_comes_back_the_same(studio: Studio, tmp_path: Path) -> None:
    assert build(studio, tmp_path / "one", range(2)) == 2
    assert build(studio, tmp_path / "one", range(3)) == 1
    again = studio.clip(1)
    clip = load(path_of(tmp_path / "one", "train", 1))
    np.testing.assert_array_equal(clip.notes, again.notes.astype(np.float32))
    for kind in ("piano", "ensemble", "texture", "one instrument", "sung"):
        made = studio.clip(11, kind)
        assert made.about["kind"] == kind
        assert len(made.sound) == 20 * SAMPLE_RATE
        assert np.isfinite(made.sound).all()
        assert 0.01 < np.abs(made.sound).max() <= 1.0
        assert len(made.notes) >= 4
        assert (made.notes[:, 1] > made.notes[:, 0]).all()
        assert made.notes[:, 0].min() >= 0.0
        assert set(np.unique(made.notes[:, 2])) <= set(range(15, 115))


def test_the_splits_share_no_music(studio: Studio, samples: Path, corpus_folder: Path) -> None:
    folder = studio.arrangements.paths[0].parent
    dev = Studio(corpus_folder, folder, samples, [], "dev")
    assert dev.scores.paths and studio.scores.paths
    assert not {path.stem for path in dev.scores.paths} & {path.stem for path in studio.scores.paths}
    assert [path.stem for path in dev.arrangements.paths] == ["000"]
    assert [path.stem for path in studio.arrangements.paths] == ["001", "002"]


def test_a_sampled_note_sounds_at_its_pitch_and_begins_where_it_is_heard(samples: Path) -> None:
    draw = np.random.default_rng(1)
    piano = Sampler("grand", [samples / "piano-velocity"], fades=True)
    sound, played = piano.play(part((0.5, 1.2, 62)), 2.0, draw)
    assert loudest_pitch(sound, 0.9) == pytest.approx(62, abs=0.34)
    assert played.notes[0, 0] == 0.5
    assert np.abs(sound[: int(0.49 * SAMPLE_RATE)]).max() < 1e-3
    assert np.abs(sound[int(0.5 * SAMPLE_RATE) : int(0.53 * SAMPLE_RATE)]).max() > 0.5 * np.abs(sound).max()
    clarinet = Sampler("clarinet", [samples / "clarinet"], fades=False)
    sound, played = clarinet.play(part((0.5, 1.8, 60)), 2.0, draw)
    assert loudest_pitch(sound, 1.2) == pytest.approx(60, abs=0.67)
    assert 0.52 < played.notes[0, 0] < 0.8


def test_a_soundfont_plays_what_it_is_given_and_nothing_of_before() -> None:
    font = SoundFont(find_soundfont(None, (".sf2",)))
    try:
        draw = np.random.default_rng(1)
        first = font.play([Voice(part((0.2, 0.9, 69)), PIANO)], 1.0, draw).mean(axis=1)
        assert loudest_pitch(first[::2], 0.5) == pytest.approx(69, abs=0.34)
        second = font.play([Voice(part((0.6, 0.9, 72)), PIANO)], 1.0, draw).mean(axis=1)
        assert np.abs(second[: int(0.55 * FONT_RATE)]).max() < 2e-3
        assert font.heard(Voice(part((0.2, 0.9, 69)), PIANO)).notes[0, 0] == 0.2
        assert font.heard(Voice(part((0.2, 0.9, 79)), VIOLIN)).notes[0, 0] >= 0.2
    finally:
        font.close()


def test_a_sung_line_glides_from_pitch_to_pitch() -> None:
    line = part((0.3, 1.0, 60), (1.0, 1.7, 64), (2.0, 2.8, 57))
    for seed in range(3):
        sound, heard = sing(line, 3.0, np.random.default_rng(seed))
        for onset_s, end_s, pitch, _ in line.notes:
            partials = np.array([0.0, 12.0, 19.02, 24.0, 27.86, 31.02])
            found = loudest_pitch(sound, (onset_s + end_s) / 2 + 0.1)
            assert np.abs(found - pitch - partials).min() < 1.0, (seed, pitch, found)
        assert heard.notes[1, 0] == 1.0
        assert 0.3 < heard.notes[0, 0] < 0.4


def test_the_moment_a_note_is_heard_follows_its_rise() -> None:
    time_s = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * 440 * time_s)
    assert rise_s(tone, SAMPLE_RATE) == 0.0
    assert rise_s(tone * np.minimum(time_s / 0.3, 1), SAMPLE_RATE) == pytest.approx(0.09, abs=0.015)
    assert rise_s(np.zeros(SAMPLE_RATE), SAMPLE_RATE) == 0.0


@pytest.mark.parametrize("seed", range(12))
def test_rooms_and_coding_leave_an_attack_where_it_was(seed: int) -> None:
    draw = np.random.default_rng(seed)
    time_s = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    after = np.maximum(time_s - 1.0, 0.0)
    sound = np.where(time_s >= 1.0, np.sin(2 * np.pi * 700 * after) * np.exp(-4 * after), 0.0)
    heard = degraded(sound.astype(np.float32), draw)
    assert len(heard) == len(sound)
    level = np.abs(heard)
    before, attack = (
        level[: int(0.97 * SAMPLE_RATE)].max(),
        level[int(0.97 * SAMPLE_RATE) : int(1.06 * SAMPLE_RATE)].max(),
    )
    assert attack > 1.5 * before


def test_the_pedal_holds_notes_until_it_is_lifted_or_their_key_is_struck_again() -> None:
    played = part((0.0, 0.5, 60), (0.1, 0.4, 64), (1.0, 1.2, 60), (3.0, 3.2, 60), pedal=((0.2, 2.0),))
    ends = {(onset_s, pitch): end_s for onset_s, end_s, pitch, _ in music.sounding(played, fades=False)}
    assert ends == {(0.0, 60.0): 1.0, (0.1, 64.0): 2.0, (1.0, 60.0): 2.0, (3.0, 60.0): 3.2}
    long = part((0.0, 30.0, 96))
    assert music.sounding(long, fades=True)[0, 1] < 3.0


def test_voices_play_one_note_at_a_time() -> None:
    for seed in range(5):
        texture = music.texture(10.0, np.random.default_rng(seed))
        for voice in music.voices_of(texture, 3):
            assert (np.diff(voice.notes[:, 0]) >= 0.06 - 1e-9).all()
            assert (voice.notes[1:, 0] >= voice.notes[:-1, 1] - 1e-9).all()


def test_a_page_to_listen_to_has_sound_and_picture(studio: Studio, tmp_path: Path) -> None:
    piece = write_clip(studio.clip(4), tmp_path, "000004")
    assert "000004.ogg" in piece and "000004.png" in piece
    assert soundfile.info(tmp_path / "000004.ogg").duration == pytest.approx(20.0, abs=0.01)
    assert (tmp_path / "000004.png").stat().st_size > 10_000
