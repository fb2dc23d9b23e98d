"""Seen glyphs find those that stand there, however wide the measure was set."""

from __future__ import annotations

from dataclasses import replace

from model_runtime.tokens.glyphs import Glyph
from model_runtime.training.glyph_matching import differences, match

CHORDS = [
    Glyph("head:black", 2.0, 1, 4, stem=1, tip=11),
    Glyph("head:black", 2.0, 1, 2, stem=1, tip=11, accidental=1),
    Glyph("rest:quarter", 2.0, 2, 4),
    Glyph("head:black", 6.0, 1, 4, stem=1, tip=11),
    Glyph("head:black", 6.0, 1, 2, stem=1, tip=11),
    Glyph("head:half", 6.0, 2, 5, stem=2, tip=-2),
    Glyph("mark:staccato", 6.0, 1, 6),
    Glyph("barline:single", 20.0),
]


def test_a_measure_that_is_set_wider_is_matched_whole() -> None:
    wide = [replace(g, x=30 + 1.9 * g.x) for g in CHORDS]
    assert match(CHORDS, wide) == [(i, i) for i in range(len(CHORDS))]


def test_the_order_within_a_chord_does_not_matter() -> None:
    jittered = [replace(g, x=g.x + (0.1 if i % 2 else -0.1)) for i, g in enumerate(CHORDS)]
    order = sorted(range(len(jittered)), key=lambda i: jittered[i].x)
    pairs = match(CHORDS, [jittered[i] for i in order])
    assert sorted((a, order[b]) for a, b in pairs) == [(i, i) for i in range(len(CHORDS))]


def test_what_is_missed_invented_and_mistaken_is_told_apart() -> None:
    seen = [g for i, g in enumerate(CHORDS) if i != 3]
    seen[1] = replace(seen[1], accidental=0)
    seen[4] = replace(seen[4], kind="head:black")
    seen.append(Glyph("mark:accent", 13.0, 2, 9))
    counts = differences(CHORDS, seen, match(CHORDS, seen))
    wrong = {name: n for name, n in counts.items() if n and not name.endswith("|there")}
    assert wrong == {
        "head:black|missed": 1,
        "mark:accent|invented": 1,
        "head.accidental|missed": 1,
        "accidental: sharp read as none|wrong": 1,
        "head:half|taken for another": 1,
        "head:half read as head:black|wrong": 1,
    }
    assert counts["head:black|there"] == 4 and counts["head.accidental|there"] == 1


def test_nothing_seen_matches_nothing() -> None:
    assert match(CHORDS, []) == [] and match([], CHORDS) == []
