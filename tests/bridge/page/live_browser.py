"""What a person at the live page has: a browser, a daemon that can be started anew, and a keyboard in REAPER."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement

from protocol import reastream
from protocol.connection import Connection, read_connection
from protocol.errors import DaemonNotRunning
from protocol.page import page_link

PATIENCE_S = 40.0
T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """What `look` returns once it is true."""
    end_s = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < end_s, f"in {patience_s:.0f} s {what} did not come"
        time.sleep(0.1)
    return found


class OwnDaemon:
    """A daemon over folders of its own, which can be ended and started again."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Connection:
        environment = os.environ | {
            "SCOREBRIDGE_RUNTIME": str(self.folder / "runtime"),
            "SCOREBRIDGE_DATA": str(self.folder / "data"),
            "SCOREBRIDGE_CONFIG": str(self.folder / "none.toml"),
            "SCOREBRIDGE_ROOTS": str(self.folder),
            "OMP_NUM_THREADS": "1",
            **self.settings,
        }
        tied = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
        command = [*tied, sys.executable, "-m", "bridge.daemon"]
        process = self.process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

        def ready() -> Connection | None:
            assert process.poll() is None, "the daemon does not start"
            try:
                connection = read_connection(self.folder / "runtime" / "connection.json")
            except DaemonNotRunning:
                return None
            return connection if connection.pid == process.pid else None

        self.connection = wait_for("the daemon", ready)
        return self.connection

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(30)

    def ask(self, kind: str, **content: Any) -> Any:
        """The content of the answer to a request."""
        server = http.client.HTTPConnection("127.0.0.1", self.connection.http_port, timeout=60)
        body = json.dumps({"type": kind, "content": content})
        server.request("POST", "/api/message", body, {"X-ScoreBridge-Token": self.connection.token})
        answer = json.loads(server.getresponse().read())
        server.close()
        assert answer["type"] != "error", answer["content"]
        return answer["content"]


class Keyboard:
    """Plays in common time at 120 beats a minute, as MIDI over ReaStream, until it is stopped.

    A bar lasts two seconds: a bass note, chords on the other beats, and a melody in eighths in C major.
    """

    MELODY = (72, 74, 76, 77, 79, 77, 76, 74)

    def __init__(self, port: int = reastream.PORT, identifier: str = "keys") -> None:
        self.port = port
        self.identifier = identifier
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def _play(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            begin_s = time.monotonic()
            for eighth in range(20_000):
                if self._ending.wait(max(0.0, begin_s + 0.25 * eighth - time.monotonic())):
                    return
                on_beat = {0: [36], 2: [52, 55], 4: [52, 55], 6: [52, 55]}.get(eighth % 8, [])
                pitches = [*on_beat, self.MELODY[eighth % 8]]
                self._send(out, [(0x90, pitch, 90) for pitch in pitches])
                self._ending.wait(0.2)
                self._send(out, [(0x80, pitch, 0) for pitch in pitches])

    def _send(self, out: socket.socket, messages: list[tuple[int, int, int]]) -> None:
        events = tuple((0, bytes([*message, 0])) for message in messages)
        out.sendto(reastream.encode(reastream.MidiPacket(self.identifier, events)), ("127.0.0.1", self.port))


class LivePage:
    """The live page in a headless Chromium."""

    def __init__(self, downloads: Path) -> None:
        self.downloads = downloads
        program, driver = shutil.which("chromium"), shutil.which("chromedriver")
        assert program and driver, "the page is tested in Chromium: apt-get install chromium chromium-driver"
        options = webdriver.ChromeOptions()
        options.binary_location = program
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.shape(1100, 1250)

    def close(self) -> None:
        self.driver.quit()

    def open(self, connection: Connection) -> None:
        self.driver.get("about:blank")
        self.driver.get(page_link(connection, "live"))
        self.wait_connected()

    def wait_connected(self) -> None:
        wait_for("the connection", lambda: self.find("#connection").get_attribute("data-state") == "open")

    def shape(self, width: int, height: int, mobile: bool = False) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, **features: str) -> None:
        """What the system asks of pages: `color_scheme="dark"`, `reduced_motion="reduce"`."""
        listed = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def complaints(self) -> list[str]:
        """What the browser wrote into its console since the last look."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]

    def choose(self, selector: str, value: str) -> None:
        """Choose an option as a person would: the page hears of it. In a list that was just drawn anew, once more."""

        def chosen() -> bool:
            try:
                self.find(f'{selector} option[value="{value}"]').click()
            except (NoSuchElementException, StaleElementReferenceException):
                return False
            return self.find(selector).get_property("value") == value

        wait_for(f"{value} in {selector}", chosen)

    def colours_in_roll(self) -> set[tuple[int, int, int]]:
        """The colours of the piano roll's pixels."""
        pixels = self.run(
            "const c = document.getElementById('roll'), n = new Set();"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 250) n.add(`${d[i]},${d[i + 1]},${d[i + 2]}`);"
            "return [...n];"
        )
        return {(int(r), int(g), int(b)) for r, g, b in (pixel.split(",") for pixel in pixels)}

    def press(self, selector: str) -> None:
        self.find(selector).click()

    def listen_to_keyboard(self) -> None:
        """Choose the keyboard and press Start."""
        source = "reastream-midi:keys"

        def offered() -> bool:
            self.press("#look")
            time.sleep(1.0)
            values = self.run("return [...document.getElementById('source').options].map((o) => o.value)")
            return source in values

        wait_for("the keyboard among the sources", offered)
        self.choose("#source", source)
        self.press("#start")
        wait_for("the session", lambda: self.text("#state").startswith("Listening to"))
