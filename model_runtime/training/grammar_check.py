"""How much of the corpus the grammar admits: windows drawn at random, walked through symbol by symbol.

python -m model_runtime.training.grammar_check --data CORPUS [--windows 4000]
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from model_runtime.tokens.vocabulary import SYMBOLS
from model_runtime.training.corpus import TRAINING_SPLITS
from model_runtime.training.dataset import DIRECTIONS, Corpus, draw
from model_runtime.unified.grammar import Row, table
from model_runtime.unified.inference import WRITABLE


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Walk windows of the corpus through the grammar.")
    parser.add_argument("--data", type=Path, required=True, help="corpus folder")
    parser.add_argument("--windows", type=int, default=4000)
    arguments = parser.parse_args()
    corpus, rng = Corpus(arguments.data, TRAINING_SPLITS), np.random.default_rng(0)
    rules = table(tuple(SYMBOLS[i] for i in WRITABLE))
    index_of = {i: n for n, i in enumerate(WRITABLE)}
    symbols = refused_windows = 0
    refused: Counter[str] = Counter()
    for number in range(arguments.windows):
        target = draw(corpus, DIRECTIONS[number % 2], rng, spoil=False).target
        row, before = Row(rules), ""
        for i in target.tolist():
            symbols += 1
            if not row.allowed()[index_of[i]]:
                of = "order" if rules.next[row.state, index_of[i]] < 0 else "length"
                refused[f"{of}: {before} → {SYMBOLS[i]}"] += 1
                refused_windows += 1
                break
            row.take(index_of[i])
            before = SYMBOLS[i]
    print(f"{arguments.windows} windows, {symbols} symbols, {refused_windows} windows refused")
    for what, count in refused.most_common(20):
        print(f"{count:6d}  {what}")


if __name__ == "__main__":
    main()
