"""What the trunk is told of a score's notes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.tokens.vocabulary import BLOCKS
from model_runtime.unified.written_notes import ALONE, FIELDS, LEFT, RIGHT, NoteTokens, WrittenNotes, note_tokens

RESERVED = BLOCKS["reserved"].start


def written(*notes: tuple[float, float, int, int], measure: float = 4.0, beat: float = 1.0) -> WrittenNotes:
    """Notes as onset, duration, pitch and hand, from a barline on at 120 quarter notes a minute."""
    onset, duration, pitch, hand = (np.array(column) for column in zip(*notes, strict=True))
    count = len(onset)
    return WrittenNotes(
        onset.astype(float),
        duration.astype(float),
        pitch.astype(np.int64),
        hand.astype(np.int64),
        np.mod(onset, measure),
        np.full(count, measure),
        np.full(count, beat),
        np.full(count, 120.0),
    )


def field(tokens: NoteTokens, name: str) -> list[int]:
    """Ids of a field, from 0 on."""
    column = tokens.ids[:, FIELDS.index(name)]
    return (column - column.min()).tolist()


def test_notes_come_in_order_of_time_and_pitch() -> None:
    tokens = note_tokens(written((2.0, 1.0, 60, RIGHT), (0.0, 1.0, 64, RIGHT), (0.0, 1.0, 48, LEFT)))
    assert tokens.order.tolist() == [2, 1, 0]
    assert tokens.places.tolist() == [0.0, 0.0, 10.0]
    assert (tokens.ids[:, FIELDS.index("pitch")] - BLOCKS["pitch"].start).tolist() == [48, 64, 60]


def test_a_note_knows_its_place_in_the_chord_of_its_hand() -> None:
    chord = [(0.0, 1.0, pitch, RIGHT) for pitch in (60, 64, 67)]
    tokens = note_tokens(written(*chord, (0.0, 1.0, 36, LEFT)))
    ranks = tokens.ids[:, FIELDS.index("rank")]
    assert len(set(ranks.tolist())) == 4  # alone below, then bottom, between and top
    assert field(tokens, "size") == [0, 2, 2, 2]


def test_a_note_knows_whether_it_is_on_top_of_all_that_sounds() -> None:
    tokens = note_tokens(written((0.0, 4.0, 72, RIGHT), (1.0, 1.0, 60, RIGHT), (4.0, 1.0, 60, RIGHT)))
    outline = tokens.ids[:, FIELDS.index("outline")]
    assert outline[0] == outline[2] != outline[1]


def test_strength_falls_from_the_barline_to_the_smallest_places() -> None:
    places = (0.0, 2.0, 1.0, 0.5, 0.25, 0.125)
    notes = written(*[(place, 0.1, 60, ALONE) for place in places])
    tokens = note_tokens(notes)
    strengths = {places[i]: int(s) for i, s in zip(tokens.order, tokens.ids[:, FIELDS.index("strength")], strict=True)}
    assert [strengths[place] for place in places] == sorted(strengths.values())
    assert len(set(strengths.values())) == 6
    waltz = note_tokens(written((0.0, 1.0, 60, ALONE), (1.0, 1.0, 60, ALONE), (1.5, 1.0, 60, ALONE), measure=3.0))
    assert field(waltz, "strength") == [0, 2, 3]  # no middle of an odd measure


def test_six_eighths_have_two_beats() -> None:
    eighths = [(0.5 * i, 0.5, 60, ALONE) for i in range(6)]
    tokens = note_tokens(written(*eighths, measure=3.0, beat=1.5))
    assert field(tokens, "strength") == [0, 3, 3, 1, 3, 3]


def test_the_pause_is_until_the_same_hand_plays_again() -> None:
    tokens = note_tokens(written((0.0, 1.0, 60, RIGHT), (0.5, 1.0, 40, LEFT), (2.0, 1.0, 62, RIGHT)))
    alone = note_tokens(written((0.0, 1.0, 60, RIGHT), (2.0, 1.0, 62, RIGHT)))
    pause = FIELDS.index("pause")
    assert tokens.ids[0, pause] == alone.ids[0, pause] > tokens.ids.min()


def test_the_end_is_felt_coming() -> None:
    tokens = note_tokens(written(*[(float(i), 1.0, 60, ALONE) for i in range(40)]))
    endings = tokens.ids[:, FIELDS.index("ending")].tolist()
    assert len(set(endings[:4])) == 1 and endings[0] not in endings[4:]
    assert endings[-1] < endings[-3] < endings[-7] < endings[-15] < endings[10]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4000).map(lambda n: n / 24),
            st.integers(1, 400).map(lambda n: n / 24),
            st.integers(0, 127),
            st.sampled_from((ALONE, RIGHT, LEFT)),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_any_notes_give_a_token_each_within_the_blocks(notes: list[tuple[float, float, int, int]]) -> None:
    tokens = note_tokens(written(*notes))
    assert sorted(tokens.order.tolist()) == list(range(len(notes)))
    blocks = dict(zip(FIELDS, ("note", "pitch", "duration_coarse", "duration_fine", "onset_fine"), strict=False))
    for i, name in enumerate(FIELDS):
        block = BLOCKS[blocks.get(name, "reserved")]
        assert all(block.start <= id_ < block.start + len(block) for id_ in tokens.ids[:, i])
    reserved = [set(tokens.ids[:, i].tolist()) for i, name in enumerate(FIELDS) if name not in blocks]
    assert len(set.union(*reserved)) == sum(map(len, reserved)), "fields share a symbol"
    assert np.all(np.diff(tokens.places) >= 0)
