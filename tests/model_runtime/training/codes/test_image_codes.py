"""Score images as codes: the same windows as pictures and as glyphs, an autoencoder, and the trunk on either input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import image_codes
from benchmarks.multitask import SMALL
from model_runtime.tokens.vocabulary import BLOCKS, CODEBOOKS, CODES, END_ID, PAD_ID, SYMBOLIC_SIZE, symbols_of
from model_runtime.training.codes.autoencoder import PATCH_PX, AutoEncoder, ResidualQuantiser
from model_runtime.training.codes.corpus import VOCABULARY, CodeCorpus, write_codes
from model_runtime.training.codes.fitting import Fitting, FittingSettings, ink_of
from model_runtime.training.codes.train import CodesRun, TimedRun
from model_runtime.training.codes.windows import SPACE_PX, STAFF_PX, pictures_of
from model_runtime.training.corpus import TRAINING_SPLITS
from model_runtime.training.dataset import image_example
from model_runtime.training.evaluate import Score, load_trunk

SETTINGS = FittingSettings(seconds=1e9, batch=4, side_px=2 * PATCH_PX, plain=0.0)


def windows_files(work: Path) -> list[dict[str, Any]]:
    """Arrays of each file of training windows."""
    result = []
    for file in sorted((work / "windows" / "train").glob("*.npz")):
        with np.load(file) as archive:
            result.append({name: archive[name] for name in archive})
    return result


def trained_steps(run: Path) -> int:
    """How long a trunk was trained."""
    return int(torch.load(run / "checkpoint.pt", weights_only=True)["step"])


@pytest.fixture(scope="module")
def corpus(work: Path) -> CodeCorpus:
    return CodeCorpus(work / "codes", TRAINING_SPLITS)


def test_a_staff_is_eighteen_pixels_high_in_a_picture(work: Path) -> None:
    for arrays in windows_files(work):
        for picture in pictures_of(arrays):
            dark = (picture < 245).mean(axis=1) > 0.9
            rows = np.flatnonzero(dark)
            upper = rows[rows < rows[0] + 2 * STAFF_PX]
            assert abs(upper[-1] - upper[0] - STAFF_PX) <= 2, "five lines from edge to edge"


def test_noteheads_are_where_the_file_says(work: Path) -> None:
    inside, ink = 0, []
    for arrays in windows_files(work):
        for number, picture in enumerate(pictures_of(arrays)):
            span = slice(arrays["note_offsets"][number], arrays["note_offsets"][number + 1])
            for x, y in zip(arrays["note_x"][span], arrays["note_y"][span], strict=True):
                around = picture[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3]
                inside += 1
                ink.append(around.min() < 150)
    assert inside > 48 and np.mean(ink) > 0.95


def test_only_windows_within_a_line_are_told_clefs_and_key(corpus: CodeCorpus) -> None:
    told = []
    for window in range(corpus.measures):
        start = corpus.glyph_offsets[0][window]
        carried = corpus.glyph_ids[0][start : start + corpus.carried[window], 0]
        told.append(sorted({symbol.partition(":")[0] for symbol in symbols_of(carried)}))
    assert set(map(tuple, told)) <= {(), ("meter",), ("clef", "glyph-key", "meter")}
    assert ["clef", "glyph-key", "meter"] in told


def test_both_inputs_have_the_same_target_and_are_told_the_same(corpus: CodeCorpus) -> None:
    for window in range(corpus.measures):
        codes, glyphs = corpus.example(window, 0), image_example(corpus, window, 1, 0, 0.0, None)
        assert codes is not None and glyphs is not None
        assert codes.target.tolist() == glyphs.target.tolist() and codes.target[-1] == END_ID
        told = int(corpus.carried[window])
        assert codes.ids[:told].tolist() == glyphs.ids[:told].tolist()
        assert codes.places[:told].tolist() == glyphs.places[:told].tolist()


def test_a_patch_is_its_codes_its_row_and_its_place(corpus: CodeCorpus) -> None:
    example = corpus.example(0, 0)
    assert example is not None and example.source == "image"
    rows, columns, told = int(corpus.rows[0]), int(corpus.columns[0]), int(corpus.carried[0])
    patches = example.ids[told:]
    assert len(patches) == rows * columns
    for book in range(CODEBOOKS):
        block = BLOCKS[f"image_code_{book}"]
        assert all(block.value_of(int(i)) is not None for i in patches[:, book])
    assert [BLOCKS["position"].value_of(int(i)) for i in patches[:rows, CODEBOOKS]] == list(range(rows))
    assert (patches[:, CODEBOOKS + 1 :] == PAD_ID).all()
    steps = np.diff(example.places[told:])
    assert np.count_nonzero(steps) == columns - 1, "column by column"
    assert np.allclose(steps[steps > 0], PATCH_PX / SPACE_PX, atol=1e-4)
    assert SYMBOLIC_SIZE + CODEBOOKS * CODES == VOCABULARY


def test_symbols_of_a_note_point_at_the_patch_that_its_head_lies_in(corpus: CodeCorpus) -> None:
    pointing = 0
    for window in range(corpus.measures):
        example = corpus.example(window, 1)
        assert example is not None
        down, right = corpus.shift[1][window]
        span = slice(corpus.note_offsets[window], corpus.note_offsets[window + 1])
        columns, rows = (corpus.note_x[span] + right) // PATCH_PX, (corpus.note_y[span] + down) // PATCH_PX
        own = {int(c * corpus.rows[window] + r + corpus.carried[window]) for c, r in zip(columns, rows, strict=True)}
        pointed = set(example.pointers[example.pointers >= 0].tolist())
        assert pointed <= own
        pointing += len(pointed)
    assert pointing > 2 * corpus.measures


def test_shifts_change_codes_and_nothing_else(work: Path, tmp_path: Path) -> None:
    pictures = [picture[:48, :48] for arrays in windows_files(work) for picture in pictures_of(arrays)]
    model = AutoEncoder().eval()
    model.quantiser.train()
    model(torch.from_numpy(np.stack([ink_of(picture)[None] for picture in pictures])))  # codebooks begin with these
    model.eval()
    write_codes(work / "windows" / "dev", tmp_path / "dev", model, shifts=2)
    dev = CodeCorpus(tmp_path, ("dev",))
    assert dev.shifts == 2
    first, second = dev.example(0, 0), dev.example(0, 1)
    assert first is not None and second is not None
    assert first.target.tolist() == second.target.tolist() and first.ids.shape == second.ids.shape
    assert (first.ids != second.ids).any()
    written = {file: file.stat().st_mtime_ns for file in (tmp_path / "dev").iterdir()}
    write_codes(work / "windows" / "dev", tmp_path / "dev", model, shifts=2)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "dev").iterdir()} == written


def test_every_further_codebook_comes_nearer() -> None:
    torch.manual_seed(0)
    quantiser = ResidualQuantiser(8)
    vectors = torch.randn(3000, 8)
    for _ in range(20):
        quantiser(vectors)
    quantiser.eval()
    quantised, codes, _ = quantiser(vectors)
    assert codes.shape == (3000, CODEBOOKS) and torch.allclose(quantiser.summed(codes), quantised, atol=1e-5)
    near = [
        float((vectors - sum(quantiser.books[b][codes[:, b]] for b in range(books))).pow(2).mean())
        for books in range(1, CODEBOOKS + 1)
    ]
    assert near == sorted(near, reverse=True) and near[-1] < 0.3 * near[0]


def test_codes_that_nothing_takes_start_anew() -> None:
    torch.manual_seed(0)
    quantiser = ResidualQuantiser(4)
    quantiser(torch.zeros(100, 4))
    assert len(quantiser(torch.randn(2000, 4))[1][:, 0].unique()) == 1, "all codes begin at one place"
    for _ in range(420):
        quantiser(torch.randn(400, 4))
    assert len(quantiser(torch.randn(2000, 4))[1][:, 0].unique()) > 100


def test_gradients_pass_through_the_codes() -> None:
    model = AutoEncoder()
    drawn, commitment = model(torch.rand(2, 1, 32, 48))
    assert drawn.shape == (2, 1, 32, 48)
    (drawn.pow(2).mean() + commitment).backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.encoder.parameters())


def test_the_autoencoder_learns_and_goes_on_where_it_was_stopped(work: Path, tmp_path: Path) -> None:
    pictures = [picture for arrays in windows_files(work) for picture in pictures_of(arrays)]
    with Fitting(pictures, tmp_path / "run", SETTINGS) as fitting:
        errors = [fitting.train_step()[0] for _ in range(30)]
        fitting.processor_s = 1.0
        fitting.save()
        expected = fitting.train_step()
    assert np.mean(errors[-5:]) < 0.8 * np.mean(errors[:5])
    with Fitting(pictures, tmp_path / "run", SETTINGS) as fitting:
        assert fitting.step == 30 and fitting.processor_s == 1.0
        assert fitting.train_step()[0] == pytest.approx(expected[0], rel=0.05)
    with Fitting(pictures, tmp_path / "run", replace(SETTINGS, seconds=0.5)) as fitting:
        model = fitting.train()
        assert fitting.step == 30, "its seconds were over"
    codes = model.codes(torch.rand(1, 1, 32, 48))
    assert codes.shape == (1, 2, 3, CODEBOOKS) and model.draw(codes).shape == (1, 1, 32, 48)


def test_a_trunk_on_codes_goes_on_and_ends_when_its_seconds_are_over(work: Path, tmp_path: Path) -> None:
    settings = replace(image_codes.LEARNING, pool=8, tokens=2000)
    with CodesRun(tmp_path / "run", work / "codes", settings, 1e9, SMALL) as run:
        before = run.rate()
        run.train(until=2)
        assert run.processor_s > 0 and run.rate() > before, "it warms up"
        spent = run.processor_s
        assert run.trunk.config.vocabulary == VOCABULARY
    with CodesRun(tmp_path / "run", work / "codes", settings, 1e9, SMALL) as run:
        assert run.step == 2 and run.processor_s == pytest.approx(spent)
        run.processor_s = 1e9
        assert run.rate() < 0.05 * settings.rate, "the cosine's end"
        run.train()
        assert run.step == 3
    with CodesRun(tmp_path / "run", work / "codes", settings, 1e9, SMALL) as run:
        run.train()
        assert run.step == 3
    trunk, _ = load_trunk(tmp_path / "run" / "checkpoint.pt")
    assert trunk.config.vocabulary == VOCABULARY


def test_the_same_run_reads_glyphs_from_the_same_folder(work: Path, tmp_path: Path) -> None:
    with TimedRun(tmp_path / "run", work / "codes", replace(image_codes.LEARNING, pool=8), 1e9, SMALL) as run:
        batch = run.next_batch()
        assert (batch.ids < SYMBOLIC_SIZE).all() and batch.source == "image"


def test_the_benchmark_tells_everything_and_makes_nothing_twice(
    work: Path, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = json.loads((work / "figures.json").read_text(encoding="utf-8"))["figures"]
    assert figures["windows_train"] >= 16 and figures["windows_dev"] >= 10
    for name in ("codes", "glyphs"):
        assert figures[f"ser_{name}"] > 0 and figures[f"minutes_{name}"] >= 0.01 and figures[f"windows_s_{name}"] > 0
    assert figures["tokens_codes"] > figures["tokens_glyphs"]
    assert figures["million_weights_codes"] > figures["million_weights_glyphs"]
    assert 0 < figures["autoencoder_share_used"] <= 100 and figures["autoencoder_psnr_db"] > 0
    assert (work / "reconstructions.png").stat().st_size > 1000
    made = {f: f.stat().st_mtime_ns for part in ("windows", "codes") for f in (work / part).rglob("*.npz")}
    steps = [trained_steps(work / f"trunk_{name}") for name in ("codes", "glyphs")]
    monkeypatch.setattr(image_codes, "scored", lambda *_: Score(1.0, 1.0, 1.0))
    image_codes.measured(songs / "data" / "lieder", work, 0.6, 0.6, 16)
    assert {f: f.stat().st_mtime_ns for part in ("windows", "codes") for f in (work / part).rglob("*.npz")} == made
    again = [trained_steps(work / f"trunk_{name}") for name in ("codes", "glyphs")]
    assert again == steps
