"""The `basic_pitch` package at work in its own environment: a path a line in, the seconds and notes as JSON out."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from importlib import import_module


def main() -> None:
    """Serve until standard input ends. The network is loaded once, before any clock runs."""
    logging.disable(logging.CRITICAL)
    inference = import_module("basic_pitch.inference")
    network = inference.Model(inference.ICASSP_2022_MODEL_PATH)
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            started = time.perf_counter()
            _, _, events = inference.predict(line.rstrip("\n"), network)
            seconds = time.perf_counter() - started
        notes = [[float(start), float(end), int(pitch)] for start, end, pitch, *_ in events]
        print(json.dumps({"seconds": seconds, "notes": notes}), flush=True)


if __name__ == "__main__":
    main()
