"""`scorebridge page`: the daemon's page in the browser."""

from __future__ import annotations

from typing import Annotated

import typer


def page(
    show: Annotated[bool, typer.Option("--print", help="Print the link, which opens once, and open nothing.")] = False,
) -> None:
    """Open the daemon's page: jobs and their progress."""
    from protocol.page import page_link

    link = page_link()
    if show:
        typer.echo(link)
    elif typer.launch(link) != 0:
        typer.echo(f"Open this in a browser, within a minute: {link}")
