"""Memory that reading one page takes, in a process of its own, and how long the model takes to load.

python -m benchmarks.page_memory IMAGE
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Read the page and print the figures as JSON."""
    import numpy as np
    from PIL import Image

    from benchmarks.peak_memory import peak_mb
    from model_runtime.unified.image_reader import ImageReader
    from model_runtime.unified.inference import TrunkRuntime
    from model_runtime.unified.page_reading import read_score

    started = time.perf_counter()
    reader, trunk = ImageReader(), TrunkRuntime()
    load_s = time.perf_counter() - started
    with Image.open(Path(sys.argv[1])) as image:
        pixels = np.asarray(image.convert("L"))
    if read_score([pixels], reader, trunk) is None:
        sys.exit("No music was found on the page.")
    json.dump({"load_s": load_s, "page_peak_mb": peak_mb()}, sys.stdout)


if __name__ == "__main__":
    main()
