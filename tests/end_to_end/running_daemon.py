"""The real daemon as a process of its own, in folders of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from protocol.client import Client
from protocol.connection import read_connection
from protocol.errors import ProtocolError
from protocol.messages import BytesSource, State, Submit

LONG = 400_000  # notes: some seconds of work
ANY_TIME_S = 40.0
# Killed tests take no daemon down: the system does.
TIED = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()


def midi_bytes(notes: int = 1) -> bytes:
    """A MIDI file of one track: notes one after another."""
    played = b"".join(b"\x00\x90" + bytes([40 + i % 40, 80, 30, 0x80, 40 + i % 40, 80]) for i in range(notes))
    track = played + b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(track)) + track


def until(condition: Callable[[], bool], within_s: float = ANY_TIME_S) -> None:
    """Wait until something holds."""
    limit_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < limit_s, "waited too long"
        time.sleep(0.005)


class RunningDaemon:
    """`python -m bridge.daemon`.

    Args:
        folder: Holds the data, the runtime folder and the music.
        settings: Environment variables without their prefix: `WORKERS="2"`.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = Path(settings.pop("DATA", str(folder / "data")))
        self.connection_file = folder / "run" / "connection.json"
        self.environment = {
            **os.environ,
            "SCOREBRIDGE_CONFIG": str(folder / "no-config.toml"),
            "SCOREBRIDGE_RUNTIME": str(folder / "run"),
            "SCOREBRIDGE_DATA": str(self.data),
            "SCOREBRIDGE_WORKERS": "1",
            **{f"SCOREBRIDGE_{name}": value for name, value in settings.items()},
        }
        self.process: subprocess.Popen[str] | None = None
        self.client: Client | None = None

    def start(self) -> RunningDaemon:
        """Start it and connect."""
        self.spawn()
        until(lambda: self.connected_to(self.running), within_s=10)
        self.client = Client(read_connection(self.connection_file))
        return self

    def spawn(self) -> subprocess.Popen[str]:
        """Start it without waiting; the one before it has ended."""
        assert self.process is None or self.process.poll() is not None, "it would be left running"
        self.process = subprocess.Popen(
            [*TIED, sys.executable, "-m", "bridge.daemon"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.process

    def connected_to(self, process: subprocess.Popen[str]) -> bool:
        """Whether the connection file is this process's."""
        assert process.poll() is None, process.communicate()[0]
        with contextlib.suppress(ProtocolError):
            return read_connection(self.connection_file).pid == process.pid
        return False

    @property
    def running(self) -> subprocess.Popen[str]:
        assert self.process is not None
        return self.process

    @property
    def connected(self) -> Client:
        assert self.client is not None
        return self.client

    def submit(self, job: str, notes: int = 1, **fields: object) -> object:
        """Send a MIDI file of so many notes to be written anew."""
        submit = Submit.model_validate(
            {"job": job, "source": BytesSource(format="mid", name="piece.mid"), "target": ["mid"]} | fields
        )
        return self.connected.submit(submit, [midi_bytes(notes)])

    def ended(self, job: str) -> State:
        """Wait for a job's end."""
        until(lambda: self.connected.status(job).phase not in ("queued", "running"))
        return self.connected.status(job)

    def until_running(self, job: str) -> None:
        """Wait until a job is being worked on."""
        until(lambda: self.connected.status(job).stage != "")

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        return [p for p in psutil.Process(self.running.pid).children() if "bridge.worker" in p.cmdline()]

    def kill(self) -> None:
        """End it as the system does when memory runs out."""
        self.disconnect()
        self.running.kill()
        self.running.communicate()

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it politely; returns its status and what it said."""
        self.disconnect()
        self.running.send_signal(number)
        said, _ = self.running.communicate(timeout=10)
        return self.running.returncode, said

    def disconnect(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None

    def close(self) -> None:
        """Take it down, however it stands."""
        self.disconnect()
        if self.process is not None and self.process.stdout is not None and not self.process.stdout.closed:
            self.process.kill()
            self.process.communicate()
