from __future__ import annotations

import sys
from pathlib import Path

# The clients are tested against a real door with the doors' own small service behind it.
sys.path.insert(0, str(Path(__file__).parents[1] / "bridge" / "doors"))
