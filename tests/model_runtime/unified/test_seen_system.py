"""What several bands saw becomes the glyphs of a system's parts."""

from __future__ import annotations

import numpy as np
import pytest

from model_runtime.unified.bands import line_of
from model_runtime.unified.centres import Seen, peaks
from model_runtime.unified.glyph_classes import ATTRIBUTES, GROUP_NAMES, GROUP_OF, KIND_INDEX, STEM_ATTRIBUTES
from model_runtime.unified.seen_system import PartGlyphs, join_system, probability_bin
from model_runtime.unified.staves import Staff, System

LEFT, WIDTH = 100.0, 1200.0


def staff_at(top: float) -> Staff:
    xs = np.array([LEFT, LEFT + WIDTH])
    return Staff(xs, np.array([top, top]), np.array([top + 48, top + 48]), LEFT, LEFT + WIDTH)


GRAND = System((staff_at(100.0), staff_at(220.0)), ((0, 1),))  # ten spaces apart, top to top


def seen(*glyphs: tuple[str, float, int, float, dict[str, int]]) -> Seen:
    """(kind, x, position, probability, attributes) as one band's reading."""
    kinds = [g[0] for g in glyphs]
    values = {
        name: np.array([KIND_INDEX[g[0]] if name == "kind" else g[4].get(name, 0) for g in glyphs], np.int64)
        for name in ATTRIBUTES
    }
    of_stem = {name: np.array([[g[4].get(name, 0) for g in glyphs]] * 2, np.int64) for name in STEM_ATTRIBUTES}
    return Seen(
        np.array([GROUP_OF[kind] for kind in kinds], np.int64),
        np.array([g[2] for g in glyphs], np.int64),
        np.array([g[1] for g in glyphs], np.float32),
        np.array([g[3] for g in glyphs], np.float32),
        values,
        of_stem,
    )


def joined(upper: Seen, lower: Seen, others: list[Staff] | None = None) -> PartGlyphs:
    (part,) = join_system(GRAND, line_of(GRAND.staves), [upper, lower], others or [])
    return part


def test_a_head_keeps_what_is_seen_at_it() -> None:
    head = ("head:black", 5.0, 3, 0.95, {"stems": 1, "dots": 1, "accidental": 2, "length": 7, "beams_right": 2})
    (glyph,) = joined(seen(head), seen()).glyphs
    assert (glyph.kind, glyph.staff, glyph.position, glyph.stem, glyph.tip) == ("head:black", 1, 3, 1, 10)
    assert (glyph.dots, glyph.accidental, glyph.beams_left, glyph.beams_right) == (1, 2, 0, 2)
    assert glyph.probability == 7


def test_one_head_with_two_stems_is_two_glyphs() -> None:
    up, down = joined(seen(), seen(("head:black", 5.0, 3, 0.9, {"stems": 3, "length": 6}))).glyphs
    assert (up.stem, up.tip, down.stem, down.tip) == (1, 9, 2, -3)
    assert {up.staff, down.staff} == {2}


def test_a_head_between_the_staves_seen_in_both_bands_belongs_to_the_surer_one() -> None:
    # Position -8 of the upper staff is 12 of the lower one: 120 pixels are 20 positions.
    upper = seen(("head:half", 9.0, -8, 0.6, {}))
    lower = seen(("head:half", 9.1, 12, 0.9, {}))
    (glyph,) = joined(upper, lower).glyphs
    assert (glyph.staff, glyph.position) == (2, 12)


def test_a_mark_goes_to_the_nearest_staff_and_is_counted_once() -> None:
    (glyph,) = joined(seen(("mark:accent", 9.0, -8, 0.9, {})), seen(("mark:accent", 9.0, 12, 0.8, {}))).glyphs
    assert (glyph.kind, glyph.staff, glyph.position) == ("mark:accent", 2, 12)


def test_what_is_nearer_to_another_system_is_left_out() -> None:
    slur = ("slur-end:left", 9.0, -13, 0.9, {})
    assert joined(seen(), seen(slur)).glyphs != []
    assert joined(seen(), seen(slur), [staff_at(350.0)]).glyphs == []


def test_signs_beside_each_other_are_counted_and_the_staves_agree() -> None:
    places = (4, 7, 3)
    flats = [("key-sign:flat", 4.0 + i, places[i], 0.9, {}) for i in range(3)]
    upper, lower = seen(*flats), seen(*[(k, x, p - 2, 0.5, v) for k, x, p, _, v in flats[:2]])
    glyphs = joined(upper, lower).glyphs
    assert [(g.kind, g.staff) for g in glyphs] == [("glyph-key:-3", 1), ("glyph-key:-3", 2)]
    assert glyphs[0].x == pytest.approx(4.0)
    bass = ("clef:F", 1.0, 6, 0.9, {})
    overlooked = [(k, x, p - 2, q, v) for k, x, p, q, v in flats[1:]]
    assert [g.kind for g in joined(seen(), seen(bass, *overlooked)).glyphs] == ["clef:F", "glyph-key:-3"]
    naturals = [("key-sign:natural", 30.0 + i, 4 + i, 0.9, {}) for i in range(3)]
    assert [g.kind for g in joined(seen(*flats, *naturals), seen()).glyphs] == ["glyph-key:-3", "glyph-key:0"]


