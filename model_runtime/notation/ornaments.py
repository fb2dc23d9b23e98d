"""Gathers what is written as one sign: trills, tremolos and mordents become one note each, and ghosts go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from model_runtime.modality import Note

SLOWEST_TRILL_S = 0.13
"""Longest time between two notes of a trill or tremolo."""

FEWEST_TRILL_NOTES = 7
FEWEST_TREMOLO_NOTES = 6
LONGEST_MORDENT_NOTE_S = 0.11
DOUBLE_S = 0.03
"""The same key struck twice within this time is one note of a machine."""

GHOST_S, GHOST_VELOCITY = 0.02, 20
"""A note shorter and softer than this was touched, not played."""


def without_ghosts(notes: Sequence[Note]) -> list[Note]:
    """Notes without doubled and barely touched ones, in their order."""
    kept: list[Note] = []
    last: dict[tuple[int, int, int], int] = {}
    for note in notes:
        key = (note.track, note.channel, note.pitch)
        before = last.get(key)
        if before is not None and note.onset_s - kept[before].onset_s < DOUBLE_S:
            kept[before] = replace(kept[before], offset_s=max(kept[before].offset_s, note.offset_s))
            continue
        if note.duration_s < GHOST_S and note.velocity < GHOST_VELOCITY:
            continue
        last[key] = len(kept)
        kept.append(note)
    return kept


def gather_ornaments(notes: Sequence[Note]) -> list[tuple[Note, str]]:
    """Each note with "" or the ornament that it stands for, sorted by onset; what an ornament took up is gone."""
    gathered: list[tuple[Note, str]] = []
    taken: set[int] = set()
    by_pitch: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, note in enumerate(notes):
        by_pitch[note.track, note.pitch].append(index)
    for (track, pitch), own in sorted(by_pitch.items()):
        for run in _repetitions(notes, own, taken):
            gathered.append((_merged(notes, run, pitch), "tremolo"))
            taken.update(run)
        for interval in (2, 1):
            both = sorted(own + by_pitch.get((track, pitch + interval), []))
            for run in _alternations(notes, both, taken):
                gathered.append((_merged(notes, run, pitch), "trill"))
                taken.update(run)
    for run in _mordents(notes, by_pitch, taken):
        gathered.append((_merged(notes, run, notes[run[0]].pitch), "mordent"))
        taken.update(run)
    gathered.extend((note, "") for index, note in enumerate(notes) if index not in taken)
    return sorted(gathered, key=lambda item: (item[0].onset_s, item[0].pitch))


def _merged(notes: Sequence[Note], run: Sequence[int], pitch: int) -> Note:
    end = max(notes[index].offset_s for index in run)
    return replace(notes[run[0]], pitch=pitch, offset_s=end, velocity=max(notes[index].velocity for index in run))


def _repetitions(notes: Sequence[Note], indices: Sequence[int], taken: set[int]) -> list[list[int]]:
    """Runs of one pitch struck as fast as a trill."""
    return _runs(notes, indices, taken, FEWEST_TREMOLO_NOTES, alternating=False)


def _alternations(notes: Sequence[Note], indices: Sequence[int], taken: set[int]) -> list[list[int]]:
    """Runs of two pitches in turn, as fast as a trill."""
    return _runs(notes, indices, taken, FEWEST_TRILL_NOTES, alternating=True)


def _runs(
    notes: Sequence[Note], indices: Sequence[int], taken: set[int], fewest: int, *, alternating: bool
) -> list[list[int]]:
    runs: list[list[int]] = []
    run: list[int] = []
    for index in [i for i in indices if i not in taken]:
        if run:
            gap = notes[index].onset_s - notes[run[-1]].onset_s
            turns = notes[index].pitch != notes[run[-1]].pitch
            if gap > SLOWEST_TRILL_S or turns != alternating:
                runs.append(run)
                run = []
        run.append(index)
    runs.append(run)
    return [run for run in runs if len(run) >= fewest]


def _mordents(notes: Sequence[Note], by_pitch: dict[tuple[int, int], list[int]], taken: set[int]) -> list[list[int]]:
    """Main note, lower neighbour, main note, the first two short and the last one long."""
    found: list[list[int]] = []
    for (track, pitch), own in sorted(by_pitch.items()):
        for first, last in pairwise(own):
            start, end = notes[first].onset_s, notes[last].onset_s
            if end - start > 2 * LONGEST_MORDENT_NOTE_S or notes[last].duration_s < 2 * (end - start):
                continue
            neighbours = [
                index
                for interval in (1, 2)
                for index in by_pitch.get((track, pitch - interval), [])
                if start < notes[index].onset_s < end and notes[index].duration_s < 2 * LONGEST_MORDENT_NOTE_S
            ]
            run = [first, *neighbours[:1], last]
            if len(run) == 3 and not taken.intersection(run) and not any(set(run) & set(other) for other in found):
                found.append(run)
    return found
