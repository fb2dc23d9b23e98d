"""Labels of drawn pages stand where the ink is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from model_runtime.engraving.raster import FONT_FOLDER
from model_runtime.training.corpus import root_of
from model_runtime.training.image.contact_sheet import contact_sheet
from model_runtime.training.image.dataset import bands_of, build, load_bands, spoilt_page
from model_runtime.training.image.degrade import Damage, Warp
from model_runtime.training.image.labels import FIELDS, group_counts, groups_of
from model_runtime.training.image.pages import DrawnPage, PageMaker, printed_score, random_options, vary_barlines
from model_runtime.training.image.samples import Pool, stretched, targets_of, with_other_ledgers
from model_runtime.training.image.shapes import other_shapes
from model_runtime.unified.bands import CELL_PX, CELL_SPACES, HIGHEST_ROW, MARGIN_SPACES
from model_runtime.unified.glyph_classes import GROUP_NAMES, KIND_INDEX, KINDS

OPTIONS = {"font": "Leipzig", "pageWidth": 1600, "pageHeight": 1600, "unit": 9, "header": "none", "breaks": "auto"}
HEAD, BARLINE = GROUP_NAMES.index("head"), GROUP_NAMES.index("barline")
BLACK = KIND_INDEX["head:black"]


def ink_at(pixels: np.ndarray, x: float, y: float, reach: int = 2) -> float:
    """Share of ink in a small square."""
    part = pixels[int(y) - reach : int(y) + reach + 1, int(x) - reach : int(x) + reach + 1]
    return float((part < 128).mean())


def test_every_note_of_the_score_has_a_head_where_the_ink_is(page: DrawnPage) -> None:
    labels = page.labels
    kinds = labels.values[:, 0]
    black = labels.places[kinds == BLACK]
    measures = (groups_of(labels.values) == BARLINE).sum() // 3
    assert len(black) == 2 * measures  # two quarters in each; the one that the score hides is not there
    assert all(ink_at(page.pixels, x, y) > 0.95 for x, y in black)
    half = labels.places[kinds == KIND_INDEX["head:half"]]
    assert len(half) == 2 * measures
    assert all(0.05 < ink_at(page.pixels, x, y, 9) < 0.8 for x, y in half)


def test_heads_stand_at_whole_staff_positions_on_the_staff_that_the_score_names(page: DrawnPage) -> None:
    labels = page.labels
    for (_, y), values in zip(labels.places, labels.values, strict=True):
        if values[0] <= KIND_INDEX["head:half"]:
            staff = labels.staves[int(values[1])]
            position = (staff.bottom - y) / (staff.bottom - staff.top) * 8
            assert abs(position - round(position)) < 0.05
            assert -6 < position < 14


def test_a_stem_ends_in_ink_and_paper_follows(page: DrawnPage) -> None:
    tip = FIELDS.index("tip")
    seen = 0
    for (x, _), values in zip(page.labels.places, page.labels.values, strict=True):
        if values[0] == BLACK and values[FIELDS.index("stems")] == 1:
            columns = slice(int(x) - 10, int(x) + 14)
            height = int(values[tip])
            assert (page.pixels[height + 2 : height + 4, columns] < 128).any()
            seen += 1
    assert seen >= 10


def test_each_staff_has_its_clef_and_a_barline_through_it(page: DrawnPage) -> None:
    groups = groups_of(page.labels.values)
    counts = group_counts([page.labels.values])
    assert counts["clef"] == len(page.labels.staves)
    for (x, y), values in zip(
        page.labels.places[groups == BARLINE], page.labels.values[groups == BARLINE], strict=True
    ):
        staff = page.labels.staves[int(values[1])]
        assert staff.top < y < staff.bottom
        column = page.pixels[int(staff.top) : int(staff.bottom), int(x) - 2 : int(x) + 3].min(axis=1)
        assert (column < 160).mean() > 0.95


def test_labels_follow_the_ink_when_a_page_is_bent_turned_and_cropped(page: DrawnPage) -> None:
    rng = np.random.default_rng(1)
    damage = Damage(turn=0.03, bend=0.8, tilt=0.02, space_px=10.0, crop=(0.05, 0.0, 0.1, 0.0))
    spoilt, labels = spoilt_page(page.pixels, page.labels, damage, rng)
    black = labels.places[labels.values[:, 0] == BLACK]
    assert 10 < len(black) <= (page.labels.values[:, 0] == BLACK).sum()
    assert np.mean([ink_at(spoilt, x, y, 1) > 0.9 for x, y in black if 3 < y < len(spoilt) - 3]) > 0.97


def test_a_warp_that_does_nothing_leaves_points_where_they_are() -> None:
    warp = Warp((300, 200), Damage(space_px=10.0), 10.0, np.random.default_rng(0))
    x, y = warp.points([0.0, 150.0, 299.0], [0.0, 20.0, 199.0])
    assert np.allclose(x, [0, 150, 299], atol=1e-6)
    assert np.allclose(y, [0, 20, 199], atol=1e-6)


def test_in_a_band_a_row_of_cells_is_a_staff_position_and_heads_are_dark_there(page: DrawnPage) -> None:
    bands, counts = bands_of(page.pixels, page.labels)
    assert counts["found"] == counts["staves"] == len(bands)
    heads = 0
    for band in bands:
        lines = band.pixels[:, 8 * 8 : -8 * 8].mean(axis=1)
        for position in (0, 2, 4, 6, 8):
            middle = (HIGHEST_ROW - position) * CELL_PX + CELL_PX // 2
            assert lines[middle - 1 : middle + 1].max() > 1.5 * lines[middle + CELL_PX - 1]
        for x, position, values in zip(band.x, band.positions, band.values, strict=True):
            if values[0] == BLACK:
                assert abs(position - round(float(position))) < 0.25
                column = int((x + MARGIN_SPACES) / CELL_SPACES * CELL_PX)
                row = int((HIGHEST_ROW - position) * CELL_PX + CELL_PX / 2)
                assert band.pixels[row - 1 : row + 1, column - 1 : column + 1].mean() > 200
                heads += 1
    assert heads == (page.labels.values[:, 0] == BLACK).sum()


def test_scores_become_pages_on_disk_and_a_second_call_makes_no_more(scores: Path, tmp_path: Path) -> None:
    counted = build(scores, tmp_path, "train", 2, seed=3)
    files = sorted((tmp_path / "train").glob("*.npz"))
    assert len(files) >= 2
    assert counted["found"] == counted["bands"] > 0
    times = [f.stat().st_mtime_ns for f in files]
    build(scores, tmp_path, "train", 2, seed=3)
    assert [f.stat().st_mtime_ns for f in sorted((tmp_path / "train").glob("*.npz"))] == times
    assert not any(f.name.split("-")[1] == "4" for f in files)  # the split `test` is never drawn
    bands = [band for f in files for band in load_bands(f)]
    pixels, targets = Pool(files, [1]).batch(3, columns=64)
    assert pixels.shape == (3, 1, 160, 256)
    assert targets.heat.max() == 1.0
    assert (targets.heat[tuple(targets.cells.T)] == 1.0).all()
    assert len(bands) == counted["bands"]


def test_the_contact_sheet_shows_pages_with_their_labels(scores: Path, tmp_path: Path) -> None:
    contact_sheet(scores, tmp_path / "sheet.png", seed=1, plain=False, rows=1, columns=1)
    with Image.open(tmp_path / "sheet.png") as picture:
        pixels = np.asarray(picture)
    assert (np.ptp(pixels.astype(int), axis=2) > 100).sum() > 20  # colours are labels


def test_ledger_lines_further_apart_leave_the_staff_where_it_is(page: DrawnPage) -> None:
    bands, _ = bands_of(page.pixels, page.labels)
    part = bands[1].pixels[:, :256].astype(np.float32) / 255
    moved = with_other_ledgers(part, 0.1)
    assert np.allclose(moved[70:96], part[70:96], atol=1e-6)
    assert not np.allclose(moved[:60], part[:60])
    assert np.allclose(with_other_ledgers(part, 0.0), part, atol=1e-6)


def test_a_stretched_band_takes_its_labels_along(page: DrawnPage) -> None:
    bands, _ = bands_of(page.pixels, page.labels)
    wide = stretched(bands[1], 1.15)
    assert wide.pixels.shape[1] > 1.1 * bands[1].pixels.shape[1]
    targets = targets_of([(wide, 0.0)], wide.pixels.shape[1] // CELL_PX)
    black = targets.classes["kind"] == BLACK
    for (_, _, row, column), x in zip(targets.cells[black], targets.x[black], strict=True):
        middle = round((column + float(x)) * CELL_PX)
        assert wide.pixels[row * CELL_PX + 1 : row * CELL_PX + 3, middle - 1 : middle + 1].mean() > 180


def test_other_shapes_leave_every_sign_in_its_place(scores: Path) -> None:
    maker = PageMaker(root_of(scores / "3.mxl"))
    maker.notes = {name: (note, staff - 1) for name, (note, staff) in maker.notes.items() if staff}  # piano alone
    options = {**random_options(np.random.default_rng(1)), "font": "Bravura", "pageWidth": 1600, "pageHeight": 1200}
    plain = next(maker.pages(options, 12.0, 1, np.random.default_rng(0)))
    music = FONT_FOLDER / "ScoreBridgeMusic.ttf"
    changed = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        reshape = partial(other_shapes, rng=rng, fonts=[music])
        drawn = next(maker.pages(options, 12.0, 1, np.random.default_rng(0), reshape))
        assert np.array_equal(drawn.labels.places, plain.labels.places)
        black = drawn.labels.places[drawn.labels.values[:, 0] == BLACK]
        assert len(black) >= 2
        assert all(ink_at(drawn.pixels, x, y) > 0.9 for x, y in black)
        changed += not np.array_equal(drawn.pixels, plain.pixels)
    assert changed >= 2


def test_pages_are_drawn_in_many_styles_with_things_printed_around_the_notes(scores: Path) -> None:
    rng = np.random.default_rng(5)
    sizes, groups = set(), dict.fromkeys(GROUP_NAMES, 0)
    for _ in range(9):
        root = printed_score(root_of(scores / "2.mxl"), rng)
        assert root is not None
        for drawn in PageMaker(root).pages(random_options(rng), 8.0, 1, rng):
            sizes.add(drawn.pixels.shape)
            for name, count in group_counts([drawn.labels.values]).items():
                groups[name] += count
    assert len(sizes) >= 4
    assert all(groups[name] for name in ("head", "rest", "clef", "key-sign", "meter", "barline", "slur-left"))


def test_repeats_and_other_barlines_are_printed_among_the_measures(scores: Path) -> None:
    kinds = set()
    for seed in range(6):
        rng = np.random.default_rng(seed)
        root = root_of(scores / "2.mxl")
        root.remove(root.findall("part")[0])
        root.find("part-list").remove(root.find("part-list/score-part"))
        vary_barlines(root, rng)
        for drawn in PageMaker(root).pages(OPTIONS, 8.0, 1, rng):
            kinds |= {KINDS[int(v)] for v in drawn.labels.values[:, 0] if KINDS[int(v)].startswith("barline")}
    assert {f"barline:{kind}" for kind in ("single", "double", "repeat-end", "repeat-start")} <= kinds
