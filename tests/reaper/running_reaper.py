"""The stand-in for REAPER as a process: real Lua, driven line by line."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

FAKE = Path(__file__).parent / "fake"
SCRIPTS = Path(__file__).parents[2] / "plugins" / "reaper"
ANY_TIME_S = 120.0
APART_S = 0.01
TIED = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()


class Violation(AssertionError):
    """A script did what REAPER would not stand."""


class CallFailed(Exception):
    """A call to the stand-in raised an error."""


def lua_literal(value: Any) -> str:
    """A value as a Lua expression on one line."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str | Path):
        encoded = os.fsencode(value)
        plain = b"".join(bytes([c]) if 32 <= c < 127 and c not in b'"\\' else b"\\%03d" % c for c in encoded)
        return f'"{plain.decode("ascii")}"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"[{lua_literal(k)}] = {lua_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "{" + ", ".join(map(lua_literal, value)) + "}"
    raise TypeError(f"{type(value).__name__} has no Lua literal")


class RunningReaper:
    """REAPER's stand-in with its own resource folder; its processes end with it.

    Args:
        folder: Holds REAPER's resource folder.
        lua: The Lua program.
        luasocket: Whether scripts find LuaSocket.
        environment: Environment variables of REAPER and of what it starts.
        tick_limit_s: A script that holds the main thread longer is stopped.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lua: str = "lua5.4",
        luasocket: bool = False,
        environment: Mapping[str, str] | None = None,
        tick_limit_s: float = 10.0,
    ) -> None:
        self.resource_path = folder / "REAPER's resources"
        (self.resource_path / "Scripts").mkdir(parents=True, exist_ok=True)
        program = shutil.which(lua)
        assert program, f"{lua} is not installed: scripts/test says what the tests need"
        self.process = subprocess.Popen(
            [*TIED, program, str(FAKE / "run.lua"), str(FAKE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
        settings = {"resource_path": self.resource_path, "luasocket": luasocket, "tick_limit_s": tick_limit_s}
        self.call("configure", settings)

    def __enter__(self) -> RunningReaper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of `fake/host.lua`.

        Raises:
            CallFailed: It raised an error.
        """
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"return host.{name}({', '.join(map(lua_literal, arguments))})\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the stand-in has ended"
        answer = json.loads(line)
        if "error" in answer:
            raise CallFailed(answer["error"])
        return answer.get("value")

    def open_project(self, **description: Any) -> int:
        """Open a project in a new tab; see `fake/project.lua` for what describes it. Returns the tab's number."""
        return int(self.call("open_project", description))

    def project(self, tab: int = 1) -> dict[str, Any]:
        """All that is in a project."""
        return dict(self.call("project", tab))

    def install(self, folder: Path = SCRIPTS) -> Path:
        """Copy the scripts to where REAPER keeps them; returns their folder."""
        to = self.resource_path / "Scripts" / "ScoreBridge"
        if not to.exists():
            shutil.copytree(folder, to)
        return to

    def start(self, script: Path) -> int:
        """Run an action; returns the number of its script."""
        return int(self.call("start", script))

    def script(self, number: int = 1) -> dict[str, Any]:
        """How a script stands: `ended`, `problem` and `window`."""
        return dict(self.call("script", number))

    def texts(self, number: int = 1) -> list[str]:
        """What a script's window shows."""
        return [text["text"] for text in self.script(number)["window"]["texts"]]

    def tick(self, count: int = 1) -> bool:
        """Let ticks pass; returns whether a script still runs."""
        return bool(self.call("pass", count, APART_S))

    def until(self, condition: Callable[[], object], within_s: float = ANY_TIME_S) -> None:
        """Let ticks pass until something holds."""
        limit_s = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < limit_s, f"waited too long; {self.said()}"
            if not self.tick():
                assert condition(), f"the scripts ended before; {self.said()}"
                return
            self.check()

    def finish(self, within_s: float = ANY_TIME_S) -> None:
        """Let ticks pass until no script runs; fails where REAPER would have minded something."""
        limit_s = time.monotonic() + within_s
        while self.tick(5):
            assert time.monotonic() < limit_s, f"waited too long; {self.said()}"
            self.check()
        self.check()

    def report(self) -> dict[str, Any]:
        """What happened; see `fake/host.lua`."""
        return dict(self.call("report"))

    def said(self) -> str:
        """Dialogs and console, for messages of tests."""
        report = self.report()
        return f"dialogs {report['dialogs']}, console {report['console']!r}, violations {report['violations']}"

    def check(self) -> None:
        """Raise what REAPER would have minded.

        Raises:
            Violation: With every sentence.
        """
        if violations := self.report()["violations"]:
            raise Violation("\n".join(violations))

    def close(self) -> None:
        """End it, and what it started."""
        started: list[int] = []
        if self.process.poll() is None:
            with contextlib.suppress(CallFailed, AssertionError):
                started = self.report()["processes"]
        for number in started:
            with contextlib.suppress(psutil.Error, OSError):
                for child in psutil.Process(number).children(recursive=True):
                    child.kill()
                os.kill(number, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()
