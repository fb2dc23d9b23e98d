"""The page of jobs in a real browser."""

from __future__ import annotations

import io
import json

from live_browser import LivePage, OwnDaemon, wait_for

from protocol.client import Client
from protocol.page import page_link

DOCUMENT = {
    "format": "events",
    "version": 1,
    "tracks": ["Piano"],
    "notes": [{"onset": 0.5 * n, "offset": 0.5 * n + 0.4, "pitch": 60 + n, "velocity": 80} for n in range(4)],
}


def test_a_job_appears_while_the_page_is_open_and_its_file_can_be_saved(browser: LivePage, daemon: OwnDaemon) -> None:
    import mido

    browser.driver.get("about:blank")
    browser.driver.get(page_link(daemon.connection))
    browser.wait_connected()
    assert wait_for("the directions", lambda: "performance" in browser.text("#directions"))
    assert browser.find("#empty").is_displayed()
    with Client(daemon.connection) as client:
        client.translate(json.dumps(DOCUMENT).encode(), "mid", source_format="events", name="scale", job="scale")
    wait_for("the job", lambda: browser.text("#jobs .phase") == "done")
    browser.press("#jobs .files button")
    saved = wait_for("the file", lambda: list(browser.downloads.glob("scale*.mid")))
    file = mido.MidiFile(file=io.BytesIO(saved[0].read_bytes()))
    assert [m.note for m in file if m.type == "note_on" and m.velocity] == [60, 61, 62, 63]
    assert browser.complaints() == []


def test_the_jobs_fit_a_phone(browser: LivePage, daemon: OwnDaemon) -> None:
    with Client(daemon.connection) as client:
        client.translate(
            json.dumps(DOCUMENT).encode(), "mid", source_format="events", name="long name " * 8, job="long"
        )
    wait_for("the job", lambda: len(browser.driver.find_elements("css selector", "#jobs li")) == 2)
    try:
        browser.shape(360, 740, mobile=True)
        assert browser.run("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.shape(1100, 1250)


def test_from_one_page_to_the_other_nobody_has_to_come_in_again(browser: LivePage, daemon: OwnDaemon) -> None:
    browser.press("nav a[href='/live']")
    browser.wait_connected()
    wait_for("the sources", lambda: browser.find("#start").is_enabled())
    browser.press("nav a[href='/']")
    browser.wait_connected()
    wait_for("the job", lambda: browser.text("#jobs .phase") == "done")
