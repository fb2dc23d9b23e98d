"""MusicXML as a notes document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar, get_args

from lxml import etree
from pydantic import ValidationError

from model_runtime.errors import UnreadableFile
from model_runtime.files import notes as model
from model_runtime.files.notes_timeline import measures_of
from model_runtime.files.notes_writer import FULL_DYNAMICS_VELOCITY, VOICES_PER_STAFF
from model_runtime.files.spelling import sounding, spelled
from model_runtime.files.written_time import TYPE_QUARTERS
from model_runtime.modality import Notation

_MARKS = frozenset(get_args(model.Mark))
_ARTICULATIONS = frozenset(get_args(model.Articulation))
_MODES = frozenset({"major", "minor"})
_DEFAULT_GRACE = "eighth"
_ROUNDING_QUARTERS = Fraction(1, 96)  # by which editors' rounded tuplets make a measure too long or too short


def document_of(notation: Notation) -> model.NotesDocument:
    """See `notes.notation_to_notes`."""
    root = notation.root
    try:
        document = _document(root)
    except (ValueError, ArithmeticError, ValidationError, OverflowError) as error:
        raise UnreadableFile(
            "The MusicXML holds a number that makes no sense.", hint="Open and save it in a notation editor."
        ) from error
    return document.model_copy(update={"confidence": tuple(round(sure, 3) for sure in notation.confidence)})


def _document(root: etree._Element) -> model.NotesDocument:
    parts = root.findall("part")
    readers = [_PartReader(part, i) for i, part in enumerate(parts)]
    lengths = _measure_lengths(readers)
    starts = [Fraction(0)]
    for length in lengths:
        starts.append(starts[-1] + length)
    for reader in readers:
        reader.read(starts)
    concert = next((r for r in readers if not r.transposed), readers[0] if readers else None)
    tempos = {t.tick: t for r in reversed(readers) for t in r.tempos}
    document = model.NotesDocument(
        title=_title(root),
        length=_tick(starts[-1]),
        tempos=tuple(t for _, t in sorted(tempos.items())),
        meters=tuple(_changes(readers[0].meters)) if readers else (),
        keys=tuple(_changes(concert.keys)) if concert else (),
        parts=tuple(_part(root, part, r) for part, r in zip(parts, readers, strict=True)) or (model.Part(),),
        notes=tuple(sorted((n for r in readers for n in r.items()), key=_order)),
        dynamics=tuple(sorted((d for r in readers for d in r.dynamics), key=lambda d: (d.tick, d.part, d.staff))),
    )
    return _with_measures(document, starts)


def _order(note: model.NoteItem) -> tuple[int, int, int, int, bool, int, int]:
    return note.tick, note.part, note.staff, note.voice, not note.grace, note.order, note.pitch


def _tick(quarters: Fraction) -> int:
    return round(quarters * model.TICKS_PER_QUARTER)


def _measure_lengths(readers: list[_PartReader]) -> list[Fraction]:
    """Length of each measure: what the fullest part has in it; the meter's where all are empty or nearly say so."""
    count = max((len(r.measures) for r in readers), default=0)
    lengths = []
    for i in range(count):
        length = max(r.length_of(i) for r in readers)
        full = next((r.full_lengths[i] for r in readers if i < len(r.measures)), Fraction(4))
        lengths.append(full if not length or abs(length - full) <= _ROUNDING_QUARTERS else length)
    return lengths


def _with_measures(document: model.NotesDocument, starts: list[Fraction]) -> model.NotesDocument:
    """The document with its pickup, and with its barlines where meters do not tell them."""
    ticks = [_tick(start) for start in starts[:-1]]
    if len(starts) > 1:
        meter = document.meters[0] if document.meters and document.meters[0].tick == 0 else None
        full = Fraction(4 * meter.numerator, meter.denominator) if meter else Fraction(4)
        if starts[1] < full:
            document = document.model_copy(update={"pickup": _tick(starts[1])})
    regular = measures_of(document.model_copy(update={"notes": (), "dynamics": (), "tempos": ()}))
    if [_tick(m.start) for m in regular] != ticks or _tick(regular[-1].end) != document.length:
        document = document.model_copy(update={"measures": tuple(ticks)})
    return document


