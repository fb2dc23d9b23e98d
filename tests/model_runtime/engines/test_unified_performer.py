"""The unified model plays the rules' notes, each a little otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from made_scores import direction, dynamic, ending, grace, note, notes, part, repeat, score, tempo, words

from model_runtime.engines import performer
from model_runtime.engines.base import Context
from model_runtime.engines.performer import Performer
from model_runtime.engines.unified_performer import UnifiedPerformer
from model_runtime.errors import EngineUnavailable, TooLarge
from model_runtime.modality import Notation, Performance
from model_runtime.options import Options, TempoMapOption
from model_runtime.playback.manner import Manner
from model_runtime.training.export import export
from model_runtime.unified.architecture import Trunk, TrunkConfig
from model_runtime.unified.human_manner import FARTHEST_S, LIVELINESS, HumanManner
from model_runtime.unified.note_outputs import LATE, OUTPUTS, SLOW, Floats, NoteWindow

TINY = TrunkConfig(width=32, heads=2, encoder_layers=1, decoder_layers=1, hidden=64, pointing_layer=0)
TWO_STAVES = "<staves>2</staves>"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trunk that learnt nothing, with heads for notes whose outputs are far from 0."""
    torch.manual_seed(3)
    torch.set_num_threads(1)
    trunk = Trunk(TrunkConfig(**{**TINY.as_dict(), "note_outputs": len(OUTPUTS)}))
    assert trunk.notes is not None
    with torch.no_grad():
        trunk.notes.outer.weight.mul_(4.0)
    folder = tmp_path_factory.mktemp("trunk")
    export(trunk, folder, {})
    return folder


class Saying:
    """Tells of every note what `say` makes of the number of the window's tokens; a row of network units each."""

    def __init__(self, say: Callable[[int], Floats]) -> None:
        self.say = say

    def note_outputs(
        self, source: str, windows: list[NoteWindow], *, progress: Callable[[int, int], None] | None = None
    ) -> list[Floats]:
        assert source == "notation"
        return [self.say(len(window.ids)).astype(np.float32) for window in windows]


class Told(UnifiedPerformer):
    """The engine with such a trunk."""

    def __init__(self, say: Callable[[int], Floats]) -> None:
        super().__init__()
        self.saying = Saying(say)

    def manner(self, timeline, tones, options, context) -> Manner:  # type: ignore[no-untyped-def]
        return HumanManner(self.saying, timeline, tones)


def always(**outputs: float) -> Callable[[int], Floats]:
    """The same of every note."""
    row = np.zeros(len(OUTPUTS), np.float32)
    for name, value in outputs.items():
        row[OUTPUTS.index(name)] = value
    return lambda count: np.tile(row, (count, 1))


def wild(seed: int) -> Callable[[int], Floats]:
    """Anything, and far more than any person would."""
    rng = np.random.default_rng(seed)
    return lambda count: rng.normal(0.0, 6.0, (count, len(OUTPUTS)))


def play(engine: Performer, notation: Notation, **options: object) -> Performance:
    return engine.translate(notation, Options.model_validate(options), Context())


def struck(performance: Performance) -> Counter[tuple[int, int, int]]:
    return Counter((n.pitch, n.channel, n.track) for n in performance.notes)


def eventful() -> Notation:
    """Repeats with endings, chords, voices that meet on a key, graces, ornaments, tremolos, quick repeated notes."""
    unison = notes("C5 C5 D5 E5") + "<backup><duration>16</duration></backup>"
    unison += "".join(note(name, 4, voice=2) for name in ("C5", "G4", "D5", "C4"))
    chord = note("C4", 8) + note("E4", 8, chord=True) + note("G4", 8, chord=True) + note("C5", 8, chord=True)
    adorned = note("D5", 4, notations="<ornaments><trill-mark/></ornaments>") + grace("E5", slash=True)
    adorned += note("F5", 4) + grace("G5", slash=False) + note("F5", 4)
    adorned += note("A4", 4, notations='<ornaments><tremolo type="single">3</tremolo></ornaments>')
    rolled = note("C4", 16, notations="<arpeggiate/>") + note("E4", 16, chord=True, notations="<arpeggiate/>")
    upper = part(
        repeat("forward") + tempo(96) + dynamic("p") + unison,
        notes("G4 " * 16, 1),
        ending("1", "start") + chord + chord + ending("1", "stop", back=True),
        ending("2", "start") + adorned + ending("2", "stop"),
        rolled,
    )
    lower = part(*[notes("C3 G3 E3 G3") for _ in range(5)])
    return score(upper, lower, names=("Piano", "Cello"))


