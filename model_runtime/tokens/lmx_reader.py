"""Any sequence of LMX symbols whatever → written measures, each repaired to its length.

A repair is said in the measure's `repairs`. What LMX leaves open is decided as follows. A measure is as long as its
metre says; where no metre is known, as the most measures of the window are. One whose voices all agree on another
length, and the first or last one that is short, is irregular and stays so. Voices that end early stay short: what
they lack is hidden.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from model_runtime.tokens import vocabulary
from model_runtime.tokens.rhythm import adds_up, made_to_fit
from model_runtime.tokens.sounding import alterations
from model_runtime.tokens.written import TYPE_QUARTERS, WrittenMeasure, WrittenNote

_PITCHES = frozenset(vocabulary.PITCHES)
_RATIOS = {t: (int(t.split("in")[0]), int(t.split("in")[1])) for t in vocabulary.TIME_MODIFICATIONS}
_MARKS = frozenset(
    ("fermata", "arpeggiate", *vocabulary.ARTICULATIONS, "trill-mark", *vocabulary.TREMOLO_TYPES)
) | frozenset(vocabulary.TREMOLO_MARKS)
_KINDS = frozenset(("rest", "forward", "backup")) | _PITCHES
_MOST_DOTS = 4
_LONGEST_UNKNOWN = Fraction(32)  # a measure without a known metre holds at most eight whole notes
Segment = list[WrittenNote]


def read_lmx(symbols: Iterable[str], *, fifths: int = 0, meter: tuple[int, int] | None = None) -> list[WrittenMeasure]:
    """The measures of a sequence of symbols.

    Args:
        symbols: LMX; what is not LMX is passed over.
        fifths: Key that holds before the first measure.
        meter: Metre that holds before it, if it is known.
    """
    parsed = [_Parser(cluster) for cluster in _clusters(symbols)]
    lengths = _lengths(parsed, meter)
    for i, (measure, length) in enumerate(zip(parsed, lengths, strict=True)):
        measure.finish(length, edge=i in (0, len(parsed) - 1))
    measures = [p.measure for p in parsed]
    _match_ties(measures)
    _match_slurs(measures)
    alterations(measures, fifths)
    return measures


def voice_ends(symbols: Iterable[str]) -> list[list[Fraction]]:
    """For each measure where its stretches of notes between two jumps back end, in quarter notes; nothing for one that
    rests for the whole measure."""
    timed = ([s for s in _Parser(cluster).segments if any(n.kind for n in s)] for cluster in _clusters(symbols))
    return [[max(n.onset + n.duration for n in segment) for segment in segments] for segments in timed]


def _clusters(symbols: Iterable[str]) -> list[list[str]]:
    clusters: list[list[str]] = []
    for symbol in symbols:
        if symbol == "measure":
            clusters.append([])
        elif clusters:
            clusters[-1].append(symbol)
    return clusters


def _lengths(parsed: Sequence[_Parser], meter: tuple[int, int] | None) -> list[Fraction]:
    """The length that each measure ought to have."""
    ends = Counter(p.end for p in parsed if p.end > 0)
    usual = min(ends.most_common(1)[0][0], _LONGEST_UNKNOWN) if ends else Fraction(4)
    lengths = []
    for measure in parsed:
        meter = measure.measure.meter or meter
        lengths.append(Fraction(4 * meter[0], meter[1]) if meter else usual)
    return lengths


@dataclass(frozen=True)
class _Jump:
    quarters: Fraction
    back: bool


@dataclass(frozen=True)
class _Clef:
    sign_and_line: str
    staff: int = 1


class _Parser:
    """Reads one measure's symbols: prefixes, a root, then suffixes of the last root."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.measure = WrittenMeasure()
        self._prefix: list[str] = []
        self._items: list[WrittenNote | _Jump | _Clef] = []
        self._last: WrittenNote | None = None
        self._clef: _Clef | None = None  # the last symbol, if it was one
        self._voice, self._staff, self._stem = 1, 1, ""
        self._beats: int | None = None
        for symbol in symbols:
            self._take(symbol)
        self._check_prefix()
        self.segments = self._placed()
        self.end = max((n.onset + n.duration for s in self.segments for n in s), default=Fraction(0))

    def _take(self, symbol: str) -> None:
        if symbol.startswith("staff:") and self._clef is not None:
            self._items[-1] = replace(self._clef, staff=int(symbol[6:]))
            self._clef = None
            return
        self._clef = None
        if symbol.startswith(("key:", "time", "beats:", "beat-type:", "clef:")):
            self._take_attribute(symbol)
        elif symbol in _KINDS or symbol in ("grace", "grace:slash", "chord") or symbol.startswith("voice:"):
            if symbol in _KINDS and any(p in _KINDS for p in self._prefix):
                self._check_prefix()
            self._prefix.append(symbol)
        elif symbol in TYPE_QUARTERS or symbol == vocabulary.REST_MEASURE:
            self._take_root(symbol)
        elif self._last is not None:
            self._take_suffix(symbol, self._last)

    def _check_prefix(self) -> None:
        if any(p in _KINDS for p in self._prefix):
            self.measure.repairs.append("A note without a value was left out.")
        self._prefix = []

    def _take_attribute(self, symbol: str) -> None:
        self._last = None
        measure = self.measure
        if symbol.startswith("key:"):
            measure.fifths = int(symbol.rpartition(":")[2])
        elif symbol.startswith("beats:"):
            self._beats = int(symbol[6:])
        elif symbol.startswith("beat-type:") and self._beats is not None:
            measure.meter, self._beats = (self._beats, int(symbol[10:])), None
        elif symbol.startswith("clef:"):
            self._clef = _Clef(symbol[5:])
            self._items.append(self._clef)

    def _take_root(self, symbol: str) -> None:
        prefix, self._prefix = self._prefix, []
        kind = next((p for p in prefix if p in _KINDS), None)
        for p in prefix:
            if p.startswith("voice:"):
                self._voice = int(p[6:])
        self._last = None
        if kind is None or (symbol == vocabulary.REST_MEASURE and kind != "rest"):
            self.measure.repairs.append("A value without a note was left out.")
        elif kind in ("forward", "backup"):
            self._items.append(_Jump(TYPE_QUARTERS[symbol], back=kind == "backup"))
            if kind == "backup":
                self._voice, self._staff, self._stem = 1, 1, ""
        else:
            grace = "slash" if "grace:slash" in prefix else "plain" if "grace" in prefix else ""
            pitch = "" if kind == "rest" else kind
            value = "" if symbol == vocabulary.REST_MEASURE else symbol
            note = WrittenNote(pitch, value, voice=self._voice, staff=self._staff, stem=self._stem, grace=grace)
            note.chord = "chord" in prefix and bool(pitch)
            self._items.append(note)
            self._last = note

    def _take_suffix(self, symbol: str, note: WrittenNote) -> None:
        if symbol == "dot":
            note.dots = min(note.dots + 1, _MOST_DOTS) if note.kind else 0
        elif symbol in _RATIOS:
            note.ratio = _RATIOS[symbol] if note.kind else None
        elif symbol in vocabulary.ACCIDENTALS:
            note.accidental = "" if note.rest else symbol
        elif symbol.startswith("stem:"):
            self._stem = note.stem = symbol[5:]
        elif symbol.startswith("staff:"):
            self._staff = note.staff = int(symbol[6:])
        elif symbol == "beam:begin":
            note.begins += 1
        elif symbol == "beam:end":
            note.ends += 1
        elif symbol.startswith("beam:"):
            note.hooks.append(symbol[5:].replace("-", " "))
        elif symbol.startswith("tied:") and not note.rest:
            note.tie_start |= symbol == "tied:start"
            note.tie_stop |= symbol == "tied:stop"
        elif symbol.startswith("tuplet:"):
            note.tuplet = symbol[7:]
        elif symbol.startswith("slur:") and not note.rest and len(note.slurs) < 6:
            note.slurs.append(symbol[5:])
        elif symbol in _MARKS and symbol not in note.marks:
            note.marks.append(symbol)

    def _placed(self) -> list[Segment]:
        """Notes with their onsets, in stretches between one jump back and the next."""
        segments: list[Segment] = [[]]
        at = Fraction(0)
        head: WrittenNote | None = None
        resting = False  # behind a rest that fills the measure any jump back leads to its start
        for item in self._items:
            if isinstance(item, WrittenNote):
                resting = not item.kind
                if item.chord and head is not None and bool(head.grace) == bool(item.grace):
                    item.onset, item.duration = head.onset, head.duration
                    item.kind, item.dots, item.ratio = head.kind, head.dots, head.ratio
                else:
                    item.chord = False
                    item.onset, item.duration = at, item.written_quarters
                    at += item.duration
                    head = None if item.rest else item
                segments[-1].append(item)
                continue
            head = None
            if isinstance(item, _Clef):
                self.measure.clefs.append((at, item.staff, item.sign_and_line))
            elif not item.back:
                at += item.quarters
            else:
                at = Fraction(0) if resting else at - item.quarters
                if at < 0:
                    self.measure.repairs.append("A voice that would start before its measure was moved to its start.")
                    at = Fraction(0)
                if segments[-1]:
                    segments.append([])
        return segments

    def finish(self, length: Fraction, *, edge: bool) -> None:
        """Give the measure its length and bring its notes, beams and tuplets into order."""
        measure = self.measure
        ends = {max(n.onset + n.duration for n in s) for s in self.segments if any(n.kind for n in s)}
        filled = [s for s in self.segments if any(n.kind for n in s)]
        agreed = len(ends) == 1 and len(filled) > 1
        short_edge = edge and self.end < length and not any(not n.kind for s in self.segments for n in s)
        if 0 < self.end <= _LONGEST_UNKNOWN and (agreed or short_edge):
            length = self.end
        measure.length = length
        for segment in self.segments:
            self._fit_values(segment, length)
            self._fit(segment, length)
            _match_beams(segment, measure.repairs)
            _match_tuplets(segment)
        measure.notes = [note for segment in self.segments for note in segment]
        measure.clefs = [clef for clef in measure.clefs if clef[0] < length or clef[0] == 0]
        if not measure.notes:
            measure.notes = [WrittenNote("", "", duration=length)]
            measure.repairs.append("The measure was empty and is marked with a rest.")
        elif all(n.onset + n.duration < length for n in measure.notes):
            self._fill(length)

    def _fit_values(self, segment: Segment, length: Fraction) -> None:
        """Read the values of a voice again where they do not add up."""
        start = segment[0].onset if segment else length
        if start >= length or any(not note.kind for note in segment) or adds_up(segment, start, length):
            return
        before = [(n.kind, n.dots, n.ratio) for n in segment]
        segment[:] = made_to_fit(segment, start, length)
        if [(n.kind, n.dots, n.ratio) for n in segment] != before:
            self.measure.repairs.append("A voice that did not fit its measure was read with other note values.")

    def _fit(self, segment: Segment, length: Fraction) -> None:
        """Leave out or shorten what passes the end of the measure."""
        kept: Segment = []
        for note in segment:
            if not note.kind:
                if note.onset > 0:
                    continue
                note.duration = length
            elif note.onset >= length and not (note.grace and note.onset == length):
                continue
            elif note.onset + note.duration > length:
                kind, dots = largest_value(length - note.onset)
                note.kind, note.dots, note.ratio, note.tuplet = kind, dots, None, ""
                note.duration = note.written_quarters
                self.measure.repairs.append("A note that passed the end of the measure was shortened.")
            kept.append(note)
        if len(kept) < len(segment):
            self.measure.repairs.append("Notes past the end of the measure were left out.")
        segment[:] = kept

    def _fill(self, length: Fraction) -> None:
        """Rests after the last note of a measure that is too short."""
        notes = self.measure.notes
        last = max(notes, key=lambda n: n.onset + n.duration)
        at = last.onset + last.duration
        index = max(i for i, n in enumerate(notes) if n.onset + n.duration == at) + 1
        self.measure.repairs.append("The measure was too short and was filled with rests.")
        while length - at >= TYPE_QUARTERS["1024th"]:
            kind, dots = largest_value(length - at)
            rest = WrittenNote("", kind, voice=last.voice, staff=last.staff, dots=dots)
            rest = replace(rest, onset=at, duration=rest.written_quarters)
            notes.insert(index, rest)
            at += rest.duration
            index += 1
        self.measure.length = max(at, Fraction(0)) if at > 0 else length


