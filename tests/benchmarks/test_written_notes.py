"""Notes of MusicXML, compared one by one."""

from __future__ import annotations

from fractions import Fraction

from benchmarks.written_notes import WrittenNote, equal_notes, equal_share, written_notes


def note(**changes: object) -> WrittenNote:
    same: dict[str, object] = {
        "part": 0, "measure": 0, "onset": Fraction(0), "duration": Fraction(1), "pitch": 60, "staff": 1, "voice": "1",
        "is_grace": False,
    }  # fmt: skip
    return WrittenNote(**{**same, **changes})  # type: ignore[arg-type]


def score(content: str) -> bytes:
    return f'<score-partwise><part id="P1"><measure>{content}</measure></part></score-partwise>'.encode()


PITCH = "<pitch><step>F</step><alter>1</alter><octave>4</octave></pitch>"


def test_chords_backups_and_transposition_are_followed() -> None:
    found = written_notes(
        score(
            "<attributes><divisions>2</divisions><transpose><chromatic>-2</chromatic></transpose></attributes>"
            f"<note>{PITCH}<duration>2</duration><voice>1</voice></note>"
            f"<note><chord/>{PITCH}<duration>2</duration><voice>1</voice></note>"
            "<note><rest/><duration>1</duration></note><backup><duration>1</duration></backup>"
            f"<note><grace/>{PITCH}<voice>2</voice></note><note>{PITCH}<duration>3</duration><voice>2</voice></note>"
        )
    )
    assert [(n.onset, n.duration, n.pitch, n.voice, n.is_grace) for n in found] == [
        (0, 1, 64, "1", False),
        (0, 1, 64, "1", False),
        (1, 0, 64, "2", True),
        (1, Fraction(3, 2), 64, "2", False),
    ]


def test_notes_are_equal_only_where_everything_is() -> None:
    for change in (
        {"measure": 1}, {"onset": Fraction(1, 2)}, {"duration": Fraction(2)}, {"pitch": 61}, {"staff": 2},
        {"voice": "2"}, {"is_grace": True}, {"part": 1},
    ):  # fmt: skip
        assert equal_notes([note()], [note(**change)]) == 0, change
    assert equal_notes([note()], [note(onset=Fraction(1, 480))]) == 1  # rounded
    assert equal_notes([note(voice="2", staff=2)], [note()], with_voices=False) == 1


def test_each_note_is_paired_once_and_what_is_left_over_counts() -> None:
    assert equal_notes([note(), note()], [note()]) == 1
    assert equal_share([note(), note()], [note()]) == 2 / 3
    assert equal_share([], []) == 1.0