_Change = TypeVar("_Change", model.MeterChange, model.KeyChange)


def _changes(marks: list[_Change]) -> Iterator[_Change]:
    """Without repetitions of what is in force; of several at one tick the last."""
    before: object = None
    for mark in sorted({m.tick: m for m in marks}.values(), key=lambda m: m.tick):
        now = mark.model_copy(update={"tick": 0})
        if now != before:
            yield mark
        before = now


def _title(root: etree._Element) -> str:
    return (root.findtext("work/work-title") or root.findtext("movement-title") or "").strip()


def _part(root: etree._Element, part: etree._Element, reader: _PartReader) -> model.Part:
    entry = next((e for e in root.iterfind("part-list/score-part") if e.get("id") == part.get("id")), None)
    name = "" if entry is None else (entry.findtext("part-name") or "").strip()
    program = None if entry is None else entry.findtext("midi-instrument/midi-program")
    number = int(program) - 1 if program and program.strip().isdigit() else None
    known = number if number is not None and 0 <= number <= 127 else None
    return model.Part(name=name, program=known, staves=min(max(reader.staves, 1), 9))


@dataclass
class _Head:
    """A note as it stands in the file, before its voice is known."""

    item: model.NoteItem
    voice: str


@dataclass
class _PartReader:
    """Walks through a part's measures."""

    part: etree._Element
    index: int
    measures: list[etree._Element] = field(init=False)
    full_lengths: list[Fraction] = field(default_factory=list)
    staves: int = 1
    transposed: int = 0
    meters: list[model.MeterChange] = field(default_factory=list)
    keys: list[model.KeyChange] = field(default_factory=list)
    tempos: list[model.Tempo] = field(default_factory=list)
    dynamics: list[model.Dynamic] = field(default_factory=list)
    heads: list[_Head] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.measures = self.part.findall("measure")
        self.divisions = Fraction(1)
        self.lengths: list[Fraction] = []
        self.fifths = 0
        self.open_tuplets: dict[str, tuple[int, str]] = {}
        self.tuplet: dict[str, object] | None = None
        self.graces = 0
        full = Fraction(4)
        for measure in self.measures:
            for time in measure.iterfind("attributes/time"):
                full = _meter_quarters(time) or full
            self.full_lengths.append(full)
            self.lengths.append(self._length(measure))
        self.divisions = Fraction(1)

    def length_of(self, i: int) -> Fraction:
        return self.lengths[i] if i < len(self.lengths) else Fraction(0)

    def _length(self, measure: etree._Element) -> Fraction:
        position = longest = Fraction(0)
        for element in measure:
            if element.tag == "attributes":
                self._read_divisions(element)
            position = max(Fraction(0), position + self._advance(element))
            longest = max(longest, position)
        return longest

    def _read_divisions(self, attributes: etree._Element) -> None:
        text = attributes.findtext("divisions")
        if text:
            self.divisions = Fraction(text.strip())
            if self.divisions <= 0:
                raise ValueError("divisions")

    def _advance(self, element: etree._Element) -> Fraction:
        """How far an element moves the position, in quarter notes."""
        if element.tag == "backup":
            return -self._duration(element)
        moves = element.tag == "forward" or (
            element.tag == "note" and element.find("chord") is None and element.find("grace") is None
        )
        return self._duration(element) if moves else Fraction(0)

    def _duration(self, element: etree._Element) -> Fraction:
        duration = Fraction((element.findtext("duration") or "0").strip()) / self.divisions
        if duration < 0:
            raise ValueError("duration")
        return duration

    def read(self, starts: list[Fraction]) -> None:
        """Read everything, measure `i` beginning at `starts[i]`."""
        for i, measure in enumerate(self.measures):
            position = onset = starts[i]
            for element in measure:
                if element.tag == "attributes":
                    self._attributes(element, position)
                elif element.tag == "direction":
                    self._direction(element, position)
                elif element.tag == "sound":
                    self._sound(element, position)
                elif element.tag == "note":
                    onset = onset if element.find("chord") is not None else position
                    self._note(element, onset)
                position = max(starts[i], position + self._advance(element))

    def _attributes(self, attributes: etree._Element, position: Fraction) -> None:
        self._read_divisions(attributes)
        self.staves = max(self.staves, int(attributes.findtext("staves") or 1))
        if (transpose := attributes.find("transpose")) is not None:
            octaves = int(transpose.findtext("octave-change") or 0)
            self.transposed = int(float(transpose.findtext("chromatic") or 0)) + 12 * octaves
        for time in attributes.iterfind("time"):
            if _meter_quarters(time):
                beats, beat_type = _meter(time)
                meter = {"tick": _tick(position), "numerator": beats, "denominator": beat_type}
                self.meters.append(model.MeterChange.model_validate(meter))
        for key in attributes.iterfind("key"):
            if (text := key.findtext("fifths")) is not None:
                self.fifths = _concert_fifths(int(text), self.transposed)
                mode = (key.findtext("mode") or "").strip()
                change = {"tick": _tick(position), "fifths": self.fifths, "mode": mode if mode in _MODES else ""}
                self.keys.append(model.KeyChange.model_validate(change))

    def _direction(self, direction: etree._Element, position: Fraction) -> None:
        offset = direction.findtext("offset")
        if offset:
            position = max(Fraction(0), position + Fraction(offset.strip()) / self.divisions)
        staff = int(direction.findtext("staff") or 1)
        for mark in direction.iterfind("direction-type/dynamics/*"):
            if mark.tag in _MARKS:
                found = {"tick": _tick(position), "mark": mark.tag, "part": self.index, "staff": staff}
                self.dynamics.append(model.Dynamic.model_validate(found))
        sound = direction.find("sound")
        if sound is not None and sound.get("tempo"):
            self._sound(sound, position)
        elif (metronome := direction.find("direction-type/metronome")) is not None:
            self._add_tempo(_metronome_tempo(metronome), position)

    def _sound(self, sound: etree._Element, position: Fraction) -> None:
        if text := sound.get("tempo"):
            self._add_tempo(float(text), position)

    def _add_tempo(self, quarters_per_minute: float | None, position: Fraction) -> None:
        if quarters_per_minute is not None and 1 <= quarters_per_minute <= 10000:
            self.tempos.append(model.Tempo(tick=_tick(position), quarters_per_minute=quarters_per_minute))

    def _note(self, note: etree._Element, onset: Fraction) -> None:
        chord = note.find("chord") is not None
        voice = (note.findtext("voice") or "1").strip()
        grace = note.find("grace")
        tuplet = self._tuplet(note, onset, voice, chord=chord)
        if grace is None:
            self.graces = 0
        elif not chord:
            self.graces += 1
        named = self._named(note)
        if named is None or note.find("cue") is not None:
            return
        kind = "" if grace is None else ("acciaccatura" if grace.get("slash") == "yes" else "appoggiatura")
        quarters = self._duration(note) if grace is None else _written_quarters(note)
        ties = {tie.get("type") for tie in note.iterfind("tie")}
        self.heads.append(
            _Head(
                model.NoteItem.model_validate(
                    {
                        **named,
                        "tick": _tick(onset),
                        "duration": max(
                            1, _tick(onset + quarters) - _tick(onset) if grace is None else _tick(quarters)
                        ),
                        "velocity": _velocity(note),
                        "part": self.index,
                        "staff": int(note.findtext("staff") or 1),
                        "tie_start": "start" in ties,
                        "tie_stop": "stop" in ties,
                        "tuplet": tuplet,
                        "grace": kind,
                        "order": 0 if grace is None else self.graces - 1,
                        "articulations": _articulations(note),
                        "lyrics": _lyrics(note),
                    }
                ),
                voice,
            )
        )

    def _named(self, note: etree._Element) -> dict[str, object] | None:
        """Pitch and spelling at concert pitch; None for a rest."""
        if (pitch := note.find("pitch")) is not None:
            step, octave = (pitch.findtext("step") or "").strip(), int(pitch.findtext("octave") or 4)
            alter = round(float(pitch.findtext("alter") or 0))
        elif (unpitched := note.find("unpitched")) is not None:
            step, alter = (unpitched.findtext("display-step") or "C").strip(), 0
            octave = int(unpitched.findtext("display-octave") or 4)
        else:
            return None
        midi = sounding(step, alter, octave) + self.transposed if step in "CDEFGAB" and step else -1
        if self.transposed:
            step, alter, octave = spelled(midi, self.fifths)
        return {"pitch": midi, "step": step, "alter": alter, "octave": octave}

    def _tuplet(self, note: etree._Element, onset: Fraction, voice: str, *, chord: bool) -> dict[str, object] | None:
        """The tuplet that a note belongs to; remembers where its bracket began."""
        if chord:
            return self.tuplet  # brackets stand at a chord's first note only
        self.tuplet = None
        brackets = note.findall("notations/tuplet")
        for bracket in brackets:
            if bracket.get("type") == "start" and voice not in self.open_tuplets:
                self.open_tuplets[voice] = (_tick(onset), bracket.findtext("tuplet-actual/tuplet-type") or "")
        begun = self.open_tuplets.get(voice)
        if any(b.get("type") == "stop" and b.get("number", "1") == "1" for b in brackets):
            self.open_tuplets.pop(voice, None)
        modification = note.find("time-modification")
        tremolo = note.find("notations/ornaments/tremolo")
        if modification is None or (tremolo is not None and tremolo.get("type") in ("start", "stop")):
            return None  # a tremolo between two notes only looks like a tuplet
        kind = modification.findtext("normal-type") or (begun and begun[1]) or note.findtext("type") or _DEFAULT_GRACE
        self.tuplet = {
            "actual": int(modification.findtext("actual-notes") or 1),
            "normal": int(modification.findtext("normal-notes") or 1),
            "type": kind,
            "tick": None if begun is None else begun[0],
        }
        return self.tuplet

    def items(self) -> Iterator[model.NoteItem]:
        """The notes, each with its voice's own staff and its number there."""
        homes = _home_staves(self.heads)
        numbers = _voice_numbers(self.heads, homes)
        for head in self.heads:
            home = homes[head.item.staff, head.voice]
            place = {"staff": home, "staff_move": head.item.staff - home, "voice": numbers[home, head.voice]}
            yield head.item.model_copy(update=place)


