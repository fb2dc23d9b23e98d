"""The live page for people who do not see it, or see little, or have no mouse."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from live_browser import LivePage, OwnDaemon, wait_for
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys


@pytest.fixture(scope="module")
def page(browser: LivePage, daemon: OwnDaemon) -> LivePage:
    """The page before any session."""
    browser.open(daemon.connection)
    return browser


def accessibility_tree(page: LivePage) -> list[dict[str, Any]]:
    page.driver.execute_cdp_cmd("Accessibility.enable", {})
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [node for node in nodes if not node.get("ignored")]


def test_everything_that_can_be_used_has_a_name(page: LivePage) -> None:
    roles = {"button", "combobox", "meter", "image", "img", "navigation", "form", "region", "link", "Canvas"}
    nodes = [node for node in accessibility_tree(page) if node["role"]["value"] in roles]
    assert len(nodes) >= 12
    nameless = [node["role"]["value"] for node in nodes if not node.get("name", {}).get("value")]
    assert nameless == []


def test_the_document_has_a_language_a_title_and_headings_in_order(page: LivePage) -> None:
    assert page.run("return document.documentElement.lang") == "en"
    assert page.driver.title == "ScoreBridge live"
    levels = page.run("return [...document.querySelectorAll('h1, h2, h3')].map((h) => Number(h.tagName[1]))")
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))
    assert page.run("return document.querySelectorAll('main').length") == 1
    ids = page.run("return [...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))


def test_changes_are_told_to_screen_readers_and_seconds_are_not(page: LivePage) -> None:
    roles = page.run("return ['state', 'connection', 'exported', 'notice'].map((i) => document.getElementById(i).role)")
    assert roles == ["status", "status", "status", "alert"]
    assert page.run("return document.getElementById('time').ariaHidden") == "true"
    assert page.run("return document.getElementById('last-notes').closest('[role=status], [aria-live]')") is None


def test_the_keyboard_reaches_every_control_in_reading_order_and_shows_where_it_is(page: LivePage) -> None:
    page.run("document.activeElement.blur()")
    page.driver.refresh()
    page.wait_connected()
    wait_for("the sources", lambda: page.find("#start").is_enabled())
    reached: list[str] = []
    for _ in range(6):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        where = page.run("const e = document.activeElement; return e.id || e.className || e.textContent")
        outlined = page.run(
            "const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && "
            "parseFloat(s.outlineWidth) >= 1 || document.activeElement.classList.contains('skip')"
        )
        assert outlined, where
        reached.append(where)
    assert reached == ["skip", "Live", "Jobs", "source", "start", "look"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_controls_stand_out_from_what_is_behind_them(page: LivePage, scheme: str) -> None:
    try:
        page.prefer(color_scheme=scheme)
        faint = page.run(CONTRAST)
        assert faint == []
    finally:
        page.prefer()


CONTRAST = """
const parse = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const light = (c) => { const v = c.slice(0, 3).map((x) => { x /= 255;
  return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
const behind = (element) => { for (let e = element; e; e = e.parentElement) {
  const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
  return [255, 255, 255]; };
const faint = [];
for (const element of document.querySelectorAll('body *')) {
  const box = element.getBoundingClientRect();
  const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!box.width || getComputedStyle(element).visibility === 'hidden') continue;
  const style = getComputedStyle(element);
  const words = (element.textContent || '').trim().slice(0, 30);
  if (own && ratio(parse(style.color), behind(element)) < 4.5) faint.push(`${element.tagName} ${words}`);
  if (['BUTTON', 'SELECT'].includes(element.tagName) && !element.disabled) {
    const edge = Math.max(ratio(parse(style.borderTopColor), behind(element.parentElement)),
      ratio(parse(style.backgroundColor), behind(element.parentElement)));
    if (edge < 3) faint.push(`edge of ${element.tagName} ${words}`);
  }
}
const root = getComputedStyle(document.documentElement);
for (const name of ['--note', '--maybe', '--now']) {
  const hex = (n) => { const h = root.getPropertyValue(n).trim().slice(1);
    return [0, 2, 4].map((i) => parseInt(h.slice(i, i + 2), 16)); };
  if (ratio(hex(name), hex('--card')) < 3) faint.push(name);
}
return faint;
"""