def test_every_note_of_the_rules_is_played_once_however_far_the_model_goes() -> None:
    notation = eventful()
    rules = play(Performer(), notation)
    for seed in range(12):
        wildly = play(Told(wild(seed)), notation)
        assert struck(wildly) == struck(rules)
        last: dict[tuple[int, int], float] = {}
        for played in wildly.notes:
            key = played.channel, played.pitch
            assert played.onset_s >= last.get(key, 0.0) - 1e-9, "a key is struck while it is down"
            last[key] = played.offset_s


def test_an_exported_trunk_plays(weights: Path) -> None:
    engine = UnifiedPerformer(weights)
    assert engine.availability().ready
    notation = eventful()
    rules, unified = play(Performer(), notation), play(engine, notation)
    assert struck(unified) == struck(rules)
    assert [n.velocity for n in unified.notes] != [n.velocity for n in rules.notes]
    assert play(engine, notation, seed=7) == unified
    engine.close()
    assert play(engine, notation) == unified


def test_deadpan_is_what_the_rules_play_deadpan(weights: Path) -> None:
    notation = eventful()
    engine = UnifiedPerformer(weights)
    assert play(engine, notation, deadpan=True) == play(Performer(), notation, deadpan=True)


def test_a_host_keeps_its_tempo_map_and_notes_stay_near_their_places() -> None:
    notation = eventful()
    host = {"tempo_map": TempoMapOption(points=[(0.0, 0.0), (4.0, 8.0), (10.0, 16.0)])}
    rules, wildly = play(Performer(), notation, **host), play(Told(wild(1)), notation, **host)
    assert wildly.tempo_map == rules.tempo_map
    by_key = [sorted((n.channel, n.pitch, n.onset_s) for n in each.notes) for each in (rules, wildly)]
    for (_, _, one), (_, _, other) in zip(*by_key, strict=True):
        assert abs(one - other) <= FARTHEST_S + 1e-9


def test_the_tempo_map_tells_where_the_notes_sound() -> None:
    notation = score(part(*[notes("C4 D4 E4 F4") for _ in range(6)]))
    rng = np.random.default_rng(2)

    def slowly(count: int) -> Floats:
        told = np.zeros((count, len(OUTPUTS)), np.float32)
        told[:, SLOW] = rng.normal(0.0, 0.5, count)
        return told

    performance = play(Told(slowly), notation)
    assert performance.tempo_map is not None
    quarters = performance.tempo_map.quarters_at([n.onset_s for n in performance.notes])
    assert np.allclose(quarters, np.arange(24), atol=1e-6)
    gaps = np.diff([n.onset_s for n in performance.notes])
    assert gaps.std() > 0.01
    assert np.isclose(np.median(gaps), 0.5, rtol=0.1)


def test_where_the_score_slows_down_the_model_adds_nothing() -> None:
    plain = part(*[notes("C4 D4 E4 F4") for _ in range(4)])
    slowing = [*plain]
    slowing[2] = words("ritardando") + slowing[2]
    rng = np.random.default_rng(4)
    wavering = Told(lambda count: rng.normal(0.0, 0.6, (count, len(OUTPUTS))) * np.eye(len(OUTPUTS))[SLOW])
    rules, unified = (play(engine, score(slowing)) for engine in (Performer(), wavering))
    assert rules.tempo_map is not None and unified.tempo_map is not None
    for beat in range(8, 15):
        lasts = [m.time_at(beat + 1.0) - m.time_at(float(beat)) for m in (rules.tempo_map, unified.tempo_map)]
        assert lasts[0] == pytest.approx(lasts[1])


def test_each_output_does_what_it_says() -> None:
    notation = score(part(notes("C4 E4 G4 C5")))
    rules = play(Performer(), notation)

    def moved(**outputs: float) -> Performance:
        return play(Told(always(**outputs)), notation)

    assert [n.velocity for n in moved(velocity=0.25).notes] == [n.velocity + round(8 * LIVELINESS) for n in rules.notes]
    assert [n.onset_s for n in moved(late=0.4).notes] == [n.onset_s for n in rules.notes]
    assert [n.duration_s for n in moved(length=-0.4).notes] == pytest.approx([0.5 * 2**-0.4] * 4)


