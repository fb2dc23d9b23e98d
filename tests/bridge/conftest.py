"""A core without doors for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from house import Build, House


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may have settings of their own."""
    monkeypatch.setenv("SCOREBRIDGE_CONFIG", str(tmp_path / "no-config.toml"))


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Build]:
    """Builds a core with settings; it is taken down at the end."""
    built: list[House] = []

    async def build_one(**settings: Any) -> House:
        built.append(await House(tmp_path, **settings).open())
        return built[-1]

    yield build_one
    for house in built:
        await house.close()


@pytest.fixture
async def house(build: Build) -> House:
    """A core with one worker."""
    return await build()
