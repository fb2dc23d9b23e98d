"""Voices: notes of one staff become chords in a few streams, so that within a stream nothing overlaps.

Where more sounds at once than there are voices, long notes are cut and tied across the chords that begin meanwhile,
which keeps every onset and end exactly.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import combinations, count, groupby, pairwise, permutations

from model_runtime.notation.stems import Chord, PlacedNote

MAX_VOICES = 2
_BEAM_WIDTH = 12
_BROKEN_TIE = 1000.0

# The choices so far, newest first: the voices of the chords at one onset, and the choices before.
_Choices = tuple[tuple[int, ...], "_Choices | None"]
# How awkward the choices are, what each voice did last, and the choices.
_Path = tuple[float, tuple[Chord | None, ...], "_Choices | None"]


def separate(notes: Sequence[PlacedNote], max_voices: int = MAX_VOICES) -> list[list[Chord]]:
    """Voices of one staff, the first the upper; each a list of chords in order that do not overlap.

    Args:
        notes: Of one staff, without grace notes.
        max_voices: How many streams may sound at once.
    """
    voices: list[list[Chord]] = [[] for _ in range(max_voices)]
    for cluster in _clusters(limit_overlap(gather_chords(notes), max_voices)):
        for chord, voice in _assign(cluster, max_voices):
            voices[voice].append(chord)
    while len(voices) > 1 and not voices[-1]:
        voices.pop()
    return voices


def gather_chords(notes: Sequence[PlacedNote]) -> list[Chord]:
    """Notes of equal onset and end on one stem, in order of onset, then from above."""
    stems: dict[tuple[int, int], Chord] = {}
    for note in notes:
        chord = stems.setdefault((note.onset, note.end), Chord(note.onset, note.end, []))
        chord.notes.append(note)
    return sorted(stems.values(), key=lambda c: (c.onset, -c.top, c.end))


def limit_overlap(chords: Sequence[Chord], max_voices: int) -> list[Chord]:
    """Cut chords and join the pieces so that never more than `max_voices` sound at once; all ends stay exact."""
    ticket, streams = count(), count()
    waiting = [(c.onset, next(ticket), c) for c in chords]
    heapq.heapify(waiting)
    sounding: list[Chord] = []
    done: list[Chord] = []
    while waiting:
        onset = waiting[0][0]
        arriving: list[Chord] = []
        while waiting and waiting[0][0] == onset:
            _join_equal(arriving, heapq.heappop(waiting)[2])
        done += [c for c in sounding if c.end <= onset]
        sounding = [c for c in sounding if c.end > onset]
        while pair := _pair_to_join(sounding, arriving, max_voices):
            stream = max(chord.stream for chord in pair)
            stream = next(streams) if stream < 0 else stream
            for chord in pair:
                if chord in sounding:
                    sounding.remove(chord)
                    done.append(Chord(chord.onset, onset, chord.notes, stream=stream))
                else:
                    arriving.remove(chord)
            end = min(chord.end for chord in pair)
            _join_equal(arriving, Chord(onset, end, pair[0].notes + pair[1].notes, stream=stream))
            for chord in pair:
                if chord.end > end:
                    heapq.heappush(waiting, (end, next(ticket), Chord(end, chord.end, chord.notes, stream=stream)))
        for chord in arriving:
            chord.stream = next(streams) if chord.stream < 0 else chord.stream
        sounding += arriving
    return sorted(done + sounding, key=lambda c: (c.onset, -c.top, c.end))


def _may_join(a: Chord, b: Chord) -> bool:
    """Whether no tie would lead from one voice into another."""
    return a.stream < 0 or b.stream < 0 or a.stream == b.stream


def _join_equal(arriving: list[Chord], chord: Chord) -> None:
    for i, other in enumerate(arriving):
        if other.end == chord.end and _may_join(other, chord):
            stream = max(other.stream, chord.stream)
            arriving[i] = Chord(chord.onset, chord.end, other.notes + chord.notes, stream=stream)
            return
    arriving.append(chord)


def _pair_to_join(sounding: list[Chord], arriving: list[Chord], max_voices: int) -> tuple[Chord, Chord] | None:
    """The two chords that share a stem with the fewest ties and the smallest span; None where nothing must be joined.

    Pieces of one stream always meet again on one stem, and there are never more streams than voices.
    """

    def cost(pair: tuple[Chord, Chord]) -> tuple[float, int]:
        a, b = pair
        ties = sum(len(c.notes) for c in pair if c in sounding) + abs(len(a.notes) - len(b.notes)) * (a.end != b.end)
        span = max(a.top, b.top) - min(a.bottom, b.bottom)
        return ties + span / 12 + 2 * max(0, span - 12), -min(a.end, b.end)

    chords = sounding + arriving
    pairs = [pair for pair in combinations(chords, 2) if pair[0].stream == pair[1].stream >= 0]
    if not pairs and len(chords) > max_voices:
        streams = sum(chord.stream >= 0 for chord in chords)
        pairs = [pair for pair in combinations(chords, 2) if _may_join(*pair)]
        if streams >= max_voices:
            pairs = [pair for pair in pairs if max(pair[0].stream, pair[1].stream) >= 0]
    return min(pairs, key=cost, default=None)


def _clusters(chords: Sequence[Chord]) -> Iterator[list[Chord]]:
    """Runs of chords that hang together by overlapping or by a tie."""
    tied = {chord.onset for chord in chords if any(note.onset < chord.onset for note in chord.notes)}
    cluster: list[Chord] = []
    end = 0
    for chord in chords:
        if cluster and chord.onset >= end and chord.onset not in tied:
            yield cluster
            cluster = []
        cluster.append(chord)
        end = max(end, chord.end) if len(cluster) > 1 else chord.end
    if cluster:
        yield cluster


def _assign(cluster: list[Chord], max_voices: int) -> list[tuple[Chord, int]]:
    """The voice of each chord of a cluster: the search keeps lines smooth and the upper voice above."""
    if len(cluster) == 1:
        return [(cluster[0], 0)]
    paths: list[_Path] = [(0.0, (None,) * max_voices, None)]
    for _, group in groupby(cluster, key=lambda c: c.onset):
        together = list(group)
        extended: list[_Path] = []
        for cost, last, chosen in paths:
            free = [v for v, chord in enumerate(last) if chord is None or chord.end <= together[0].onset]
            for voices in permutations(free, len(together)):
                now = list(last)
                for voice, chord in zip(voices, together, strict=True):
                    now[voice] = chord
                step = sum(_leap(last[v], c, v) for v, c in zip(voices, together, strict=True))
                extended.append((cost + step + _crossings(now, together[0].onset), tuple(now), (voices, chosen)))
        extended.sort(key=lambda path: path[0])
        paths = extended[:_BEAM_WIDTH]
    backwards: list[int] = []
    link = paths[0][2]
    while link is not None:
        backwards += reversed(link[0])
        link = link[1]
    return list(zip(cluster, reversed(backwards), strict=True))


def _leap(before: Chord | None, chord: Chord, voice: int) -> float:
    """How unwilling a reader is to hear `chord` as what the voice plays next."""
    tied = [note for note in chord.notes if note.onset < chord.onset]
    broken = _BROKEN_TIE * sum(before is None or note not in before.notes for note in tied)
    if before is None:
        return broken + 0.3 * voice
    rest = 0.3 if before.end < chord.onset else 0.0
    return broken + rest + abs(before.top + before.bottom - chord.top - chord.bottom) / 24


def _crossings(sounding: Sequence[Chord | None], onset: int) -> float:
    held = [c for c in sounding if c is not None and c.end > onset]
    return sum(2.0 for a, b in pairwise(held) if a.top + a.bottom < b.top + b.bottom)


def attach_graces(voices: list[list[Chord]], graces: Sequence[PlacedNote]) -> None:
    """Put grace notes before the nearest chord that begins at their onset, or else into a voice that rests there."""
    starts: dict[int, list[Chord]] = {}
    for voice in voices:
        for chord in voice:
            starts.setdefault(chord.onset, []).append(chord)
    by_onset: dict[int, list[PlacedNote]] = {}
    for note in graces:
        by_onset.setdefault(note.onset, []).append(note)
    for onset, together in by_onset.items():
        if onset in starts:
            pitch = sum(note.pitch for note in together) / len(together)
            nearest = min(starts[onset], key=lambda c: min(abs(n.pitch - pitch) for n in c.notes))
            nearest.graces += together
        else:
            _resting_voice(voices, onset).append(Chord(onset, onset, [], together))
    for voice in voices:
        voice.sort(key=lambda c: c.onset)


def _resting_voice(voices: list[list[Chord]], onset: int) -> list[Chord]:
    for voice in voices:
        if not any(chord.onset < onset < chord.end for chord in voice):
            return voice
    voices.append([])
    return voices[-1]
