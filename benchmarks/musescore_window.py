"""A real MuseScore 3 on a screen of its own, driven by keyboard, with the plugin in a fresh profile.

The tests in `tests/musescore` drive it, too, and keep screenshots in `SCREENSHOTS`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

ANY_TIME_S = 60.0
TIED = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
SCREENSHOTS = Path(__file__).resolve().parents[1] / "build" / "musescore-screenshots"

SETTINGS = """[application]
startup\\firstStart=false
paths\\myPlugins={plugins}
[ui]
application\\startup\\showStartCenter=false
application\\startup\\showTours=false
application\\startup\\showSplashScreen=false
application\\startup\\checkUpdate=false
application\\globalStyle={style}
"""
PLUGINS = """<?xml version="1.0" encoding="UTF-8"?>
<museScore version="3.01"><Plugin><path>{plugins}/ScoreBridge/ScoreBridge.qml</path><load>1</load>
<SC><key>plugin-ScoreBridge</key></SC></Plugin></museScore>
"""


class Screen:
    """An X server without a monitor."""

    def __init__(self, size: str = "1280x900") -> None:
        assert shutil.which("Xvfb"), "Xvfb is missing: apt install xvfb"
        read_end, write_end = os.pipe()
        self._server = subprocess.Popen(
            [
                *TIED,
                "Xvfb",
                "-displayfd",
                str(write_end),
                "-screen",
                "0",
                f"{size}x24",
                "-dpi",
                "96",
                "-nolisten",
                "tcp",
                "-noreset",
            ],
            pass_fds=(write_end,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write_end)
        with os.fdopen(read_end) as answer:
            self.name = f":{answer.readline().strip()}"

    def close(self) -> None:
        self._server.kill()
        self._server.wait()


class MuseScore:
    """One run of `mscore3`, with ScoreBridge in its Plugins menu.

    Args:
        screen: Where its windows are.
        folder: A fresh folder for its home, its profile and what it says.
        plugins: Folder that holds the installed plugin.
        score: What it opens.
        environment: Beside the usual variables.
    """

    def __init__(
        self, screen: Screen, folder: Path, plugins: Path, score: Path | None, *, dark: bool = False, **environment: str
    ) -> None:
        for program in ("mscore3", "xdotool", "import"):
            assert shutil.which(program), f"{program} is missing: apt install musescore3 xdotool imagemagick"
        profile = folder / "profile"
        (profile / "MuseScore").mkdir(parents=True)
        settings = SETTINGS.format(plugins=plugins, style=0 if dark else 1)
        (profile / "MuseScore" / "MuseScore3.ini").write_text(settings)
        (profile / "plugins.xml").write_text(PLUGINS.format(plugins=plugins))
        self._log = folder / "said.txt"
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "QT_QPA_PLATFORM"},
            "DISPLAY": screen.name,
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            **environment,
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*TIED, "mscore3", "-d", "-w", "-c", str(profile), *([str(score)] if score else [])],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        self._heard = 0  # of the log, by `hears`
        self.main = self._window("MuseScore")
        self.until(lambda: "STATE_NORMAL" in self.said() or score is None, "the score is not there")
        time.sleep(0.5)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    # ---- looking ---------------------------------------------------------------------------------------------------

    def said(self) -> str:
        """What it wrote to its terminal."""
        return self._log.read_text("utf-8", "replace")

    def hears(self, pattern: str, within_s: float = ANY_TIME_S) -> re.Match[str]:
        """Wait until the dialog says something that it has not said to this function before."""
        found: list[re.Match[str]] = []

        def heard() -> bool:
            text = self.said()
            match = re.compile(pattern).search(text, self._heard)
            if match:
                found.append(match)
                self._heard = match.end()
            return bool(match)

        self.until(heard, f"{pattern!r} was not said", within_s)
        return found[0]

    def until(self, condition: Callable[[], bool], otherwise: str, within_s: float = ANY_TIME_S) -> None:
        limit_s = time.monotonic() + within_s
        while not condition():
            told = "\n".join(line for line in self.said().splitlines() if "qml" in line.lower() or "Bridge" in line)
            assert self.process.poll() is None, f"MuseScore ended: {self.said()[-2000:]}"
            if time.monotonic() > limit_s:
                self.picture("it-did-not-happen")
                raise AssertionError(f"{otherwise}; the dialog said:\n{told}")
            time.sleep(0.05)

    def title(self) -> str:
        """The main window's title: the score's name, with an asterisk when it was changed."""
        return self._xdotool("getwindowname", self.main)

    def picture(self, name: str, window: str = "root") -> Path:
        """Keep what the screen (or a window) shows, once it is drawn."""
        time.sleep(0.3)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        subprocess.run(["import", "-window", window, str(path)], env=self._environment, check=True, timeout=60)
        return path

    # ---- doing -----------------------------------------------------------------------------------------------------

    def focus(self, window: str) -> None:
        self._xdotool("windowfocus", "--sync", window)
        time.sleep(0.15)

    def focused(self) -> str:
        """The window that has the keyboard."""
        return self._xdotool("getwindowfocus")

    def keys(self, *names: str) -> None:
        """Press keys, wherever the keyboard is."""
        for name in names:
            self._xdotool("key", name)
            time.sleep(0.12)

    def type(self, text: str) -> None:
        self._xdotool("type", "--delay", "3", text)
        time.sleep(0.2)

    def open_dialog(self) -> str:
        """Open the plugin from its menu, by keyboard; returns the dialog's window."""
        self.focus(self.main)
        self.keys("alt+p", "Up", "Return")  # the last entry of the Plugins menu
        dialog = self._window("^ScoreBridge$")
        self.focus(dialog)
        return dialog

    def save(self, score: Path) -> None:
        """Save the score in front."""
        before = score.stat().st_mtime_ns
        self.focus(self.main)
        self.keys("Escape", "ctrl+s")
        self.until(lambda: score.stat().st_mtime_ns != before and "*" not in self.title(), "the score was not saved")

    def _window(self, name: str) -> str:
        found: list[str] = []

        def there() -> bool:
            with contextlib.suppress(subprocess.CalledProcessError):
                found[:] = self._xdotool("search", "--onlyvisible", "--name", name).split()
            return bool(found)

        self.until(there, f"there is no window {name!r}")
        return found[-1]

    def _xdotool(self, *words: str) -> str:
        ran = subprocess.run(
            ["xdotool", *words], env=self._environment, check=True, timeout=30, capture_output=True, text=True
        )
        return ran.stdout.strip()


def converted(score: Path, target: Path) -> Path:
    """Let MuseScore itself write a score in another format."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run(
        ["mscore3", "-o", str(target), str(score)], env=environment, check=True, timeout=120, capture_output=True
    )
    return target
