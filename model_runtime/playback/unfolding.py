"""Written notes placed on the performance's time line: repeats unfolded, ties joined."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from model_runtime.playback.score import Part, WrittenNote
from model_runtime.playback.timeline import Timeline

TIE_ROUNDING = Fraction(1, 96)  # of tuplets in `<duration>`
LONGEST_TIE_GAP = Fraction(4)  # notes of a written-out arpeggio are tied over rests into the chord that they make


@dataclass(slots=True)
class Tone:
    """A note as it is performed.

    Attributes:
        onset: In performed quarter notes.
        duration: With everything that is tied to it; 0 for a grace note.
        written: Onset in written quarter notes, where dynamics are looked up.
        note: The note that starts it.
        marks: Marks of all notes that are tied together.
        legato: Whether it lies under a slur that goes on to the next note.
        graces: Grace notes before it, in order; those of one chord together.
    """

    onset: Fraction
    duration: Fraction
    written: Fraction
    note: WrittenNote
    marks: frozenset[str]
    legato: bool = False
    graces: list[list[WrittenNote]] = field(default_factory=list)

    @property
    def end(self) -> Fraction:
        """End in performed quarter notes."""
        return self.onset + self.duration


def unfold(part: Part, timeline: Timeline) -> list[Tone]:
    """All tones of a part in performed order; grace notes hang on the tone that they lead to."""
    by_measure: dict[int, list[WrittenNote]] = defaultdict(list)
    for note in part.notes:
        by_measure[note.measure].append(note)
    slurred = _slurred(part)
    tones: list[Tone] = []
    ringing: dict[tuple[int, int], Tone] = {}  # (staff, pitch) → a tone that is tied onwards
    for passage in timeline.passages:
        waiting: dict[tuple[int, str], list[WrittenNote]] = defaultdict(list)
        for note in by_measure[passage.measure]:
            if note.grace:
                waiting[note.staff, note.voice].append(note)
                continue
            onset = passage.start + note.onset
            tied = _tied_to(note, ringing) if note.tie_stop else None
            written = passage.written + note.onset
            if tied is not None and _continues(tied, onset, written):
                tied.duration = onset + note.duration - tied.onset
                tied.marks |= note.marks - {"accent", "strong-accent"}
                tied.legato = id(note) in slurred
                tone = tied
            else:
                tone = Tone(onset, note.duration, passage.written + note.onset, note, note.marks, id(note) in slurred)
                tone.graces = _chords(waiting.pop((note.staff, note.voice), []))
                tones.append(tone)
            if note.tie_start:
                ringing[note.staff, note.pitch] = tone
        tones += [_after_grace(note, passage.start, passage.written) for notes in waiting.values() for note in notes]
    return sorted(tones, key=lambda t: (t.onset, t.note.pitch))


def _tied_to(note: WrittenNote, ringing: dict[tuple[int, int], Tone]) -> Tone | None:
    """Take the tone that a tie ends on `note`; ties may cross to another staff."""
    key = note.staff, note.pitch
    if key not in ringing:
        key = next((k for k in ringing if k[1] == note.pitch), key)
    return ringing.pop(key, None)


def _continues(tied: Tone, onset: Fraction, written: Fraction) -> bool:
    """Whether a tie's second note follows its first: at once, or with a gap that is on the page too."""
    gap = onset - tied.end
    on_page = written - tied.written == onset - tied.onset
    return abs(gap) <= TIE_ROUNDING or (on_page and 0 < gap <= LONGEST_TIE_GAP)


def _chords(graces: list[WrittenNote]) -> list[list[WrittenNote]]:
    groups: dict[int, list[WrittenNote]] = {}
    for note in graces:
        groups.setdefault(note.chord, []).append(note)
    return list(groups.values())


def _after_grace(note: WrittenNote, start: Fraction, written: Fraction) -> Tone:
    """A grace note that nothing follows in its measure, such as the end of a trill."""
    return Tone(start + note.onset, Fraction(0), written + note.onset, note, note.marks)


def _slurred(part: Part) -> set[int]:
    """Identities of the notes that a slur joins to the next one."""
    joined: set[int] = set()
    depth: dict[tuple[int, str], int] = defaultdict(int)
    by_voice: dict[tuple[int, str], list[WrittenNote]] = defaultdict(list)
    for note in part.notes:
        by_voice[note.staff, note.voice].append(note)
    for voice, notes in by_voice.items():
        chords: dict[int, list[WrittenNote]] = {}
        for note in notes:
            chords.setdefault(note.chord, []).append(note)
        for chord in chords.values():
            change = sum(n.slur_starts - n.slur_stops for n in chord)
            depth[voice] = max(depth[voice] + change, 0)
            if depth[voice] > 0:
                joined |= {id(note) for note in chord}
    return joined
