"""What playing is learnt from: songs on a grid, and how they were played."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mido
import numpy as np
import pytest

from model_runtime.training.note_windows import NoteCorpus, dev_notes
from model_runtime.training.rendering.__main__ import main
from model_runtime.training.rendering.corpus import build
from model_runtime.training.rendering.pieces import Piece, broadened, pieces_of
from model_runtime.training.rendering.song import read_song
from model_runtime.unified.note_outputs import LATE, LATE_S, LENGTH, SLOW, VELOCITY, VELOCITY_STEP
from model_runtime.unified.written_notes import LEFT, RIGHT

TICKS = 480
PHASE = 20  # ticks by which all notes lie behind the file's beats
MEASURES = 12
Rows = list[tuple[int, int, int, int]]  # onset and end in ticks, pitch, velocity


def piano_part(seed: int = 0, spread: int = 0) -> Rows:
    """Bass on beats one and three, chords on two and four: beats louder, three quarters of a beat long.

    Args:
        spread: Ticks by which a chord's notes are apart, the louder the earlier.
    """
    rng = np.random.default_rng(seed)
    rows: Rows = []
    for beat in range(4 * MEASURES):
        start = beat * TICKS + PHASE
        if beat % 2 == 0:
            velocity = 90 + 10 * (beat % 4 == 0)
            rows.append((start, start + TICKS * 3 // 2, 40 - 5 * (beat % 4 == 0), velocity))
            continue
        for rank, pitch in enumerate((60, 64, 67)):
            louder = int(rng.integers(-9, 10))
            late = round(spread * (1 - louder / 9))
            rows.append((start + late, start + late + TICKS * 3 // 4, pitch + rank % 2, 60 + louder))
    return rows


def song(path: Path, piano: Rows, tempos: tuple[tuple[int, int], ...] = ((0, 600_000),)) -> Path:
    """A file with melody and piano."""
    melody = [
        (i * TICKS * 2 + PHASE, i * TICKS * 2 + PHASE + 900, 72 + i % 5, 90 + 3 * (i % 5)) for i in range(2 * MEASURES)
    ]
    file = mido.MidiFile(ticks_per_beat=TICKS)
    conductor = mido.MidiTrack()
    now = 0
    for tick, tempo in tempos:
        conductor.append(mido.MetaMessage("set_tempo", tempo=tempo, time=tick - now))
        now = tick
    file.tracks.append(conductor)
    for name, rows in (("MELODY", melody), ("PIANO", piano)):
        events = [(start, "note_on", pitch, velocity) for start, _, pitch, velocity in rows]
        events += [(end, "note_off", pitch, 0) for _, end, pitch, _ in rows]
        track, now = mido.MidiTrack(), 0
        track.append(mido.MetaMessage("track_name", name=name))
        for tick, kind, pitch, velocity in sorted(events, key=lambda e: (e[0], e[1] == "note_on")):
            track.append(mido.Message(kind, note=pitch, velocity=velocity, time=tick - now))
            now = tick
        file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
    return path


def pieces(path: Path) -> dict[str, Piece]:
    return dict(pieces_of(read_song(path)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three songs laid out as the corpus is."""
    for i in range(3):
        song(tmp_path / "data" / "pop909" / f"{i:03d}.mid", piano_part(i))
    return tmp_path


def test_the_grid_is_the_score(tmp_path: Path) -> None:
    piece = pieces(song(tmp_path / "a.mid", piano_part()))["piano"]
    notes = piece.notes
    assert np.allclose(notes.onset, np.rint(notes.onset)), "a phase of the whole song is nobody's playing"
    bass = notes.pitch <= 40
    assert set(notes.in_measure[bass]) == {0.0, 2.0}
    assert notes.in_measure[notes.pitch == 35].max() == 0.0, "the heaviest beat is the first"
    assert np.allclose(notes.qpm, 100.0)
    assert set(notes.hand[bass]) == {LEFT} and RIGHT in notes.hand


