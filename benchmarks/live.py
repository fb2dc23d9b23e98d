"""Live sessions: how soon a note is told of, how well it is heard, and what that costs.

    python -m benchmarks.live --data DIR --json FILE [--seconds 20] [--long]

The recordings of `DIR/eval/audio` and generated ones are sent as ReaStream packets in real time to a daemon of its own;
notes come back by OSC. Latency is from the departure of the packet that holds an onset to the arrival of its note-on.
"""

from __future__ import annotations

import argparse
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import report
from benchmarks.eval_audio import recordings
from benchmarks.live_band import Ears, Piece, generated, latencies, lost_packets, packets, piece_of, send
from benchmarks.own_daemon import OwnDaemon
from protocol.client import Client
from protocol.errors import DaemonError
from protocol.live import LiveKeep, LiveStart

LOSSES = {"lossless": (0.0, 1), "loss_1_percent": (0.01, 1), "loss_5_percent": (0.05, 1), "loss_bursts": (0.05, 16)}
SENDERS = 8
SOAK_S = 20 * 60.0
STARTING = threading.Lock()  # a session's process is told by being new
AIMS: Mapping[str, tuple[str, float | str]] = {
    "latency_ms.all.median": ("≤", 150.0),
    "latency_ms.all.p95": ("≤", 250.0),
    "latency_ms.generated.median": ("≤", 150.0),
    "latency_ms.generated.p95": ("≤", 250.0),
    "cpu_share": ("≤", 0.35),
    "stuck": ("=", 0.0),
    "f1_below_offline": ("≤", 0.03),
    "senders_8.stuck": ("=", 0.0),
    "soak.stuck": ("=", 0.0),
    "stepped.stuck": ("=", 0.0),
    "stepped.growth_mb": ("≤", 1.0),
    "soak.session_growth_mb": ("≤", 5.0),
    "soak.daemon_growth_mb": ("≤", 5.0),
}
"""Figure → what it should be."""


@dataclass(frozen=True)
class Heard:
    """What came of one piece.

    Attributes:
        latencies: Of notes that were told of, in seconds.
        notes: Confirmed ones, shape (n, 3).
        cpu: Of the session's process, as a share of one core.
        stuck: Keys that were left down.
    """

    latencies: list[float]
    notes: np.ndarray
    cpu: float
    stuck: int
    lost: int


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measures live sessions.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds eval/audio")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each recording")
    parser.add_argument("--long", action="store_true", help="also twenty minutes in real time")
    parser.add_argument("--soak", type=float, default=SOAK_S, help="seconds that --long takes in real time")
    arguments = parser.parse_args()
    pieces = [piece_of(r, arguments.seconds) for r in recordings(arguments.data / "eval" / "audio") if r.is_truth]
    pieces += [generated(seed, arguments.seconds) for seed in (1, 2)]
    figures: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    with OwnDaemon(LIVE_SESSIONS=str(SENDERS)) as daemon, Client(daemon.connection) as client:
        measure_pieces(client, pieces, figures, rows)
        measure_losses(client, pieces[-2:] + pieces[:2], figures, rows)
        measure_band(client, generated(3, arguments.seconds), figures, rows)
        if arguments.long:
            measure_soak(client, daemon, arguments.soak, figures, rows)
    figures |= refusal()
    figures |= stepped_hours(10.0)
    report.write(figures, rows, arguments.json, "Live sessions")


def measure_pieces(
    client: Client, pieces: Sequence[Piece], figures: dict[str, float], rows: list[dict[str, Any]]
) -> None:
    """Latency, F1 and cost of each piece by itself."""
    every: list[float] = []
    exact: list[float] = []
    shares: dict[str, list[float]] = {"live": [], "at_once": [], "offline_live": [], "offline": []}
    cpu: list[float] = []
    for piece in pieces:
        heard = played(client, piece)
        f1 = {"live": onset_f1(piece, heard.notes), **offline_f1(piece)}
        rows.append({"piece": piece.name, **timing(heard.latencies), **f1, "CPU": heard.cpu, "stuck": heard.stuck})
        every += heard.latencies
        exact += heard.latencies if piece.exact else []
        cpu.append(heard.cpu)
        for name, share in f1.items():
            shares[name].append(share)
    figures["stuck"] = float(sum(int(row["stuck"]) for row in rows))
    for name, measured in (("all", every), ("generated", exact)):
        figures |= {f"latency_ms.{name}.{k}": 1000 * v for k, v in timing(measured).items() if k != "notes"}
    figures |= {f"onset_f1.{name}": float(np.mean(values)) for name, values in shares.items()}
    figures["f1_below_offline"] = figures["onset_f1.offline"] - figures["onset_f1.live"]
    figures["cpu_share"] = float(np.median(cpu))


