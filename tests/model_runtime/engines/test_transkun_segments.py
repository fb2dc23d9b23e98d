"""Cutting a recording into segments, and joining what was heard in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.engines.transkun import (
    EDGE_S,
    SAMPLE_RATE,
    SEGMENT_S,
    STEP_S,
    StitchedNote,
    Stitcher,
    segments,
    to_performance,
)
from model_runtime.engines.transkun_process import SegmentNote
from model_runtime.options import Options

Event = tuple[float, float, int]  # onset and offset in seconds, pitch


def starts(count: int) -> list[float]:
    return [index * STEP_S - EDGE_S for index in range(count)]


def heard_in(start_s: float, music: list[Event], late_s: float = 0.0) -> list[SegmentNote]:
    """What a perfect ear notes down of a segment, cutting what its edges cut."""
    notes = []
    for onset_s, offset_s, pitch in music:
        onset, offset = onset_s + late_s - start_s, offset_s - start_s
        if offset > 0 and onset < SEGMENT_S:
            whole = max(onset, 0.0), min(offset, SEGMENT_S)
            notes.append(SegmentNote(*whole, pitch, 80, onset >= 0, offset <= SEGMENT_S))
    return notes


def joined(count: int, music: list[Event], late_s: tuple[float, ...] = ()) -> list[Event]:
    stitcher = Stitcher()
    for index, start_s in enumerate(starts(count)):
        stitcher.feed(heard_in(start_s, music, late_s[index] if late_s else 0.0))
    return sorted((note.onset_s, note.offset_s, note.pitch) for note in stitcher.finish())


@given(
    st.lists(
        st.tuples(st.floats(0, 57), st.floats(0.05, 30), st.integers(21, 108)),
        unique_by=lambda event: event[2],
        max_size=40,
    )
)
def test_what_was_heard_in_overlapping_segments_joins_to_the_music_exactly(
    drawn: list[tuple[float, float, int]],
) -> None:
    music = sorted((onset, min(onset + length, 60.0), pitch) for onset, length, pitch in drawn)
    result = {pitch: (onset_s, offset_s) for onset_s, offset_s, pitch in joined(6, music)}
    assert result == {pitch: pytest.approx((onset_s, offset_s)) for onset_s, offset_s, pitch in music}


def test_a_note_at_the_seam_that_two_segments_hear_apart_is_one_note() -> None:
    seam_s = starts(2)[1] + EDGE_S
    for early_s, late_s in ((-0.01, 0.02), (0.02, -0.01)):
        assert len(joined(2, [(seam_s - 0.005, seam_s + 1, 60)], (early_s, late_s))) == 1


def test_a_repetition_after_the_seam_is_a_note_of_its_own() -> None:
    seam_s = starts(2)[1] + EDGE_S
    music = [(seam_s - 0.5, seam_s + 0.1, 60), (seam_s + 0.15, seam_s + 1, 60)]
    assert np.array(joined(2, music)) == pytest.approx(np.array(music))


def test_a_note_that_only_the_first_segment_hears_ends_with_it() -> None:
    stitcher = Stitcher()
    stitcher.feed(heard_in(starts(2)[0], [(11.0, 20.0, 60)]))
    stitcher.feed([])
    (note,) = stitcher.finish()
    assert note.offset_s == pytest.approx(SEGMENT_S - EDGE_S)


def test_pedals_become_controllers_and_a_key_struck_again_ends_the_note_before() -> None:
    stitched = [
        StitchedNote(0.5, 2.0, -64, 127, False),
        StitchedNote(1.0, 2.0, -67, 100, False),
        StitchedNote(0.6, 1.5, 60, 70, False),
        StitchedNote(1.2, 2.5, 60, 90, False),
    ]
    performance = to_performance(stitched, Options())
    assert [(c.time_s, c.number, c.value) for c in performance.controls] == [
        (0.5, 64, 127),
        (1.0, 67, 100),
        (2.0, 67, 0),
        (2.0, 64, 0),
    ]
    assert [(n.onset_s, n.offset_s, n.velocity) for n in performance.notes] == [(0.6, 1.2, 70), (1.2, 2.5, 90)]


def test_a_minimum_length_counts_only_where_the_user_chose_one() -> None:
    ornament = [StitchedNote(0.5, 0.54, 60, 70, False)]
    assert len(to_performance(ornament, Options()).notes) == 1
    assert len(to_performance(ornament, Options(minimum_note=50)).notes) == 0


@pytest.mark.parametrize("length_s", [0.001, 5, 12, 13.9, 14, 14.1, 26, 40])
def test_segments_cover_the_recording_in_steps_each_full_length(length_s: float) -> None:
    samples = np.arange(1, round(length_s * SAMPLE_RATE) + 1, dtype=np.float32)[:, None]
    blocks = [samples[start : start + 100_000] for start in range(0, len(samples), 100_000)]
    cut = list(segments(blocks))
    assert {len(segment) for segment in cut} == {round(SEGMENT_S * SAMPLE_RATE)}
    edge, step = round(EDGE_S * SAMPLE_RATE), round(STEP_S * SAMPLE_RATE)
    kept = np.concatenate([*(segment[edge : edge + step] for segment in cut[:-1]), cut[-1][edge:]])
    np.testing.assert_array_equal(kept[: len(samples)], samples)
    assert not kept[len(samples) :].any()
    assert len(cut) == max(1, -(-(len(samples) - edge) // step))
