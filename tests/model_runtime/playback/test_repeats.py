"""Unfolding always ends, and never loses music that only repeats could hide."""

from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.playback.repeats import performed_order
from model_runtime.playback.score import Measure

flags = st.fixed_dictionaries(
    {
        "forward": st.booleans(),
        "backward": st.sampled_from([None, None, 0, 2, 3]),
        "repeats_after_jump": st.booleans(),
        "ending": st.sampled_from([frozenset(), frozenset(), frozenset({1}), frozenset({2}), frozenset({1, 2})]),
        "ending_start": st.booleans(),
        "segno": st.booleans(),
        "coda": st.booleans(),
        "to_coda": st.booleans(),
        "da_capo": st.booleans(),
        "dal_segno": st.booleans(),
        "fine": st.booleans(),
    }
)


@settings(max_examples=300, deadline=None)
@given(st.lists(flags, min_size=1, max_size=12))
def test_any_combination_of_signs_comes_to_an_end(signs: list[dict[str, object]]) -> None:
    order = performed_order([Measure(**sign) for sign in signs])  # type: ignore[arg-type]
    assert len(order) < 5000
    assert all(0 <= i < len(signs) for i in order)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([None, 0, 2, 3])), min_size=1, max_size=20))
def test_repeat_signs_alone_lose_no_measure(signs: list[tuple[bool, int | None]]) -> None:
    order = performed_order([Measure(forward=forward, backward=backward) for forward, backward in signs])
    assert set(order) == set(range(len(signs)))
    assert sorted(set(order)) == list(dict.fromkeys(order))  # first heard in the order of the page
