"""A stream stays in step with its sender, whatever happens to its packets on the way."""

from __future__ import annotations

import random

import pytest

from bridge.live.clock import SourceClock

RATE = 48_000
PACKET = 300
PACKET_S = PACKET / RATE


class Sender:
    """Sends packets by a clock `ppm` faster than the receiver's; they come late: a little, now and then a lot."""

    def __init__(self, ppm: float = 0.0, jitter_s: float = 0.0, seed: int = 1) -> None:
        self._period_s = PACKET_S / (1 + ppm * 1e-6)
        self._jitter_s = jitter_s
        self._random = random.Random(seed)
        self._last_s = 0.0
        self.sent = 0

    def next(self) -> float:
        """When the next packet arrives."""
        self.sent += 1
        due_s = 100.0 + self.sent * self._period_s
        jitter_s = self._jitter_s * self._random.random()
        if self._random.random() < 0.03:
            jitter_s *= 10
        self._last_s = max(self._last_s, due_s + jitter_s)
        return self._last_s


def run(clock: SourceClock, sender: Sender, packets: int, lost: frozenset[int] = frozenset()) -> None:
    for number in range(packets):
        arrival_s = sender.next()
        if number not in lost:
            clock.heard(PACKET, arrival_s)


@pytest.mark.parametrize("jitter_s", [0.0, 0.001, 0.004])
def test_nothing_is_lost_where_nothing_is_lost(jitter_s: float) -> None:
    clock = SourceClock(RATE)
    run(clock, Sender(jitter_s=jitter_s), 160 * 60)
    assert (clock.lost_blocks, clock.late_blocks, clock.position) == (0, 0, 160 * 60 * PACKET)


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_lost_packets_are_counted_and_their_place_is_kept(share: float) -> None:
    chance = random.Random(2)
    packets = 160 * 60
    lost = frozenset(n for n in range(400, packets - 400) if chance.random() < share)
    clock = SourceClock(RATE)
    run(clock, Sender(jitter_s=0.003), packets, lost)
    assert clock.lost_blocks == pytest.approx(len(lost), abs=2)
    assert abs(clock.position - packets * PACKET) <= 2 * PACKET


def test_a_burst_of_losses_is_made_up_for_at_once() -> None:
    clock = SourceClock(RATE)
    run(clock, Sender(jitter_s=0.002), 3200, frozenset(range(1000, 1032)))
    assert clock.lost_blocks == 32
    assert clock.position == 3200 * PACKET


def test_packets_that_were_only_held_up_are_not_taken_for_lost() -> None:
    clock = SourceClock(RATE)
    sender = Sender()
    run(clock, sender, 800)
    held = [sender.next() for _ in range(32)]  # 0.2 s in one go
    for _ in held:
        clock.heard(PACKET, held[-1])
    run(clock, sender, 800)
    assert (clock.lost_blocks, clock.late_blocks, clock.position) == (0, 0, 1632 * PACKET)


def test_sound_that_comes_after_its_place_was_filled_with_silence_is_left_out() -> None:
    clock = SourceClock(RATE)
    sender = Sender()
    run(clock, sender, 800)
    held = [sender.next() for _ in range(160)]  # a second
    silence = clock.silence(held[-1])
    late = sum(clock.heard(PACKET, held[-1]).late for _ in held)
    run(clock, sender, 800)
    assert silence == pytest.approx(160 * PACKET, abs=PACKET)
    assert late == pytest.approx(160, abs=20)
    assert clock.position == pytest.approx(1760 * PACKET, abs=0.11 * RATE)


@pytest.mark.parametrize("ppm", [-120.0, 0.0, 35.0, 250.0])
def test_the_drift_of_the_senders_clock_is_measured(ppm: float) -> None:
    clock = SourceClock(RATE)
    run(clock, Sender(ppm=ppm, jitter_s=0.003), 160 * 300)
    assert clock.drift_ppm == pytest.approx(ppm, abs=3)
    assert clock.lost_blocks == 0


def test_drift_is_not_made_up_before_it_is_known() -> None:
    clock = SourceClock(RATE)
    run(clock, Sender(ppm=50), 160 * 10)
    assert clock.drift_ppm is None


def test_ten_hours_with_losses_and_drift_stay_in_step_and_small() -> None:
    """Packets of 100 ms: the same clock in a sixteenth of the steps."""
    clock = SourceClock(RATE)
    chance = random.Random(3)
    block, block_s = 4800, 0.1
    total = 10 * 3600 * 10
    lost = 0
    for number in range(1, total + 1):
        arrival_s = number * block_s * (1 - 80e-6) + chance.random() * 0.01
        if 100 < number < total - 100 and chance.random() < 0.01:
            lost += 1
            continue
        clock.heard(block, arrival_s)
    assert clock.position == pytest.approx(total * block, abs=2 * block)
    assert clock.lost_blocks == pytest.approx(lost, abs=2)
    assert clock.drift_ppm == pytest.approx(80, abs=5)
    assert len(clock._delays) <= 8
    assert len(clock._drift._bins) <= 120
