"""Staves and systems are found on clean, bent, faint and noisy pages, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from model_runtime.training.image.dataset import bands_of, spoilt_page
from model_runtime.training.image.degrade import Damage
from model_runtime.training.image.pages import DrawnPage
from model_runtime.unified.page_light import WORK_SPACE_PX, flatten
from model_runtime.unified.staves import find_systems


def test_every_staff_of_an_engraved_page_is_found_to_a_fifth_of_a_space(page: DrawnPage) -> None:
    flat = flatten(page.pixels)
    assert flat is not None
    found = [staff for system in find_systems(flat) for staff in system.staves]
    assert len(found) == len(page.labels.staves)
    for staff, drawn in zip(found, sorted(page.labels.staves, key=lambda s: s.top), strict=True):
        x, y = flat.from_page([drawn.left, drawn.right], [drawn.top, drawn.top])
        assert abs(staff.left - x[0]) < 0.3 * WORK_SPACE_PX
        assert abs(staff.right - x[1]) < 0.3 * WORK_SPACE_PX
        assert np.abs(staff.top(x) - y).max() < 0.2 * WORK_SPACE_PX


def test_the_staves_of_a_song_are_one_system_with_the_pianos_two_as_a_part(page: DrawnPage) -> None:
    flat = flatten(page.pixels)
    assert flat is not None
    systems = find_systems(flat)
    assert len(systems) == max(s.system for s in page.labels.staves) + 1
    assert all(system.groups == ((0,), (1, 2)) for system in systems)


DAMAGES = {
    "a skewed copy in black and white": Damage(turn=0.02, bend=0.3, spread=0.08, threshold=0.4, bilevel=True, dirt=0.5),
    "a photograph": Damage(turn=-0.04, bend=0.6, tilt=0.03, shade=0.5, noise=0.03, blur=0.1, quality=60, space_px=13),
    "a small grey scan": Damage(turn=0.004, bend=0.2, spread=0.06, threshold=0.45, noise=0.02, space_px=7.5),
    "a faint print": Damage(spread=0.1, threshold=0.5, worn=0.03, grain=0.05, shade=0.1, space_px=11),
    "a copy with a dark edge": Damage(edge=1.0, spread=0.07, threshold=0.4, bilevel=True, space_px=10),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_staves_are_found_on(page: DrawnPage, damage: Damage) -> None:
    spoilt, labels = spoilt_page(page.pixels, page.labels, damage, np.random.default_rng(2))
    _, counts = bands_of(spoilt, labels)
    assert counts["found"] >= 0.85 * counts["staves"]
    assert counts["spurious"] <= 1


def test_points_of_the_page_come_back_after_turning() -> None:
    rng = np.random.default_rng(0)
    lines = np.full((500, 700), 255, np.uint8)
    for y in (100, 112, 124, 136, 148, 300, 312, 324, 336, 348):
        for x in range(40, 660):
            lines[y + round(0.03 * x) : y + round(0.03 * x) + 2, x] = 0
    flat = flatten(lines)
    assert flat is not None
    assert flat.slope == pytest.approx(0.03, abs=0.003)
    x, y = rng.uniform(0, 700, 20), rng.uniform(0, 500, 20)
    back = flat.to_page(*flat.from_page(x, y))
    assert np.allclose(back[0], x, atol=1e-6)
    assert np.allclose(back[1], y, atol=1e-6)
    systems = find_systems(flat)
    assert [len(s.staves) for s in systems] == [1, 1]  # nothing joins them


@pytest.mark.parametrize("kind", ["blank", "noise", "stripes", "tiny", "black"])
def test_a_page_without_music_has_no_staves(kind: str) -> None:
    rng = np.random.default_rng(0)
    page = np.full((400, 500), 255, np.uint8)
    if kind == "noise":
        page = rng.integers(0, 256, page.shape).astype(np.uint8)
    elif kind == "stripes":
        page[::9] = 0
        page[:, :60] = 255
    elif kind == "tiny":
        page = page[:5, :7]
    elif kind == "black":
        page[:] = 0
    flat = flatten(page)
    found = [] if flat is None else find_systems(flat)
    if kind == "stripes":
        assert all(len(s.staves) < 20 for s in found)  # ruled paper may look like staves; it must not fail
    else:
        assert found == []


def test_ledger_lines_and_hairpins_under_a_staff_are_no_staff() -> None:
    page = np.full((500, 900), 255, np.uint8)
    for top in (100, 300):
        for k in range(5):
            page[top + 12 * k : top + 12 * k + 2, 40:860] = 0
    for k in range(5):
        page[164 + 12 * k : 166 + 12 * k, 400:520] = 0
    flat = flatten(page)
    assert flat is not None
    found = [staff for system in find_systems(flat) for staff in system.staves]
    assert len(found) == 2
    assert all(staff.right - staff.left > 700 for staff in found)
