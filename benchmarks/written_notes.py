"""Notes of MusicXML as they are written, compared one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from lxml import etree

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
TOLERANCE_QUARTERS = Fraction(1, 100)
"""By which editors round places in tuplets: MuseScore's shortest unit is 1/480 of a quarter note."""


@dataclass(frozen=True)
class WrittenNote:
    """One written note; `onset` and `duration` in quarter notes, the onset from its measure's beginning."""

    part: int
    measure: int
    onset: Fraction
    duration: Fraction
    pitch: int
    staff: int
    voice: str
    is_grace: bool

    @property
    def place(self) -> tuple[int, int, int, int, str, bool]:
        """What has to be the same exactly."""
        return self.part, self.measure, self.pitch, self.staff, self.voice, self.is_grace

    @property
    def sounding_place(self) -> tuple[int, int, int, int, str, bool]:
        """The same without voice and staff."""
        return self.part, self.measure, self.pitch, 0, "", self.is_grace


def written_notes(musicxml: bytes) -> list[WrittenNote]:
    """The notes of all parts, tied ones one by one; durations of grace notes are 0."""
    root = etree.fromstring(musicxml, etree.XMLParser(resolve_entities=False, no_network=True))
    return [note for i, part in enumerate(root.findall("part")) for note in _of_part(part, i)]


def _of_part(part: etree._Element, index: int) -> Iterator[WrittenNote]:
    divisions, transposed = Fraction(1), 0
    for number, measure in enumerate(part.findall("measure")):
        position = onset = Fraction(0)
        for element in measure:
            if element.tag == "attributes":
                divisions = Fraction(element.findtext("divisions") or divisions)
                if (transpose := element.find("transpose")) is not None:
                    octaves = int(transpose.findtext("octave-change") or 0)
                    transposed = int(transpose.findtext("chromatic") or 0) + 12 * octaves
            duration = Fraction(element.findtext("duration") or 0) / divisions
            if element.tag == "backup":
                position -= duration
            elif element.tag == "forward":
                position += duration
            elif element.tag == "note":
                is_grace = element.find("grace") is not None
                if element.find("chord") is None:
                    onset = position
                    position += duration
                pitch = element.find("pitch")
                if pitch is not None:
                    yield WrittenNote(
                        index,
                        number,
                        onset,
                        duration if not is_grace else Fraction(0),
                        _midi(pitch) + transposed,
                        int(element.findtext("staff") or 1),
                        element.findtext("voice") or "1",
                        is_grace,
                    )


def _midi(pitch: etree._Element) -> int:
    alter = round(float(pitch.findtext("alter") or 0))
    return STEPS[pitch.findtext("step") or "C"] + alter + 12 * (int(pitch.findtext("octave") or 4) + 1)


def equal_notes(ours: Sequence[WrittenNote], theirs: Sequence[WrittenNote], *, with_voices: bool = True) -> int:
    """How many notes of one list can be paired with an equal one of the other.

    Args:
        with_voices: Whether voice and staff count.
    """
    left, right = _sorted_out(ours, with_voices), _sorted_out(theirs, with_voices)
    return sum(_paired(notes, right.get(place, [])) for place, notes in left.items())


def _sorted_out(notes: Iterable[WrittenNote], with_voices: bool) -> dict[tuple[object, ...], list[WrittenNote]]:
    found: defaultdict[tuple[object, ...], list[WrittenNote]] = defaultdict(list)
    for note in notes:
        found[note.place if with_voices else note.sounding_place].append(note)
    return found


def _paired(ours: Sequence[WrittenNote], theirs: Sequence[WrittenNote]) -> int:
    free = list(theirs)
    pairs = 0
    for note in ours:
        match = next((other for other in free if _is_near(note, other)), None)
        if match is not None:
            free.remove(match)
            pairs += 1
    return pairs


def _is_near(note: WrittenNote, other: WrittenNote) -> bool:
    return (
        abs(note.onset - other.onset) <= TOLERANCE_QUARTERS
        and abs(note.duration - other.duration) <= TOLERANCE_QUARTERS
    )


def equal_share(ours: Sequence[WrittenNote], theirs: Sequence[WrittenNote], *, with_voices: bool = True) -> float:
    """Share of equal notes among both: 1 where all are equal and none is left over."""
    if not ours and not theirs:
        return 1.0
    return 2 * equal_notes(ours, theirs, with_voices=with_voices) / (len(ours) + len(theirs))
