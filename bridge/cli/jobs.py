"""`scorebridge jobs`: what the daemon does and did."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from protocol.messages import State

app = typer.Typer(help="List, watch, cancel and fetch the daemon's jobs.", no_args_is_help=False)

Job = Annotated[str, typer.Argument(help="The job's id, or how it begins.")]


@app.callback(invoke_without_command=True)
def jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1, max=1000)] = 20,
    active: Annotated[bool, typer.Option("--active", help="Only those that have not ended.")] = False,
) -> None:
    """List the newest jobs."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from protocol.client import Client

    with Client.connect() as client:
        states = client.jobs(limit, active=active)
    table = Table("Job", "Submitted", "State", "What")
    for state in states:
        table.add_row(state.job, _ago(state.submitted), Text(state.phase, _colour(state)), Text(_what(state)))
    Console(highlight=False).print(table if states else "No jobs.")


@app.command()
def show(job: Job) -> None:
    """Everything that is known about a job."""
    from rich.console import Console
    from rich.json import JSON

    from protocol.client import Client

    with Client.connect() as client:
        Console().print(JSON(client.status(_found(client.jobs(1000), job)).model_dump_json()))


@app.command()
def cancel(job: Job) -> None:
    """Stop a job."""
    from protocol.client import Client

    with Client.connect() as client:
        state = client.cancel(_found(client.jobs(1000), job))
    typer.echo(f"{state.job}: {state.phase}")


@app.command()
def fetch(job: Job, folder: Annotated[Path, typer.Argument(help="Where the files go.")] = Path()) -> None:
    """Copy a finished job's files into a folder."""
    from bridge.cli.running import place
    from model_runtime.errors import InvalidValue
    from protocol.client import Client

    with Client.connect() as client:
        state = client.status(_found(client.jobs(1000), job))
        if state.phase != "done":
            raise InvalidValue(f"The job {state.job} has no files: it is {state.phase}.", hint=state.message)
        for artefact in state.artefacts:
            target = folder / artefact.name
            if target.exists():
                raise InvalidValue(f"{target} exists already.", hint="Name another folder.")
            place(Path(artefact.path), target)
            typer.echo(str(target))


def _found(states: list[State], beginning: str) -> str:
    from model_runtime.errors import InvalidValue

    matching = [state.job for state in states if state.job.startswith(beginning)]
    if len(matching) == 1 or beginning in matching:
        return beginning if beginning in matching else matching[0]
    if matching:
        raise InvalidValue(f"{len(matching)} jobs begin with {beginning!r}.", hint="Give more of the id.")
    raise InvalidValue(f"There is no job {beginning!r}.", hint="scorebridge jobs lists them.")


def _ago(submitted: float) -> str:
    seconds = max(0, time.time() - submitted)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _colour(state: State) -> str:
    return {"done": "green", "failed": "red", "cancelled": "yellow"}.get(state.phase, "cyan")


def _what(state: State) -> str:
    if state.phase == "done":
        return f"{', '.join(a.name for a in state.artefacts)} ({state.engine})"
    if state.phase == "running":
        share = f" {100 * state.current / state.total:.0f} %" if state.total else ""
        return f"{state.stage}{share}"
    return state.message
