"""One progress bar for every command that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text


@contextmanager
def progress_bar(console: Console, what: str) -> Iterator[Callable[[str, float, float], None]]:
    """Show a bar while the block runs; yields what takes (stage, current, total)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(40),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(Text(what).plain.replace("[", "\\["), total=1.0)

        def on_progress(stage: str, current: float, total: float) -> None:
            name = f"{what}: {stage}".replace("[", "\\[")
            bar.update(task, description=name, completed=current, total=max(total, 1e-9))

        yield on_progress
