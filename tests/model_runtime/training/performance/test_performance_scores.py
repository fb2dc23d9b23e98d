"""Scores as arrays, out of MusicXML and kern."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from lxml import etree

from model_runtime.notation.durations import TICKS_PER_QUARTER
from model_runtime.training.performance.kern import read_kern, whole
from model_runtime.training.performance.scores import (
    DURATION,
    FLAGS,
    GRACE,
    LEAD,
    LENGTH,
    ONSET,
    PITCH,
    STACCATO,
    STAFF,
    Score,
    loaded,
    score_of,
    stored,
)

_MUSICXML = """
<score-partwise><part id="P1">
 <measure number="0" implicit="yes"><attributes><divisions>2</divisions><time><beats>3</beats><beat-type>4</beat-type>
 </time><staves>2</staves></attributes><sound tempo="96"/>
  <note><pitch><step>G</step><octave>4</octave></pitch><duration>2</duration><staff>1</staff></note></measure>
 <measure number="1">
  <note><grace/><pitch><step>D</step><octave>5</octave></pitch><staff>1</staff></note>
  <note><pitch><step>C</step><octave>5</octave></pitch><duration>6</duration><tie type="start"/><staff>1</staff></note>
  <backup><duration>6</duration></backup>
  <note><pitch><step>C</step><octave>3</octave></pitch><duration>3</duration><staff>2</staff>
   <notations><articulations><staccato/></articulations></notations></note></measure>
 <measure number="2">
  <note><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration><tie type="stop"/><staff>1</staff></note>
 </measure>
</part></score-partwise>
"""


def _quarters(score: Score) -> list[tuple[float, float, int, int]]:
    return [
        (row[ONSET] / TICKS_PER_QUARTER, row[DURATION] / TICKS_PER_QUARTER, row[PITCH], row[STAFF])
        for row in score.notes.tolist()
    ]


def test_musicxml_gives_notes_with_ties_joined_and_staves() -> None:
    score = score_of(etree.fromstring(_MUSICXML))
    assert _quarters(score) == [(0, 1, 67, 1), (1, 0, 74, 1), (1, 1.5, 48, 2), (1, 4, 72, 1)]
    assert score.notes[1, FLAGS] == GRACE and score.notes[2, FLAGS] == STACCATO
    assert score.tempos.tolist() == [[0, 9600]]


def test_a_pickup_starts_late_in_its_measure() -> None:
    measures = score_of(etree.fromstring(_MUSICXML)).measures
    assert measures[0, LEAD] == 2 * TICKS_PER_QUARTER and measures[1, LEAD] == 0
    assert measures[0, LENGTH] == TICKS_PER_QUARTER


def test_kern_gives_the_lower_staff_first_and_parts_spines() -> None:
    text = "\n".join(
        (
            "**kern\t**kern\t**dynam",
            "*staff2\t*staff1\t*",
            "*M3/4\t*M3/4\t*",
            "*MM150\t*MM150\t*",
            "=1-\t=1-\t=1-",
            ".\t8qdd\t.",
            "4C'\t[4cc\tf",
            "4E- 4G\t4cc]\t.",
            "*\t*^\t*",
            "4r\t4e\t4g#\t.",
            "*\t*v\t*v\t*",
            "=2\t=2\t=2",
            "2.C\t2.e\t.",
            "*-\t*-\t*-",
        )
    )
    score = read_kern(text)
    assert _quarters(score) == [
        (0, 0, 74, 1),
        (0, 1, 48, 2),
        (0, 2, 72, 1),
        (1, 1, 51, 2),
        (1, 1, 55, 2),
        (2, 1, 64, 1),
        (2, 1, 68, 1),
        (3, 3, 48, 2),
        (3, 3, 64, 1),
    ]
    assert score.measures[:, :4].tolist() == [[0, 3 * TICKS_PER_QUARTER, 3, 4], [3 * TICKS_PER_QUARTER] * 2 + [3, 4]]
    assert score.tempos[0].tolist() == [0, 15000] and whole(score)


def test_kern_whose_staves_do_not_meet_ends_with_the_measure_before() -> None:
    lines = ("**kern\t**kern", "*M2/4\t*M2/4", "2C\t2c", "=2\t=2", "4D\t8d", "8E\t8e", "=3\t=3", "2F\t2f")
    assert [row[PITCH] for row in read_kern("\n".join(lines)).notes.tolist()] == [48, 60]


def test_scores_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    score = score_of(etree.fromstring(_MUSICXML))
    path = tmp_path / "scores.npz"
    np.savez(path, **stored(iter([("a", score), ("b", score)])))  # type: ignore[arg-type]
    (first, again), (second, same) = loaded(path)
    assert (first, second) == ("a", "b")
    for found in (again, same):
        assert np.array_equal(found.notes, score.notes) and np.array_equal(found.measures, score.measures)
