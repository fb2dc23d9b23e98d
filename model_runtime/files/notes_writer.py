"""A notes document as MusicXML."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from statistics import mean

from lxml import etree

from model_runtime.errors import InvalidValue
from model_runtime.files.notes import KeyChange, NoteItem, NotesDocument, Part
from model_runtime.files.notes_timeline import Element, Measure, Streams, measures_of, streams_of
from model_runtime.files.spelling import ACCIDENTALS, key_alter, spelled
from model_runtime.files.written_time import PLAIN, Look, looks, single_look
from model_runtime.modality import Notation

VOICES_PER_STAFF = 4  # voice numbers are unique in a part: staff 2 begins at 5, as editors write it
BASS_BELOW = 57  # a staff whose notes lie below this pitch on average has a bass clef
FULL_DYNAMICS_VELOCITY = 90  # MusicXML's dynamics="100"
ORNAMENTS = frozenset({"trill-mark", "turn", "inverted-turn", "mordent", "inverted-mordent"})
TECHNICAL = frozenset({"up-bow", "down-bow"})
PERCUSSION_CHANNEL = 10


def written(document: NotesDocument) -> Notation:
    """See `notes.notes_to_notation`."""
    for index in [note.part for note in document.notes] + [dynamic.part for dynamic in document.dynamics]:
        if index >= len(document.parts):
            raise InvalidValue(f"A note or mark belongs to part {index}, but there are only {len(document.parts)}.")
    measures = measures_of(document)
    streams = [streams_of(document, i, measures) for i in range(len(document.parts))]
    root = etree.Element("score-partwise", version="4.0")
    if document.title:
        _sub(_sub(root, "work"), "work-title", document.title)
    part_list = _sub(root, "part-list")
    for i, part in enumerate(document.parts):
        _list_part(part_list, i, part)
    divisions = _divisions(streams, document)
    for i in range(len(document.parts)):
        _PartWriter(document, i, measures, streams[i], divisions).write(_sub(root, "part", id=f"P{i + 1}"))
    doctype = (
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
        '"http://www.musicxml.org/dtds/partwise.dtd">'
    )
    content = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True, doctype=doctype)
    return Notation(content, document.confidence)


def _list_part(part_list: etree._Element, index: int, part: Part) -> None:
    name = f"P{index + 1}"
    entry = _sub(part_list, "score-part", id=name)
    _sub(entry, "part-name", part.name)
    if part.program is not None:
        _sub(_sub(entry, "score-instrument", id=f"{name}-I1"), "instrument-name", part.name)
        instrument = _sub(entry, "midi-instrument", id=f"{name}-I1")
        channel = index % 15 + 1
        _sub(instrument, "midi-channel", channel if channel < PERCUSSION_CHANNEL else channel + 1)
        _sub(instrument, "midi-program", part.program + 1)


def _divisions(streams: Sequence[Streams], document: NotesDocument) -> int:
    """The smallest number of divisions a quarter that every duration is a whole number of."""
    denominators = {
        element.look.quarters.denominator
        for part in streams
        for measures in part.values()
        for measure in measures
        for element in measure
    }
    ticks = [tempo.tick for tempo in document.tempos] + [dynamic.tick for dynamic in document.dynamics]
    denominators |= {Fraction(tick, document.ticks_per_quarter).denominator for tick in ticks}
    return math.lcm(*denominators)


class _PartWriter:
    """Writes one part, measure by measure."""

    def __init__(
        self, document: NotesDocument, index: int, measures: Sequence[Measure], streams: Streams, divisions: int
    ) -> None:
        self.document = document
        self.index = index
        self.part = document.parts[index]
        self.measures = measures
        self.streams = streams
        self.divisions = divisions
        self.keys = sorted(document.keys, key=lambda k: k.tick)

    def write(self, part: etree._Element) -> None:
        pickup = self.measures[0].end - self.measures[0].start < self.measures[0].full
        for i, measure in enumerate(self.measures):
            attributes = {"number": str(i if pickup else i + 1)}
            if measure.end - measure.start != measure.full:
                attributes["implicit"] = "yes"
            element = _sub(part, "measure", **attributes)
            self._attributes(element, i)
            self._voices(element, i)

    def _quarters(self, tick: int) -> Fraction:
        return Fraction(tick, self.document.ticks_per_quarter)

    def _ticks(self, quarters: Fraction) -> str:
        return str(int(quarters * self.divisions))

    def _attributes(self, parent: etree._Element, i: int) -> None:
        measure = self.measures[i]
        attributes = etree.Element("attributes")
        if i == 0:
            _sub(attributes, "divisions", self.divisions)
        for change in self._keys_in(measure):
            if self._quarters(change.tick) == measure.start:
                _add_key(attributes, change)
        for meter in self.document.meters:
            if measure.start <= self._quarters(meter.tick) < measure.end:
                time = _sub(attributes, "time")
                _sub(time, "beats", meter.numerator)
                _sub(time, "beat-type", meter.denominator)
        if i == 0:
            if self.part.staves > 1:
                _sub(attributes, "staves", self.part.staves)
            for staff in range(1, self.part.staves + 1):
                self._clef(attributes, staff)
        if len(attributes):
            parent.append(attributes)

    def _keys_in(self, measure: Measure) -> list[KeyChange]:
        return [k for k in self.keys if measure.start <= self._quarters(k.tick) < measure.end]

    def _clef(self, attributes: etree._Element, staff: int) -> None:
        pitches = [n.pitch for n in self.document.notes if n.part == self.index and n.staff == staff]
        bass = mean(pitches) < BASS_BELOW if pitches else self.part.staves > 1 and staff == self.part.staves
        clef = _sub(attributes, "clef", **({"number": str(staff)} if self.part.staves > 1 else {}))
        _sub(clef, "sign", "F" if bass else "G")
        _sub(clef, "line", 4 if bass else 2)

    def _voices(self, parent: etree._Element, i: int) -> None:
        measure = self.measures[i]
        accidentals = self._accidentals(i)
        first = True
        for (staff, voice), filled in self.streams.items():
            if not filled[i]:
                continue
            if not first:
                _sub(_sub(parent, "backup"), "duration", self._ticks(measure.end - measure.start))
            first = False
            marks = list(self._marks(measure, staff)) if voice == 1 else []
            for element in filled[i]:
                while marks and marks[0][0] < element.end:
                    position, mark = marks.pop(0)
                    self._place(parent, mark, position - element.start, staff)
                for chord in element.graces:
                    self._grace(parent, chord, staff, voice, accidentals)
                self._element(parent, element, staff, voice, accidentals, whole=element.look.type == "")

    def _marks(self, measure: Measure, staff: int) -> Iterator[tuple[Fraction, etree._Element]]:
        """Dynamics, and on the score's first staff tempos, as (position, direction), sorted; keys off the barline."""
        marks: list[tuple[Fraction, etree._Element]] = []
        for change in self._keys_in(measure):
            position = self._quarters(change.tick)
            if position > measure.start and staff == 1:
                attributes = etree.Element("attributes")
                _add_key(attributes, change)
                marks.append((position, attributes))
        if self.index == 0 and staff == 1:
            for tempo in self.document.tempos:
                position = self._quarters(tempo.tick)
                if measure.start <= position < measure.end:
                    marks.append((position, _tempo(tempo.quarters_per_minute)))
        for dynamic in self.document.dynamics:
            position = self._quarters(dynamic.tick)
            own = dynamic.part == self.index and min(dynamic.staff, self.part.staves) == staff
            if own and measure.start <= position < measure.end:
                direction = etree.Element("direction", placement="below")
                _sub(_sub(_sub(direction, "direction-type"), "dynamics"), dynamic.mark)
                marks.append((position, direction))
        yield from sorted(marks, key=lambda mark: mark[0])

    def _place(self, parent: etree._Element, mark: etree._Element, late: Fraction, staff: int) -> None:
        parent.append(mark)
        if mark.tag == "attributes":
            return
        sound = mark.find("sound")
        if sound is not None:
            mark.remove(sound)
        if late:
            _sub(mark, "offset", self._ticks(late), sound="yes")
        if self.part.staves > 1:
            _sub(mark, "staff", staff)
        if sound is not None:
            mark.append(sound)

    def _element(
        self,
        parent: etree._Element,
        element: Element,
        staff: int,
        voice: int,
        accidentals: dict[int, str],
        *,
        whole: bool,
    ) -> None:
        if not element.pieces:
            note = _sub(parent, "note")
            _sub(note, "rest", **({"measure": "yes"} if whole else {}))
            _sub(note, "duration", self._ticks(element.look.quarters))
            self._rest_of_note(note, element.look, staff, voice, element)
            return
        for i, piece in enumerate(sorted(element.pieces, key=lambda p: p.item.pitch)):
            item = piece.item
            note = _note(parent, item)
            if i:
                _sub(note, "chord")
            self._pitch(note, item)
            _sub(note, "duration", self._ticks(element.look.quarters))
            back = element.ties_back or (item.tie_stop if piece.first else True)
            on = element.ties_on or (item.tie_start if piece.last else True)
            for kind in _tie_kinds(back, on):
                _sub(note, "tie", type=kind)
            accidental = accidentals.get(id(item)) if piece.first and not element.ties_back else None
            drawn = self._drawn(item, staff)
            self._rest_of_note(
                note, element.look, staff, voice, element, accidental, first_of_chord=i == 0, drawn=drawn
            )
            attack = piece.first and not element.ties_back
            _add_notations(note, item if attack else None, _tie_kinds(back, on))
            if attack:
                _add_lyrics(note, item)

    def _grace(
        self, parent: etree._Element, chord: Sequence[NoteItem], staff: int, voice: int, accidentals: dict[int, str]
    ) -> None:
        for i, item in enumerate(chord):
            note = _note(parent, item)
            _sub(note, "grace", **({"slash": "yes"} if item.grace == "acciaccatura" else {}))
            if i:
                _sub(note, "chord")
            self._pitch(note, item)
            for kind in _tie_kinds(item.tie_stop, item.tie_start):
                _sub(note, "tie", type=kind)
            duration = self._quarters(item.duration)
            look = single_look(duration) or looks(duration)[0]
            plain = Look(look.quarters, look.type, look.dots)
            drawn = self._drawn(item, staff)
            self._rest_of_note(note, plain, staff, voice, None, accidentals.get(id(item)), drawn=drawn)
            _add_notations(note, item, _tie_kinds(item.tie_stop, item.tie_start))
            _add_lyrics(note, item)

    def _rest_of_note(
        self,
        note: etree._Element,
        look: Look,
        staff: int,
        voice: int,
        element: Element | None,
        accidental: str | None = None,
        *,
        first_of_chord: bool = True,
        drawn: int | None = None,
    ) -> None:
        """What notes and rests have in common, in the order that MusicXML wants."""
        _sub(
            note, "voice", (staff - 1) * VOICES_PER_STAFF + voice if voice <= VOICES_PER_STAFF else 100 * staff + voice
        )
        if look.type:
            _sub(note, "type", look.type)
        for _ in range(look.dots):
            _sub(note, "dot")
        if accidental:
            _sub(note, "accidental", accidental)
        group = None if element is None else element.group
        if look.ratio != PLAIN:
            modification = _sub(note, "time-modification")
            _sub(modification, "actual-notes", look.ratio.actual)
            _sub(modification, "normal-notes", look.ratio.normal)
            if group is not None and group.tuplet.type != look.type:
                _sub(modification, "normal-type", group.tuplet.type)
        if self.part.staves > 1:
            _sub(note, "staff", drawn or staff)
        if element is not None and group is not None and first_of_chord and (element.opens or element.closes):
            notations = _sub(note, "notations")
            if element.opens:
                tuplet = _sub(notations, "tuplet", type="start", number="1")
                for name, count in (("actual", group.tuplet.actual), ("normal", group.tuplet.normal)):
                    side = _sub(tuplet, f"tuplet-{name}")
                    _sub(side, "tuplet-number", count)
                    _sub(side, "tuplet-type", group.tuplet.type)
            if element.closes:
                _sub(notations, "tuplet", type="stop", number="1")

    def _drawn(self, item: NoteItem, staff: int) -> int:
        """The staff that a note stands on; its voice may belong to another."""
        return min(max(staff + item.staff_move, 1), self.part.staves)

    def _fifths_at(self, quarters: Fraction) -> int:
        return next((k.fifths for k in reversed(self.keys) if self._quarters(k.tick) <= quarters), 0)

    def _name(self, item: NoteItem) -> tuple[str, int, int]:
        if item.step is not None and item.octave is not None:
            return item.step, item.alter, item.octave
        return spelled(item.pitch, self._fifths_at(self._quarters(item.tick)))

    def _pitch(self, note: etree._Element, item: NoteItem) -> None:
        step, alter, octave = self._name(item)
        pitch = _sub(note, "pitch")
        _sub(pitch, "step", step)
        if alter:
            _sub(pitch, "alter", alter)
        _sub(pitch, "octave", octave)

    def _accidentals(self, i: int) -> dict[int, str]:
        """Identity of a note item → the accidental printed before it in this measure."""
        heads: defaultdict[int, list[tuple[Fraction, int, NoteItem]]] = defaultdict(list)
        for (staff, _), filled in self.streams.items():
            for element in filled[i]:
                items = [(0, item) for chord in element.graces for item in chord]
                if not element.ties_back:
                    items += [(1, p.item) for p in element.pieces if p.first]
                for order, item in items:
                    heads[self._drawn(item, staff)].append((element.start, order, item))
        printed: dict[int, str] = {}
        for notes in heads.values():
            state: dict[tuple[str, int], int] = {}
            for position, _, item in sorted(notes, key=lambda head: head[:2]):
                step, alter, octave = self._name(item)
                before = state.get((step, octave), key_alter(step, self._fifths_at(position)))
                if alter != before and not item.tie_stop:
                    printed[id(item)] = ACCIDENTALS[alter]
                    state[step, octave] = alter
        return printed


