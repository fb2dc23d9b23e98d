"""Command line: see the package."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from model_runtime.training.rendering.corpus import build, totals


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Build what playing is learnt from.")
    parser.add_argument("--data", type=Path, required=True, help="folder with data/pop909")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="songs")
    arguments = parser.parse_args()
    build(arguments.data, arguments.out, arguments.limit)
    (arguments.out / "totals.json").write_text(json.dumps(totals(arguments.out), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