def largest_value(length: Fraction) -> tuple[str, int]:
    """Note value and dots of the longest plain note that is not longer than `length` quarter notes."""
    for kind in reversed(TYPE_QUARTERS):
        for dots in (2, 1, 0):
            if TYPE_QUARTERS[kind] * (2 - Fraction(1, 2**dots)) <= length:
                return kind, dots
    return "1024th", 0


def _match_beams(segment: Segment, repairs: list[str]) -> None:
    """Beam levels of each note; groups that are not closed lose their beams."""
    for graces in (False, True):
        level = 0
        group: list[WrittenNote] = []
        for note in segment:
            if note.chord or bool(note.grace) != graces:
                continue
            if note.rest and not note.begins and not note.ends:
                note.beams = []
                continue
            short = bool(note.kind) and TYPE_QUARTERS[note.kind] < 1
            change = max(note.begins - note.ends, -level) if short else 0
            if change >= 0:
                note.beams = ["continue"] * level + ["begin"] * change
            else:
                note.beams = ["continue"] * (level + change) + ["end"] * -change
            level += change
            if note.beams:
                note.beams += note.hooks
                group.append(note)
            if level == 0:
                group = []
        if level:
            _close_beams(group, repairs)


def _close_beams(group: list[WrittenNote], repairs: list[str]) -> None:
    """End a group of beams at its last note; a single note has no beam."""
    last = group[-1]
    if len(group) < 2 or "begin" in last.beams:
        for note in group:
            note.beams = []
    else:
        last.beams = ["end" if beam == "continue" else beam for beam in last.beams]
    repairs.append("A beam that would leave its measure was ended.")


