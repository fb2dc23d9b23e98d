"""MusicXML notes → `WrittenNote`."""

from __future__ import annotations

from fractions import Fraction

from lxml import etree

from model_runtime.engines.base import Context
from model_runtime.playback.numbers import finite, integer, number, quarters, text
from model_runtime.playback.score import Part, WrittenNote

STEPS = "CDEFGAB"
_SEMITONES = (0, 2, 4, 5, 7, 9, 11)
_SHARPS = "FCGDAEB"  # order in which key signatures raise the steps
_QUARTERS = {
    "maxima": Fraction(32), "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2),
    "quarter": Fraction(1), "eighth": Fraction(1, 2), "16th": Fraction(1, 4), "32nd": Fraction(1, 8),
    "64th": Fraction(1, 16), "128th": Fraction(1, 32), "256th": Fraction(1, 64),
}  # fmt: skip
NOTE_LENGTHS = _QUARTERS

_MARK_GROUPS = ("articulations", "ornaments")
_ALTERATIONS = {"sharp": 1, "flat": -1, "natural": 0, "double-sharp": 2, "flat-flat": -2, "sharp-sharp": 2}

# General MIDI drum for a place in the staff, as drum kits are commonly written, where the file does not say.
_DRUM_AT = {
    "F4": 36, "E4": 35, "A4": 41, "D5": 47, "E5": 50, "C5": 38, "G5": 42, "A5": 49, "F5": 51, "D4": 44, "B5": 49,
    "B4": 45, "G4": 43,
}  # fmt: skip
SNARE = 38


