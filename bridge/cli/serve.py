"""`scorebridge serve`: run the daemon, in the foreground or detached, look after it, stop it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from protocol.connection import Connection

app = typer.Typer(help="Run the daemon; see whether it runs; stop it.", no_args_is_help=False)

START_PATIENCE_S = 20.0


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running in the background.")] = False,
) -> None:
    """Run the daemon until it is interrupted."""
    if context.invoked_subcommand is not None:
        return
    if detach:
        connection = start_detached()
        typer.echo(f"The daemon runs (process {connection.pid}). Stop it with: scorebridge serve stop")
    else:
        from bridge.daemon import main

        raise typer.Exit(main())


@app.command()
def status() -> None:
    """Say whether the daemon runs, where it listens and what it does."""
    from rich.console import Console
    from rich.table import Table

    from protocol.client import Client
    from protocol.connection import read_connection

    connection = read_connection()
    with Client(connection) as client:
        welcome = client.hello()
        active = client.jobs(1000, active=True)
    table = Table(show_header=False, box=None)
    table.add_row("Daemon", f"{welcome.server}, process {connection.pid}")
    for name, port in (("ZeroMQ", connection.requests_port), ("OSC", connection.osc_udp_port)):
        table.add_row(name, f"{connection.ip}:{port}")
    table.add_row("HTTP", f"http://{connection.ip}:{connection.http_port}/")
    table.add_row("Jobs", f"{len(active)} waiting or running")
    ready = sum(direction.ready for direction in welcome.directions)
    table.add_row("Directions", f"{ready} of {len(welcome.directions)} ready")
    Console(highlight=False).print(table)


@app.command()
def stop(
    wait: Annotated[bool, typer.Option("--wait", help="Let it finish its jobs first.")] = False,
) -> None:
    """Stop the daemon; jobs that have not ended are cancelled unless --wait is given."""
    from protocol.client import Client
    from protocol.connection import read_connection

    connection = read_connection()
    with Client(connection) as client:
        client.shutdown(wait=wait)
    _wait_for_end(connection, patience_s=None if wait else START_PATIENCE_S)
    typer.echo("The daemon has stopped.")


def start_detached() -> Connection:
    """Start the daemon in the background and wait until it answers.

    Raises:
        MusicError: one runs already, or it did not come up; its log says why.
    """
    from bridge.settings import Settings
    from model_runtime.errors import MusicError
    from protocol.connection import read_connection
    from protocol.errors import DaemonNotRunning

    try:
        running = read_connection()
    except DaemonNotRunning:
        pass
    else:
        raise MusicError(f"The daemon runs already (process {running.pid}).", code="already_running")
    log = Settings().data / "daemon-start.log"  # what is said before the daemon keeps its own log
    log.parent.mkdir(parents=True, exist_ok=True)
    process = _spawn(log)
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline:
        try:
            connection = read_connection()
            if connection.pid == process.pid:
                return connection
        except DaemonNotRunning:
            pass
        if process.poll() is not None:
            raise MusicError(f"The daemon did not start: {_last_line(log)}", hint=f"Its log is {log}.", code="no_start")
        time.sleep(0.02)
    process.terminate()
    raise MusicError("The daemon did not start in time.", hint=f"Its log is {log}.", code="no_start")


def _spawn(log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bridge.daemon"]
    with log.open("wb") as output:
        if os.name == "nt":
            detached = 0x00000008 | 0x00000200  # DETACHED_PROCESS, CREATE_NEW_PROCESS_GROUP
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, creationflags=detached
            )
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing."


def _wait_for_end(connection: Connection, patience_s: float | None) -> None:
    from model_runtime.errors import MusicError
    from protocol.connection import is_alive

    deadline = None if patience_s is None else time.monotonic() + patience_s
    while is_alive(connection):
        if deadline is not None and time.monotonic() > deadline:
            raise MusicError(f"The daemon (process {connection.pid}) has not stopped yet.", code="no_stop")
        time.sleep(0.05)
