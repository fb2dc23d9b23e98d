"""Which symbols of LMX to join: writes `tokens/merges.py`. To be run once, before anything is trained.

    python -m model_runtime.training.learn_merges --data CORPUS --count 128 --measures 25000

CORPUS is built while there are no merges; afterwards it has to be built again, for its vocabulary is another.
"""

from __future__ import annotations

import argparse
import collections
from itertools import pairwise
from pathlib import Path

import numpy as np

from model_runtime.tokens import merges
from model_runtime.tokens.shorthand import shorten, words
from model_runtime.tokens.vocabulary import SYMBOLS
from model_runtime.training.corpus import TRAINING_SPLITS
from model_runtime.training.dataset import Corpus

_TEXT = '''"""Pairs of LMX symbols that are joined in shorthand, the most frequent first.

Written by `python -m model_runtime.training.learn_merges`; their order is part of the vocabulary.
"""

from __future__ import annotations

MERGES: tuple[tuple[str, str], ...] = (
{pairs}
)
'''


def learned(counts: collections.Counter[tuple[str, ...]], wanted: int) -> list[tuple[str, str]]:
    """The most frequent pair, joined, again and again."""
    table = [(list(word), count) for word, count in counts.items()]
    result: list[tuple[str, str]] = []
    for _ in range(wanted):
        pairs: collections.Counter[tuple[str, str]] = collections.Counter()
        for word, count in table:
            for left, right in pairwise(word):
                pairs[left, right] += count
        best = min(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[0]
        result.append(best)
        for word, _ in table:
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == best:
                    word[i : i + 2] = ["+".join(best)]
                i += 1
    return result


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Learn which LMX symbols to join.")
    parser.add_argument("--data", type=Path, required=True, help="corpus folder")
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--measures", type=int, default=25000, help="taken at random out of the training splits")
    arguments = parser.parse_args()
    if merges.MERGES:
        parser.error("tokens/merges.py has merges already; empty it first")
    corpus = Corpus(arguments.data, TRAINING_SPLITS)
    counts: collections.Counter[tuple[str, ...]] = collections.Counter()
    for measure in np.random.default_rng(0).permutation(corpus.measures)[: arguments.measures]:
        span = slice(corpus.lmx_offsets[measure], corpus.lmx_offsets[measure + 1])
        symbols, _ = shorten([SYMBOLS[i] for i in corpus.lmx_ids[span]])
        counts.update(tuple(word) for word in words(symbols))
    lines = "\n".join(f'    ("{left}", "{right}"),' for left, right in learned(counts, arguments.count))
    Path(merges.__file__).write_text(_TEXT.format(pairs=lines), encoding="utf-8")


if __name__ == "__main__":
    main()
