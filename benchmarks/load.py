"""Load: fifty clients, a thousand short jobs, twice; and broken input at every door.

    python -m benchmarks.load --json benchmarks/results/load.json

Every client sends its jobs at once over a connection of its own. Each job holds one note that no other job holds, so
that a lost, doubled or swapped result shows. One subscriber hears every event and counts the ends.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import struct
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import zmq
import zmq.asyncio

from benchmarks import malformed, report
from benchmarks.own_daemon import OwnDaemon
from protocol import wire
from protocol.async_client import AsyncClient
from protocol.connection import Connection
from protocol.messages import TERMINAL_EVENTS, BytesSource, Done, Submit

CLIENTS = 50
JOBS = 1000
MALFORMED = 200
PATIENCE_S = 300.0
SETTLING_S = 5.0  # the daemon gives memory back some seconds after the last job


@dataclass
class Round:
    """What came of one round of jobs.

    Attributes:
        asked: Job id → its note: (pitch, velocity).
        results: Job id → the note that came back.
        ends: Job id → how many terminal events were heard.
        seconds: From the first submit to the last end.
    """

    asked: dict[str, tuple[int, int]] = field(default_factory=dict)
    results: dict[str, tuple[int, int]] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def lost(self) -> int:
        """Jobs that did not end with their own result."""
        return sum(self.results.get(job) != note for job, note in self.asked.items())

    @property
    def doubled(self) -> int:
        """Jobs whose end was told more than once."""
        return sum(count > 1 for count in self.ends.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure the daemon under load.")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--jobs", type=int, default=JOBS)
    chosen = parser.parse_args(arguments)
    figures = asyncio.run(_measured(chosen.clients, chosen.jobs))
    report.write(figures, [{"figure": name, "value": value} for name, value in figures.items()], chosen.json, "Load")


async def _measured(clients: int, jobs: int) -> dict[str, float]:
    with OwnDaemon(LOG_LEVEL="ERROR") as daemon:
        await _hello(daemon.connection)
        await asyncio.sleep(SETTLING_S)
        figures = {
            "clients": clients,
            "jobs": jobs,
            "daemon_before_mb": daemon.daemon_mb,
        }
        first = await _round(daemon.connection, clients, jobs)
        await asyncio.sleep(SETTLING_S)
        after_first_mb = daemon.daemon_mb
        second = await _round(daemon.connection, clients, jobs)
        await asyncio.sleep(SETTLING_S)
        figures |= {
            "jobs_lost": first.lost + second.lost,
            "jobs_doubled": first.doubled + second.doubled,
            "jobs_per_s": 2 * jobs / (first.seconds + second.seconds),
            "daemon_after_first_round_mb": after_first_mb,
            "daemon_after_second_round_mb": daemon.daemon_mb,
            "daemon_growth_mb": daemon.daemon_mb - after_first_mb,
        }
        answered = await malformed.survived(daemon.connection, MALFORMED)
        await _hello(daemon.connection)
        third = await _round(daemon.connection, 1, 5)
        figures |= {
            "malformed_sent": MALFORMED * len(answered),
            "malformed_survived": sum(answered.values()),
            "jobs_lost_after_malformed": third.lost,
        }
        return figures


async def _hello(connection: Connection) -> None:
    async with AsyncClient(connection) as client:
        await client.hello()


async def _round(connection: Connection, clients: int, jobs: int) -> Round:
    """Let `clients` send `jobs` in all, and wait for every end."""
    counted = Round()
    for number in range(jobs):
        counted.asked[str(uuid.uuid4())] = (number % 100 + 10, number // 100 % 120 + 1)
    listening = asyncio.create_task(_count_ends(connection, counted))
    await asyncio.sleep(0.2)  # the subscription reaches the daemon
    names = list(counted.asked)
    started = time.perf_counter()
    await asyncio.gather(*(_client(connection, names[i::clients], counted) for i in range(clients)))
    counted.seconds = time.perf_counter() - started
    await asyncio.sleep(0.5)  # whatever would be told twice
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await _fetch(connection, counted)
    return counted


async def _client(connection: Connection, names: Sequence[str], counted: Round) -> None:
    async with AsyncClient(connection, timeout_s=PATIENCE_S) as client:

        async def one(job: str) -> None:
            submit = Submit(job=job, source=BytesSource(format="mid"), target=["mid"])
            async for event in client.run(submit, [_midi(*counted.asked[job])]):
                if isinstance(event, Done):
                    counted.results[job] = (0, 0)  # until it is fetched

        await asyncio.gather(*(one(job) for job in names))


async def _fetch(connection: Connection, counted: Round) -> None:
    async with AsyncClient(connection, timeout_s=PATIENCE_S) as client:
        for job in list(counted.results):
            counted.results[job] = _note(await client.result(job))


async def _count_ends(connection: Connection, counted: Round) -> None:
    context = zmq.asyncio.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.subscribe(b"")
    socket.connect(connection.endpoint(connection.events_port))
    try:
        while True:
            message = wire.decode(await socket.recv_multipart(), connection.key.encode()).message
            if message.type in TERMINAL_EVENTS:
                counted.ends[message.content["job"]] += 1
    finally:
        socket.close(linger=0)
        context.term()


def _midi(pitch: int, velocity: int) -> bytes:
    """A MIDI file of one note."""
    track = bytes([0, 0x90, pitch, velocity, 0x60, 0x80, pitch, 0, 0, 0xFF, 0x2F, 0])
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(track)) + track


def _note(content: bytes) -> tuple[int, int]:
    import mido

    notes = [m for m in mido.MidiFile(file=io.BytesIO(content)) if m.type == "note_on" and m.velocity]
    return (notes[0].note, notes[0].velocity) if len(notes) == 1 else (-1, len(notes))


if __name__ == "__main__":
    main()
