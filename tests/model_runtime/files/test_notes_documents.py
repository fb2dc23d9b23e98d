"""Notes documents (a notation editor's cursor) and events documents (seconds)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import mido
import pytest
from file_samples import performance
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_runtime import files
from model_runtime.errors import InvalidValue, TooLarge, UnreadableFile
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
    notation_to_notes,
    notes_to_notation,
)
from model_runtime.files.spelling import sounding, spelled
from model_runtime.modality import Control, Notation, Note, Performance, PitchBend, ProgramChange
from model_runtime.tempo import KeySignature, Meter, TempoMap

PLAIN_TICKS = [60, 90, 120, 180, 240, 360, 420, 480, 720, 840, 960, 1440, 1920]
TUPLETS = [(3, 2, "eighth", 240), (3, 2, "quarter", 480), (5, 4, "16th", 120), (7, 4, "16th", 120), (6, 4, "16th", 120)]
ARTICULATIONS = st.lists(st.sampled_from(["accent", "staccato", "fermata", "trill-mark"]), unique=True, max_size=2)
KNOWN_ORDER = ["trill-mark", "accent", "staccato", "fermata"]  # as the file keeps them


def full_measures(notation: Notation) -> bool:
    """Whether every voice of every measure lasts as long as the measure."""
    for part in notation.root.findall("part"):
        divisions, meter = 1, Fraction(4)
        for i, measure in enumerate(part.findall("measure")):
            for attributes in measure.findall("attributes"):
                divisions = int(attributes.findtext("divisions") or divisions)
                if attributes.find("time") is not None:
                    meter = Fraction(
                        4 * int(attributes.findtext("time/beats")), int(attributes.findtext("time/beat-type"))
                    )
            lengths: defaultdict[str, int] = defaultdict(int)
            for note in measure.findall("note"):
                if note.find("chord") is None and note.find("grace") is None:
                    lengths[note.findtext("voice")] += int(note.findtext("duration"))
            if len(set(lengths.values())) != 1:
                return False
            if i and measure.get("implicit") is None and lengths.popitem()[1] != meter * divisions:
                return False
    return True


# ---- strategies ----------------------------------------------------------------------------------------------------


@st.composite
def heads(draw: st.DrawFn, common: dict[str, object]) -> list[NoteItem]:
    """A chord of one to three notes, each spelled as it sounds."""
    items = []
    for pitch in sorted(draw(st.lists(st.integers(24, 100), min_size=1, max_size=3, unique=True))):
        step, alter, octave = spelled(pitch, draw(st.integers(-5, 5)))
        marks = draw(ARTICULATIONS)
        items.append(
            NoteItem.model_validate(
                {
                    **common,
                    "pitch": pitch,
                    "step": step,
                    "alter": alter,
                    "octave": octave,
                    "velocity": draw(st.none() | st.integers(1, 127)),
                    "tie_start": draw(st.booleans()),
                    "tie_stop": draw(st.booleans()),
                    "articulations": sorted(marks, key=KNOWN_ORDER.index),
                    "lyrics": [Lyric(text="la'<&é", verse=2, syllabic="begin")] if draw(st.booleans()) else [],
                }
            )
        )
    return items


@st.composite
def voice_measure(draw: st.DrawFn, start: int, length: int, common: dict[str, object]) -> list[NoteItem]:
    """A measure of one voice: chords, rests, tuplets and grace notes."""
    items: list[NoteItem] = []
    at = start
    while at < start + length:
        left = start + length - at
        kind = draw(st.sampled_from(["note", "rest", "tuplet", "grace"]))
        fitting = [t for t in TUPLETS if t[1] * t[3] <= left and (at - start) % (t[1] * t[3]) == 0]
        if kind == "tuplet" and fitting:
            actual, normal, type_, unit = draw(st.sampled_from(fitting))
            tuplet = Tuplet.model_validate({"actual": actual, "normal": normal, "type": type_, "tick": at})
            edges = [at + round(Fraction(i * normal * unit, actual)) for i in range(actual + 1)]
            sounding_notes = draw(st.lists(st.booleans(), min_size=actual, max_size=actual).filter(any))
            for i in range(actual):
                if sounding_notes[i]:
                    place = {**common, "tick": edges[i], "duration": edges[i + 1] - edges[i], "tuplet": tuplet}
                    items += draw(heads(place))
            at = edges[-1]
            continue
        ticks = draw(st.sampled_from([t for t in PLAIN_TICKS if t <= left] or [left]))
        if kind == "grace":
            grace = draw(st.sampled_from(["acciaccatura", "appoggiatura"]))
            items += draw(heads({**common, "tick": at, "duration": 240, "grace": grace}))
        if kind != "rest":
            items += draw(heads({**common, "tick": at, "duration": ticks}))
        at += ticks
    return items


@st.composite
def documents(draw: st.DrawFn) -> NotesDocument:
    """Documents as an editor's cursor gives them: every note a written note inside its measure."""
    numerator, denominator = draw(st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 2), (5, 8)]))
    full = 1920 * numerator // denominator
    pickup = draw(st.sampled_from([0, 0, 240, 480]))
    first = [0] if pickup else []
    starts = first + [pickup + i * full for i in range(draw(st.integers(1, 3)))]
    bounds = [*starts, starts[-1] + full]
    parts = [
        Part(
            name=draw(st.sampled_from(["", "Flöte", "Piano 🎹", "<&>"])),
            program=draw(st.none() | st.integers(0, 127)),
            staves=draw(st.integers(1, 2)),
        )
        for _ in range(draw(st.integers(1, 2)))
    ]  # fmt: skip
    notes: list[NoteItem] = []
    dynamics: dict[tuple[int, int, int], str] = {}
    for index, part in enumerate(parts):
        for staff in range(1, part.staves + 1):
            for voice in draw(st.sampled_from([(1,), (1, 2)])):
                common = {"part": index, "staff": staff, "voice": voice}
                for start, end in pairwise(bounds):
                    notes += draw(voice_measure(start, end - start, common))
            if draw(st.booleans()):
                tick = draw(st.integers(0, bounds[-1] // 60 - 1)) * 60
                dynamics[tick, index, staff] = draw(st.sampled_from(["pp", "mf", "sfz"]))
    keys = [KeyChange(fifths=draw(st.integers(-7, 7)), mode=draw(st.sampled_from(["", "major", "minor"])))]
    tempos = [
        Tempo(tick=draw(st.integers(0, bounds[-1] // 120 - 1)) * 120, quarters_per_minute=draw(st.floats(20, 300)))
    ]
    order = sorted(notes, key=lambda n: (n.tick, n.part, n.staff, n.voice, not n.grace, n.order, n.pitch))
    return NotesDocument(
        title=draw(st.sampled_from(["", "A 'title' \"quoted\" <&> 🎹"])),
        pickup=pickup, length=bounds[-1], parts=tuple(parts), notes=tuple(order),
        keys=tuple(keys), tempos=tuple(tempos),
        meters=(MeterChange.model_validate({"numerator": numerator, "denominator": denominator}),),
        dynamics=tuple(
            Dynamic.model_validate({"tick": t, "part": p, "staff": s, "mark": m})
            for (t, p, s), m in sorted(dynamics.items())
        ),
    )  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(documents())
def test_what_a_cursor_read_comes_back_unchanged_through_musicxml(document: NotesDocument) -> None:
    notation = files.notes_to_notation(document)
    assert full_measures(notation)
    back = files.notation_to_notes(notation)
    assert back == document


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            NoteItem, tick=st.integers(0, 9000), duration=st.integers(1, 5000), pitch=st.integers(0, 127),
            voice=st.integers(1, 4),
        ),
        max_size=15,
    ),
    st.sampled_from([480, 96, 24, 1000]),
)  # fmt: skip
def test_whatever_a_program_sends_fills_its_measures_and_loses_no_note(items: list[NoteItem], per_quarter: int) -> None:
    notation = files.notes_to_notation(NotesDocument(notes=tuple(items), ticks_per_quarter=per_quarter))
    assert full_measures(notation)
    struck = [
        note.findtext("pitch/step") for note in notation.root.iter("note")
        if note.find("pitch") is not None and not any(t.get("type") == "stop" for t in note.findall("tie"))
    ]  # fmt: skip
    assert len(struck) == len(items)


# ---- examples ------------------------------------------------------------------------------------------------------


def names(notation: Notation) -> list[str]:
    found = []
    for note in notation.root.iter("note"):
        kind = "rest" if note.find("rest") is not None else note.findtext("pitch/step")
        found.append(f"{kind} {note.findtext('type')}{'.' * len(note.findall('dot'))}")
    return found


def test_a_note_over_the_barline_is_tied() -> None:
    notation = files.notes_to_notation(NotesDocument(notes=(NoteItem(tick=1440, duration=960, pitch=60),)))
    assert names(notation) == ["rest half", "rest quarter", "C quarter", "C quarter", "rest quarter", "rest half"]
    assert [t.get("type") for t in notation.root.iter("tied")] == ["start", "stop"]


def test_triplets_without_a_tuplet_are_recognised_and_filled() -> None:
    notes = tuple(NoteItem(tick=t, duration=160, pitch=60) for t in (0, 320, 480))
    notation = files.notes_to_notation(NotesDocument(notes=notes))
    modified = [n for n in notation.root.iter("note") if n.findtext("time-modification/actual-notes") == "3"]
    assert [n.find("rest") is not None for n in modified] == [False, True, False, False, True, True][: len(modified)]
    assert full_measures(notation)


def test_the_key_spells_what_has_no_name_and_only_what_it_lacks_gets_an_accidental() -> None:
    notes = tuple(NoteItem(tick=i * 480, duration=480, pitch=p) for i, p in enumerate([66, 66, 65, 61]))
    notation = files.notes_to_notation(NotesDocument(notes=notes, keys=(KeyChange(fifths=2),)))
    assert [n.findtext("accidental") for n in notation.root.iter("note")] == [None, None, "natural", None]
    flats = files.notes_to_notation(NotesDocument(notes=notes[:1], keys=(KeyChange(fifths=-6),)))
    assert flats.root.findtext(".//pitch/step") == "G"


@given(st.integers(0, 127), st.integers(-7, 7))
def test_a_spelling_sounds_as_its_pitch(pitch: int, fifths: int) -> None:
    assert sounding(*spelled(pitch, fifths)) == pitch


def test_an_irregular_measure_is_kept_by_its_barlines() -> None:
    notes = tuple(NoteItem(tick=i * 480, duration=480, pitch=60, step="C", octave=4) for i in range(9))
    document = NotesDocument(
        notes=notes, measures=(0, 1920, 2400), length=4320, meters=(MeterChange(numerator=4, denominator=4),)
    )
    notation = files.notes_to_notation(document)
    assert notation.measure_count == 3
    assert files.notation_to_notes(notation) == document


def test_a_transposing_instrument_is_read_as_it_sounds() -> None:
    score = files.notes_to_notation(NotesDocument(notes=(NoteItem(tick=0, duration=480, pitch=62),))).musicxml
    clarinet = score.replace(b"<clef>", b"<transpose><chromatic>-2</chromatic></transpose><clef>", 1)
    # An attribute's order does not matter to a reader.
    (note,) = files.notation_to_notes(Notation(clarinet)).notes
    assert (note.pitch, note.step, note.octave) == (60, "C", 4)


def test_a_voice_that_crosses_staves_keeps_its_own_staff_and_is_drawn_on_the_other() -> None:
    notes = [
        NoteItem(tick=0, duration=1920, pitch=72),
        NoteItem(tick=0, duration=960, pitch=48, staff=2),
        NoteItem(tick=960, duration=960, pitch=64, staff=2, staff_move=-1),
    ]
    notation = files.notes_to_notation(NotesDocument(length=1920, parts=(Part(staves=2),), notes=tuple(notes)))
    drawn = {(n.findtext("voice"), n.findtext("staff")) for n in notation.root.iter("note")}
    assert drawn == {("1", "1"), ("5", "2"), ("5", "1")}
    back = files.notation_to_notes(notation)
    assert {(n.pitch, n.staff, n.staff_move, n.voice) for n in back.notes} == {
        (72, 1, 0, 1), (48, 2, 0, 1), (64, 2, -1, 1)
    }  # fmt: skip


def test_a_voice_label_that_sounds_on_two_staves_at_once_is_two_voices() -> None:
    notes = "".join(
        f"<note><pitch><step>C</step><octave>{octave}</octave></pitch><duration>4</duration><voice>1</voice>"
        f"<staff>{staff}</staff></note>{backup}"
        for octave, staff, backup in ((5, 1, "<backup><duration>4</duration></backup>"), (3, 2, ""))
    )
    document = files.notation_to_notes(
        Notation(
            '<score-partwise><part-list><score-part id="P1"><part-name/></score-part></part-list><part id="P1">'
            f"<measure><attributes><divisions>1</divisions><staves>2</staves></attributes>{notes}</measure></part>"
            "</score-partwise>".encode()
        )
    )
    assert [(n.pitch, n.staff, n.staff_move, n.voice) for n in document.notes] == [(72, 1, 0, 1), (48, 2, 0, 1)]


def test_a_measure_that_an_editors_rounding_made_too_long_is_full() -> None:
    notes = "".join(
        f"<note><pitch><step>C</step><octave>4</octave></pitch><duration>{ticks}</duration></note>"
        for ticks in (481, 480, 480, 480)
    )
    document = files.notation_to_notes(
        Notation(
            '<score-partwise><part-list><score-part id="P1"><part-name/></score-part></part-list><part id="P1">'
            "<measure><attributes><divisions>480</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
            f"</attributes>{notes}</measure><measure>{notes}</measure></part></score-partwise>".encode()
        )
    )
    assert document.measures == () and document.length == 3840
    assert document.notes[4].tick == 1920


def test_nonsense_is_refused_with_the_field_that_is_wrong(tmp_path: Path) -> None:
    bad = {"format": "notes", "notes": [{"tick": 0, "duration": 0, "pitch": 60}]}
    (tmp_path / "a.notes.json").write_text(json.dumps(bad))
    with pytest.raises(UnreadableFile, match=r"notes\.0\.duration"):
        files.read(tmp_path / "a.notes.json")
    with pytest.raises(InvalidValue, match="part 3"):
        files.notes_to_notation(NotesDocument(notes=(NoteItem(tick=0, duration=1, pitch=1, part=3),)))
    with pytest.raises(TooLarge, match="measures"):
        files.notes_to_notation(NotesDocument(length=1 << 39))


# ---- events --------------------------------------------------------------------------------------------------------


def test_a_performance_comes_back_from_its_events_document_unchanged(tmp_path: Path) -> None:
    tempo_map = TempoMap((0.1, 0.7, 1.1), (0.0, 1.0, 2.0), (Meter(0.0, 6, 8),), (KeySignature(0.0, -3, "minor"),))
    made = Performance(
        (Note(0.1, 1 / 3, 60, 1, 15, 1), Note(0.1, 0.7, 64)),
        (Control(0.2, 64, 127),), (PitchBend(0.3, -8192, 2),), (ProgramChange(0.0, 40, 3),), ("a", "🎹"), tempo_map,
    )  # fmt: skip
    files.write(made, tmp_path / "a.events.json")
    assert files.read(tmp_path / "a.events.json") == made
    files.write(made, tmp_path / "anything.json", format="events")
    assert files.read(tmp_path / "anything.json") == made


def test_how_sure_of_each_note_stands_in_the_events_document(tmp_path: Path) -> None:
    made = Performance((Note(0.0, 0.5, 60, confidence=0.62), Note(0.5, 1.0, 62)))
    files.write(made, tmp_path / "a.events.json")
    read = files.read(tmp_path / "a.events.json")
    assert isinstance(read, Performance)
    assert [note.confidence for note in read.notes] == [0.62, 1.0]


def test_how_sure_of_each_measure_stands_in_the_notes_document() -> None:
    document = NotesDocument(length=3840, notes=(NoteItem(tick=0, duration=480, pitch=60),))
    sure = replace(notes_to_notation(document), confidence=(0.4, 0.98765))
    assert notation_to_notes(sure).confidence == (0.4, 0.988)
    assert notes_to_notation(notation_to_notes(sure)).confidence == (0.4, 0.988)
    assert notation_to_notes(notes_to_notation(document)).confidence == ()


def test_an_events_document_with_a_backward_note_is_refused(tmp_path: Path) -> None:
    document = files.performance_to_events(performance()).model_dump()
    document["notes"][0]["offset"] = -1.0
    (tmp_path / "a.events.json").write_text(json.dumps(document))
    with pytest.raises(InvalidValue, match="does not end after it starts"):
        files.read(tmp_path / "a.events.json")


# ---- MuseScore -----------------------------------------------------------------------------------------------------


def test_musescore_opens_what_is_written_and_plays_the_same_notes(tmp_path: Path) -> None:
    triplet = Tuplet(actual=3, normal=2, type="eighth", tick=960)
    notes = [
        NoteItem(tick=0, duration=480, pitch=72),
        NoteItem(tick=480, duration=480, pitch=73),
        *(NoteItem(tick=960 + 160 * i, duration=160, pitch=76 + i, tuplet=triplet) for i in (0, 2)),
        NoteItem(tick=1440, duration=1440, pitch=79),
        NoteItem(tick=0, duration=960, pitch=48, staff=2),
        NoteItem(tick=0, duration=960, pitch=55, staff=2),
        NoteItem(tick=1200, duration=240, pitch=41, staff=2, voice=2),
        NoteItem(tick=2160, duration=420, pitch=50, staff=2),
    ]
    document = NotesDocument(
        title="Opens in MuseScore", notes=tuple(notes), length=3840, parts=(Part(name="Piano", program=0, staves=2),),
        tempos=(Tempo(quarters_per_minute=120),), keys=(KeyChange(fifths=-3),),
        meters=(MeterChange(numerator=4, denominator=4),),
        dynamics=(Dynamic(tick=480, mark="f"),),
    )  # fmt: skip
    files.write(files.notes_to_notation(document), tmp_path / "a.musicxml")
    program = shutil.which("mscore3") or shutil.which("musescore3")
    assert program, "MuseScore 3 is needed: apt-get install musescore3"
    subprocess.run(
        [program, "-o", str(tmp_path / "out.mid"), str(tmp_path / "a.musicxml")],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    file = mido.MidiFile(tmp_path / "out.mid")
    onsets = set()
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                onsets.add((round(now * 480 / file.ticks_per_beat), message.note))
    assert onsets == {(n.tick, n.pitch) for n in notes}