def measure_losses(
    client: Client, pieces: Sequence[Piece], figures: dict[str, float], rows: list[dict[str, Any]]
) -> None:
    """What lost packets cost."""
    for name, (share, burst) in LOSSES.items():
        found = [played(client, piece, share, burst) for piece in pieces]
        f1 = float(np.mean([onset_f1(p, h.notes) for p, h in zip(pieces, found, strict=True)]))
        stuck = sum(h.stuck for h in found)
        figures |= {f"{name}.onset_f1": f1, f"{name}.stuck": stuck, f"{name}.counted": sum(h.lost for h in found)}
        rows.append({"piece": name, **timing([x for h in found for x in h.latencies]), "live": f1, "stuck": stuck})


def measure_band(client: Client, piece: Piece, figures: dict[str, float], rows: list[dict[str, Any]]) -> None:
    """Eight senders at once on one port."""
    port, found = _free_port(), dict[int, Heard]()

    def member(number: int) -> None:
        found[number] = played(client, piece, port=port, identifier=f"player {number}")

    players = [threading.Thread(target=member, args=[number]) for number in range(SENDERS)]
    for player in players:
        player.start()
    for player in players:
        player.join()
    all_latencies = [latency for heard in found.values() for latency in heard.latencies]
    measured = timing(all_latencies)
    f1 = float(np.mean([onset_f1(piece, heard.notes) for heard in found.values()]))
    figures |= {f"senders_8.latency_ms.{k}": 1000 * v for k, v in measured.items() if k != "notes"}
    figures |= {"senders_8.onset_f1": f1, "senders_8.stuck": sum(h.stuck for h in found.values())}
    figures["senders_8.cpu_share_each"] = float(np.mean([h.cpu for h in found.values()]))
    rows.append(
        {"piece": f"{SENDERS} senders at once", **measured, "live": f1, "CPU": figures["senders_8.cpu_share_each"]}
    )


