"""Pieces of the ASAP data set: a human piano performance, its annotated beats, and its score as it was played.

Annotated beats give the tempo map: beat by beat they are laid on the score's quarter notes by the annotated time
signatures. A player need not take every repeat: the score is unfolded in the way whose notes agree best with the
performance under that map. Where a player follows another edition, the piece ends before the two part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

from model_runtime.files.midi import read_midi
from model_runtime.modality import Performance
from model_runtime.notation.score_notes import WrittenMeasure, WrittenNote, notes_in_order, read_measures, unfolding
from model_runtime.tempo import KeySignature, Meter, TempoMap

_MOST_REPEATS = 10
_WINDOW_QUARTERS = 16
_AGREEMENT = 0.5


@dataclass(frozen=True)
class Piece:
    """A performance and what it should be written as.

    Attributes:
        performance: As played, without a tempo map.
        tempo_map: The annotated beats, on the axis of `reference`.
        reference: Written notes with ties joined, onsets in quarter notes, repeats as played.
        musicxml: The score.
        order: Indices of its measures as they were played.
    """

    name: str
    performance: Performance
    tempo_map: TempoMap
    reference: tuple[WrittenNote, ...]
    musicxml: bytes = b""
    order: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Beat:
    time_s: float
    down: bool
    meter: tuple[int, int] | None
    fifths: int | None


def pieces(folder: Path) -> Iterator[Piece]:
    """All pieces of a folder, in order of their names."""
    for path in sorted(p for p in folder.iterdir() if p.is_dir()):
        yield read_piece(path)


def read_piece(path: Path) -> Piece:
    """One piece: `performance.mid`, `score.musicxml`, `performance_annotations.txt`, `midi_score_annotations.txt`."""
    performance = replace(read_midi(path / "performance.mid"), tempo_map=None)
    played = _beats(path / "performance_annotations.txt")
    printed = _beats(path / "midi_score_annotations.txt")
    tempo_map = _tempo_map(played, _first_quarter(printed), _before_changes(printed))
    musicxml = (path / "score.musicxml").read_bytes()
    measures = read_measures(musicxml)
    order = _order_played(measures, performance, tempo_map)
    reference = tuple(notes_in_order(measures, order))
    return _until_they_part(Piece(path.name, performance, tempo_map, reference, musicxml, tuple(order)))


def _until_they_part(piece: Piece) -> Piece:
    """The piece up to where performance and score stop agreeing for two windows on end."""
    quarters = piece.tempo_map.quarters_at([note.onset_s for note in piece.performance.notes])
    played = {(note.pitch, round(float(q) * 4)) for note, q in zip(piece.performance.notes, quarters, strict=True)}
    agreeing: dict[int, list[bool]] = defaultdict(list)
    for note in piece.reference:
        at = round(note.onset * 4)
        near = any((note.pitch, at + step) in played for step in (-1, 0, 1))
        agreeing[int(note.onset // _WINDOW_QUARTERS)].append(near)
    apart = {window for window, found in agreeing.items() if sum(found) < _AGREEMENT * len(found)}
    first = min((window for window in apart if window + 1 in apart), default=None)
    if first is None:
        return piece
    end = first * _WINDOW_QUARTERS
    end_s = piece.tempo_map.time_at(end - 0.1)
    performance = replace(
        piece.performance,
        notes=tuple(note for note in piece.performance.notes if note.onset_s < end_s),
        controls=tuple(control for control in piece.performance.controls if control.time_s < end_s),
    )
    kept = [i for i, quarter in enumerate(piece.tempo_map.quarters) if quarter <= end]
    tempo_map = TempoMap(
        tuple(piece.tempo_map.times_s[i] for i in kept),
        tuple(piece.tempo_map.quarters[i] for i in kept),
        tuple(meter for meter in piece.tempo_map.meters if meter.quarter < end),
        tuple(key for key in piece.tempo_map.keys if key.quarter < end),
    )
    reference = tuple(note for note in piece.reference if note.onset < end)
    return replace(piece, performance=performance, tempo_map=tempo_map, reference=reference)


def _beats(path: Path) -> list[_Beat]:
    beats = []
    for line in path.read_text(encoding="utf-8").splitlines():
        time, _, label = line.split("\t")
        kind, meter, key = [*label.split(","), "", ""][:3]
        numbers = tuple(int(n) for n in meter.split("/")) if meter else ()
        beats.append(
            _Beat(
                float(time),
                kind == "db",
                (numbers[0], numbers[1]) if len(numbers) == 2 else None,
                int(key) if key else None,
            )
        )
    return beats


def _beat_quarters(meter: tuple[int, int]) -> float:
    numerator, denominator = meter
    dotted = denominator == 8 and numerator % 3 == 0 and numerator > 3
    return 1.5 if dotted else 4.0 / denominator


def _first_quarter(printed: Sequence[_Beat]) -> float:
    """Quarter note of the first annotated beat: the annotated score begins at second 0 in an even tempo."""
    meter = next(beat.meter for beat in printed if beat.meter is not None)
    second_quarters = _beat_quarters(meter) / (printed[1].time_s - printed[0].time_s)
    return round(printed[0].time_s * second_quarters * 48) / 48


def _before_changes(printed: Sequence[_Beat]) -> dict[tuple[int, int], tuple[float, float]]:
    """Which shares of a beat are left of the last two beats before a change of time signature, by the new one."""
    usual = printed[1].time_s - printed[0].time_s
    gaps = [min(1.0, round(2 * (after.time_s - before.time_s) / usual) / 2) for before, after in pairwise(printed)]
    return {
        beat.meter: (gaps[index - 2], gaps[index - 1])
        for index, beat in enumerate(printed)
        if beat.meter is not None and index > 1
    }


def _tempo_map(
    beats: Sequence[_Beat], first_quarter: float, before_changes: Mapping[tuple[int, int], tuple[float, float]]
) -> TempoMap:
    meter = next(beat.meter for beat in beats if beat.meter is not None)
    shares = [1.0] * len(beats)
    for index, beat in enumerate(beats):
        if index > 1 and beat.meter is not None and beat.meter in before_changes:
            shares[index - 2 : index] = before_changes[beat.meter]
    quarter = first_quarter
    times: list[float] = []
    quarters: list[float] = []
    meters: list[Meter] = []
    keys: list[KeySignature] = []
    for beat, share in zip(beats, shares, strict=True):
        meter = beat.meter or meter
        if not times or beat.time_s > times[-1]:
            times.append(beat.time_s)
            quarters.append(quarter)
        if beat.meter is not None:
            meters.append(Meter(quarter, *beat.meter))
        if beat.fifths is not None:
            keys.append(KeySignature(quarter, beat.fifths))
        quarter += _beat_quarters(meter) * share
    return TempoMap(tuple(times), tuple(quarters), tuple(meters), tuple(keys))


def _order_played(measures: Sequence[WrittenMeasure], performance: Performance, tempo_map: TempoMap) -> list[int]:
    """The unfolding that most performed notes agree with."""
    quarters = tempo_map.quarters_at([note.onset_s for note in performance.notes])
    played = {(note.pitch, round(float(q) * 4)) for note, q in zip(performance.notes, quarters, strict=True)}
    repeats = sum(1 for measure in measures if measure.backward)
    best: tuple[int, list[int]] = (-1, [])
    for taken in product((True, False), repeat=repeats) if repeats <= _MOST_REPEATS else [(True,) * repeats]:
        order = unfolding(measures, taken)
        notes = notes_in_order(measures, order)
        agreeing = sum((n.pitch, round(n.onset * 4)) in played for n in notes if not n.grace)
        missing = len(notes) - agreeing
        if agreeing - missing > best[0] or not best[1]:
            best = (agreeing - missing, order)
    return best[1]


def exact_shift(tempo_map: TempoMap) -> Fraction:
    """Quarter notes by which a map is moved so that its first barline ends a whole measure, and none is negative."""
    first = tempo_map.meters[0]
    length = Fraction(4 * first.numerator, first.denominator)
    at = Fraction(first.quarter).limit_denominator(48)
    earliest = Fraction(min(tempo_map.quarters[0], first.quarter)).limit_denominator(48)
    shift = -at % length
    while earliest + shift < 0:
        shift += length
    return shift
