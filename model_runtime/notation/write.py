"""From a quantised score to MusicXML: names, staves, voices, measures and marks, then the document."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd

from model_runtime.engines.base import Context
from model_runtime.modality import Notation
from model_runtime.notation.durations import COARSE, TICKS_PER_QUARTER, nearest_binary, nearest_writable
from model_runtime.notation.keys import find_key
from model_runtime.notation.marks import add_marks
from model_runtime.notation.measures import Measure, lay_out
from model_runtime.notation.musicxml import WrittenPart, to_musicxml
from model_runtime.notation.parts import MOVED, Frame, write_part
from model_runtime.notation.quantised import QuantisedScore, ScoreKey
from model_runtime.notation.spelling import spell
from model_runtime.notation.stems import PlacedNote
from model_runtime.options import Options

_STAGE = "Writing the score"
_STEPS = 4  # hands, voices, document and its bytes: how often every note is touched


def write_score(score: QuantisedScore, options: Options, context: Context) -> Notation:
    """Write a quantised score as MusicXML 4.0.

    Every pitch, onset and duration is kept exactly; what no note value and tuplet can show is moved to the nearest
    position that they can, with a warning. Every measure of every voice is exactly full. Tracks without notes are
    left out, unless there is only one.

    Raises:
        Cancelled: out of `context.progress`.
    """
    notes = _place(score, context)
    work = _Work(context, _STEPS * max(1, len(notes)))
    pitched = [note for note in notes if not score.tracks[note.part].percussion]
    keys = _keys(score, pitched)
    spell(pitched, [(start, key.fifths) for start, key in keys])
    frame = Frame(_measures(score, notes), keys, options.split_point, context, work.done)
    played = sorted({note.part for note in notes}) or [0]
    parts = [write_part(score.tracks[i], i, [n for n in notes if n.part == i], frame) for i in played]
    add_marks(score, notes, parts)
    step = _common_step(parts)
    share = len(notes) / (len(frame.measures) * len(parts))
    title = score.title or options.title
    musicxml = to_musicxml(parts, title, step, TICKS_PER_QUARTER // step, lambda: work.done(share))
    work.finish()
    return Notation(musicxml)


class _Work:
    """Counts notes as the steps of work touch them, and reports every hundredth."""

    def __init__(self, context: Context, total: float) -> None:
        self._context = context
        self._total = total
        self._current = 0.0
        self._reported = -total

    def done(self, notes: float) -> None:
        self._current = min(self._current + notes, self._total)
        if self._current - self._reported >= self._total / 100:
            self._reported = self._current
            self._context.progress(_STAGE, self._current, self._total)

    def finish(self) -> None:
        self._context.progress(_STAGE, self._total, self._total)


def _place(score: QuantisedScore, context: Context) -> list[PlacedNote]:
    """The notes in ticks, sorted by onset, then pitch."""
    notes = []
    for note in score.notes:
        onset, end = nearest_writable(note.onset), nearest_writable(note.onset + note.duration)
        if end <= onset and not note.grace:
            end = onset + COARSE
        if onset != note.onset * TICKS_PER_QUARTER or end - onset != note.duration * TICKS_PER_QUARTER:
            context.warn(MOVED)
        ornaments = (note.order, note.staccato, note.ornament)
        notes.append(PlacedNote(onset, end, note.pitch, note.velocity, note.track, *ornaments, note.staff))
    return sorted(notes, key=lambda n: (n.onset, n.pitch))


def _measures(score: QuantisedScore, notes: Sequence[PlacedNote]) -> list[Measure]:
    meters = [(nearest_binary(meter.onset), meter) for meter in score.meters]
    # A pickup of a third of a beat is shown as a whole beat that begins with a rest.
    quarters = score.pickup if score.pickup.denominator & (score.pickup.denominator - 1) == 0 else -(-score.pickup // 1)
    end = max((note.end + (note.end == note.onset) for note in notes), default=0)
    return lay_out(meters, nearest_binary(Fraction(quarters)), end)


def _keys(score: QuantisedScore, pitched: Sequence[PlacedNote]) -> list[tuple[int, ScoreKey]]:
    """(from tick, key)."""
    if score.keys:
        return [(nearest_writable(key.onset), key) for key in score.keys]
    fifths, mode = find_key(pitched)
    return [(0, ScoreKey(Fraction(0), fifths, mode))]


def _common_step(parts: Sequence[WrittenPart]) -> int:
    """The largest number of ticks that divides every position and a quarter note."""
    step = TICKS_PER_QUARTER
    for part in parts:
        for written in part.measures:
            step = gcd(step, written.measure.start, written.measure.end, *(mark.at for mark in written.marks))
            for voice in written.voices:
                step = gcd(step, *(piece.start for piece in voice.pieces), *(piece.end for piece in voice.pieces))
    return step
