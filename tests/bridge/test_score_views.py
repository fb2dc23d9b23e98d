"""The notation of live sessions as the daemon shows it: followed by events, drawn by a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from bridge import score_views
from bridge.access import Refused
from bridge.events import EventHub
from bridge.score_views import ScoreViews
from protocol.live import LiveEnded, LiveNote, LiveStarted, LiveState
from protocol.live_score import LiveEngraved, LiveScore, LiveTempo
from protocol.messages import Content, Message

MAP = {"tempo_map": {"bpm": 120.0, "meters": [{"quarter": 0, "numerator": 3, "denominator": 4}]}}


class Stage:
    """Tells of live sessions as the daemon does, and hears what the views tell."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.hub = EventHub()
        self.told: list[Message] = []
        self.hub.subscribe(lambda event: self.told.append(event) if event.type == "live.bars" else None)
        self.views = ScoreViews(self.hub, self.hub.publish, folder, lambda live: options)
        self.started_s = 0.0

    def tell(self, content: Content) -> None:
        self.hub.publish(Message.of(content))

    def begin(self, live: str = "one") -> None:
        self.tell(LiveStarted(live=live, source="a keyboard", kind="midi"))

    def play(self, quarters: int, live: str = "one", first: int = 0) -> None:
        """A note each half second."""
        for n in range(first, first + quarters):
            onset = 0.5 * n
            self.tell(
                LiveNote(live=live, note=str(n), phase="confirmed", onset=onset, offset=onset + 0.4, pitch=60 + n % 7)
            )
            self.clock(onset + 0.5, live)

    def clock(self, position_s: float, live: str = "one") -> None:
        self.tell(LiveState(live=live, phase="listening", position=position_s, started=self.started_s))

    async def show(self, live: str = "one", bars: int = 4, width: int = 600) -> LiveEngraved:
        return await self.views.show(LiveScore(live=live, bars=bars, width=width))


def processes() -> list[psutil.Process]:
    """Those that follow sessions."""
    return [child for child in psutil.Process().children() if "bridge.score_view_process" in child.cmdline()]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Callable[..., Stage]]:
    made: list[Stage] = []

    def build(**options: Any) -> Stage:
        made.append(Stage(tmp_path, options))
        return made[-1]

    yield build
    for one in made:
        await one.views.close()
    assert processes() == []


async def test_who_looks_late_sees_what_was_played_and_hears_of_what_follows(stage: Callable[..., Stage]) -> None:
    now = stage(**MAP)
    now.begin()
    now.play(14)
    engraved = await now.show(bars=2)
    assert (engraved.first, engraved.last, engraved.shown) == (1, 4, 3)
    assert (engraved.numerator, engraved.denominator, engraved.tempo) == (3, 4, 120.0)
    assert engraved.svg.startswith("<svg") and engraved.svg.count('class="notehead"') == 6
    heard = len(now.told)
    now.play(6, first=14)
    async with asyncio.timeout(20):
        while len(now.told) == heard or now.told[-1].content["last"] < 5:
            await asyncio.sleep(0.05)
    assert now.told[-1].content["live"] == "one" and "svg" not in now.told[-1].content
    now.tell(LiveEnded(live="one", reason="stopped"))
    assert (await now.show()).last == 7


async def test_the_hosts_bars_are_taken_while_it_plays(stage: Callable[..., Stage]) -> None:
    now = stage()
    now.begin()
    # Bars of two quarters, the first at 1000.25 s since 1970, when the source had begun a quarter of a second before.
    bars = {"bpm": 120.0, "meters": [{"quarter": 0, "numerator": 2, "denominator": 4}]}
    now.views.follow(LiveTempo(live="one", tempo_map=bars, at=1000.25))
    assert (await now.show()).last == 0
    now.started_s = 1000.0
    now.play(12)
    engraved = await now.show()
    assert (engraved.numerator, engraved.tempo) == (2, 120.0)
    assert (engraved.seconds - 0.25) % 1.0 == pytest.approx(0.0, abs=1e-3)
    faster = {**bars, "points": [(0.0, 0.0), (1.0, 4.0)]}
    now.views.follow(LiveTempo(live="one", tempo_map=faster, at=1000.25))
    now.play(12, first=12)
    assert (await now.show()).tempo == 240.0
    now.views.follow(LiveTempo(live="one"))
    now.play(40, first=24)
    assert (await now.show()).tempo < 240.0  # tracked


@pytest.mark.parametrize("points", [[(0.0, 0.0)], [(0.0, 0.0), (0.0, 1.0)], [(0.0, 1.0), (1.0, 1.0)]])
async def test_a_map_that_does_not_move_forwards_is_refused(stage: Callable[..., Stage], points: list[Any]) -> None:
    now = stage()
    now.begin()
    with pytest.raises(Refused, match="forwards"):
        now.views.follow(LiveTempo(live="one", tempo_map={"points": points}))
    with pytest.raises(Refused, match="no such live session"):
        now.views.follow(LiveTempo(live="nobody", tempo_map={"bpm": 100.0}))


async def test_without_a_tempo_map_and_before_any_bar_there_is_nothing_to_show(stage: Callable[..., Stage]) -> None:
    now = stage()
    now.begin()
    engraved = await now.show()
    assert (engraved.last, engraved.svg) == (0, "")


async def test_a_session_that_is_not_there_is_refused_with_a_sentence(stage: Callable[..., Stage]) -> None:
    with pytest.raises(Refused, match=r"no such live session\."):
        await stage().show("nobody")


async def test_a_process_that_dies_is_replaced(stage: Callable[..., Stage]) -> None:
    now = stage(**MAP)
    now.begin()
    now.play(10)
    before = await now.show()
    [view] = now.views._views.values()
    assert view.worker is not None
    os.kill(view.worker.pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while view.worker is not None:
            await asyncio.sleep(0.02)
    after = await now.show()
    assert (after.last, after.svg) == (before.last, before.svg)


async def test_nobody_looking_costs_nothing(stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    now = stage(**MAP)
    now.begin()
    now.play(4)
    assert processes() == []
    await now.show()
    [process] = processes()
    monkeypatch.setattr(score_views, "UNWATCHED_S", 0.0)
    now.clock(3.0)
    async with asyncio.timeout(20):
        while process.is_running():
            await asyncio.sleep(0.05)


async def test_what_is_remembered_is_bounded(stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_views, "SESSIONS", 3)
    monkeypatch.setattr(score_views, "NOTES", 10)
    now = stage()
    for number in range(5):
        now.begin(f"live-{number}")
        now.play(30, f"live-{number}")
    assert list(now.views._views) == ["live-2", "live-3", "live-4"]
    assert all(len(view.notes) == 10 for view in now.views._views.values())


@pytest.mark.parametrize("asked", [{"bars": 0}, {"bars": 17}, {"width": 10}, {"width": 10**6}])
def test_no_other_sizes_can_be_asked_for(asked: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"bars|width"):
        LiveScore(live="one", **asked)
