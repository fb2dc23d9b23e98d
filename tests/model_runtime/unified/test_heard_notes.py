"""All that may be a note becomes a token, however the sound arrives, and what is judged becomes notes again."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.tokens.notes import COMPOUND_FIELDS, from_compound
from model_runtime.tokens.vocabulary import BLOCKS
from model_runtime.unified.audio_front_end import KEYS, LOWEST_PITCH
from model_runtime.unified.audio_steps import LATE_STEPS, STEP_S, moment_s
from model_runtime.unified.heard_clues import CLUES, NEIGHBOURS, neighbours
from model_runtime.unified.heard_notes import HeardNoteFinder, HeardNotes, refined, tokens_of
from model_runtime.unified.note_outputs import KEPT, LATE, LENGTH, OUTPUTS, VELOCITY
from model_runtime.unified.note_picking import NotePicker, PickedNote

Floats = npt.NDArray[np.float32]
Heads = tuple[Floats, Floats, Floats]


def heads(steps: int, seed: int, notes: int) -> Heads:
    """What a network might say that hears notes anywhere, some of them with doubts."""
    rng = np.random.default_rng(seed)
    late = (0.02 * rng.random((steps, KEYS, 4))).astype(np.float32)
    rows = np.arange(steps)
    for _ in range(notes):
        place, key, length = rng.uniform(4, steps - 8), int(rng.integers(KEYS)), rng.uniform(3, 80)
        sure = rng.uniform(0.1, 1.0)
        peaks = [np.maximum(1 - np.abs(rows - at) / 2, 0) for at in (place, place + length)]
        late[:, key, 0] = np.maximum(late[:, key, 0], sure * peaks[0])
        late[:, key, 2] = np.maximum(late[:, key, 2], sure * peaks[1])
        sounds = (rows > place) & (rows < place + length)
        late[sounds, key, 1] = np.maximum(late[sounds, key, 1], sure * rng.uniform(0.6, 1.0, int(sounds.sum())))
        late[:, key, 3] = np.where(np.abs(rows - place) < 2, rng.random(), late[:, key, 3])
    early = np.pad((0.9 * late).astype(np.float32), ((0, LATE_STEPS), (0, 0), (0, 0)))
    return early, np.pad(late, ((LATE_STEPS, 0), (0, 0), (0, 0))), rng.random(steps + LATE_STEPS).astype(np.float32)


def found_in(said: Heads, pieces: list[int]) -> HeardNotes:
    finder, at = HeardNoteFinder(), 0
    for length in [*pieces, len(said[0])]:
        finder.feed(*(each[at : at + length] for each in said))
        at += length
    return finder.finish()


def judged(heard: HeardNotes) -> Floats:
    """As if the trunk left everything as it is."""
    outputs = np.zeros((len(heard), len(OUTPUTS)), np.float32)
    outputs[:, KEPT] = heard.probability
    return outputs


def picked(said: Heads) -> list[PickedNote]:
    picker, notes = NotePicker(), []
    for step in said[1][LATE_STEPS:]:
        notes += picker.step(step).struck
    notes += picker.finish().struck
    return sorted(notes, key=lambda note: (note.onset_s, note.pitch))


def test_left_as_they_are_they_are_the_notes_that_the_reader_picks() -> None:
    said = heads(900, 1, 120)
    heard = found_in(said, [])
    own, kept = picked(said), refined(heard, judged(heard), 0.5)
    assert 30 < len(own) < len(heard)
    assert [note.pitch for note in kept] == [note.pitch for note in own]
    for mine, theirs in zip(kept, own, strict=True):
        assert mine.onset_s == pytest.approx(theirs.onset_s, abs=1e-6)
        assert mine.velocity == theirs.velocity
        assert mine.probability == pytest.approx(theirs.probability)
    ends = [abs((a.offset_s or 0) - (b.offset_s or 0)) for a, b in zip(kept, own, strict=True)]
    assert np.mean(np.array(ends) < 1e-5) > 0.8
    assert np.mean(np.array(ends) < 4 * STEP_S) > 0.95


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 700), max_size=8))
def test_it_does_not_matter_in_which_pieces_the_network_speaks(pieces: list[int]) -> None:
    said = heads(600, 2, 60)
    whole, cut = found_in(said, []), found_in(said, pieces)
    for name in HeardNotes.__dataclass_fields__:
        assert np.array_equal(getattr(whole, name), getattr(cut, name)), name


def test_a_long_recording_is_gone_through_in_chunks_that_leave_no_seam() -> None:
    said = heads(5000, 3, 500)
    finder, longest = HeardNoteFinder(), 0
    for start in range(0, len(said[0]), 50):
        finder.feed(*(each[start : start + 50] for each in said))
        longest = max(longest, sum(len(piece) for piece in finder._late))
    heard = finder.finish()
    assert longest < 3100
    onsets = said[1][LATE_STEPS:, :, 0]
    peaks = (onsets[1:-1] > onsets[:-2]) & (onsets[1:-1] >= onsets[2:]) & (onsets[1:-1] >= 0.2)
    assert len(heard) == peaks.sum()
    assert np.all(np.diff(heard.onset_s) >= 0)
    late = found_in((said[0][1500:], said[1][1500:], said[2][1500:]), [])  # the same notes in other chunks
    after = heard.onset_s > moment_s(1500 + 900)
    same = late.onset_s > moment_s(900)
    assert np.allclose(heard.onset_s[after], late.onset_s[same] + 1500 * STEP_S)
    assert np.array_equal(heard.clues[after], late.clues[same])
    assert np.allclose((heard.offset_s - heard.onset_s)[after], (late.offset_s - late.onset_s)[same])


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5])
def test_hardly_any_sound_has_no_notes(steps: int) -> None:
    said = tuple(np.zeros(shape, np.float32) for shape in ((steps, KEYS, 4), (steps, KEYS, 4), (steps,)))
    heard = found_in(said, [])  # type: ignore[arg-type]
    ids, places = tokens_of(heard)
    assert ids.shape == (0, len(COMPOUND_FIELDS) + len(CLUES)) and places.shape == (0,)
    assert refined(heard, judged(heard)) == []


def test_tokens_say_what_was_heard() -> None:
    heard = found_in(heads(600, 4, 80), [])
    ids, places = tokens_of(heard)
    assert places == pytest.approx(heard.onset_s * 10, abs=1e-3)
    for row, i in zip(ids, range(len(heard)), strict=True):
        event = from_compound(row[: len(COMPOUND_FIELDS)].tolist(), 0)
        assert (event.kind, event.pitch) == ("note", heard.pitch[i])
        assert event.duration == pytest.approx(100 * (heard.offset_s[i] - heard.onset_s[i]), abs=0.51)
        assert event.velocity == heard.velocity[i] // 4
        assert event.probability == min(int(8 * heard.probability[i]), 7)
    starts = [BLOCKS[clue.block].start + clue.first for clue in CLUES]
    assert np.array_equal(ids[:, len(COMPOUND_FIELDS) :] - starts, heard.clues)


def test_no_symbol_stands_for_two_clues() -> None:
    symbols: list[int] = []
    for clue in CLUES:
        assert clue.first + clue.count <= len(BLOCKS[clue.block])
        symbols += range(BLOCKS[clue.block].start + clue.first, BLOCKS[clue.block].start + clue.first + clue.count)
    notes = [BLOCKS[name] for name in ("note", *COMPOUND_FIELDS[1:])]
    assert len(set(symbols)) == len(symbols)
    assert not any(block.value_of(symbol) is not None for block in notes for symbol in symbols)


def test_clues_tell_of_another_stroke_of_the_key_and_of_the_octave() -> None:
    late = np.zeros((200, KEYS, 4), np.float32)
    for row, key, sure in ((50, 30, 0.9), (90, 30, 0.6), (50, 42, 0.5)):
        late[row - 1 : row + 2, key, 0] = [sure / 2, sure, sure / 2]
        late[row : row + 30, key, 1] = 0.9
    said = (late, np.pad(late, ((LATE_STEPS, 0), (0, 0), (0, 0)))[:200], np.zeros(200, np.float32))
    heard = found_in(said, [])
    assert heard.pitch.tolist() == [30 + LOWEST_PITCH, 42 + LOWEST_PITCH, 30 + LOWEST_PITCH]
    clue = {each.name: heard.clues[:, i].tolist() for i, each in enumerate(CLUES)}
    assert clue["octave above"][0] == 4 and clue["octave below"][1] == 7
    assert clue["how surely again"] == [4, 0, 0]
    assert clue["how surely before"] == [0, 0, 7]
    assert clue["struck again"][1] == 31
    assert clue["frame before"] == [0, 0, 0]


def test_clues_tell_where_other_notes_begin_and_end() -> None:
    """A note of a second, and what a second note does."""
    names = [clue.name for clue in NEIGHBOURS]

    def octaves(onset_s: float, offset_s: float, pitch: int, likely: bool = True) -> dict[str, float]:
        order = np.argsort([0.0, onset_s])
        onsets, offsets = np.array([0.0, onset_s])[order], np.array([1.0, offset_s])[order]
        values = neighbours(onsets, offsets, np.array([60, pitch])[order], np.array([True, likely])[order])
        lowest = [2.5 if clue.count == 32 else 2.0 for clue in NEIGHBOURS]
        own = values[int(np.argmin(np.abs(onsets)))]
        return {
            name: float(value / 6 - low) if value < clue.count - 1 else np.inf
            for name, value, low, clue in zip(names, own, lowest, NEIGHBOURS, strict=True)
        }

    far, near = octaves(0.5, 2.0, 72), octaves(0.5, 2.0, 62)
    assert far["next onset"] == near["next onset"] == near["onset near the end"] == pytest.approx(-1)
    assert near["next onset, close by"] == near["onset near the end, close by"] == pytest.approx(-1)
    assert far["next onset, close by"] == far["onset near the end, close by"] == np.inf
    assert far["end near the end"] == pytest.approx(1)
    assert far["length of the chord"] == np.inf
    assert octaves(0.01, 0.51, 62)["length of the chord"] == pytest.approx(-1)
    assert set(octaves(0.5, 2.0, 62, likely=False).values()) == {np.inf}
    assert octaves(0.02, 0.7, 62)["next onset"] == np.inf  # struck together


@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_the_nearest_of_other_ends_is_found_as_by_looking_at_all(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    onset = np.sort(rng.uniform(0, 5, count))
    offset = onset + rng.uniform(0.1, 2, count)
    likely = rng.random(count) < 0.6
    values = neighbours(onset, offset, rng.integers(50, 70, count), likely)
    assert values.shape == (count, len(NEIGHBOURS))
    last = [clue.name for clue in NEIGHBOURS].index("end near the end")
    for i in range(count):
        others = [offset[j] for j in range(count) if j != i and likely[j] and offset[j] > onset[i] + 0.05]
        expected = 24
        if others:
            nearest = min(others, key=lambda end: abs(end - offset[i]))
            expected = int(np.rint((np.log2((nearest - onset[i]) / (offset[i] - onset[i])) + 2) * 6).clip(0, 24))
        assert values[i, last] == expected


def some(onsets: list[float], pitches: list[int]) -> HeardNotes:
    onset_s, count = np.array(onsets), len(onsets)
    return HeardNotes(
        *(onset_s, onset_s + 0.5, np.array(pitches), np.full(count, 64)),
        *(np.full(count, 0.5, np.float32), np.zeros((count, len(CLUES)), np.int64)),
    )


def test_what_is_judged_is_moved_lengthened_and_louder() -> None:
    outputs = np.zeros((2, len(OUTPUTS)), np.float32)
    outputs[0, [KEPT, LATE, LENGTH, VELOCITY]] = [0.8, 0.02, 1.0, 90.0]
    outputs[1, KEPT] = 0.3
    (note,) = refined(some([1.0, 2.0], [60, 60]), outputs)
    assert (note.onset_s, note.offset_s, note.velocity) == pytest.approx((1.02, 2.02, 127))
    assert note.probability == pytest.approx(0.8)
    assert len(refined(some([1.0, 2.0], [60, 60]), outputs, 0.25)) == 2


def test_a_key_sounds_once_at_a_time() -> None:
    heard = some([1.0, 1.02, 1.3, 1.3], [60, 60, 60, 61])
    outputs = np.zeros((4, len(OUTPUTS)), np.float32)
    outputs[:, KEPT] = [0.6, 0.9, 0.7, 0.7]
    notes = refined(heard, outputs)
    assert [note.pitch for note in notes] == [60, 60, 61]
    assert [note.onset_s for note in notes] == pytest.approx([1.0, 1.3, 1.3])
    assert [note.offset_s for note in notes] == pytest.approx([1.3, 1.8, 1.8])
    assert notes[0].probability == pytest.approx(0.9)
    assert [note.number for note in notes] == [0, 1, 2]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_judgement_whatever_gives_notes_that_can_be_played(seed: int) -> None:
    rng = np.random.default_rng(seed)
    heard = some(sorted(rng.uniform(0, 2, 30)), rng.integers(58, 62, 30).tolist())
    outputs = rng.normal(0, 3, (30, len(OUTPUTS))).astype(np.float32)
    outputs[:, VELOCITY] *= 50
    notes = refined(heard, outputs)
    assert all(n.onset_s >= 0 and n.offset_s is not None and n.offset_s > n.onset_s for n in notes)
    assert all(1 <= n.velocity <= 127 for n in notes)
    for pitch in range(58, 62):
        own = [n for n in notes if n.pitch == pitch]
        assert all(a.offset_s <= b.onset_s for a, b in pairwise(own) if a.offset_s is not None)


def test_notes_come_in_order_after_they_were_moved() -> None:
    heard = replace(some([1.0, 1.04], [60, 64]), velocity=np.array([10, 20]))
    outputs = np.zeros((2, len(OUTPUTS)), np.float32)
    outputs[:, KEPT], outputs[:, LATE] = 1.0, [0.05, -0.05]
    assert [note.pitch for note in refined(heard, outputs)] == [64, 60]