class NoteReader:
    """Reads the notes of one part in document order into `part.notes`."""

    def __init__(self, part: Part, context: Context, unpitched_keys: dict[str, int]) -> None:
        self.part = part
        self.context = context
        self.unpitched_keys = unpitched_keys
        self.fifths = 0
        self._transposition: dict[int, int] = {}  # staff → semitones; 0 is every staff
        self._transposition_fifths = 0
        self._measure = 0
        self._chord = 0
        self._chord_onset = Fraction(0)
        self._accidentals: dict[tuple[int, str, int], int] = {}  # (staff, step, octave) → alteration in this measure

    def start_measure(self, index: int) -> None:
        """Accidentals of the measure before no longer hold."""
        self._measure = index
        self._accidentals.clear()

    def read_transposition(self, attributes: etree._Element) -> None:
        """Take in `<transpose>` elements."""
        for element in attributes.iterfind("transpose"):
            chromatic = round(number(element, "chromatic", 0)) + 12 * round(number(element, "octave-change", 0))
            staff = integer(element.get("number"), 0)
            self._transposition = {0: chromatic} if staff == 0 else {**self._transposition, staff: chromatic}
            # A shift by n semitones moves the key by 7 n fifths, counted round the circle the shorter way.
            shift = (7 * chromatic) % 12
            self._transposition_fifths = shift - 12 if shift > 6 else shift

    def concert_fifths(self) -> int:
        """The key signature as it sounds, -7 to 7."""
        fifths = self.fifths + self._transposition_fifths
        return fifths - 12 if fifths > 7 else fifths + 12 if fifths < -7 else fifths

    def read(self, element: etree._Element, position: Fraction, divisions: int) -> Fraction:
        """Read a note or rest; the position after it."""
        is_grace, is_chord = element.find("grace") is not None, element.find("chord") is not None
        duration = Fraction(0) if is_grace else quarters(element, divisions)
        if is_chord:
            onset, after = self._chord_onset, position
        else:
            self._chord += 1
            self._chord_onset, onset, after = position, position, position + duration
        if element.find("rest") is None and element.find("cue") is None and (is_grace or duration > 0):
            pitch = self._pitch(element)
            if pitch is not None:
                self.part.notes.append(self._note(element, onset, duration, pitch))
        return after

    def _pitch(self, element: etree._Element) -> int | None:
        staff = integer(element.findtext("staff"), 1)
        if element.find("unpitched") is not None or self.part.percussion:
            return self._drum(element)
        step, octave = text(element, "pitch/step").upper(), integer(element.findtext("pitch/octave"), 4)
        if step not in STEPS or not step:
            self.context.warn("A note without a pitch is left out.")
            return None
        alter = number(element, "pitch/alter", 0.0)
        if alter != round(alter):
            self.context.warn("Quarter tones are played at the nearest semitone.")
        self._accidentals[staff, step, octave] = round(alter)
        transposition = self._transposition.get(staff, self._transposition.get(0, 0))
        pitch = _semitone(step, octave) + round(alter) + transposition
        if not 0 <= pitch <= 127:
            self.context.warn("Notes beyond the range of MIDI are left out.")
            return None
        return pitch

    def _drum(self, element: etree._Element) -> int:
        instrument = element.find("instrument")
        key = self.unpitched_keys.get(instrument.get("id", "") if instrument is not None else "")
        if key is not None:
            return key
        if len(self.unpitched_keys) == 1:
            return next(iter(self.unpitched_keys.values()))
        place = text(element, "unpitched/display-step") + text(element, "unpitched/display-octave")
        if element.find("pitch") is not None:
            pitch = _semitone(text(element, "pitch/step").upper() or "C", integer(element.findtext("pitch/octave"), 4))
            return min(max(pitch + round(number(element, "pitch/alter", 0.0)), 0), 127)
        return _DRUM_AT.get(place, SNARE)

    def _note(self, element: etree._Element, onset: Fraction, duration: Fraction, pitch: int) -> WrittenNote:
        notations = element.findall("notations")
        tremolo = next((e for n in notations for e in n.iterfind("ornaments/tremolo")), None)
        ties = {tie.get("type") for tie in element.iterfind("tie")}
        ties = ties or {tie.get("type") for n in notations for tie in n.iterfind("tied")}
        slurs = [slur.get("type") for n in notations for slur in n.iterfind("slur")]
        upper, lower = self._neighbours(element, pitch, notations)
        loudness = element.get("dynamics")
        return WrittenNote(
            measure=self._measure,
            onset=onset,
            duration=duration,
            pitch=pitch,
            staff=integer(element.findtext("staff"), 1),
            voice=text(element, "voice") or "1",
            chord=self._chord,
            grace=_grace_kind(element),
            grace_length=_QUARTERS.get(text(element, "type"), Fraction(1, 2)),
            tie_start="start" in ties,
            tie_stop="stop" in ties,
            marks=frozenset(_marks(notations)),
            tremolo=integer(tremolo.text, 3) if tremolo is not None else 0,
            tremolo_pair=_pair(tremolo),
            slur_starts=slurs.count("start"),
            slur_stops=slurs.count("stop"),
            upper=upper,
            lower=lower,
            loudness_percent=finite(loudness, 100.0) if loudness else None,
        )

    def _neighbours(self, element: etree._Element, pitch: int, notations: list[etree._Element]) -> tuple[int, int]:
        """Sounding pitches a step above and below, by key, by accidentals before, and by the ornament's own."""
        step, octave = text(element, "pitch/step").upper(), integer(element.findtext("pitch/octave"), 4)
        if not step or step not in STEPS or not any(n.find("ornaments") is not None for n in notations):
            return min(pitch + 2, 127), max(pitch - 2, 0)
        staff = integer(element.findtext("staff"), 1)
        own = _semitone(step, octave) + round(number(element, "pitch/alter", 0.0))
        marks = [mark for n in notations for mark in n.iterfind("ornaments/accidental-mark")]
        result = []
        for direction in (1, -1):
            index = STEPS.index(step) + direction
            neighbour, its_octave = STEPS[index % 7], octave + index // 7
            alter = self._accidentals.get((staff, neighbour, its_octave), self._key_alteration(neighbour))
            for mark in marks:
                below = mark.get("placement") == "below"
                if below == (direction < 0):
                    alter = _ALTERATIONS.get((mark.text or "").strip(), alter)
            result.append(min(max(pitch + _semitone(neighbour, its_octave) + alter - own, 0), 127))
        return result[0], result[1]

    def _key_alteration(self, step: str) -> int:
        place = _SHARPS.index(step)
        if self.fifths > 0:
            return int(place < self.fifths)
        return -int(6 - place < -self.fifths)


def _semitone(step: str, octave: int) -> int:
    return 12 * (octave + 1) + _SEMITONES[STEPS.index(step)]


def _grace_kind(element: etree._Element) -> str:
    grace = element.find("grace")
    if grace is None:
        return ""
    return "acciaccatura" if grace.get("slash") == "yes" else "appoggiatura"


def _pair(tremolo: etree._Element | None) -> str:
    kind = tremolo.get("type", "single") if tremolo is not None else ""
    return kind if kind in ("start", "stop") else ""


def _marks(notations: list[etree._Element]) -> set[str]:
    """Names of everything that changes how the note is played."""
    marks: set[str] = set()
    for notation in notations:
        for child in notation:
            if child.tag in _MARK_GROUPS:
                for mark in child:
                    if mark.tag == "wavy-line":
                        marks.add(f"wavy-line-{mark.get('type')}")
                    elif isinstance(mark.tag, str):
                        marks.add(mark.tag)
            elif child.tag == "arpeggiate":
                marks |= {"arpeggiate", f"arpeggio-{child.get('number', '')}"}
                if child.get("direction") == "down":
                    marks.add("arpeggio-down")
            elif child.tag == "dynamics":
                marks |= {f"dynamics-{mark.tag}" for mark in child if isinstance(mark.tag, str)}
            elif child.tag == "fermata":
                marks.add("fermata")
    return marks