def measure_soak(
    client: Client, daemon: OwnDaemon, seconds: float, figures: dict[str, float], rows: list[dict[str, Any]]
) -> None:
    """Real time for long: memory of session and daemon, and latency, at the beginning and at the end."""
    piece = generated(4, 60.0)
    rounds = max(2, int(seconds // 60))
    whole = Piece("soak", np.tile(piece.sound, rounds), piece.sample_rate, _repeated(piece, rounds))
    memory: list[tuple[float, float]] = []

    def watch(process: psutil.Process) -> None:
        memory.append((process.memory_info().rss / 1e6, daemon.daemon_mb))

    heard = played(client, whole, watch=watch)
    third = max(1, len(heard.latencies) // 3)
    first, last = (np.median(part) for part in (heard.latencies[:third], heard.latencies[-third:]))
    settled = memory[max(1, len(memory) // 10)]  # loading is over
    figures |= {
        "soak.minutes": rounds,
        "soak.session_growth_mb": memory[-1][0] - settled[0],
        "soak.daemon_growth_mb": memory[-1][1] - settled[1],
        "soak.session_mb": memory[-1][0],
        "soak.latency_ms.first_third": 1000 * float(first),
        "soak.latency_ms.last_third": 1000 * float(last),
        "soak.stuck": heard.stuck,
    }
    rows.append({"piece": f"{rounds} minutes", **timing(heard.latencies), "CPU": heard.cpu, "stuck": heard.stuck})


def _repeated(piece: Piece, rounds: int) -> np.ndarray:
    length_s = len(piece.sound) / piece.sample_rate
    return np.concatenate([piece.notes + np.array([k, k, 0]) * length_s for k in range(rounds)])


def played(
    client: Client,
    piece: Piece,
    share: float = 0.0,
    burst: int = 1,
    *,
    port: int = 0,
    identifier: str = "piano",
    watch: Any = None,
) -> Heard:
    """Play a piece to a session of its own."""
    port = port or _free_port()
    ears, live = Ears(), str(uuid.uuid4())
    source = {"kind": "reastream", "identifier": identifier, "port": port}
    fields = {"live": live, "source": source, "destinations": [f"reaper:{ears.port}"], "formats": []}
    with STARTING:
        before = {child.pid for child in _sessions()}
        client.live.start(LiveStart.model_validate(fields))
        process = next((child for child in _sessions() if child.pid not in before), None)
    datagrams = packets(piece, identifier)
    lost = lost_packets(len(datagrams), share, burst) if share else frozenset()
    used_s, begun_s = _cpu_s(process), time.monotonic()
    stop = threading.Event()
    if watch is not None and process is not None:
        threading.Thread(target=_watched, args=[watch, process, stop], daemon=True).start()
    left_s = send(port, datagrams, piece.sample_rate, lost)
    time.sleep(0.4)
    cpu = (_cpu_s(process) - used_s) / (time.monotonic() - begun_s)
    stop.set()
    state = client.live.status(live)
    client.live.stop(live)
    kept = client.live.keep(LiveKeep(live=live, seconds=None)).notes
    time.sleep(0.1)
    ears.close()
    notes = np.array([[n.onset, n.offset, n.pitch] for n in kept]).reshape(-1, 3)
    return Heard(latencies(piece, left_s, ears), notes, cpu, ears.down, state.lost)


def _watched(watch: Any, process: psutil.Process, stop: threading.Event) -> None:
    while not stop.wait(2.0):
        watch(process)


def _sessions() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if any("bridge.live.worker" in word for word in child.cmdline())]


def _cpu_s(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = process.cpu_times()
    return float(times.user + times.system)


def _free_port() -> int:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def timing(measured: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile in seconds."""
    if not measured:
        return {"notes": 0.0, "median": 0.0, "p95": 0.0}
    return {
        "notes": float(len(measured)),
        "median": float(np.median(measured)),
        "p95": float(np.percentile(measured, 95)),
    }


def onset_f1(piece: Piece, notes: np.ndarray) -> float:
    """F1 of notes by onset (50 ms) and pitch (half a semitone)."""
    import mir_eval

    if not len(notes) or not len(piece.notes):
        return 0.0
    hertz = [440 * 2 ** ((found[:, 2] - 69) / 12) for found in (piece.notes, notes)]
    _, _, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(
        _intervals(piece.notes), hertz[0], _intervals(notes), hertz[1], offset_ratio=None
    )
    return float(f1)


def _intervals(notes: np.ndarray) -> np.ndarray:
    return np.column_stack([notes[:, 0], np.maximum(notes[:, 1], notes[:, 0] + 0.01)])


def offline_f1(piece: Piece) -> Mapping[str, float]:
    """The same listener on the whole sound at once, what it told of first, and the same network read offline."""
    import soxr

    from bridge.live.readers import READERS, opener
    from model_runtime.modality import SampledAudio
    from model_runtime.unified.audio_reader import AudioReader

    listener = opener(next(iter(READERS)))()
    sound = soxr.resample(piece.sound, piece.sample_rate, listener.sample_rate)
    words = [*listener.listen(np.asarray(sound, np.float32)), *listener.finish()]
    first = {word.number: word for word in reversed(words)}.values()
    last = {word.number: word for word in words}.values()
    at_once, live = (
        np.array([[w.onset_s, w.offset_s or w.onset_s + 0.1, w.pitch] for w in kept]).reshape(-1, 3)
        for kept in (
            [word for word in first if word.phase == "provisional"],
            [word for word in last if word.phase != "withdrawn"],
        )
    )
    read = AudioReader().read(SampledAudio(piece.sound[:, None], piece.sample_rate)).notes
    late = np.array([[n.onset_s, n.offset_s or n.onset_s + 0.1, n.pitch] for n in read]).reshape(-1, 3)
    found = {"at_once": at_once, "offline_live": live, "offline": late}
    return {name: onset_f1(piece, notes) for name, notes in found.items()}


def refusal() -> dict[str, float]:
    """How many sessions a daemon takes here before it refuses another with a sentence."""
    with OwnDaemon() as daemon, Client(daemon.connection) as client:
        for taken in range(64):
            try:
                client.live.start(LiveStart.model_validate({"source": f"reastream:{taken}@{49_000}", "formats": []}))
            except DaemonError as error:
                assert error.code == "busy", error
                return {"sessions_taken": taken}
    return {"sessions_taken": 64.0}


def stepped_hours(hours: float) -> dict[str, float]:
    """Hours of packets and notes with a stepped clock: what a session keeps of them, in memory and out of step."""
    import tracemalloc

    from bridge.live.heard import Heard as Word
    from bridge.live.keyboard import Keyboard
    from bridge.live.measures import Latency
    from bridge.live.sources.base import Counts
    from bridge.live.sources.stream import Stream

    rate, frames = 48_000, 4_800
    stream, keyboard, latency = Stream(rate, Counts()), Keyboard(), Latency()
    random = np.random.default_rng(6)
    sound = random.standard_normal((64, frames)).astype(np.float32)
    blocks, at, sent = int(hours * 36_000), 0, 0
    sizes = []
    tracemalloc.start()
    for number in range(blocks):
        now_s = (number + 1) * 0.1 * (1 - 50e-6) + 0.005 * random.random()
        if random.random() < 0.01:
            continue
        at += sum(len(block.samples) + block.skipped for block in stream.take(sound[number % 64] + number, now_s))
        latency.arrived(at / rate, now_s)
        latency.told(at / rate - 0.05, now_s)
        for phase, offset_s in (("provisional", None), ("corrected", now_s)):
            strokes = keyboard.take(Word(sent, phase, sent % 128, now_s - 0.1, offset_s, 80, 0.9), now_s)  # type: ignore[arg-type]
            assert len(strokes) == 1
        sent += 1
        if number in (blocks // 10, blocks - 2) or number == blocks - 1:
            sizes.append(tracemalloc.get_traced_memory()[0] / 1e6)
    tracemalloc.stop()
    return {
        "stepped.hours": hours,
        "stepped.growth_mb": sizes[-1] - sizes[0],
        "stepped.out_of_step_ms": 1000 * abs(at / rate - blocks * 0.1),
        "stepped.stuck": len(keyboard.down),
    }


if __name__ == "__main__":
    main()
