"""Which engine, or chain of engines, leads from one modality to another.

The router takes the route whose qualities multiply to the most, among those that can run here and suit the
instrument; a user may name engines that must be on it. It says in a sentence why it took what it took.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from model_runtime.engines.base import Availability, Engine
from model_runtime.engines.catalogue import engines as all_engines
from model_runtime.errors import EngineUnavailable, NoRoute
from model_runtime.instruments import canonical_name
from model_runtime.modality import Modality

NO_IMAGE_READER = "ScoreBridge has no engine yet that reads score images."


@dataclass(frozen=True)
class Route:
    """Engines in the order in which they run; none where source and target are the same modality."""

    source: Modality
    target: Modality
    engines: tuple[Engine, ...]
    explanation: str

    @property
    def name(self) -> str:
        """Engine names joined by arrows; "conversion" where none is needed."""
        return " → ".join(engine.name for engine in self.engines) or "conversion"


@dataclass(frozen=True)
class EngineState:
    """An engine and whether it can run here."""

    engine: Engine
    availability: Availability


@dataclass(frozen=True)
class Direction:
    """One of the twelve directions as the welcome message and `doctor` show it.

    Attributes:
        engines: Those that do it in one step, the best first.
        chain: Names of the engines on the route that would be taken; empty where there is none.
        reason, hint: Why there is none, and the mend.
    """

    source: Modality
    target: Modality
    engines: tuple[EngineState, ...]
    chain: tuple[str, ...]
    reason: str = ""
    hint: str = ""

    @property
    def ready(self) -> bool:
        """Whether the direction can be translated here and now."""
        return bool(self.chain)


class Router:
    """Finds routes among engines.

    Args:
        engines: Those to choose from; None is all of them.
    """

    def __init__(self, engines: Sequence[Engine] | None = None) -> None:
        self.engines = tuple(all_engines() if engines is None else engines)

    def route(
        self, source: Modality, target: Modality, *, engine: str | None = None, instrument: str | None = None
    ) -> Route:
        """The route from `source` to `target`.

        Args:
            engine: Names of engines that must be used, separated by commas.
            instrument: What plays; engines made for certain instruments are taken for those only, unless named.

        Raises:
            NoRoute: no engine leads there, or a named one does not lie on any way.
            EngineUnavailable: the way exists but an engine on it cannot run here.
        """
        wanted = self._named(engine)
        if source == target:
            return Route(source, target, (), "no engine is needed, the file is converted.")
        candidates = [
            chain
            for chain in self.chains(source, target)
            if all(name in [e.name for e in chain] for name in wanted)
            and all(_suits(e, instrument) or e.name in wanted for e in chain)
        ]
        if not candidates:
            raise self._no_route(source, target, wanted)
        ranked = sorted(candidates, key=_worth, reverse=True)
        ready = [chain for chain in ranked if all(e.availability().ready for e in chain)]
        if not ready:
            raise _unavailable(ranked[0])
        return Route(source, target, ready[0], self._explain(ready[0], ranked, wanted, instrument))

    def on_the_way(self, engine: str | None, source: Modality, target: Modality) -> str | None:
        """Those of the named engines (separated by commas) that lie on any way from `source` to `target`."""
        passing = {e.name for chain in self.chains(source, target) for e in chain}
        return ",".join(name for name in self._named(engine) if name in passing) or None

    def check_names(self, engine: str | None, source: Modality, targets: Sequence[Modality]) -> None:
        """See that each of the named engines lies on a way to one of the targets.

        Raises:
            NoRoute: an engine is not known, or would not be used.
        """
        for name in self._named(engine):
            if not any(self.on_the_way(name, source, target) for target in targets):
                raise self._no_route(source, targets[0], [name])

    def directions(self) -> list[Direction]:
        """All twelve directions and what can be done about each here."""
        return [self._direction(source, target) for source, target in permutations(Modality, 2)]

    def _direction(self, source: Modality, target: Modality) -> Direction:
        single = sorted(
            (e for e in self.engines if (e.source, e.target) == (source, target)), key=lambda e: e.quality, reverse=True
        )
        states = tuple(EngineState(e, e.availability()) for e in single)
        try:
            chain = tuple(e.name for e in self.route(source, target).engines)
        except (NoRoute, EngineUnavailable) as error:
            return Direction(source, target, states, (), error.message, error.hint)
        return Direction(source, target, states, chain)

    def _named(self, engine: str | None) -> list[str]:
        names = [name.strip() for name in (engine or "").split(",") if name.strip()]
        known = {e.name for e in self.engines}
        for name in names:
            if name not in known:
                raise NoRoute(f"There is no engine called {name!r}.", hint=f"Known are: {', '.join(sorted(known))}.")
        return names

    def chains(self, source: Modality, target: Modality) -> Iterator[tuple[Engine, ...]]:
        """Every way from source to target that visits no modality twice."""

        def extend(chain: tuple[Engine, ...], seen: frozenset[Modality]) -> Iterator[tuple[Engine, ...]]:
            here = chain[-1].target if chain else source
            if here == target:
                yield chain
                return
            for engine in self.engines:
                if engine.source == here and engine.target not in seen:
                    yield from extend((*chain, engine), seen | {engine.target})

        return extend((), frozenset({source}))

    def _no_route(self, source: Modality, target: Modality, wanted: list[str]) -> NoRoute:
        if wanted and any(True for _ in self.chains(source, target)):
            names = " and ".join(repr(name) for name in wanted)
            return NoRoute(
                f"The engine {names} is on no way from {source} to {target}.",
                hint="Leave the engine out, and ScoreBridge chooses one.",
            )
        if source is Modality.SCORE_IMAGE:
            return NoRoute(NO_IMAGE_READER, hint="Scan it with another program and send its MusicXML.")
        return NoRoute(f"No engine leads from {source} to {target}.")

    def _explain(
        self,
        taken: tuple[Engine, ...],
        ranked: Sequence[tuple[Engine, ...]],
        wanted: list[str],
        instrument: str | None,
    ) -> str:
        names = " → ".join(e.name for e in taken)
        if wanted:
            return f"{names}, because {' and '.join(wanted)} was asked for."
        passed_over = [chain for chain in ranked if _worth(chain) > _worth(taken)]
        reasons = [f"{names}, the best measured of what can run here"]
        if instrument and any(_suits(e, instrument) and e.instruments for e in taken):
            reasons.append(f"and made for {canonical_name(instrument)}")
        sentences = [" ".join(reasons) + "."]
        for chain in passed_over:
            missing = next(e for e in chain if not e.availability().ready)
            sentences.append(f"{missing.name} would be better: {missing.availability().hint}")
        for engine in self.engines:
            step = next((e for e in taken if (e.source, e.target) == (engine.source, engine.target)), None)
            if step and not instrument and engine.instruments and engine.quality > step.quality:
                kinds = " or ".join(sorted(engine.instruments))
                sentences.append(f"For {kinds} say so (instrument), and {engine.name} is taken.")
        return " ".join(dict.fromkeys(sentences))


def _suits(engine: Engine, instrument: str | None) -> bool:
    return not engine.instruments or (instrument is not None and canonical_name(instrument) in engine.instruments)


def _worth(chain: Sequence[Engine]) -> tuple[float, int]:
    return math.prod(engine.quality for engine in chain), -len(chain)


def _unavailable(chain: Sequence[Engine]) -> EngineUnavailable:
    for engine in chain:
        state = engine.availability()
        if not state.ready:
            return EngineUnavailable(state.reason or f"{engine.name} cannot run here.", hint=state.hint)
    raise AssertionError("every engine of the chain is available")
