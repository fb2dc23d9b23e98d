"""A notes document laid out in measures and voices: exact positions, every gap filled with rests.

NotesDocument ─ measures ─ pieces (cut at barlines) ─ voices ─ tuplet groups ─→ elements that fill each measure
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

from model_runtime.errors import TooLarge
from model_runtime.files.notes import NoteItem, NotesDocument, Tuplet
from model_runtime.files.written_time import COMMON_TUPLETS, PLAIN, TYPE_QUARTERS, Look, Ratio, looks, single_look

MOST_MEASURES = 20_000
_FINEST_IN_TUPLET = 16  # positions inside a tuplet of n that ticks cannot hold are multiples of 1/(16 n) quarters


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure from `start` to `end`, in quarter notes; `full` is its meter's length."""

    start: Fraction
    end: Fraction
    full: Fraction


@dataclass(frozen=True, slots=True)
class Piece:
    """A note, or the part of one that lies within a measure."""

    item: NoteItem
    start: Fraction
    duration: Fraction
    tuplet: Tuplet | None
    tuplet_start: Fraction | None = None  # None: to be found out
    first: bool = True
    last: bool = True

    @property
    def end(self) -> Fraction:
        return self.start + self.duration


@dataclass(frozen=True, slots=True)
class Group:
    """A tuplet from `start` to `end`."""

    start: Fraction
    end: Fraction
    tuplet: Tuplet

    @property
    def ratio(self) -> Ratio:
        return Ratio(self.tuplet.actual, self.tuplet.normal)


@dataclass(slots=True)
class Element:
    """A chord or rest as it is written.

    Attributes:
        pieces: The chord's notes; none for a rest.
        ties_back, ties_on: Whether the look before or after it belongs to the same notes.
        opens, closes: Whether a tuplet's bracket begins or ends here.
        graces: Grace chords before it.
    """

    start: Fraction
    look: Look
    pieces: tuple[Piece, ...] = ()
    ties_back: bool = False
    ties_on: bool = False
    group: Group | None = None
    opens: bool = False
    closes: bool = False
    graces: list[list[NoteItem]] = field(default_factory=list)

    @property
    def end(self) -> Fraction:
        return self.start + self.look.quarters


Streams = dict[tuple[int, int], list[list[Element]]]
"""(staff, voice) → for each measure the elements that fill it, or an empty list where the voice is silent."""


def measures_of(document: NotesDocument) -> list[Measure]:
    """The measures that hold the whole document.

    Raises:
        TooLarge: there are more than 20,000.
    """
    per_quarter = document.ticks_per_quarter
    content = max((n.tick + (1 if n.grace else n.duration) for n in document.notes), default=0)
    marks = [d.tick + 1 for d in document.dynamics] + [t.tick + 1 for t in document.tempos]
    total = Fraction(max(document.length, content, *marks, 1), per_quarter)
    changes = sorted((Fraction(m.tick, per_quarter), Fraction(4 * m.numerator, m.denominator)) for m in document.meters)
    ticks = [position for position, _ in changes]
    given = sorted({Fraction(t, per_quarter) for t in document.measures})
    if not given and document.pickup:
        given = [Fraction(0), Fraction(document.pickup, per_quarter)]
    given_end = Fraction(document.length, per_quarter) if document.measures else None
    measures: list[Measure] = []
    start = Fraction(0)
    while start < total:
        i = bisect_right(ticks, start)
        full = changes[i - 1][1] if i else Fraction(4)
        after = bisect_right(given, start)
        if after < len(given):
            end = given[after]
        elif given_end is not None and start < given_end:
            end = given_end
        else:
            end = start + full
            if i < len(ticks):
                end = min(end, ticks[i])
        measures.append(Measure(start, end, full))
        if len(measures) > MOST_MEASURES:
            raise TooLarge(f"The document lasts more than {MOST_MEASURES:,} measures.")
        start = end
    return measures


def streams_of(document: NotesDocument, part: int, measures: Sequence[Measure]) -> Streams:
    """A part's voices, measure by measure. The first voice of each staff is always there, and so is every rest."""
    per_quarter = document.ticks_per_quarter
    items = [n for n in document.notes if n.part == part]
    streams: Streams = {}
    for staff in range(1, document.parts[part].staves + 1):
        own = [n for n in items if min(n.staff, document.parts[part].staves) == staff]
        pieces = [p for n in own if not n.grace for p in _pieces(n, per_quarter, measures)]
        voices = _in_voices(sorted(pieces, key=lambda p: (p.start, p.item.voice, p.item.pitch)))
        graces = _graces(own, per_quarter)
        for voice in sorted({1, *voices, *graces}):
            streams[staff, voice] = _filled(voices.get(voice, []), graces.get(voice, {}), voice, measures)
    return streams


