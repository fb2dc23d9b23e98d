"""Notes documents that hold what MuseScore's cursor has to carry."""

from __future__ import annotations

from collections.abc import Iterator

from model_runtime.files.notes import (
    Dynamic,
    KeyChange,
    Lyric,
    MeterChange,
    NoteItem,
    NotesDocument,
    Part,
    Tempo,
    Tuplet,
)

QUARTER = 480
PIANO = (Part(name="Piano", program=0, staves=2),)


def note(tick: int, duration: int, pitch: int, **more: object) -> NoteItem:
    """A note; spelled as the key says where nothing else is said."""
    return NoteItem.model_validate({"tick": tick, "duration": duration, "pitch": pitch, **more})


def two_hands() -> NotesDocument:
    """Chords, two voices, ties within and across measures, dynamics, articulations, lyrics, keys and meters."""
    notes = [
        note(0, 480, 65, step="F", octave=4, articulations=["staccato", "accent"]),
        note(0, 480, 69, step="A", octave=4),
        note(480, 1440, 72, step="C", octave=5, tie_start=True, lyrics=[Lyric(text="la<&", syllabic="begin")]),
        note(480, 480, 60, step="C", octave=4, voice=2),
        note(960, 960, 61, step="D", alter=-1, octave=4, voice=2, tie_start=True),
        note(1920, 480, 72, step="C", octave=5, tie_stop=True),
        note(1920, 240, 61, step="D", alter=-1, octave=4, voice=2, tie_stop=True),
        note(2400, 960, 66, step="F", alter=1, octave=4, lyrics=[Lyric(text="lö", verse=2, syllabic="end")]),
        note(2400, 960, 70, step="A", alter=1, octave=4),
        note(0, 1920, 41, step="F", octave=2, staff=2, tie_start=True, articulations=["fermata"]),
        note(1920, 960, 41, step="F", octave=2, staff=2, tie_start=True, tie_stop=True),
        note(2880, 480, 41, step="F", octave=2, staff=2, tie_stop=True),
        note(2880, 480, 53, step="F", octave=3, staff=2),
        note(3360, 720, 48, step="C", octave=3, staff=2),
        note(3360, 360, 67, step="G", octave=4),
        note(3720, 120, 66, step="F", alter=1, octave=4),
        note(3840, 240, 67, step="G", octave=4),
    ]
    return NotesDocument(
        length=4800,
        tempos=(Tempo(quarters_per_minute=96),),
        meters=(
            MeterChange(numerator=4, denominator=4),
            MeterChange(tick=1920, numerator=3, denominator=4),
            MeterChange(tick=3360, numerator=6, denominator=8),
        ),
        keys=(KeyChange(fifths=-1), KeyChange(tick=1920, fifths=2)),
        parts=PIANO,
        notes=tuple(notes),
        dynamics=(Dynamic(tick=0, mark="mf"), Dynamic(tick=2400, mark="pp"), Dynamic(tick=1920, mark="f", staff=2)),
    )


def figures() -> NotesDocument:
    """Tuplets of several kinds and grace notes, which only the clipboard carries in MuseScore 3.2."""
    notes = [
        *_tuplet(0, 3, 2, "eighth", 240, [60, 62, 64]),
        *_tuplet(480, 5, 4, "16th", 120, [65, 67, 69, 71, 72]),
        *_tuplet(960, 3, 2, "quarter", 480, [72, 74, 76], voice=2),
        note(960, 960, 79),
        note(1920, 240, 61, grace="acciaccatura"),
        note(1920, 240, 63, grace="acciaccatura", order=1),
        note(1920, 960, 64),
        *_tuplet(0, 7, 4, "quarter", 480, [40, 41, 42, 43, 44, 45, 46], staff=2),
        note(1920, 1920, 36, staff=2),
    ]
    meters = (MeterChange(numerator=4, denominator=4),)
    return NotesDocument(length=3840, meters=meters, keys=(KeyChange(fifths=0),), parts=PIANO, notes=tuple(notes))


def _tuplet(
    tick: int, actual: int, normal: int, kind: str, unit: int, pitches: list[int], **more: object
) -> Iterator[NoteItem]:
    tuplet = Tuplet.model_validate({"actual": actual, "normal": normal, "type": kind, "tick": tick})
    edges = [tick + round(i * normal * unit / actual) for i in range(actual + 1)]
    for i, pitch in enumerate(pitches):
        yield note(edges[i], edges[i + 1] - edges[i], pitch, tuplet=tuplet, **more)


def crossing_staves() -> NotesDocument:
    """An upbeat, and an arpeggio of the left hand that goes up into the right hand's staff."""
    arpeggio = [48, 52, 55, 60, 64, 67, 72, 76]
    notes = [
        note(0, 480, 79),
        *(
            note(480 + i * 240, 240, pitch, staff=2, staff_move=-1 if pitch > 65 else 0)
            for i, pitch in enumerate(arpeggio)
        ),
        note(480, 1920, 84),
    ]
    return NotesDocument(
        pickup=480,
        length=2400,
        meters=(MeterChange(numerator=4, denominator=4),),
        keys=(KeyChange(fifths=0),),
        parts=PIANO,
        notes=tuple(notes),
    )


def made() -> dict[str, NotesDocument]:
    """All of them by name."""
    return {"two hands": two_hands(), "figures": figures(), "crossing staves": crossing_staves()}
