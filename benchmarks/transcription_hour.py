"""One file transcribed in a process of its own: prints its time and its peak memory as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.peak_memory import peak_mb
from model_runtime import files
from model_runtime.engines.base import Context
from model_runtime.engines.basic_pitch import BasicPitch
from model_runtime.options import Options


def main() -> None:
    """The argument is an audio file. The network is loaded, and warm, before the clock runs."""
    path = Path(sys.argv[1])
    engine = BasicPitch()
    engine.load()
    started, cpu_started = time.perf_counter(), time.process_time()
    performance = engine.translate(files.read(path), Options(), Context())
    seconds = time.perf_counter() - started
    cpu_seconds = time.process_time() - cpu_started
    result = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak_mb(), "notes": len(performance.notes)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
