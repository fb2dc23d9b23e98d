"""What every benchmark ends with: a table for people and a JSON file for programs."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Row = Mapping[str, object]

_DATA_PLACEHOLDER = "DIR"
_WIDTH = 160  # characters, where the table goes into a file


def write(figures: Mapping[str, float], rows: Sequence[Row], path: Path | str | None, title: str) -> None:
    """Print `rows` as a table and write the figures as JSON.

    The file holds `command` (what was typed, with folders left out), `date` (UTC), `machine` and `figures`.

    Args:
        figures: Flat: name → finite number.
        rows: One mapping a line of the table: column → text or number; columns in the order of their first mention.
        path: JSON file to write; None writes none.
        title: Of the table.

    Raises:
        ValueError: a figure is not a finite number.
    """
    for name, value in figures.items():
        if not math.isfinite(value):
            raise ValueError(f"The figure {name} is {value}.")
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(_table(rows, title))
    if path is not None:
        document = {
            "command": command(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "figures": {name: _rounded(value) for name, value in figures.items()},
        }
        _replace(Path(path), json.dumps(document, indent=2) + "\n")


def command() -> str:
    """The command line of this run, in which absolute paths are shortened to what does not name the machine."""
    module = getattr(sys.modules.get("__main__"), "__spec__", None)
    program = f"python -m {module.name}" if module is not None else f"python {Path(sys.argv[0]).name}"
    return " ".join([program, *_portable_arguments(sys.argv[1:])])


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, cores, memory, system and Python."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _portable_arguments(arguments: Sequence[str]) -> list[str]:
    portable = []
    previous = ""
    for argument in arguments:
        value = argument.partition("=")[2] if argument.startswith("--") else argument
        if Path(value).is_absolute():
            shown = Path(value).name if previous == "--json" or argument.startswith("--json=") else _DATA_PLACEHOLDER
            portable.append(argument.removesuffix(value) + shown)
        else:
            portable.append(argument)
        previous = argument
    return portable


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float:
    import psutil

    return round(psutil.virtual_memory().total / 2**30, 1)


def _rounded(value: float) -> float:
    """Six significant digits: more was never measured."""
    return float(f"{value:.6g}")


def _table(rows: Sequence[Row], title: str) -> Table:
    table = Table(title=title)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    for column in columns:
        numeric = all(isinstance(row[column], int | float) for row in rows if column in row)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_shown(row.get(column, "")) for column in columns))
    return table


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _replace(path: Path, text: str) -> None:
    """Write by rename, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