def _home_staves(heads: list[_Head]) -> dict[tuple[int, str], int]:
    """(staff a note is drawn on, its voice's label) → staff the voice belongs to.

    A voice whose label counts four a staff crosses to where it is drawn if its own staff has it too and it never
    sounds on two staves at once; others stay.
    """
    drawn: defaultdict[str, list[model.NoteItem]] = defaultdict(list)
    for head in heads:
        drawn[head.voice].append(head.item)
    homes: dict[tuple[int, str], int] = {}
    for label, items in drawn.items():
        number = int(label) if label.isdigit() and len(label) < 4 else 0
        home = (number - 1) // VOICES_PER_STAFF + 1 if number else 0
        staves = {item.staff for item in items}
        crosses = home in staves and len(staves) > 1 and not _on_two_staves_at_once(items)
        homes |= {(staff, label): home if crosses else staff for staff in staves}
    return homes


def _on_two_staves_at_once(items: list[model.NoteItem]) -> bool:
    ends: dict[int, int] = {}
    for item in sorted((i for i in items if not i.grace), key=lambda i: i.tick):
        if any(end > item.tick for staff, end in ends.items() if staff != item.staff):
            return True
        ends[item.staff] = max(ends.get(item.staff, 0), item.tick + item.duration)
    return False


def _voice_numbers(heads: list[_Head], homes: dict[tuple[int, str], int]) -> dict[tuple[int, str], int]:
    """(staff, label) → number on that staff: labels that count four a staff say it, others take what is free."""
    labels: defaultdict[int, list[str]] = defaultdict(list)
    for head in heads:
        home = homes[head.item.staff, head.voice]
        if head.voice not in labels[home]:
            labels[home].append(head.voice)
    numbers: dict[tuple[int, str], int] = {}
    for staff, names in labels.items():
        taken: set[int] = set()
        for name in names:
            number = int(name) - (staff - 1) * VOICES_PER_STAFF if name.isdigit() and len(name) < 4 else 0
            if number > VOICES_PER_STAFF:
                number = int(name) - 100 * staff
            if (number > VOICES_PER_STAFF and number <= 16) or 1 <= number <= VOICES_PER_STAFF:
                numbers[staff, name] = number
                taken.add(number)
        for name in sorted(n for n in names if (staff, n) not in numbers):
            free = next((v for v in range(1, 17) if v not in taken), 16)
            numbers[staff, name] = free
            taken.add(free)
    return numbers


