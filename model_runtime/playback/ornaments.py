"""Ornaments as the notes that they stand for.

Figures follow the tables that most editions share: a trill starts on the main note and ends on it, a mordent goes
down (its inverted form up), a turn circles from above.
"""

from __future__ import annotations

from model_runtime.playback.score import WrittenNote

Strike = tuple[float, float, int]  # start and end in seconds from the note's onset, pitch

TRILL_NOTE_S = 0.075
MORDENT_NOTE_S = 0.075
TURN_NOTE_S = 0.09
SHORTEST_NOTE_S = 0.035
MOST_STRIKES = 10_000  # of one note

_UPWARDS = {"inverted-mordent"}
_DOWNWARDS = {"mordent"}
_TRILLS = {"trill-mark", "shake", "wavy-line-start", "wavy-line-continue"}
_TURNS = {"turn", "delayed-turn", "vertical-turn", "inverted-turn", "delayed-inverted-turn", "inverted-vertical-turn"}
ORNAMENTS = _UPWARDS | _DOWNWARDS | _TRILLS | _TURNS


def ornamented(note: WrittenNote, marks: frozenset[str], length_s: float) -> list[Strike] | None:
    """What sounds in place of a note of `length_s`, or None where it has no ornament or no time for one."""
    if marks & _TRILLS:
        return _trill(note, length_s)
    if marks & _UPWARDS:
        return _mordent(note.pitch, note.upper, length_s)
    if marks & _DOWNWARDS:
        return _mordent(note.pitch, note.lower, length_s)
    turn = sorted(marks & _TURNS)
    if turn:
        return _turn(note, length_s, inverted="inverted" in turn[0], delayed="delayed" in turn[0])
    return None


def _trill(note: WrittenNote, length_s: float) -> list[Strike] | None:
    count = min(int(length_s / TRILL_NOTE_S), MOST_STRIKES) // 2 * 2 + 1  # odd, so that it ends on the main note
    if count < 3:
        return None
    each = length_s / count
    return [(i * each, (i + 1) * each, note.upper if i % 2 else note.pitch) for i in range(count)]


def _mordent(main: int, neighbour: int, length_s: float) -> list[Strike] | None:
    each = min(MORDENT_NOTE_S, length_s / 4)
    if each < SHORTEST_NOTE_S:
        return None
    return [(0.0, each, main), (each, 2 * each, neighbour), (2 * each, length_s, main)]


def _turn(note: WrittenNote, length_s: float, *, inverted: bool, delayed: bool) -> list[Strike] | None:
    each = min(TURN_NOTE_S, length_s / 5)
    if each < SHORTEST_NOTE_S:
        return None
    first, last = (note.lower, note.upper) if inverted else (note.upper, note.lower)
    figure = (first, note.pitch, last)
    start = length_s / 2 if delayed and length_s / 2 > 4 * each else 0.0
    strikes: list[Strike] = [(0.0, start, note.pitch)] if start else []
    strikes += [(start + i * each, start + (i + 1) * each, pitch) for i, pitch in enumerate(figure)]
    return [*strikes, (start + 3 * each, length_s, note.pitch)]


def tremolo_count(bars: int, quarters: float, flags: int, length_s: float) -> int:
    """How often a note of `quarters` is struck under `bars` tremolo bars, on a note that has `flags` of its own."""
    each = float(0.5 ** (min(max(bars, 0), 8) + flags))
    count = min(max(int(quarters / each + 0.5), 1), MOST_STRIKES)
    while count > 1 and length_s / count < SHORTEST_NOTE_S:
        count //= 2
    return count
