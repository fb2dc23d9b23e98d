"""`scorebridge models`: the engines, and the add-ons that some of them need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from model_runtime.addons import AddOn

app = typer.Typer(help="List engines; add or remove networks and SoundFonts.", no_args_is_help=False)

Name = Annotated[str, typer.Argument(help="Name of an add-on, as `scorebridge models` lists it.")]


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List the engines and the add-ons."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from model_runtime.addons import addons
    from model_runtime.engines.catalogue import engines

    console = Console()
    table = Table("Engine", "Direction", "Ready", "What it is", title="Engines", title_justify="left")
    for engine in engines():
        state = engine.availability()
        ready = "[green]yes[/]" if state.ready else f"[red]no[/] {state.hint}"
        table.add_row(engine.name, f"{engine.source} → {engine.target}", ready, engine.summary)
    console.print(table)
    table = Table("Add-on", "Size", "Installed", "Licence", "What it is", title="Add-ons", title_justify="left")
    for addon in addons():
        installed = "[green]yes[/]" if addon.installed() else f"no: scorebridge models add {addon.name}"
        table.add_row(addon.name, f"{addon.size_mb:g} MB", installed, addon.licence, addon.summary)
    console.print(table)


@app.command()
def add(name: Name) -> None:
    """Fetch an add-on, check it, and keep it in the user's data folder."""
    from rich.console import Console

    console = Console(highlight=False)
    addon = _addon(name)
    if addon.installed():
        console.print(f"{name} is installed already.", markup=False)
        return
    with console.status(f"Adding {name} …") as status:
        addon.install(lambda stage, current, total: status.update(f"Adding {name}: {stage}"))
    console.print(f"{name} is ready.", markup=False)


@app.command()
def remove(name: Name) -> None:
    """Remove an add-on from the user's data folder."""
    _addon(name).remove()
    typer.echo(f"{name} was removed.")


def _addon(name: str) -> AddOn:
    from model_runtime.addons import addons
    from model_runtime.errors import InvalidValue

    for addon in addons():
        if addon.name == name:
            return addon
    known = ", ".join(addon.name for addon in addons())
    raise InvalidValue(f"There is no add-on called {name!r}.", hint=f"There are: {known}.")
