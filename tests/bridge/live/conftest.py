"""A daemon's core whose live sessions hear with the tests' own listener, and somebody who listens at REAPER's door."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from band import Ears


@pytest.fixture(autouse=True)
def tone_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions hear with `tone_listener`; their processes find it beside this file."""
    monkeypatch.setenv("SCOREBRIDGE_LIVE_READER", "tone_listener:open_listener")
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.fixture
def ears() -> Iterator[Ears]:
    """What REAPER gets by OSC."""
    made = Ears()
    yield made
    made.close()
