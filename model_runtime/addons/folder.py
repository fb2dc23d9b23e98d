"""Where add-ons live."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE = "SCOREBRIDGE_DATA"


def data_folder() -> Path:
    """The user's data folder; the environment variable SCOREBRIDGE_DATA names another. It need not exist yet."""
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path("scorebridge", appauthor=False)
