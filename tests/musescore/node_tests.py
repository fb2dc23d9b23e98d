"""Runs JavaScript tests with the node that the development tools bring along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def run_node_tests(name: str) -> None:
    """Run one file of tests; fails with what node said."""
    node = Path(sys.executable).with_name("node")
    assert node.exists(), "node is missing: pip install 'scorebridge[dev]'"
    ran = subprocess.run(
        [str(node), "--test", "--test-reporter=spec", str(FOLDER / name)], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # With a file that holds no test node is content; we are not.
    assert "tests 0" not in ran.stdout, f"{name} holds no test"
