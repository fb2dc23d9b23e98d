from __future__ import annotations

from collections.abc import Iterator

import pytest
from live_browser import Keyboard, LivePage, OwnDaemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnDaemon]:
    own = OwnDaemon(tmp_path_factory.mktemp("daemon"))
    own.start()
    yield own
    own.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePage]:
    page = LivePage(tmp_path_factory.mktemp("downloads"))
    yield page
    page.close()


@pytest.fixture(scope="module")
def keyboard() -> Iterator[Keyboard]:
    keys = Keyboard()
    yield keys
    keys.stop()


@pytest.fixture(scope="module")
def listening(browser: LivePage, daemon: OwnDaemon, keyboard: Keyboard) -> LivePage:
    """The page while a session that was started on it listens to the keyboard."""
    browser.open(daemon.connection)
    browser.listen_to_keyboard()
    return browser
