"""A score selection as a JSON document: what a notation editor's cursor reads, and what it can insert.

    {"format": "notes", "version": 1, "ticks_per_quarter": 480, "title": "", "pickup": 0, "length": 1920,
     "tempos": [{"tick": 0, "quarters_per_minute": 96}], "meters": [{"tick": 0, "numerator": 4, "denominator": 4}],
     "keys": [{"tick": 0, "fifths": -1, "mode": "minor"}], "parts": [{"name": "Piano", "program": 0, "staves": 2}],
     "notes": [{"tick": 0, "duration": 480, "pitch": 62, "step": "D", "alter": 0, "octave": 4,
                "part": 0, "staff": 1, "voice": 1}],
     "dynamics": [{"tick": 0, "part": 0, "staff": 1, "mark": "mf"}]}

One note is one written note: what crosses a barline is two with a tie. Rests are where no notes are. Ticks count
written time from the first measure's start, repeats not unfolded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from model_runtime.errors import TooLarge
from model_runtime.files.documents import validated
from model_runtime.files.limits import Limits
from model_runtime.files.storing import content_of, store
from model_runtime.modality import Notation

TICKS_PER_QUARTER = 480
LAST_TICK = 1 << 40

Tick = Annotated[int, Field(ge=0, le=LAST_TICK)]
Index = Annotated[int, Field(ge=0, le=999)]
Staff = Annotated[int, Field(ge=1, le=9)]
Voice = Annotated[int, Field(ge=1, le=16)]
Step = Literal["C", "D", "E", "F", "G", "A", "B"]
NoteType = Literal[
    "1024th", "512th", "256th", "128th", "64th", "32nd", "16th", "eighth", "quarter", "half", "whole", "breve", "long"
]
Mark = Literal[
    "pppp", "ppp", "pp", "p", "mp", "mf", "f", "ff", "fff", "ffff", "fp", "sf", "sfz", "sffz", "sfp", "rf", "rfz", "fz"
]
Articulation = Literal[
    "accent", "strong-accent", "staccato", "tenuto", "detached-legato", "staccatissimo", "spiccato", "fermata",
    "trill-mark", "turn", "inverted-turn", "mordent", "inverted-mordent", "up-bow", "down-bow",
]  # fmt: skip


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Tempo(_Item):
    """A tempo mark."""

    tick: Tick = 0
    quarters_per_minute: Annotated[float, Field(ge=1, le=10000)]


class MeterChange(_Item):
    """A time signature; a measure begins at its tick."""

    tick: Tick = 0
    numerator: Annotated[int, Field(ge=1, le=64)]
    denominator: Literal[1, 2, 4, 8, 16, 32, 64]


class KeyChange(_Item):
    """A key signature, at concert pitch: `fifths` from -7 (flats) to 7 (sharps)."""

    tick: Tick = 0
    fifths: Annotated[int, Field(ge=-7, le=7)]
    mode: Literal["", "major", "minor"] = ""


class Part(_Item):
    """An instrument; `program` is General MIDI's from 0, None where it is not known."""

    name: str = ""
    program: Annotated[int, Field(ge=0, le=127)] | None = None
    staves: Staff = 1


class Tuplet(_Item):
    """`actual` notes of `type` in the time of `normal`; it begins at `tick` (None: to be found out)."""

    actual: Annotated[int, Field(ge=1, le=64)]
    normal: Annotated[int, Field(ge=1, le=64)]
    type: NoteType
    tick: Tick | None = None


class Lyric(_Item):
    """A syllable below a note; `verse` counts from 1."""

    text: str
    verse: Annotated[int, Field(ge=1, le=99)] = 1
    syllabic: Literal["single", "begin", "middle", "end"] = "single"


