"""What the reader heard is set beside what was played, and the trunk's windows say what would make it right."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.tokens.notes import COMPOUND_FIELDS
from model_runtime.training.audio.corpus import Clip, path_of, save
from model_runtime.training.note_windows import NoteCorpus
from model_runtime.training.refining import levelled, main, matched, wanted_of
from model_runtime.training.refining_scores import refined_scores
from model_runtime.unified.audio_front_end import SAMPLE_RATE
from model_runtime.unified.heard_clues import CLUES
from model_runtime.unified.heard_notes import HeardNotes, refined
from model_runtime.unified.note_outputs import (
    KEPT,
    LATE,
    LATE_S,
    LENGTH,
    OUTPUTS,
    VELOCITY,
    VELOCITY_STEP,
    NoteWindow,
)

Floats = npt.NDArray[np.float32]


def clip(seed: int) -> Clip:
    """Three seconds of struck tones that die away, two at a time."""
    draw = np.random.default_rng(seed)
    time_s = np.arange(round(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros(3 * SAMPLE_RATE, np.float32)
    rows = []
    for onset_s in np.arange(0.3, 2.4, 0.4):
        for pitch in draw.choice(np.arange(50, 80), 2, replace=False):
            hertz = 440 * 2 ** ((pitch - 69) / 12)
            tone = sum(np.sin(2 * np.pi * k * hertz * time_s) * np.exp(-5 * time_s) / k for k in range(1, 7))
            first = round(onset_s * SAMPLE_RATE)
            sound[first : first + len(time_s)] += (0.1 * np.asarray(tone)).astype(np.float32)[: len(sound) - first]
            rows.append((onset_s, onset_s + 0.4, pitch, 80.0))
    return Clip(sound, np.array(rows), np.zeros((0, 2)), True, {"kind": "piano"})


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for split, count in (("train", 3), ("dev", 1)):
        (folder / split).mkdir()
        for number in range(count):
            save(clip(number), path_of(folder, split, number))
    return folder


def heard(onsets: list[float], pitches: list[int], length_s: float = 0.5) -> HeardNotes:
    onset_s, count = np.array(onsets), len(onsets)
    return HeardNotes(
        *(onset_s, onset_s + length_s, np.array(pitches), np.full(count, 64)),
        *(np.full(count, 0.5, np.float32), np.zeros((count, len(CLUES)), np.int64)),
    )


def notes(*rows: tuple[float, float, int, int]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


def told_of(wanted: Floats) -> Floats:
    """As `note_outputs_of` would tell what is wanted."""
    told = wanted.copy()
    told[:, LATE] *= LATE_S
    told[:, VELOCITY] *= VELOCITY_STEP
    return told


def test_the_nearest_candidate_of_the_pitch_is_the_note() -> None:
    found = heard([1.0, 1.03, 1.03, 1.2], [60, 60, 62, 60])
    truth = notes((1.04, 2.0, 60, 80), (1.16, 2.0, 60, 80), (1.03, 2.0, 64, 80))
    assert matched(found, truth, 0.05).tolist() == [-1, 0, -1, 1]
    assert matched(found, truth[:0], 0.05).tolist() == [-1] * 4
    assert matched(heard([], []), truth, 0.05).tolist() == []


def test_what_is_wanted_of_each_candidate() -> None:
    found = heard([1.0, 2.0, 3.0, 9.0], [60, 61, 62, 63])
    truth = notes((1.02, 2.02, 60, 96), (3.08, 3.5, 62, 80), (9.0, 9.9, 63, 32))
    wanted, weights = wanted_of(found, truth, 10.0)
    assert wanted[0] == pytest.approx([1.0, 0.4, 1.0, 1.0, 0.0], abs=1e-4)
    assert weights[0].tolist() == [1, 1, 1, 1, 0]
    assert wanted[1, KEPT] == 0 and weights[1].tolist() == [1, 0, 0, 0, 0]
    assert weights[2].tolist() == [0, 0, 0, 0, 0]  # 80 ms from a note that nothing else is: who can say
    assert weights[3].tolist() == [1, 1, 0, 1, 0]  # the clip may have cut it
    assert wanted[3, VELOCITY] == pytest.approx(-1.0)


def test_what_all_notes_have_in_common_is_not_asked_for() -> None:
    found = heard([1.0, 2.0, 3.0, 4.0], [60, 61, 62, 63])
    truth = notes(
        *((at + 0.01 * at, at + 0.5, pitch, 80 + 4 * pitch - 240) for at, pitch in ((1, 60), (2, 61), (3, 62)))
    )
    wanted, weights = wanted_of(found, truth, 10.0)
    level = levelled(wanted, weights)
    assert level[:3, VELOCITY] * VELOCITY_STEP == pytest.approx([-4, 0, 4])
    assert level[:3, LATE] * LATE_S == pytest.approx([-0.01, 0, 0.01], abs=1e-5)
    assert np.array_equal(level[3], wanted[3])
    assert np.array_equal(level[:, [KEPT, LENGTH]], wanted[:, [KEPT, LENGTH]])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_trunk_that_says_what_is_wanted_makes_everything_right(seed: int) -> None:
    draw = np.random.default_rng(seed)
    onset = np.cumsum(draw.uniform(0.2, 0.6, 12))
    pitch = draw.integers(40, 90, 12)
    truth = np.stack([onset, onset + draw.uniform(0.05, 0.19, 12), pitch, draw.integers(1, 128, 12)], axis=1)
    found = heard(sorted([*(onset + draw.uniform(-0.04, 0.04, 12)), 0.1, 20.0]), [], 0.2)
    order = [int(pitch[np.abs(onset - at).argmin()]) if 0.15 < at < 19 else 30 for at in found.onset_s]
    found = HeardNotes(*{**vars(found), "pitch": np.array(order)}.values())
    wanted, _ = wanted_of(found, truth.astype(np.float32), 30.0)
    kept = refined(found, told_of(wanted))
    assert [note.pitch for note in kept] == pitch.tolist()
    for note, (start, end, _, velocity) in zip(kept, truth, strict=True):
        assert (note.onset_s, note.offset_s) == pytest.approx((start, end), abs=1e-4)
        assert note.velocity == velocity


def test_files_are_written_once_and_read_by_the_trunks_corpus(clips: Path, tmp_path: Path) -> None:
    command = ["--clips", str(clips), "--out", str(tmp_path)]
    main([*command, "--limit", "2"])
    files = sorted(tmp_path.rglob("*.npz"))
    assert [f"{path.parent.name}/{path.stem}" for path in files] == [
        "dev/000000_0",
        *(f"train/00000{number}_{variant}" for number in (0, 1) for variant in (0, 1)),
    ]
    times = [path.stat().st_mtime_ns for path in files]
    main(command)
    assert [path.stat().st_mtime_ns for path in files] == times
    trained = sorted((tmp_path / "train").glob("*.npz"))
    assert len(trained) == 6 and not list(tmp_path.rglob("*.partial"))
    corpus = NoteCorpus(trained)
    assert corpus.source == "audio"
    assert corpus.ids.shape == (len(corpus), len(COMPOUND_FIELDS) + len(CLUES))
    right = corpus.wanted[:, KEPT].sum()
    assert 0.7 * 6 * 12 < right <= 6 * 12  # it hears nearly all of these tones
    known = corpus.weights[:, LATE] > 0
    assert known.sum() == right
    assert np.abs(corpus.wanted[known, LATE]).max() <= 1.0
    first, variant = (np.load(path) for path in trained[:2])
    assert not np.array_equal(first["ids"], variant["ids"])


def test_how_many_candidates_are_notes_is_told(clips: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        main(["--clips", str(clips), "--out", str(tmp_path), "--limit", "1"])
    assert "dev: 12 notes" in caplog.text
    assert "from 0.5: recall" in caplog.text


def test_a_folder_without_clips_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no clips"):
        main(["--clips", str(tmp_path), "--out", str(tmp_path / "out")])


class _Indifferent:
    """Keeps all, changes nothing but that notes last four times as long."""

    def note_outputs(self, source: str, windows: list[NoteWindow], *, progress: object = None) -> list[Floats]:
        assert source == "audio"
        told = [np.zeros((len(window.ids), len(OUTPUTS)), np.float32) for window in windows]
        for each in told:
            each[:, KEPT], each[:, LENGTH] = 1.0, 2.0
        return told


def test_what_the_trunk_changes_is_measured_against_the_reader(clips: Path) -> None:
    found = refined_scores(_Indifferent(), sorted((clips / "dev").glob("*.npz")))
    assert found["refined 0.5"]["recall"] >= found["reader"]["recall"] > 0.7
    assert found["only ends"]["note_f1"] < found["reader"]["note_f1"]
    wrong, half, own = (found[f"refined 0.5{ends}"]["note_f1"] for ends in ("", ", half the ends", ", own ends"))
    assert wrong <= half < own
    assert "note_f1_piano" in found["reader"]
