"""Lines are cut at their barlines with what holds there, and what was written of them becomes one score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model_runtime.tokens.glyphs import Glyph, from_compound
from model_runtime.tokens.shorthand import shorten
from model_runtime.unified.inference import Written
from model_runtime.unified.lines_of_music import Line, PlacedWindow, join, likely_meter, windows_of

HEAD = (Glyph("clef:G", 0.7, 1, 2), Glyph("clef:F", 0.7, 2, 6), Glyph("glyph-key:-2", 4.4, 1))
METER = Glyph("meter:digits", 6.5, 1, number=3, denominator=4)


def heads(*places: float, staff: int = 1) -> tuple[Glyph, ...]:
    return tuple(Glyph("head:black", x, staff, 3, stem=1, tip=10) for x in places)


def bar(x: float, kind: str = "single", probability: int = 7) -> Glyph:
    return Glyph(f"barline:{kind}", x, probability=probability)


def glyphs_of(placed: PlacedWindow) -> list[Glyph]:
    window = placed.window
    return [from_compound(ids, float(x)) for ids, x in zip(window.ids.tolist(), window.places, strict=True)]


def written(*tokens: str, probability: float = 0.9) -> Written:
    symbols = tuple(shorten(" ".join(tokens).split())[0])
    return Written(symbols, np.full(len(symbols), probability, np.float32), np.zeros(len(symbols), np.int64), False)


def test_a_line_is_one_window_a_measure_and_each_knows_clefs_key_and_metre() -> None:
    line = Line((*HEAD, METER, *heads(9, 12, 15), bar(18), *heads(20, 23), bar(27), *heads(29), bar(36)), 2)
    windows = windows_of([line])
    assert [w.window.measures for w in windows] == [1, 1, 1]
    assert [w.window.measure_quarters for w in windows] == [3.0, 3.0, 3.0]
    second = glyphs_of(windows[1])
    assert (
        second[0].kind == "meter:digits"
        and second[0].staff == 0
        and (second[0].number, second[0].denominator) == (3, 4)
    )
    assert [g.kind for g in second[1:5]] == ["clef:G", "glyph-key:-2", "clef:F", "glyph-key:-2"]
    assert [round(g.x, 2) for g in second if g.kind == "head:black"] == [10.0, 13.0]  # 6 + 2 sharps or flats + 20 - 18
    assert not any(g.staff == 0 and g.kind == "meter:digits" for g in glyphs_of(windows[0]))


def test_what_is_hardly_a_barline_does_not_cut() -> None:
    line = Line((*HEAD, *heads(9), bar(12, probability=1), *heads(14), bar(20)), 2)
    assert len(windows_of([line])) == 1


def test_a_barline_at_the_left_edge_and_a_clef_behind_the_last_one_make_no_measure() -> None:
    change = Glyph("clef:G", 28.0, 2, 2)
    lines = [Line((bar(0.0), *HEAD, *heads(9), bar(20), change), 2), Line((*heads(3), bar(20)), 2)]
    windows = windows_of(lines)
    assert len(windows) == 2
    assert windows[1].head.clefs == {1: "G2", 2: "G2"}


def test_a_repeat_sign_opens_the_measure_that_it_repeats() -> None:
    line = Line((*HEAD, *heads(9), bar(20, "repeat-start"), *heads(23), bar(30, "repeat-end")), 2)
    windows = windows_of([line])
    kinds = [[g.kind for g in glyphs_of(w) if g.kind.startswith("barline")] for w in windows]
    assert kinds == [[], ["barline:repeat-start", "barline:repeat-end"]]


def test_a_part_without_any_clef_is_read_in_the_usual_ones() -> None:
    assert windows_of([Line((*heads(3), bar(9)), 2)])[0].head.clefs == {1: "G2", 2: "F4"}
    assert windows_of([Line((*heads(3), bar(9)), 1)])[0].head.clefs == {1: "G2"}


def test_measures_are_joined_with_key_clefs_and_metre_where_they_change() -> None:
    change = Glyph("glyph-key:1", 21.0, 1)
    line = Line((*HEAD, METER, *heads(9), bar(18), change, *heads(25), bar(27), *heads(29), bar(36)), 2)
    windows = windows_of([line])
    note = "C5 voice:1 half dot stem:up staff:1"
    wrong_head = "measure key:fifths:4 clef:C3 staff:1"  # what the glyphs say counts
    joined, warnings = join(windows, [written(f"{wrong_head} {note}") for _ in windows])
    assert warnings == []
    assert [m.measure.fifths for m in joined] == [-2, 1, None]
    assert [m.measure.meter for m in joined] == [(3, 4), None, None]
    assert [[c[2] for c in m.measure.clefs] for m in joined] == [["G2", "F4"], [], []]
    assert all(m.confidence > 0.8 and m.line == 0 for m in joined)


def test_a_tie_over_a_barline_is_kept_between_windows() -> None:
    windows = windows_of([Line((*HEAD, *heads(9), bar(18), *heads(20), bar(27)), 2)])
    results = [
        written("measure C5 voice:1 whole staff:1 tied:start"),
        written("measure C5 voice:1 whole staff:1 tied:stop"),
    ]
    joined, _ = join(windows, results)
    assert joined[0].measure.notes[0].tie_start
    assert joined[1].measure.notes[0].tie_stop


def test_a_measure_that_the_trunk_did_not_write_is_empty_and_named() -> None:
    windows = windows_of([Line((*HEAD, METER, *heads(9), bar(18), *heads(20), bar(27)), 2)])
    joined, warnings = join(windows, [written("measure C5 voice:1 half dot staff:1"), written("")])
    assert len(joined) == 2
    assert joined[1].measure.notes[0].rest
    assert any("Measure 2: The measure was empty" in text for text in warnings)
    assert "Look at measure 2: hard to read." in warnings


def test_a_second_staff_that_was_invented_for_a_line_with_one_is_left_out() -> None:
    glyphs = (HEAD[0], METER, *heads(9), bar(18), *heads(20), bar(27))
    invented = (
        "measure C5 voice:1 half dot staff:1 backup half backup quarter clef:C3 staff:2 E3 voice:5 half dot staff:2"
    )
    windows = windows_of([Line(glyphs, 1)])
    joined, warnings = join(windows, [written(invented), written("measure E3 voice:5 half dot staff:2")])
    assert [[(n.pitch, n.staff) for n in m.measure.notes] for m in joined] == [[("C5", 1)], [("E3", 1)]]
    assert [[c[2] for c in m.measure.clefs] for m in joined] == [["G2"], []]
    assert not warnings
    both = windows_of([Line(glyphs, 2)])
    kept, _ = join(both, [written(invented), written("measure E3 voice:5 half dot staff:2")])
    assert [len(m.measure.notes) for m in kept] == [2, 1]


def test_a_melody_under_a_c_clef_is_given_as_under_a_treble_clef_and_moved_back() -> None:
    alto = Glyph("clef:C", 0.7, 1, 4)
    line = Line((alto, *HEAD[2:], METER, *heads(9), bar(18), *heads(20), bar(27), Glyph("clef:G", 28.0, 1, 2)), 1)
    windows = windows_of([line, Line((*heads(9), bar(18)), 1)])
    kinds = [[(g.kind, g.position) for g in glyphs_of(w) if g.kind.startswith("clef:")] for w in windows]
    assert kinds == [[("clef:G", 2)], [("clef:C", 4), ("clef:G", 2)], []], "what has two clefs is given as it is"
    joined, _ = join(windows, [written("measure A4 voice:1 half dot sharp stem:up")] * 3)
    assert [m.measure.notes[0].pitch for m in joined] == ["B3", "A4", "A4"]
    assert [[c[2] for c in m.measure.clefs] for m in joined] == [["C3"], [], ["G2"]]
    assert joined[0].measure.notes[0].accidental == "sharp"


def test_unsure_measures_are_named_together() -> None:
    windows = windows_of([Line((*HEAD, *(g for x in range(9, 49, 10) for g in (*heads(x), bar(x + 5)))), 2)])
    results = [written("measure C5 voice:1 whole staff:1", probability=p) for p in (0.3, 0.3, 0.9, 0.2)]
    _, warnings = join(windows, results)
    assert warnings == ["Look at measures 1–2, 4: hard to read."]


def test_a_metre_that_is_not_printed_is_the_length_of_most_measures() -> None:
    three = written("measure C5 voice:1 half dot staff:1")
    four = written("measure C5 voice:1 whole staff:1")
    six = written("measure C5 voice:1 quarter dot staff:1 D5 quarter dot staff:1")
    assert likely_meter([three, three, four]) == (3, 4)
    assert likely_meter([six, six]) == (3, 4)
    assert likely_meter([written("measure C5 voice:1 quarter dot staff:1")]) == (3, 8)
    assert likely_meter([]) is None


def test_one_voice_that_was_read_too_long_does_not_outvote_the_others() -> None:
    voices = "measure C5 voice:1 half staff:1 backup half C4 voice:2 half backup half C3 voice:5 half {} staff:2"
    assert likely_meter([written(voices.format("dot")), written(voices.format("dot"))]) == (2, 4)


def test_a_line_of_nothing_gives_no_window() -> None:
    assert windows_of([Line((), 2), Line(HEAD, 2)]) == []
    assert windows_of([Line(tuple(replace(h, probability=0) for h in heads(4)), 1)])[0].window.measures == 1


def test_an_octave_sign_holds_to_its_end_and_one_without_an_end_is_not_believed() -> None:
    sign, end = Glyph("ottava:8va", 9.0, 1, 14), Glyph("ottava:end", 22.0, 1, 14)
    music = (*HEAD, METER, *heads(8.0, 10.0, 20.0, 30.0), bar(18.0), bar(28.0), bar(38.0))

    def octaves(*lines: tuple[Glyph, ...]) -> list[dict[int, int]]:
        return [placed.head.ottavas for placed in windows_of([Line(glyphs, 2) for glyphs in lines])]

    assert octaves((*music, sign, end)) == [{}, {1: 1}, {}]
    assert octaves((*music, sign), (*music, end))[1:4] == [{1: 1}] * 3
    assert octaves((*music, sign), (*music, end))[5] == {}
    assert octaves((*music, sign)) == [{}] * 3
    assert not any(octaves((*music, sign), music, (*music, end)))
    (first, *_) = windows_of([Line((*music, sign), 2)])
    assert "ottava:8va" not in [glyph.kind for glyph in glyphs_of(first)]
