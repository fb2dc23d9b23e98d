"""The router takes the best way that can be gone here, says why, and says what is missing."""

from __future__ import annotations

from typing import ClassVar

import pytest

from model_runtime.engines.base import Availability, Context, Engine
from model_runtime.errors import EngineUnavailable, NoRoute
from model_runtime.modality import Modality, Value
from model_runtime.options import Options
from model_runtime.router import NO_IMAGE_READER, Router

IMAGE, NOTATION, PERFORMANCE, AUDIO = Modality


def engine(
    name: str,
    source: Modality,
    target: Modality,
    quality: float,
    *,
    ready: bool = True,
    instruments: frozenset[str] = frozenset(),
) -> Engine:
    """An engine that can be chosen; running it is not what these tests are about."""

    class Chosen(Engine):
        summary: ClassVar[str] = name

        def availability(self) -> Availability:
            return Availability(ready, "" if ready else f"{name} is missing.", "" if ready else f"add {name}")

        def translate(self, value: Value, options: Options, context: Context) -> Value:
            return value

    Chosen.name, Chosen.source, Chosen.target = name, source, target
    Chosen.quality, Chosen.instruments = quality, instruments
    return Chosen()


HEARS_ANYTHING = engine("hears-anything", AUDIO, PERFORMANCE, 0.7)
HEARS_PIANO = engine("hears-piano", AUDIO, PERFORMANCE, 0.9, instruments=frozenset({"piano"}))
WRITES = engine("writes", PERFORMANCE, NOTATION, 0.8)
PLAYS = engine("plays", NOTATION, PERFORMANCE, 0.9)
SOUNDS = engine("sounds", PERFORMANCE, AUDIO, 0.9)
SOUNDS_ROUGH = engine("sounds-rough", PERFORMANCE, AUDIO, 0.5)
DRAWS = engine("draws", NOTATION, IMAGE, 0.9)
ALL = (HEARS_ANYTHING, HEARS_PIANO, WRITES, PLAYS, SOUNDS, SOUNDS_ROUGH, DRAWS)


def names(router: Router, *arguments: Modality, **options: str) -> list[str]:
    return [e.name for e in router.route(*arguments, **options).engines]


def test_a_chain_is_found_through_the_modalities_between():
    assert names(Router(ALL), AUDIO, IMAGE) == ["hears-anything", "writes", "draws"]


def test_the_better_engine_is_taken():
    assert names(Router(ALL), NOTATION, AUDIO) == ["plays", "sounds"]


def test_an_engine_for_one_instrument_is_taken_for_that_instrument_only():
    router = Router(ALL)
    assert names(router, AUDIO, PERFORMANCE, instrument="Klavier") == ["hears-piano"]
    assert names(router, AUDIO, PERFORMANCE, instrument="violin") == ["hears-anything"]
    assert names(router, AUDIO, PERFORMANCE) == ["hears-anything"]


def test_without_an_instrument_the_explanation_names_the_engine_for_it():
    assert "hears-piano" in Router(ALL).route(AUDIO, PERFORMANCE).explanation


def test_a_named_engine_is_taken_even_if_another_is_better():
    route = Router(ALL).route(NOTATION, AUDIO, engine="sounds-rough")
    assert [e.name for e in route.engines] == ["plays", "sounds-rough"]
    assert "asked for" in route.explanation


def test_several_engines_can_be_named():
    assert names(Router(ALL), AUDIO, NOTATION, engine="hears-piano, writes") == ["hears-piano", "writes"]


def test_an_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(NoRoute, match="no engine called 'nonesuch'") as error:
        Router(ALL).route(AUDIO, PERFORMANCE, engine="nonesuch")
    assert "hears-anything" in error.value.hint


def test_an_engine_off_the_way_is_refused():
    with pytest.raises(NoRoute, match="on no way from audio to performance"):
        Router(ALL).route(AUDIO, PERFORMANCE, engine="draws")


def test_score_images_cannot_be_read_yet_and_that_is_said_in_one_sentence():
    with pytest.raises(NoRoute) as error:
        Router(ALL).route(IMAGE, NOTATION)
    assert error.value.message == NO_IMAGE_READER


def test_an_engine_that_cannot_run_is_passed_over_and_the_mend_is_named():
    broken = engine("best", PERFORMANCE, AUDIO, 0.99, ready=False)
    route = Router((*ALL, broken)).route(PERFORMANCE, AUDIO)
    assert route.name == "sounds"
    assert "add best" in route.explanation


def test_where_nothing_can_run_the_reason_and_the_mend_come_back():
    with pytest.raises(EngineUnavailable, match="only is missing") as error:
        Router((engine("only", PERFORMANCE, AUDIO, 0.9, ready=False),)).route(PERFORMANCE, AUDIO)
    assert error.value.hint == "add only"


def test_the_same_modality_needs_no_engine():
    assert Router(ALL).route(AUDIO, AUDIO).name == "conversion"


def test_all_twelve_directions_are_listed_with_what_is_missing():
    directions = {(d.source, d.target): d for d in Router(ALL).directions()}
    assert len(directions) == 12
    assert directions[AUDIO, NOTATION].chain == ("hears-anything", "writes")
    assert not directions[IMAGE, AUDIO].ready
    assert directions[IMAGE, AUDIO].reason == NO_IMAGE_READER
    assert [s.engine.name for s in directions[PERFORMANCE, AUDIO].engines] == ["sounds", "sounds-rough"]


def test_a_job_with_several_targets_may_name_an_engine_that_only_one_of_them_needs():
    router = Router(ALL)
    router.check_names("writes", AUDIO, [PERFORMANCE, NOTATION])
    assert router.on_the_way("hears-piano,writes", AUDIO, PERFORMANCE) == "hears-piano"
    with pytest.raises(NoRoute):
        router.check_names("draws", AUDIO, [PERFORMANCE, NOTATION])
