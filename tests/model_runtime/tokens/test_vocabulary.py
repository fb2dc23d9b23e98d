"""The vocabulary: every symbol once, in blocks that do not move."""

from __future__ import annotations

from model_runtime.tokens import vocabulary


def test_every_symbol_has_one_id_and_every_id_one_symbol() -> None:
    assert vocabulary.symbols_of(vocabulary.ids_of(vocabulary.SYMBOLS)) == list(vocabulary.SYMBOLS)


def test_blocks_follow_one_another_without_gaps() -> None:
    start = 0
    for block in vocabulary.BLOCKS.values():
        assert block.start == start
        start += len(block)
    assert start == len(vocabulary.SYMBOLS)


def test_codes_of_the_codecs_lie_behind_every_other_symbol() -> None:
    codes = [b for name, b in vocabulary.BLOCKS.items() if "_code_" in name]
    assert len(codes) == 8
    assert min(b.start for b in codes) == vocabulary.SYMBOLIC_SIZE


def test_what_does_not_exist_is_unknown_in_both_directions() -> None:
    assert vocabulary.ids_of(["no such symbol"]) == [vocabulary.UNKNOWN_ID]
    assert vocabulary.symbols_of([-1, 10**9]) == [vocabulary.UNKNOWN] * 2


def test_a_value_outside_a_block_takes_its_nearest_id() -> None:
    block = vocabulary.BLOCKS["position"]
    assert block.value_of(block.id_of(10**6)) == len(block) - 1
    assert block.value_of(block.id_of(-5)) == 0
    assert block.value_of(block.start - 1) is None


def test_the_fingerprint_is_that_of_the_weights_and_corpora_in_use() -> None:
    # Changing it makes every corpus and checkpoint unusable: append to the reserved symbols instead.
    assert vocabulary.fingerprint() == "8860d9ea028ed9f2"