def _match_tuplets(segment: Segment) -> None:
    opened: WrittenNote | None = None
    for note in segment:
        if note.tuplet == "start" and opened is None and note.ratio:
            opened = note
        elif note.tuplet == "stop" and opened is not None and note.ratio:
            opened = None
        else:
            note.tuplet = ""
    if opened is not None:
        opened.tuplet = ""


def _match_ties(measures: list[WrittenMeasure]) -> None:
    """Ties have two ends, but for those that leave the window."""
    start = Fraction(0)
    starts: dict[tuple[str, Fraction], list[WrittenNote]] = defaultdict(list)
    stops: dict[tuple[str, Fraction], list[WrittenNote]] = defaultdict(list)
    for measure in measures:
        for note in measure.notes:
            if note.tie_start:
                starts[note.pitch, start + note.onset + note.duration].append(note)
            if note.tie_stop:
                stops[note.pitch, start + note.onset].append(note)
        start += measure.length
    for key, notes in starts.items():
        for note in notes:
            note.tie_start = key in stops or key[1] == start
    for key, notes in stops.items():
        for note in notes:
            note.tie_stop = key in starts or key[1] == 0


def _match_slurs(measures: list[WrittenMeasure]) -> None:
    """A slur that starts and never ends, or the other way round, leaves the window: at most six may."""
    open_slurs = 0
    for measure in measures:
        for note in measure.notes:
            kept = []
            for end in note.slurs:
                open_slurs += 1 if end == "start" else -1
                if abs(open_slurs) <= 6:
                    kept.append(end)
                else:
                    open_slurs -= 1 if end == "start" else -1
            note.slurs = kept
