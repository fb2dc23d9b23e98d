from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.replay import Replayed, ReplayGuard, Stale, SteadyClock


class HandClock(SteadyClock):
    """A steady clock that a test moves."""

    def __init__(self, start_s: float = 1000.0) -> None:
        super().__init__()
        self.time_s = start_s

    def now_s(self) -> float:
        return self.time_s + self.correction_s


def test_a_message_is_accepted_once() -> None:
    clock = HandClock()
    guard = ReplayGuard(clock)
    guard.check("a", 1000.0)
    with pytest.raises(Replayed):
        guard.check("a", 1000.0)
    guard.check("b", 1000.0)


@pytest.mark.parametrize("sent_s", [1000.0 - 61, 1000.0 + 61, math.nan, math.inf, -math.inf])
def test_a_message_of_another_time_is_refused(sent_s: float) -> None:
    with pytest.raises(Stale):
        ReplayGuard(HandClock()).check("a", sent_s)


def test_a_refused_message_is_not_remembered() -> None:
    guard = ReplayGuard(HandClock())
    with pytest.raises(Stale):
        guard.check("a", 0.0)
    assert len(guard) == 0


def test_memory_is_given_back_when_time_passes() -> None:
    clock = HandClock()
    guard = ReplayGuard(clock, window_s=60)
    for i in range(500):
        guard.check(str(i), clock.now_s())
        clock.time_s += 10
    assert len(guard) <= 14


@given(st.lists(st.tuples(st.integers(0, 60), st.floats(0, 30), st.floats(-70, 70)), max_size=200))
def test_no_message_is_ever_accepted_twice_and_memory_stays_bounded(steps: list[tuple[int, float, float]]) -> None:
    clock = HandClock()
    guard = ReplayGuard(clock, window_s=60, max_seen=16)
    accepted: dict[str, float] = {}
    for number, passed_s, offset_s in steps:
        clock.time_s += passed_s
        # A replay repeats the time of the first sending: it is signed.
        sent_s = accepted.get(str(number), clock.now_s() + offset_s)
        try:
            guard.check(str(number), sent_s)
        except (Replayed, Stale):
            continue
        assert str(number) not in accepted
        accepted[str(number)] = sent_s
        assert len(guard) <= 16


def test_a_flood_forgets_the_oldest_and_refuses_everything_before_them() -> None:
    clock = HandClock()
    guard = ReplayGuard(clock, max_seen=10)
    for i in range(20):
        guard.check(str(i), 1000.0 + i / 100)
    with pytest.raises(Stale):
        guard.check("0", 1000.0)
    guard.check("new", 1000.5)


def test_a_client_that_is_off_by_an_hour_is_right_after_one_answer() -> None:
    daemon, client = HandClock(1000.0), HandClock(4600.0)
    guard = ReplayGuard(daemon)
    with pytest.raises(Stale):
        guard.check("a", client.now_s())
    client.follow(daemon.now_s())
    guard.check("b", client.now_s())


def test_a_jump_of_the_wall_clock_changes_nothing_for_those_who_run(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon, client = SteadyClock(), SteadyClock()
    guard = ReplayGuard(daemon)
    monkeypatch.setattr("time.time", lambda: 0.0)
    guard.check("a", client.now_s())
