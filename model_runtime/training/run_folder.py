"""What every training run is: a folder that one process holds, settings told in it, an end when it is asked for."""

from __future__ import annotations

import fcntl
import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from torch import nn

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class RunFolder:
    """A run's folder, held for this process while it is open (`with … as run:`).

    Args:
        out: The folder; it is made where it is not there.
        held: Whether this process is the one to hold it, of several that train together.

    Attributes:
        stopping: The run is to end after its present step.

    Raises:
        BlockingIOError: another run is at work in it.
    """

    def __init__(self, out: Path, *, held: bool = True) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.stopping = out, False
        self._lock = (out / "lock").open("w")
        if held:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # two runs in one folder would spoil each other
            except OSError:
                self._lock.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the folder go."""
        self._lock.close()

    def tell(self, settings: DataclassInstance) -> None:
        """Write `settings.json`."""
        (self.out / "settings.json").write_text(json.dumps(asdict(settings), indent=1) + "\n", encoding="utf-8")

    def stop_when_told(self) -> None:
        """Let SIGTERM and SIGINT end the run after its present step."""

        def stop(number: int, frame: object) -> None:
            self.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)


def decayed(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """An optimiser's groups of parameters: matrices decay, biases and norms do not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
