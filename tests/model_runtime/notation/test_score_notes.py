"""Reading notes out of MusicXML exactly."""

from __future__ import annotations

from fractions import Fraction

from model_runtime.notation.score_notes import measure_starts, notes_in_order, read_measures, unfolding

HEAD = '<score-partwise version="4.0"><part-list/><part id="P1">'
START = "<attributes><divisions>4</divisions><time><beats>2</beats><beat-type>4</beat-type></time></attributes>"


def note(step: str, duration: int, *extra: str, octave: int = 4) -> str:
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    before = "".join(e for e in extra if e.startswith(("<chord", "<grace", "<cue")))
    after = "".join(e for e in extra if not e.startswith(("<chord", "<grace", "<cue")))
    length = "" if "<grace" in before else f"<duration>{duration}</duration>"
    return f"<note>{before}{pitch}{length}{after}</note>"


def measures_of(*contents: str):
    body = "".join(f"<measure>{START if i == 0 else ''}{text}</measure>" for i, text in enumerate(contents))
    return read_measures(f"{HEAD}{body}</part></score-partwise>".encode())


def test_chords_backup_and_staves() -> None:
    (measure,) = measures_of(
        note("C", 8) + note("E", 8, "<chord/>") + "<backup><duration>8</duration></backup>"
        "<forward><duration>4</duration></forward>" + note("G", 4, "<staff>2</staff>", octave=2)
    )
    assert [(n.onset, n.pitch, n.duration, n.staff) for n in sorted(measure.notes)] == [
        (0, 60, 2, 1),
        (0, 64, 2, 1),
        (1, 43, 1, 2),
    ]


def test_tied_notes_are_one_note_over_the_barline() -> None:
    measures = measures_of(note("C", 4) + note("D", 4, '<tie type="start"/>'), note("D", 2, '<tie type="stop"/>'))
    assert [(n.onset, n.pitch, n.duration) for n in notes_in_order(measures)] == [
        (0, 60, 1),
        (1, 62, Fraction(3, 2)),
    ]


def test_a_grace_note_has_the_onset_of_its_main_note_and_cues_are_left_out() -> None:
    measures = measures_of(note("C", 4) + note("D", 0, "<grace/>") + note("E", 4) + note("G", 4, "<cue/>"))
    assert [(n.onset, n.pitch, n.grace) for n in notes_in_order(measures)] == [
        (0, 60, False),
        (1, 62, True),
        (1, 64, False),
    ]


def bar(kind: str = "", ending: str = "", stop: str = "") -> str:
    left = f'<ending number="{ending}" type="start"/>' if ending else ""
    if kind == "forward":
        left += '<repeat direction="forward"/>'
    right = f'<ending number="{stop}" type="stop"/>' if stop else ""
    if kind == "backward":
        right += '<repeat direction="backward"/>'
    return f'<barline location="left">{left}</barline>' + note("C", 8) + f'<barline location="right">{right}</barline>'


def test_repeats_are_played_twice_unless_they_are_not_taken() -> None:
    measures = measures_of(bar(), bar("backward"), bar())
    assert unfolding(measures) == [0, 1, 0, 1, 2]
    assert unfolding(measures, [False]) == [0, 1, 2]


def test_voltas_are_played_in_turn_and_the_last_one_alone_without_the_repeat() -> None:
    measures = measures_of(bar(), bar("forward"), bar("backward", "1", "1"), bar("", "2", "2"), bar())
    assert unfolding(measures) == [0, 1, 2, 1, 3, 4]
    assert unfolding(measures, [False]) == [0, 1, 3, 4]


def test_a_volta_of_several_measures_is_skipped_as_a_whole() -> None:
    measures = measures_of(bar(), bar("", "1"), bar(), bar("backward", "", "1"), bar("", "2", "2"), bar())
    assert unfolding(measures) == [0, 1, 2, 3, 0, 4, 5]


def test_a_short_first_measure_moves_the_barlines() -> None:
    measures = measures_of(note("C", 4), note("D", 8))
    assert measure_starts(measures) == [0, 1, 3]
