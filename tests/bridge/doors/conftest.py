from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from echo_service import EchoService


@pytest_asyncio.fixture
async def service(tmp_path: Path) -> AsyncIterator[EchoService]:
    echo = EchoService(tmp_path)
    yield echo
    await echo.close()
