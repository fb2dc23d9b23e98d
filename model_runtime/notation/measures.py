"""Where the barlines lie: the measures of a score with their time signatures, and voices cut to fit them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from model_runtime.engines.base import Context
from model_runtime.notation.durations import NOTE_VALUES, MetricGrid, meter_grid
from model_runtime.notation.quantised import ScoreMeter
from model_runtime.notation.stems import Chord
from model_runtime.notation.tuplets import Event, Tuplet, plan_tuplets, stretches

REST = -1  # `Event.index` of a rest; smaller values are rests that follow grace notes, see `anchor_of`


def anchor_of(index: int) -> int:
    """Index of the chord whose grace notes stand before a rest with this `Event.index`, which is below `REST`."""
    return REST - 1 - index


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure; times in ticks from the first full barline.

    Attributes:
        start: Its left barline.
        end: Its right barline.
        number: As printed; 0 for a pickup.
        offset: Ticks that are missing at its front, more than 0 in a pickup.
        shows_meter: Whether a time signature stands here.
    """

    start: int
    end: int
    number: int
    numerator: int
    denominator: int
    offset: int = 0
    implicit: bool = False
    shows_meter: bool = False

    @property
    def grid(self) -> MetricGrid:
        """The beats of the full measure; positions in it are `offset` + time - `start`."""
        return meter_grid(self.numerator, self.denominator)


@dataclass(slots=True)
class Piece:
    """One symbol of a voice: a chord, a part of a tied chord, or a rest (`index` -1).

    Attributes:
        start: In ticks from the first full barline, sounding.
        end: Likewise.
        kind: MusicXML note type.
        tuplet_start: Whether the bracket begins here; `tuplet_stop`: whether it ends here.
        beams: MusicXML beam values, the first is the outermost.
        whole_measure: A rest that fills the measure.
    """

    start: int
    end: int
    index: int
    kind: str
    dots: int
    tuplet: Tuplet | None = None
    tuplet_start: bool = False
    tuplet_stop: bool = False
    whole_measure: bool = False
    beams: list[str] = field(default_factory=list)


def lay_out(meters: Sequence[tuple[int, ScoreMeter]], pickup: int, end: int) -> list[Measure]:
    """Measures from the pickup to the one that holds `end` (ticks); at least one full measure.

    Args:
        meters: (barline in ticks, meter), sorted, the first at or before 0. A meter that does not lie on a barline
            of the one before cuts that measure short.
        pickup: Length of the incomplete first measure, 0 for none; whole measures of it become full measures.
        end: Where the last note ends.
    """
    first = max((i for i, (start, _) in enumerate(meters) if start <= 0), default=0)
    meters = [(0, meters[first][1]), *meters[first + 1 :]]
    measures: list[Measure] = []
    start, number, index = -pickup, 1, 0
    length = _length(meters[0][1])
    if pickup % length:
        meter = meters[0][1]
        stop = start + pickup % length
        measures.append(
            Measure(start, stop, 0, meter.numerator, meter.denominator, length - pickup % length, True, True)
        )
        start = stop
    while start < max(end, 1):
        if index + 1 < len(meters) and meters[index + 1][0] <= start:
            index += 1
        meter = meters[index][1]
        before = measures[-1] if measures else None
        changed = before is None or (before.numerator, before.denominator) != (meter.numerator, meter.denominator)
        stop = start + _length(meter)
        if index + 1 < len(meters):
            stop = min(stop, meters[index + 1][0])
        measures.append(Measure(start, stop, number, meter.numerator, meter.denominator, shows_meter=changed))
        start, number = stop, number + 1
    return measures


def _length(meter: ScoreMeter) -> int:
    return meter_grid(meter.numerator, meter.denominator).length


def write_voice(measure: Measure, events: Sequence[Event]) -> list[Piece]:
    """The symbols of one voice in one measure.

    Args:
        events: Chords and rests that fill the measure without gap or overlap, times like the measure's.

    Raises:
        Unwritable: a position lies on no grid that note values and tuplets reach.
    """
    shift = measure.offset - measure.start
    full = measure.offset == 0 and measure.end - measure.start == measure.grid.length
    if len(events) == 1 and events[0].index < 0:
        return _silent_measure(measure, full, events[0].index)
    local = [Event(e.start + shift, e.end + shift, e.index) for e in events]
    first, last = local[0].start, local[-1].end
    pieces: list[Piece] = []
    for start, end, tuplet in stretches(plan_tuplets(measure.grid, local), first, last):
        stretch = [
            p for e in local if e.start < end and e.end > start for p in _symbols(measure, e, start, end, tuplet)
        ]
        if tuplet is not None:
            stretch[0].tuplet_start = stretch[-1].tuplet_stop = True
        pieces += stretch
    for piece in pieces:
        piece.start -= shift
        piece.end -= shift
    return pieces


def _silent_measure(measure: Measure, full: bool, index: int) -> list[Piece]:
    if full:
        return [Piece(measure.start, measure.end, index, "whole", 0, whole_measure=True)]
    rests = _rests(measure, measure.start, measure.end)
    rests[0].index = index
    return rests


def _symbols(measure: Measure, event: Event, start: int, end: int, tuplet: Tuplet | None) -> list[Piece]:
    """An event's symbols within one stretch, positions counted from the front of the full measure."""
    a, b = max(event.start, start), min(event.end, end)
    grid = measure.grid if tuplet is None else tuplet.grid
    if tuplet is not None:
        a, b = tuplet.written(a), tuplet.written(b)
    symbols = []
    for p, q in grid.rest_pieces(a, b) if event.index < 0 else grid.note_pieces(a, b):
        kind, dots = NOTE_VALUES[q - p]
        if tuplet is not None:
            p, q = tuplet.sounding(p), tuplet.sounding(q)
        symbols.append(Piece(p, q, event.index, kind, dots, tuplet))
    return symbols


def repair(measure: Measure, pieces: list[Piece], context: Context) -> list[Piece]:
    """The symbols themselves where they fill the measure exactly; else those that do, then rests, and a warning."""
    at = measure.start
    kept = []
    for piece in pieces:
        if piece.start == at and piece.start < piece.end <= measure.end:
            kept.append(piece)
            at = piece.end
    if len(kept) == len(pieces) and at == measure.end:
        return pieces
    context.warn(f"Measure {measure.number} was not exactly full; what did not fit was replaced by rests.")
    if at < measure.end:
        kept += _rests(measure, at, measure.end)
    return kept


def _rests(measure: Measure, start: int, end: int) -> list[Piece]:
    shift = measure.offset - measure.start
    spans = measure.grid.rest_pieces(start + shift, end + shift)
    return [Piece(a - shift, b - shift, REST, *NOTE_VALUES[b - a]) for a, b in spans]


def fill_measure(measure: Measure, chords: Sequence[Chord], first: int) -> list[Event]:
    """The chords of a voice from index `first` on, cut to the measure, and rests in the gaps."""
    events: list[Event] = []
    at, rest = measure.start, REST
    for index in range(first, len(chords)):
        chord = chords[index]
        if chord.onset >= measure.end:
            break
        start, end = max(chord.onset, measure.start), min(chord.end, measure.end)
        if start > at:
            events.append(Event(at, start, rest))
            rest = REST
        if chord.notes:
            events.append(Event(start, end, index))
        else:
            rest = anchor_of(index)  # its own inverse
        at = end
    if at < measure.end:
        events.append(Event(at, measure.end, rest))
    return events