def test_within_a_line_a_key_stands_on_every_staff_and_before_the_music_of_its_measure() -> None:
    bar, head = ("barline:single", 20.0, 4, 0.9, {}), ("head:black", 26.0, 4, 0.9, {})
    sharp, lower = ("key-sign:sharp", 22.0, 8, 0.9, {}), ("key-sign:sharp", 22.0, 6, 0.9, {})
    late = ("key-sign:sharp", 28.0, 8, 0.9, {})

    def keys(upper: Seen, low: Seen) -> list[float]:
        return [round(g.x) for g in joined(upper, low).glyphs if g.kind.startswith("glyph-key")]

    assert keys(seen(bar, sharp, head), seen(bar, lower, head)) == [22, 22]
    assert keys(seen(bar, sharp, head), seen(bar, head)) == []  # an accidental before the first note
    assert keys(seen(bar, head, late), seen(bar, head, late)) == []
    opening = ("key-sign:sharp", 4.0, 8, 0.9, {})
    assert keys(seen(opening, head), seen(head)) == [4]


def test_each_line_begins_with_its_likeliest_clef_and_no_note_is_read_out_of_it() -> None:
    treble = [("clef:G", 1.0, 1, 0.2, {}), ("clef:C", 1.2, 4, 0.15, {}), ("head:black", 2.0, 3, 0.6, {"stems": 1})]
    later = [("clef:F", 40.0, 6, 0.2, {}), ("clef:F", 60.0, 6, 0.8, {}), ("head:black", 9.0, 3, 0.6, {"stems": 1})]
    glyphs = joined(seen(*treble, *later), seen()).glyphs
    clefs = {(g.kind, g.x > 50, g.position) for g in glyphs if g.kind.startswith("clef")}
    assert clefs == {("clef:G", False, 2), ("clef:F", True, 6)}
    assert [g.x for g in glyphs if g.kind == "head:black"] == [9.0]


def test_a_barline_is_one_glyph_of_all_staves_and_its_kind_that_of_most_votes() -> None:
    upper = seen(("barline:single", 30.0, 4, 0.9, {}), ("barline:final", 90.0, 4, 0.9, {}))
    lower = seen(("barline:single", 30.2, 4, 0.9, {}), ("barline:double", 90.1, 4, 0.5, {}))
    glyphs = joined(upper, lower).glyphs
    assert [(g.kind, g.staff, g.position) for g in glyphs] == [("barline:single", 0, 0), ("barline:final", 0, 0)]
    assert glyphs[0].x == pytest.approx(30.1, abs=0.01)


def test_heads_of_a_chord_share_their_tip() -> None:
    chord = [("head:black", 5.0, p, 0.9, {"stems": 1, "length": n}) for p, n in ((0, 11), (2, 8), (4, 6))]
    assert {g.tip for g in joined(seen(*chord), seen()).glyphs} == {10}


def test_a_metre_and_a_tuplet_have_their_numbers() -> None:
    meter = ("meter:digits", 8.0, 4, 0.9, {"number": 12, "denominator": 3})
    tuplet = ("tuplet-number", 20.0, 12, 0.9, {"number": 3})
    glyphs = joined(seen(meter, tuplet), seen()).glyphs
    metres = [(g.staff, g.number, g.denominator, g.position) for g in glyphs if g.kind == "meter:digits"]
    assert metres == [(1, 12, 8, 0), (2, 12, 8, 0)]  # all staves of a system print the same
    assert [(g.number, g.position) for g in glyphs if g.kind == "tuplet-number"] == [(3, 12)]


def test_a_metre_hardly_seen_counts_where_two_staves_show_it() -> None:
    faint = ("meter:digits", 8.0, 4, 0.28, {"number": 4, "denominator": 2})
    assert joined(seen(faint), seen()).glyphs == []
    other = ("meter:digits", 8.2, 4, 0.26, {"number": 3, "denominator": 2})
    assert {(g.number, g.denominator) for g in joined(seen(faint), seen(other)).glyphs} == {(4, 4)}


def test_parts_of_a_system_count_their_staves_from_one() -> None:
    system = System((staff_at(100.0), staff_at(220.0), staff_at(340.0)), ((0,), (1, 2)))
    rest = seen(("rest:quarter", 5.0, 4, 0.9, {}))
    voice, piano = join_system(system, line_of(system.staves), [rest, rest, rest], [])
    assert [g.staff for g in voice.glyphs] == [1]
    assert [g.staff for g in piano.glyphs] == [1, 2]
    assert (voice.staves, piano.staves) == (1, 2)


def test_the_surer_the_higher_the_bin() -> None:
    bins = [probability_bin(p) for p in np.linspace(0, 1, 101)]
    assert bins == sorted(bins)
    assert (bins[0], bins[-1]) == (0, 7)


def test_a_peak_is_one_cell_and_each_group_has_its_own() -> None:
    heat = np.zeros((len(GROUP_NAMES), 40, 64), np.float32)
    heat[0, 10, 20], heat[0, 10, 21], heat[0, 11, 23], heat[3, 10, 20] = 0.9, 0.7, 0.8, 0.6
    group, row, column = peaks(heat)
    assert sorted(zip(group.tolist(), row.tolist(), column.tolist(), strict=True)) == [
        (0, 10, 20),
        (0, 11, 23),
        (3, 10, 20),
    ]


def test_repeats_are_given_to_the_trunk_as_the_final_barlines_that_it_knows() -> None:
    repeat = ("barline:repeat-end", 20.0, 4, 0.9, {})
    assert [g.kind for g in joined(seen(repeat), seen(repeat)).glyphs] == ["barline:final"]
