"""`scorebridge page`: the daemon's page in the browser."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Page(StrEnum):
    """Which of them."""

    LIVE = "live"
    JOBS = "jobs"


def page(
    which: Annotated[
        Page, typer.Argument(help="live: what is being played; jobs: what is being translated.")
    ] = Page.JOBS,
    show: Annotated[bool, typer.Option("--print", help="Print the link, which opens once, and open nothing.")] = False,
) -> None:
    """Open the daemon's page: live sessions, or jobs and their progress."""
    from protocol.page import page_link

    link = page_link(page="live" if which is Page.LIVE else "")
    if show:
        typer.echo(link)
    elif typer.launch(link) != 0:
        typer.echo(f"Open this in a browser, within a minute: {link}")