def _tie_kinds(back: bool, on: bool) -> list[str]:
    return ["stop"] * back + ["start"] * on


def _note(parent: etree._Element, item: NoteItem) -> etree._Element:
    if item.velocity is None:
        return _sub(parent, "note")
    return _sub(parent, "note", dynamics=f"{100 * item.velocity / FULL_DYNAMICS_VELOCITY:.2f}")


def _add_notations(note: etree._Element, item: NoteItem | None, ties: Sequence[str]) -> None:
    """Ties and articulations; ahead of the staff's later siblings, beside a tuplet's bracket if there is one."""
    marks = () if item is None else item.articulations
    if not ties and not marks:
        return
    notations = note.find("notations")
    if notations is None:
        notations = _sub(note, "notations")
    for i, kind in enumerate(ties):
        notations.insert(i, etree.Element("tied", type=kind))
    for container, names in (
        ("ornaments", [m for m in marks if m in ORNAMENTS]),
        ("technical", [m for m in marks if m in TECHNICAL]),
        ("articulations", [m for m in marks if m not in ORNAMENTS | TECHNICAL and m != "fermata"]),
    ):
        if names:
            parent = _sub(notations, container)
            for name in names:
                _sub(parent, name)
    if "fermata" in marks:
        _sub(notations, "fermata")


def _add_lyrics(note: etree._Element, item: NoteItem) -> None:
    for lyric in item.lyrics:
        element = _sub(note, "lyric", number=str(lyric.verse))
        _sub(element, "syllabic", lyric.syllabic)
        _sub(element, "text", lyric.text)


def _add_key(attributes: etree._Element, change: KeyChange) -> None:
    key = _sub(attributes, "key")
    _sub(key, "fifths", change.fifths)
    if change.mode:
        _sub(key, "mode", change.mode)


def _tempo(quarters_per_minute: float) -> etree._Element:
    direction = etree.Element("direction", placement="above")
    metronome = _sub(_sub(direction, "direction-type"), "metronome")
    _sub(metronome, "beat-unit", "quarter")
    _sub(metronome, "per-minute", f"{quarters_per_minute:g}")
    _sub(direction, "sound", tempo=repr(float(quarters_per_minute)))
    return direction


def _sub(parent: etree._Element, tag: str, text: object = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, tag, attributes)
    if text is not None:
        element.text = _printable(str(text))
    return element


def _printable(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(
        c for c in text if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )
