"""The live page when the daemon goes and comes back."""

from __future__ import annotations

from live_browser import Keyboard, LivePage, OwnDaemon, wait_for


def test_the_page_finds_the_daemon_again_after_a_crash(
    browser: LivePage, daemon: OwnDaemon, keyboard: Keyboard
) -> None:
    browser.open(daemon.connection)
    browser.listen_to_keyboard()
    wait_for("notes", lambda: browser.text("#last-notes").startswith("Last notes"))
    before = daemon.connection
    daemon.kill()
    wait_for("word of the loss", lambda: "lost" in browser.text("#connection"))
    after = daemon.start()
    assert after.token != before.token and after.http_port == before.http_port
    browser.wait_connected()
    assert "started anew" in wait_for("a sentence", lambda: browser.text("#notice"))
    assert browser.text("#state").startswith("No session.")
    # It is of use again, without having been loaded anew.
    browser.listen_to_keyboard()
    wait_for("notes of the new session", lambda: browser.text("#count") not in ("–", "0"))
    wait_for("the sentence to go", lambda: browser.text("#notice") == "")


def test_a_page_that_was_never_let_in_is_told_how_to_get_in(browser: LivePage, daemon: OwnDaemon) -> None:
    browser.driver.get(
        f"http://localhost:{daemon.connection.http_port}/live"
    )  # another origin: no token is kept for it
    wait_for("a sentence", lambda: "scorebridge page" in browser.text("#notice"))
    assert browser.find("#connection").get_attribute("data-state") == "lost"
    assert not browser.find("#start").is_enabled()