class NoteItem(_Item):
    """A written note.

    Attributes:
        tick: Where it begins; of a grace note: where the note that it decorates begins.
        duration: In ticks, more than 0; a grace note's takes no time and says only how it looks.
        pitch: MIDI note number as it sounds.
        step, alter, octave: Its spelling at concert pitch; None: the key decides.
        velocity: None: the dynamics decide.
        part: Index into `NotesDocument.parts`.
        staff: From 1, downwards; where its voice belongs.
        staff_move: How many staves below `staff` it is drawn (negative: above), for voices that cross staves.
        voice: From 1, on its staff.
        tie_start, tie_stop: Whether a tie begins or ends here.
        tuplet: The tuplet it belongs to.
        grace: Its kind, for a grace note.
        order: Of grace notes at one tick; those of the same order are a chord.
    """

    tick: Tick
    duration: Annotated[int, Field(ge=1, le=LAST_TICK)]
    pitch: Annotated[int, Field(ge=0, le=127)]
    step: Step | None = None
    alter: Annotated[int, Field(ge=-2, le=2)] = 0
    octave: Annotated[int, Field(ge=-1, le=9)] | None = None
    velocity: Annotated[int, Field(ge=1, le=127)] | None = None
    part: Index = 0
    staff: Staff = 1
    staff_move: Annotated[int, Field(ge=-8, le=8)] = 0
    voice: Voice = 1
    tie_start: bool = False
    tie_stop: bool = False
    tuplet: Tuplet | None = None
    grace: Literal["", "acciaccatura", "appoggiatura"] = ""
    order: Annotated[int, Field(ge=0, le=99)] = 0
    articulations: tuple[Articulation, ...] = ()
    lyrics: tuple[Lyric, ...] = ()


class Dynamic(_Item):
    """A dynamic mark."""

    tick: Tick
    mark: Mark
    part: Index = 0
    staff: Staff = 1


class NotesDocument(_Item):
    """The document; fields that are unknown are ignored.

    Attributes:
        pickup: Length of an incomplete first measure in ticks, 0 for none.
        length: Of the whole selection in ticks; it is rounded up to a whole measure.
        measures: Where measures begin, in ticks, where meters and pickup do not tell; else empty.
        notes: In any order; `notation_to_notes` sorts them.
        confidence: How sure whoever read it from a page is of each measure, 0 to 1; empty where nobody says.
    """

    format: Literal["notes"] = "notes"
    version: Literal[1] = 1
    ticks_per_quarter: Annotated[int, Field(ge=1, le=100_000)] = TICKS_PER_QUARTER
    title: str = ""
    pickup: Tick = 0
    length: Tick = 0
    measures: tuple[Tick, ...] = ()
    tempos: tuple[Tempo, ...] = ()
    meters: tuple[MeterChange, ...] = ()
    keys: tuple[KeyChange, ...] = ()
    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = (Part(),)
    notes: tuple[NoteItem, ...] = ()
    dynamics: tuple[Dynamic, ...] = ()
    confidence: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()


def notes_to_notation(document: NotesDocument) -> Notation:
    """A score of the document: every measure exactly full, rests filled in.

    Raises:
        InvalidValue: a note names a part that is not there.
        TooLarge: more measures than any score has.
    """
    from model_runtime.files.notes_writer import written

    return written(document)


def notation_to_notes(notation: Notation) -> NotesDocument:
    """The document of a score, as a cursor would read it. Repeats are not unfolded, layout is left out.

    Raises:
        UnreadableFile: the score's durations make no sense.
    """
    from model_runtime.files.notes_reader import document_of

    return document_of(notation)


def read_notes(path: Path, limits: Limits | None = None) -> Notation:
    """Read a notes document as notation.

    Raises:
        UnreadableFile: not JSON, or not such a document; the sentence names the first wrong field.
        TooLarge: too many notes.
    """
    document = validated(NotesDocument, content_of(path), "notes")
    limits = limits or Limits()
    if len(document.notes) > limits.notes:
        raise TooLarge(f"The document has {len(document.notes):,} notes, and at most {limits.notes:,} are read.")
    return notes_to_notation(document)


def write_notes(notation: Notation, path: Path) -> None:
    """Write a notation as a notes document.

    Raises:
        UnwritableFile: no room, no right or no folder.
    """
    store(path, notation_to_notes(notation).model_dump_json(exclude_defaults=False).encode())
