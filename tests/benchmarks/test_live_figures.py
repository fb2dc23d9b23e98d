"""The figures of live sessions are what they are called."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.live import onset_f1, stepped_hours, timing
from benchmarks.live_band import PACKET_FRAMES, Ears, Piece, generated, latencies, lost_packets, packets
from protocol import reastream

RATE = 48_000


@pytest.fixture
def piece() -> Piece:
    """Three notes; their packets leave one after another from second 100 on."""
    return Piece("three", np.zeros(RATE, np.float32), RATE, np.array([[0.1, 0.2, 60], [0.3, 0.4, 64], [0.5, 0.6, 60]]))


def left_s() -> np.ndarray:
    return 100.0 + np.arange(RATE // PACKET_FRAMES) * PACKET_FRAMES / RATE


def test_latency_is_from_the_packet_that_holds_the_onset_to_the_note_on(piece: Piece) -> None:
    ears = Ears([(100.15, 60, 80), (100.2, 60, 0), (100.37, 64, 80), (100.58, 60, 80), (100.6, 99, 80)])
    ears.close()
    assert latencies(piece, left_s(), ears) == pytest.approx([0.05, 0.07, 0.08], abs=PACKET_FRAMES / RATE)
    assert ears.down == 3


def test_a_note_that_is_not_told_of_has_no_latency(piece: Piece) -> None:
    ears = Ears([(100.8, 64, 80), (101.5, 60, 80)])
    ears.close()
    assert len(latencies(piece, left_s(), ears)) == 1  # the second one came, late; the others' keys went down too late
    assert timing([]) == {"notes": 0.0, "median": 0.0, "p95": 0.0}


def test_packets_are_lost_as_often_as_is_said_and_in_bursts() -> None:
    lost = lost_packets(20_000, 0.05, 16)
    assert len(lost) == pytest.approx(1000, rel=0.3)
    runs = sum(number - 1 not in lost for number in lost)
    assert len(lost) / runs > 12


def test_a_generated_piece_sounds_where_its_notes_are() -> None:
    made = generated(7, 4.0)
    onset = int(made.notes[0, 0] * made.sample_rate)
    before, after = made.sound[onset - 2400 : onset], made.sound[onset : onset + 2400]
    assert np.abs(after).max() > 10 * np.abs(before).max()
    sent = [reastream.decode(datagram) for datagram in packets(made, "x")]
    heard = np.concatenate([packet.channels[0] for packet in sent if isinstance(packet, reastream.AudioPacket)])
    np.testing.assert_array_equal(heard.astype(np.float32), made.sound)
    assert onset_f1(made, made.notes) == 1.0
    assert onset_f1(made, made.notes + np.array([0.06, 0.06, 0])) < 0.2


def test_hours_are_stepped_without_growth() -> None:
    figures = stepped_hours(0.2)
    assert figures["stepped.growth_mb"] < 1
    assert figures["stepped.out_of_step_ms"] < 250
    assert figures["stepped.stuck"] == 0
