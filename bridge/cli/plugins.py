"""`scorebridge plugins`: copy the plugins into MuseScore and REAPER and tell them where the client is."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Install the plugins for MuseScore and REAPER.", no_args_is_help=True)

Host = Annotated[str, typer.Argument(help="musescore or reaper", metavar="musescore|reaper")]
Folder = Annotated[
    str | None, typer.Option("--folder", help="The host's plugin folder, where it is not in the usual place.")
]


@app.command()
def install(
    host: Host,
    folder: Folder = None,
    register: Annotated[
        bool, typer.Option("--register", help="REAPER: list the actions in its action list; REAPER has to be closed.")
    ] = False,
) -> None:
    """Copy a plugin into its host and say how to switch it on."""
    from bridge.plugin_installer import install as install_plugin
    from bridge.reaper_places import next_step
    from bridge.reaper_places import register as register_actions

    report = install_plugin(host, folder)
    for path in report.folders:
        typer.echo(f"Copied {report.files} file(s) to {path}")
    if register and host == "reaper":
        for path in report.folders:
            register_actions(path)
        typer.echo(next_step(registered=True))
    else:
        typer.echo(report.next_step)


@app.command()
def uninstall(host: Host, folder: Folder = None) -> None:
    """Take a plugin out of its host again."""
    from bridge.plugin_installer import uninstall as uninstall_plugin
    from bridge.reaper_places import unregister
    from model_runtime.errors import MusicError

    removed = uninstall_plugin(host, folder)
    for path in removed:
        typer.echo(f"Removed {path}")
        if host == "reaper":
            try:
                unregister(path)
            except MusicError as error:
                typer.echo(f"The actions stay in REAPER's action list. {error.message} {error.hint}")
    if not removed:
        typer.echo(f"The {host} plugin was not installed.")