def test_chords_are_spread_about_their_beat_and_single_notes_are_on_it() -> None:
    chord = note("C4", 4) + note("E4", 4, chord=True) + note("G4", 4, chord=True)
    notation = score(part(chord + notes("C4 D4") + chord))
    rng = np.random.default_rng(6)
    spread = play(Told(lambda count: rng.normal(0.0, 0.2, (count, 5)) * np.eye(5)[LATE]), notation)
    onsets = [n.onset_s for n in spread.notes]
    rules = [n.onset_s for n in play(Performer(), notation).notes]
    assert len(set(onsets[5:])) == 3
    assert np.mean(onsets[5:]) == pytest.approx(np.mean(rules[5:]), abs=1e-4)
    steady = play(Told(lambda count: np.tile(np.eye(5)[LATE], (count, 1)) * np.arange(count)[:, None] * 0.1), notation)
    single = [n.onset_s for n in steady.notes][3:5]
    assert single == pytest.approx(rules[3:5])


def test_what_a_mark_says_of_length_stays() -> None:
    staccato = "<articulations><staccato/></articulations>"
    slurs = '<slur type="start" number="1"/>', '<slur type="stop" number="1"/>'
    body = note("C4", notations=staccato) + note("D4", notations=slurs[0]) + note("E4", notations=slurs[1]) + note("F4")
    notation = score(part(body))
    rules, unified = play(Performer(), notation), play(Told(always(length=-0.4)), notation)
    lengths = [(a.duration_s, b.duration_s) for a, b in zip(rules.notes, unified.notes, strict=True)]
    assert lengths[0][0] == pytest.approx(lengths[0][1])
    assert lengths[1][0] == pytest.approx(lengths[1][1])
    assert lengths[3] == (pytest.approx(0.475), pytest.approx(0.5 * 2**-0.4))


def test_louder_marks_stay_louder() -> None:
    body = dynamic("pp") + notes("C4 D4 E4 F4"), dynamic("ff") + notes("C4 D4 E4 F4")
    performance = play(Told(wild(5)), score(part(*body)))
    velocities = [n.velocity for n in performance.notes]
    assert np.mean(velocities[4:]) - np.mean(velocities[:4]) > 20
    assert all(1 <= v <= 127 for v in velocities)


def test_hands_are_told_apart_by_their_staves() -> None:
    seen: list[NoteWindow] = []

    class Listening(Saying):
        def note_outputs(
            self, source: str, windows: list[NoteWindow], *, progress: Callable[[int, int], None] | None = None
        ) -> list[Floats]:
            seen.extend(windows)
            return super().note_outputs(source, windows)

    engine = Told(always())
    engine.saying = Listening(always())
    lower = note("C3", 16, "").replace("</note>", "<staff>2</staff></note>")
    upper = note("C5", 16, "").replace("</note>", "<staff>1</staff></note>")
    play(engine, score(part(upper + "<backup><duration>16</duration></backup>" + lower, more=TWO_STAVES)))
    [window] = seen
    assert len(window.ids) == 2
    assert len({tuple(row) for row in window.ids}) == 2


def test_drums_are_left_to_the_rules(weights: Path) -> None:
    header = "<midi-instrument id='P1-I1'><midi-channel>10</midi-channel></midi-instrument>"
    drums = part(notes("C3 C3 C3 C3"))
    notation = score(drums, names=("Drumset",), headers=(header,))
    rules, unified = play(Performer(), notation), play(UnifiedPerformer(weights), notation)
    assert unified.notes == rules.notes
    assert {n.channel for n in rules.notes} == {9}


def test_weights_without_heads_are_named_in_a_sentence(tmp_path: Path) -> None:
    assert not UnifiedPerformer(tmp_path).availability().ready
    export(Trunk(TINY), tmp_path, {})
    engine = UnifiedPerformer(tmp_path)
    state = engine.availability()
    assert not state.ready and state.reason.endswith(".") and state.hint
    with pytest.raises(EngineUnavailable, match="weights"):
        play(engine, eventful())


def test_a_score_of_too_many_notes_is_refused_before_the_model_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(count: int) -> Floats:
        raise AssertionError("the model was asked")

    monkeypatch.setattr(performer, "MOST_NOTES", 7)
    with pytest.raises(TooLarge, match="more than 7 notes"):
        play(Told(seen), score(part(notes("C4 " * 8, 2))))


def test_progress_is_told_and_an_empty_direction_harms_nothing(weights: Path) -> None:
    stages: list[str] = []
    context = Context(on_progress=lambda stage, current, total: stages.append(stage))
    UnifiedPerformer(weights).translate(
        score(part(direction("<rehearsal>A</rehearsal>") + notes("C4 " * 8, 2))), Options(), context
    )
    assert "Phrasing" in stages


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, model_runtime.engines.unified_performer; "
        "print({'onnxruntime', 'torch', 'scipy', 'mido'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
