"""Notes that bend at the same time."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from model_runtime.engines.bend_channels import spread
from model_runtime.engines.note_creation import FoundNote
from model_runtime.modality import Note


def bent(start: int, end: int, pitch: int, semitones: float) -> FoundNote:
    return FoundNote(start, end, pitch, 0.8, np.full(end - start, semitones, np.float32))


def spread_out(*found: FoundNote) -> tuple[list[Note], dict[int, list[int]], bool]:
    notes = [Note(f.start_frame / 100, f.end_frame / 100, f.pitch) for f in found]
    placed, bends, crowded = spread(found, notes, lambda frame: frame / 100)
    by_channel: dict[int, list[int]] = {}
    for bend in bends:
        by_channel.setdefault(bend.channel, []).append(bend.value)
    return placed, by_channel, crowded


def test_notes_that_sound_together_have_channels_of_their_own_and_none_is_the_drums() -> None:
    notes, _, crowded = spread_out(*(bent(i, 200 + i, 40 + i, 0.0) for i in range(15)))
    assert not crowded
    assert all(a.channel != b.channel for a, b in combinations(notes, 2))
    assert 9 not in {note.channel for note in notes}


def test_each_note_begins_with_its_own_bend_in_units_of_two_semitones() -> None:
    notes, bends, _ = spread_out(bent(0, 50, 60, 0.5), bent(10, 60, 64, -1.0), bent(20, 70, 67, 5.0))
    assert [bends[note.channel] for note in notes] == [[2048], [-4096], [8191]]


def test_a_steady_bend_is_sent_once_and_a_glide_in_steps() -> None:
    glide = FoundNote(0, 40, 60, 0.8, np.linspace(0, 2, 40, dtype=np.float32))
    (note,), bends, _ = spread_out(glide)
    values = bends[note.channel]
    assert 30 < len(values) <= 40
    assert values == sorted(values)


def test_the_sixteenth_note_at_once_has_no_bend_and_the_caller_is_told() -> None:
    notes, bends, crowded = spread_out(*(bent(0, 100, 40 + i, 0.25) for i in range(16)))
    assert crowded
    assert len(notes) == 16
    assert sum(len(values) for values in bends.values()) == 15
