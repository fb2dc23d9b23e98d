"""The end of a score stands on its own."""

from __future__ import annotations

from model_runtime.engines.base import Context
from model_runtime.engines.quantiser import Quantiser
from model_runtime.modality import Notation, Note, Performance
from model_runtime.notation.last_measures import last_measures
from model_runtime.options import Options
from model_runtime.tempo import KeySignature, Meter, TempoMap


def written() -> Notation:
    """Six measures of 3/4 in E flat, a long note tied over each second barline."""
    tempo_map = TempoMap((0.0, 0.5), (0.0, 1.0), (Meter(0, 3, 4),), (KeySignature(0, -3, "major"),))
    notes = [Note(0.5 * beat, 0.5 * beat + 0.45, 63 + beat % 5) for beat in range(0, 18) if beat not in (9,)]
    notes.append(Note(4.0, 4.95, 39))  # beats 8 and 9
    return Quantiser().translate(Performance(tuple(notes), tempo_map=tempo_map), Options(), Context())


def test_the_last_measures_carry_what_held_before_them() -> None:
    whole = written()
    end = last_measures(whole, 3)
    assert (whole.measure_count, end.measure_count) == (6, 3)
    (part,) = end.root.findall("part")
    first = part.find("measure")
    assert first is not None
    assert first.get("number") == "1"
    assert first.findtext("attributes/key/fifths") == "-3"
    assert first.findtext("attributes/time/beats") == "3"
    assert first.findtext("attributes/divisions") == whole.root.findtext("part/measure/attributes/divisions")
    assert len(first.findall("attributes/clef")) == int(first.findtext("attributes/staves") or 1)
    assert first.find("direction/sound[@tempo]") is not None
    assert [m.findall("note")[0].findtext("pitch/step") for m in part.findall("measure")] == [
        m.findall("note")[0].findtext("pitch/step") for m in whole.root.findall("part/measure")[3:]
    ]


def test_a_tie_from_before_is_let_go() -> None:
    whole = written()
    assert whole.root.findall("part/measure")[3].find("note/tie[@type='stop']") is not None
    assert last_measures(whole, 3).root.find("part/measure/note/tie[@type='stop']") is None
    assert last_measures(whole, 4).root.find("part/measure/note/tie[@type='stop']") is not None


def test_a_short_score_stays_as_it_is() -> None:
    whole = written()
    assert last_measures(whole, 6) is whole


def test_the_option_cuts_what_the_quantiser_writes() -> None:
    notes = tuple(Note(0.5 * beat, 0.5 * beat + 0.45, 60) for beat in range(16))
    performance = Performance(notes, tempo_map=TempoMap.constant(120.0))
    made = Quantiser().translate(performance, Options(last_measures=1), Context())
    assert made.measure_count == 1
