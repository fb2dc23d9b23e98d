"""Errors are injected as the image reader makes them: often in small signs, seldom in notes, and it half knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.tokens.glyphs import Glyph, compound, from_compound
from model_runtime.training.errors import jolt_glyphs, spoil_glyphs

_SIGNS = [
    Glyph("clef:G", 0.7, 1, 2),
    Glyph("head:black", 8.0, 1, 3, stem=1, tip=10, ties=2, dots=1),
    Glyph("slur-end:left", 9.0, 1, 5),
    Glyph("head:half", 12.0, 1, 1, stem=1, tip=8, accidental=1),
    Glyph("clef:F", 14.0, 1, 6),
    Glyph("tuplet-number", 16.0, 1, 13, number=3),
    Glyph("barline:single", 20.0),
]
IDS = np.array([compound(g) for g in _SIGNS] * 60, np.int64)
X = np.array([g.x + 25.0 * i for i in range(60) for g in _SIGNS])


def spoilt(level: float, seed: int = 1) -> tuple[list[Glyph], np.ndarray, np.ndarray]:
    ids, x, source = spoil_glyphs(IDS, X, level, np.random.default_rng(seed))
    return [from_compound(row, float(at)) for row, at in zip(ids.tolist(), x, strict=True)], x, source


def test_a_perfect_reader_sees_what_is_there() -> None:
    glyphs, x, source = spoilt(0.0)
    assert source.tolist() == list(range(len(IDS)))
    assert np.abs(x - X).max() < 0.2
    told = {glyph.probability for glyph in glyphs}
    assert max(told) == 7 and min(told) >= 2
    columns = IDS.shape[1] - 1
    assert np.array_equal(np.array([compound(g) for g in glyphs])[:, :columns], IDS[:, :columns])


def share_missed(kind: str) -> float:
    rows = [i for i in range(len(IDS)) if _SIGNS[i % len(_SIGNS)].kind == kind]
    runs = [set(spoilt(1.0, seed)[2].tolist()) for seed in range(12)]
    return float(np.mean([[row not in seen for row in rows] for seen in runs]))


def test_small_signs_are_missed_more_often_than_notes() -> None:
    assert 0.001 < share_missed("head:black") < 0.05
    assert 0.35 < share_missed("tuplet-number") < 0.9
    assert 0.08 < share_missed("slur-end:left") < 0.4


def test_what_is_invented_is_a_small_sign_and_rarely_sure() -> None:
    invented, there = list[int](), list[int]()
    for seed in range(20):
        glyphs, _, source = spoilt(1.0, seed)
        for glyph, row in zip(glyphs, source, strict=True):
            if glyph.kind.startswith("slur"):
                (invented if row < 0 else there).append(glyph.probability)
    assert len(invented) > 40
    assert np.mean(invented) < 2.5 < 3.5 < np.mean(there)


def test_ties_go_and_stems_stay() -> None:
    heads = []
    for seed in range(12):
        glyphs, _, source = spoilt(1.0, seed)
        heads += [g for g, row in zip(glyphs, source, strict=True) if row >= 0 and row % len(_SIGNS) == 1]
    assert np.mean([g.ties == 2 for g in heads]) == pytest.approx(0.83, abs=0.12)
    assert np.mean([g.stem == 1 for g in heads]) > 0.97


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0), st.sampled_from([spoil_glyphs, jolt_glyphs]))
@settings(deadline=None, max_examples=60)
def test_whatever_happens_it_is_ordered_and_every_row_is_a_glyph(seed: int, level: float, worn) -> None:  # type: ignore[no-untyped-def]
    ids, x, source = worn(IDS[:21], X[:21], level, np.random.default_rng(seed))
    assert len(ids) == len(x) == len(source) > 0
    assert np.all(np.diff(x) >= 0) and source.max() < 21
    glyphs = [from_compound(row, 0.0) for row in ids.tolist()]
    assert np.array_equal(np.array([compound(g) for g in glyphs]), ids)
