"""Note F1 between two scores: which notes of one are written in the other.

A note is the same where pitch, onset and duration in quarter notes (on a grid of 1/96) and staff agree. A grace note
has the onset of the note that it precedes and no duration. Scores may begin at different barlines, so the
estimate is moved by one constant; `local_f1` lets it move anew every eight quarter notes, so that one lost
beat does not fail everything after it. Nothing is ever scaled: half or double note values are errors.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from model_runtime.notation.score_notes import WrittenNote

GRID = 96
WINDOW_QUARTERS = 8
BACK_QUARTERS, AHEAD_QUARTERS = 8, 32
"""How far from the window before a window's notes are looked for."""

_TRIED = 4


@dataclass(frozen=True, slots=True)
class NoteF1:
    """Shares: `full` over pitch, onset, duration and staff; `onset` over pitch and onset."""

    full: float
    onset: float


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
    """F1 where the estimate may move by another constant in every window of the reference."""
    wanted, found = _entries(reference), _entries(estimate)
    pool, heads = Counter(found), Counter((onset, pitch) for onset, _, pitch, _ in found)
    by_pitch: dict[int, list[int]] = defaultdict(list)
    for onset, _, pitch, _ in found:
        by_pitch[pitch].append(onset)
    first = min((entry[0] for entry in wanted), default=0)
    windows: dict[int, list[_Entry]] = defaultdict(list)
    for entry in wanted:
        windows[(entry[0] - first) // (WINDOW_QUARTERS * GRID)].append(entry)
    move: int | None = None
    full = onsets = 0
    for index in sorted(windows):
        window = windows[index]
        votes = Counter(
            other - onset
            for onset, _, pitch, _ in window
            for other in by_pitch[pitch]
            if move is None or -BACK_QUARTERS * GRID <= other - onset - move <= AHEAD_QUARTERS * GRID
        )
        if not votes:
            continue
        tried = [(_matches(window, pool, candidate), -abs(candidate - (move or 0)), candidate) for candidate, _ in votes.most_common(_TRIED)]
        _, _, move = max(tried)
        full += _take(pool, [(onset + move, duration, pitch, staff) for onset, duration, pitch, staff in window])
        onsets += _take(heads, [(onset + move, pitch) for onset, _, pitch, _ in window])
    return _shares((full, onsets), len(wanted), len(found))


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


def _matches(window: Sequence[_Entry], pool: Counter[_Entry], move: int) -> int:
    moved = Counter((onset + move, duration, pitch, staff) for onset, duration, pitch, staff in window)
    return sum(min(count, pool.get(entry, 0)) for entry, count in moved.items())


def _take(pool: Counter, entries: Sequence[tuple[int, ...]]) -> int:  # type: ignore[type-arg]
    taken = 0
    for entry in entries:
        if pool.get(entry, 0) > 0:
            pool[entry] -= 1
            taken += 1
    return taken


def _shares(matches: tuple[int, int], wanted: int, found: int) -> NoteF1:
    total = max(wanted + found, 1)
    return NoteF1(full=2 * matches[0] / total, onset=2 * matches[1] / total)
