"""One file transcribed in a process of its own: prints its time and its peak memory as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import psutil

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
    result = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": _peak_mb(), "notes": len(performance.notes)}
    print(json.dumps(result))


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held when it started this process
        peak = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024 / 1e6
    windows_peak = getattr(psutil.Process().memory_info(), "peak_wset", None)
    if windows_peak is not None:
        return float(windows_peak / 1e6)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
