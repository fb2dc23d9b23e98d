"""Tones → notes in seconds: articulation, legato, grace notes, arpeggios, ornaments and tremolos."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from model_runtime.playback.ornaments import ORNAMENTS, ornamented, tremolo_count
from model_runtime.playback.score import WrittenNote
from model_runtime.playback.unfolding import Tone

DETACHED, LONGEST_DETACHING_S = 0.95, 0.08  # a note without a mark leaves a little air before the next
LEGATO_OVERLAP_S = 0.03
GRACE_NOTE_S = 0.08
GRACE_SHARE = 0.5  # of the note before, at most
DEADPAN_GRACE_QUARTERS = Fraction(1, 8)
ARPEGGIO_STEP_S = 0.045
ARPEGGIO_SHARE = 0.5  # of the chord's length, at most
BREATH_SHARE, LONGEST_BREATH_S = 0.75, 0.25
SHORTEST_NOTE_S = 0.02

# Share of the written length that sounds; the first mark that is found counts.
LENGTHS = {
    "staccatissimo": 0.3,
    "spiccato": 0.4,
    "detached-legato": 0.75,
    "staccato": 0.5,
    "strong-accent": 0.7,
    "tenuto": 1.0,
}
TIMED = frozenset(LENGTHS) | {"breath-mark", "caesura", "fermata"}  # marks that say how long a note sounds


@dataclass(frozen=True, slots=True)
class Struck:
    """A note that is played.

    Attributes:
        onset_s, offset_s: When its key goes down and up, in seconds.
        pitch: MIDI note number.
        velocity: 1 to 127.
        tone: What it is played for: itself, or the note that it adorns.
        full_s: How long it would sound if held to its end, where no mark says how long it sounds.
    """

    onset_s: float
    offset_s: float
    pitch: int
    velocity: int
    tone: Tone | None = None
    full_s: float | None = None


TimeAt = Callable[[Fraction], float]
VelocityOf = Callable[[WrittenNote, Fraction], int]


def realise_exactly(tones: list[Tone], time_at: TimeAt, velocity: int) -> Iterator[Struck]:
    """Every tone at its written length; grace notes very short before the beat."""
    for tone in tones:
        onset_s = time_at(tone.onset)
        if tone.duration > 0:
            yield Struck(onset_s, max(time_at(tone.end), onset_s + 0.001), tone.note.pitch, velocity)
        groups = tone.graces if tone.duration > 0 else [[tone.note]]
        first = max(tone.onset - DEADPAN_GRACE_QUARTERS * len(groups), Fraction(0))
        for i, group in enumerate(groups):
            start = time_at(first + i * DEADPAN_GRACE_QUARTERS)
            stop = time_at(first + (i + 1) * DEADPAN_GRACE_QUARTERS)
            for note in group:
                yield Struck(start, stop, note.pitch, velocity)


class Realiser:
    """Plays the tones of one part.

    Args:
        time_at: Seconds at a performed quarter note.
        velocity_of: Velocity of a note at a written quarter note.
    """

    def __init__(self, time_at: TimeAt, velocity_of: VelocityOf) -> None:
        self.time_at = time_at
        self.velocity_of = velocity_of
        self._stolen: dict[int, float] = {}  # id of a tone → seconds it ends earlier for the graces that follow
        self._delay: dict[int, float] = {}  # id of a tone → seconds its onset is late

    def realise(self, tones: list[Tone]) -> Iterator[Struck]:
        """All notes that sound."""
        pairs = _tremolo_pairs(tones)
        silent = {id(other) for others in pairs.values() for other in others}
        graces = list(self._place_graces(tones))
        self._spread_chords(tones)
        for tone in tones:
            if tone.duration <= 0:
                yield from self._after_grace(tone)
            elif id(tone) in pairs:
                yield from self._alternating(tone, pairs[id(tone)])
            elif id(tone) not in silent:
                yield from self._single(tone)
        yield from graces

    def _single(self, tone: Tone) -> Iterator[Struck]:
        velocity = self.velocity_of(tone.note, tone.written)
        start, end = self._span(tone)
        length = end - start
        figure = ornamented(tone.note, tone.marks, length) if tone.marks & ORNAMENTS else None
        if figure is not None:
            for begin, stop, pitch in figure:
                yield Struck(start + begin, start + stop, pitch, velocity, tone)
            return
        if tone.note.tremolo > 0:
            count = tremolo_count(tone.note.tremolo, float(tone.duration), _flags(tone), length)
            yield from self._repeated(tone, count, velocity)
            return
        offset = max(self._articulated(tone, start, end), start + SHORTEST_NOTE_S)
        full_s = None if tone.legato or tone.marks & TIMED else end - start
        yield Struck(start, offset, tone.note.pitch, velocity, tone, full_s)

    def _span(self, tone: Tone) -> tuple[float, float]:
        start = self.time_at(tone.onset) + self._delay.get(id(tone), 0.0)
        end = self.time_at(tone.end) - self._stolen.get(id(tone), 0.0)
        return start, max(end, start + SHORTEST_NOTE_S)

    def _articulated(self, tone: Tone, start: float, end: float) -> float:
        """When the key is released."""
        length = end - start
        share = next((LENGTHS[mark] for mark in LENGTHS if mark in tone.marks), None)
        if share is not None and "tenuto" in tone.marks and "staccato" in tone.marks:
            share = LENGTHS["detached-legato"]
        if share is not None and share < 1:
            return start + share * length
        if "breath-mark" in tone.marks or "caesura" in tone.marks:
            return end - min((1 - BREATH_SHARE) * length, LONGEST_BREATH_S)
        if tone.legato:
            return end + (0.0 if id(tone) in self._stolen else min(LEGATO_OVERLAP_S, length / 4))
        if share is not None or "fermata" in tone.marks:
            return end
        return end - min((1 - DETACHED) * length, LONGEST_DETACHING_S)

    def _repeated(self, tone: Tone, count: int, velocity: int) -> Iterator[Struck]:
        for i in range(count):
            begin = self.time_at(tone.onset + tone.duration * i / count)
            stop = self.time_at(tone.onset + tone.duration * (i + 1) / count)
            yield Struck(begin, stop, tone.note.pitch, velocity, tone)

    def _alternating(self, tone: Tone, others: list[Tone]) -> Iterator[Struck]:
        """A note and those that follow it in turn, over the time of both; `others` are silent on their own."""
        whole = tone.duration * 2
        length = self.time_at(tone.onset + whole) - self.time_at(tone.onset)
        count = max(tremolo_count(tone.note.tremolo, float(whole), 0, length) // 2 * 2, 2)
        for i in range(count):
            begin = self.time_at(tone.onset + whole * i / count)
            stop = self.time_at(tone.onset + whole * (i + 1) / count)
            for playing in others if i % 2 else [tone]:
                velocity = self.velocity_of(playing.note, playing.written)
                yield Struck(begin, stop, playing.note.pitch, velocity, playing)

    def _place_graces(self, tones: list[Tone]) -> Iterator[Struck]:
        """Grace notes: slashed ones and runs before the beat, a single unslashed one on it."""
        ending: dict[Fraction, list[Tone]] = defaultdict(list)
        chords: dict[tuple[Fraction, int], list[Tone]] = defaultdict(list)
        for tone in tones:
            ending[tone.end].append(tone)
            chords[tone.onset, tone.note.chord].append(tone)
        for head in (tone for tone in tones if tone.graces):
            if len(head.graces) == 1 and head.graces[0][0].grace == "appoggiatura":
                yield from self._leaning(head, chords[head.onset, head.note.chord])
            else:
                before = [t for t in ending[head.onset] if _same_voice(t, head) and t.duration > 0]
                yield from self._leading(head, before)

    def _leaning(self, head: Tone, chord: list[Tone]) -> Iterator[Struck]:
        """An appoggiatura takes its time from the note that it leans on."""
        start = self.time_at(head.onset)
        taken = min(head.graces[0][0].grace_length, head.duration / 2)
        stop = self.time_at(head.onset + taken)
        for tone in chord:
            self._delay[id(tone)] = stop - start
        for note in head.graces[0]:
            velocity = self.velocity_of(note, head.written)
            yield Struck(start, stop + LEGATO_OVERLAP_S, note.pitch, velocity, head)

    def _leading(self, head: Tone, before: list[Tone]) -> Iterator[Struck]:
        """Quick notes take their time from what comes before; at the very start, from the note itself."""
        count = len(head.graces)
        beat = self.time_at(head.onset)
        room = min((beat - self.time_at(t.onset) for t in before), default=beat)
        length = min(GRACE_NOTE_S * count, GRACE_SHARE * room) if room > 0 else 0.0
        if length < SHORTEST_NOTE_S * count:
            length = min(GRACE_NOTE_S * count, GRACE_SHARE * (self.time_at(head.end) - beat))
            self._delay[id(head)] = length
            start = beat
        else:
            start = beat - length
            for tone in before:
                self._stolen[id(tone)] = length
        for i, group in enumerate(head.graces):
            for note in group:
                begin, stop = start + length * i / count, start + length * (i + 1) / count
                yield Struck(begin, stop, note.pitch, self.velocity_of(note, head.written), head)

    def _after_grace(self, tone: Tone) -> Iterator[Struck]:
        end = self.time_at(tone.onset)
        start = max(end - GRACE_NOTE_S, 0.0)
        if end > start:
            yield Struck(start, end, tone.note.pitch, self.velocity_of(tone.note, tone.written))

    def _spread_chords(self, tones: list[Tone]) -> None:
        """Arpeggios start on the beat and run to the top (or down)."""
        chords: dict[tuple[Fraction, int, str], list[Tone]] = defaultdict(list)
        for tone in tones:
            if "arpeggiate" in tone.marks and tone.duration > 0:
                sign = next((m for m in sorted(tone.marks) if m.startswith("arpeggio-") and m != "arpeggio-down"), "")
                # Signs with a number reach across staves, others belong to their own.
                staff = 0 if sign != "arpeggio-" else tone.note.staff
                chords[tone.onset, staff, sign].append(tone)
        for chord in chords.values():
            down = any("arpeggio-down" in tone.marks for tone in chord)
            shortest = min(self.time_at(t.end) - self.time_at(t.onset) for t in chord)
            step = min(ARPEGGIO_STEP_S, ARPEGGIO_SHARE * shortest / max(len(chord) - 1, 1))
            for i, tone in enumerate(sorted(chord, key=lambda t: -t.note.pitch if down else t.note.pitch)):
                self._delay[id(tone)] = self._delay.get(id(tone), 0.0) + i * step


def _same_voice(one: Tone, other: Tone) -> bool:
    return (one.note.staff, one.note.voice) == (other.note.staff, other.note.voice)


def _tremolo_pairs(tones: list[Tone]) -> dict[int, list[Tone]]:
    """Id of each tone that starts a two-note tremolo → those that it alternates with.

    Of a chord that starts one, the first note takes all notes of the other chord with it.
    """
    stops: dict[tuple[int, str, Fraction], list[Tone]] = defaultdict(list)
    for tone in tones:
        if tone.note.tremolo_pair == "stop":
            stops[tone.note.staff, tone.note.voice, tone.onset].append(tone)
    return {
        id(tone): stops.pop((tone.note.staff, tone.note.voice, tone.end), [])
        for tone in tones
        if tone.note.tremolo_pair == "start"
    }


def _flags(tone: Tone) -> int:
    """Beams that the note itself has: an eighth has one, a sixteenth two."""
    written = float(tone.note.duration)
    return max(-math.floor(math.log2(written)), 0) if written < 1 else 0
