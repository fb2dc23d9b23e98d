"""The one interface of all engines. Adding an engine is adding a file and naming it in `catalogue.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from model_runtime.errors import EngineUnavailable
from model_runtime.modality import Modality, Value
from model_runtime.options import Options

ProgressCallback = Callable[[str, float, float], None]  # stage, current, total


@dataclass(frozen=True)
class Measurement:
    """A published figure of an engine.

    Attributes:
        metric: What was measured, for instance "note onset F1 (50 ms)".
        data: On what.
        value: The figure, 0 to 1 where it is a share.
        command: What printed it.
    """

    metric: str
    data: str
    value: float
    command: str


@dataclass(frozen=True)
class Availability:
    """Whether an engine can run here, and if not, one sentence why and a hint for the mend."""

    ready: bool
    reason: str = ""
    hint: str = ""


@dataclass
class Context:
    """What an engine may tell its caller while it works.

    Attributes:
        on_progress: Called as (stage, current, total); may raise `Cancelled`, which engines let pass.
        warnings: Sentences for the musician about what could not be done exactly.
        on_partial: Called with early results where a direction has them (notes found so far).
    """

    on_progress: ProgressCallback | None = None
    warnings: list[str] = field(default_factory=list)
    on_partial: Callable[[Value], None] | None = None

    def progress(self, stage: str, current: float, total: float) -> None:
        """Report that `current` of `total` (any unit) of a stage is done."""
        if self.on_progress is not None:
            self.on_progress(stage, current, total)

    def warn(self, sentence: str) -> None:
        """Add a warning once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def partial(self, value: Value) -> None:
        """Hand out an early result."""
        if self.on_partial is not None:
            self.on_partial(value)


class Engine(ABC):
    """Translates one modality into another.

    Constructing an engine is cheap and imports nothing heavy; `load` makes it warm; `translate` loads when needed.

    Attributes:
        name: What a user types to choose it.
        source: Modality in.
        target: Modality out.
        summary: One sentence for `scorebridge models` and the welcome message.
        quality: 0 to 1, how good it is at this direction for ordinary input: the router's order.
        measurements: The figures behind `quality`.
        instruments: Instruments it is made for; empty is any. The router prefers an engine whose list holds
            the instrument that was asked for.
    """

    name: ClassVar[str]
    source: ClassVar[Modality]
    target: ClassVar[Modality]
    summary: ClassVar[str]
    quality: ClassVar[float]
    measurements: ClassVar[tuple[Measurement, ...]] = ()
    instruments: ClassVar[frozenset[str]] = frozenset()

    def availability(self) -> Availability:
        """Whether it can run here; looks at files and libraries, loads nothing, takes milliseconds."""
        return Availability(True)

    def require(self) -> None:
        """See that it can run here.

        Raises:
            EngineUnavailable: with `availability`'s sentence and hint.
        """
        state = self.availability()
        if not state.ready:
            raise EngineUnavailable(state.reason, hint=state.hint)

    def load(self) -> None:  # noqa: B027 - many engines have nothing to warm
        """Make it warm: read networks, start helpers. Idempotent."""

    @abstractmethod
    def translate(self, value: Value, options: Options, context: Context) -> Value:
        """Translate one value.

        Raises:
            MusicError: with a sentence for the musician.
        """

    def close(self) -> None:  # noqa: B027
        """Give back what `load` took. Idempotent."""
