"""One engine renders a made performance in a process of its own: prints its peak memory in MB.

python -m benchmarks.synth_memory ENGINE MINUTES
"""

from __future__ import annotations

import sys

from benchmarks.made_performance import made_performance
from benchmarks.peak_memory import peak_mb
from benchmarks.synths import SYNTHS, rendered, rendered_frames


def main() -> None:
    """The sound is read block by block, as a writer of files does."""
    audio = rendered(SYNTHS[sys.argv[1]](), made_performance(int(sys.argv[2])))
    rendered_frames(audio)
    print(f"{peak_mb():.1f}")


if __name__ == "__main__":
    main()
