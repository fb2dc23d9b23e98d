"""The real daemon of the end-to-end tests serves here, too."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bridge

sys.path.append(str(Path(__file__).parent.parent / "end_to_end"))

if TYPE_CHECKING:
    from running_daemon import RunningDaemon
    from studio import Studio

DEMO = Path(bridge.__file__).parent / "demo"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the module's daemon may read from."""
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="module")
def daemon(_basic_pitch_data: Path, desk: Path) -> Iterator[RunningDaemon]:
    """One daemon for a module's tests, with the transcription network."""
    from running_daemon import RunningDaemon
    from studio import described_roots

    made = RunningDaemon(desk, DATA=str(_basic_pitch_data), ROOTS=described_roots(desk, DEMO)).start()
    yield made
    made.close()


@pytest.fixture
def open_studio(desk: Path, daemon: RunningDaemon) -> Iterator[Callable[..., Studio]]:
    """Opens a desk in a folder of its own."""
    from studio import Studio

    made: list[Studio] = []

    def open_one(**options: object) -> Studio:
        folder = Path(tempfile.mkdtemp(dir=desk))
        made.append(Studio(folder, daemon, **options))  # type: ignore[arg-type]
        return made[-1]

    yield open_one
    for studio in made:
        studio.close()


@pytest.fixture
def studio(open_studio: Callable[..., Studio]) -> Studio:
    return open_studio()
