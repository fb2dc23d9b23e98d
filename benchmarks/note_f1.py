"""Note F1 between two scores: which notes of one are written in the other.

A note is the same where pitch, onset and duration in quarter notes (on a grid of 1/96) and staff agree. A grace note
has the onset of the note that it precedes and no duration. Scores may begin at different barlines, so the
estimate is moved by one constant; `local_f1` lets it move anew every eight quarter notes, so that one lost
beat does not fail everything after it. Nothing is ever scaled: half or double note values are errors.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from model_runtime.notation.score_notes import WrittenNote

GRID = 96
WINDOW_QUARTERS = 8
MOVE_COST = 6.0
"""Matches that a change of the move between two windows must gain."""

_TRIED = 8


@dataclass(frozen=True, slots=True)
class NoteF1:
    """Shares: `full` over pitch, onset, duration and staff; `onset` over pitch and onset."""

    full: float
    onset: float


_Key = TypeVar("_Key")
_Entry = tuple[int, int, int, int]  # onset and duration on the grid, pitch, staff


def strict_f1(reference: Sequence[WrittenNote], estimate: Sequence[WrittenNote]) -> NoteF1:
    """F1 under the one constant move of the estimate that serves it best."""
    wanted, found = _entries(reference), _entries(estimate)
    best = (0, 0)
    for move, _ in _votes(wanted, found).most_common(_TRIED):
        pool = Counter((onset - move, duration, pitch, staff) for onset, duration, pitch, staff in found)
        full = sum((pool & Counter(wanted)).values())
        heads = Counter((onset - move, pitch) for onset, _, pitch, _ in found)
        onsets = sum((heads & Counter((onset, pitch) for onset, _, pitch, _ in wanted)).values())
        best = max(best, (full, onsets))
    return _shares(best, len(wanted), len(found))


def local_f1(reference: Sequence[WrittenNote], estimate: Sequence[WrittenNote]) -> NoteF1:
    """F1 where the estimate may move by another constant in every window of the reference; never below `strict_f1`."""
    strict = strict_f1(reference, estimate)
    local = _windowed_f1(reference, estimate)
    return local if local.full > strict.full else strict


def _windowed_f1(reference: Sequence[WrittenNote], estimate: Sequence[WrittenNote]) -> NoteF1:
    wanted, found = _entries(reference), _entries(estimate)
    by_pitch: dict[int, list[int]] = defaultdict(list)
    for onset, _, pitch, _ in found:
        by_pitch[pitch].append(onset)
    first = min((entry[0] for entry in wanted), default=0)
    windows: dict[int, list[_Entry]] = defaultdict(list)
    for entry in wanted:
        windows[(entry[0] - first) // (WINDOW_QUARTERS * GRID)].append(entry)
    heads = Counter((onset, pitch) for onset, _, pitch, _ in found)
    pool = Counter(found)
    full = onsets = 0
    in_order = [windows[index] for index in sorted(windows)]
    anywhere = [move for move, _ in _votes(wanted, found).most_common(_TRIED)]
    for window, move in zip(in_order, _moves(in_order, by_pitch, heads, anywhere), strict=True):
        full += _take(pool, [(onset + move, duration, pitch, staff) for onset, duration, pitch, staff in window])
        onsets += _take(heads, [(onset + move, pitch) for onset, _, pitch, _ in window])
    return _shares((full, onsets), len(wanted), len(found))


def _moves(
    windows: Sequence[Sequence[_Entry]],
    by_pitch: Mapping[int, Sequence[int]],
    heads: Counter[tuple[int, int]],
    anywhere: Sequence[int],
) -> list[int]:
    """The move of each window: most matching onsets in all, where every change of the move costs `MOVE_COST`.

    Candidates are what serves a window, what served those before it, and what serves the whole (`anywhere`).
    """
    gains: list[dict[int, float]] = []
    sources: list[dict[int, int]] = []
    for window in windows:
        votes = Counter(other - onset for onset, _, pitch, _ in window for other in by_pitch.get(pitch, ()))
        candidates = {move for move, _ in votes.most_common(_TRIED)} | set(gains[-1] if gains else anywhere)
        best_before = max(gains[-1], key=lambda m: (gains[-1][m], -m)) if gains and gains[-1] else 0
        now: dict[int, float] = {}
        source: dict[int, int] = {}
        for move in sorted(candidates):
            matches = sum(heads.get((onset + move, pitch), 0) > 0 for onset, _, pitch, _ in window)
            stay = gains[-1].get(move, float("-inf")) if gains else 0.0
            change = gains[-1][best_before] - MOVE_COST if gains and gains[-1] else float("-inf")
            now[move] = matches + max(stay, change)
            source[move] = move if stay >= change else best_before
        kept = {*sorted(now, key=lambda m: (-now[m], m))[: 4 * _TRIED], *anywhere}
        gains.append({move: now[move] for move in sorted(kept)} or {0: 0.0})
        sources.append(source or {0: 0})
    moves: list[int] = []
    move = max(gains[-1], key=lambda m: (gains[-1][m], -m)) if gains else 0
    for source in reversed(sources):
        moves.append(move)
        move = source.get(move, move)
    return moves[::-1]


def _entries(notes: Sequence[WrittenNote]) -> list[_Entry]:
    return [(_on_grid(n.onset), _on_grid(n.duration), n.pitch, n.staff) for n in notes]


def _on_grid(quarters: Fraction) -> int:
    return round(quarters * GRID)


def _votes(wanted: Sequence[_Entry], found: Sequence[_Entry]) -> Counter[int]:
    """How many pairs of one pitch each move would bring together."""
    by_pitch: dict[int, Counter[int]] = defaultdict(Counter)
    for onset, _, pitch, _ in wanted:
        by_pitch[pitch][onset] += 1
    votes: Counter[int] = Counter()
    for onset, _, pitch, _ in found:
        for other in by_pitch.get(pitch, ()):
            votes[onset - other] += 1
    return votes


def _take(pool: Counter[_Key], entries: Sequence[_Key]) -> int:
    taken = 0
    for entry in entries:
        if pool.get(entry, 0) > 0:
            pool[entry] -= 1
            taken += 1
    return taken


def _shares(matches: tuple[int, int], wanted: int, found: int) -> NoteF1:
    total = max(wanted + found, 1)
    return NoteF1(full=2 * matches[0] / total, onset=2 * matches[1] / total)
