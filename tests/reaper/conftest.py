"""The real daemon of the end-to-end tests serves here, too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "end_to_end"))