def _meter(time: etree._Element) -> tuple[int, int]:
    """Numerator and denominator; of an additive meter (3+2/8) the sum."""
    beats = sum(int(b) for b in (time.findtext("beats") or "").split("+"))
    return beats, int(time.findtext("beat-type") or 4)


def _meter_quarters(time: etree._Element) -> Fraction | None:
    """A measure's length; None for a free meter."""
    if time.find("senza-misura") is not None or not time.findtext("beats"):
        return None
    beats, beat_type = _meter(time)
    if beats < 1 or beat_type < 1:
        raise ValueError("meter")
    return Fraction(4 * beats, beat_type)


def _concert_fifths(fifths: int, transposed: int) -> int:
    """A written key at concert pitch, with at most six or seven accidentals."""
    concert = fifths + 7 * transposed
    return fifths if transposed % 12 == 0 else (concert + 5) % 12 - 5


def _metronome_tempo(metronome: etree._Element) -> float | None:
    try:
        per_minute = float(metronome.findtext("per-minute") or "")
    except ValueError:
        return None
    unit = TYPE_QUARTERS.get(metronome.findtext("beat-unit") or "quarter", Fraction(1))
    dots = len(metronome.findall("beat-unit-dot"))
    return float(unit * (2 - Fraction(1, 2**dots))) * per_minute


