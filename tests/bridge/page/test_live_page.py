"""The live page in a real browser, with a real session of the real daemon, played to over ReaStream."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

import pytest
from live_browser import LivePage, OwnDaemon, wait_for
from lxml import etree
from PIL import Image
from selenium.webdriver.common.keys import Keys


def downloaded(page: LivePage, ending: str) -> bytes:
    """The content of the file that was saved last."""

    def complete() -> Path | None:
        files = sorted(page.downloads.glob(f"*.{ending}"), key=lambda path: path.stat().st_mtime)
        return files[-1] if files and not list(page.downloads.glob("*.crdownload")) else None

    return wait_for(f"a .{ending} file", complete).read_bytes()


def notes_in_score(page: LivePage) -> int:
    return int(page.run("return document.querySelectorAll('#score svg g.note').length"))


def test_what_is_played_appears_as_notes_and_as_bars(listening: LivePage) -> None:
    words = wait_for(
        "the last notes", lambda: re.search(r"Last notes: (.*[CDEFG][45].*)", listening.text("#last-notes"))
    )
    assert set(words[1].split()) <= {"C2", "E3", "G3", "C5", "D5", "E5", "F5", "G5"}
    note = tuple(int("2457a6"[i : i + 2], 16) for i in (0, 2, 4))
    paper = (255, 255, 255)

    def drawn() -> bool:  # between the paper and the colour of notes, by velocity
        mixes = [(n * s + p * (1 - s)) for s in (0.5, 0.9) for n, p in zip(note, paper, strict=True)]
        low, high = mixes[3:], mixes[:3]
        return any(
            all(lo - 3 <= c <= hi + 3 for c, lo, hi in zip(colour, low, high, strict=True))
            for colour in listening.colours_in_roll()
        )

    wait_for("notes in the piano roll", drawn)
    wait_for("bars", lambda: re.match(r"Bars? (?:\d+–)?\d+ · 4/4", listening.text("#score-facts")))
    wait_for("a bar with its notes", lambda: notes_in_score(listening) >= 13)
    assert "quarter notes a minute" in listening.find("#score").get_attribute("aria-label")
    assert not listening.find("#score-empty").is_displayed()


def test_bars_follow_at_most_two_behind_what_is_played(listening: LivePage, daemon: OwnDaemon) -> None:
    wait_for("bars", lambda: listening.text("#score-facts"))
    behind = []
    for _ in range(8):
        live = daemon.ask("live.list")["sessions"][0]["live"]
        ended_s = daemon.ask("live.score", live=live)["seconds"]
        behind.append((daemon.ask("live.status", live=live)["position"] - ended_s) / 2.0)
        time.sleep(0.4)
    # The third bar is still being played when the last one shown ended less than three bars ago.
    assert sorted(behind)[len(behind) // 2] < 3.0, behind


def test_the_signal_is_described(listening: LivePage) -> None:
    latency = wait_for(
        "the latency", lambda: re.match(r"(\d+) ms\n95 of 100 within (\d+) ms", listening.text("#latency"))
    )
    assert int(latency[1]) <= int(latency[2])
    dropped = wait_for("packets", lambda: re.match(r"(\d+)\nof (\d+)", listening.text("#dropped")))
    assert int(dropped[1]) == 0 < int(dropped[2])
    assert int(listening.text("#count").split()[0]) > 0
    assert not listening.find("#level").is_displayed() and listening.text("#level-words") == "none: MIDI"


def test_the_session_is_exported_as_midi_musicxml_and_pdf(listening: LivePage) -> None:
    import mido
    import pypdfium2

    wait_for("something to export", lambda: listening.find("[data-format=mid]").is_enabled())
    for name in ("mid", "musicxml", "pdf"):
        listening.press(f"[data-format={name}]")
        wait_for(f"the {name} file", lambda n=name: re.search(rf"Saved .*\.{n}\.", listening.text("#exported")))
    file = mido.MidiFile(file=io.BytesIO(downloaded(listening, "mid")))
    pitches = {m.note for m in file if m.type == "note_on" and m.velocity}
    assert {36, 52, 55, 72} <= pitches
    score = etree.fromstring(downloaded(listening, "musicxml"))
    assert len(score.findall(".//measure")) >= 1 and len(score.findall(".//pitch")) >= len(pitches)
    document = pypdfium2.PdfDocument(downloaded(listening, "pdf"))
    assert len(document) >= 1
    document.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_needs_no_scrolling_to_the_side(listening: LivePage, scheme: str, tmp_path: Path) -> None:
    wait_for("bars", lambda: listening.text("#score-facts"))
    try:
        listening.prefer(color_scheme=scheme)
        listening.shape(360, 740, mobile=True)
        wait_for(
            "the score in the narrow window",
            lambda: 0 < listening.run("return document.querySelector('#score svg').viewBox.baseVal.width") <= 360,
        )
        assert listening.run("return document.documentElement.scrollWidth") <= 360
        beyond = listening.run(
            "return [...document.querySelectorAll('main *:not(svg *)')].filter((e) => {"
            "const b = e.getBoundingClientRect(); return b.width && (b.left < 0 || b.right > 360.5); })"
            ".map((e) => e.id)"
        )
        assert beyond == []
        listening.driver.save_screenshot(str(tmp_path / "narrow.png"))
        with Image.open(tmp_path / "narrow.png") as image:
            corner = image.convert("L").getpixel((2, 300))
        assert (corner > 200) if scheme == "light" else (corner < 60)
    finally:
        listening.prefer()
        listening.shape(1100, 1250)


def test_where_motion_is_unwanted_the_roll_moves_in_steps(listening: LivePage) -> None:
    counting = (
        "const done = arguments[0], roll = document.getElementById('roll'); let changes = 0, last = '';"
        "const end = performance.now() + 2000; const look = () => {"
        "const now = roll.toDataURL(); if (now !== last) changes++; last = now;"
        "performance.now() < end ? requestAnimationFrame(look) : done(changes); }; look();"
    )
    listening.driver.set_script_timeout(30)
    try:
        listening.prefer(reduced_motion="reduce")
        assert listening.driver.execute_async_script(counting) <= 7
        listening.prefer(reduced_motion="no-preference")
        assert listening.driver.execute_async_script(counting) > 8
    finally:
        listening.prefer()


def test_a_second_session_can_be_looked_at(listening: LivePage, daemon: OwnDaemon) -> None:
    daemon.ask("live.start", live="another", source="reastream-midi:nobody@58719")
    wait_for("the choice of sessions", lambda: listening.find("#sessions").is_displayed())
    first = listening.find("#sessions").get_attribute("value")
    assert first != "another"  # what is looked at stays in view
    listening.choose("#sessions", "another")
    wait_for("the other session", lambda: listening.text("#count") == "0")
    assert not listening.find("[data-format=mid]").is_enabled()
    listening.choose("#sessions", first)
    wait_for("the first session", lambda: int(listening.text("#count").split()[0]) > 0)
    wait_for("its bars", lambda: listening.text("#score-facts"))
    daemon.ask("live.stop", live="another")


def test_nothing_comes_from_elsewhere_and_the_policy_is_kept(listening: LivePage, daemon: OwnDaemon) -> None:
    listening.complaints()
    listening.driver.refresh()
    listening.wait_connected()
    wait_for("the session after a reload", lambda: listening.text("#state").startswith("Listening to"))
    wait_for("its bars", lambda: listening.text("#score-facts"))
    loaded = listening.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    own = f"http://127.0.0.1:{daemon.connection.http_port}/"
    assert loaded and all(name.startswith((own, "blob:" + own, "data:")) for name in loaded), loaded
    assert listening.complaints() == []
    assert listening.run("return document.querySelectorAll('style, [style]').length") == 0


def test_stop_ends_the_session_and_keeps_what_is_shown(listening: LivePage) -> None:
    wait_for("bars", lambda: listening.text("#score-facts"))
    listening.find("#stop").send_keys(Keys.ENTER)
    wait_for("the end", lambda: listening.text("#state").startswith("The session has ended after"))
    assert listening.run("return document.activeElement.id") == "start"
    assert listening.find("#start").is_enabled() and not listening.find("#stop").is_enabled()
    assert listening.find("[data-format=pdf]").is_enabled()
    assert notes_in_score(listening) >= 13