def test_what_is_wanted_is_how_it_was_played(tmp_path: Path) -> None:
    piece = pieces(song(tmp_path / "a.mid", piano_part()))["piano"]
    chords = piece.notes.pitch >= 60
    inner = chords & (piece.notes.onset < 4 * MEASURES - 4)
    louder = piece.wanted[:, VELOCITY] * VELOCITY_STEP
    assert louder[~chords].mean() - louder[chords].mean() == pytest.approx(35, abs=4)
    assert abs(louder.mean()) < 3
    assert np.allclose(piece.notes.duration[inner], 1.0)
    assert np.allclose(2.0 ** piece.wanted[inner, LENGTH], 0.75, atol=1e-3)
    assert (piece.weights[:, VELOCITY] == 1).all() and (piece.weights[:, LENGTH] == 1).all()
    assert (piece.weights[:, LATE] == 0).all(), "a sequencer's onsets teach nothing"
    assert (piece.weights[:, SLOW] == 0).all(), "nor does a steady tempo"


def test_a_persons_onsets_are_known_by_loud_notes_coming_early(tmp_path: Path) -> None:
    played = pieces(song(tmp_path / "a.mid", piano_part(spread=6)))["piano"]
    chords = played.notes.pitch >= 60
    assert (played.weights[chords, LATE] > 0).all()
    late_ms = played.wanted[chords, LATE] * LATE_S * 1000
    assert np.corrcoef(late_ms, played.wanted[chords, VELOCITY])[0, 1] < -0.6
    assert late_ms.reshape(-1, 3).mean(axis=1) == pytest.approx(0.0, abs=0.1)
    rolled = [
        (start + 12 * (pitch - 60) * (pitch >= 60), end, pitch, velocity)
        for start, end, pitch, velocity in piano_part()
    ]
    assert (pieces(song(tmp_path / "b.mid", rolled))["piano"].weights[:, LATE] == 0).all()


def test_a_tempo_that_follows_somebody_is_wanted(tmp_path: Path) -> None:
    steady, last = 600_000, 8 * 4 * TICKS
    tempos = ((0, steady), *((last + i * TICKS, steady + 60_000 * (i + 1)) for i in range(8)))
    piece = pieces(song(tmp_path / "a.mid", piano_part(), tempos))["piano"]
    assert (piece.weights[:, SLOW] == 1).all()
    slow = piece.wanted[:, SLOW]
    assert np.allclose(slow[piece.notes.onset < 24], 0.0)
    assert slow[piece.notes.onset > 38].min() > 1.0


def test_a_song_gives_the_piano_alone_both_together_and_single_lines(tmp_path: Path) -> None:
    made = pieces(song(tmp_path / "a.mid", piano_part()))
    assert set(made) == {"piano", "song", "melody"}
    assert len(made["song"].notes.onset) == len(made["piano"].notes.onset) + 2 * MEASURES
    melody = made["song"].notes.pitch >= 72
    assert set(made["song"].weights[melody, VELOCITY]) == {0.5}
    broad = broadened(made["piano"]).notes
    assert np.allclose(broad.onset, 2 * made["piano"].notes.onset)
    assert np.allclose(broad.duration / broad.qpm, made["piano"].notes.duration / made["piano"].notes.qpm)


def test_a_file_without_piano_gives_nothing(tmp_path: Path) -> None:
    file = mido.MidiFile(song(tmp_path / "a.mid", piano_part()))
    file.tracks[2].name = "DRUMS"
    file.save(tmp_path / "b.mid")
    assert pieces(tmp_path / "b.mid") == {}


def test_the_corpus_is_what_the_trunk_reads_and_is_gone_on_with(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert build(data, out, limit=2) == 2
    kept = out / "train" / "001_piano.npz"
    before = kept.stat().st_mtime_ns
    monkeypatch.setattr(sys, "argv", ["rendering", "--data", str(data), "--out", str(out)])
    main()
    assert kept.stat().st_mtime_ns == before
    counted = json.loads((out / "totals.json").read_text(encoding="utf-8"))
    assert counted["train"]["songs"] == 2 and counted["dev"]["songs"] == 1
    assert "late" not in counted["train"]  # a sequencer's
    assert counted["train"]["length"] == counted["train"]["notes"]
    assert build(data, out) == 0
    assert {path.stem[:3] for path in (out / "dev").glob("*.npz")} == {"000"}
    assert {path.stem[:3] for path in (out / "train").glob("*.npz")} == {"001", "002"}
    corpus = NoteCorpus(sorted((out / "train").glob("*.npz")))
    assert corpus.source == "notation"
    [example] = dev_notes(corpus, 1, seed=0)
    assert example.ids.shape[0] == example.wanted.shape[0] and np.isfinite(example.wanted).all()
