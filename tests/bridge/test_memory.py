"""Giving memory back."""

from __future__ import annotations

import asyncio

import pytest
from house import House

from bridge import memory


async def test_memory_is_given_back_once_after_each_burst_of_work(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    really_give_back = memory.give_back

    def counted() -> None:
        really_give_back()
        given.append(house.jobs.ended)

    monkeypatch.setattr(memory, "INTERVAL_S", 0.02)
    monkeypatch.setattr(memory, "give_back", counted)
    tidying = asyncio.create_task(memory.tidy_when_idle(lambda: house.jobs.ended, lambda: house.jobs.active))
    await house.submit("a", 20_000)
    await house.running("a")
    await asyncio.sleep(0.1)
    assert given == []  # not in the middle of work
    await house.end_of("a")
    await house.until(lambda: given == [1])
    await asyncio.sleep(0.1)
    assert given == [1]
    tidying.cancel()