def _pieces(item: NoteItem, per_quarter: int, measures: Sequence[Measure]) -> Iterator[Piece]:
    """The note at its exact place, cut where it crosses a barline."""
    start, duration = Fraction(item.tick, per_quarter), Fraction(item.duration, per_quarter)
    tuplet, tuplet_start = item.tuplet, None
    if tuplet is not None:
        start, duration = _exact_in_tuplet(start, duration, tuplet, per_quarter)
        if tuplet.tick is not None:
            tuplet_start = _exact_position(Fraction(tuplet.tick, per_quarter), tuplet, per_quarter)
    elif looks(duration)[0].ratio != PLAIN:
        tuplet = _guessed_tuplet(duration)
    end = start + duration
    i = bisect_right(measures, start, key=lambda m: m.start) - 1
    first = True
    for measure in measures[i:]:
        cut = min(end, measure.end)
        yield Piece(item, start, cut - start, tuplet, tuplet_start, first, cut == end)
        if cut == end:
            return
        start, first = cut, False


def _exact_position(position: Fraction, tuplet: Tuplet, per_quarter: int) -> Fraction:
    if per_quarter % tuplet.actual == 0:
        return position
    grid = tuplet.actual * _FINEST_IN_TUPLET
    return Fraction(round(position * grid), grid)


def _exact_in_tuplet(
    start: Fraction, duration: Fraction, tuplet: Tuplet, per_quarter: int
) -> tuple[Fraction, Fraction]:
    """Onset and duration as the tuplet means them, where ticks are too coarse for it (septuplets of 480)."""
    if per_quarter % tuplet.actual == 0:
        return start, duration
    ratio = Ratio(tuplet.actual, tuplet.normal)
    start = _exact_position(start, tuplet, per_quarter)
    grid = tuplet.actual * _FINEST_IN_TUPLET
    candidates = [value * dots * ratio.scale for value in TYPE_QUARTERS.values() for dots in (1, Fraction(3, 2))]
    nearest = min(candidates, key=lambda quarters: abs(quarters - duration))
    if abs(nearest - duration) * per_quarter <= 1:
        return start, nearest
    return start, max(Fraction(round(duration * grid), grid), Fraction(1, grid))


def _guessed_tuplet(duration: Fraction) -> Tuplet | None:
    """The tuplet that a duration no plain note has must come from."""
    for actual, normal in COMMON_TUPLETS:
        if look := single_look(duration, Ratio(actual, normal)):
            return Tuplet.model_validate({"actual": actual, "normal": normal, "type": look.type})
    return None


def _in_voices(pieces: Sequence[Piece]) -> dict[int, list[list[Piece]]]:
    """Voice → chords in order. A note that its own voice has no room for goes to another voice; none is left out."""
    declared = {piece.item.voice for piece in pieces}
    voices: defaultdict[int, list[list[Piece]]] = defaultdict(list)

    def fits(voice: int, piece: Piece) -> bool:
        chords = voices.get(voice)
        if not chords or chords[-1][0].end <= piece.start:
            return True
        last = chords[-1][0]
        together = (last.start, last.duration) == (piece.start, piece.duration) and _ratio(last) == _ratio(piece)
        return together and all(piece.item.pitch != p.item.pitch for p in chords[-1])

    for piece in pieces:
        others = [v for v in range(1, len(declared) + 64) if v not in declared] + sorted(declared)
        voice = next((v for v in (piece.item.voice, *others) if fits(v, piece)), max(voices, default=0) + 1)
        chords = voices[voice]
        if chords and chords[-1][0].start == piece.start:
            chords[-1].append(piece)
        else:
            chords.append([piece])
    return dict(voices)


def _ratio(piece: Piece) -> Ratio:
    return PLAIN if piece.tuplet is None else Ratio(piece.tuplet.actual, piece.tuplet.normal)


