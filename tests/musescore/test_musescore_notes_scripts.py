"""Reading and inserting notes, outside MuseScore: pure parts, and a score that keeps MuseScore's rules."""

from __future__ import annotations

import pytest
from node_tests import run_node_tests


@pytest.mark.parametrize("name", ["tuplets", "plan", "fake_score", "mscx"])
def test_the_scripts_for_notes_do_what_they_say(name: str) -> None:
    run_node_tests(f"notes_{name}.test.js")