def _written_quarters(note: etree._Element) -> Fraction:
    quarters = TYPE_QUARTERS.get(note.findtext("type") or _DEFAULT_GRACE, Fraction(1, 2))
    return quarters * (2 - Fraction(1, 2 ** len(note.findall("dot"))))


def _velocity(note: etree._Element) -> int | None:
    text = note.get("dynamics")
    return None if text is None else min(127, max(1, round(float(text) * FULL_DYNAMICS_VELOCITY / 100)))


def _articulations(note: etree._Element) -> list[str]:
    found = [
        str(mark.tag)
        for container in ("ornaments", "technical", "articulations")
        for mark in note.iterfind(f"notations/{container}/*")
        if mark.tag in _ARTICULATIONS
    ]
    if note.find("notations/fermata") is not None:
        found.append("fermata")
    return list(dict.fromkeys(found))


def _lyrics(note: etree._Element) -> list[dict[str, object]]:
    lyrics = []
    for i, lyric in enumerate(note.findall("lyric")):
        number = (lyric.get("number") or "").strip()
        text = "".join(t.text or "" for t in lyric.iterfind("text"))
        if text:
            verse = int(number) if number.isdigit() and 1 <= int(number) <= 99 else i + 1
            lyrics.append({"verse": verse, "text": text, "syllabic": lyric.findtext("syllabic") or "single"})
    return lyrics
