"""`scorebridge mailbox FOLDER`: serve a host whose scripts can only write files. Started by the plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def mailbox(
    folder: Annotated[Path, typer.Argument(help="The folder that the host writes its requests to.")],
    idle: Annotated[float, typer.Option(help="Seconds without work after which this ends.")] = 60.0,
) -> None:
    """Answer requests that a host writes as files; the plugins start this by themselves."""
    import asyncio
    import signal

    from bridge.mailbox import Mailbox

    async def serve() -> None:
        box = Mailbox(folder.expanduser().absolute(), idle)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                loop.add_signal_handler(number, box.stop)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(box.stop))
        await box.serve()

    # Windows' default loop cannot wait for ZeroMQ's sockets, a selector loop can everywhere.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(serve())
