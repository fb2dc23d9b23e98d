"""How fast the daemon's doors answer, beside Jupyter's kernel protocol, and what the daemon costs at rest.

    python -m benchmarks.doors --json benchmarks/results/doors.json

A daemon of its own is started in temporary folders. Every round trip is measured at the client, decoding included.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import report
from protocol import osc
from protocol.client import Client, ProtocolError
from protocol.connection import RUNTIME_VARIABLE, Connection, read_connection
from protocol.messages import BytesSource, Done, Message, Submit, new_id

WARM_UP = 50
ROUNDS = 1000
JOBS = 200
STARTS = 3
IMPORTS = 7
SETTLED_S = 2.0
EMPTY_DOCUMENT = b'{"format": "events", "version": 1, "tracks": [""], "notes": []}'
AIMS = {
    "hello_zeromq_p50_ms": 1.0,
    "hello_zeromq_p99_ms": 5.0,
    "hello_http_p50_ms": 3.0,
    "hello_osc_p50_ms": 1.0,
    "empty_job_p50_ms": 15.0,
    "daemon_ready_s": 1.5,
    "daemon_idle_mb": 150.0,
    "client_import_ms": 150.0,
}


def main() -> None:
    """Measure everything, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--data", type=Path, help="not needed here; all benchmarks take the same arguments")
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {RUNTIME_VARIABLE: f"{folder}/runtime", "SCOREBRIDGE_DATA": f"{folder}/data"}
        figures["daemon_ready_s"] = statistics.median(_seconds_to_start() for _ in range(STARTS))
        with _daemon() as process:
            time.sleep(SETTLED_S)
            figures |= _memory(process.pid)
            figures |= _doors(read_connection())
    figures |= _jupyter()
    figures["client_import_ms"] = statistics.median(_client_import_ms() for _ in range(IMPORTS))
    report.write(figures, [_row(name, value) for name, value in figures.items()], arguments.json, "The daemon's doors")


def _row(name: str, value: float) -> dict[str, object]:
    aim = AIMS.get(name)
    return {"figure": name, "measured": f"{value:.3f}", "aim": "" if aim is None else f"≤ {aim:g}"}


# ---- the daemon ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _daemon() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "bridge.daemon"], stderr=subprocess.PIPE)
    try:
        _wait_until_it_answers(process)
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _wait_until_it_answers(process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(ProtocolError):
            connection = read_connection()
            with Client(connection) as client:
                client.hello()
            return
        time.sleep(0.01)
    raise SystemExit(f"The daemon did not start: {process.communicate()[1].decode()}")


def _seconds_to_start() -> float:
    started = time.perf_counter()
    with _daemon():
        return time.perf_counter() - started


def _memory(pid: int) -> dict[str, float]:
    """Resident memory: of the daemon, and together with the workers that it keeps started."""
    import psutil

    daemon = psutil.Process(pid)
    own = daemon.memory_info().rss
    together = own + sum(child.memory_info().rss for child in daemon.children(recursive=True))
    return {"daemon_idle_mb": own / 1e6, "daemon_and_workers_idle_mb": together / 1e6}


# ---- round trips ---------------------------------------------------------------------------------------------------


def _round_trips_ms(ask: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    for _ in range(WARM_UP):
        ask()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        ask()
        times.append(1e3 * (time.perf_counter() - started))
    return sorted(times)


def _p50(times: list[float]) -> float:
    return statistics.median(times)


def _p99(times: list[float]) -> float:
    return times[int(0.99 * (len(times) - 1))]


def _doors(connection: Connection) -> dict[str, float]:
    with Client.connect() as client:
        zeromq = _round_trips_ms(client.hello)
        jobs = _round_trips_ms(lambda: _empty_job(client), JOBS)
    over_http = _round_trips_ms(_http_hello(connection))
    over_osc = _round_trips_ms(_osc_hello(connection))
    return {
        "hello_zeromq_p50_ms": _p50(zeromq),
        "hello_zeromq_p99_ms": _p99(zeromq),
        "hello_http_p50_ms": _p50(over_http),
        "hello_http_p99_ms": _p99(over_http),
        "hello_osc_p50_ms": _p50(over_osc),
        "hello_osc_p99_ms": _p99(over_osc),
        "empty_job_p50_ms": _p50(jobs),
        "empty_job_p99_ms": _p99(jobs),
    }


def _empty_job(client: Client) -> None:
    request = Submit(job=new_id(), source=BytesSource(format="events", name="empty"), target=["events"])
    *_, end = client.run(request, [EMPTY_DOCUMENT])
    if not isinstance(end, Done):
        raise SystemExit(f"The empty job did not end as it should: {end}")


def _http_hello(connection: Connection) -> Callable[[], Message]:
    http_connection = http.client.HTTPConnection(connection.ip, connection.http_port)
    body, headers = json.dumps({"type": "hello"}), {"X-ScoreBridge-Token": connection.token}

    def ask() -> Message:
        http_connection.request("POST", "/api/message", body, headers)
        message = Message.model_validate_json(http_connection.getresponse().read())
        message.parsed()
        return message

    return ask


def _osc_hello(connection: Connection) -> Callable[[], object]:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.settimeout(5)
    datagrams.connect((connection.ip, connection.osc_udp_port))

    def ask() -> object:
        datagrams.send(osc.encode("/scorebridge/hello", (connection.token,)))
        return osc.decode(datagrams.recv(65536))

    return ask


def _client_import_ms() -> float:
    """What a script pays for `import protocol.client`, without the interpreter's own start."""
    code = "import time; t = time.perf_counter(); import protocol.client; print(1e3 * (time.perf_counter() - t))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _jupyter() -> dict[str, float]:
    """The round trip that Jupyter's clients begin with, over its own ZeroMQ protocol."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        times = _round_trips_ms(lambda: client.kernel_info(reply=True, timeout=10))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return {"jupyter_kernel_info_p50_ms": _p50(times), "jupyter_kernel_info_p99_ms": _p99(times)}


if __name__ == "__main__":
    main()
