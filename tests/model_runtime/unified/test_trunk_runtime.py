"""The exported trunk computes what the trained one computes, and what it writes keeps to the grammar."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.tokens.beam_groups import with_beam_groups
from model_runtime.tokens.glyphs import Glyph, compound
from model_runtime.tokens.lmx_reader import read_lmx
from model_runtime.tokens.notes import NoteToken
from model_runtime.tokens.notes import compound as note_compound
from model_runtime.tokens.shorthand import expand
from model_runtime.tokens.vocabulary import END_ID, SYMBOLS, ids_of
from model_runtime.training.export import export, weights_of
from model_runtime.unified.architecture import Stepper, Trunk, TrunkConfig, symbol_id
from model_runtime.unified.grammar import Row, table
from model_runtime.unified.inference import WRITABLE, TrunkRuntime, Window

TINY = TrunkConfig(width=32, heads=2, encoder_layers=1, decoder_layers=2, hidden=64, pointing_layer=1)
RULES = table(tuple(SYMBOLS[i] for i in WRITABLE))
RATIO = re.compile(r"\d+in\d+")
INDEX = {symbol: i for i, symbol in enumerate(RULES.symbols)}


@pytest.fixture(scope="module")
def trunk() -> Trunk:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    trunk = Trunk(TINY).eval()
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for parameter in trunk.parameters():  # as they are stored
            parameter.copy_(parameter.half().float())
    return trunk


@pytest.fixture(scope="module")
def folder(trunk: Trunk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    export(trunk, folder, {"hours": 0})
    return folder


def glyph_window(kinds: list[Glyph], **about: object) -> Window:
    ids = np.array([compound(glyph) for glyph in kinds], np.int64)
    return Window("image", ids, np.array([g.x for g in kinds], np.float32), **about)  # type: ignore[arg-type]


GLYPHS = [
    Glyph("clef:G", 0.7, 1, 2),
    Glyph("glyph-key:-2", 4.4, 1),
    Glyph("head:black", 9.0, 1, 3, stem=1, tip=10, accidental=1, dots=1, probability=5),
    Glyph("head:half", 14.0, 2, -1, stem=2, tip=-8, ties=2),
    Glyph("barline:single", 20.0),
]


@pytest.mark.parametrize("source", ["image", "performance"])
def test_free_decoding_is_the_same_with_torch_and_without(trunk: Trunk, folder: Path, source: str) -> None:
    if source == "image":
        window = glyph_window(GLYPHS)
    else:
        notes = [NoteToken("note", 10 * i, 60 + i, 20 + i, 16) for i in range(7)] + [NoteToken("pedal:down", 80)]
        ids = np.array([note_compound(n) for n in notes], np.int64)
        window = Window("performance", ids, np.array([n.onset / 10 for n in notes], np.float32))
    written = TrunkRuntime(folder, threads=1).write([window], constrained=False)[0]
    start = symbol_id("to", "notation")
    with torch.inference_mode():
        ids, places = torch.from_numpy(window.ids[None]), torch.from_numpy(window.places[None])
        memory, mask = trunk.encode(ids, places, symbol_id("from", source), start)
        stepper, token, ours = Stepper(trunk, memory, mask, torch.tensor(WRITABLE)), torch.tensor([start]), []
        for _ in range(len(written.symbols)):
            token = torch.tensor(WRITABLE)[stepper.step(token).argmax(-1)]
            ours.append(SYMBOLS[int(token)])
    assert tuple(ours) == written.symbols
    assert len(written.symbols) > 3
    assert written.pointers.max() < len(window.ids)


@pytest.fixture(scope="module")
def sure(trunk: Trunk) -> tuple[Trunk, list[Window], list[tuple[str, ...]]]:
    """A trunk that has learned what two windows say by heart, the windows, and what they say."""
    windows = [glyph_window(GLYPHS), glyph_window(GLYPHS[:3])]
    says = [(*MEASURE, "C5", "voice:1+half", "stem:up+staff:1"), (*MEASURE[:2], "D5", "voice:1", "quarter")]
    sure = copy.deepcopy(trunk).train()
    optimiser = torch.optim.Adam(sure.parameters(), 0.01)
    start, end = symbol_id("to", "notation"), END_ID
    for _ in range(40):
        for window, symbols in zip(windows, says, strict=True):
            target = torch.tensor([[start, *ids_of(symbols), end]])
            ids, places = torch.from_numpy(window.ids[None]), torch.from_numpy(window.places[None])
            memory, mask = sure.encode(ids, places, symbol_id("from", "image"), start)
            hidden, _ = sure.decode(target[:, :-1], memory, mask)
            expected = torch.tensor([WRITABLE.index(i) for i in target[0, 1:].tolist()])
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(sure.logits(hidden[0], torch.tensor(WRITABLE)), expected).backward()
            optimiser.step()
    return sure.eval(), windows, says


def bytes_of_matrices(path: Path) -> int:
    import onnx

    tensors = [t for t in onnx.load(str(path)).graph.initializer if not re.search("embedding|position", t.name)]
    return sum(onnx.numpy_helper.to_array(tensor).nbytes for tensor in tensors)


def test_weights_as_8_bit_integers_are_smaller_and_write_the_same(
    sure: tuple[Trunk, list[Window], list[tuple[str, ...]]], tmp_path: Path
) -> None:
    trained, windows, says = sure
    written, sizes = [], []
    for name, int8 in (("half", False), ("int8", True)):
        sizes.append(sum(map(bytes_of_matrices, export(trained, tmp_path / name, {}, int8=int8))))
        written.append(TrunkRuntime(tmp_path / name, threads=1).write(windows, constrained=False))
    assert sizes[1] < 0.75 * sizes[0]
    assert [w.symbols for w in written[0]] == [w.symbols for w in written[1]] == says
    for half, quantised in zip(*written, strict=True):
        assert np.abs(half.probabilities - quantised.probabilities).max() < 0.1
        assert not np.array_equal(half.probabilities, quantised.probabilities)


def test_training_does_not_go_on_from_8_bit_integers(trunk: Trunk, folder: Path, tmp_path: Path) -> None:
    export(trunk, tmp_path, {}, int8=True)
    with pytest.raises(ValueError, match="8-bit integers"):
        weights_of(tmp_path)
    _, weights = weights_of(folder)
    assert all(torch.equal(weights[name], parameter) for name, parameter in trunk.named_parameters() if name in weights)


def test_windows_of_unlike_length_are_decoded_together_as_alone(folder: Path) -> None:
    runtime = TrunkRuntime(folder, threads=1)
    windows = [glyph_window(GLYPHS[:n], measures=1) for n in (2, 5, 3)]
    together = runtime.write(windows)
    for window, written in zip(windows, together, strict=True):
        assert runtime.write([window])[0].symbols == written.symbols


def test_weights_that_were_trained_with_groups_of_beams_are_told_them(
    trunk: Trunk, folder: Path, tmp_path: Path
) -> None:
    export(trunk, tmp_path, {"beam_groups": True})
    beams = [(0, 1), (1, 1), (1, 0)]
    heads = [
        Glyph("head:black", 9.0 + 3 * i, 1, 3 + i, stem=1, tip=10, beams_left=left, beams_right=right)
        for i, (left, right) in enumerate(beams)
    ]
    window = glyph_window([*GLYPHS[:2], *heads])
    told = replace(window, ids=with_beam_groups(window.ids, window.places))
    assert not np.array_equal(told.ids, window.ids)
    plain, grouped = TrunkRuntime(folder, threads=1), TrunkRuntime(tmp_path, threads=1)
    ours, expected, untold = grouped.write([window])[0], plain.write([told])[0], plain.write([window])[0]
    assert ours.symbols == expected.symbols
    assert np.array_equal(ours.probabilities, expected.probabilities)
    assert not np.array_equal(ours.probabilities, untold.probabilities)


def test_several_sequences_find_one_that_is_as_likely_as_the_greedy_one(folder: Path) -> None:
    runtime = TrunkRuntime(folder, threads=1)
    ids = np.array([note_compound(NoteToken("note", 10 * i, 60 + i, 20 + i, 16)) for i in range(7)], np.int64)
    window = Window("performance", ids, np.arange(7, dtype=np.float32), measures=1, measure_quarters=2.0)
    greedy, best = (float(np.log(runtime.write([window], beam=n)[0].probabilities).sum()) for n in (1, 4))
    assert best >= greedy


def test_windows_with_several_sequences_each_are_decoded_together_as_alone(folder: Path) -> None:
    runtime = TrunkRuntime(folder, threads=1)
    windows = [glyph_window(GLYPHS[:n], measures=1) for n in (2, 5, 3)]
    together = runtime.write(windows, beam=3)
    for window, written in zip(windows, together, strict=True):
        assert runtime.write([window], beam=3)[0].symbols == written.symbols


@pytest.mark.parametrize("measures", [1, 3])
def test_even_an_untrained_trunk_writes_measures_that_are_not_too_long(folder: Path, measures: int) -> None:
    window = glyph_window(GLYPHS, measures=measures, measure_quarters=3.0)
    written = TrunkRuntime(folder, threads=1).write([window])[0]
    lmx = expand(written.symbols)
    assert 1 <= lmx.count("measure") <= measures
    repairs = [text for measure in read_lmx(lmx, meter=(3, 4)) for text in measure.repairs]
    assert not [text for text in repairs if "without a" in text]


def test_weights_of_another_vocabulary_are_refused(trunk: Trunk, tmp_path: Path) -> None:
    import onnx

    for path in export(trunk, tmp_path, {}):
        model = onnx.load(str(path))
        for entry in model.metadata_props:
            entry.value = "other" if entry.key == "vocabulary" else entry.value
        onnx.save(model, str(path))
    with pytest.raises(ValueError, match="another vocabulary"):
        TrunkRuntime(tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"trunk_encoder\.onnx"):
        TrunkRuntime(tmp_path)


MEASURE = ["measure", "key:fifths:0", "time", "beats:3", "beat-type:4", "clef:G2", "staff:1", "clef:F4", "staff:2"]


def row_after(symbols: list[str], quarters: float | None = None) -> Row:
    row = Row(RULES, quarters)
    for symbol in symbols:
        assert row.allowed()[INDEX[symbol]], symbol
        row.take(INDEX[symbol])
    return row


def test_a_note_longer_than_what_remains_of_the_measure_cannot_be_written() -> None:
    row = row_after([*MEASURE, "C5", "voice:1+half", "stem:down+staff:1", "D5", "voice:1"])
    assert row.allowed()[INDEX["quarter"]]
    assert not row.allowed()[INDEX["quarter+dot"]]
    assert not row.allowed()[INDEX["breve"]]
    row.take(INDEX["quarter"])
    assert not row.allowed()[INDEX["dot"]]
    assert not row.allowed()[INDEX["E5"]]
    assert row.allowed()[INDEX["chord+E5"]]
    assert row.allowed()[INDEX["backup"]]
    assert row.allowed()[INDEX["measure"]]


def test_what_is_hidden_cannot_be_longer_than_what_remains_either() -> None:
    row = row_after([*MEASURE, "C5", "voice:1+half", "stem:down+staff:1", "forward"])
    assert row.allowed()[INDEX["quarter"]]
    assert not row.allowed()[INDEX["half"]]


def test_a_value_that_only_a_tuplet_makes_fit_must_be_one() -> None:
    voice = ["C5", "voice:1+half", "dot", "backup", "C3", "voice:5+half", "E3", "eighth", "F3", "quarter"]
    row = row_after([*MEASURE, *voice])
    allowed = {symbol for symbol, i in INDEX.items() if row.allowed()[i]}
    assert "2in1" in allowed
    assert "3in2" not in allowed
    assert all(RATIO.match(symbol) for symbol in allowed)


def test_a_chord_takes_no_time_and_a_grace_note_none() -> None:
    row = row_after([*MEASURE, "C5", "voice:1+half", "dot", "chord+E5", "stem:down+staff:1"])
    assert row.allowed()[INDEX["chord+G5"]]
    row = row_after([*MEASURE, "C5", "voice:1+half", "dot", "grace", "D5", "eighth"])
    assert not row.allowed()[INDEX["chord+G5"]]
    assert row.allowed()[INDEX["grace"]]
    assert not row.allowed()[INDEX["rest"]]


@given(st.integers(0, 2**32 - 1), st.sampled_from([2.0, 3.0, 4.0, 4.5]))
@settings(max_examples=40, deadline=None)
def test_whatever_is_allowed_reads_back_without_a_note_cut_or_lost(seed: int, quarters: float) -> None:
    rng = np.random.default_rng(seed)
    row, symbols = Row(RULES, quarters, measures=2), []
    # Another metre would be another length, and after some odd tuplets no value leads back to the measure's start.
    passed_over = [i for i, symbol in enumerate(RULES.symbols) if symbol == "time" or RATIO.search(symbol)]
    for _ in range(60):
        allowed = row.allowed()
        allowed = allowed.copy()
        allowed[passed_over] = False
        if not allowed.any():  # only a tuplet could go on
            return
        choice = int(rng.choice(np.flatnonzero(allowed)))
        if RULES.symbols[choice].startswith("<"):
            break
        row.take(choice)
        symbols.append(RULES.symbols[choice])
    for measure in read_lmx(expand(symbols), meter=(round(2 * quarters), 8))[:-1]:
        assert not [text for text in measure.repairs if "shortened" in text or "left out" in text], expand(symbols)
