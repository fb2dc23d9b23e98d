"""Which symbols are joined: the most frequent neighbours first."""

from __future__ import annotations

from collections import Counter

from model_runtime.training.learn_merges import learned


def test_the_most_frequent_pair_is_joined_and_then_counts_as_one() -> None:
    counts = Counter({("chord", "C4", "quarter"): 5, ("C4", "quarter"): 3, ("chord", "D4"): 1})
    assert learned(counts, 2) == [("C4", "quarter"), ("chord", "C4+quarter")]


def test_equal_counts_are_joined_in_the_order_of_the_alphabet() -> None:
    assert learned(Counter({("b", "c"): 2, ("a", "b"): 2}), 1) == [("a", "b")]