def _graces(items: Sequence[NoteItem], per_quarter: int) -> dict[int, dict[Fraction, list[list[NoteItem]]]]:
    """Voice → position → grace chords in order."""
    found: defaultdict[int, defaultdict[Fraction, defaultdict[int, list[NoteItem]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for item in items:
        if item.grace:
            position = Fraction(item.tick, per_quarter)
            if item.tuplet is not None:
                position = _exact_position(position, item.tuplet, per_quarter)
            found[item.voice][position][item.order].append(item)
    return {
        voice: {
            position: [sorted(chord, key=lambda n: n.pitch) for _, chord in sorted(orders.items())]
            for position, orders in positions.items()
        }
        for voice, positions in found.items()
    }


def _filled(
    chords: Sequence[list[Piece]],
    graces: dict[Fraction, list[list[NoteItem]]],
    voice: int,
    measures: Sequence[Measure],
) -> list[list[Element]]:
    starts = [chord[0].start for chord in chords]
    cuts = sorted(graces)
    filled: list[list[Element]] = []
    for measure in measures:
        inside = chords[_first(starts, measure.start) : _first(starts, measure.end)]
        here = cuts[_first(cuts, measure.start) : _first(cuts, measure.end)]
        if not inside and not here and voice > 1:
            filled.append([])
            continue
        elements = list(_elements(inside, here, measure))
        _add_brackets(elements)
        for position in here:
            at = next((e for e in elements if e.start >= position), elements[-1])
            at.graces += graces[position]
        filled.append(elements)
    return filled


def _first(positions: Sequence[Fraction], position: Fraction) -> int:
    return bisect_right(positions, position - Fraction(1, 1 << 40))


def _elements(chords: Sequence[list[Piece]], cuts: Sequence[Fraction], measure: Measure) -> Iterator[Element]:
    """Chords and rests from the measure's start to its end."""
    if not chords and not cuts:
        yield Element(measure.start, Look(measure.end - measure.start, "", 0))  # one rest for the whole measure
        return
    groups = _groups(chords, measure)
    boundaries = sorted({*cuts, *(g.start for g in groups), *(g.end for g in groups), measure.end})
    position = measure.start
    for chord in [*chords, None]:
        until = measure.end if chord is None else chord[0].start
        while position < until:
            group = next((g for g in groups if g.start <= position < g.end), None)
            stop = min(until, next(b for b in boundaries if b > position))
            for look in _rests(stop - position, position, measure, group):
                yield Element(position, look, group=group)
                position += look.quarters
        if chord is not None:
            group = next((g for g in groups if g.start <= position < g.end), None)
            written = looks(chord[0].duration, PLAIN if group is None else group.ratio)
            for i, look in enumerate(written):
                yield Element(position, look, tuple(chord), i > 0, i < len(written) - 1, group)
                position += look.quarters


def _rests(gap: Fraction, position: Fraction, measure: Measure, group: Group | None) -> list[Look]:
    """Rests for a gap: outside tuplets each begins at a multiple of its own length, as beats are kept visible."""
    if group is not None:
        return looks(gap, group.ratio)
    if len(looks(gap)) == 1 and looks(gap)[0].ratio != PLAIN:
        return looks(gap)
    rests: list[Look] = []
    into = position - measure.start
    while gap > 0:
        aligned = (q for q in TYPE_QUARTERS.values() if q <= gap and into % q == 0)
        quarters = max(aligned, default=gap)
        found = looks(quarters)
        rests += found
        into, gap = into + quarters, gap - quarters
    return rests


def _groups(chords: Sequence[list[Piece]], measure: Measure) -> list[Group]:
    """The measure's tuplets: as the notes say where they begin, else aligned to their own length."""
    groups: list[Group] = []
    busy_until = measure.start
    for chord in chords:
        piece = chord[0]
        tuplet = piece.tuplet
        current = groups[-1] if groups else None
        if current is not None and piece.start < current.end and not _continues(current, tuplet):
            groups[-1] = replace(current, end=piece.start)
        if tuplet is not None and not (current and piece.start < current.end and _continues(current, tuplet)):
            group = _group(piece, tuplet, busy_until, measure)
            if group.end > group.start:
                groups.append(group)
                busy_until = max(busy_until, group.end)
        busy_until = max(busy_until, piece.end) if tuplet is None else max(busy_until, piece.start)
    return [g for g in groups if g.end > g.start]


def _continues(group: Group, tuplet: Tuplet | None) -> bool:
    if tuplet is None or (tuplet.actual, tuplet.normal) != (group.tuplet.actual, group.tuplet.normal):
        return False
    return tuplet.tick is None or tuplet.tick == group.tuplet.tick


def _group(piece: Piece, tuplet: Tuplet, busy_until: Fraction, measure: Measure) -> Group:
    length = tuplet.normal * TYPE_QUARTERS[tuplet.type]
    earliest = max(busy_until, measure.start)
    offset = (piece.start - measure.start) % length
    if piece.tuplet_start is not None:
        offset = piece.start - piece.tuplet_start
    start = piece.start - offset
    if not earliest <= start <= piece.start or start + length < piece.end:
        start = piece.start
    return Group(start, min(max(start + length, piece.end), measure.end), tuplet)


def _add_brackets(elements: Sequence[Element]) -> None:
    for before, after in pairwise([None, *elements, None]):
        left = None if before is None else before.group
        right = None if after is None else after.group
        if left != right:
            if before is not None and left is not None:
                before.closes = True
            if after is not None and right is not None:
                after.opens = True
