"""Bars that are over, with what was played in them on the grid, and the score that the last of them make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from model_runtime.engines.base import Context
from model_runtime.modality import Control, Note, Performance, ProgramChange
from model_runtime.notation.grid import PlacedChord, place_chords
from model_runtime.notation.live_beats import BarTimes
from model_runtime.notation.metre import beat_frame, exact_meters
from model_runtime.notation.onsets import gather_chords
from model_runtime.notation.ornaments import gather_ornaments, without_ghosts
from model_runtime.notation.quantise import Placing, score_of, score_tracks
from model_runtime.notation.quantised import (
    QuantisedScore,
    ScoreKey,
    ScoreMeter,
    ScoreNote,
    ScorePedal,
    ScoreTempo,
    ScoreTrack,
)
from model_runtime.options import Options
from model_runtime.tempo import Meter, TempoMap

EARLY_S = 0.05
"""What is played so little before a barline, and comes to be known late, belongs after it."""


@dataclass(frozen=True)
class Bar:
    """A bar that is over.

    Attributes:
        number: Counted from 1 over the whole session.
        times: Where it and its beats lie in time.
        notes: What begins in it; onsets in quarter notes from its barline. A note may sound beyond its end.
        pedals: Pedal marks that begin in it, likewise.
        from_s: Notes played from this time on belong to it, up to `until_s`.
        until_s: See `from_s`.
    """

    number: int
    times: BarTimes
    notes: tuple[ScoreNote, ...]
    pedals: tuple[ScorePedal, ...]
    from_s: float
    until_s: float

    @property
    def quarters(self) -> Fraction:
        """Its length in quarter notes."""
        return Fraction(4 * self.times.numerator, self.times.denominator)


@dataclass(frozen=True)
class Played:
    """What was heard around a bar.

    Attributes:
        notes: Sorted by onset; all of one instrument.
        controls: Pedals.
        program: General MIDI program of the instrument; None: unknown.
    """

    notes: Sequence[Note]
    controls: Sequence[Control] = ()
    program: int | None = None


def write_bar(
    played: Played, number: int, around: Sequence[BarTimes], own: int, from_s: float, options: Options
) -> Bar:
    """Place what was played in one bar, in the light of what was played before and after it.

    Args:
        played: Around the bar.
        number: Of the bar.
        around: The bar, some before and some after it.
        own: Index of the bar in `around`.
        from_s: What was played before belongs to bars that are written already.
        options: `quantise` and `split_point` are followed.
    """
    return _write(played, number, around, own, (from_s, None), options)


def write_again(played: Played, bar: Bar, around: Sequence[BarTimes], own: int, options: Options) -> Bar:
    """A bar that was written already, after its notes changed: its barlines and its share of the time stay."""
    return _write(played, bar.number, around, own, (bar.from_s, bar.until_s), options)


def _write(
    played: Played,
    number: int,
    around: Sequence[BarTimes],
    own: int,
    share_s: tuple[float, float | None],
    options: Options,
) -> Bar:
    starts = _starts(around)
    start, end = starts[own], starts[own + 1]
    performance = Performance(
        notes=tuple(played.notes),
        controls=tuple(played.controls),
        programs=(ProgramChange(0.0, played.program),) if played.program is not None else (),
    )
    notes = without_ghosts(performance.notes)
    bar_times = around[own]
    if not notes:
        return Bar(number, bar_times, (), (), share_s[0], share_s[1] if share_s[1] is not None else bar_times.end_s)
    ornamented = gather_ornaments(notes)
    ornaments = {note: ornament for note, ornament in ornamented if ornament}
    plain = sorted((note for note, _ in ornamented), key=lambda n: (n.onset_s, n.pitch))
    tempo_map = _tempo_map(around, starts)
    meters = exact_meters(tempo_map.meters)
    frame = beat_frame(tempo_map, meters, plain[0].onset_s, max(note.offset_s for note in plain))
    placed = place_chords(gather_chords(plain), frame, options.quantise)
    until_s = share_s[1] if share_s[1] is not None else _cut(placed, end, share_s[0], bar_times)
    placed = [_into_share(chord, start, end, (share_s[0], until_s)) for chord in placed]
    placed = [replace(chord, onset=max(chord.onset, Fraction(0))) for chord in placed]
    placing = Placing(tempo_map, meters, frame, placed, ornaments)
    score = score_of(performance, options, Context(), score_tracks(performance), placing)
    return Bar(
        number,
        bar_times,
        tuple(replace(note, onset=note.onset - start) for note in score.notes if start <= note.onset < end),
        tuple(
            ScorePedal(pedal.onset - start, pedal.release - start)
            for pedal in score.pedals
            if start <= pedal.onset < end
        ),
        share_s[0],
        until_s,
    )


def _starts(bars: Sequence[BarTimes]) -> list[Fraction]:
    """Barlines in quarter notes from the first, and the end of the last bar."""
    starts = [Fraction(0)]
    for bar in bars:
        starts.append(starts[-1] + Fraction(4 * bar.numerator, bar.denominator))
    return starts


def _tempo_map(bars: Sequence[BarTimes], starts: Sequence[Fraction]) -> TempoMap:
    times: list[float] = []
    quarters: list[float] = []
    for bar, (start, end) in zip(bars, pairwise(starts), strict=True):
        beat = (end - start) / len(bar.beats_s)
        for index, time in enumerate(bar.beats_s):
            times.append(time)
            quarters.append(float(start + index * beat))
    times.append(bars[-1].end_s)
    quarters.append(float(starts[-1]))
    meters = tuple(Meter(float(s), b.numerator, b.denominator) for s, b in zip(starts, bars, strict=False))
    return TempoMap(tuple(times), tuple(quarters), meters)


def _cut(placed: Sequence[PlacedChord], end: Fraction, from_s: float, bar: BarTimes) -> float:
    """The time that parts what was played in a bar from what was played after it."""
    last = max((c.chord.notes[-1].onset_s for c in placed if c.onset < end), default=from_s)
    first = min((c.chord.notes[0].onset_s for c in placed if c.onset >= end), default=np.inf)
    return float(max(min(max(bar.end_s - EARLY_S, last + 1e-3), first), from_s))


def _into_share(placed: PlacedChord, start: Fraction, end: Fraction, share_s: tuple[float, float]) -> PlacedChord:
    """A chord moved to the side of the barlines on which it was played."""
    time = placed.chord.notes[0].onset_s
    if time < share_s[0]:
        return placed if placed.onset < start else replace(placed, onset=_before(start))
    if time >= share_s[1]:
        return placed if placed.onset >= end else replace(placed, onset=end)
    if placed.onset < start:
        return replace(placed, onset=start)
    return placed if placed.onset < end else replace(placed, onset=_before(end))


def _before(barline: Fraction) -> Fraction:
    return barline - Fraction(1, 4)


def score_of_bars(bars: Sequence[Bar], key: ScoreKey | None, program: int | None, title: str = "") -> QuantisedScore:
    """The score of some bars on end, at least one: notes that began before are shown from the first barline on."""
    starts = _starts([bar.times for bar in bars])
    notes: list[ScoreNote] = []
    pedals: list[ScorePedal] = []
    for bar, start in zip(bars, starts, strict=False):
        for note in bar.notes:
            onset = start + note.onset
            length = min(note.duration, starts[-1] - onset)
            if note.grace or length > 0:
                notes.append(replace(note, onset=onset, duration=Fraction(0) if note.grace else length))
        for pedal in bar.pedals:
            release = min(start + pedal.release, starts[-1])
            if release > start + pedal.onset and (not pedals or start + pedal.onset >= pedals[-1].release):
                pedals.append(ScorePedal(start + pedal.onset, release))
    meters: list[ScoreMeter] = []
    for bar, start in zip(bars, starts, strict=False):
        meter = ScoreMeter(start, bar.times.numerator, bar.times.denominator)
        if not meters or (meters[-1].numerator, meters[-1].denominator) != (meter.numerator, meter.denominator):
            meters.append(meter)
    return QuantisedScore(
        notes=tuple(_without_overlaps(notes)),
        meters=tuple(meters),
        keys=(key,) if key is not None else (),
        tempos=(ScoreTempo(Fraction(0), quarters_per_minute(bars)),),
        pedals=tuple(pedals),
        tracks=(ScoreTrack(program=program),),
        title=title,
    )


def quarters_per_minute(bars: Sequence[Bar]) -> float:
    """The bars' usual tempo, a whole number."""
    tempos = [60.0 * float(bar.quarters) / (bar.times.end_s - bar.times.start_s) for bar in bars]
    return float(min(max(round(float(np.median(tempos))), 5), 999))


def _without_overlaps(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Notes of bars that were written one by one, each ending before its pitch starts again."""
    kept: list[ScoreNote] = []
    next_onset: dict[int, Fraction] = {}
    for note in sorted(notes, reverse=True):
        following = next_onset.get(note.pitch)
        if not note.grace:
            if following is not None and following == note.onset:
                continue
            if following is not None and note.onset + note.duration > following:
                note = replace(note, duration=following - note.onset)
            next_onset[note.pitch] = note.onset
        kept.append(note)
    return kept[::-1]
